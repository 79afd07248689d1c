//! A lost answer, a double click and a reloaded page count as one retrieval.

use words::Language;

use crate::{
    Chapter,
    acts::Customer,
    traffic::{AnswerLoss, Traffic},
};

const ADATUM: Customer = Customer {
    subscription: "sub-lost",
    company: "adatum",
    company_name: "Adatum Corporation",
    contact: "it@adatum.example",
    portal_user: "kim@adatum.example",
};

const LITWARE: Customer = Customer {
    subscription: "sub-double",
    company: "litware",
    company_name: "Litware, Inc.",
    contact: "it@litware.example",
    portal_user: "kim@litware.example",
};

pub(crate) async fn run(chapter: &Chapter<'_>) {
    a_click_with_lost_answers_counts_once(chapter).await;
    a_double_click_counts_once(chapter).await;
}

async fn a_click_with_lost_answers_counts_once(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&ADATUM).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.visit(ADATUM.portal_user).await;
    let (w, traffic) = (page.w, Traffic::record(&page));
    let loss = AnswerLoss::start(&page, "*/credentials").await;
    page.click(w.go).await;
    page.see(w.offline).await;
    assert_eq!(chapter.remaining_retrievals(&ADATUM).await, 2, "the click was carried out, and its answer was lost");
    page.click(w.try_again).await;
    page.see(w.offline).await;
    page.click(w.close).await;
    loss.end().await;
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    page.see_filled(w.retrievals_left_sentence, &[("remaining", "2"), ("allowed", "3")]).await;
    // A reloaded page remembers the click that it has begun.
    page.reload().await;
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!((traffic.clicks(), chapter.remaining_retrievals(&ADATUM).await), (4, 2), "one click, sent four times");
}

async fn a_double_click_counts_once(chapter: &Chapter<'_>) {
    chapter.start(&LITWARE).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.visit(LITWARE.portal_user).await;
    let traffic = Traffic::record(&page);
    page.double_click(page.w.go).await;
    page.shown_password().await;
    assert_eq!((traffic.clicks(), chapter.remaining_retrievals(&LITWARE).await), (1, 2));
    // Two presses of a key count once as well.
    page.click(page.w.close).await;
    page.evaluate("document.querySelector('form.act button').focus()").await;
    page.press("Enter").await;
    page.press("Enter").await;
    page.shown_password().await;
    assert_eq!(chapter.remaining_retrievals(&LITWARE).await, 2, "both presses are the same click");
}
