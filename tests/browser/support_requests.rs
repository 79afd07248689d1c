//! A message to support survives the end of the session, for its writer alone. The pages show an answer
//! of the gateway as the failure that it is.

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Page, traffic::ForeignAnswer};

const MARGIE: Customer = Customer {
    subscription: "sub-support",
    company: "margies",
    company_name: "Margie's Travel",
    contact: "it@margies.example",
    portal_user: "kim@margies.example",
};

const MESSAGE: &str = "The window says that it was retrieved three times.";

/// Answers of API Gateway, of a proxy and of a network that asks for a sign-in of its own.
const FOREIGN: [ForeignAnswer; 5] = [
    ForeignAnswer { status: 429, media_type: "application/json", body: "{\"message\":\"Too Many Requests\"}" },
    ForeignAnswer { status: 503, media_type: "application/json", body: "{\"message\":\"Service Unavailable\"}" },
    ForeignAnswer { status: 500, media_type: "application/json", body: "null" },
    ForeignAnswer { status: 502, media_type: "text/html", body: "<html>Bad Gateway</html>" },
    ForeignAnswer { status: 504, media_type: "text/plain", body: "" },
];

pub(crate) async fn run(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&MARGIE).await;
    foreign_answers_are_shown_as_failures(chapter, &mailed).await;
    a_message_survives_the_end_of_the_session(chapter).await;
}

async fn foreign_answers_are_shown_as_failures(chapter: &Chapter<'_>, mailed: &str) {
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    let w = page.w;
    page.set_cookie("__Host-customer", &chapter.world.dev.token(MARGIE.portal_user).await).await;
    for foreign in FOREIGN {
        let told = if foreign.status == 500 { w.failed } else { w.unavailable };
        page.open("/").await;
        write_to_support(&page).await;
        page.fill("message", MESSAGE).await;
        foreign
            .during(&page, "*/support-requests", async {
                page.click(w.support_send).await;
                page.see(told).await;
            })
            .await;
        assert_eq!(page.value("message").await, MESSAGE, "the message was not sent, and is still there");
        page.click(w.cancel).await;
        page.evaluate("document.querySelector('form.act select').value = 'get-credentials'").await;
        foreign
            .during(&page, "*/credentials", async {
                page.click(w.go).await;
                page.see(told).await;
            })
            .await;
        assert_eq!(chapter.remaining_retrievals(&MARGIE).await, 3, "the product did not receive the click");
    }
    page.open("/administration").await;
    for foreign in FOREIGN {
        page.fill("user_name", &MARGIE.user_name()).await;
        page.fill("password", mailed).await;
        foreign
            .during(&page, "*/sign-in", async {
                page.click(w.sign_in).await;
                page.see(if foreign.status == 500 { w.failed } else { w.unavailable }).await;
            })
            .await;
    }
}

async fn a_message_survives_the_end_of_the_session(chapter: &Chapter<'_>) {
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    let w = page.w;
    page.journal.expect("the server responded with a status of 401");
    page.visit(MARGIE.portal_user).await;
    write_to_support(&page).await;
    page.fill("message", MESSAGE).await;
    page.delete_cookie("__Host-customer").await;
    page.click(w.support_send).await;
    page.see(w.session_ended).await;
    page.see(w.message_kept).await;
    page.click(w.sign_in_again).await;
    page.sign_in_at_provider(MARGIE.portal_user).await;
    page.see(w.your_subscriptions).await;
    write_to_support(&page).await;
    page.see_value("message", MESSAGE).await;
    page.click(w.support_send).await;
    page.see_filled(w.support_sent, &[("address", MARGIE.portal_user)]).await;
    let request = chapter.last_mail_containing("support@contoso.example", MARGIE.subscription).await;
    assert!(request["text"].as_str().unwrap().contains(MESSAGE), "{request}");
    page.click(w.close).await;
    assert!(!is_stored(&page).await, "a message that was sent is forgotten");
    write_to_support(&page).await;
    page.see_value("message", "").await;

    // Another person in the same tab does not find what the first one wrote.
    page.fill("message", MESSAGE).await;
    assert!(is_stored(&page).await, "the test finds a message that is stored");
    page.delete_cookie("__Host-customer").await;
    page.open("/").await;
    page.sign_in(MARGIE.contact).await;
    page.see(w.your_subscriptions).await;
    write_to_support(&page).await;
    page.see_value("message", "").await;
    assert!(!is_stored(&page).await, "the message of the first person is forgotten");

    // A sign-out forgets the message of this person as well.
    page.fill("message", MESSAGE).await;
    page.click(w.cancel).await;
    assert!(is_stored(&page).await);
    page.click(w.sign_out).await;
    page.see(w.signed_out).await;
    assert!(!is_stored(&page).await, "a sign-out forgets the message");
}

/// Opens the window with the message to support.
pub(crate) async fn write_to_support(page: &Page) {
    page.evaluate("document.querySelector('form.act select').value = 'contact-support'").await;
    page.click(page.w.go).await;
    page.see(page.w.support_message).await;
}

async fn is_stored(page: &Page) -> bool {
    page.evaluate(&format!("JSON.stringify(sessionStorage).includes({})", json!(MESSAGE))).await == json!(true)
}
