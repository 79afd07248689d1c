//! The history: who sees it, what they see of it, its pages, and the file.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Call, TestStack, event, table::Table};

const WEEK: i64 = 604_800;
const DANA: &str = "dana@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";
const STRANGER: &str = "mallory@elsewhere.example";
const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";

/// The most items that a page reads, and those that precede them: three retrievals, and the failure of the mail.
const PAGE: usize = 50;

async fn started() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

async fn ask(stack: &TestStack, who: &str, query: &str) -> Answer {
    let call = Call::show_history("sub-1").bearer(&stack.token(who)).query(query);
    stack.call("show-history", call).await
}

async fn entries(stack: &TestStack, who: &str) -> Vec<Value> {
    let answer = ask(stack, who, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["entries"].as_array().unwrap().clone()
}

/// Returns `what by` of each entry, and its number.
fn lines(entries: &[Value]) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    entries.iter().map(|entry| format!("{} {} by {}", entry["seq"], text(entry, "what"), text(entry, "by"))).collect()
}

/// Puts entries by hand, up to the number `last`, as a later release or an earlier one could have.
async fn put(stack: &TestStack, last: u64, attributes: &Value) {
    let credential = stack.items("CREDENTIAL").await.remove(0);
    let first = credential["seq"]["N"].as_str().unwrap().parse::<u64>().unwrap() + 1;
    let entry = |seq: u64| {
        let mut entry = attributes.clone();
        entry["PK"] = credential["PK"].clone();
        entry["SK"] = json!({ "S": format!("EVENT#{seq:010}") });
        entry["at"] = json!({ "N": (1_794_303_000 + seq).to_string() });
        entry["issue"] = json!({ "N": "1" });
        entry
    };
    let items: Vec<Value> = (first..=last).map(entry).collect();
    let table = Table::connect(&stack.cloud.aws_url(), "test");
    table.put_all(&items).await;
    let mut credential = credential;
    credential["seq"]["N"] = last.to_string().into();
    table.put(&credential).await;
}

/// An entry of a portal user, as a transaction writes it.
fn renewed() -> Value {
    let who = json!({ "M": { "role": { "S": "customer" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } });
    json!({ "what": { "S": "renewed" }, "by": { "S": KIM }, "confirmed": { "BOOL": true }, "who": who })
}

#[tokio::test]
async fn portal_users_see_what_happened_newest_first_with_their_own_address_alone() {
    let stack = started().await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    stack.advance_clock(1);
    stack.retrieve(&stack.token(DANA), "sub-1", "click").await;
    let before = entries(&stack, DANA).await;
    let expected = [
        "null retrieved by dana@fabrikam.example".to_owned(),
        "null retrieved by k•@fabrikam.example".to_owned(),
        "1 issued by vendor".to_owned(),
    ];
    assert_eq!(lines(&before), expected, "before the first sign-in");
    assert_eq!([&before[0]["you"], &before[1]["you"], &before[2]["you"]], [true, false, false]);
    stack.advance_clock(1);
    stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    let expected = [
        "4 signed-in by admin@fabrikam".to_owned(),
        "3 retrieved by d•@fabrikam.example".to_owned(),
        "2 retrieved by kim@fabrikam.example".to_owned(),
        "1 issued by vendor".to_owned(),
    ];
    let after = entries(&stack, KIM).await;
    assert_eq!(lines(&after), expected, "the sign-in has moved the retrievals");
    let fields: Vec<&str> = after[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["at", "by", "detail", "issue", "seq", "what", "you"]);
    assert_eq!((&after[0]["issue"], &after[0]["detail"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn a_person_without_a_confirmed_address_is_known_by_the_end_of_their_subject() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([
        { "issuer": stack.provider.issuer(), "subject": "ceo@fabrikam.example" }, { "email": DANA },
    ]);
    stack.start_subscription(started).await;
    let claims = json!({ "sub": "ceo@fabrikam.example", "email": null });
    stack.retrieve(&stack.token_with("ceo@fabrikam.example", &claims), "sub-1", "click").await;
    let by = entries(&stack, DANA).await.remove(0)["by"].take();
    assert_eq!(by, "an account without a confirmed address (…xample)");
}

#[tokio::test]
async fn an_administrator_sees_the_history_of_their_own_subscription_alone() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OTHER)).await;
    stack.advance_clock(1);
    let lee = stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap();
    let answer = stack.call("show-history", Call::show_history("sub-1").session(&lee)).await;
    let entries = answer.body["entries"].as_array().unwrap();
    let expected = [
        "6 service-administrator-retired by lee@fabrikam",
        "5 administrator-signed-in by lee@fabrikam",
        "4 administrator-created by admin@fabrikam",
        "3 password-changed by admin@fabrikam",
    ];
    assert_eq!(lines(entries)[..4], expected);
    let details: Vec<&Value> = entries[..4].iter().map(|entry| &entry["detail"]).collect();
    assert_eq!(details, [&json!("admin@fabrikam"), &Value::Null, &json!("lee@fabrikam"), &Value::Null]);
    assert_eq!((&entries[1]["you"], &entries[2]["you"]), (&json!(true), &json!(false)));
    let mut other = event("sub-2", "trial");
    other["detail"]["company"]["id"] = "tailspin".into();
    stack.start_subscription(other).await;
    for subscription in ["sub-2", "sub-3", "not an id"] {
        let answer = stack.call("show-history", Call::show_history(subscription).session(&lee)).await;
        assert_eq!((answer.status, answer.problem()), (404, Some("not-found")), "{subscription}");
    }
    let retired = stack.call("show-history", Call::show_history("sub-1").session(&service)).await;
    assert_eq!((retired.status, retired.problem()), (401, Some("not-signed-in")), "its account is retired");
}

#[tokio::test]
async fn a_session_that_must_choose_a_password_sees_nothing() {
    let stack = started().await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let answer = stack.call("show-history", Call::show_history("sub-1").session(&session)).await;
    assert_eq!((answer.status, answer.problem()), (404, Some("not-found")));
}

#[tokio::test]
async fn to_a_stranger_a_subscription_does_not_exist() {
    let stack = started().await;
    let mut answers = Vec::new();
    for subscription in ["sub-1", "sub-2", "not an id"] {
        let call = Call::show_history(subscription).bearer(&stack.token(STRANGER));
        let answer = stack.call("show-history", call).await;
        answers.push((answer.status, answer.problem().map(ToOwned::to_owned)));
    }
    assert!(answers.iter().all(|answer| *answer == (404, Some("not-found".to_owned()))), "{answers:?}");
    for call in [Call::show_history("sub-1"), Call::show_history("sub-1").session(&"A".repeat(43))] {
        let answer = stack.call("show-history", call).await;
        assert_eq!((answer.status, answer.problem()), (401, Some("not-signed-in")));
    }
}

#[tokio::test]
async fn a_stranger_who_is_an_administrator_sees_it_as_one() {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let call = Call::show_history("sub-1").bearer(&stack.token(STRANGER)).session(&session);
    assert_eq!(stack.call("show-history", call).await.status, 200);
}

#[tokio::test]
async fn an_operator_is_support_without_a_name() {
    let stack = started().await;
    let who = json!({ "M": { "role": { "S": "operator" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } });
    let reissued = json!({
        "what": { "S": "reissued" }, "by": { "S": "olivia@contoso.example" }, "who": who,
        "reason": { "S": "The customer called." }, "account": { "S": "olivia@contoso" },
        "detail": { "S": "The customer called." },
    });
    put(&stack, 2, &reissued).await;
    let newest = entries(&stack, DANA).await.remove(0);
    let at = &newest["at"];
    let expected = json!({
        "seq": 2, "at": at, "what": "reissued", "by": "support", "you": false, "issue": 1, "detail": null,
    });
    assert_eq!(newest, expected);
    for format in ["json-lines", "csv"] {
        let file = ask(&stack, DANA, &format!("format={format}")).await.body.to_string();
        assert!(file.contains("support") && !file.contains("olivia") && !file.contains("called"), "{file}");
    }
}

#[tokio::test]
async fn customers_see_how_an_approval_ended_and_which_account_was_unlocked_and_nothing_else_of_the_desk() {
    let stack = started().await;
    let who = json!({ "M": { "role": { "S": "operator" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } });
    let acts = [
        ("approval-requested", "detail", "add-portal-user", Value::Null),
        ("approval-decided", "detail", "rejected", "rejected".into()),
        ("portal-user-removed", "detail", KIM, Value::Null),
        ("account-unlocked", "account", "lee@fabrikam", "lee@fabrikam".into()),
    ];
    for (seq, (what, name, value, _)) in (2..).zip(&acts) {
        let mut entry = json!({
            "what": { "S": what }, "by": { "S": "olivia@contoso.example" }, "confirmed": { "BOOL": true }, "who": who,
            "reason": { "S": "The customer called." },
        });
        entry[*name] = json!({ "S": value });
        put(&stack, seq, &entry).await;
    }
    let shown = entries(&stack, DANA).await;
    for (entry, (what, _, _, detail)) in shown.iter().zip(acts.iter().rev()) {
        let expected = (&json!(what), &json!("support"), detail);
        assert_eq!((&entry["what"], &entry["by"], &entry["detail"]), expected);
    }
    for format in ["json-lines", "csv"] {
        let file = ask(&stack, DANA, &format!("format={format}")).await.body.to_string();
        assert!(!file.contains("olivia") && !file.contains("called") && !file.contains(KIM), "{file}");
    }
}

#[tokio::test]
async fn entries_of_the_first_release_are_shown_and_are_never_the_readers() {
    let stack = started().await;
    put(&stack, 2, &json!({ "what": { "S": "retrieved" }, "by": { "S": DANA } })).await;
    put(&stack, 3, &json!({ "what": { "S": "retrieved" }, "by": { "S": "8f3c-0123456789" } })).await;
    put(&stack, 4, &json!({ "what": { "S": "signed-in" }, "by": { "S": "admin@fabrikam.example" } })).await;
    let shown = entries(&stack, DANA).await;
    let expected = [
        "4 signed-in by admin@fabrikam.example",
        "3 retrieved by an account without a confirmed address (…456789)",
        "2 retrieved by d•@fabrikam.example",
        "1 issued by vendor",
    ];
    assert_eq!(lines(&shown), expected);
    assert!(shown.iter().all(|entry| entry["you"] == false));
}

/// Lets the subscription's mail have failed.
async fn fail_mail(stack: &TestStack, status: &str, rank: u64, detail: &str) {
    let mut mail = stack.items("MAIL").await.remove(0);
    mail["status"]["S"] = status.into();
    mail["rank"]["N"] = rank.to_string().into();
    mail["detail"] = json!({ "S": detail });
    Table::connect(&stack.cloud.aws_url(), "test").put(&mail).await;
}

#[tokio::test]
async fn a_mail_that_failed_is_shown_and_a_renewal_keeps_it_in_the_history() {
    for (status, rank, detail) in [
        ("undelivered", 27, "mailbox-full"),
        ("bounced", 40, "no-such-mailbox"),
        ("suppressed", 45, "suppressed"),
        ("complained", 50, "other"),
    ] {
        let stack = started().await;
        stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
        stack.advance_clock(1);
        fail_mail(&stack, status, rank, detail).await;
        let what = format!("mail-{status}");
        let before = entries(&stack, DANA).await;
        let failure = before.iter().find(|entry| entry["what"] == what).expect("is shown");
        assert_eq!(
            (&failure["seq"], &failure["by"], &failure["detail"]),
            (&Value::Null, &"vendor".into(), &detail.into())
        );
        stack.advance_clock(WEEK);
        let renewed =
            stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&stack.token(DANA))).await;
        assert_eq!(renewed.status, 202);
        stack.cloud.drained().await.unwrap();
        let history = stack.history("sub-1").await;
        let expected =
            ["issued by vendor", &format!("retrieved by {KIM}"), &format!("{what} by vendor")].map(String::from);
        assert_eq!(history[..3], expected);
        assert_eq!(history[3], format!("renewed by {DANA}"));
        let after = entries(&stack, DANA).await;
        let kept = after.iter().find(|entry| entry["seq"] == 3).unwrap();
        let fields = ["what", "at", "by", "issue", "detail"];
        assert_eq!(fields.map(|name| &kept[name]), fields.map(|name| &failure[name]));
        // Nothing is mailed to an address that takes no mail, which is a failure of the next issue's mail from its beginning.
        let unsent = after.iter().filter(|entry| entry["seq"].is_null()).count();
        assert_eq!(unsent, usize::from(status != "undelivered"), "{after:?}");
    }
}

#[tokio::test]
async fn each_page_is_one_query_of_fifty_items_and_one_read_however_long_the_history_is() {
    let stack = started().await;
    stack.warm_up().await;
    let (mut seen, mut units) = (Vec::new(), Vec::new());
    for last in [10, 10_000] {
        put(&stack, last, &renewed()).await;
        let (mut query, mut pages) = (String::new(), 0);
        seen.clear();
        while pages < 4 {
            stack.cloud.clear_requests();
            let page = ask(&stack, DANA, &query).await;
            let requests = stack.cloud.requests();
            let operations: Vec<&str> = requests.iter().map(|request| request.operation.as_str()).collect();
            assert_eq!(operations, ["GetItem", "Query"]);
            assert!(requests.iter().all(|request| request.consumed_capacity.unwrap() <= 4.0), "{requests:?}");
            units.push(requests[1].consumed_capacity.unwrap());
            let entries = page.body["entries"].as_array().unwrap();
            assert!(entries.len() <= PAGE);
            seen.extend(entries.iter().map(|entry| entry["seq"].as_u64().unwrap()));
            pages += 1;
            match page.body["next"].as_str() {
                Some(next) => query = format!("cursor={next}"),
                None => break,
            }
        }
        let expected: Vec<u64> = (1..=last).rev().take(seen.len()).collect();
        assert_eq!(seen, expected, "no gap, and nothing twice");
        assert_eq!(pages, if last == 10 { 1 } else { 4 });
    }
    assert_eq!(seen.len(), 4 * PAGE - 1, "the first query reads the mail as well");
    assert!(units[1..].iter().all(|one| *one >= units[0]), "{units:?}");

    let end = ask(&stack, DANA, "cursor=NTE").await;
    assert_eq!((end.body["entries"].as_array().unwrap().len(), &end.body["next"]), (PAGE, &Value::Null));

    for (format, header) in [("json-lines", 0), ("csv", 1)] {
        stack.cloud.clear_requests();
        let begun = Instant::now();
        let file = ask(&stack, DANA, &format!("format={format}")).await;
        let took = begun.elapsed();
        println!("show-history: a {format} file of 10,000 entries took {took:?}");
        assert!(file.status == 200 && took < Duration::from_secs(10), "{took:?}, {file:?}");
        let text = file.body.as_str().unwrap();
        assert_eq!(text.lines().count(), 10_000 + header);
        assert!(!text.contains("truncated"));
        assert_eq!(stack.cloud.requests().len(), 12, "the credential, and a query for each thousand items");
    }
    put(&stack, 10_001, &renewed()).await;
    let file = ask(&stack, DANA, "format=json-lines").await;
    let lines: Vec<Value> =
        file.body.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["seq"], &lines[9999]["seq"]), (10_001, &json!(10_001), &json!(2)));
    assert_eq!(lines[10_000]["truncated"], true);
}

#[tokio::test]
async fn a_file_has_the_entries_of_the_pages_and_is_saved_under_the_name_of_the_subscription() {
    let stack = started().await;
    let created = json!({
        "what": { "S": "administrator-created" }, "by": { "S": "admin@fabrikam" }, "account": { "S": "+1@fabrikam" },
        "who": { "M": { "role": { "S": "service-administrator" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } },
    });
    put(&stack, 2, &created).await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    let shown = entries(&stack, DANA).await;
    let jsonl = ask(&stack, DANA, "format=json-lines").await;
    let lines: Vec<Value> =
        jsonl.body.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, shown);
    assert_eq!(jsonl.headers["content-type"], "application/jsonl");
    assert_eq!(jsonl.headers["content-disposition"], "attachment; filename=\"history-sub-1.jsonl\"");
    let csv = ask(&stack, DANA, "format=csv").await;
    assert_eq!(csv.headers["content-disposition"], "attachment; filename=\"history-sub-1.csv\"");
    let text = csv.body.as_str().unwrap();
    let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(cells[0], ["seq", "at", "what", "by", "you", "issue", "detail"]);
    assert_eq!((cells[1][0], cells[1][2], cells[1][3]), ("", "retrieved", "k•@fabrikam.example"));
    assert_eq!(cells[2][6], "'+1@fabrikam", "a spreadsheet would run it");
}

#[tokio::test]
async fn a_malformed_cursor_and_an_unknown_format_are_invalid() {
    let stack = started().await;
    // `0`, `1`, `051`, `-5`, `10000000000`, and what is not base64url.
    let cursors = ["MA", "MQ", "MDUx", "LTU", "MTAwMDAwMDAwMDA", "%25", "NTE%3D", "NTF", "c3ViLTE"];
    let queries = cursors.iter().map(|cursor| format!("cursor={cursor}"));
    for query in queries.chain(["format=xml", "format=", "format=CSV"].map(String::from)) {
        let answer = ask(&stack, DANA, &query).await;
        assert_eq!((answer.status, answer.problem()), (400, Some("invalid-request")), "{query}");
    }
    let beyond = ask(&stack, DANA, "cursor=OTk5OQ").await;
    assert_eq!(lines(beyond.body["entries"].as_array().unwrap()), ["1 issued by vendor"], "after an entry to come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_between_the_two_reads_shows_no_retrieval_twice() {
    let stack = started().await;
    stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    let password = stack.mailed_password();
    let mut gate = stack.cloud.gate(|call| call.operation == "Query" && call.function == "show-history");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        stack.sign_in("admin@fabrikam", &password).await.session().expect("signs in");
        held.release().await;
    };
    let (shown, ()) = tokio::join!(entries(&stack, DANA), meanwhile);
    assert_eq!(lines(&shown), ["null retrieved by k•@fabrikam.example", "1 issued by vendor"]);
}
