//! An answer that is lost, a finger that is nervous, a page that is loaded again: one retrieval.

use words::Language;

use crate::{
    Chapter,
    acts::Customer,
    traffic::{Loss, Traffic},
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

pub(crate) async fn tell(chapter: &Chapter<'_>) {
    an_answer_is_lost(chapter).await;
    a_finger_is_nervous(chapter).await;
}

async fn an_answer_is_lost(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&ADATUM).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.visit(ADATUM.portal_user).await;
    let (w, traffic) = (page.w, Traffic::of(&page).await);
    let loss = Loss::of_answers(&page).await;
    page.click(w.go).await;
    page.see(w.offline).await;
    assert_eq!(chapter.remaining(&ADATUM).await, 2, "it was done, and its answer was lost");
    page.click(w.try_again).await;
    page.see(w.offline).await;
    page.click(w.close).await;
    loss.end().await;
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    page.says(w.retrievals_left_sentence, &[("remaining", "2"), ("allowed", "3")]).await;
    // A page that is loaded again knows the click that it has begun.
    page.reload().await;
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!((traffic.clicks(), chapter.remaining(&ADATUM).await), (4, 2), "one click, sent four times");
}

async fn a_finger_is_nervous(chapter: &Chapter<'_>) {
    chapter.start(&LITWARE).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.visit(LITWARE.portal_user).await;
    let traffic = Traffic::of(&page).await;
    page.double_click(page.w.go).await;
    page.shown_password().await;
    assert_eq!((traffic.clicks(), chapter.remaining(&LITWARE).await), (1, 2));
    // The same with a key that bounces.
    page.click(page.w.close).await;
    page.evaluate("document.querySelector('form.act button').focus()").await;
    page.press("Enter").await;
    page.press("Enter").await;
    page.shown_password().await;
    assert_eq!(chapter.remaining(&LITWARE).await, 2, "it is the same click");
}
