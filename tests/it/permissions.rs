//! Tests of least privilege. The local cloud denies what the template's roles do not allow, so every other test also tests the roles. Here
//! each function uses every grant of its role, and its answers change when any statement is missing; an unused grant fails the test.

use std::{collections::BTreeSet, time::Duration};

use cloud::{
    DeliverError, Feedback, SIGNING_KEYS, SecretContent,
    roles::{Grant, Request, Role},
};
use domain::{EmailAddress, Principal};
use futures_util::future::BoxFuture;
use provider::Oddities;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, Function, RelyingParty, TestStack, Trigger, at, ended, event, table::Table};

use crate::portal_sign_in::PendingSignIn;

/// A story that uses everything a function can do. It returns the outcomes, which differ if a role denied any part of it.
type Story = for<'a> fn(&'a TestStack) -> BoxFuture<'a, Vec<String>>;

const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";
const LIFETIME: i64 = 604_800;
const DAY: i64 = 86_400;

/// The name of the client secret.
const CLIENT_SECRET: &str = "firstkey/oidc";

/// The actions that Lambda itself takes with the role of every function.
const LAMBDA_ACTIONS: [(&str, &str); 4] = [
    ("logs:CreateLogStream", "logs:us-east-1:123456789012:log-group:{id}LogGroup:log-stream:1"),
    ("logs:PutLogEvents", "logs:us-east-1:123456789012:log-group:{id}LogGroup:log-stream:1"),
    ("xray:PutTelemetryRecords", ""),
    ("xray:PutTraceSegments", ""),
];

/// The actions that Lambda takes with the role of a function that has a queue.
const QUEUE_ACTIONS: [(&str, &str); 4] = [
    ("sqs:ChangeMessageVisibility", "sqs:us-east-1:123456789012:{queue}"),
    ("sqs:DeleteMessage", "sqs:us-east-1:123456789012:{queue}"),
    ("sqs:GetQueueAttributes", "sqs:us-east-1:123456789012:{queue}"),
    ("sqs:ReceiveMessage", "sqs:us-east-1:123456789012:{queue}"),
];

/// The actions that Lambda takes with the role of the function that the table's stream feeds.
const STREAM_ACTIONS: [(&str, &str); 5] = [
    ("dynamodb:DescribeStream", "dynamodb:us-east-1:123456789012:table/firstkey/stream/local"),
    ("dynamodb:GetRecords", "dynamodb:us-east-1:123456789012:table/firstkey/stream/local"),
    ("dynamodb:GetShardIterator", "dynamodb:us-east-1:123456789012:table/firstkey/stream/local"),
    ("dynamodb:ListStreams", "dynamodb:us-east-1:123456789012:table/firstkey/stream/local"),
    ("sqs:SendMessage", "sqs:us-east-1:123456789012:{id}Failures"),
];

/// Formats the status of an answer and its next step or problem.
fn outcome(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.body["next"].as_str().or(answer.problem()).unwrap_or_default())
}

/// Lets `refresh-keys` copy the keys and addresses of a provider with these oddities into the table. From then on the provider withholds
/// them, so that a function has them from the table or not at all.
async fn withhold_keys(stack: &TestStack, oddities: Oddities) {
    stack.provider.set_oddities(oddities.clone());
    assert!(stack.refresh_keys().await, "{:?}", stack.cloud.roles().denied());
    stack.provider.set_oddities(Oddities { metadata_status: Some(503), ..oddities });
}

/// Returns the oddities of a provider that demands a client secret, in the form.
fn demanding_a_secret(stack: &TestStack) -> Oddities {
    stack.cloud.put_secret(CLIENT_SECRET, SecretContent::Text("secret".to_owned()));
    let discovery = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    Oddities { discovery, secret_in_form: Some("secret".to_owned()), ..Oddities::default() }
}

/// Delivers an event, and returns how many messages of the first delivery failed.
async fn published(stack: &TestStack, event: serde_json::Value) -> String {
    let answer = stack.cloud.deliver(event).await.unwrap();
    format!("{} failed", answer["batchItemFailures"].as_array().unwrap().len())
}

/// Starts a trial, delivers its paid event, starts the next issue of another trial that expired, and starts the first one again after its end.
async fn subscription_start(stack: &TestStack) -> Vec<String> {
    let mut outcomes =
        vec![published(stack, event("sub-1", "trial")).await, published(stack, event("sub-1", "paid")).await];
    let mut other = event("sub-2", "trial");
    other["detail"]["company"]["id"] = "tailspin".into();
    outcomes.push(published(stack, other.clone()).await);
    stack.advance_clock(LIFETIME + 1);
    (other["id"], other["detail"]["kind"]) = ("sub-2-paid".into(), "paid".into());
    outcomes.push(published(stack, other).await);
    stack.end_subscription(ended("sub-1")).await;
    let mut again = at(event("sub-1", "trial"), "2026-11-21T09:00:00Z");
    again["detail"]["portal_users"] = json!([{ "email": "robin@fabrikam.example" }]);
    outcomes.push(published(stack, again).await);
    for person in ["dana@fabrikam.example", "robin@fabrikam.example"] {
        outcomes.push(
            stack.list(&stack.token(person)).await.body["subscriptions"].as_array().map_or(0, Vec::len).to_string(),
        );
    }
    outcomes
}

async fn send_mail(stack: &TestStack) -> Vec<String> {
    stack.publish(event("sub-1", "trial")).await;
    // The first delivery decides: the queue would deliver a mail nineteen times more whose calls are denied.
    let is_denied = || !stack.cloud.roles().denied().is_empty();
    while stack.cloud.inbox().is_empty() && !is_denied() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if !is_denied() {
        stack.cloud.drained().await.unwrap();
    }
    let mails = stack.cloud.inbox().into_iter().map(|mail| mail.subject);
    mails.chain([format!("denied: {}", is_denied())]).collect()
}

async fn list_subscriptions(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let list = stack.list(&stack.token("dana@fabrikam.example")).await;
    vec![outcome(&list), list.body["subscriptions"][0]["subscription_id"].to_string()]
}

/// Reads the history as a portal user, and as the service administrator.
async fn show_history(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let dana = Call::show_history("sub-1").bearer(&stack.token("dana@fabrikam.example"));
    let admin = Call::show_history("sub-1").session(&session);
    let answers = [stack.call("show-history", dana).await, stack.call("show-history", admin).await];
    let entries = |answer: &Answer| answer.body["entries"].as_array().map_or(0, Vec::len);
    answers.iter().map(|answer| format!("{}, {} entries", outcome(answer), entries(answer))).collect()
}

async fn get_credentials(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    vec![outcome(&stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await)]
}

async fn resend_mail(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let call = Call::resend_mail("sub-1").bearer(&stack.token("dana@fabrikam.example"));
    vec![outcome(&stack.call("resend-mail", call).await)]
}

async fn mail_feedback(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    let answer = stack.cloud.report("it@fabrikam.example", Feedback::Bounced).await.unwrap();
    vec![answer.to_string(), stack.items("MAIL").await[0]["status"]["S"].to_string()]
}

async fn renew_credentials(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(LIFETIME);
    withhold_keys(stack, Oddities::default()).await;
    let call = Call::renew_credentials("sub-1").bearer(&stack.token("dana@fabrikam.example"));
    vec![outcome(&stack.call("renew-credentials", call).await)]
}

async fn send_reminders(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(5 * DAY);
    let run = stack.try_invoke("send-reminders", serde_json::from_str(&Function::SendReminders.event()).unwrap()).await;
    vec![run.is_ok().to_string(), format!("{} reminders", stack.items("MAIL#reminder#").await.len())]
}

/// Copies the keys of the provider into the table, and copies them again.
async fn refresh_keys(stack: &TestStack) -> Vec<String> {
    let runs = [stack.refresh_keys().await, stack.refresh_keys().await];
    vec![format!("{runs:?}"), format!("{} items", stack.items("KEYS").await.len())]
}

async fn contact_support(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let call = Call::contact_support("sub-1", "help").bearer(&stack.token("dana@fabrikam.example")).key("click");
    vec![outcome(&stack.call("contact-support", call).await)]
}

/// Signs in with the temporary password, with the chosen one, and as the administrator whose first sign-in retires the service
/// administrator; then signs out.
async fn sign_in(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    let first = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await;
    let reset = Call::reset_password(&first.session().unwrap_or_default(), CHOSEN);
    let session = stack.call("reset-password", reset).await.session().unwrap_or_default();
    let create = Call::create_admin(&session, "lee@fabrikam", OTHER);
    let created = stack.call("create-admin", create).await;
    let second = stack.sign_in("admin@fabrikam", CHOSEN).await;
    let handed_over = stack.sign_in("lee@fabrikam", OTHER).await;
    let out = Call::post("/sign-out").session(&handed_over.session().unwrap_or_default());
    let out = stack.call("sign-in", out).await;
    let mut outcomes: Vec<_> = [&first, &created, &second, &handed_over, &out].map(outcome).into();
    outcomes.push(format!("{} devices", stack.items("DEVICE#").await.len()));
    outcomes
}

/// Replaces the temporary password, and then the chosen one.
async fn reset_password(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let first = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    let later = serde_json::json!({ "new_password": OTHER, "current_password": CHOSEN });
    let later = Call::post("/reset-password").session(&first.session().unwrap_or_default()).json(&later);
    let later = stack.call("reset-password", later).await;
    vec![outcome(&first), outcome(&later), format!("{} devices", stack.items("DEVICE#").await.len())]
}

/// The token of a device that no account knows.
const NEW_DEVICE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Creates Lee in a session of the service administrator. Returns the outcome and Lee's session, which is empty if there is no account.
async fn create_lee(stack: &TestStack) -> (String, String) {
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let created = stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OTHER)).await;
    let session = stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap_or_default();
    (outcome(&created), session)
}

/// Adds Mo in Lee's session; Mo chooses a password in a browser that the account then knows, and strangers fail at the account. Returns the id.
async fn add_mo(stack: &TestStack, lee: &str) -> String {
    stack.proven_administrator(lee, OTHER, "mo@fabrikam", CHOSEN).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number("ATTEMPTS#mo@fabrikam".into(), "ACCOUNT", "failures", 7).await;
    stack.account_id("mo@fabrikam").await
}

/// Sends a call with a wrong password from a device of Lee's that has failed 99 times in a row, which Lee's account forgets by it. Returns the
/// outcome, and what the accounts of Lee and Mo know afterwards.
async fn fail_once_more(stack: &TestStack, function: &'static str, call: Call) -> [String; 2] {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let is_lees = |item: &Value| item["PK"]["S"] == "ATTEMPTS#lee@fabrikam";
    for device in stack.items("DEVICE#").await.into_iter().filter(is_lees) {
        table.set_number("ATTEMPTS#lee@fabrikam".into(), device["SK"]["S"].as_str().unwrap(), "failures", 99).await;
    }
    let failed = outcome(&stack.call(function, call).await);
    let devices = stack.items("DEVICE#").await.len();
    let networks = stack.items("NETWORK#").await.iter().filter(|item| !item["known_until"].is_null()).count();
    let strangers = stack.items("ACCOUNT").await.iter().filter(|item| item["failures"]["N"] == "7").count();
    [failed, format!("{devices} devices, {networks} networks, {strangers} with failures")]
}

/// Creates an administrator in both forms, from a new device that the account then knows and forgets again.
async fn create_admin(stack: &TestStack) -> Vec<String> {
    let (created, lee) = create_lee(stack).await;
    let add = |user_name: &str, current: &str| Call::add_admin(&lee, user_name, current).device(NEW_DEVICE);
    let added = stack.call("create-admin", add("mo@fabrikam", OTHER)).await;
    let failed = fail_once_more(stack, "create-admin", add("kim@fabrikam", CHOSEN)).await;
    [created, outcome(&added)].into_iter().chain(failed).collect()
}

/// Resets an administrator, and one who was removed.
async fn reset_admin(stack: &TestStack) -> Vec<String> {
    let (_, lee) = create_lee(stack).await;
    let mo = add_mo(stack, &lee).await;
    let reset = |current: &str| Call::reset_admin(&lee, &mo, current).device(NEW_DEVICE);
    let first = stack.call("reset-admin", reset(OTHER)).await;
    stack.call("remove-admin", Call::remove_admin(&lee, &mo, OTHER).device(NEW_DEVICE)).await;
    let opened = stack.call("reset-admin", reset(OTHER)).await;
    let known = fail_once_more(stack, "reset-admin", reset(CHOSEN)).await;
    [outcome(&first), outcome(&opened)].into_iter().chain(known).collect()
}

/// Refuses to remove the caller, removes another administrator, and closes a service administrator that a reissue has made active again.
async fn remove_admin(stack: &TestStack) -> Vec<String> {
    let (_, lee) = create_lee(stack).await;
    let (mo, own) = (add_mo(stack, &lee).await, stack.account_id("lee@fabrikam").await);
    let remove = |id: &str, current: &str| Call::remove_admin(&lee, id, current).device(NEW_DEVICE);
    let refused = stack.call("remove-admin", remove(&own, OTHER)).await;
    let removed = stack.call("remove-admin", remove(&mo, OTHER)).await;
    let reissue = json!({ "reason": "Ticket 4711", "if_issue": 1 });
    let olivia = stack.operator_token("olivia@contoso.example");
    let without_approvals = stack.separate_machine_with("", &[("DESK_APPROVAL", "off")]);
    let reissue =
        Call::post("/desk/api/subscriptions/sub-1/reissues").parameter("subscription_id", "sub-1").json(&reissue);
    without_approvals.call("reissue-credentials", reissue.operator(&olivia).key("reissue")).await;
    let service = stack.account_id("admin@fabrikam").await;
    let retired = stack.call("remove-admin", remove(&service, OTHER)).await;
    let known = fail_once_more(stack, "remove-admin", remove(&mo, CHOSEN)).await;
    [&refused, &removed, &retired].map(outcome).into_iter().chain(known).collect()
}

/// Ends a subscription with two administrators, and one that is not known. Returns the failed messages and what is closed and recorded.
async fn subscription_end(stack: &TestStack) -> Vec<String> {
    let (_, lee) = create_lee(stack).await;
    add_mo(stack, &lee).await;
    let ends = [published(stack, ended("sub-1")).await, published(stack, ended("sub-2")).await];
    let open = stack.items("ACCOUNT").await.iter().filter(|item| item["status"]["S"] == "active").count();
    let closed = stack.items("CREDENTIAL").await.iter().filter(|item| !item["closed_at"].is_null()).count();
    let due = stack.items("SUBSCRIPTION#sub-1#").await.len();
    let known = stack.items("DEVICE#").await.len();
    let rest =
        format!("{open} open, {closed} closed, {due} due, {} lives, {known} devices", stack.items("LIFE").await.len());
    ends.into_iter().chain([rest]).collect()
}

/// Signs Lee in to the product with each of two keys, asks for the claims, and uses each code a second time.
async fn product_sign_in(stack: &TestStack) -> Vec<String> {
    const PROVIDER: &str = "product-sign-in";
    let (_, lee) = create_lee(stack).await;
    let (id, party, [one, two]) = (stack.account_id("lee@fabrikam").await, RelyingParty::default(), SIGNING_KEYS);
    let mut outcomes = Vec::new();
    for keys in [format!("{one},{two}"), format!("{two},{one}")] {
        let machine = stack.separate_machine_with("", &[("SIGNING_KEYS", &keys)]);
        let query = party.begin(stack).await;
        let page = machine.call(PROVIDER, Call::confirm_product(&query, &lee, &id)).await;
        let code = page.product_code().unwrap_or_default();
        let first = machine.call(PROVIDER, party.redemption(&code)).await;
        let userinfo = || Call::userinfo(first.access_token().unwrap_or_default());
        let known = machine.call(PROVIDER, userinfo()).await;
        let second = machine.call(PROVIDER, party.redemption(&code)).await;
        let voided = machine.call(PROVIDER, userinfo()).await;
        let answers = [page, first, known, second, voided];
        outcomes.extend(answers.map(|answer| format!("{} {:?}", answer.status, answer.oauth_error())));
    }
    outcomes
}

/// Deletes an ended subscription with everything that a subscription can have.
async fn purge_subscriptions(stack: &TestStack) -> Vec<String> {
    let (_, lee) = create_lee(stack).await;
    add_mo(stack, &lee).await;
    let request = Call::contact_support("sub-1", "Help").bearer(&stack.token("dana@fabrikam.example"));
    stack.call("contact-support", request).await;
    stack.cloud.drained().await.unwrap();
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(401 * DAY);
    let tick = serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap();
    let run = stack.try_invoke("purge-subscriptions", tick).await;
    let left: BTreeSet<String> = stack.items("").await.iter().map(|item| item["PK"]["S"].to_string()).collect();
    vec![run.is_ok().to_string(), format!("{left:?}")]
}

/// Signs a customer in at a provider that demands a client secret, opens their list, and the home page of an administrator.
async fn portal(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, demanding_a_secret(stack)).await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.call("create-admin", Call::create_admin(&session, "lee@fabrikam", OTHER)).await;
    let session = stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap();
    let dana = stack.token("dana@fabrikam.example");
    let signed_in = signed_in_at_the_portal(stack).await;
    let list = stack.call("portal", Call::get("/").cookie("__Host-customer", &dana)).await;
    let home = stack.call("portal", Call::get("/administration").session(&session)).await;
    let names = |page: &Answer, text: &str| page.body.as_str().is_some_and(|page| page.contains(text));
    let shown = [names(&list, "sub-1").to_string(), names(&home, "Lee Ahmadi").to_string()];
    [signed_in, outcome(&list), outcome(&home)].into_iter().chain(shown).collect()
}

/// Completes a sign-in of a customer, for which the function reads the client secret, and returns the outcome.
async fn signed_in_at_the_portal(stack: &TestStack) -> String {
    let begun = stack.call("portal", Call::get("/auth/sign-in")).await;
    if begun.status != 303 {
        return outcome(&begun);
    }
    let sign_in = PendingSignIn::read(&begun);
    let query = sign_in.authenticate("dana@fabrikam.example").await;
    outcome(&stack.call("portal", sign_in.callback(&query)).await)
}

/// Publishes what a subscription with an administrator has in its history, and orders the notices.
async fn publish_events(stack: &TestStack) -> Vec<String> {
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let created = stack.call("create-admin", Call::create_admin(&session, "lee@fabrikam", OTHER)).await;
    let records = stack.cloud.stream_records().await.unwrap();
    let answer = stack.invoke("publish-events", json!({ "Records": records })).await;
    stack.cloud.drained().await.unwrap();
    let failed = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
    let notices = stack.items("MAIL#notice#").await.len();
    vec![outcome(&created), format!("{failed} failed"), format!("{} {notices}", stack.cloud.published().len())]
}

/// Asks for the addition of a portal user, adds one in a deployment without approvals, removes one, and unlocks an account.
async fn change_access(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, Oddities::default()).await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number("ATTEMPTS#admin@fabrikam".into(), "ACCOUNT", "failures", 100).await;
    let operator = stack.operator_token("olivia@contoso.example");
    let act = |call: Call, key: &str| call.operator(&operator).key(key);
    let addition =
        || Call::add_portal_user("sub-1", &json!({ "reason": "Ticket 4711", "email": "lee@fabrikam.example" }));
    let dana = Principal::email(&EmailAddress::parse("dana@fabrikam.example").unwrap()).to_string();
    let without_approvals = stack.separate_machine_with("", &[("DESK_APPROVAL", "off")]);
    let answers = [
        stack.call("change-access", act(addition(), "ask")).await,
        without_approvals.call("change-access", act(addition(), "add")).await,
        stack.call("change-access", act(Call::remove_portal_user("sub-1", &dana, "Ticket 4711"), "remove")).await,
        stack.call("change-access", act(Call::unlock("admin@fabrikam", "Ticket 4711"), "unlock")).await,
    ];
    answers.iter().map(outcome).collect()
}

/// Starts an issue; then lets a second operator approve another one, to another address, of credentials that have been used.
async fn reissue_credentials(stack: &TestStack) -> Vec<String> {
    const SUBSCRIPTION: &str = "/desk/api/subscriptions/sub-1";
    withhold_keys(stack, Oddities::default()).await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number("ATTEMPTS#admin@fabrikam".into(), "ACCOUNT", "failures", 7).await;
    let [olivia, omar] = ["olivia", "omar"].map(|name| stack.operator_token(&format!("{name}@contoso.example")));
    let path = format!("{SUBSCRIPTION}/reissues");
    let to_lee = json!({ "reason": "Ticket 4711", "email": "lee@fabrikam.example", "if_issue": 1 });
    let asked = stack.desk_post(&path, &olivia, "ask", &to_lee).await;
    let approval = asked.body["approval"].as_str().unwrap_or_default();
    let decision = format!("{SUBSCRIPTION}/approvals/{approval}");
    let decided = stack.desk_post(&decision, &omar, "decide", &json!({ "decision": "approve" })).await;
    let plain = json!({ "reason": "Ticket 4711", "if_issue": 2 });
    let reissued = stack.desk_post(&path, &olivia, "again", &plain).await;
    let known = stack.items("DEVICE#").await.len() + stack.items("NETWORK#").await.len();
    let failures = stack.items("ACCOUNT").await.iter().filter(|item| item["failures"]["N"] == "7").count();
    let outcomes = [&asked, &decided, &reissued].map(outcome).into_iter();
    outcomes.chain([format!("{known} known, {failures} with failures")]).collect()
}

/// Signs in at the desk, searches by each key, and looks at a subscription, its history and the approvals.
async fn support_desk(stack: &TestStack) -> Vec<String> {
    withhold_keys(stack, demanding_a_secret(stack)).await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.call("create-admin", Call::create_admin(&session, "lee@fabrikam", OTHER)).await;
    let olivia = stack.operator_token("olivia@contoso.example");
    let request = Call::contact_support("sub-1", "Help").bearer(&stack.token("dana@fabrikam.example"));
    let reference = stack.call("contact-support", request).await.body["reference"].as_str().unwrap().to_owned();
    let mut outcomes = vec![signed_in_at_the_desk(stack).await];
    for query in ["sub-1", "admin@fabrikam", "dana@fabrikam.example", "fabrikam", &reference] {
        let call = Call::get("/desk/api/subscriptions").query(&format!("query={query}")).operator(&olivia);
        let found = stack.call("support-desk", call).await;
        outcomes.push(format!("{query}: {} {}", found.status, found.body["subscriptions"]));
    }
    for path in ["/desk/api/subscriptions/sub-1", "/desk/api/subscriptions/sub-1/history", "/desk/api/approvals"] {
        let seen = stack.desk_get(path, &olivia).await;
        outcomes.push(format!("{path}: {}", seen.status));
    }
    outcomes
}

/// Completes a sign-in at the desk, for which the function reads the client secret, and returns the outcome.
async fn signed_in_at_the_desk(stack: &TestStack) -> String {
    let begun = stack.call("support-desk", Call::get("/desk/auth/sign-in")).await;
    let Some(address) = begun.headers.get("location") else { return outcome(&begun) };
    let cookie = begun.cookies.iter().find(|cookie| cookie.starts_with("__Host-desk-sign-in.")).unwrap();
    let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    let query = crate::operators::authenticate(address).await;
    let callback = Call::get("/desk/auth/callback").query(&query).cookie(name, value);
    outcome(&stack.call("support-desk", callback).await)
}

/// Returns whether the function's role allows each action that Lambda itself takes.
fn lambda_outcomes(stack: &TestStack, function: Function) -> Vec<String> {
    let queue = match function.trigger() {
        Trigger::Http { .. } | Trigger::Schedule => [].iter(),
        Trigger::Queue => QUEUE_ACTIONS.iter(),
        Trigger::Stream => STREAM_ACTIONS.iter(),
    };
    let (id, queue_id) = (function.logical_id(), function.queue_id());
    let outcomes = LAMBDA_ACTIONS.iter().chain(queue).map(|&(action, resource)| {
        let resource = match resource {
            "" => "*".to_owned(),
            arn => format!("arn:aws:{arn}").replace("{id}", &id).replace("{queue}", &queue_id),
        };
        let request = Request { action: action.to_owned(), resource, context: [].into() };
        format!("{action} {}", stack.cloud.roles().allows(function.name(), &request))
    });
    outcomes.collect()
}

async fn all_outcomes(stack: &TestStack, function: Function, story: Story) -> Vec<String> {
    let mut outcomes = story(stack).await;
    outcomes.extend(lambda_outcomes(stack, function));
    outcomes
}

fn unused(role: &Role, used: &BTreeSet<Grant>) -> BTreeSet<Grant> {
    role.grants().difference(used).cloned().collect()
}

/// Returns a deployment that uses every part of the roles: it has client secrets, and sends all notices.
fn deployment() -> Deployment {
    let secrets = ["OIDC_CLIENT_SECRET_NAME", "DESK_OIDC_CLIENT_SECRET_NAME"];
    secrets.iter().fold(Deployment::default().with("NOTICES", "all"), |all, name| all.with(name, CLIENT_SECRET))
}

async fn check_role(function: Function) {
    let (_, story) = *STORIES.iter().find(|(known, _)| *known == function).unwrap();
    let stack = deployment().start().await;
    let whole = all_outcomes(&stack, function, story).await;
    assert_eq!(stack.cloud.roles().denied(), [], "{whole:?}");
    let name = function.name();
    let (role, used) = (stack.cloud.roles().role(name).unwrap(), stack.cloud.roles().used(name));
    assert_eq!(unused(&role, &used), [].into(), "{function} has grants that it does not use: {whole:?}");
    for sid in role.sids() {
        let granted = |action| role.grants().iter().any(|grant| grant.sid == sid && grant.action == action);
        let actions = ["dynamodb:DeleteItem", "kms:ReEncryptFrom", "ses:SendRawEmail", "sqs:SendMessage"];
        for action in actions.into_iter().filter(|action| !granted(*action)) {
            let found = unused(&role.with_action(sid, action), &used);
            assert!(
                !found.is_empty() && found.iter().all(|grant| grant.action == action),
                "{function}: {action} in {sid}"
            );
        }
        let stack = deployment().allowing_denials().start().await;
        stack.cloud.roles().replace(name, role.without(sid));
        assert_ne!(all_outcomes(&stack, function, story).await, whole, "{function} does not need {sid}");
        let refused = stack.cloud.roles().denied();
        assert!(!refused.is_empty() && refused.iter().all(|denied| denied.caller == name), "{function}: {refused:?}");
    }
}

/// Defines the story and the test of each function. A test below names a function that is missing.
macro_rules! stories {
    ($($test:ident $function:ident $story:ident)*) => {
        const STORIES: &[(Function, Story)] = &[$((Function::$function, |stack| Box::pin($story(stack))),)*];

        $(#[tokio::test]
        async fn $test() {
            check_role(Function::$function).await;
        })*
    };
}

stories! {
    change_access_uses_all_of_its_role_and_needs_each_statement ChangeAccess change_access
    contact_support_uses_all_of_its_role_and_needs_each_statement ContactSupport contact_support
    create_admin_uses_all_of_its_role_and_needs_each_statement CreateAdmin create_admin
    get_credentials_uses_all_of_its_role_and_needs_each_statement GetCredentials get_credentials
    list_subscriptions_uses_all_of_its_role_and_needs_each_statement ListSubscriptions list_subscriptions
    mail_feedback_uses_all_of_its_role_and_needs_each_statement MailFeedback mail_feedback
    portal_uses_all_of_its_role_and_needs_each_statement Portal portal
    purge_subscriptions_uses_all_of_its_role_and_needs_each_statement PurgeSubscriptions purge_subscriptions
    product_sign_in_uses_all_of_its_role_and_needs_each_statement ProductSignIn product_sign_in
    publish_events_uses_all_of_its_role_and_needs_each_statement PublishEvents publish_events
    refresh_keys_uses_all_of_its_role_and_needs_each_statement RefreshKeys refresh_keys
    reissue_credentials_uses_all_of_its_role_and_needs_each_statement ReissueCredentials reissue_credentials
    remove_admin_uses_all_of_its_role_and_needs_each_statement RemoveAdmin remove_admin
    renew_credentials_uses_all_of_its_role_and_needs_each_statement RenewCredentials renew_credentials
    resend_mail_uses_all_of_its_role_and_needs_each_statement ResendMail resend_mail
    reset_admin_uses_all_of_its_role_and_needs_each_statement ResetAdmin reset_admin
    reset_password_uses_all_of_its_role_and_needs_each_statement ResetPassword reset_password
    send_mail_uses_all_of_its_role_and_needs_each_statement SendMail send_mail
    send_reminders_uses_all_of_its_role_and_needs_each_statement SendReminders send_reminders
    show_history_uses_all_of_its_role_and_needs_each_statement ShowHistory show_history
    sign_in_uses_all_of_its_role_and_needs_each_statement SignIn sign_in
    support_desk_uses_all_of_its_role_and_needs_each_statement SupportDesk support_desk
    subscription_end_uses_all_of_its_role_and_needs_each_statement SubscriptionEnd subscription_end
    subscription_start_uses_all_of_its_role_and_needs_each_statement SubscriptionStart subscription_start
}

#[tokio::test]
async fn every_function_has_a_role_and_a_story() {
    let stack = TestStack::start().await;
    assert_eq!(stack.cloud.roles().functions(), Function::names());
    for function in Function::ALL {
        assert!(STORIES.iter().any(|(known, _)| known == function), "{function}: no story in tests/it/permissions.rs");
    }
}

#[tokio::test]
async fn a_deployment_without_a_client_secret_may_read_no_secret() {
    let stack = TestStack::start().await;
    let role = stack.cloud.roles().role("portal").unwrap();
    assert!(role.sids().all(|sid| sid != "ReadClientSecret"));
    for function in Function::ALL {
        let role = deployment().start().await.cloud.roles().role(function.name()).unwrap();
        let reads = role.sids().any(|sid| sid == "ReadClientSecret");
        assert_eq!(reads, [Function::Portal, Function::SupportDesk].contains(function), "{function}");
    }
}

#[tokio::test]
async fn a_function_without_grants_can_do_nothing() {
    let stack = Deployment::default().allowing_denials().start().await;
    stack.cloud.roles().replace("subscription-start", Role::read(&[]).unwrap());
    assert_eq!(published(&stack, event("sub-1", "trial")).await, "1 failed");
    assert_eq!(stack.items("").await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn only_billing_starts_subscriptions_where_billing_is_named() {
    const BILLING: &str = "arn:aws:iam::123456789012:role/billing";
    let stack = Deployment::default().with_billing_principals(BILLING).start().await;
    for stranger in ["arn:aws:iam::123456789012:role/admin", "arn:aws:iam::444455556666:role/billing"] {
        let refused = stack.cloud.deliver_as(stranger, event("sub-1", "trial")).await;
        assert_eq!(refused, Err(DeliverError::Denied(stranger.to_owned())));
    }
    assert!(stack.items("").await.is_empty());
    stack.cloud.deliver_as(BILLING, event("sub-1", "trial")).await.unwrap();
    assert_eq!(stack.items("CREDENTIAL").await.len(), 1);
}

#[tokio::test]
async fn publish_events_can_put_notices_and_neither_welcome_mails_nor_credentials() {
    let stack = deployment().allowing_denials().start().await;
    publish_events(&stack).await;
    let allows = |item: &Value| {
        let attributes = item.as_object().unwrap().keys().cloned().collect();
        let leading = vec![item["PK"]["S"].as_str().unwrap().to_owned()];
        let context = [("dynamodb:LeadingKeys".to_owned(), leading), ("dynamodb:Attributes".to_owned(), attributes)];
        let resource = "arn:aws:dynamodb:us-east-1:123456789012:table/firstkey".to_owned();
        let request = Request { action: "dynamodb:PutItem".to_owned(), resource, context: context.into() };
        stack.cloud.roles().allows("publish-events", &request)
    };
    let as_ordered = |mut notice: Value| {
        let added = ["message_id", "tries"];
        notice.as_object_mut().unwrap().retain(|name, _| !added.contains(&name.as_str()));
        notice
    };
    assert!(stack.items("MAIL#notice#").await.into_iter().map(as_ordered).all(|notice| allows(&notice)));
    for sort_key in ["MAIL", "CREDENTIAL", "PORTAL_USER#", "ADMINISTRATOR#"] {
        let found = stack
            .items(sort_key)
            .await
            .into_iter()
            .find(|item| !item["SK"]["S"].as_str().unwrap().contains("#notice#"));
        assert!(!allows(&found.unwrap()), "{sort_key}");
    }
}

#[tokio::test]
async fn refresh_keys_alone_may_write_the_providers_keys_and_functions_that_verify_tokens_may_read_them() {
    let stack = deployment().allowing_denials().start().await;
    let allowed = |function: &Function| -> Vec<&str> {
        let allows = |action: &&str| {
            let resource = "arn:aws:dynamodb:us-east-1:123456789012:table/firstkey".to_owned();
            let context = [("dynamodb:LeadingKeys".to_owned(), vec!["PROVIDER#digest".to_owned()])];
            let request = Request { action: format!("dynamodb:{action}"), resource, context: context.into() };
            stack.cloud.roles().allows(function.name(), &request)
        };
        ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"].into_iter().filter(allows).collect()
    };
    for function in Function::ALL {
        let expected = match function {
            Function::RefreshKeys => &["UpdateItem"][..],
            other if other.verifying_request("").is_some() => &["GetItem"],
            _ => &[],
        };
        assert_eq!(allowed(function), expected, "{function}");
    }
}
