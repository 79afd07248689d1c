//! The pages of the support desk: what each operator may decide, the texts of the script, and snapshots in both languages.

use base64::{Engine, prelude::BASE64_STANDARD};
use cloud::{Fault, Feedback, Mode, Service};
use domain::Operator;
use serde_json::{Value, json};
use support::{Call, TestStack, event, table::Table};
use words::{Language, Words};

use crate::{
    snapshots::{Redactions, START, assert_page_of},
    support_desk::{OLIVIA, ask, close, deployment, handed_over, page, visit},
};

const ID: &str = "01KBZ4J6R0ZZZZZZZZZZZZZZZZ";
const HOUR: i64 = 3600;

fn words() -> &'static Words {
    Language::English.words()
}

/// Puts an approval that `subject` asks for, with its copy in the list, as the functions that ask for approvals do.
async fn put_approval(stack: &TestStack, subject: &str, not_before: i64) {
    let now = stack.cloud.clock().epoch_seconds();
    let asker = Operator::new(stack.provider.issuer(), subject, "Olivia Ortiz");
    let item = |pk: &str, sk: &str| {
        json!({
            "PK": { "S": pk }, "SK": { "S": sk }, "what": { "S": "reissue" }, "to": { "S": "lee@fabrikam.example" },
            "keeps_old_address": { "BOOL": true }, "subscription_id": { "S": "sub-1" }, "id": { "S": ID },
            "issue": { "N": "1" }, "on_file": { "S": "it@fabrikam.example" }, "asked_by": { "S": "Olivia Ortiz" },
            "asker": { "B": BASE64_STANDARD.encode(asker.person.as_bytes()) }, "reason": { "S": "Ticket <4711>" },
            "at": { "N": now.to_string() }, "not_before": { "N": (now + not_before).to_string() },
            "expires_at": { "N": (now + 24 * HOUR).to_string() },
        })
    };
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.put(&item("SUBSCRIPTION#sub-1", "APPROVAL")).await;
    table.put(&item("DESK#APPROVALS", &format!("sub-1.{ID}"))).await;
}

/// Returns a page as the operator with this subject sees it, who signed in some seconds ago.
async fn page_for(stack: &TestStack, subject: &str, path: &str, seconds: i64) -> String {
    let signed_in = stack.cloud.clock().epoch_seconds() - seconds;
    let token = stack.operator_token_with(OLIVIA, &json!({ "sub": subject, "auth_time": signed_in }));
    page(stack, Call::get(path).header("accept", "text/html").cookie("__Host-desk", &token)).await
}

#[tokio::test]
async fn an_approval_is_listed_until_it_expires_and_is_the_askers_own() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    put_approval(&stack, "olivia", HOUR).await;
    let token = |subject| stack.operator_token_with(OLIVIA, &json!({ "sub": subject }));
    let list = async |subject| {
        let answer = stack.call("support-desk", Call::get("/desk/api/approvals").bearer(&token(subject))).await;
        answer.body["approvals"].as_array().unwrap().clone()
    };
    let mut own = list("olivia").await;
    let now = domain::Timestamp::from_epoch_seconds;
    let at = stack.cloud.clock().epoch_seconds();
    let expected = json!({
        "id": ID, "subscription_id": "sub-1", "what": "reissue", "issue": 1, "email": "lee@fabrikam.example",
        "keep_old_address": true, "asked_by": "Olivia Ortiz", "yours": true, "reason": "Ticket <4711>",
        "at": now(at).to_string(), "not_before": now(at + HOUR).to_string(), "expires_at": now(at + 24 * HOUR).to_string(),
    });
    assert_eq!(own, [expected]);
    own[0]["yours"] = false.into();
    assert_eq!(list("omar").await, own);
    assert_eq!(ask(&stack, "/desk/api/subscriptions/sub-1", "").await.body["approval"], own[0]);
    stack.advance_clock(24 * HOUR);
    assert_eq!(list("omar").await, Vec::<Value>::new());
    assert_eq!(ask(&stack, "/desk/api/subscriptions/sub-1", "").await.body["approval"], Value::Null);
    let page = page(&stack, visit(&stack, "/desk/approvals")).await;
    assert!(page.contains(words().desk_approvals_none) && !page.contains(ID));
}

#[tokio::test]
async fn an_operator_decides_neither_their_own_approval_nor_one_too_early_nor_without_a_fresh_sign_in() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    put_approval(&stack, "olivia", HOUR).await;
    let (approve, reject) = ("value=\"approve\"", "value=\"reject\"");
    let fresh = "href=\"/desk/auth/sign-in?return=%2Fdesk%2Fapprovals&#38;decision=true\"";
    let decide = format!("data-path=\"/desk/api/subscriptions/sub-1/approvals/{ID}\"");
    for path in ["/desk/approvals", "/desk/subscriptions/sub-1"] {
        let own = page_for(&stack, "olivia", path, 0).await;
        assert!(
            own.contains(words().desk_own) && !own.contains(approve) && !own.contains(reject) && !own.contains(fresh)
        );
        let early = page_for(&stack, "omar", path, 0).await;
        assert!(early.contains("It can be approved from") && !early.contains(approve) && early.contains(reject));
        let old = page_for(&stack, "omar", path, 15 * 60).await;
        assert!(old.contains(words().desk_fresh) && !old.contains(approve) && !old.contains(reject));
    }
    assert!(page_for(&stack, "omar", "/desk/approvals", 15 * 60).await.contains(fresh));
    put_approval(&stack, "olivia", 0).await;
    let open = page_for(&stack, "omar", "/desk/approvals", 60).await;
    assert!(open.contains(approve) && open.contains(reject) && open.contains(&decide), "{open}");
    assert!(open.contains("Ticket &#60;4711&#62;") && open.contains("lee@fabrikam.example"));
    let next = page_for(&stack, "omar", "/desk/subscriptions/sub-1", 0).await;
    assert!(next.contains("Check the request for approval") && next.contains(words().desk_pending_first));
}

#[tokio::test]
async fn a_reissue_says_whether_it_takes_a_second_operator() {
    for (setting, alone, sensitive) in [
        ("required", words().desk_reissue_submit, words().desk_sensitive),
        ("off", words().desk_reissue_submit, words().desk_without_approval),
    ] {
        let stack = deployment().with("DESK_APPROVAL", setting).start().await;
        stack.start_subscription(event("sub-1", "trial")).await;
        let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
        let form = shown.split("data-act=\"reissue\"").nth(1).unwrap().split("</form>").next().unwrap();
        assert!(form.contains(&format!("data-submit disabled>{alone}<")), "{form}");
        assert_eq!(form.matches(sensitive).count(), 1, "{form}");
        assert_eq!(form.contains("data-asks-elsewhere"), setting == "required");
    }
    let stack = handed_over().await;
    let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert!(shown.contains(" data-asks data-asks-elsewhere>") && shown.contains(words().desk_ask));
}

#[tokio::test]
async fn the_last_portal_user_stays_and_a_removal_names_the_other_ways_in() {
    let stack = deployment().start().await;
    let mut alone = event("sub-1", "trial");
    alone["detail"]["portal_users"] = json!([]);
    stack.start_subscription(alone).await;
    let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert!(shown.contains("The last portal user can&#39;t be removed.") && !shown.contains("data-act=\"remove\""));
    let mut started = event("sub-2", "trial");
    started["detail"]["portal_users"] = json!([
        { "email": "dana@fabrikam.example" },
        { "issuer": "https://login.example", "organization": "fabrikam" },
    ]);
    stack.start_subscription(started).await;
    let shown = page(&stack, visit(&stack, "/desk/subscriptions/sub-2")).await;
    let removals: Vec<&str> = shown.split("data-act=\"remove\"").skip(1).collect();
    assert_eq!(removals.len(), 3);
    let of_dana = removals.iter().find(|form| form.contains("Remove dana@fabrikam.example")).unwrap();
    let of_dana = of_dana.split("</form>").next().unwrap();
    assert!(of_dana.contains("All members of the organization fabrikam of https://login.example"), "{of_dana}");
    assert!(!of_dana.contains("it@fabrikam.example"), "another mailbox is no way in");
}

#[tokio::test]
async fn every_text_that_the_script_uses_is_on_its_page() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let script = include_str!("../../functions/support-desk/assets/desk.js");
    let keys = Language::English.words().all().into_iter().map(|(key, _)| key);
    let said: Vec<&str> = keys.filter(|key| key.contains('_') && script.contains(&format!("'{key}'"))).collect();
    for path in ["/desk/subscriptions/sub-1", "/desk/approvals"] {
        let page = page(&stack, visit(&stack, path)).await;
        let missing: Vec<_> = said.iter().filter(|key| !page.contains(&format!("data-key=\"{key}\""))).collect();
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
    assert!(said.len() > 14, "{said:?}");
}

/// Returns the visible texts of a page, each between two tags.
fn texts(page: &str) -> impl Iterator<Item = &str> {
    let pieces = page.split('<').filter_map(|piece| piece.split_once('>'));
    let is_name = |tag: &str| tag.starts_with("time ") || tag.contains("translate=\"no\"");
    pieces.filter(move |(tag, _)| !is_name(tag)).map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
}

#[tokio::test]
async fn every_text_is_translated_and_every_page_can_be_read_from_right_to_left() {
    let stack = deployment().with("PSEUDO_LANGUAGE", "true").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    put_approval(&stack, "omar", 0).await;
    let names = [
        "Contoso Online Suite",
        "Contoso Online Suite, Fabrikam, Inc.",
        "Fabrikam, Inc.",
        "Fabrikam, Inc. (",
        "Ticket &#60;4711&#62;",
        "English",
        "Deutsch",
        "1",
    ];
    let marks = [":", ",", ".", "·", "(", ")"];
    for (path, query) in [
        ("/desk", ""),
        ("/desk/subscriptions", "query=sub-1&"),
        ("/desk/subscriptions", "query=nothing&"),
        ("/desk/subscriptions/sub-1", ""),
        ("/desk/approvals", ""),
        ("/desk/nothing", ""),
        ("/desk/auth/signed-out", ""),
        ("/desk/auth/callback", ""),
    ] {
        let call = if path.starts_with("/desk/auth") { Call::get(path) } else { visit(&stack, path) };
        let page = page(&stack, call.query(&format!("{query}language=qps"))).await;
        assert!(page.contains("<html lang=\"qps\" dir=\"rtl\">"), "{path}");
        for text in texts(&page) {
            let known = names.contains(&text) || marks.contains(&text) || text.contains('[') || text.contains(']');
            assert!(known, "{path}: {text:?} is not translated");
        }
    }
}

async fn assert_desk_page(stack: &TestStack, name: &str, call: &Call) {
    assert_page_of(stack, "support-desk", &Redactions::new(stack), &format!("desk_{name}"), call).await;
}

#[tokio::test]
async fn the_pages_match_their_snapshots() {
    let stack = deployment().with_start_time(START).start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_desk_page(&stack, "search", &visit(&stack, "/desk")).await;
    assert_desk_page(&stack, "found", &visit(&stack, "/desk/subscriptions").query("query=fabrikam")).await;
    assert_desk_page(&stack, "nothing_found", &visit(&stack, "/desk/subscriptions").query("query=Fabrikam+AG")).await;
    assert_desk_page(&stack, "subscription_issued", &visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert_desk_page(&stack, "not_found", &visit(&stack, "/desk/nothing")).await;
    assert_desk_page(&stack, "signed_out", &Call::get("/desk/auth/signed-out")).await;
    assert_desk_page(&stack, "sign_in_stale", &Call::get("/desk/auth/callback")).await;
    let customer = stack.token("dana@fabrikam.example");
    let stranger = Call::get("/desk").header("accept", "text/html").cookie("__Host-desk", &customer);
    assert_desk_page(&stack, "stranger", &stranger).await;
    assert_desk_page(&stack, "approvals_none", &visit(&stack, "/desk/approvals")).await;
    stack.cloud.report("it@fabrikam.example", Feedback::Bounced).await.unwrap();
    stack.cloud.drained().await.unwrap();
    put_approval(&stack, "omar", HOUR).await;
    assert_desk_page(&stack, "subscription_bounced", &visit(&stack, "/desk/subscriptions/sub-1")).await;
    assert_desk_page(&stack, "approvals", &visit(&stack, "/desk/approvals")).await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100));
    assert_desk_page(&stack, "unavailable", &visit(&stack, "/desk/approvals")).await;
}

#[tokio::test]
async fn a_subscription_that_is_handed_over_matches_its_snapshot() {
    let stack = deployment().with_start_time(START).start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    stack.advance_clock(60);
    let create = Call::create_admin(&session, "lee@fabrikam", "a quiet lamp over the harbour");
    stack.call("create-admin", create).await;
    stack.advance_clock(60);
    stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await;
    close(&stack, "lee@fabrikam").await;
    assert_desk_page(&stack, "subscription_handed_over", &visit(&stack, "/desk/subscriptions/sub-1")).await;
}
