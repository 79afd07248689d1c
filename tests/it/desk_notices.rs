//! The acts of the support desk, as they are published and announced: without the name of an operator and without their reason.

use base64::{Engine, prelude::BASE64_STANDARD};
use cloud::{Mail, Published};
use domain::{EmailAddress, Principal};
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, event, table::Table};

use crate::publish_events::{feed, misfit, notified};

const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";
const DAY: i64 = 86_400;
const DANA: &str = "dana@fabrikam.example";
const IT: &str = "it@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";
const LEE: &str = "lee@fabrikam.example";
const NOOR: &str = "noor@fabrikam.example";

/// The acts of the desk, each with its detail and the type of its event.
const ACTS: [(&str, Option<&str>, &str); 9] = [
    ("reissued", None, "CredentialsIssued"),
    ("reissued", Some("without-approval"), "CredentialsIssued"),
    ("portal-user-added", None, "PortalUserAdded"),
    ("portal-user-removed", None, "PortalUserRemoved"),
    ("approval-requested", Some("reissue"), "ApprovalRequested"),
    ("approval-requested", Some("add-portal-user"), "ApprovalRequested"),
    ("approval-decided", Some("approved"), "ApprovalDecided"),
    ("approval-decided", Some("rejected"), "ApprovalDecided"),
    ("approval-decided", Some("overtaken"), "ApprovalDecided"),
];

fn table(stack: &TestStack) -> Table {
    Table::connect(&stack.cloud.aws_url(), "test")
}

/// Returns the time of the stack, which stands still.
async fn now(stack: &TestStack) -> i64 {
    stack.items("CREDENTIAL").await[0]["issued_at"]["N"].as_str().unwrap().parse().unwrap()
}

/// Starts a subscription with Dana, Kim and Noor as portal users, at a deployment that sends no other notices.
async fn started() -> TestStack {
    let stack = Deployment::default().with("NOTICES", "none").with("EVENTS_WITH_ADDRESSES", "true").start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([{ "email": DANA }, { "email": KIM }, { "email": NOOR }]);
    stack.start_subscription(started).await;
    stack
}

/// Creates the administrator Lee, who signs in.
async fn hand_over(stack: &TestStack) {
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let fields = json!({ "user_name": "lee@fabrikam", "display_name": "Lee", "password": OTHER, "email": LEE });
    let create = Call::post("/administrators").session(&session).json(&fields);
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap();
}

/// Writes an act of the operator Olivia into the history, `ago` seconds before now.
async fn act(stack: &TestStack, what: &str, detail: Option<&str>, account: Option<&str>, ago: i64) {
    let credential = stack.items("CREDENTIAL").await.remove(0);
    let seq = credential["seq"]["N"].as_str().unwrap().parse::<u64>().unwrap() + 1;
    let who = json!({ "M": { "role": { "S": "operator" }, "id": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" } } });
    let mut entry = json!({
        "PK": credential["PK"], "SK": { "S": format!("EVENT#{seq:010}") }, "what": { "S": what }, "who": who,
        "by": { "S": "olivia@contoso.example" }, "confirmed": { "BOOL": true },
        "reason": { "S": "Dana called about her lost phone." },
        "at": { "N": (now(stack).await - ago).to_string() }, "issue": credential["issue"],
    });
    for (name, value) in [("detail", detail), ("account", account)] {
        if let Some(value) = value {
            entry[name] = json!({ "S": value });
        }
    }
    let mut credential = credential;
    credential["seq"]["N"] = seq.to_string().into();
    table(stack).put_all(&[entry, credential]).await;
}

/// Removes a portal user, `ago` seconds before now.
async fn remove(stack: &TestStack, address: &str, ago: i64) {
    let principal = Principal::email(&EmailAddress::parse(address).unwrap());
    let items = stack.items(&format!("PORTAL_USER#{principal}")).await;
    let mut user = items.into_iter().next().unwrap();
    user["removed_at"] = json!({ "N": (now(stack).await - ago).to_string() });
    let mut credential = stack.items("CREDENTIAL").await.remove(0);
    let others = credential["portal_users"]["BS"].as_array_mut().unwrap();
    let before = others.len();
    let own = BASE64_STANDARD.encode(principal.as_bytes());
    others.retain(|one| *one != own);
    assert_eq!(others.len(), before - 1);
    table(stack).put_all(&[user, credential]).await;
}

/// Publishes what happened. Returns the events and the notices of the last entry, which is an act of the desk.
async fn publish(stack: &TestStack) -> (Published, Vec<Mail>) {
    let before = stack.cloud.inbox().len();
    assert_eq!(feed(stack).await, [""; 0]);
    (stack.cloud.published().pop().unwrap(), stack.cloud.inbox().split_off(before))
}

#[tokio::test]
async fn every_act_of_the_desk_is_published_and_announced_without_the_operator_and_their_reason() {
    for (what, detail, event_type) in ACTS {
        let stack = started().await;
        act(&stack, what, detail, None, 0).await;
        let (event, notices) = publish(&stack).await;
        assert_eq!((&*event.detail_type, misfit(&event)), (event_type, None));
        assert_eq!(event.detail["who"]["role"], "operator");
        assert_eq!(notified(&stack), [DANA, IT, KIM, NOOR], "{what}, although the deployment sends no notices");
        let mut said = vec![event.detail.to_string()];
        said.extend(notices.iter().map(|mail| format!("{} {} {}", mail.subject, mail.text, mail.html)));
        said.extend(stack.items("MAIL#notice#").await.iter().map(Value::to_string));
        for text in said {
            assert!(!text.contains("olivia") && !text.contains("lost phone"), "{what}: {text}");
        }
        assert!(notices.iter().all(|mail| mail.text.contains("By: Contoso support")), "{what}");
    }
}

#[tokio::test]
async fn an_event_says_what_an_approval_is_about_and_how_it_ended_and_which_account_was_unlocked() {
    let stack = started().await;
    act(&stack, "approval-requested", Some("add-portal-user"), None, 0).await;
    assert_eq!(publish(&stack).await.0.detail["what"], "add-portal-user");
    act(&stack, "approval-decided", Some("rejected"), None, 0).await;
    let decided = publish(&stack).await.0;
    assert_eq!((&decided.detail["outcome"], decided.detail.get("what")), (&json!("rejected"), None));
    act(&stack, "account-unlocked", None, Some("admin@fabrikam"), 0).await;
    let unlocked = publish(&stack).await.0;
    assert_eq!((&*unlocked.detail_type, &unlocked.detail["account"]), ("AccountUnlocked", &json!("admin@fabrikam")));
    assert_eq!(misfit(&unlocked), None);
    act(&stack, "reissued", None, None, 0).await;
    assert_eq!(publish(&stack).await.0.detail["reason"], "reissued");
}

#[tokio::test]
async fn the_old_address_and_who_was_removed_in_the_last_thirty_days_hear_of_the_desk() {
    let stack = started().await;
    remove(&stack, NOOR, 30 * DAY - 60).await;
    remove(&stack, KIM, 30 * DAY + 60).await;
    act(&stack, "approval-requested", Some("reissue"), None, 0).await;
    publish(&stack).await;
    assert_eq!(notified(&stack), [DANA, IT, NOOR]);
    // A reissue to another address: the old one stops being a portal user.
    remove(&stack, IT, 0).await;
    let mut mail = stack.items("MAIL").await.remove(0);
    mail["to"]["S"] = "new@fabrikam.example".into();
    table(&stack).put(&mail).await;
    act(&stack, "reissued", None, None, 0).await;
    let (_, notices) = publish(&stack).await;
    let subject = "Support issued new credentials for Contoso Online Suite";
    let mut told: Vec<_> = notices.iter().filter(|mail| mail.subject == subject).map(|mail| &*mail.to).collect();
    told.sort_unstable();
    assert_eq!(told, [DANA, IT, "new@fabrikam.example", NOOR]);
}

#[tokio::test]
async fn administrators_hear_of_the_desk_and_of_an_unlocked_account_instead_of_the_issue() {
    let stack = TestStack::start().await;
    hand_over(&stack).await;
    act(&stack, "account-unlocked", None, Some("lee@fabrikam"), 0).await;
    publish(&stack).await;
    let notices = stack.cloud.inbox().into_iter().filter(|mail| mail.subject.contains("unlocked"));
    let notices: Vec<_> = notices.collect();
    assert_eq!(notices.iter().map(|mail| &*mail.to).collect::<Vec<_>>(), [LEE]);
    assert!(notices[0].text.contains("User name: l•@fabrikam\nBy: Contoso support\n"), "{}", notices[0].text);
    act(&stack, "reissued", None, None, 0).await;
    publish(&stack).await;
    let reissued = stack.cloud.inbox().into_iter().filter(|mail| mail.subject.starts_with("Support issued"));
    let mut told: Vec<_> = reissued.map(|mail| mail.to).collect();
    told.sort();
    assert_eq!(told, [DANA, IT, KIM, LEE]);
}

#[tokio::test]
async fn an_act_of_the_desk_of_more_than_a_week_ago_is_published_without_notices() {
    let stack = started().await;
    act(&stack, "reissued", None, None, 7 * DAY).await;
    let (event, notices) = publish(&stack).await;
    assert_eq!((&*event.detail_type, notices.len()), ("CredentialsIssued", 0));
}

/// Returns the addresses that got a notice of a code of the history, sorted.
async fn recipients(stack: &TestStack, what: &str) -> Vec<String> {
    let mut notices = stack.items("MAIL#notice#").await;
    notices.retain(|notice| notice["what"]["S"] == what);
    let mut all: Vec<_> = notices.iter().map(|notice| notice["to"]["S"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

/// Sends an act in the browser session of an operator, and publishes it.
async fn do_and_publish(stack: &TestStack, who: &str, path: &str, mut body: Value) -> Value {
    body["reason"] = "Dana called about her lost phone.".into();
    let key = format!("key-{}", stack.items("CLICK#").await.len());
    let answer = stack.desk_post(path, &stack.operator_token(who), &key, &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    publish(stack).await;
    answer.body
}

#[tokio::test]
async fn everyone_hears_of_a_reissue_to_another_address_when_it_is_asked_for_and_the_new_one_when_it_is_approved() {
    let (olivia, omar) = ("olivia@contoso.example", "omar@contoso.example");
    let stack = started().await;
    let subscription = "/desk/api/subscriptions/sub-1";
    let reissue = json!({ "email": LEE, "if_issue": 1 });
    let asked = do_and_publish(&stack, olivia, &format!("{subscription}/reissues"), reissue).await;
    assert_eq!(recipients(&stack, "approval-requested").await, [DANA, IT, KIM, NOOR]);
    let approval = format!("{subscription}/approvals/{}", asked["approval"].as_str().unwrap());
    do_and_publish(&stack, omar, &approval, json!({ "decision": "approve" })).await;
    for what in ["approval-decided", "reissued"] {
        assert_eq!(recipients(&stack, what).await, [DANA, IT, KIM, LEE, NOOR], "{what}");
    }
    let noor = Principal::email(&EmailAddress::parse(NOOR).unwrap());
    do_and_publish(&stack, olivia, &format!("{subscription}/portal-users/{noor}/removal"), json!({})).await;
    assert_eq!(recipients(&stack, "portal-user-removed").await, [DANA, IT, KIM, LEE, NOOR]);
    let events = stack.cloud.published();
    for event_type in ["ApprovalRequested", "ApprovalDecided", "CredentialsIssued", "PortalUserRemoved"] {
        assert!(events.iter().any(|event| event.detail_type == event_type), "{event_type}");
    }
    assert_eq!(events.iter().filter_map(misfit).collect::<Vec<_>>(), [""; 0]);
    let mut said: Vec<_> = events.iter().map(|event| event.detail.to_string()).collect();
    said.extend(stack.cloud.inbox().iter().map(|mail| format!("{} {} {}", mail.subject, mail.text, mail.html)));
    for name in ["olivia", "omar", "lost phone"] {
        assert!(said.iter().all(|text| !text.contains(name)), "{name}");
    }
}
