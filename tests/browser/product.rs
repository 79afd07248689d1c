//! The administrator arrives in the product, signed in: from the Administration Center and from the product itself, which is another site
//! to the browser, as in production.

use serde_json::json;
use support::Call;
use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT},
    page::Page,
    traffic::Traffic,
};

const RELECLOUD: Customer = Customer {
    subscription: "sub-product",
    company: "relecloud",
    company_name: "Relecloud",
    contact: "it@relecloud.example",
    portal_user: "kim@relecloud.example",
};

const PASSWORD: &str = "a quiet lamp over the harbour";

/// The words of the demo product to an administrator who has arrived. The display name is that of [`Call::create_admin`].
const ARRIVED: &str = "You are signed in as Lee Ahmadi, an administrator of Relecloud.";

pub(crate) async fn run(chapter: &Chapter<'_>) {
    create_administrator(chapter).await;
    the_product_asks_a_browser_without_a_session_to_sign_in(chapter).await;
    let lee = chapter.visitor(Language::English).await;
    let page = lee.tab().await;
    page.expect_withheld_cookies();
    a_running_session_opens_the_product(chapter, &page).await;
    a_new_sign_in_is_asked_for_once(chapter, &page).await;
    a_silent_request_from_another_site_asks_nothing(chapter, &page).await;
    another_account_is_one_click_away(chapter, &page).await;
    a_running_session_needs_no_scripts(chapter, &page).await;
}

/// Takes over as the service administrator, and creates the permanent account of the chapter.
async fn create_administrator(chapter: &Chapter<'_>) {
    let (dev, mailed) = (&chapter.world.dev, chapter.start(&RELECLOUD).await);
    let bootstrap = json!({ "user_name": RELECLOUD.user_name(), "password": mailed });
    let (_, _, first) = dev.post("/sign-in", "", bootstrap).await;
    let chosen = json!({ "new_password": "seven green boats at noon" });
    let (_, _, second) = dev.post("/reset-password", &first, chosen).await;
    let create = Call::create_admin(&second, &RELECLOUD.administrator(), PASSWORD).key("lee");
    assert_eq!(dev.call(create).await.unwrap().status, 201);
}

async fn the_product_asks_a_browser_without_a_session_to_sign_in(chapter: &Chapter<'_>) {
    let lee = chapter.visitor(Language::English).await;
    let page = lee.tab().await;
    page.open(&chapter.world.dev.product.product).await;
    page.see("This page plays the vendor's product.").await;
    page.click("Sign in").await;
    sign_in(&page).await;
    continue_to_product(&page).await;
    for text in [RELECLOUD.subscription, &RELECLOUD.administrator(), PRODUCT] {
        page.see(text).await;
    }
}

async fn a_running_session_opens_the_product(chapter: &Chapter<'_>, page: &Page) {
    let w = page.w;
    page.open("/administration").await;
    page.fill("user_name", &RELECLOUD.administrator()).await;
    page.fill("password", PASSWORD).await;
    page.click(w.sign_in).await;
    page.see_filled(w.home_title, &[("name", "Lee Ahmadi")]).await;
    page.click(&words::fill(w.open_product, &[("product", PRODUCT)])).await;
    continue_to_product(page).await;

    // From the product, a visit to Firstkey carries no session at first.
    sign_out_of_product(page).await;
    let traffic = Traffic::record(page);
    page.click("Sign in").await;
    continue_to_product(page).await;
    let paths: Vec<_> = traffic.exchanges().into_iter().map(|exchange| exchange.path).collect();
    let has = |start: &str| paths.iter().any(|path| path.starts_with(start));
    assert!(has("/oidc/continue?") && !has("/administration/sign-in"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains(".js")), "these pages have no scripts: {paths:?}");
    go(chapter, page, "/sign-in?max_age=86400").await;
    continue_to_product(page).await;
}

/// Signs in for a request that accepts no earlier sign-in, which is met by the new one: the browser is not sent in a circle.
async fn a_new_sign_in_is_asked_for_once(chapter: &Chapter<'_>, page: &Page) {
    for wish in ["prompt=login", "max_age=0"] {
        // The session is older than the request by a second at least, which is the resolution of both.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let traffic = Traffic::record(page);
        go(chapter, page, &format!("/sign-in?{wish}")).await;
        sign_in(page).await;
        continue_to_product(page).await;
        let visits = traffic.exchanges().into_iter().map(|exchange| exchange.path);
        let visits = visits.filter(|path| path.starts_with("/administration/sign-in")).count();
        assert_eq!(visits, 1, "{wish}");
    }
}

/// Asks without a page, which only a product on the same site as Firstkey can do: the browser withholds the session from the request of
/// another site.
async fn a_silent_request_from_another_site_asks_nothing(chapter: &Chapter<'_>, page: &Page) {
    sign_out_of_product(page).await;
    go(chapter, page, "/sign-in?prompt=none").await;
    page.see("The provider answered login_required.").await;
    let callback = format!("{}/callback?error=login_required", chapter.world.dev.product.product);
    page.arrive_at(&callback).await;
}

async fn another_account_is_one_click_away(chapter: &Chapter<'_>, page: &Page) {
    go(chapter, page, "/sign-in").await;
    page.arrive_at("/oidc/continue?").await;
    page.see_filled(page.w.continue_as, &[("name", &RELECLOUD.administrator())]).await;
    page.click(page.w.continue_not_you).await;
    sign_in(page).await;
    continue_to_product(page).await;
}

async fn a_running_session_needs_no_scripts(chapter: &Chapter<'_>, page: &Page) {
    sign_out_of_product(page).await;
    page.tab.send("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await.unwrap();
    page.click("Sign in").await;
    continue_to_product(page).await;
    page.open(&chapter.world.dev.product.product).await;
    page.see(ARRIVED).await;
}

/// Goes to a path of the product by a navigation of its own page. To the browser, a request of the product follows from there.
async fn go(chapter: &Chapter<'_>, page: &Page, path: &str) {
    page.step(format!("go to {path} of the product"));
    let address = format!("{}{path}", chapter.world.dev.product.product);
    page.evaluate(&format!("location.assign({})", json!(address))).await;
}

/// Signs in at the page that leads back to the request of the product.
async fn sign_in(page: &Page) {
    let w = page.w;
    page.arrive_at("/administration/sign-in?continue=").await;
    page.see(w.continue_sign_in).await;
    page.fill("user_name", &RELECLOUD.administrator()).await;
    page.fill("password", PASSWORD).await;
    page.click(w.sign_in).await;
}

async fn continue_to_product(page: &Page) {
    let w = page.w;
    page.arrive_at("/oidc/continue?").await;
    page.see_filled(w.continue_title, &[("product", PRODUCT)]).await;
    page.click(w.continue_button).await;
    page.see(ARRIVED).await;
}

async fn sign_out_of_product(page: &Page) {
    page.click("Sign out").await;
    page.see("This page plays the vendor's product.").await;
}
