//! The whole story, as it is told in the README: from the billing system to the permanent administrator.

use std::time::Duration;

use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT},
    browser::Visitor,
    page::{Hand, Page},
};

pub(crate) const FABRIKAM: Customer = Customer {
    subscription: "sub-story",
    company: "fabrikam",
    company_name: "Fabrikam, Inc.",
    contact: "it@fabrikam.example",
    portal_user: "dana@fabrikam.example",
};

pub(crate) async fn tell(chapter: &Chapter<'_>, customer: &Customer, hand: Hand) {
    let w = Language::English.words();
    let (contact, portal_user, user_name) = (customer.contact, customer.portal_user, customer.user_name());
    // The sentence has a full stop of its own.
    let company = customer.company_name.trim_end_matches('.');
    let vendor = chapter.visitor(Language::English).await.working_with(hand);
    let console = vendor.tab().await;
    // The form is for whoever plays the billing system: their browser's own address is no use there.
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
    let mail = chapter.mail_to(contact).await;
    let mailed = chapter.mailed_password(contact).await;
    assert!(mail["html"].as_str().unwrap().contains(&mailed) && mail["text"].as_str().unwrap().contains(&user_name));

    // Dana has lost the mail, and is the first: nobody asks.
    let dana = chapter.visitor(Language::English).await.working_with(hand);
    let list = dana.tab().await;
    list.visit(portal_user).await;
    for text in [PRODUCT, w.trial, &user_name, &format!("i•@{}", contact.split_once('@').unwrap().1)] {
        list.see(text).await;
    }
    list.says(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
    list.click(w.go).await;
    assert_eq!(list.shown_password().await, mailed);
    list.says(w.for_whom, &[("product", PRODUCT), ("company", company)]).await;
    list.says(w.retrievals_left_sentence, &[("remaining", "2"), ("allowed", "3")]).await;
    list.says(w.retrieved_by_you, &[]).await;
    list.click(w.close).await;
    list.says(w.retrievals_left, &[("remaining", "2"), ("allowed", "3")]).await;

    // Ivo of the technical contact is told of Dana, and asks for it all the same.
    let ivo = chapter.visitor(Language::English).await.working_with(hand);
    let other = ivo.tab().await;
    other.visit(contact).await;
    other.click(w.go).await;
    other.says(w.question_other, &[("by", portal_user)]).await;
    other.see(w.question_ask).await;
    other.click(w.cancel).await;
    assert_eq!(chapter.remaining(customer).await, 2, "a question costs nothing");
    other.click(w.go).await;
    other.click(&words::fill(w.question_again, &[("remaining", "2")])).await;
    assert_eq!(other.shown_password().await, mailed);

    // The third is the last, and Dana, in another tab, is told of Ivo. Times are kept in seconds, and tell the order.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let third = dana.tab().await;
    third.open("/").await;
    third.click(w.go).await;
    third.says(w.question_other, &[("by", contact)]).await;
    third.see(w.question_last).await;
    third.click(&words::fill(w.question_again, &[("remaining", "1")])).await;
    assert_eq!(third.shown_password().await, mailed);
    third.says(w.retrievals_left_sentence, &[("remaining", "0"), ("allowed", "3")]).await;

    // The fourth is blank, and says who and when.
    let fourth = ivo.tab().await;
    fourth.open("/").await;
    fourth.click(w.go).await;
    fourth.see(w.blank).await;
    let by = |who: &str| words::fill(w.list_other, &[("by", who)]).replace("{at}", "").trim().to_owned();
    let (dana_took, you_took) = (by(portal_user), w.list_you.replace("{at}", "").trim().to_owned());
    let list_of = format!("{{at}} {dana_took}, {{at}} {you_took}, {{at}} {dana_took}");
    fourth.says(&w.reason_retrieved_company.replace("{list}", &list_of), &[]).await;
    assert_eq!(chapter.remaining(customer).await, 0);

    // Support gets what has happened, and no password.
    fourth.click(w.contact_support).await;
    fourth.says(w.support_about, &[("product", PRODUCT), ("company", company)]).await;
    fourth.fill("message", "We cannot find the mail - please call us.").await;
    fourth.click(w.support_send).await;
    fourth.says(w.support_sent, &[("address", contact)]).await;
    let request = chapter.mail_about("support@contoso.example", customer.subscription).await;
    let text = request["text"].as_str().unwrap();
    assert!(text.contains("We cannot find the mail - please call us."), "{text}");
    assert!(!text.contains(&mailed) && request["reply_to"] == contact, "{request}");

    the_administrator_takes_over(&dana, &third, customer, &mailed).await;

    // Everybody of the company sees that it is done, and why there is no password any more.
    // Loaded again, it is still a page that another site has led to: the session of the Administration Center stays away, as it should.
    list.journal.expect("ExcludeSameSiteStrict");
    list.reload().await;
    list.see(w.state_handed_over).await;
    list.click(w.go).await;
    list.says(w.reason_signed_in_and_changed, &[]).await;
    list.says(w.reason_retrieved_company_over, &[]).await;
}

/// From the window to the Administration Center: the name goes along, the password by the clipboard.
async fn the_administrator_takes_over(dana: &Visitor<'_>, third: &Page, customer: &Customer, mailed: &str) {
    let (w, user_name) = (third.w, customer.user_name());
    third.click(&format!("{}: {}", w.copy, w.temporary_password)).await;
    third.see(w.copied).await;
    third.click(w.go_to_center).await;
    let center = dana.opened().await;
    center.at("/administration").await;
    center.see(w.lost_it_link).await;
    center.has("user_name", &user_name).await;
    assert!(!center.url().await.contains('#'), "the fragment is gone from the address");
    center.paste("password").await;
    center.has("password", mailed).await;
    center.click(w.sign_in).await;
    center.at("/administration/password").await;
    center.says(w.password_count, &[("count", "0")]).await;
    center.fill("new_password", "seven green boats at noon").await;
    center.says(w.password_count, &[("count", "25")]).await;
    center.click(w.reset_save).await;
    center.at("/administration/create").await;
    center.says(w.create_closed, &[("user_name", &user_name)]).await;
    center.fill("user_name", "lee").await;
    center.fill("display_name", "Lee Ahmadi").await;
    center.fill("password", "a quiet lamp over the harbour").await;
    center.click(w.create_submit).await;
    center.says(w.created_title, &[("user_name", &customer.administrator())]).await;
    center.click(w.sign_in).await;
    center.see(w.password_or_temporary).await;
    center.has("user_name", &customer.administrator()).await;
    center.fill("password", "a quiet lamp over the harbour").await;
    center.click(w.sign_in).await;
    center.says(w.home_title, &[("name", "Lee Ahmadi")]).await;
    center.see(w.add_second).await;
    center.says(w.open_product, &[("product", PRODUCT)]).await;
}
