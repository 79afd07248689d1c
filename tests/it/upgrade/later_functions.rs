//! Tests that functions which 0.1.0 did not have use its items: each does its work, changes what it must and nothing else.

use std::{collections::BTreeSet, path::PathBuf};

use domain::{DuePartition, SubscriptionId, Timestamp};
use support::table::Table;

use super::{Company, Deployment, KEYS, START, TestStack, Value, data_directory, fixtures, fs, json, read, states_of};
use crate::publish_events::misfit;
use support::Call;

const DAY: i64 = 86_400;

/// A stack with the keys of 0.1.0, and its data, which are deleted in the end.
pub(super) struct Release {
    pub(super) stack: TestStack,
    data: PathBuf,
}

impl Release {
    pub(super) async fn start(name: &str) -> Self {
        let data = data_directory(name, Some(&fixtures().join("v0.1.0").join(KEYS)));
        let deployment = Deployment::default().with_start_time(START).with_data_directory(data.clone());
        Self { stack: deployment.with_held_mails().start().await, data }
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// Loads a state of 0.1.0. Returns its company, at the time of the state, with the notices of a level.
pub(super) async fn company<'a>(stack: &'a TestStack, name: &'a str, notices: &str) -> Company<'a> {
    let fixture = read(&fixtures().join("v0.1.0").join(format!("{name}.json")));
    let number = usize::try_from(fixture["number"].as_u64().unwrap()).unwrap();
    let mut company = Company::new(stack, name, number, &[("NOTICES", notices)]);
    company.temporary_password = fixture["temporary_password"].as_str().map(str::to_owned);
    company.sessions = serde_json::from_value(fixture["sessions"].clone()).unwrap();
    company.advance_clock(fixture["at"].as_i64().unwrap() - company.now());
    company.load(fixture["items"].as_array().unwrap()).await;
    company
}

/// Returns the key of an item, without the name of the subscription.
fn key(item: &Value) -> String {
    let [pk, sk] = ["PK", "SK"].map(|name| item[name]["S"].as_str().unwrap());
    let kind = |key: &str| key.split('#').next().unwrap().to_owned();
    let is_named_by_sort_key = ["SUBSCRIPTION", "ACCOUNT"].contains(&kind(pk).as_str());
    if is_named_by_sort_key { sk.to_owned() } else { format!("{} {}", kind(pk), kind(sk)) }
}

/// Returns the differences of two contents of the table: each item that is new or gone, and each attribute that another one has changed in.
fn changes(before: &[Value], after: &[Value]) -> Vec<String> {
    let find = |items: &[Value], item: &Value| {
        items.iter().find(|other| other["PK"] == item["PK"] && other["SK"] == item["SK"]).cloned()
    };
    let mut all: Vec<_> =
        before.iter().filter(|item| find(after, item).is_none()).map(|item| format!("- {}", key(item))).collect();
    for item in after {
        let Some(old) = find(before, item) else {
            all.push(format!("+ {}", key(item)));
            continue;
        };
        let names = [&old, item].into_iter().flat_map(|item| item.as_object().unwrap().keys()).collect::<BTreeSet<_>>();
        let changed: Vec<_> =
            names.into_iter().filter(|name| old[name.as_str()] != item[name.as_str()]).map(String::as_str).collect();
        if !changed.is_empty() {
            all.push(format!("{}: {}", key(item), changed.join(" ")));
        }
    }
    all.sort();
    all
}

/// Does `work`, and returns what it changes.
pub(super) async fn changed_by(stack: &TestStack, work: impl Future<Output = ()>) -> Vec<String> {
    let before = stack.items("").await;
    work.await;
    changes(&before, &stack.items("").await)
}

fn report(company: &Company<'_>, mail: &str, round: &str) -> Value {
    let at = "2026-11-10T09:00:30Z";
    let tags = json!({ "subscription": [company.subscription()], "issue": ["1"], "mail": [mail], "round": [round] });
    let recipients = json!([{ "emailAddress": "it@example.com", "status": "5.1.1" }]);
    let bounce = json!({
        "timestamp": at, "bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": recipients,
    });
    let detail = json!({ "eventType": "Bounce", "mail": { "timestamp": at, "tags": tags }, "bounce": bounce });
    json!({ "messageId": "report", "body": json!({ "source": "aws.ses", "detail": detail }).to_string() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_a_mail_without_a_round_changes_its_status() {
    let release = Release::start("feedback").await;
    let stack = &release.stack;
    let company = company(stack, "support-sent", "none").await;
    let feedback = async |mail: &str, round: &str| {
        let report = report(&company, mail, round);
        changed_by(stack, async { assert!(company.machine.consume("mail-feedback", &[report]).await) }).await
    };
    assert_eq!(feedback("welcome", "1").await, [""; 0], "the mail was never ordered again");
    assert_eq!(feedback("welcome", "0").await, ["MAIL: at detail rank status"]);
    assert_eq!(feedback("welcome", "0").await, [""; 0]);
    let request = stack.items("MAIL#support#").await.remove(0)["SK"]["S"].as_str().unwrap().to_owned();
    let tag = request.strip_prefix("MAIL#").unwrap().replace('#', "-");
    assert_eq!(feedback(&tag, "0").await, [format!("{request}: at detail rank status")]);
    let listed = company.call("list-subscriptions", Call::get("/subscriptions").bearer(&company.token("dana"))).await;
    assert_eq!(listed.body["subscriptions"][0]["welcome_mail"]["status"], "bounced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_without_a_round_is_sent_again_in_its_first_round() {
    let release = Release::start("resend").await;
    let stack = &release.stack;
    let company = company(stack, "mail-sent", "none").await;
    company.advance_clock(60);
    let again = || Call::resend_mail(&company.subscription()).bearer(&company.token("dana"));
    let ordered = changed_by(stack, async {
        let answer = company.call("resend-mail", again()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    });
    let expected = ["+ EVENT#0000000002", "CREDENTIAL: seq", "MAIL: at message_id rank resent_at round status tries"];
    assert_eq!(ordered.await, expected);
    let sent = changed_by(stack, async {
        let orders = company.orders().await;
        assert!(company.machine.consume("send-mail", &orders).await);
    });
    assert_eq!(sent.await, ["MAIL: message_id rank status tries"]);
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!((&*mail.to, &*mail.tags["round"]), ("it@mail-sent.example", "1"));
    assert!(mail.text.contains(company.temporary_password.as_ref().unwrap()), "the same password");
    let second = changed_by(stack, async { assert_eq!(company.call("resend-mail", again()).await.status, 202) });
    assert_eq!(second.await, [""; 0], "it is the same click");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_first_release_are_renewed_and_their_next_issue_works() {
    let release = Release::start("renew").await;
    let stack = &release.stack;
    let mut company = company(stack, "expired", "none").await;
    let subscription = company.subscription();
    let dana = company.token("dana");
    let renewed = changed_by(stack, async {
        let answer = company.call("renew-credentials", Call::renew_credentials(&subscription).bearer(&dana)).await;
        assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)), "{answer:?}");
    });
    let expected = [
        "+ DUE SUBSCRIPTION",
        "+ EVENT#0000000002",
        "+ EVENT#0000000003",
        "ACCOUNT: expires_at issue password_hash version",
        "CREDENTIAL: expires_at issue issued_at renewals renewed_at retrievals sealed_password seq",
        // The next issue has a mail of its own in the place of the last one, also of what this release does not know of that.
        "MAIL: at issue message_id of_a_later_release rank status tries",
    ];
    assert_eq!(renewed.await, expected);
    let history = stack.history(&subscription).await;
    let people = ["issued by vendor", "retrieved by dana@expired.example", "renewed by dana@expired.example"];
    assert_eq!(history, people);
    let orders = company.orders().await;
    assert!(company.machine.consume("send-mail", &orders).await);
    let old = company.temporary_password.take().unwrap();
    company.read_password_from_mails();
    let new = company.temporary_password.clone().unwrap();
    let call = Call::get_credentials(&subscription).bearer(&dana).key("after");
    assert_eq!(company.call("get-credentials", call).await.password(), Some(&*new));
    assert_eq!(company.call("sign-in", Call::sign_in("admin@expired", &old)).await.status, 401);
    assert_eq!(company.call("sign-in", Call::sign_in("admin@expired", &new)).await.next(), Some("reset-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_the_first_release_is_reminded_only_if_it_is_on_the_list() {
    let release = Release::start("reminders").await;
    let stack = &release.stack;
    let company = company(stack, "retrieved-twice", "none").await;
    let due_at = START + 5 * DAY;
    company.advance_clock(due_at - company.now());
    let run = async || {
        let changes = changed_by(stack, async { assert!(company.machine.run_schedule("send-reminders").await) }).await;
        changes.into_iter().filter(|change| !change.contains("DUE DUE")).collect::<Vec<_>>()
    };
    assert_eq!(run().await, [""; 0], "0.1.0 had no list");
    let id = SubscriptionId::parse(&company.subscription()).unwrap();
    let partition = DuePartition::new(Timestamp::from_epoch_seconds(due_at), &id);
    let due = json!({
        "PK": { "S": format!("DUE#{partition}") }, "SK": { "S": format!("SUBSCRIPTION#{id}#1") },
        "due_at": { "N": due_at.to_string() }, "ttl": { "N": (due_at + 3 * DAY).to_string() },
    });
    Table::connect(&stack.cloud.aws_url(), "desk").put(&due).await;
    assert_eq!(run().await, ["+ MAIL#reminder#1", "- DUE SUBSCRIPTION"]);
    let sent = changed_by(stack, async {
        let orders = company.orders().await;
        assert!(company.machine.consume("send-mail", &orders).await);
    });
    assert_eq!(sent.await, ["MAIL#reminder#1: message_id rank status tries"]);
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!((&*mail.to, &*mail.tags["mail"]), ("it@retrieved-twice.example", "reminder"));
    assert!(!mail.text.contains(company.temporary_password.as_ref().unwrap()));
}

/// Returns `seq what by: detail` of each entry that is shown.
async fn shown(company: &Company<'_>, call: Call) -> Vec<String> {
    let answer = company.call("show-history", call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let entries = answer.body["entries"].as_array().unwrap().iter();
    let line = |entry: &Value| {
        let [what, by] = ["what", "by"].map(|name| entry[name].as_str().unwrap());
        format!("{} {what} by {by}: {}", entry["seq"], entry["detail"].as_str().unwrap_or_default())
    };
    entries.map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_persons_is_shown_to_customers_and_administrators() {
    let release = Release::start("history").await;
    let stack = &release.stack;
    let company = company(stack, "handed-over", "none").await;
    let history = || Call::show_history(&company.subscription());
    let expected = [
        "6 service-administrator-retired by lee@handed-over: admin@handed-over",
        "5 administrator-signed-in by lee@handed-over: ",
        "4 administrator-created by admin@handed-over: lee@handed-over",
        "3 password-changed by admin@handed-over: ",
        "2 signed-in by admin@handed-over: ",
        "1 issued by vendor: ",
    ];
    let read = changed_by(stack, async {
        assert_eq!(shown(&company, history().bearer(&company.token("dana"))).await, expected);
        assert_eq!(shown(&company, history().session(&company.sessions["lee"])).await, expected);
        let retired = company.call("show-history", history().session(&company.sessions["full"])).await;
        assert_eq!(retired.status, 401);
    });
    assert_eq!(read.await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retrievals_and_failed_mails_of_the_first_release_are_shown_before_the_history_has_them() {
    let release = Release::start("unrecorded").await;
    let stack = &release.stack;
    for (name, expected) in [
        (
            "temporary-session",
            &["3 signed-in by admin@temporary-session: ", "2 retrieved by d•@temporary-session.example: "][..],
        ),
        (
            "retrieved-twice",
            &["null retrieved by k•@retrieved-twice.example: ", "null retrieved by d•@retrieved-twice.example: "],
        ),
        ("mail-bounced", &["null mail-bounced by vendor: "]),
        ("support-sent", &["2 support-requested by d•@support-sent.example: "]),
    ] {
        let company = company(stack, name, "none").await;
        let call = Call::show_history(&company.subscription()).bearer(&company.token("kim"));
        let read = changed_by(stack, async {
            let shown = shown(&company, call).await;
            assert_eq!(shown[..shown.len() - 1], *expected);
            assert_eq!(shown[shown.len() - 1], "1 issued by vendor: ");
        });
        assert_eq!(read.await, [""; 0]);
    }
}

/// Returns the records of the table's stream that the items of a fixture would have made: first without an old image.
fn records(items: &[Value]) -> Vec<Value> {
    let record = |(n, item): (usize, &Value)| {
        let keys = json!({ "PK": item["PK"], "SK": item["SK"] });
        let change = json!({ "Keys": keys, "NewImage": item, "SequenceNumber": n.to_string() });
        json!({ "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change })
    };
    items.iter().enumerate().map(record).collect()
}

/// Returns the number of events that the items of a fixture stand for.
fn events_in(items: &[Value]) -> usize {
    let withheld = ["retrieved", "support-requested"];
    let published = ["delivered", "bounced", "complained"];
    let events = |item: &Value| match item["SK"]["S"].as_str().unwrap() {
        "CREDENTIAL" => item["retrievals"]["M"].as_object().unwrap().len(),
        "MAIL" => usize::from(published.iter().any(|status| item["status"]["S"] == *status)),
        key if key.starts_with("EVENT#") => usize::from(!withheld.iter().any(|what| item["what"]["S"] == *what)),
        _ => 0,
    };
    items.iter().map(events).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_of_the_first_release_is_published_as_its_event() {
    let release = Release::start("publish").await;
    let stack = &release.stack;
    for (name, fixture) in states_of(&fixtures().join("v0.1.0")) {
        let company = company(stack, &name, "none").await;
        let items = fixture["items"].as_array().unwrap();
        let known = stack.cloud.published().len();
        let published = changed_by(stack, async {
            for records in records(items).chunks(100) {
                assert!(company.machine.consume("publish-events", records).await, "{name}");
            }
        });
        assert_eq!(published.await, [""; 0], "{name}");
        let events = stack.cloud.published().split_off(known);
        assert_eq!(events.len(), events_in(items), "{name}: {events:#?}");
        assert_eq!(events.iter().filter_map(misfit).collect::<Vec<_>>(), [""; 0], "{name}");
        let ids: BTreeSet<_> = events.iter().map(|event| event.detail["event_id"].to_string()).collect();
        assert_eq!(ids.len(), events.len(), "{name}");
        assert!(events.iter().all(|event| event.detail["subscription_id"] == company.subscription()), "{name}");
        assert!(events.iter().all(|event| event.detail["company_id"] == *name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_person_has_a_role_and_no_id() {
    let release = Release::start("roles").await;
    let stack = &release.stack;
    let company = company(stack, "handed-over", "none").await;
    let items = company.fixture_items().await;
    assert!(company.machine.consume("publish-events", &records(&items)).await);
    let mut events: Vec<_> = stack.cloud.published().iter().map(|event| event.detail.clone()).collect();
    events.sort_by_key(|detail| detail["seq"].as_u64());
    let roles: Vec<_> = events.iter().map(|detail| detail["who"]["role"].as_str().unwrap()).collect();
    let service = "service-administrator";
    assert_eq!(roles, ["vendor", service, service, service, "administrator", "administrator"]);
    assert!(events.iter().all(|detail| detail["who"]["id"].is_null() && detail["issue"] == 1), "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn portal_users_of_the_first_release_get_notices() {
    let release = Release::start("notices").await;
    let stack = &release.stack;
    let company = company(stack, "mail-of-a-link", "security").await;
    let before = company.fixture_items().await;
    let call = Call::get_credentials(&company.subscription()).bearer(&company.token("kim")).key("a");
    assert!(company.call("get-credentials", call).await.password().is_some());
    let credential = |items: Vec<Value>| items.into_iter().find(|item| item["SK"]["S"] == "CREDENTIAL").unwrap();
    let mut record = records(&[credential(company.fixture_items().await)]).remove(0);
    record["eventName"] = "MODIFY".into();
    record["dynamodb"]["OldImage"] = credential(before);
    let ordered =
        changed_by(stack, async { assert!(company.machine.consume("publish-events", &[record]).await) }).await;
    let kinds: Vec<_> = ordered.iter().map(|change| change.rsplit_once('#').unwrap().0).collect();
    assert_eq!(kinds, ["+ MAIL#notice"; 2]);
    let mut to: Vec<_> = stack.items("MAIL#notice#").await.iter().map(|item| item["to"]["S"].to_string()).collect();
    to.sort();
    assert_eq!(to, ["\"dana@mail-of-a-link.example\"", "\"it@mail-of-a-link.example\""], "all but Kim");
    let orders = company.orders().await;
    assert!(company.machine.consume("send-mail", &orders).await);
    assert!(!stack.cloud.inbox().is_empty());
}
