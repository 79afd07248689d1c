//! The support desk: what operators find and see, in JSON and on pages, and that no one else sees anything of it.

use std::collections::BTreeSet;

use cloud::Feedback;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event, table::Table};
use words::{Language, Words};

use crate::no_leaks::log;

pub(crate) const OLIVIA: &str = "olivia@contoso.example";
const DANA: &str = "dana@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";
const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";

fn words() -> &'static Words {
    Language::English.words()
}

pub(crate) fn deployment() -> Deployment {
    Deployment::default().with("VENDOR_NAME", "Contoso")
}

async fn started() -> TestStack {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Returns a stack whose subscription has an administrator, and its last session.
pub(crate) async fn handed_over() -> TestStack {
    let stack = deployment().start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let create = Call::post("/administrators").session(&session).json(&json!({
        "user_name": "lee@fabrikam", "display_name": "Lee Ahmadi", "password": OTHER, "email": "lee@fabrikam.example",
    }));
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    stack
}

pub(crate) async fn ask(stack: &TestStack, path: &str, query: &str) -> Answer {
    let call = Call::get(path).query(query).bearer(&stack.operator_token(OLIVIA));
    stack.call("support-desk", call).await
}

/// Returns a page as a browser with a session of Olivia's gets it.
pub(crate) fn visit(stack: &TestStack, path: &str) -> Call {
    Call::get(path).header("accept", "text/html").cookie("__Host-desk", &stack.operator_token(OLIVIA))
}

pub(crate) async fn page(stack: &TestStack, call: Call) -> String {
    let answer = stack.call("support-desk", call).await;
    assert!(answer.headers["content-type"].starts_with("text/html"), "{answer:?}");
    answer.body.as_str().unwrap().to_owned()
}

async fn found(stack: &TestStack, query: &str) -> Vec<String> {
    let answer = ask(stack, "/desk/api/subscriptions", query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = answer.body["subscriptions"].as_array().unwrap().iter();
    rows.map(|row| row["subscription_id"].as_str().unwrap().to_owned()).collect()
}

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Closes an account as a hundred wrong passwords from unknown networks do.
pub(crate) async fn close(stack: &TestStack, user_name: &str) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let key = format!("ATTEMPTS#{user_name}");
    table.put(&json!({ "PK": { "S": key }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "100" } })).await;
}

#[tokio::test]
async fn a_subscription_is_found_by_each_of_the_five_keys_and_by_no_part_of_one() {
    let stack = started().await;
    let message = Call::contact_support("sub-1", "It does not work.").bearer(&stack.token(DANA));
    let reference = stack.call("contact-support", message).await.body["reference"].as_str().unwrap().to_owned();
    stack.cloud.clear_requests();
    for query in
        ["sub-1", "admin%40fabrikam", "dana%40fabrikam.example", "it%40fabrikam.example", "fabrikam", &reference]
    {
        assert_eq!(found(&stack, &format!("query={query}")).await, ["sub-1"], "{query}");
    }
    for query in ["sub", "SUB-1x", "dana%40", "fabrika", "Fabrikam%2C+Inc.", "mallory%40fabrikam.example", "%00", ""] {
        assert_eq!(found(&stack, &format!("query={query}")).await, Vec::<String>::new(), "{query}");
    }
    let asked = stack.cloud.requests().into_iter().filter(|request| request.function == "support-desk");
    let asked: BTreeSet<String> = asked.map(|request| request.operation).collect();
    assert_eq!(asked, ["BatchGetItem", "GetItem", "Query"].map(str::to_owned).into());
    let row = ask(&stack, "/desk/api/subscriptions", "query=sub-1").await.body["subscriptions"][0].take();
    let expected = json!({
        "subscription_id": "sub-1", "product": "Contoso Online Suite", "kind": "trial", "state": "issued",
        "company": { "id": "fabrikam", "name": "Fabrikam, Inc." }, "user_name": "admin@fabrikam",
    });
    assert_eq!(row, expected);
    for query in ["", "query=sub-1&cursor=%25"] {
        assert_eq!(ask(&stack, "/desk/api/subscriptions", query).await.problem(), Some("invalid-request"));
    }
}

#[tokio::test]
async fn what_a_company_has_is_found_page_by_page() {
    let stack = deployment().start().await;
    for n in 0..30 {
        assert_eq!(stack.publish(event(&format!("sub-{n:02}"), "trial")).await, json!([]));
    }
    let first = ask(&stack, "/desk/api/subscriptions", "query=fabrikam").await;
    let next = format!("query=fabrikam&cursor={}", first.body["next"].as_str().unwrap());
    let (first, second) = (found(&stack, "query=fabrikam").await, found(&stack, &next).await);
    assert!(first.len() <= 25 && second.len() <= 25);
    let all: Vec<String> = (0..30).map(|n| format!("sub-{n:02}")).collect();
    assert_eq!([&*first, &*second].concat(), all);
    let start = page(&stack, visit(&stack, "/desk/subscriptions").query("query=fabrikam")).await;
    assert_eq!(start.matches("<h2><a href=\"/desk/subscriptions/").count(), first.len());
    assert!(start.contains(&format!("href=\"/desk/subscriptions?{}\"", next.replace('&', "&amp;"))));
    let end = page(&stack, visit(&stack, "/desk/subscriptions").query(&next)).await;
    assert!(end.contains("sub-29") && end.contains(words().first_page) && !end.contains(words().next_page));
}

#[tokio::test]
async fn an_operator_sees_everything_about_a_subscription_but_no_password_and_no_network() {
    let stack = handed_over().await;
    close(&stack, "lee@fabrikam").await;
    let answer = ask(&stack, "/desk/api/subscriptions/sub-1", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = &answer.body;
    let expected = "actions administrators approval company credentials email issue kind portal_users product retrievals \
                    service_administrator started_at subscription_id support_requests user_name welcome_mail";
    assert_eq!(fields(body), expected.split_whitespace().collect());
    assert_eq!(
        (&body["email"], &body["welcome_mail"]["to"]),
        (&json!("it@fabrikam.example"), &json!("it@fabrikam.example"))
    );
    let addresses: BTreeSet<&str> =
        body["portal_users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(addresses, [DANA, KIM, "it@fabrikam.example"].into());
    assert_eq!(fields(&body["portal_users"][0]), ["added_at", "email", "principal"].into());
    let lee = &body["administrators"][0];
    let expected = "account_id closed display_name email last_signed_in_at status user_name";
    assert_eq!(fields(lee), expected.split_whitespace().collect());
    assert_eq!((&lee["user_name"], &lee["email"]), (&json!("lee@fabrikam"), &json!("lee@fabrikam.example")));
    assert_eq!(
        (&body["service_administrator"]["user_name"], &body["approval"]),
        (&json!("admin@fabrikam"), &Value::Null)
    );
    assert_eq!(body["credentials"]["state"], "handed-over");
    let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await + &body.to_string();
    for secret in [CHOSEN, OTHER, "192.0.2", "argon2", "type=\"password\"", "sealed"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn retrievals_and_requests_have_who_and_when() {
    let stack = started().await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    let message = Call::contact_support("sub-1", "It does not work.").bearer(&stack.token(DANA));
    let reference = stack.call("contact-support", message).await.body["reference"].take();
    let body = ask(&stack, "/desk/api/subscriptions/sub-1", "").await.body;
    let retrieved = &body["retrievals"]["history"][0];
    assert_eq!((&retrieved["by"], &retrieved["you"]), (&json!(KIM), &json!(false)));
    assert_eq!(body["credentials"]["last_retrieved"], *retrieved);
    let counts = ["allowed", "used", "remaining"].map(|name| body["retrievals"][name].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 2]);
    let request = &body["support_requests"][0];
    assert_eq!((&request["reference"], &request["by"]), (&reference, &json!(DANA)));
    assert!(!body.to_string().contains("does not work"), "the message is in the vendor's own system");
}

#[tokio::test]
async fn the_history_has_whole_addresses_operators_and_reasons() {
    let stack = started().await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    put_reissue(&stack).await;
    let answer = ask(&stack, "/desk/api/subscriptions/sub-1/history", "").await;
    let entries = answer.body["entries"].as_array().unwrap();
    let line = |entry: &Value| format!("{} by {}", entry["what"].as_str().unwrap(), entry["by"].as_str().unwrap());
    let lines: Vec<String> = entries.iter().map(line).collect();
    assert_eq!(lines, ["retrieved by kim@fabrikam.example", "reissued by Olivia Ortiz", "issued by vendor"]);
    assert_eq!(fields(&entries[1]), ["at", "by", "detail", "issue", "reason", "seq", "what", "you"].into());
    assert_eq!((&entries[1]["reason"], &entries[1]["you"]), (&json!("Ticket 4711"), &json!(false)));
    assert_eq!(answer.body["next"], Value::Null);
    let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
    for part in ["Olivia Ortiz", "Reason: Ticket 4711", KIM] {
        assert!(shown.contains(part), "{part}");
    }
    for path in ["sub-2", "not an id"] {
        let missing = ask(&stack, &format!("/desk/api/subscriptions/{path}/history"), "").await;
        assert_eq!((missing.status, missing.problem()), (404, Some("not-found")));
    }
}

/// Puts an entry of an operator by hand.
async fn put_reissue(stack: &TestStack) {
    let mut credential = stack.items("CREDENTIAL").await.remove(0);
    let who = json!({ "M": { "role": { "S": "operator" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } });
    let entry = json!({
        "PK": credential["PK"], "SK": { "S": "EVENT#0000000002" }, "what": { "S": "reissued" },
        "by": { "S": "Olivia Ortiz" }, "who": who, "at": { "N": "1794303000" }, "issue": { "N": "1" },
        "reason": { "S": "Ticket 4711" },
    });
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.put(&entry).await;
    credential["seq"]["N"] = "2".into();
    table.put(&credential).await;
}

/// Every path that an operator may ask for, and some that do not exist.
const PATHS: [&str; 10] = [
    "/desk",
    "/desk/subscriptions",
    "/desk/subscriptions/sub-1",
    "/desk/subscriptions/sub-2",
    "/desk/approvals",
    "/desk/nothing",
    "/desk/api/subscriptions",
    "/desk/api/subscriptions/sub-1",
    "/desk/api/subscriptions/sub-1/history",
    "/desk/api/approvals",
];

#[tokio::test]
async fn to_everyone_but_operators_every_path_is_not_found_with_the_same_bytes_and_nothing_is_read() {
    let stack = started().await;
    stack.warm_up().await;
    stack.cloud.clear_requests();
    let customer = stack.token(DANA);
    let tokens = [
        ("a customer's token", customer.clone()),
        ("no role", stack.operator_token_with(OLIVIA, &json!({ "roles": ["sales"] }))),
        ("no token", "no token".to_owned()),
    ];
    for accept in ["text/html", "application/json"] {
        let mut answers = BTreeSet::new();
        for path in PATHS {
            for (name, token) in &tokens {
                let calls = [Call::get(path).bearer(token), Call::get(path).cookie("__Host-desk", token)];
                for call in calls {
                    let answer = stack.call("support-desk", call.header("accept", accept).query("query=sub-1")).await;
                    assert_eq!(answer.status, 404, "{name}: {path}");
                    // A page of the desk has a body in HTML; its JSON is a problem document for every caller.
                    if path.starts_with("/desk/api") {
                        assert_eq!(answer.problem(), Some("not-found"), "{name}: {path}");
                    } else {
                        answers.insert(answer.body.to_string());
                    }
                }
            }
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    let without = stack.call("support-desk", Call::get("/desk/api/approvals")).await;
    assert_eq!((without.status, without.problem()), (404, Some("not-found")));
    assert!(stack.cloud.requests().is_empty(), "{:?}", stack.cloud.requests());
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let stack = started().await;
    stack.cloud.clear_requests();
    for path in PATHS.into_iter().filter(|path| !path.starts_with("/desk/api")) {
        let answer = stack.call("support-desk", Call::get(path).cookie("__Host-customer", "x")).await;
        let back = path.replace('/', "%2F");
        assert_eq!((answer.status, &*answer.headers["location"]), (303, &*format!("/desk/auth/sign-in?return={back}")));
    }
    assert!(stack.cloud.requests().is_empty());
}

#[tokio::test]
async fn what_no_function_of_the_desk_has_is_not_found() {
    let stack = started().await;
    let olivia = stack.operator_token(OLIVIA);
    for call in [
        Call::get("/desk/api/nothing").bearer(&olivia),
        Call::get("/desk/api/accounts/lee%40fabrikam").bearer(&olivia),
        Call::post("/desk/api/subscriptions/sub-1").bearer(&olivia),
        Call::post("/desk").bearer(&olivia),
        Call::get("/deskx").bearer(&olivia),
        Call::get("/desk/auth/x"),
        Call::get("/desk/assets/style.css"),
    ] {
        let answer = stack.call("support-desk", call).await;
        assert_eq!((answer.status, answer.problem()), (404, Some("not-found")), "{answer:?}");
    }
}

#[tokio::test]
async fn every_page_has_a_strict_policy_and_loads_files_that_are_kept_for_ever() {
    let stack = handed_over().await;
    let mut seen = BTreeSet::new();
    for path in
        ["/desk", "/desk/subscriptions?query=fabrikam", "/desk/subscriptions/sub-1", "/desk/approvals", "/desk/x"]
    {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let answer = stack.call("support-desk", visit(&stack, path).query(query)).await;
        let policy = &answer.headers["content-security-policy"];
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'"),
            "{policy}"
        );
        assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let html = answer.body.as_str().unwrap();
        assert!(!html.contains("style=") && !html.contains("onclick") && !html.contains("<script>"));
        assert!(!html.contains("type=\"password\""));
        let marks = html.match_indices("\"/desk/assets/").map(|(at, _)| &html[at + 1..]);
        seen.extend(marks.map(|rest| rest[..rest.find('"').unwrap()].to_owned()));
    }
    for path in &seen {
        let file = stack.call("support-desk", Call::get(path)).await;
        assert_eq!((file.status, &*file.headers["cache-control"]), (200, "public, max-age=31536000, immutable"));
    }
    let names: Vec<&str> = seen.iter().map(|path| path.split(['/', '.']).nth(3).unwrap()).collect();
    assert_eq!(names, ["desk", "icon", "style"]);
}

#[tokio::test]
async fn nothing_of_a_request_or_an_event_is_markup() {
    let stack = deployment().start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["product"] = json!("<script>alert(1)</script>\"'&{at}");
    started["detail"]["company"]["name"] = json!("\"><img src=x onerror=alert(1)>");
    stack.start_subscription(started).await;
    let evil = "query=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%3E%3Cb%3E";
    for call in [
        visit(&stack, "/desk/subscriptions").query(evil),
        visit(&stack, "/desk/subscriptions").query("query=fabrikam"),
        visit(&stack, "/desk/subscriptions/sub-1"),
        visit(&stack, "/desk/%3Cb%3E").query("language=%3Cb%3E&query=%22%3E%3Cb%3E"),
    ] {
        let page = page(&stack, call).await;
        for markup in ["<script>alert", "<img", "<b>"] {
            assert!(!page.contains(markup), "{page}");
        }
    }
    let token = stack.operator_token_with(OLIVIA, &json!({ "email": null, "name": "<b>Olivia</b>" }));
    let call = Call::get("/desk").header("accept", "text/html").cookie("__Host-desk", &token);
    assert!(page(&stack, call).await.contains("&#60;b&#62;Olivia&#60;/b&#62;"));
}

#[tokio::test]
async fn the_page_says_what_to_do_next() {
    let stack = started().await;
    let shown = async || page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert!(shown().await.contains("Ask the customer to get the credentials in the Customer Portal"));
    stack.cloud.report("it@fabrikam.example", Feedback::Bounced).await.unwrap();
    stack.cloud.drained().await.unwrap();
    assert!(shown().await.contains(words().desk_next_mail));
    for click in ["one", "two", "three"] {
        stack.retrieve(&stack.token(KIM), "sub-1", click).await;
    }
    assert!(shown().await.contains(words().desk_next_used_up));
    stack.advance_clock(604_800);
    assert!(shown().await.contains("Reissue the credentials, because the temporary password expired"));
}

#[tokio::test]
async fn a_closed_account_can_be_unlocked_and_no_other() {
    let stack = handed_over().await;
    stack.advance_clock(1);
    stack.sign_in("lee@fabrikam", OTHER).await.session().expect("signs in");
    let shown = async || page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert!(!shown().await.contains("data-act=\"unlock\""));
    close(&stack, "lee@fabrikam").await;
    let page = shown().await;
    assert!(page.contains("data-path=\"/desk/api/accounts/lee%40fabrikam/unlock\""), "{page}");
    assert!(page.contains("Make sure who is calling, then unlock"));
}

#[tokio::test]
async fn a_look_is_a_log_line_with_the_operator_and_the_subscription_and_no_address() {
    let stack = started().await;
    log();
    for path in ["/desk/subscriptions/sub-1", "/desk/api/subscriptions/sub-1", "/desk/api/subscriptions/sub-1/history"]
    {
        assert_eq!(stack.call("support-desk", visit(&stack, path)).await.status, 200);
    }
    let text = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let looks: Vec<Value> = lines.filter(|line| line["message"] == "an operator looked").collect();
    let at: Vec<&str> = looks.iter().map(|look| look["at"].as_str().unwrap()).collect();
    assert_eq!(at, ["subscription page", "subscription", "history"], "{text}");
    for look in &looks {
        assert_eq!((&look["subscription"], look["operator"].as_str().unwrap().len()), (&json!("sub-1"), 22));
    }
    assert!(!text.contains(OLIVIA) && !text.contains(DANA), "{text}");
}
