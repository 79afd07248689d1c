//! The pages, and the paths that no function has.

use cloud::{Fault, Mode, Service};
use serde_json::json;
use support::{Answer, Call, Deployment, TestStack, event, table::Table};
use words::{Language, Words};

use crate::administrators::Team;

pub(crate) fn words() -> &'static Words {
    Language::English.words()
}

/// Returns a text as it appears in HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\'', "&#39;")
}

/// Returns the page of a signed-in customer.
async fn page_of(stack: &TestStack, token: &str) -> String {
    html(&stack.call("portal", Call::get("/").cookie("__Host-customer", token)).await)
}

pub(crate) fn html(answer: &Answer) -> String {
    assert!(answer.headers["content-type"].starts_with("text/html"), "{answer:?}");
    answer.body.as_str().unwrap().to_owned()
}

/// Returns calls of every page; `session` is one of the Administration Center.
fn pages(stack: &TestStack, session: &str) -> [Call; 9] {
    let customer = |email| Call::get("/").cookie("__Host-customer", &stack.token(email));
    [
        Call::get("/"),
        Call::get("/help"),
        Call::get("/support"),
        Call::get("/administration"),
        Call::get("/auth/signed-out"),
        Call::get("/auth/callback"),
        customer("dana@fabrikam.example"),
        customer("mallory@elsewhere.example"),
        Call::get("/administration/create").session(session),
    ]
}

/// Returns the assets that a page loads, in order.
fn loaded(page: &str) -> Vec<&str> {
    let marks = page.match_indices("\"/assets/").map(|(at, _)| &page[at + 1..]);
    marks.map(|rest| &rest[..rest.find('"').unwrap()]).collect()
}

#[tokio::test]
async fn an_unknown_path_gives_a_problem_document() {
    let stack = TestStack::start().await;
    let paths = ["/nothing", "/subscriptions/x/y/z", "/administration/x", "/auth/x", "/assets/style.css", "/help/"];
    for call in paths.map(Call::get).into_iter().chain([Call::post("/"), Call::post("/auth/sign-in")]) {
        let answer = stack.call("portal", call).await;
        assert_eq!((answer.status, answer.problem()), (404, Some("not-found")));
        assert_eq!(answer.body["type"], "urn:firstkey:problem:not-found");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert!(stack.cloud.requests().is_empty());
}

#[tokio::test]
async fn every_page_has_the_same_strict_headers() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let session = stack.service_administrator("sub-2", "admin-sub-2@fabrikam", "seven green boats at noon").await;
    for page in pages(&stack, &session) {
        let answer = stack.call("portal", page).await;
        let html = html(&answer);
        let policy = &answer.headers["content-security-policy"];
        for part in ["default-src 'none';", "base-uri 'none';", "frame-ancestors 'none';", "script-src 'self';"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'"));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-language", "en"),
        ] {
            assert_eq!(answer.headers[name], value, "{name}");
        }
        assert!(answer.headers["permissions-policy"].contains("clipboard-write=(self)"));
        // The policy blocks all three, so a page with one of them would not work.
        assert!(!html.contains("style=") && !html.contains("onclick") && !html.contains("<script>"));
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"));
    }
}

#[tokio::test]
async fn a_visitor_is_led_to_their_provider_by_a_link_that_returns_to_the_page() {
    let stack = Deployment::default().with("VENDOR_NAME", "Contoso").start().await;
    let page = html(&stack.call("portal", Call::get("/").query("cursor=c3ViLTE")).await);
    for link in ["href=\"/auth/sign-in?return=%2F%3Fcursor%3Dc3ViLTE\"", "href=\"/administration\""] {
        assert!(page.contains(link), "{link}");
    }
    assert!(page.contains("<h1>Contoso Customer Portal</h1>"));
    assert!(!page.contains("<form"), "what leads to the provider is a link");
    assert!(stack.cloud.requests().is_empty());
}

#[tokio::test]
async fn a_customer_sees_the_state_of_each_subscription() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.warm_up().await;
    stack.cloud.clear_requests();
    let page = page_of(&stack, &dana).await;
    for part in [
        "Contoso Online Suite",
        "Fabrikam, Inc.",
        "<time datetime=\"2026-11-10T09:00:00Z\">10 November 2026, 09:00 UTC</time>",
        "to i•@fabrikam.example",
        "3 of 3 retrievals left",
        "works until <time",
        "Signed in as dana@fabrikam.example",
        "data-remaining=\"3\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!((page.matches("class=\"done\"").count(), page.matches("not yet").count()), (1, 3));
    let asked: Vec<String> = stack.cloud.requests().into_iter().map(|request| request.operation).collect();
    assert_eq!(asked, ["Query", "Query", "BatchGetItem"], "the page spends nothing");

    stack.retrieve(&stack.token("kim@fabrikam.example"), "sub-1", "click").await;
    let page = page_of(&stack, &dana).await;
    assert!(page.contains("2 of 3 retrievals left") && page.contains("data-other-by=\"kim@fabrikam.example\""));

    let password = stack.mailed_password();
    let session = stack.sign_in("admin@fabrikam", &password).await.session().unwrap();
    let page = page_of(&stack, &dana).await;
    assert!(page.contains(words().state_signed_in));
    assert!(!page.contains("data-remaining"), "there is nothing to ask before Go");
    let reset = stack.call("reset-password", Call::reset_password(&session, "seven green boats at noon")).await;
    let created = Call::create_admin(&reset.session().unwrap(), "lee@fabrikam", "a quiet lamp over the harbour");
    stack.call("create-admin", created).await;
    let page = page_of(&stack, &dana).await;
    assert_eq!((page.matches("class=\"done\"").count(), page.matches("not yet").count()), (4, 0));
    assert!(page.contains(words().state_handed_over) && !page.contains(&password));
}

#[tokio::test]
async fn a_customer_without_subscriptions_sees_which_account_is_signed_in_and_why_the_list_is_empty() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let page = page_of(&stack, &stack.token("dana.k@gmail.example")).await;
    assert!(page.contains("No subscriptions for dana.k@gmail.example"));
    assert!(page.contains(words().use_another_account) && page.contains("&amp;account=other"));
    assert!(!page.contains("has not verified") && !page.contains("Contoso Online Suite"));

    let unconfirmed = stack.token_with("dana@fabrikam.example", &json!({ "email_verified": false }));
    let page = page_of(&stack, &unconfirmed).await;
    assert!(page.contains("has not verified the address dana@fabrikam.example"));
    assert!(!page.contains("Contoso Online Suite"));
}

#[tokio::test]
async fn a_long_list_has_pages_and_an_invalid_cursor_is_the_first() {
    let stack = TestStack::start().await;
    for n in 0..26 {
        assert_eq!(stack.publish(event(&format!("sub-{n:02}"), "trial")).await, json!([]));
    }
    let dana = stack.token("dana@fabrikam.example");
    let at = async |query: &str| {
        html(&stack.call("portal", Call::get("/").query(query).cookie("__Host-customer", &dana)).await)
    };
    let first = at("").await;
    assert_eq!(first.matches("<article").count(), 25);
    let next = first.split("href=\"/?").nth(1).unwrap().split('"').next().unwrap();
    let second = at(next).await;
    assert_eq!(second.matches("<article").count(), 1);
    assert!(second.contains("First page") && !second.contains("Next page") && second.contains("data-cursor="));
    assert_eq!(at("cursor=%25").await.matches("<article").count(), 25);
}

#[tokio::test]
async fn names_from_events_and_tokens_are_text_and_never_markup() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["product"] = json!("<script>alert(1)</script>\"'&{at}");
    started["detail"]["company"]["name"] = json!("\"><img src=x onerror=alert(1)>");
    stack.start_subscription(started).await;
    let page = page_of(&stack, &stack.token("dana@fabrikam.example")).await;
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;{at}"));
    let page = page_of(&stack, &stack.token_with("x@y.example", &json!({ "email": null, "sub": "<b>{name}" }))).await;
    assert!(page.contains(&escaped(words().no_address_title)) && !page.contains("{name}"), "no subject is shown");
    let unverified = json!({ "email": "a+<b>@y.example", "email_verified": false });
    assert!(!page_of(&stack, &stack.token_with("x@y.example", &unverified)).await.contains("<b>"));
}

#[tokio::test]
async fn a_page_is_in_the_language_that_its_reader_prefers_or_has_chosen() {
    let stack = TestStack::start().await;
    let german = |answer: &Answer| {
        let german = html(answer).contains(Language::German.words().skip);
        assert_eq!(answer.headers["content-language"], if german { "de" } else { "en" });
        german
    };
    let help = || Call::get("/help");
    assert!(!german(&stack.call("portal", help()).await));
    assert!(german(&stack.call("portal", help().header("accept-language", "de-CH, en;q=0.5")).await));
    let chosen = stack.call("portal", help().query("language=de")).await;
    assert!(german(&chosen));
    assert_eq!(chosen.cookies, ["__Host-language=de; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"]);
    assert!(german(&stack.call("portal", help().cookie("__Host-language", "de")).await));
    let back = help().cookie("__Host-language", "de").query("language=en");
    assert!(!german(&stack.call("portal", back).await));
    for nonsense in ["language=fr", "language=<b>", "language="] {
        assert!(stack.call("portal", help().query(nonsense)).await.cookies.is_empty(), "{nonsense}");
    }
}

#[tokio::test]
async fn assets_are_cached_forever_under_names_that_contain_their_hash() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let page = page_of(&stack, &stack.token("dana@fabrikam.example")).await;
    let mut bytes = page.len();
    let mut wanted: Vec<String> = loaded(&page).into_iter().map(str::to_owned).collect();
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        let answer = stack.call("portal", Call::get(&path)).await;
        assert_eq!(
            (answer.status, answer.headers["cache-control"].as_str()),
            (200, "public, max-age=31536000, immutable")
        );
        let content = answer.body.as_str().unwrap();
        bytes += content.len();
        seen.push(path);
        let imported = content.match_indices("'/assets/").map(|(at, _)| content[at + 1..].split('\'').next().unwrap());
        wanted.extend(imported.filter(|path| !seen.iter().any(|seen| seen == path)).map(str::to_owned));
        seen.dedup();
    }
    assert!(seen.iter().any(|path| path.starts_with("/assets/common.")), "{seen:?}");
    assert!(bytes < 60_000, "{bytes} bytes for the page with the credentials");
    let old = seen[0].replace('.', ".x");
    assert_eq!(stack.call("portal", Call::get(&old)).await.status, 404);
}

#[tokio::test]
async fn while_dynamodb_is_unavailable_a_page_says_so_and_a_retry_works() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100));
    let answer = stack.call("portal", Call::get("/").cookie("__Host-customer", &dana)).await;
    assert_eq!(answer.status, 503);
    assert!(html(&answer).contains(&escaped(words().list_unavailable)));
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 0));
    assert!(page_of(&stack, &dana).await.contains("Contoso Online Suite"));
}

#[tokio::test]
async fn while_dynamodb_is_unavailable_a_page_of_the_administration_center_says_so_too() {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    for path in ["/administration", "/administration/password", "/administration/create", "/administration/removed"] {
        stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 3));
        let answer = stack.call("portal", Call::get(path).session(&session)).await;
        assert_eq!(answer.status, 503, "{path}");
        let page = html(&answer);
        assert!(page.contains(&escaped(words().page_unavailable)), "{path}");
        assert!(page.contains(&format!("href=\"{path}\">Try again")), "{page}");
    }
    let again = stack.call("portal", Call::get("/administration/create").session(&session)).await;
    assert!(html(&again).contains("@fabrikam"));
}

#[tokio::test]
async fn the_session_decides_which_page_of_the_administration_center_is_shown() {
    let stack = Deployment::default().with("PRODUCT_URL", "https://product.contoso.example/").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let at = async |path: &str, session: Option<&str>| {
        let call = session.into_iter().fold(Call::get(path), Call::session);
        stack.call("portal", call).await
    };
    let led = |answer: &Answer| (answer.status == 303).then(|| answer.headers["location"].clone());
    assert!(html(&at("/administration", None).await).contains("data-form=\"sign-in\""));
    for path in ["/administration/password", "/administration/create"] {
        assert_eq!(led(&at(path, None).await).as_deref(), Some("/administration"));
        assert_eq!(led(&at(path, Some(&"A".repeat(43))).await).as_deref(), Some("/administration"));
    }

    let temporary = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    assert_eq!(led(&at("/administration", Some(&temporary)).await).as_deref(), Some("/administration/password"));
    assert_eq!(led(&at("/administration/create", Some(&temporary)).await).as_deref(), Some("/administration"));
    let page = html(&at("/administration/password", Some(&temporary)).await);
    assert!(page.contains(words().password_rule) && page.contains("autocomplete=\"new-password\""));
    assert!(page.contains("sign in again with the temporary password until <time"));

    let reset = stack.call("reset-password", Call::reset_password(&temporary, "seven green boats at noon")).await;
    let session = reset.session().unwrap();
    assert_eq!(led(&at("/administration", Some(&session)).await).as_deref(), Some("/administration/create"));
    let page = html(&at("/administration/create", Some(&session)).await);
    assert!(page.contains(">admin@fabrikam</span> will be closed once you sign in with your new account."));
    assert!(page.contains("data-suffix=\"@fabrikam\""));

    let create = Call::create_admin(&session, "lee@fabrikam", "a quiet lamp over the harbour");
    stack.call("create-admin", create).await;
    let lee = stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await.session().unwrap();
    let home = html(&at("/administration", Some(&lee)).await);
    let add_second = escaped(words().add_second);
    for part in ["Open Contoso Online Suite", "https://product.contoso.example/", "Fabrikam, Inc.", &add_second] {
        assert!(home.contains(part), "{part}");
    }
    let add = html(&at("/administration/create", Some(&lee)).await);
    assert!(add.contains(words().create_another_title) && add.contains("data-form=\"add\""));
    assert!(
        !add.contains("name=\"password\"") && add.contains("name=\"current_password\""),
        "an administrator chooses no password for a colleague"
    );
    assert!(html(&at("/administration/password", Some(&lee)).await).contains("data-form=\"change\""));
    stack.add_administrator(&lee, "a quiet lamp over the harbour", "mo@fabrikam").await;
    let home = html(&at("/administration", Some(&lee)).await);
    assert!(home.contains("Administrators: 2") && home.contains("mo@fabrikam") && !home.contains(&add_second));
    assert!(html(&at("/administration", Some(&session)).await).contains("data-form=\"sign-in\""), "it is retired");
}

#[tokio::test]
async fn the_portal_reads_the_table_and_does_nothing_else() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    stack.cloud.clear_requests();
    page_of(&stack, &stack.token("dana@fabrikam.example")).await;
    for path in ["/administration", "/administration/password", "/administration/create"] {
        stack.call("portal", Call::get(path).session(&session)).await;
    }
    let team = Team::start().await;
    team.stack.cloud.clear_requests();
    let questions = ["reset", "remove"].map(|act| format!("/administration/{act}/{}", team.mos_id));
    let pages = ["", "/create", "/password", "/removed"].map(|page| format!("/administration{page}"));
    for path in pages.iter().chain(&questions) {
        let answer = team.stack.call("portal", Call::get(path).session(&team.lee)).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let requests = [stack, team.stack].map(|stack| stack.cloud.requests());
    let asked: Vec<_> = requests.into_iter().flatten().map(|request| request.operation).collect();
    let reads = ["Query", "BatchGetItem", "GetItem"];
    assert!(asked.iter().all(|call| reads.contains(&call.as_str())), "{asked:?}");
}

/// A browser must not send a credential to a spelling or translation service, or change it.
#[tokio::test]
async fn no_browser_feature_touches_a_password_field_or_a_shown_credential() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let set_password = Call::get("/administration/password").session(&temporary);
    let set_password = html(&stack.call("portal", set_password).await);
    let session = stack.service_administrator("sub-2", "admin-sub-2@fabrikam", "seven green boats at noon").await;
    let mut credentials = 0;
    let mut texts = vec![set_password, stack.cloud.inbox()[0].html.clone()];
    for page in pages(&stack, &session) {
        texts.push(html(&stack.call("portal", page).await));
    }
    let team = Team::start().await;
    let questions = ["reset", "remove"].map(|act| format!("/administration/{act}/{}", team.mos_id));
    for path in
        ["/administration/create", "/administration/password"].into_iter().chain(questions.each_ref().map(|it| &**it))
    {
        texts.push(html(&team.stack.call("portal", Call::get(path).session(&team.lee)).await));
    }
    for tag in texts.iter().flat_map(|text| text.split('<')).filter_map(|piece| Some(piece.split_once('>')?.0)) {
        let marks =
            ["type=\"password\"", "data-slot=\"password\"", "data-slot=\"user_name\"", "font-family:ui-monospace"];
        if marks.iter().any(|mark| tag.contains(mark)) {
            credentials += 1;
            for attribute in
                ["translate=\"no\"", "spellcheck=\"false\"", "autocapitalize=\"none\"", "autocorrect=\"off\""]
            {
                assert!(tag.contains(attribute), "{attribute} is missing in <{tag}>");
            }
        }
    }
    // The fields of the sign-in, of two forms before the hand-over and of four after it, the list's window with its two states, two sheets
    // for a colleague, and the mail.
    assert_eq!(credentials, 1 + 2 + 5 + 3 + 2 * 2 + 2);
}

#[tokio::test]
async fn every_text_that_a_script_uses_is_on_its_page() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let list = page_of(&stack, &stack.token("dana@fabrikam.example")).await;
    let sign_in = html(&stack.call("portal", Call::get("/administration")).await);
    for (page, name, texts) in [(list, "portal.", 25), (sign_in, "administration.", 25)] {
        let path = loaded(&page).into_iter().find(|path| path.contains(name)).unwrap();
        let script = stack.call("portal", Call::get(path)).await.body.as_str().unwrap().to_owned();
        let keys = Language::English.words().all().into_iter().map(|(key, _)| key);
        // `user_name` is the name of a field as well.
        let said: Vec<_> = keys.filter(|key| script.contains(&format!("'{key}'")) && *key != "user_name").collect();
        let names = said.iter().filter(|key| key.contains('_'));
        let missing: Vec<_> = names.clone().filter(|key| !page.contains(&format!("data-key=\"{key}\""))).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        assert!(names.count() >= texts, "{name}: {said:?}");
    }
}

/// Returns the visible texts of a page, each between two tags.
fn texts(page: &str) -> impl Iterator<Item = &str> {
    let pieces = page.split('<').filter_map(|piece| piece.split_once('>'));
    pieces.filter(|(tag, _)| !tag.starts_with("time ")).map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
}

#[tokio::test]
async fn every_text_is_translated_and_every_page_can_be_read_from_right_to_left() {
    let deployment = Deployment::default().with("PSEUDO_LANGUAGE", "true");
    let stack = deployment.with("PRODUCT_URL", "https://product.contoso.example/").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let reset = stack.call("reset-password", Call::reset_password(&temporary, "seven green boats at noon")).await;
    let session = reset.session().unwrap();
    // Names and addresses are not translated.
    let names = [
        "Contoso Online Suite",
        "Fabrikam, Inc.",
        "admin@fabrikam",
        "@fabrikam",
        "support@contoso.example",
        "English",
        "Deutsch",
    ];
    let marks = [":", ",", ".", "·", "(", ")"];
    for page in pages(&stack, &session) {
        let page = html(&stack.call("portal", page.query("language=qps")).await);
        assert!(page.contains("<html lang=\"qps\" dir=\"rtl\">"));
        for text in texts(&page) {
            let known = names.contains(&text) || marks.contains(&text) || text.contains('[') || text.contains(']');
            assert!(known, "{text:?} is not translated");
        }
    }
}

#[tokio::test]
async fn the_pseudo_language_is_no_language_without_its_setting() {
    let stack = TestStack::start().await;
    let chosen = stack.call("portal", Call::get("/help").query("language=qps")).await;
    assert!(!chosen.headers.contains_key("set-cookie"), "{:?}", chosen.headers);
    let kept = stack.call("portal", Call::get("/help").header("cookie", "__Host-language=qps")).await;
    for answer in [chosen, kept] {
        assert_eq!(answer.headers["content-language"], "en");
        assert!(html(&answer).starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"));
    }
}

#[tokio::test]
async fn the_history_is_a_page_in_both_languages_with_the_whole_to_download() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let (dana, kim) = (stack.token("dana@fabrikam.example"), stack.token("kim@fabrikam.example"));
    stack.retrieve(&kim, "sub-1", "click").await;
    assert!(page_of(&stack, &dana).await.contains("href=\"/history/sub-1\""));
    let call = || Call::get("/history/sub-1").cookie("__Host-customer", &dana);
    for language in Language::ALL {
        let w = language.words();
        let page = html(&stack.call("portal", call().header("accept-language", language.code())).await);
        for text in [w.history, w.entry_issued, w.entry_retrieved, w.history_json_lines, w.history_csv] {
            assert!(page.contains(&escaped(text)), "{text}");
        }
        assert!(page.contains("k•@fabrikam.example") && !page.contains("kim@"), "{page}");
    }
    let page = html(&stack.call("portal", call()).await);
    for format in ["json-lines", "csv"] {
        assert!(page.contains(&format!("href=\"/subscriptions/sub-1/history?format={format}\"")), "{page}");
    }
    assert!(!page.contains("rel=\"next\""), "it has one page");
}

#[tokio::test]
async fn the_history_has_pages_of_its_own_and_an_invalid_cursor_shows_the_first() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mut entry = stack.items("EVENT#").await.remove(0);
    let mut items = Vec::new();
    for seq in 2..=60 {
        entry["SK"]["S"] = format!("EVENT#{seq:010}").into();
        items.push(entry.clone());
    }
    let mut credential = stack.items("CREDENTIAL").await.remove(0);
    credential["seq"]["N"] = "60".into();
    items.push(credential);
    Table::connect(&stack.cloud.aws_url(), "test").put_all(&items).await;
    let call = Call::get("/history/sub-1").cookie("__Host-customer", &stack.token("dana@fabrikam.example"));
    let first = html(&stack.call("portal", call.clone()).await);
    assert_eq!(first.matches("<tr><td>").count(), 49);
    let next = first.split("href=\"/history/sub-1?").nth(1).unwrap().split('"').next().unwrap();
    let last = html(&stack.call("portal", call.clone().query(next)).await);
    assert_eq!(last.matches("<tr><td>").count(), 11);
    assert!(last.contains("href=\"/history/sub-1\"") && !last.contains("rel=\"next\""), "{last}");
    assert_eq!(html(&stack.call("portal", call.query("cursor=x")).await), first);
}

#[tokio::test]
async fn a_history_does_not_exist_for_a_stranger_and_a_visitor_signs_in_first() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mallory = stack.token("mallory@elsewhere.example");
    let pages = ["sub-1", "sub-2", "not.an.id", "sub-1/", ""].map(|id| format!("/history/{id}"));
    for path in &pages {
        let call = Call::get(path).cookie("__Host-customer", &mallory).header("accept", "text/html");
        let answer = stack.call("portal", call).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(html(&answer).contains(words().not_found_title), "{path}");
    }
    let visitor = html(&stack.call("portal", Call::get("/history/sub-1")).await);
    assert!(visitor.contains("/auth/sign-in?return=%2Fhistory%2Fsub-1"), "{visitor}");
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "Query", Mode::Throttled, 100));
    let answer = stack.call("portal", Call::get("/history/sub-1").cookie("__Host-customer", &dana)).await;
    assert_eq!(answer.status, 503);
    assert!(html(&answer).contains(&escaped(words().history_unavailable)));
}

#[tokio::test]
async fn a_sign_in_for_the_product_shows_the_form_also_to_a_session_and_leads_back_to_the_request_alone() {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    let at = async |query: &str| {
        html(&stack.call("portal", Call::get("/administration/sign-in").query(query).session(&session)).await)
    };
    let page = at("continue=a%3D1%26b%3D%22%3E%3Cscript%3E").await;
    for part in [
        "data-form=\"sign-in\" data-continue=\"/oidc/continue?a=1&#38;b=&#34;&#62;&#60;script&#62;\"",
        "href=\"?continue=a%3D1%26b%3D%22%3E%3Cscript%3E&#38;language=de\"",
        words().continue_sign_in,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for query in ["", "continue=", &format!("continue={}", "a".repeat(8 * 1024 + 1))] {
        let page = at(query).await;
        assert!(page.contains("data-form=\"sign-in\"") && !page.contains("data-continue"), "{query}: {page}");
    }
}
