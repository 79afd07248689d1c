//! A mail that bounced leads its customer to the credentials, and customers send the mail again or new credentials.
//!
//! These chapters move the clock of the product forward, so they come last.

use std::time::Duration;

use lambda_http::http::Request;
use serde_json::{Value, json};
use words::Language;

use crate::{
    Chapter,
    acts::{Customer, masked},
    page::Page,
};

const DAY: u64 = 86_400;
const HOUR: u64 = 3600;
const PAUSE: u64 = 600;

const fn customer(subscription: &'static str, contact: &'static str, portal_user: &'static str) -> Customer {
    Customer { subscription, company: subscription, company_name: "Proseware, Inc.", contact, portal_user }
}

/// The customers of one language: one whose mail bounces, one who sends it again, and two whose credentials expire.
struct Cast {
    language: Language,
    bounced: Customer,
    again: Customer,
    expired: Customer,
    blank: Customer,
}

const ENGLISH: Cast = Cast {
    language: Language::English,
    bounced: customer("bounced-en", "it@bounced-en.example", "kim@bounced-en.example"),
    again: customer("again-en", "it@again-en.example", "kim@again-en.example"),
    expired: customer("expired-en", "it@expired-en.example", "kim@expired-en.example"),
    blank: customer("blank-en", "it@blank-en.example", "kim@blank-en.example"),
};

const GERMAN: Cast = Cast {
    language: Language::German,
    bounced: customer("bounced-de", "it@bounced-de.example", "kim@bounced-de.example"),
    again: customer("again-de", "it@again-de.example", "kim@again-de.example"),
    expired: customer("expired-de", "it@expired-de.example", "kim@expired-de.example"),
    blank: customer("blank-de", "it@blank-de.example", "kim@blank-de.example"),
};

pub(crate) async fn in_english(chapter: &Chapter<'_>) {
    run(chapter, &ENGLISH).await;
}

pub(crate) async fn in_german(chapter: &Chapter<'_>) {
    run(chapter, &GERMAN).await;
}

async fn run(chapter: &Chapter<'_>, cast: &Cast) {
    a_bounced_mail_leads_to_the_credentials(chapter, cast).await;
    the_mail_is_sent_again_three_times(chapter, cast).await;
    expired_credentials_are_renewed(chapter, cast).await;
}

async fn a_bounced_mail_leads_to_the_credentials(chapter: &Chapter<'_>, cast: &Cast) {
    let (customer, visitor) = (&cast.bounced, chapter.visitor(cast.language).await);
    let mailed = chapter.start_in(customer, cast.language.code()).await;
    chapter.wait_for_mail(customer, "sent").await;
    let report = json!({ "to": customer.contact, "event": "bounced" });
    chapter.console("feedback", &report).await;
    chapter.wait_for_mail(customer, "bounced").await;

    let page = visitor.tab().await;
    let w = page.w;
    chapter.open_list(&page, customer).await;
    page.see_filled(w.undelivered, &[("address", &masked(customer.contact))]).await;
    page.see(w.step_not_delivered).await;
    let shown = page.text().await;
    assert!(!shown.contains(w.step_mailed), "the mail is not called {}: {shown}", w.step_mailed);
    assert!(!has_action(&page, "resend-mail").await, "a mail to this address would bounce again");
    page.click(w.action_get).await;
    assert_eq!(page.shown_password().await, mailed);
}

async fn the_mail_is_sent_again_three_times(chapter: &Chapter<'_>, cast: &Cast) {
    let (customer, visitor) = (&cast.again, chapter.visitor(cast.language).await);
    let mailed = chapter.start_in(customer, cast.language.code()).await;
    let page = visitor.tab().await;
    let w = page.w;
    page.journal.expect("the server responded with a status of 429");
    let to = masked(customer.contact);
    for time in 1..=3 {
        chapter.wait_for_mail(customer, "sent").await;
        chapter.open_list(&page, customer).await;
        send_again(&page).await;
        page.see_filled(w.resent, &[("to", &to)]).await;
        page.click(w.close).await;
        // A second click in the same minute is the same order.
        send_again(&page).await;
        page.see_filled(w.resent, &[("to", &to)]).await;
        chapter.wait_for_mails(customer, time + 1).await;
        if time == 1 {
            page.click(w.close).await;
            chapter.advance_clock(PAUSE / 2).await;
            send_again(&page).await;
            page.see_filled(w.resend_early, &[]).await;
        }
        chapter.advance_clock(PAUSE).await;
    }
    page.click(w.close).await;
    send_again(&page).await;
    page.see(w.resend_used_up).await;
    page.click(w.action_get).await;
    assert_eq!(page.shown_password().await, mailed, "every mail had the same password");
    chapter.open_list(&page, customer).await;
    assert!(!has_action(&page, "resend-mail").await, "the action would do nothing");
}

async fn expired_credentials_are_renewed(chapter: &Chapter<'_>, cast: &Cast) {
    let (expired, blank) = (&cast.expired, &cast.blank);
    let first = chapter.start_in(expired, cast.language.code()).await;
    let other = chapter.start_in(blank, cast.language.code()).await;
    let (kim, dana) = (chapter.visitor(cast.language).await, chapter.visitor(cast.language).await);
    let (page, before) = (kim.tab().await, dana.tab().await);
    let w = page.w;
    chapter.advance_clock(5 * DAY + HOUR).await;
    let reminder = chapter.last_mail_containing(expired.contact, w.reminder_portal).await;
    assert!(!reminder["text"].as_str().unwrap().contains(&first), "a reminder has no password");
    chapter.open_list(&before, blank).await;
    chapter.advance_clock(2 * DAY).await;

    chapter.open_list(&page, expired).await;
    page.see_filled(w.state_expired, &[]).await;
    page.click(w.action_renew).await;
    page.see_filled(w.renewed, &[("to", &masked(expired.contact))]).await;
    let second = chapter.next_password(expired.contact, &first).await;
    page.click(w.action_get).await;
    assert_eq!(page.shown_password().await, second);
    page.click(w.close).await;
    page.see_filled(w.retrievals_left, &[("remaining", "2"), ("allowed", "3")]).await;

    // This page was loaded before the password expired.
    before.set_cookie("__Host-customer", &chapter.world.dev.token(blank.portal_user).await).await;
    before.click(w.go).await;
    before.see_filled(w.reason_expired, &[]).await;
    before.click(w.action_renew).await;
    before.see_filled(w.renewed, &[("to", &masked(blank.contact))]).await;
    chapter.next_password(blank.contact, &other).await;
    before.click(w.close).await;
    before.see_filled(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
}

/// Chooses to send the mail again.
pub(crate) async fn send_again(page: &Page) {
    page.evaluate("[...document.querySelectorAll('form.act select')].pop().value = 'resend-mail'").await;
    page.click(page.w.go).await;
}

async fn has_action(page: &Page, action: &str) -> bool {
    page.evaluate(&format!("document.querySelector('option[value={action}]') !== null")).await == json!(true)
}

impl Chapter<'_> {
    pub(crate) async fn console(&self, path: &str, body: &Value) {
        let request = Request::post(format!("{}/{path}", self.world.dev.product.console));
        let (status, answer) = self.world.dev.send(request, Some(body)).await;
        assert!(status.is_success(), "POST /{path}: {status}, {answer}");
    }

    pub(crate) async fn advance_clock(&self, seconds: u64) {
        self.console("clock", &json!({ "seconds": seconds })).await;
    }

    /// Opens the list as the portal user, with a token of this moment.
    async fn open_list(&self, page: &Page, customer: &Customer) {
        page.set_cookie("__Host-customer", &self.world.dev.token(customer.portal_user).await).await;
        page.open("/").await;
        page.see(page.w.your_subscriptions).await;
    }

    /// Waits until the product reports this status of the welcome mail.
    pub(crate) async fn wait_for_mail(&self, customer: &Customer, status: &str) {
        let token = self.world.dev.token(customer.portal_user).await;
        for _ in 0..300 {
            let request = Request::get(format!("{}/subscriptions", self.world.dev.product.functions));
            let (_, list) = self.world.dev.send(request.header("authorization", format!("Bearer {token}")), None).await;
            if list["subscriptions"][0]["welcome_mail"]["status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the mail to {} is not {status}", customer.contact);
    }

    /// Waits until this many welcome mails were sent to the contact.
    pub(crate) async fn wait_for_mails(&self, customer: &Customer, count: usize) {
        for _ in 0..300 {
            let inbox = self.world.dev.inbox().await;
            if inbox.iter().filter(|mail| mail["to"] == customer.contact && mail["tags"]["mail"] == "welcome").count()
                == count
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} mails were not sent to {}", customer.contact);
    }

    /// Waits for a mail with another password than `last`, and returns that.
    async fn next_password(&self, address: &str, last: &str) -> String {
        let is_next = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5) && *line != last;
        for _ in 0..300 {
            for mail in self.world.dev.inbox().await.iter().filter(|mail| mail["to"] == address) {
                if let Some(password) = mail["text"].as_str().unwrap().lines().find(is_next) {
                    return password.to_owned();
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no new password was mailed to {address}");
    }
}
