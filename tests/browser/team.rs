//! Administrators add, help and remove each other by keyboard alone: Lee adds Mo, Mo resets Lee, and Lee removes Mo.

use serde_json::json;
use support::Call;
use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT},
    browser::target,
    look::Inspector,
    page::{Input, Media, Page},
    traffic::AnswerLoss,
};

/// The people of one language.
struct Cast {
    language: Language,
    customer: Customer,
    lee: &'static str,
    mo: &'static str,
    noor: &'static str,
}

const fn customer(subscription: &'static str, contact: &'static str, portal_user: &'static str) -> Customer {
    Customer { subscription, company: subscription, company_name: "Margie's Travel", contact, portal_user }
}

const ENGLISH: Cast = Cast {
    language: Language::English,
    customer: customer("team-en", "it@team-en.example", "dana@team-en.example"),
    lee: "Lee Ahmadi",
    mo: "Mo Saeed",
    noor: "Noor Haddad",
};

const GERMAN: Cast = Cast {
    language: Language::German,
    customer: customer("team-de", "it@team-de.example", "dana@team-de.example"),
    lee: "Jana Weber",
    mo: "Malik Sommer",
    noor: "Noor Haddad",
};

const LEES_FIRST: &str = "a quiet lamp over the harbour";
const LEES_SECOND: &str = "nine pears beside the stairs";
const LEES_THIRD: &str = "two old kites above the lake";
const MOS: &str = "eleven maps under the bridge";

/// The time after which a budget for attempts is full again, in seconds.
const REFILL: u64 = 180;

pub(crate) async fn in_english(chapter: &Chapter<'_>) {
    Team::new(chapter, &ENGLISH).run().await;
}

pub(crate) async fn in_german(chapter: &Chapter<'_>) {
    Team::new(chapter, &GERMAN).run().await;
}

struct Team<'a> {
    chapter: &'a Chapter<'a>,
    cast: &'a Cast,
    inspector: Inspector,
}

impl<'a> Team<'a> {
    fn new(chapter: &'a Chapter<'a>, cast: &'a Cast) -> Self {
        let user_names = ["admin", "lee", "mo", "noor"].map(|name| format!("{name}@{}", cast.customer.company));
        let inspector = Inspector::new(cast.language, &[], &user_names.each_ref().map(String::as_str));
        Self { chapter, cast, inspector }
    }

    async fn run(self) {
        let (chapter, language) = (self.chapter, self.cast.language);
        chapter.first_administrator(&self.cast.customer, self.cast.lee, LEES_FIRST, language).await;
        let lee = chapter.visitor(language).await.with_input(Input::Keys);
        let mo = chapter.visitor(language).await.with_input(Input::Keys);
        let (lees, mos) = (lee.tab().await, mo.tab().await);
        for status in [401, 404, 409, 422] {
            lees.journal.expect(&format!("the server responded with a status of {status}"));
        }
        let temporary = self.lee_adds_mo(&lees).await;
        self.mo_must_choose(&mos, &temporary).await;
        let temporary = self.mo_resets_lee(&mos, &lees).await;
        self.lee_chooses_and_changes_again(&lees, &temporary).await;
        self.the_answer_to_lee_is_lost(&lees).await;
        self.lee_removes_mo(&lees, &mos).await;
        self.the_history_has_it_all().await;
        let (looks, all) = self.inspector.conclude();
        println!("browser: {looks} of {all} combinations of team page and look in {}", language.code());
    }

    async fn lee_adds_mo(&self, lees: &Page) -> String {
        let (cast, w) = (self.cast, lees.w);
        lees.sign_in_to_the_center(&self.user_name("lee"), LEES_FIRST).await;
        lees.see_filled(w.home_title, &[("name", cast.lee)]).await;
        lees.see(w.add_second).await;
        self.look(lees, "team-of-one").await;
        lees.click(w.add_administrator).await;
        lees.see(w.create_another_lead).await;
        self.look(lees, "team-add").await;
        self.inspector.load_narrow(lees, "team-add").await;
        self.fill_form(lees, "admin-mo", cast.mo, "not the password of Lee").await;
        lees.click(w.add_administrator).await;
        lees.see(w.user_name_reserved).await;
        lees.fill("user_name", "mo").await;
        lees.click(w.add_administrator).await;
        lees.see(w.wrong_current).await;
        self.look(lees, "team-add-refused").await;
        lees.fill("current_password", LEES_FIRST).await;
        lees.click(w.add_administrator).await;
        let temporary = self.handed_out(lees, "mo", cast.mo).await;
        lees.click(w.handout_done).await;

        lees.arrive_at("/administration").await;
        lees.see_filled(w.administrators, &[("count", "2")]).await;
        lees.see(w.team_waiting).await;
        assert!(!lees.text().await.contains(w.add_second), "there is a second administrator");
        self.look(lees, "team-of-two").await;
        self.inspector.load_narrow(lees, "team-of-two").await;
        lees.travel(-1).await;
        lees.see(w.create_another_lead).await;
        assert!(!lees.holds(&temporary).await, "nothing shows the password to those who go back");
        temporary
    }

    /// Checks a page that hands a temporary password out, and prints it. Returns the password on the sheet.
    async fn handed_out(&self, page: &Page, user: &str, name: &str) -> String {
        let w = page.w;
        page.see_filled(w.handout_title, &[("name", name)]).await;
        page.see(w.handout_once).await;
        assert_eq!(
            page.evaluate("document.activeElement.tagName").await,
            "H1",
            "a screen reader reads the title first"
        );
        // The answer takes the place of the form, as its reader expects.
        page.evaluate("shifts.length = 0").await;
        self.look(page, "team-handout").await;
        page.click(&format!("{}: {}", w.copy, w.temporary_password)).await;
        page.see(w.copied).await;
        page.evaluate("window.print = () => { window.printed = true; }, 0").await;
        page.click(w.print).await;
        assert_eq!(page.evaluate("window.printed").await, json!(true), "the button prints");
        let temporary = self.printed(page, &self.user_name(user)).await;
        let exposed = page.query(&format!("exposed({})", json!([temporary]))).await;
        assert_eq!(exposed, json!([]), "the browser may change the password");
        temporary
    }

    /// Returns the password on the sheet, which has what its reader needs to sign in, and nothing else.
    async fn printed(&self, page: &Page, user_name: &str) -> String {
        let (w, code) = (page.w, self.cast.language.code());
        page.set_media(Media::Print).await;
        let text = page.evaluate("document.body.innerText").await;
        page.set_media(Media::Light).await;
        page.save_pdf(&target().join("pictures").join(code).join("team-handout.pdf")).await;
        let lines: Vec<&str> = text.as_str().unwrap().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let area = words::fill(w.administration_center, &[("vendor", "Contoso")]);
        let title = words::fill(w.credentials_for, &[("product", PRODUCT)]);
        let address = format!("{}/administration", page.origin);
        let [first, second, name_label, name, password_label, password, until, typing, last] = lines[..] else {
            panic!("the sheet has more or less than it should: {lines:#?}")
        };
        assert_eq!([first, second, typing, last], [area.as_str(), &title, w.print_type, &address], "{lines:#?}");
        assert_eq!([name_label, name, password_label], [w.user_name, user_name, w.temporary_password], "{lines:#?}");
        let (before, after) = w.handout_until.split_once("{at}").unwrap();
        assert!(until.starts_with(before) && until.ends_with(after), "{lines:#?}");
        assert!(is_temporary_password(password), "{lines:#?}");
        password.to_owned()
    }

    async fn mo_must_choose(&self, mos: &Page, temporary: &str) {
        let w = mos.w;
        mos.sign_in_to_the_center(&self.user_name("mo"), temporary).await;
        mos.arrive_at("/administration/password").await;
        for path in ["/administration", "/administration/create"] {
            mos.open(path).await;
            mos.arrive_at("/administration/password").await;
            mos.see(w.reset_title).await;
        }
        mos.choose(MOS).await;
        mos.see_filled(w.home_title, &[("name", self.cast.mo)]).await;
        self.assert_signs_in("mo", temporary, false).await;
    }

    async fn mo_resets_lee(&self, mos: &Page, lees: &Page) -> String {
        let (cast, w) = (self.cast, mos.w);
        mos.click(&format!("{}: {}", w.reset_other, cast.lee)).await;
        mos.see_filled(w.reset_other_title, &[("name", cast.lee)]).await;
        self.look(mos, "team-reset").await;
        mos.fill("current_password", MOS).await;
        mos.click(w.reset_other).await;
        let temporary = self.handed_out(mos, "lee", cast.lee).await;
        mos.click(w.handout_done).await;
        mos.see(w.team_waiting_again).await;
        self.look(mos, "team-waiting-again").await;

        lees.open("/administration").await;
        lees.see(w.lost_own).await;
        self.assert_signs_in("lee", LEES_FIRST, false).await;
        temporary
    }

    async fn lee_chooses_and_changes_again(&self, lees: &Page, temporary: &str) {
        let w = lees.w;
        lees.sign_in_to_the_center(&self.user_name("lee"), temporary).await;
        lees.choose(LEES_SECOND).await;
        lees.see_filled(w.home_title, &[("name", self.cast.lee)]).await;

        self.chapter.advance_clock(REFILL).await;
        lees.click(w.change_password).await;
        lees.see(w.change_lead).await;
        self.look(lees, "team-change").await;
        self.inspector.load_narrow(lees, "team-change").await;
        for (chosen, answer) in [(LEES_SECOND, w.password_same), (LEES_THIRD, w.changed_said)] {
            lees.fill("current_password", LEES_SECOND).await;
            lees.fill("new_password", chosen).await;
            lees.click(w.change_password).await;
            lees.see(answer).await;
        }
        lees.arrive_at("/administration").await;
        self.look(lees, "team-changed").await;
    }

    /// Adds Noor. Neither the lost answer nor the same click again shows a password; a reset does.
    async fn the_answer_to_lee_is_lost(&self, lees: &Page) {
        let (cast, w) = (self.cast, lees.w);
        lees.click(w.add_administrator).await;
        lees.see(w.create_another_lead).await;
        self.fill_form(lees, "noor", cast.noor, LEES_THIRD).await;
        let loss = AnswerLoss::start(lees, "*/administrators").await;
        lees.click(w.add_administrator).await;
        lees.see(w.add_no_response).await;
        self.look(lees, "team-no-response").await;
        loss.end().await;
        lees.click(w.add_administrator).await;
        lees.see_filled(w.handout_lost, &[("user_name", &self.user_name("noor"))]).await;
        lees.evaluate("shifts.length = 0").await;
        self.look(lees, "team-lost").await;
        let everything = lees.query("everything()").await;
        let mut pieces = everything.as_str().unwrap().split(|one: char| !one.is_ascii_alphanumeric() && one != '-');
        assert!(!pieces.any(is_temporary_password), "the same click shows no password: {everything}");

        self.chapter.advance_clock(REFILL).await;
        lees.click(w.reset_other).await;
        lees.see_filled(w.reset_other_title, &[("name", cast.noor)]).await;
        lees.fill("current_password", LEES_THIRD).await;
        lees.click(w.reset_other).await;
        let temporary = self.handed_out(lees, "noor", cast.noor).await;
        self.assert_signs_in("noor", &temporary, true).await;
        lees.click(w.handout_done).await;
        lees.see_filled(w.administrators, &[("count", "3")]).await;
    }

    async fn lee_removes_mo(&self, lees: &Page, mos: &Page) {
        let (cast, w) = (self.cast, lees.w);
        mos.click(w.change_password).await;
        mos.see(w.change_lead).await;
        mos.fill("current_password", MOS).await;
        mos.fill("new_password", "a password that Mo never gets").await;

        lees.click(&format!("{}: {}", w.remove_other, cast.mo)).await;
        lees.see_filled(w.remove_title, &[("name", cast.mo)]).await;
        self.look(lees, "team-remove").await;
        lees.fill("current_password", LEES_THIRD).await;
        lees.click(w.remove_other).await;
        lees.see_filled(w.removed_said, &[("name", cast.mo)]).await;
        lees.see_filled(w.administrators, &[("count", "2")]).await;
        self.look(lees, "team-removed").await;

        mos.click(w.change_password).await;
        mos.see(w.session_ended).await;
        self.look(mos, "team-session-ended").await;
        mos.click(w.sign_in_again).await;
        mos.see(w.lost_own).await;
        mos.sign_in_to_the_center(&self.user_name("mo"), MOS).await;
        mos.see(w.wrong_credentials).await;

        lees.click(w.former_title).await;
        lees.see(w.former_lead).await;
        self.look(lees, "team-former").await;
        lees.click(&format!("{}: {}", w.reset_other, cast.mo)).await;
        lees.see(w.reset_former_lead).await;
        self.look(lees, "team-reset-former").await;
        lees.click(w.cancel).await;
        lees.arrive_at("/administration").await;
        let own = lees.evaluate("document.querySelector('[data-own]').dataset.account").await;
        lees.open(&format!("/administration/remove/{}", own.as_str().unwrap())).await;
        lees.see(w.remove_self_lead).await;
        self.look(lees, "team-remove-self").await;
    }

    /// Reads the history as a portal user.
    async fn the_history_has_it_all(&self) {
        let customer = &self.cast.customer;
        let dana = self.chapter.visitor(self.cast.language).await;
        let page = dana.tab().await;
        page.set_cookie("__Host-customer", &self.chapter.world.dev.token(customer.portal_user).await).await;
        page.open(&format!("/history/{}", customer.subscription)).await;
        for (entry, user) in [
            (page.w.entry_administrator_created, "mo"),
            (page.w.entry_administrator_reset, "lee"),
            (page.w.entry_administrator_reset, "noor"),
            (page.w.entry_administrator_removed, "mo"),
        ] {
            page.see_filled(entry, &[("account", &self.user_name(user))]).await;
        }
        self.look(&page, "team-history").await;
        self.inspector.load_narrow(&page, "team-history").await;
    }

    async fn fill_form(&self, page: &Page, user: &str, name: &str, current: &str) {
        for (field, value) in [("user_name", user), ("display_name", name), ("current_password", current)] {
            page.fill(field, value).await;
        }
    }

    async fn look(&self, page: &Page, name: &str) {
        self.inspector.inspect_also_narrow(page, name).await;
    }

    /// Asserts, without the browser, that a password is accepted or not.
    async fn assert_signs_in(&self, user: &str, password: &str, accepted: bool) {
        let body = json!({ "user_name": self.user_name(user), "password": password });
        let (status, answer, _) = self.chapter.world.dev.post("/sign-in", "", body).await;
        assert_eq!(status.as_u16(), if accepted { 200 } else { 401 }, "{user}: {answer}");
    }

    fn user_name(&self, user: &str) -> String {
        format!("{user}@{}", self.cast.customer.company)
    }
}

impl Chapter<'_> {
    /// Starts a trial, and creates its first administrator without the browser.
    pub(crate) async fn first_administrator(
        &self,
        customer: &Customer,
        name: &str,
        password: &str,
        language: Language,
    ) {
        let dev = &self.world.dev;
        let mailed = self.start_in(customer, language.code()).await;
        let body = json!({ "user_name": customer.user_name(), "password": mailed });
        let (_, _, session) = dev.post("/sign-in", "", body).await;
        let body = json!({ "new_password": "seven green boats at noon" });
        let (_, _, session) = dev.post("/reset-password", &session, body).await;
        let fields = json!({ "user_name": customer.administrator(), "display_name": name, "password": password });
        let create = Call::post("/administrators").session(&session).key("first").json(&fields);
        let created = dev.call(create).await.unwrap();
        assert_eq!(created.status, 201, "{created:?}");
    }
}

impl Page {
    /// Signs in at the Administration Center.
    pub(crate) async fn sign_in_to_the_center(&self, user_name: &str, password: &str) {
        self.open("/administration").await;
        self.fill("user_name", user_name).await;
        self.fill("password", password).await;
        self.click(self.w.sign_in).await;
    }

    /// Chooses a password after a sign-in with a temporary one.
    async fn choose(&self, password: &str) {
        self.arrive_at("/administration/password").await;
        self.fill("new_password", password).await;
        self.click(self.w.reset_save).await;
    }

    /// Returns whether the document holds a password anywhere.
    pub(crate) async fn holds(&self, password: &str) -> bool {
        let everything = self.query("everything()").await.as_str().unwrap().to_owned();
        assert!(everything.len() > 1000, "the whole document was read");
        [password, &password.replace('-', "")].iter().any(|form| everything.contains(*form))
    }
}

fn is_temporary_password(text: &str) -> bool {
    text.len() == 23 && text.split('-').all(|group| group.len() == 5)
}
