//! The whole story of the README, from the billing system to the permanent administrator, who arrives in the product.

use std::time::Duration;

use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT},
    browser::Visitor,
    page::{Input, Page},
};

pub(crate) const FABRIKAM: Customer = Customer {
    subscription: "sub-story",
    company: "fabrikam",
    company_name: "Fabrikam, Inc.",
    contact: "it@fabrikam.example",
    portal_user: "dana@fabrikam.example",
};

#[expect(clippy::too_many_lines, reason = "a chapter is one story, which reads from top to bottom")]
pub(crate) async fn run(chapter: &Chapter<'_>, customer: &Customer, input: Input) {
    let w = Language::English.words();
    let (contact, portal_user, user_name) = (customer.contact, customer.portal_user, customer.user_name());
    // The sentence ends with its own full stop.
    let company = customer.company_name.trim_end_matches('.');
    let vendor = chapter.visitor(Language::English).await.with_input(input);
    let console = vendor.tab().await;
    // The form plays the billing system, so the browser's autocomplete of the person's own address is unwanted.
    console.journal.expect("FormInputAssignedAutocompleteValueToIdOrNameAttributeError");
    console.open(&chapter.world.dev.product.console).await;
    for (field, value) in [
        ("subscription_id", customer.subscription),
        ("product", PRODUCT),
        ("company_id", customer.company),
        ("company_name", customer.company_name),
        ("email", contact),
        ("portal_user", portal_user),
    ] {
        console.fill(field, value).await;
    }
    console.press("Enter").await;
    console.see(customer.subscription).await;
    let mail = chapter.last_mail_to(contact).await;
    let mailed = chapter.mailed_password(contact).await;
    assert!(mail["html"].as_str().unwrap().contains(&mailed) && mail["text"].as_str().unwrap().contains(&user_name));

    // Dana has lost the mail and retrieves first, so the page asks no question.
    let dana = chapter.visitor(Language::English).await.with_input(input);
    let list = dana.tab().await;
    list.visit(portal_user).await;
    for text in [PRODUCT, w.trial, &user_name, &format!("i•@{}", contact.split_once('@').unwrap().1)] {
        list.see(text).await;
    }
    list.see_filled(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
    list.click(w.go).await;
    assert_eq!(list.shown_password().await, mailed);
    list.see_filled(w.for_whom, &[("product", PRODUCT), ("company", company)]).await;
    list.see_filled(w.retrievals_left_sentence, &[("remaining", "2"), ("allowed", "3")]).await;
    list.see_filled(w.retrieved_by_you, &[]).await;
    list.click(w.close).await;
    list.see_filled(w.retrievals_left, &[("remaining", "2"), ("allowed", "3")]).await;

    // Ivo, the technical contact, learns of Dana's retrieval and retrieves nevertheless.
    let ivo = chapter.visitor(Language::English).await.with_input(input);
    let other = ivo.tab().await;
    other.visit(contact).await;
    other.click(w.go).await;
    other.see_filled(w.question_other, &[("by", portal_user)]).await;
    other.see(w.question_ask).await;
    other.click(w.cancel).await;
    assert_eq!(chapter.remaining_retrievals(customer).await, 2, "a question spends no retrieval");
    other.click(w.go).await;
    other.click(&words::fill(w.question_again, &[("remaining", "2")])).await;
    assert_eq!(other.shown_password().await, mailed);

    // The third retrieval is the last, and Dana, in another tab, learns of Ivo's. Times have a resolution of a second and determine the
    // order.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let third = dana.tab().await;
    third.open("/").await;
    third.click(w.go).await;
    third.see_filled(w.question_other, &[("by", contact)]).await;
    third.see(w.question_last).await;
    third.click(&words::fill(w.question_again, &[("remaining", "1")])).await;
    assert_eq!(third.shown_password().await, mailed);
    third.see_filled(w.retrievals_left_sentence, &[("remaining", "0"), ("allowed", "3")]).await;

    // The fourth click gets a blank answer, which says who retrieved and when.
    let fourth = ivo.tab().await;
    fourth.open("/").await;
    fourth.click(w.go).await;
    fourth.see(w.blank).await;
    let by = |who: &str| words::fill(w.list_other, &[("by", who)]).replace("{at}", "").trim().to_owned();
    let (dana_took, you_took) = (by(portal_user), w.list_you.replace("{at}", "").trim().to_owned());
    let list_text = format!("{{at}} {dana_took}, {{at}} {you_took}, {{at}} {dana_took}");
    fourth.see_filled(&w.reason_retrieved_company.replace("{list}", &list_text), &[]).await;
    assert_eq!(chapter.remaining_retrievals(customer).await, 0);

    // The support desk receives a report without a password.
    fourth.click(w.contact_support).await;
    fourth.see_filled(w.support_about, &[("product", PRODUCT), ("company", company)]).await;
    fourth.fill("message", "We cannot find the mail - please call us.").await;
    fourth.click(w.support_send).await;
    fourth.see_filled(w.support_sent, &[("address", contact)]).await;
    let request = chapter.last_mail_containing("support@contoso.example", customer.subscription).await;
    let text = request["text"].as_str().unwrap();
    assert!(text.contains("We cannot find the mail - please call us."), "{text}");
    assert!(!text.contains(&mailed) && request["reply_to"] == contact, "{request}");

    the_administrator_takes_over(&dana, &third, customer, &mailed).await;

    // The portal users see that the setup is complete, and why there is no password any more. The reloaded page still counts as
    // reached from another site, so the browser rightly withholds the strict cookie of the Administration Center.
    list.journal.expect("ExcludeSameSiteStrict");
    list.reload().await;
    list.see(w.state_handed_over).await;
    list.click(w.go).await;
    list.see_filled(w.reason_signed_in_and_changed, &[]).await;
    list.see_filled(w.reason_retrieved_company_over, &[]).await;
}

/// Continues from the window to the Administration Center, which receives the user name with the link and the password by the
/// clipboard.
async fn the_administrator_takes_over(dana: &Visitor<'_>, third: &Page, customer: &Customer, mailed: &str) {
    let (w, user_name) = (third.w, customer.user_name());
    third.click(&format!("{}: {}", w.copy, w.temporary_password)).await;
    third.see(w.copied).await;
    third.click(w.go_to_center).await;
    let center = dana.opened_tab().await;
    center.arrive_at("/administration").await;
    center.see(w.lost_it_link).await;
    center.see_value("user_name", &user_name).await;
    assert!(!center.url().await.contains('#'), "the fragment is removed from the address");
    center.paste("password").await;
    center.see_value("password", mailed).await;
    center.click(w.sign_in).await;
    center.arrive_at("/administration/password").await;
    center.see_filled(w.password_count, &[("count", "0")]).await;
    center.fill("new_password", "seven green boats at noon").await;
    center.see_filled(w.password_count, &[("count", "25")]).await;
    center.click(w.reset_save).await;
    center.arrive_at("/administration/create").await;
    center.see_filled(w.create_closed, &[("user_name", &user_name)]).await;
    center.fill("user_name", "lee").await;
    center.fill("display_name", "Lee Ahmadi").await;
    center.fill("password", "a quiet lamp over the harbour").await;
    center.click(w.create_submit).await;
    center.see_filled(w.created_title, &[("user_name", &customer.administrator())]).await;
    center.click(w.sign_in).await;
    center.see(w.password_or_temporary).await;
    center.see_value("user_name", &customer.administrator()).await;
    center.fill("password", "a quiet lamp over the harbour").await;
    center.click(w.sign_in).await;
    center.see_filled(w.home_title, &[("name", "Lee Ahmadi")]).await;
    center.see(w.add_second).await;
    center.expect_withheld_cookies();
    center.click(&words::fill(w.open_product, &[("product", PRODUCT)])).await;
    center.arrive_at("/oidc/continue?").await;
    center.see_filled(w.continue_title, &[("product", PRODUCT)]).await;
    center.see_filled(w.continue_as, &[("name", &customer.administrator())]).await;
    center.click(w.continue_button).await;
    let company = customer.company_name;
    center.see(&format!("You are signed in as Lee Ahmadi, an administrator of {company}")).await;
}
