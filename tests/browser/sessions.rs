//! Sessions end, and people have several accounts: after a new sign-in, every page leads back to where the person was.

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer};

const ALPINE: Customer = Customer {
    subscription: "sub-session",
    company: "alpine",
    company_name: "Alpine Ski House",
    contact: "it@alpine.example",
    portal_user: "kim@alpine.example",
};

/// The number of subscriptions: one more than fits on a page of the list.
const MANY: usize = 26;

pub(crate) async fn run(chapter: &Chapter<'_>) {
    a_new_sign_in_returns_to_the_list(chapter).await;
    a_person_uses_another_account(chapter).await;
    a_new_sign_in_returns_to_the_administration_center(chapter).await;
}

async fn a_new_sign_in_returns_to_the_list(chapter: &Chapter<'_>) {
    for n in 0..MANY {
        let id = format!("sub-many-{n:02}");
        chapter
            .publish(json!({
                "version": "0", "id": id, "detail-type": "SubscriptionStarted", "source": "billing.contoso",
                "time": "2026-11-10T09:00:00Z",
                "detail": {
                    "subscription_id": id, "kind": "paid", "product": format!("Product {n:02}"),
                    "company": { "id": format!("proseware-{n:02}"), "name": "Proseware, Inc." },
                    "service_administrator": { "email": "it@proseware.example" },
                    "portal_users": [{ "email": "kim@proseware.example" }],
                },
            }))
            .await;
    }
    let kim = chapter.visitor(Language::English).await;
    let (page, w) = (kim.tab().await, Language::English.words());
    page.visit("kim@proseware.example").await;
    page.click(w.next_page).await;
    page.arrive_at("/?cursor=").await;
    page.see("Product 25").await;
    let here = page.url().await;

    // The session ends during a click.
    page.delete_cookie("__Host-customer").await;
    page.journal.expect("the server responded with a status of 401");
    page.click(w.go).await;
    page.see(w.session_ended).await;
    page.click(w.sign_in_again).await;
    page.sign_in_at_provider("kim@proseware.example").await;
    page.see("Product 25").await;
    assert_eq!(page.url().await, here, "the sign-in returns to the page of the click");
    page.click(w.go).await;
    page.shown_password().await;

    // The session ends before a click.
    page.delete_cookie("__Host-customer").await;
    page.reload().await;
    page.sign_in("kim@proseware.example").await;
    page.see("Product 25").await;
    assert_eq!(page.url().await, here, "the sign-in returns to the same page of the list");

    page.click(w.sign_out).await;
    page.see(w.signed_out).await;
    page.click(w.signed_out_there).await;
    page.arrive_at(&format!("{}/", page.origin)).await;
    page.open("/").await;
    page.see(w.start_lead).await;
}

async fn a_person_uses_another_account(chapter: &Chapter<'_>) {
    chapter.start(&ALPINE).await;
    let kim = chapter.visitor(Language::English).await;
    let (page, w) = (kim.tab().await, Language::English.words());
    page.open("/").await;
    page.sign_in("kim@home.example").await;
    page.see_filled(w.none_for, &[("name", "kim@home.example")]).await;
    page.click(w.use_another_account).await;
    page.see("Development provider").await;
    assert!(page.url().await.contains("prompt=select_account"), "the request makes the provider ask for the account");
    page.sign_in_at_provider(ALPINE.portal_user).await;
    page.see(ALPINE.company_name).await;
}

async fn a_new_sign_in_returns_to_the_administration_center(chapter: &Chapter<'_>) {
    let mailed = chapter.mailed_password(ALPINE.contact).await;
    let lee = chapter.visitor(Language::English).await;
    let (page, w) = (lee.tab().await, Language::English.words());
    let sign_in = async |password: &str| {
        page.fill("user_name", &ALPINE.user_name()).await;
        page.fill("password", password).await;
        page.click(w.sign_in).await;
    };
    page.journal.expect("the server responded with a status of 401");
    page.open("/administration").await;
    sign_in("not the password at all").await;
    page.see(w.wrong_credentials).await;
    // Hyphens and case of a temporary password do not matter.
    sign_in(&mailed.replace('-', " ").to_uppercase()).await;
    page.arrive_at("/administration/password").await;
    page.delete_cookie("__Host-session").await;
    page.fill("new_password", "seven green boats at noon").await;
    page.click(w.reset_save).await;
    page.see(w.session_ended).await;
    page.click(w.sign_in_again).await;
    page.see(w.lost_it_link).await;
    sign_in(&mailed).await;
    page.arrive_at("/administration/password").await;
    page.journal.expect("the server responded with a status of 422");
    page.fill("new_password", "passwordpassword").await;
    page.click(w.reset_save).await;
    page.see(w.password_too_common).await;
    page.click(w.sign_out).await;
    page.see(w.password_or_temporary).await;
    page.open("/administration/create").await;
    page.see(w.password_or_temporary).await;
}
