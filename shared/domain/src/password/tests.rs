use std::time::{Duration, Instant};

use proptest::{prelude::*, sample::select};

use super::*;
use crate::CompanyId;

const PRODUCT: &str = "Contoso Online Suite";
const VENDOR: &str = "Adventure Works";

/// Passwords that an attacker does not guess early.
const UNCOMMON: [&str; 58] = [
    "my cat sleeps on the red sofa",
    "Four dull pencils under Lisbon",
    "the quick brown fox jumps over the lazy dog",
    "We moved to Fabrikam in the spring of 2019",
    "contoso is where I buy my bread",
    "summer coffee guitar window",
    "river bicycle garden mountain",
    "horse window autumn orange",
    "guess pipeline zebra mortal",
    "i love my dog and my dog loves me",
    "ich trinke morgens nur Tee",
    "la vie est un long fleuve tranquille",
    "три медведя пьют холодный чай",
    "わたしはあさごはんにパンをたべます",
    "我每天早上都在公园里慢慢地跑步呢",
    "παίζουμε σκάκι κάθε Τρίτη",
    "xkqvz-tmwpr-bnjdh",
    "k7wmp3hxrt22222abcde",
    "Xk4$mQ9!vZ2#pL7@",
    "83920174658291037465",
    "314159265358979323",
    "~(}%,;=<&^$>!#?+",
    "1-!%/$)(&=?*+#'7",
    "a83920174658291037",
    "😀🐢🌋🎻🧀🚲🪁🦔🌽🛶🧦🎲🪐🦉🍇",
    "👨‍👩‍👧 went to the 🏖️ twice",
    "supercalifragilistic",
    "antidisestablishmentarianism",
    "thisisnotaneasyone",
    "passwordsareboring",
    "mypasswordisalwayssafe",
    "dragons eat princesses rarely",
    "admin of nothing at all",
    "fabrikam sells blue chairs",
    "online suites cost money",
    "no, Fabrikam, Inc.!",
    "abcdefg hijack the plot",
    "qwerty was never a word",
    "aaaaaaaaaaaaaab xyq",
    "lorem ipsum dolor sit amet",
    "two turtles, one typewriter",
    "Ceci n'est pas une pipe",
    "cheese & crackers @ midnight",
    "0 out of 10 would reset again",
    "sleepy otters juggle marbles",
    "it rained on us all of May",
    "straße müller käsekuchen",
    // Usual words among others.
    "on the fifth of May we sailed to Naxos",
    "im Januar trinkt der Chef nur Tee",
    "the administrator feeds nine hungry goats",
    "seven green boats at noon",
    "eleven maps under the bridge",
    "Contoso owes me a bicycle",
    "wichtig: Oma hat montags Geburtstag",
    "login kiosk zebra mustard",
    "violet monkey dishwasher",
    // Two odd characters, or more.
    "aaaaaaaaaaaaabxq",
    "mondayzqmondayvk",
];

/// Passwords that an attacker guesses early, and why.
const COMMON: [&str; 137] = [
    // One entry of the list, and two.
    "passwordpassword",
    "PasswordPassword1!",
    "password password password",
    "p@ssw0rd p@ssw0rd",
    "passw0rd123456789",
    "dragon!!!!!!!!!!!!!!!",
    "2024-12-31 dragon",
    "dragon2024monkey2025",
    "Butterfly? Sunshine!",
    "iloveyouprincess",
    "Michael & Jennifer",
    "trustno1trustno1",
    "horse / battery",
    "battery horse battery horse",
    "bicycle monkey bicycle",
    "Welcome2026!Welcome2026!",
    "letmein letmein now1now1",
    // More, of the most common.
    "dragonmonkeyshadow",
    "password.qwerty.dragon",
    "love.money.summer.dragon",
    "master football monkey",
    "summer2024winter2025spring2026",
    // Words that the attacker knows.
    "Fabrikam2026Fabrikam",
    "fabrikam, inc. 2026",
    "FABRIKAM_FABRIKAM_1",
    "Contoso Online Suite",
    "ContosoOnlineSuite2026!!",
    "contoso-suite-online",
    "suite suite suite",
    "Contoso2026Fabrikam2027",
    "kim.lee@fabrikam",
    "KimLee-KimLee-KimLee",
    "lee kim fabrikam 1",
    "password fabrikam",
    "Contoso admin 12345",
    "fabrikam dragon battery",
    "Inc. Inc. Inc. Inc. Inc.",
    "Ｆａｂｒｉｋａｍ２０２６Ｄｒａｇｏｎ",
    // Runs.
    "abcdefghijklmno",
    "ponmlkjihgfedcba",
    "123456789012345",
    "098765432109876",
    "1234567890abcdef",
    "qwertyuiopasdfgh",
    "qwertzuiop asdfghjkl",
    "azertyuiop-qsdfghjklm",
    "poiuytrewqlkjhgfdsa",
    "йцукенгшщзхъфывапролджэ",
    "1q2w3e4r5t6y7u8i9o0p",
    "a1b2c3d4e5f6g7h8",
    "1qaz2wsx3edc4rfv",
    "aabbccddeeffgghh",
    "112233445566778899",
    "1 2 3 4 5 6 7 8 9 0",
    "123-456-789-012-345",
    "абвгдежзийклмноп",
    "!@#$%^&*()_+!@#$",
    "0123456789 9876543210",
    // Repetitions.
    "ﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺ",
    "aaaaaaaaaaaaaaa",
    "AaAaAaAaAaAaAaAa",
    "abababababababab",
    "111111111111111",
    "hgfqhgfqhgfqhgfq",
    "aaabbbcccdddeeefff",
    "zzzzzyyyyyqqqqq",
    "wolfgangwolfgang",
    "Zoltan1Zoltan2Zoltan3",
    "xkqzpwvmxkqzpwvm",
    "48392074839207483",
    "               ",
    "!!!!!!!!!!!!!!!",
    "-=-=-=-=-=-=-=-=",
    "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
    "👍🏽👍🏽👍🏽👍🏽👍🏽👍🏽👍🏽👍🏽",
    "äöäöäöäöäöäöäöäö",
    "ab1ab1ab1ab1ab1",
    "qqqqqqqq12345678",
    // Usual words, also in German, with other spellings and capitals.
    "Administrator2026!",
    "administrator123",
    "4dm1n1str4t0r2026",
    "@dministr@tor!!",
    "Adm!n!strat0r2026",
    "AdministratorAdministrator",
    "Administratoren-2026",
    "myadministrator",
    "Passwort2026!!!",
    "MeinPasswort2026",
    "Willkommen2026!",
    "W1llk0mmen!2026",
    "Kennwort-Kennwort",
    "January2026!!!!",
    "Januar/Februar/März",
    "JanuarFebruarMaerz",
    "Dezember-2025-Dezember",
    "Sommer2026Sommer",
    "September 2026!!",
    "Montag, 30.11.2026",
    "Welcome to 2026!",
    "changeme changeme",
    "Geheimes Passwort",
    "ServiceAdministrator1",
    "Summer Winter Autumn",
    "default password 1",
    // The vendor's name, and other spellings of names.
    "Adventure Works 2026",
    "adventureworks123",
    "4dventur3W0rks!",
    "F@br1k@mF@br1k@m",
    "Fabr1kam$uite2026",
    "Adventure Administrator",
    // Phrases.
    "correct horse battery staple",
    "purple monkey dishwasher",
    "CorrectHorseBatteryStaple1!",
    "c0rrect h0rse b4ttery st4ple",
    "iloveyousomuch123",
    "AdministratorMay2026!",
    "ITAdministrator2026",
    "Teamleiter2026!!",
    "I love you so much!",
    "The quick brown fox",
    "May the force be with you",
    // One odd character.
    "aaaaaaaaaaaaaab",
    "baaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaba",
    "abaaaaaaaaaaaaa",
    "abcabcabXabcabc",
    "aaaaaaabaaaaaaaa",
    "abababababababx",
    "qwertyuiopasdfgx",
    "abcdefghijklmnox",
    "xkqzpwvmxkqzpwvmb",
    "passwordpasswordx",
    "xadministrator1",
    "11111111111111a",
    // Columns of keyboards and of the keypad, and years.
    "147258369147258369",
    "zaqxswcdevfrbgt",
    "1984 1985 1986 1987",
];

fn refusal_of(typed: &str) -> Option<PasswordRefusal> {
    refusal_where(typed, "kim.lee@fabrikam", "Fabrikam, Inc.", PRODUCT)
}

fn refusal_where(typed: &str, user_name: &str, company: &str, product: &str) -> Option<PasswordRefusal> {
    let user_name = UserName::parse(user_name).unwrap();
    let company = Company { id: CompanyId::parse("fabrikam").unwrap(), name: company.to_owned() };
    NewPassword::choose(typed, &PasswordContext { user_name: &user_name, company: &company, product, vendor: VENDOR })
        .err()
}

/// Returns a text of `length` code points that is not common.
fn uncommon(length: usize) -> String {
    "my cat sleeps on the red sofa; ".chars().cycle().take(length).collect()
}

#[test]
fn passwords_that_are_hard_to_guess_pass() {
    let refused: Vec<&str> = UNCOMMON.into_iter().filter(|typed| refusal_of(typed).is_some()).collect();
    assert_eq!(refused, [""; 0]);
}

#[test]
fn passwords_that_are_guessed_early_are_refused() {
    let too_common = Some(PasswordRefusal::TooCommon);
    let passed: Vec<&str> = COMMON.into_iter().filter(|typed| refusal_of(typed) != too_common).collect();
    assert_eq!(passed, [""; 0]);
}

#[test]
fn a_password_has_15_to_128_code_points() {
    assert_eq!(refusal_of(""), Some(PasswordRefusal::TooShort));
    assert_eq!(refusal_of(&uncommon(14)), Some(PasswordRefusal::TooShort));
    assert_eq!(refusal_of(&uncommon(15)), None);
    assert_eq!(refusal_of(&uncommon(128)), None);
    assert_eq!(refusal_of(&uncommon(129)), Some(PasswordRefusal::TooLong));
    assert_eq!(refusal_of(&uncommon(16_000)), Some(PasswordRefusal::TooLong));
}

#[test]
fn every_month_is_a_usual_word() {
    let months = "January February March April May June July August September October November December \
        Januar Februar März April Mai Juni Juli August September Oktober November Dezember Sept Oct Dez";
    for month in months.split_whitespace() {
        let typed = format!("Administrator{month}2026!");
        assert_eq!(refusal_of(&typed), Some(PasswordRefusal::TooCommon), "{typed}");
    }
}

#[test]
fn length_is_checked_before_commonness() {
    assert_eq!(refusal_of("password"), Some(PasswordRefusal::TooShort));
    assert_eq!(refusal_of(&"password".repeat(17)), Some(PasswordRefusal::TooLong));
}

#[test]
fn length_is_counted_after_composition() {
    let composed = "é".repeat(13) + "xy";
    let combining = "e\u{301}".repeat(13) + "xy";
    assert_eq!(refusal_of(&composed), refusal_of(&combining));
    assert_eq!(refusal_of(&("e\u{301}".repeat(7) + "kzqwmv")), Some(PasswordRefusal::TooShort), "20 typed, 13 counted");
    assert!(TypedPassword::parse(&"e\u{301}".repeat(128)).is_some(), "256 typed, 128 counted");
    assert!(TypedPassword::parse(&"e\u{301}".repeat(129)).is_none());
}

#[test]
fn emoji_and_their_joiners_count_as_code_points() {
    let family = "👨‍👩‍👧"; // five code points
    assert_eq!(refusal_of(&format!("{family}{family}kzqw")), Some(PasswordRefusal::TooShort));
    assert_eq!(refusal_of(&format!("{family}{family}kzqwm")), None);
    assert!(TypedPassword::parse(&"😀".repeat(128)).is_some());
    assert!(TypedPassword::parse(&"😀".repeat(129)).is_none());
}

#[test]
fn texts_that_are_equal_in_nfc_are_hashed_as_the_same_bytes() {
    let composed = TypedPassword::parse("Crème brûlée für Zoë").unwrap();
    let combining = TypedPassword::parse("Cre\u{300}me bru\u{302}le\u{301}e fu\u{308}r Zoe\u{308}").unwrap();
    assert_eq!(*composed.0, *combining.0);
    let angstrom = TypedPassword::parse("\u{212b}").unwrap();
    assert_eq!(*angstrom.0, "\u{e5}".to_uppercase());
}

#[test]
fn a_typed_password_is_not_changed_otherwise() {
    for typed in [" x ", "Ａ", "ﬁ", "a\u{200d}b", "\0", "İ", "\u{ad}"] {
        assert_eq!(*TypedPassword::parse(typed).unwrap().0, typed);
    }
}

#[test]
fn a_new_password_signs_in_as_it_was_typed() {
    let user_name = UserName::parse("kim.lee@fabrikam").unwrap();
    let company = Company { id: CompanyId::parse("fabrikam").unwrap(), name: "Fabrikam, Inc.".to_owned() };
    let context = PasswordContext { user_name: &user_name, company: &company, product: PRODUCT, vendor: VENDOR };
    for typed in UNCOMMON {
        let Ok(chosen) = NewPassword::choose(typed, &context) else { panic!("{typed}") };
        assert_eq!(*chosen.0, *TypedPassword::parse(typed).unwrap().0);
    }
}

#[test]
fn empty_and_overlong_passwords_do_not_parse() {
    assert!(TypedPassword::parse("").is_none());
    assert!(TypedPassword::parse("x").is_some());
    assert!(TypedPassword::parse(&"x".repeat(128)).is_some());
    assert!(TypedPassword::parse(&"x".repeat(129)).is_none());
}

#[test]
fn no_code_point_composes_from_more_parts_than_the_bound_on_work_assumes() {
    let most = ('\0'..=char::MAX).map(|c| std::iter::once(c).nfd().count()).max();
    assert_eq!(most, Some(MAX_PARTS));
    let longest = "\u{1f82}".nfd().collect::<String>().repeat(LONGEST);
    assert!(TypedPassword::parse(&longest).is_some());
}

#[test]
fn digits_alone_are_judged_by_their_pattern() {
    assert_eq!(refusal_of("839201746582910"), None);
    assert_eq!(refusal_of("123456789012345839201"), Some(PasswordRefusal::TooCommon), "six digits beside a run");
    assert_eq!(refusal_of("1234567890123458392017465"), None, "ten digits beside a run");
}

#[test]
fn words_are_common_only_where_they_are_known() {
    let typed = "Northwind Traders 2026";
    assert_eq!(refusal_of(typed), None);
    assert_eq!(refusal_where(typed, "admin@fabrikam", "Northwind Traders", PRODUCT), Some(PasswordRefusal::TooCommon));
    assert_eq!(
        refusal_where(typed, "admin@fabrikam", "Fabrikam", "Traders of Northwind"),
        Some(PasswordRefusal::TooCommon)
    );
    assert_eq!(
        refusal_where(typed, "northwind+traders@fabrikam", "Fabrikam", PRODUCT),
        Some(PasswordRefusal::TooCommon)
    );
}

#[test]
fn names_are_known_however_they_are_written() {
    for (product, typed) in [
        ("Office365 Pro", "Office Office Pro Pro"),
        ("O'Neill Kitchen", "oneill kitchen 2026"),
        ("O'Neill Kitchen", "Neill/Kitchen/2026"),
        ("Su\u{308}dwest Bru\u{308}cke", "südwest-brücke-2026"),
        ("Straßenbahn Süd", "STRAßENBAHN süd 1"),
        ("Straßenbahn Süd", "strassenbahn-sued-26"),
        ("Müller & Söhne", "MuellerSoehne2026"),
        ("Café Zoë Ålesund", "cafe zoe alesund"),
        ("東京 電力", "東京電力2026東京電力2026"),
        ("The Long Name of a Very Good Product", "thelongnameofaverygoodproduct"),
    ] {
        let refusal = refusal_where(typed, "admin@fabrikam", "Fabrikam", product);
        assert_eq!(refusal, Some(PasswordRefusal::TooCommon), "{typed}");
    }
}

#[test]
fn a_company_of_single_letters_refuses_no_sentence() {
    let company = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z";
    assert_eq!(refusal_where("my cat sleeps on the red sofa", "a@fabrikam", company, "X"), None);
}

#[test]
fn the_longest_and_most_ambiguous_texts_are_checked_quickly() {
    let most_ambiguous = [
        "a".repeat(128),
        "ab".repeat(64),
        "1".repeat(128),
        "mad".repeat(42) + "zz",
        "abcabcabd".repeat(14) + "zz",
        "qwerty123456".repeat(10) + "~zkv",
        "\u{fdfa}".repeat(128),
        "İ".repeat(127) + "z",
        "ⅲ".repeat(128),
        "sexassmadsexmadass".repeat(7),
    ];
    for typed in most_ambiguous {
        let start = Instant::now();
        refusal_of(&typed);
        // Without optimisation and on a loaded machine. An exponential algorithm would take years.
        assert!(start.elapsed() < Duration::from_secs(5), "{typed}");
    }
}

fn common_with_letters() -> impl Strategy<Value = &'static str> {
    // Digits around a single letter are judged as digits alone.
    let with_letters = |typed: &&str| typed.chars().filter(|c| c.is_alphabetic()).count() > 1;
    select(COMMON.iter().copied().filter(with_letters).collect::<Vec<_>>())
}

fn digits_and_separators() -> impl Strategy<Value = String> {
    "[-0-9 _.!#*+/@$\u{a0}…]{0,20}"
}

fn common_or_any_character() -> impl Strategy<Value = String> {
    prop_oneof![select(COMMON.to_vec()).prop_map(str::to_owned), any::<char>().prop_map(String::from)]
}

fn letters_in_any_order() -> impl Strategy<Value = Vec<char>> {
    let letters = ('a'..='z').chain('а'..='я').chain('α'..='ω').chain('ぁ'..='ゔ');
    Just(letters.collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn no_text_panics(typed in any::<String>(), product in any::<String>(), company in any::<String>()) {
        refusal_where(&typed, "kim.lee@fabrikam", &company, &product);
        let taken = TypedPassword::parse(&typed).is_some();
        prop_assert_eq!(taken, (1..=LONGEST).contains(&typed.nfc().count()));
    }

    #[test]
    fn no_mixture_panics(pieces in prop::collection::vec(common_or_any_character(), 1..9)) {
        refusal_of(&pieces.concat());
    }

    #[test]
    fn normalization_is_idempotent(typed in "\\PC{1,128}") {
        if let Some(once) = TypedPassword::parse(&typed) {
            prop_assert_eq!(&*TypedPassword::parse(&once.0).unwrap().0, &*once.0);
            let decomposed = typed.nfd().collect::<String>();
            prop_assert_eq!(&*TypedPassword::parse(&decomposed).unwrap().0, &*once.0);
        }
    }

    #[test]
    fn different_letters_in_any_order_pass(letters in letters_in_any_order(), length in SHORTEST..=LONGEST) {
        let typed: String = letters.into_iter().take(length).collect();
        prop_assert_eq!(refusal_of(&typed), None);
    }

    #[test]
    fn digits_and_separators_around_it_do_not_make_a_common_password_acceptable(
        before in digits_and_separators(), common in common_with_letters(), after in digits_and_separators(),
    ) {
        let typed = format!("{before}{common}{after}");
        let too_long = typed.chars().count() > LONGEST;
        let expected = if too_long { PasswordRefusal::TooLong } else { PasswordRefusal::TooCommon };
        prop_assert_eq!(refusal_of(&typed), Some(expected));
    }

    #[test]
    fn capitals_do_not_make_a_common_password_acceptable(common in common_with_letters(), capitals in any::<u128>()) {
        let capital = |at: usize| capitals >> (at % 128) & 1 == 1;
        let in_case = |(at, c): (usize, char)| if capital(at) { c.to_ascii_uppercase() } else { c };
        let typed: String = common.chars().enumerate().map(in_case).collect();
        prop_assert_eq!(refusal_of(&typed), Some(PasswordRefusal::TooCommon));
    }

    #[test]
    fn separators_within_it_do_not_make_a_common_password_acceptable(
        common in common_with_letters(), separator in "[-_. /]", every in 1_usize..6,
    ) {
        let chars: Vec<char> = common.chars().collect();
        let parts: Vec<String> = chars.chunks(every).map(|part| part.iter().collect()).collect();
        prop_assert_eq!(refusal_of(&parts.join(&separator)), Some(PasswordRefusal::TooCommon));
    }

    #[test]
    fn any_two_entries_of_the_list_are_too_common(
        first in 0..list::SIZE, second in 0..list::SIZE, between in "[-0-9 ]{0,3}",
    ) {
        let entry = |place: u64| list::entries().nth(usize::try_from(place).unwrap()).unwrap();
        let typed = format!("{}{between}{}!!!!!!!!!!!!!!!", entry(first), entry(second));
        // The check is more lenient for digits alone, also with one letter beside them.
        prop_assume!(typed.chars().filter(|c| c.is_alphabetic()).count() > 1);
        prop_assert_eq!(refusal_of(&typed), Some(PasswordRefusal::TooCommon));
    }
}
