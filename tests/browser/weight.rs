//! The size of the page with the credentials, and the assets that are loaded only once.

use words::Language;

use crate::{Chapter, acts::Customer, traffic::Traffic};

const WINGTIP: Customer = Customer {
    subscription: "sub-weight",
    company: "wingtip",
    company_name: "Wingtip Toys",
    contact: "it@wingtip.example",
    portal_user: "kim@wingtip.example",
};

/// The largest size of the page and everything that it loads, in uncompressed bytes.
const LARGEST_PAGE: i64 = 60_000;

pub(crate) async fn run(chapter: &Chapter<'_>) {
    chapter.start(&WINGTIP).await;
    let token = chapter.world.dev.token(WINGTIP.portal_user).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.set_cookie("__Host-customer", &token).await;
    let traffic = Traffic::record(&page);
    page.open("/").await;
    page.click(page.w.go).await;
    page.shown_password().await;
    let exchanges = traffic.exchanges();
    let bytes: i64 = exchanges.iter().map(|exchange| exchange.bytes).sum();
    println!("browser: {bytes} bytes for the page with the credentials");
    assert!(bytes < LARGEST_PAGE, "{bytes} bytes: {exchanges:?}");
    assert!(bytes > 20_000, "the size was measured: {exchanges:?}");

    let assets: Vec<_> = exchanges.iter().filter(|exchange| exchange.path.starts_with("/assets/")).collect();
    assert!(assets.len() >= 4, "the page loads style, icon and scripts: {exchanges:?}");
    for asset in assets {
        let name: Vec<_> = asset.path.trim_start_matches("/assets/").split('.').collect();
        assert!(name.len() == 3 && name[1].len() == 12, "{} has no hash", asset.path);
        let headers = asset.headers.as_ref().unwrap().to_string().to_lowercase();
        assert!(headers.contains("immutable") && headers.contains("max-age=31536000"), "{}: {headers}", asset.path);
    }
    let again = Traffic::record(&page);
    page.open("/help").await;
    let loaded: Vec<_> =
        again.exchanges().into_iter().filter(|exchange| exchange.path.starts_with("/assets/")).collect();
    // Browsers keep icons in a separate cache.
    let mut loaded = loaded.iter().filter(|asset| !asset.path.starts_with("/assets/icon")).peekable();
    assert!(loaded.peek().is_some(), "the next page has a style");
    assert!(loaded.all(|asset| asset.from_cache), "the assets are loaded once: {:?}", again.exchanges());
}
