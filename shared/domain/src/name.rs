//! Names that people read: of products, companies and persons. They go into mails and lists, so they are text on one line without
//! anything that a reader cannot see.

use crate::text::{has_only_visible, is_invisible, without_invisible_ends};

/// The maximum number of characters of a name, so that the credential stays within one write unit.
pub const LONGEST: usize = 100;

/// WORD JOINER, which shows nothing and ends what mail programs take for an address.
const WORD_JOINER: char = '\u{2060}';

/// Parses a name. Blanks, direction marks and joiners at its ends are cut.
///
/// `None` if it is longer than [`LONGEST`], has no letter or digit, has an invisible character (joiners where a script or an emoji uses
/// them apart), or is written like a link.
#[must_use]
pub fn parse(text: &str) -> Option<String> {
    let name = without_invisible_ends(text);
    let is_short = name.chars().count() <= LONGEST;
    let valid = is_short && name.chars().any(is_letter_or_digit) && has_only_visible(name) && !is_link(name);
    valid.then(|| name.to_owned())
}

/// Returns whether readers cannot tell the names apart. An event of today may write a name in another way than the table, which keeps it
/// as an earlier release accepted it.
#[must_use]
pub fn look_alike(one: &str, other: &str) -> bool {
    let visible = |name: &str| name.chars().filter(|c| !is_invisible(*c)).collect::<String>().trim().to_owned();
    visible(one) == visible(other)
}

/// Returns the name as a mail shows it. Mail programs make links of words such as `evil.example`, so each dot within a word is followed by
/// a word joiner, which no reader sees; so is the beginning of an encoded word (RFC 2047), which programs decode in a subject. Invisible
/// characters, which names of earlier releases may have, become `?`.
#[must_use]
pub fn defused(name: &str) -> String {
    let (is_clean, has_address) = (has_only_visible(name), has_ipv4_address(name));
    let mut defused = String::with_capacity(name.len());
    let mut before = ' ';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        defused.push(if is_clean || !is_invisible(c) { c } else { '?' });
        let ends_word = |after: char| is_dot(c) && is_dot_of_a_word(before, after, has_address);
        if rest.peek().is_some_and(|after| ends_word(*after) || (c, *after) == ('=', '?')) {
            defused.push(WORD_JOINER);
        }
        before = c;
    }
    defused
}

/// Returns whether `c` is a letter or digit that readers see.
fn is_letter_or_digit(c: char) -> bool {
    c.is_alphanumeric() && !is_invisible(c)
}

/// Returns whether `c` is a full stop between the labels of a host name (UTS 46, 2.3).
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// Returns whether a dot between these two characters could be one of a host name. In a number such as `2.0` it could not, unless the name has
/// an address of numbers.
fn is_dot_of_a_word(before: char, after: char, has_address: bool) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_') || (!c.is_ascii() && !c.is_whitespace());
    let is_number = !has_address && before.is_ascii_digit() && after.is_ascii_digit();
    in_word(before) && in_word(after) && !is_number && !is_dot(before) && !is_dot(after)
}

/// Returns whether the text is written like a link: with a scheme, with the name of a network share, or with a slash after a dotted word
/// or an IPv4 address.
fn is_link(text: &str) -> bool {
    let with_slash = |word: &str| word.rsplit_once('/').is_some_and(|(host, _)| has_ipv4_address(host));
    text.contains("://")
        || text.contains("\\\\")
        || text.split_whitespace().any(|word| has_slash_after_dotted_word(word) || with_slash(word))
}

/// Returns whether the text has four numbers with dots between them, as an IPv4 address is written.
fn has_ipv4_address(text: &str) -> bool {
    let dotted = text.replace(is_dot, ".");
    let mut words = dotted.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.any(|word| word.trim_matches('.').parse::<std::net::Ipv4Addr>().is_ok())
}

fn has_slash_after_dotted_word(word: &str) -> bool {
    let Some((host, _)) = word.rsplit_once('/') else { return false };
    let all: Vec<char> = host.chars().collect();
    let begins_label = |at: usize| {
        let label: Vec<char> = all[at + 1..].iter().copied().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
        label.len() > 1 && label.iter().any(|c| c.is_alphabetic())
    };
    (1..all.len()).any(|at| is_dot(all[at]) && is_letter_or_digit(all[at - 1]) && begins_label(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_and_direction_marks_at_the_ends_are_cut_and_joiners_between_letters_stay() {
        for (text, name) in [
            (" Fabrikam, Inc.\n", "Fabrikam, Inc."),
            ("Fabrikam\u{200e}", "Fabrikam"),
            ("\u{202a}Fabrikam\u{202c}", "Fabrikam"),
            ("\u{2068}Fabrikam\u{2069}", "Fabrikam"),
            ("Fabrikam\u{200b}\u{2060}", "Fabrikam"),
            ("\u{200f}\u{feff}فابریکام\u{61c}", "فابریکام"),
            ("نرم\u{200c}افزار", "نرم\u{200c}افزار"),
            ("Lee \u{1f469}\u{200d}\u{1f4bb}", "Lee \u{1f469}\u{200d}\u{1f4bb}"),
            ("Müller & Söhne", "Müller & Söhne"),
            ("Meier/Müller A.G/Co", "Meier/Müller A.G/Co"),
            ("Suite 2.0/3.0", "Suite 2.0/3.0"),
            ("株式会社ファブリカム", "株式会社ファブリカム"),
            (&"x".repeat(LONGEST), &"x".repeat(LONGEST)),
        ] {
            assert_eq!(parse(text).as_deref(), Some(name), "{text:?}");
        }
    }

    #[test]
    fn a_name_without_a_letter_or_digit_is_refused() {
        for text in
            ["", " ", "-", "…", "\u{3164}", "\u{2800}", "\u{e0041}", "\u{115f}\u{1160}", "\u{200c}", "\u{1f680}"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_with_an_invisible_character_is_refused() {
        for code in [
            0xa, 0xb, 0xd, 0x85, 0xad, 0x34f, 0x61c, 0x115f, 0x180b, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x2028,
            0x2029, 0x202a, 0x202e, 0x2060, 0x2066, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xfff9, 0x1d173, 0xe0000,
            0xe0041, 0xe0100,
        ] {
            let text = format!("Fab{}rikam", char::from_u32(code).unwrap());
            assert_eq!(parse(&text), None, "{code:04x}");
        }
        assert_eq!(parse("\u{202e}nottoc"), None, "an override is never cut");
    }

    #[test]
    fn a_name_that_is_written_like_a_link_is_refused() {
        for text in [
            "Locked, see https://evil.example",
            "Your mailbox is full: www.evil.example/login",
            "evil.example/",
            "(evil.example:8080/x)",
            "evil.example./x",
            "a/evil.example/x",
            "b\u{fc}cher\u{3002}example/x",
            "\\\\evil\\share",
            "Mailbox full: 192.0.2.7/login",
            "192\u{3002}0.2.7/x",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_mail_has_no_dot_that_a_mail_program_could_take_for_one_of_a_host() {
        for (name, shown) in [
            ("www.evil.example", "www.\u{2060}evil.\u{2060}example"),
            ("b\u{fc}cher\u{3002}example", "b\u{fc}cher\u{3002}\u{2060}example"),
            ("3m.com", "3m.\u{2060}com"),
            ("192.0.2.7:80", "192.\u{2060}0.\u{2060}2.\u{2060}7:80"),
            ("=?UTF-8?B?eA==?=", "=\u{2060}?UTF-8?B?eA==\u{2060}?="),
            ("\u{2764}.ws", "\u{2764}.\u{2060}ws"),
            ("Fabrikam, Inc.", "Fabrikam, Inc."),
            ("Suite 2.0 (Inc.)…", "Suite 2.0 (Inc.)…"),
            ("a.b\u{2028}c\u{ad}", "a.\u{2060}b?c?"),
        ] {
            assert_eq!(defused(name), shown, "{name:?}");
        }
    }

    #[test]
    fn names_look_alike_whatever_invisible_characters_they_have() {
        assert!(look_alike("Fabri\u{ad}kam ", "Fabrikam"));
        assert!(!look_alike("Fabrikam", "Fabrikam Inc"));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_as_it_is_and_is_one_visible_line_in_a_mail(
            text in prop_oneof![
                any::<String>(),
                "[a-z .]{0,3}[\u{200c}-\u{200f}\u{61c}\u{fe0f}\u{2028}\u{ad}\u{3164}]?[ا-ی😀a-z./:]{0,8}[\u{200c}-\u{200f} ]?[ا-ی😀a-z]{0,4}",
            ],
        ) {
            if let Some(name) = parse(&text) {
                prop_assert_eq!(parse(&name), Some(name.clone()));
                prop_assert!(look_alike(&name, &text));
                prop_assert!(text.contains(&*name));
                let stray = name.chars().filter(|c| is_invisible(*c) && !"\u{200c}\u{200d}\u{fe0f}".contains(*c));
                prop_assert_eq!(stray.count(), 0);
                let mailed = defused(&name);
                prop_assert_eq!(mailed.replace(WORD_JOINER, ""), &*name);
                let shown: Vec<char> = mailed.chars().collect();
                let in_host = |three: &[char]| {
                    three[1] == '.' && three[0].is_alphanumeric() && three[2].is_alphanumeric() && !three[2].is_ascii_digit()
                };
                prop_assert!(!shown.windows(3).any(in_host), "{:?}", mailed);
                prop_assert_eq!(name.lines().count(), 1);
            }
        }
    }
}
