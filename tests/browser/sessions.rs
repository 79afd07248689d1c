//! Sessions end, and people have more than one account: every page leads back to where one was.

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

/// One more than a page of the list has.
const MANY: usize = 26;

pub(crate) async fn tell(chapter: &Chapter<'_>) {
    the_list_is_come_back_to(chapter).await;
    another_account_is_used(chapter).await;
    the_administration_is_come_back_to(chapter).await;
}

async fn the_list_is_come_back_to(chapter: &Chapter<'_>) {
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
    page.at("/?cursor=").await;
    page.see("Product 25").await;
    let here = page.url().await;

    // In the middle of a click.
    page.forget("__Host-customer").await;
    page.journal.expect("the server responded with a status of 401");
    page.click(w.go).await;
    page.see(w.session_ended).await;
    page.click(w.sign_in_again).await;
    page.at_the_provider("kim@proseware.example").await;
    page.see("Product 25").await;
    assert_eq!(page.url().await, here, "back where the click was");
    page.click(w.go).await;
    page.shown_password().await;

    // And before it.
    page.forget("__Host-customer").await;
    page.reload().await;
    page.sign_in("kim@proseware.example").await;
    page.see("Product 25").await;
    assert_eq!(page.url().await, here, "back on the same page of the list");

    page.click(w.sign_out).await;
    page.see(w.signed_out).await;
    page.click(w.signed_out_there).await;
    page.at(&format!("{}/", page.origin)).await;
    page.open("/").await;
    page.see(w.start_lead).await;
}

async fn another_account_is_used(chapter: &Chapter<'_>) {
    chapter.start(&ALPINE).await;
    let kim = chapter.visitor(Language::English).await;
    let (page, w) = (kim.tab().await, Language::English.words());
    page.open("/").await;
    page.sign_in("kim@home.example").await;
    page.says(w.none_for, &[("name", "kim@home.example")]).await;
    page.click(w.use_another_account).await;
    page.see("Development provider").await;
    assert!(page.url().await.contains("prompt=select_account"), "the provider is told to ask");
    page.at_the_provider(ALPINE.portal_user).await;
    page.see(ALPINE.company_name).await;
}

async fn the_administration_is_come_back_to(chapter: &Chapter<'_>) {
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
    // However it is typed.
    sign_in(&mailed.replace('-', " ").to_uppercase()).await;
    page.at("/administration/password").await;
    page.forget("__Host-session").await;
    page.fill("new_password", "seven green boats at noon").await;
    page.click(w.reset_save).await;
    page.see(w.session_ended).await;
    page.click(w.sign_in_again).await;
    page.see(w.lost_it_link).await;
    sign_in(&mailed).await;
    page.at("/administration/password").await;
    page.journal.expect("the server responded with a status of 422");
    page.fill("new_password", "passwordpassword").await;
    page.click(w.reset_save).await;
    page.see(w.password_too_common).await;
    page.click(w.sign_out).await;
    page.see(w.password_or_temporary).await;
    page.open("/administration/create").await;
    page.see(w.password_or_temporary).await;
}
