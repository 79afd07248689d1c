//! The support desk: credentials are reissued after three retrievals, and a reissue to another address takes two operators.

use std::time::Duration;

use lambda_http::http::{Request, StatusCode};
use serde_json::json;
use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT},
    browser::Visitor,
    look::Inspector,
    page::Page,
    support_requests::write_to_support,
};

const fn customer(subscription: &'static str, contact: &'static str, portal_user: &'static str) -> Customer {
    Customer { subscription, company: subscription, company_name: "Wingtip Toys", contact, portal_user }
}

/// The customers of one language: one who has used up the retrievals, and one whose mail bounces.
struct Cast {
    language: Language,
    used_up: Customer,
    bounced: Customer,
    /// The right address of the second customer.
    new_address: &'static str,
}

const ENGLISH: Cast = Cast {
    language: Language::English,
    used_up: customer("desk-used-up-en", "it@desk-used-up-en.example", "dana@desk-used-up-en.example"),
    bounced: customer("desk-bounced-en", "it@desk-bounced-en.example", "kim@desk-bounced-en.example"),
    new_address: "ivo@desk-bounced-en.example",
};

const GERMAN: Cast = Cast {
    language: Language::German,
    used_up: customer("desk-used-up-de", "it@desk-used-up-de.example", "dana@desk-used-up-de.example"),
    bounced: customer("desk-bounced-de", "it@desk-bounced-de.example", "kim@desk-bounced-de.example"),
    new_address: "ivo@desk-bounced-de.example",
};

/// The operator who asks, and the one who approves.
const ASKER: &str = "olga@contoso.example";
const DECIDER: &str = "omar@contoso.example";

const REASON: &str = "Ticket 4711, called back at the number on file";

pub(crate) async fn in_english(chapter: &Chapter<'_>) {
    Desk::new(chapter, &ENGLISH).run().await;
}

pub(crate) async fn in_german(chapter: &Chapter<'_>) {
    Desk::new(chapter, &GERMAN).run().await;
}

struct Desk<'a> {
    chapter: &'a Chapter<'a>,
    cast: &'a Cast,
    inspector: Inspector,
}

impl<'a> Desk<'a> {
    fn new(chapter: &'a Chapter<'a>, cast: &'a Cast) -> Self {
        let user_names = [cast.used_up.user_name(), cast.bounced.user_name()];
        let inspector = Inspector::new(cast.language, &[], &user_names.each_ref().map(String::as_str));
        Self { chapter, cast, inspector }
    }

    async fn run(self) {
        let asker = self.chapter.visitor(self.cast.language).await;
        let page = self.sign_in(&asker, ASKER).await;
        self.look(&page, "desk-search").await;
        self.used_up_retrievals_lead_to_a_reissue(&page).await;
        self.a_reissue_to_another_address_takes_two(&page).await;
        let (looks, all) = self.inspector.conclude();
        println!("browser: {looks} of {all} combinations of desk page and look in {}", self.cast.language.code());
    }

    async fn used_up_retrievals_lead_to_a_reissue(&self, page: &Page) {
        let (chapter, customer, w) = (self.chapter, &self.cast.used_up, page.w);
        let first = chapter.start_in(customer, self.cast.language.code()).await;
        self.use_up_retrievals().await;
        let dana = chapter.visitor(self.cast.language).await;
        let list = dana.tab().await;
        list.visit(customer.portal_user).await;
        list.see_filled(w.retrievals_left, &[("remaining", "0"), ("allowed", "3")]).await;
        let reference = ask_support(&list, customer).await;

        self.find(page, &reference, customer).await;
        page.see(&reference).await;
        page.see(w.desk_next_used_up).await;
        self.look(page, "desk-used-up").await;
        page.fill("reason", REASON).await;
        page.click(w.desk_reissue_submit).await;
        see_done(page, w.desk_said_reissued, &[("to", customer.contact)]).await;
        page.see_filled(w.desk_reason_given, &[("reason", REASON)]).await;
        self.look(page, "desk-reissued").await;
        for address in [customer.contact, customer.portal_user] {
            self.wait_for_notice(address, w.notice_reissued_subject).await;
        }

        list.reload().await;
        list.see_filled(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
        list.click(w.go).await;
        let second = list.shown_password().await;
        assert_ne!(second, first, "a reissue has another password");
        for (password, accepted) in [(&first, false), (&second, true)] {
            let body = json!({ "user_name": customer.user_name(), "password": password });
            let (status, answer, _) = chapter.world.dev.post("/sign-in", "", body).await;
            assert_eq!(status.is_success(), accepted, "{status}: {answer}");
            assert!(accepted || status == StatusCode::UNAUTHORIZED, "{status}: {answer}");
        }
    }

    async fn a_reissue_to_another_address_takes_two(&self, page: &Page) {
        let (customer, new_address, w) = (&self.cast.bounced, self.cast.new_address, page.w);
        let mailed = self.start_with_a_bounce().await;
        self.find(page, customer.portal_user, customer).await;
        page.see(w.desk_next_mail).await;
        page.see_filled(w.desk_mail_bounced, &[]).await;
        page.evaluate("document.querySelector('[name=to][value=another]').click()").await;
        page.fill("email", new_address).await;
        page.fill("reason", REASON).await;
        page.see(w.desk_sensitive).await;
        self.look(page, "desk-another-address").await;
        page.click(w.desk_ask).await;
        see_done(page, w.desk_said_asked, &[]).await;
        page.see_filled(w.desk_next_wait, &[]).await;
        self.look(page, "desk-asked").await;
        // Reports say that the old address takes no mail, so it gets no notice.
        self.wait_for_notice(customer.portal_user, w.notice_reissue_asked_subject).await;
        let inbox = self.chapter.world.dev.inbox().await;
        assert!(inbox.iter().all(|mail| mail["to"] != new_address), "nothing is sent before the approval");

        page.open("/desk/approvals").await;
        page.see(w.desk_own).await;
        page.see(new_address).await;
        assert!(!can_decide(page).await, "the operator who asks does not decide");
        self.look(page, "desk-own-approval").await;
        self.a_second_operator_approves().await;

        self.wait_for_notice(customer.portal_user, w.notice_reissued_subject).await;
        let mail = self.chapter.last_mail_containing(new_address, w.mail_waiting).await;
        let text = mail["text"].as_str().unwrap();
        assert!(!text.contains(w.temporary_password) && !text.contains(&mailed), "a link mail has no password: {text}");
        self.access_has_moved().await;
    }

    async fn a_second_operator_approves(&self) {
        let decider = self.chapter.visitor(self.cast.language).await;
        let page = self.sign_in(&decider, DECIDER).await;
        let w = page.w;
        page.open("/desk/approvals").await;
        for text in [self.cast.new_address, ASKER, REASON] {
            page.see(text).await;
        }
        assert!(can_decide(&page).await, "another operator decides");
        self.look(&page, "desk-approvals").await;
        page.click(w.desk_approve).await;
        see_done(&page, w.desk_said_approved, &[]).await;
        self.look(&page, "desk-approved").await;
    }

    /// Checks that the new address sees the subscription, and the old one does not.
    async fn access_has_moved(&self) {
        let visitor = self.chapter.visitor(self.cast.language).await;
        let (page, dev) = (visitor.tab().await, &self.chapter.world.dev);
        page.set_cookie("__Host-customer", &dev.token(self.cast.new_address).await).await;
        page.open("/").await;
        page.see_filled(page.w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
        let old_address = self.cast.bounced.contact;
        page.set_cookie("__Host-customer", &dev.token(old_address).await).await;
        page.open("/").await;
        page.see_filled(page.w.none_for, &[("name", old_address)]).await;
    }

    /// Signs an operator in at the desk.
    async fn sign_in(&self, visitor: &Visitor<'_>, email: &str) -> Page {
        let mut page = visitor.tab().await;
        page.origin.clone_from(&self.chapter.world.dev.product.desk);
        // The forms are about customers, so the browser's autocomplete of the operator's own address is unwanted.
        page.journal.expect("FormInputAssignedAutocompleteValueToIdOrNameAttributeError");
        page.open("/desk").await;
        page.sign_in_at_provider(email).await;
        page.see(page.w.desk_proves_nothing).await;
        page.see(email).await;
        page
    }

    /// Searches for a customer's subscription and opens it.
    async fn find(&self, page: &Page, query: &str, customer: &Customer) {
        let w = page.w;
        page.open("/desk").await;
        page.fill("query", query).await;
        page.click(w.desk_search).await;
        page.see_filled(w.desk_found, &[("query", query)]).await;
        self.look(page, "desk-found").await;
        page.click(PRODUCT).await;
        page.arrive_at(&format!("/desk/subscriptions/{}", customer.subscription)).await;
        page.see(w.desk_next).await;
    }

    async fn look(&self, page: &Page, name: &str) {
        self.inspector.inspect_also_narrow(page, name).await;
    }

    /// Retrieves the credentials three times, as the portal user.
    async fn use_up_retrievals(&self) {
        let (dev, customer) = (&self.chapter.world.dev, &self.cast.used_up);
        let token = dev.token(customer.portal_user).await;
        for click in ["first-click", "second-click", "third-click"] {
            let path = format!("{}/subscriptions/{}/credentials", dev.product.functions, customer.subscription);
            let request = Request::post(path).header("authorization", format!("Bearer {token}"));
            let (status, answer) = dev.send(request.header("idempotency-key", click), None).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        assert_eq!(self.chapter.remaining_retrievals(customer).await, 0);
    }

    /// Starts the second subscription, whose mail bounces. Returns the password in that mail.
    async fn start_with_a_bounce(&self) -> String {
        let (chapter, customer) = (self.chapter, &self.cast.bounced);
        let mailed = chapter.start_in(customer, self.cast.language.code()).await;
        chapter.wait_for_mail(customer, "sent").await;
        chapter.console("feedback", &json!({ "to": customer.contact, "event": "bounced" })).await;
        chapter.wait_for_mail(customer, "bounced").await;
        mailed
    }

    /// Waits for a notice with this subject.
    async fn wait_for_notice(&self, address: &str, subject: &str) {
        let subject = words::fill(subject, &[("product", PRODUCT)]);
        for _ in 0..300 {
            let inbox = self.chapter.world.dev.inbox().await;
            if inbox.iter().any(|mail| mail["to"] == address && mail["subject"] == subject) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no notice `{subject}` was sent to {address}");
    }
}

/// Sends a message to support from the portal; returns its reference.
async fn ask_support(list: &Page, customer: &Customer) -> String {
    write_to_support(list).await;
    list.fill("message", "We have lost the password.").await;
    list.click(list.w.support_send).await;
    list.see_filled(list.w.support_sent, &[("address", customer.portal_user)]).await;
    let is_reference = |word: &&str| word.len() == 14 && word.split('-').all(|group| group.len() == 4);
    let text = list.text().await;
    let mut pieces = text.split_whitespace().map(|word| word.trim_end_matches(['.', ',']));
    pieces.find(is_reference).expect("the window has a reference").to_owned()
}

/// Waits until the page, which was loaded again after an act, says what was done. That moves the page down, as its reader expects.
async fn see_done(page: &Page, text: &str, places: &[(&str, &str)]) {
    page.see_filled(text, places).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    page.evaluate("shifts.length = 0").await;
}

async fn can_decide(page: &Page) -> bool {
    page.evaluate("document.querySelector('form[data-act=decide] [value=approve]') !== null").await == json!(true)
}
