//! Snapshots of every page and every mail, in English and German, in `tests/it/snapshots`.
//!
//! A change of words shows as a diff of these files. To accept it, read the diff, then run
//! `INSTA_UPDATE=always cargo nextest run --workspace --lib --test it`.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use cloud::{Fault, Mail, Mode, Service};
use serde_json::{Value, json};
use support::{Call, Deployment, Function, RelyingParty, TestStack, event, table::Table};
use words::Language;

use crate::{
    administrators::{ADMIN, CHOSEN, LEE, LEES, REFILL, Team},
    portal_sign_in::PendingSignIn,
};

/// When the stack's clock starts in a snapshot: 10 November 2026, 09:30 UTC.
pub(crate) const START: i64 = 1_794_303_000;

const PASSWORD: &str = "k7wmp-3hxrt-9vq2d-m4zsn";
const REFERENCE: &str = "7QKM-WX3H-RT9A";
const WEEK: i64 = 604_800;

/// Replaces what differs between two runs by constants.
#[derive(Clone)]
pub(crate) struct Redactions(Vec<(String, String)>);

impl Redactions {
    pub(crate) fn new(stack: &TestStack) -> Self {
        Self(vec![(stack.provider.issuer().to_owned(), "https://login.contoso.example".to_owned())])
    }

    pub(crate) fn with(mut self, actual: &str, shown: &str) -> Self {
        self.0.push((actual.to_owned(), shown.to_owned()));
        self
    }

    /// Replaces the times at these offsets, in seconds, from `start`, in every form in which they are shown.
    fn times(mut self, start: i64, offsets: &[i64]) -> Self {
        let at = domain::Timestamp::from_epoch_seconds;
        for offset in offsets {
            let (actual, shown) = (at(start + offset), at(START + offset));
            for words in Language::ALL.map(Language::words) {
                self = self.with(&words::date(words, actual), &words::date(words, shown));
            }
            self = self.with(&actual.to_string(), &shown.to_string());
        }
        self
    }

    fn apply(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, (actual, shown)| text.replace(actual, shown));
        let text = replaced(&text, "data-person=\"", '"', |_| "PERSON".to_owned());
        // `style.Fd3kz0aB1c2D.css`: the hash of the content is not part of the page.
        let without_hash = |name: &str| {
            let parts: Vec<_> = name.split('.').collect();
            [parts[0], "HASH", parts[2]].join(".")
        };
        let text = replaced(&text, "\"/assets/", '"', without_hash);
        replaced(&text, "\"/desk/assets/", '"', without_hash)
    }
}

/// Replaces what follows each `before`, up to `end`.
fn replaced(text: &str, before: &str, end: char, by: impl Fn(&str) -> String) -> String {
    let mut pieces = text.split(before);
    let mut result = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (value, rest) = piece.split_once(end).unwrap();
        result.extend([before, &by(value), &end.to_string(), rest]);
    }
    result
}

fn assert_snapshot(name: &str, content: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, content);
    });
}

/// Compares a page in each language.
async fn assert_page(stack: &TestStack, redactions: &Redactions, name: &str, call: &Call) {
    assert_page_of(stack, "portal", redactions, name, call).await;
}

/// Compares a page of a function in each language.
pub(crate) async fn assert_page_of(
    stack: &TestStack,
    function: &'static str,
    redactions: &Redactions,
    name: &str,
    call: &Call,
) {
    for language in Language::ALL {
        let code = language.code();
        let answer = stack.call(function, call.clone().header("accept-language", code)).await;
        assert_eq!(answer.headers["content-language"], code, "{name}: {answer:?}");
        assert_snapshot(&format!("page_{name}_{code}"), &redactions.apply(answer.body.as_str().unwrap()));
    }
}

fn assert_mail(redactions: &Redactions, name: &str, mail: &Mail) {
    let head = |name: &str, value: &str| format!("{name}: {value}\n");
    let reply_to = mail.reply_to.as_deref().map(|address| head("Reply-To", address)).unwrap_or_default();
    let text = head("To", &mail.to) + &reply_to + &head("Subject", &mail.subject) + "\n" + &mail.text;
    assert_snapshot(&format!("mail_{name}_text"), &redactions.apply(&text));
    assert_snapshot(&format!("mail_{name}_html"), &redactions.apply(&mail.html));
}

/// The stack's clock, from the time at which a subscription's credentials were issued.
async fn issued_at(stack: &TestStack, subscription: &str) -> i64 {
    let key = json!(format!("SUBSCRIPTION#{subscription}"));
    let items = stack.items("CREDENTIAL").await;
    let item = items.iter().find(|item| item["PK"]["S"] == key).unwrap();
    item["issued_at"]["N"].as_str().unwrap().parse().unwrap()
}

/// An event whose welcome mail has a content and a language.
fn mailed(subscription: &str, kind: &str, content: &str, locale: &str) -> Value {
    let mut event = event(subscription, kind);
    event["detail"]["welcome_mail"] = content.into();
    event["detail"]["locale"] = locale.into();
    event
}

fn customer(stack: &TestStack, email: &str) -> Call {
    Call::get("/").cookie("__Host-customer", &stack.token(email))
}

#[tokio::test]
async fn every_welcome_mail_matches_its_snapshot() {
    let stack = Deployment::default().with("SUPPORT_URL", "https://help.contoso.example").start().await;
    for content in ["credentials", "link"] {
        for kind in ["trial", "paid"] {
            for language in Language::ALL.map(Language::code) {
                let subscription = format!("{content}-{kind}-{language}");
                stack.start_subscription(mailed(&subscription, kind, content, language)).await;
                let start = issued_at(&stack, &subscription).await;
                let redactions = Redactions::new(&stack).times(start, &[0, WEEK]);
                let redactions =
                    if content == "link" { redactions } else { redactions.with(&stack.mailed_password(), PASSWORD) };
                let mail = stack.cloud.inbox().pop().unwrap();
                assert_mail(&redactions, &format!("welcome_{content}_{kind}_{language}"), &mail);
            }
        }
    }
}

#[tokio::test]
async fn every_reminder_matches_its_snapshot() {
    for language in Language::ALL.map(Language::code) {
        let stack = Deployment::default().with("SUPPORT_URL", "https://help.contoso.example").start().await;
        stack.start_subscription(mailed("sub-1", "trial", "credentials", language)).await;
        let redactions = Redactions::new(&stack).times(issued_at(&stack, "sub-1").await, &[WEEK]);
        stack.advance_clock(5 * WEEK / 7);
        let tick = serde_json::from_str(&Function::SendReminders.event()).unwrap();
        stack.invoke("send-reminders", tick).await;
        stack.cloud.drained().await.unwrap();
        assert_mail(&redactions, &format!("reminder_{language}"), &stack.cloud.inbox().pop().unwrap());
    }
}

/// Entries of a history, one for each notice and each kind of author.
fn entries_with_notices() -> Vec<(&'static str, Value)> {
    let entry = |what: &str, role: &str, by: &str| {
        json!({
            "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "EVENT#0000000002" }, "what": { "S": what }, "by": { "S": by },
            "confirmed": { "BOOL": role == "customer" }, "who": { "M": { "role": { "S": role } } },
            "at": { "N": (START + 60).to_string() }, "issue": { "N": "1" },
        })
    };
    let mut unconfirmed = entry("retrieved", "customer", "ceo@fabrikam.example");
    unconfirmed["confirmed"]["BOOL"] = false.into();
    let mut created = entry("administrator-created", "service-administrator", "admin@fabrikam");
    created["account"] = json!({ "S": "lee@fabrikam" });
    let by_lee = |what: &str| {
        let mut entry = entry(what, "administrator", "lee@fabrikam");
        entry["account"] = json!({ "S": "mo@fabrikam" });
        entry
    };
    let by_support = |what: &str, name: &str, value: &str| {
        let mut entry = entry(what, "operator", "olivia@contoso.example");
        entry["reason"] = json!({ "S": "Dana called about her lost phone." });
        entry[name] = json!({ "S": value });
        entry
    };
    vec![
        ("reissued", by_support("reissued", "detail", "")),
        ("reissued_without_approval", by_support("reissued", "detail", "without-approval")),
        ("portal_user_added", by_support("portal-user-added", "detail", "")),
        ("portal_user_removed", by_support("portal-user-removed", "detail", "")),
        ("account_unlocked", by_support("account-unlocked", "account", "lee@fabrikam")),
        ("reissue_asked", by_support("approval-requested", "detail", "reissue")),
        ("access_asked", by_support("approval-requested", "detail", "add-portal-user")),
        ("approved", by_support("approval-decided", "detail", "approved")),
        ("rejected", by_support("approval-decided", "detail", "rejected")),
        ("overtaken", by_support("approval-decided", "detail", "overtaken")),
        ("retrieved", entry("retrieved", "customer", "kim@fabrikam.example")),
        ("retrieved_unconfirmed", unconfirmed),
        ("portal_users_added", entry("portal-users-added", "vendor", "vendor")),
        ("signed_in", entry("signed-in", "service-administrator", "admin@fabrikam")),
        ("password_changed", entry("password-changed", "administrator", "lee@fabrikam")),
        ("administrator_created", created),
        ("administrator_waiting", by_lee("administrator-created")),
        ("administrator_reset", by_lee("administrator-reset")),
        ("administrator_removed", by_lee("administrator-removed")),
        ("unknown", entry("closed", "operator", "olivia@contoso.example")),
    ]
}

#[tokio::test]
async fn every_notice_matches_its_snapshot() {
    let stack = Deployment::default().with("SUPPORT_URL", "https://help.contoso.example").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    for (name, entry) in entries_with_notices() {
        for language in Language::ALL.map(Language::code) {
            table.put(&crate::notices::order(&entry, "it@fabrikam.example", language)).await;
            stack.cloud.drained().await.unwrap();
            let mail = stack.cloud.inbox().pop().unwrap();
            assert_mail(&Redactions::new(&stack), &format!("notice_{name}_{language}"), &mail);
        }
    }
}

/// Sends a support request, and returns its mail and its reference.
async fn support_mail(stack: &TestStack, token: &str, subscription: &str) -> (Mail, String) {
    let call = Call::contact_support(subscription, "It does not work.\nPlease call: <+1 555 0100>.").bearer(token);
    let key = stack.cloud.inbox().len().to_string();
    let answer = stack.call("contact-support", call.key(&key)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    stack.cloud.drained().await.unwrap();
    (stack.cloud.inbox().pop().unwrap(), answer.body["reference"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_support_mail_matches_its_snapshot() {
    for language in Language::ALL.map(Language::code) {
        let stack = Deployment::default().with("SUPPORT_LANGUAGE", language).start().await;
        let mut known_by_subject = event("new", "paid");
        let portal_user = json!({ "issuer": stack.provider.issuer(), "subject": "dana" });
        known_by_subject["detail"]["portal_users"] = json!([portal_user]);
        stack.start_subscription(known_by_subject).await;
        let start = issued_at(&stack, "new").await;
        let claims = json!({ "sub": "dana", "email_verified": false });
        let unverified = || stack.token_with("dana@fabrikam.example", &claims);
        let redactions = |reference: &str| {
            let times = [0, 60, 120, 180, 240, WEEK];
            Redactions::new(&stack).times(start, &times).with(reference, REFERENCE)
        };
        let (mail, reference) = support_mail(&stack, &unverified(), "new").await;
        assert_mail(&redactions(&reference), &format!("support_new_unverified_{language}"), &mail);

        stack.start_subscription(event("handed-over", "trial")).await;
        let password = stack.mailed_password();
        stack.advance_clock(60);
        let (dana, kim) = (stack.token("dana@fabrikam.example"), stack.token("kim@fabrikam.example"));
        stack.retrieve(&kim, "handed-over", "click").await;
        stack.advance_clock(60);
        let user_name = stack.retrieve(&dana, "handed-over", "click").await.body["user_name"].clone();
        stack.advance_clock(60);
        let session = stack.sign_in(user_name.as_str().unwrap(), &password).await.session().unwrap();
        let reset = stack.call("reset-password", Call::reset_password(&session, "seven green boats at noon")).await;
        stack.advance_clock(60);
        let session = reset.session().unwrap();
        let create = Call::create_admin(&session, "lee@fabrikam", "a quiet lamp over the harbour");
        assert_eq!(stack.call("create-admin", create).await.status, 201);
        end(&stack, "handed-over", start + 240).await;
        let (mail, reference) = support_mail(&stack, &dana, "handed-over").await;
        assert_mail(&redactions(&reference), &format!("support_handed_over_{language}"), &mail);

        stack.advance_clock(WEEK);
        let (mail, reference) = support_mail(&stack, &unverified(), "new").await;
        assert_mail(&redactions(&reference), &format!("support_expired_{language}"), &mail);
    }
}

#[tokio::test]
async fn no_snapshot_of_a_support_mail_can_hide_an_untranslated_text() {
    let stack = Deployment::default().with("SUPPORT_LANGUAGE", "qps").with("PSEUDO_LANGUAGE", "true").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.retrieve(&dana, "sub-1", "click").await;
    let (mail, _) = support_mail(&stack, &dana, "sub-1").await;
    assert!(mail.subject.starts_with('[') && mail.html.contains("<html lang=\"qps\" dir=\"rtl\">"), "{}", mail.html);
    let (facts, message) = mail.text.split_once("\n> ").unwrap();
    assert!(message.lines().skip(1).all(|line| line.starts_with("> ")), "{message}");
    for line in facts.lines().map(|line| line.trim_start_matches("- ")).filter(|line| !line.is_empty()) {
        assert!(line.starts_with('[') && line.trim_end_matches(':').ends_with(']'), "{line:?} is not translated");
    }
}

/// Sets attributes of an item to what no function writes yet.
async fn update(stack: &TestStack, subscription: &str, sk: &str, name: &str, value: AttributeValue) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let update = table.client().update_item().table_name("firstkey");
    let update = update.key("PK", AttributeValue::S(format!("SUBSCRIPTION#{subscription}")));
    let update = update.key("SK", AttributeValue::S(sk.to_owned())).update_expression("SET #name = :value");
    let update = update.expression_attribute_names("#name", name).expression_attribute_values(":value", value);
    update.send().await.unwrap();
}

async fn end(stack: &TestStack, subscription: &str, at: i64) {
    update(stack, subscription, "CREDENTIAL", "ended_at", AttributeValue::N(at.to_string())).await;
}

/// A stack with a subscription in every state, and when the first of them was issued.
async fn stack_with_every_state() -> (TestStack, i64) {
    let stack = Deployment::default().with("VENDOR_NAME", "Contoso").start().await;
    stack.start_subscription(event("expired", "trial")).await;
    let start = issued_at(&stack, "expired").await;
    stack.start_subscription(event("expired-for-good", "trial")).await;
    update(&stack, "expired-for-good", "CREDENTIAL", "renewals", AttributeValue::N("3".to_owned())).await;
    stack.advance_clock(WEEK + 60);
    for (status, detail) in [
        ("pending", None),
        ("delayed", Some("mailbox-full")),
        ("undelivered", Some("mailbox-full")),
        ("bounced", Some("no-such-mailbox")),
        ("suppressed", Some("suppressed")),
        ("complained", None),
        ("not-needed", None),
    ] {
        let subscription = format!("mail-{status}");
        stack.start_subscription(event(&subscription, "trial")).await;
        update(&stack, &subscription, "MAIL", "status", AttributeValue::S(status.to_owned())).await;
        if let Some(detail) = detail {
            update(&stack, &subscription, "MAIL", "detail", AttributeValue::S(detail.to_owned())).await;
        }
    }
    stack.start_subscription(event("issued", "paid")).await;
    stack.start_subscription(event("retrieved", "paid")).await;
    stack.retrieve(&stack.token("kim@fabrikam.example"), "retrieved", "click").await;
    for (subscription, state) in [("signed-in", 1), ("changed", 2), ("handed-over", 3), ("ended", 0)] {
        stack.start_subscription(event(subscription, "trial")).await;
        if state == 0 {
            end(&stack, subscription, start + WEEK + 60).await;
            continue;
        }
        let user_name = format!("admin-{subscription}@fabrikam");
        let session = stack.sign_in(&user_name, &stack.mailed_password()).await.session().unwrap();
        if state > 1 {
            let reset = stack.call("reset-password", Call::reset_password(&session, "seven green boats at noon"));
            let session = reset.await.session().unwrap();
            if state > 2 {
                let create = Call::create_admin(&session, "lee@fabrikam", "a quiet lamp over the harbour");
                assert_eq!(stack.call("create-admin", create).await.status, 201);
            }
        }
    }
    (stack, start)
}

#[tokio::test]
async fn the_subscriptions_match_their_snapshots_in_every_state() {
    let (stack, start) = stack_with_every_state().await;
    let redactions = Redactions::new(&stack).times(start, &[0, WEEK, WEEK + 60, 2 * WEEK + 60]);
    let dana = customer(&stack, "dana@fabrikam.example");
    assert_page(&stack, &redactions, "subscriptions", &dana).await;
    for (name, subscription) in [("history", "handed-over"), ("history_undelivered", "mail-bounced")] {
        let token = stack.token("dana@fabrikam.example");
        let history = Call::get(&format!("/history/{subscription}")).cookie("__Host-customer", &token);
        assert_page(&stack, &redactions, name, &history).await;
    }
    let end = format!("cursor={}", BASE64_URL_SAFE_NO_PAD.encode("zzz"));
    assert_page(&stack, &redactions, "subscriptions_end", &dana.clone().query(&end)).await;
    let stranger = customer(&stack, "dana.k@gmail.example");
    assert_page(&stack, &redactions, "no_subscriptions", &stranger).await;
    let unverified = stack.token_with("dana@fabrikam.example", &json!({ "email_verified": false }));
    let unverified = Call::get("/").cookie("__Host-customer", &unverified);
    assert_page(&stack, &redactions, "unverified_address", &unverified).await;
    let without = stack.token_with("dana@fabrikam.example", &json!({ "email": null, "sub": "8f3c" }));
    assert_page(&stack, &redactions, "no_address", &Call::get("/").cookie("__Host-customer", &without)).await;
}

#[tokio::test]
async fn the_public_pages_match_their_snapshots() {
    let stack = Deployment::default().with("VENDOR_NAME", "Contoso").start().await;
    let redactions = Redactions::new(&stack);
    for (name, path) in [
        ("start", "/"),
        ("help", "/help"),
        ("support", "/support"),
        ("signed_out", "/auth/signed-out"),
        ("administration_sign_in", "/administration"),
        ("not_found", "/foo"),
        ("administration_not_found", "/administration/foo"),
    ] {
        assert_page(&stack, &redactions, name, &Call::get(path).header("accept", "text/html")).await;
    }
    let branded = Deployment::default().with("SUPPORT_URL", "https://help.contoso.example");
    let branded =
        branded.with("BRAND_LOGO", "https://cdn.contoso.example/logo.svg").with("OIDC_DISPLAY_NAME", "Contoso ID");
    let branded = branded.start().await;
    for (name, path) in [("start_branded", "/"), ("support_help_desk", "/support")] {
        assert_page(&branded, &redactions, name, &Call::get(path)).await;
    }
}

#[tokio::test]
async fn a_failed_sign_in_of_a_customer_matches_its_snapshot() {
    let stack = TestStack::start().await;
    let redactions = Redactions::new(&stack);
    assert_page(&stack, &redactions, "sign_in_stale", &Call::get("/auth/callback")).await;
    let sent = PendingSignIn::start(&stack, "return=%2Fsupport").await;
    let cancelled = format!("error=access_denied&state={}", sent.parameter("state"));
    assert_page(&stack, &redactions, "sign_in_cancelled", &sent.callback(&cancelled)).await;
    let refused = format!("error=server_error&state={}", sent.parameter("state"));
    assert_page(&stack, &redactions, "sign_in_not_accepted", &sent.callback(&refused)).await;
    let again = format!("error=login_required&state={}", sent.parameter("state"));
    let sent = PendingSignIn::read(&stack.call("portal", sent.callback(&again)).await);
    let again = format!("error=login_required&state={}", sent.parameter("state"));
    assert_page(&stack, &redactions, "sign_in_incomplete", &sent.callback(&again)).await;

    for (name, status, claims) in [
        ("too_large", 431, json!({ "groups": "x".repeat(10_000) })),
        ("misconfigured", 500, json!({ "aud": "another" })),
    ] {
        stack.provider.add_claims(claims);
        for language in Language::ALL.map(Language::code) {
            let sent = PendingSignIn::start(&stack, "").await;
            let call = sent.callback(&sent.authenticate("dana@fabrikam.example").await);
            let answer = stack.call("portal", call.header("accept-language", language)).await;
            assert_eq!(answer.status, status);
            let page = redactions.apply(answer.body.as_str().unwrap());
            assert_snapshot(&format!("page_sign_in_{name}_{language}"), &page);
        }
    }

    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "2").start().await;
    let sent = PendingSignIn::start(&stack, "").await;
    let query = format!("error=access_denied&state={}", sent.parameter("state"));
    stack.call("portal", sent.callback(&query)).await;
    assert_page(&stack, &Redactions::new(&stack), "sign_in_too_many", &sent.callback(&query)).await;

    let stack = Deployment::default().with("OIDC_ISSUER", "http://127.0.0.1:9").start().await;
    let redactions = Redactions::new(&stack);
    assert_page(&stack, &redactions, "sign_in_provider_unavailable", &Call::get("/auth/sign-in")).await;
    let away = customer(&stack, "dana@fabrikam.example");
    assert_page(&stack, &redactions, "provider_unavailable", &away).await;
}

#[tokio::test]
async fn a_page_that_is_unavailable_matches_its_snapshot() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let redactions = Redactions::new(&stack);
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100));
    let dana = customer(&stack, "dana@fabrikam.example");
    assert_page(&stack, &redactions, "subscriptions_unavailable", &dana).await;
    let administration = Call::get("/administration").session(&session);
    assert_page(&stack, &redactions, "administration_unavailable", &administration).await;
}

#[tokio::test]
async fn the_administration_center_matches_its_snapshots() {
    let stack = Deployment::default().with("PRODUCT_URL", "https://product.contoso.example/").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let start = issued_at(&stack, "sub-1").await;
    let redactions = Redactions::new(&stack).times(start, &[0, 60, WEEK]);
    let page = async |name: &str, path: &str, session: &str| {
        assert_page(&stack, &redactions, &format!("administration_{name}"), &Call::get(path).session(session)).await;
    };
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    page("set_password", "/administration/password", &session).await;
    let reset = stack.call("reset-password", Call::reset_password(&session, "seven green boats at noon")).await;
    let session = reset.session().unwrap();
    page("create", "/administration/create", &session).await;
    let create = Call::create_admin(&session, "lee@fabrikam", "a quiet lamp over the harbour");
    stack.call("create-admin", create).await;
    let lee = stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await.session().unwrap();
    set_sign_ins(&stack, start).await;
    let with_id = redactions.clone().with(&stack.account_id("lee@fabrikam").await, "LEES_ID");
    assert_page(&stack, &with_id, "administration_home", &Call::get("/administration").session(&lee)).await;
    page("add", "/administration/create", &lee).await;
    page("change_password", "/administration/password", &lee).await;
    page("removed_none", "/administration/removed", &lee).await;
}

/// Sets the times of administrators for lists, which depend on the duration of the test.
async fn set_sign_ins(stack: &TestStack, start: i64) {
    let mut administrators = stack.items("ADMINISTRATOR#").await;
    administrators.sort_by_key(|item| item["user_name"]["S"].to_string());
    for (n, item) in (1..).zip(administrators) {
        let at = |seconds: i64| AttributeValue::N((start + seconds).to_string());
        let sort_key = item["SK"]["S"].as_str().unwrap();
        update(stack, "sub-1", sort_key, "created_at", at(n)).await;
        if !item["last_signed_in_at"].is_null() {
            update(stack, "sub-1", sort_key, "last_signed_in_at", at(60)).await;
        }
    }
}

#[tokio::test]
async fn the_pages_of_a_team_match_their_snapshots() {
    let team = Team::start().await;
    let stack = &team.stack;
    let start = issued_at(stack, "sub-1").await;
    let redactions = Redactions::new(stack).times(start, &[0, 60, WEEK]);
    let redactions = redactions.with(&team.lees_id, "LEES_ID").with(&team.mos_id, "MOS_ID");
    let page = async |redactions: &Redactions, name: &str, path: &str| {
        let call = Call::get(path).session(&team.lee);
        assert_page(stack, redactions, &format!("administration_{name}"), &call).await;
    };
    let [reset, remove] = ["reset", "remove"].map(|act| format!("/administration/{act}/{}", team.mos_id));
    page(&redactions, "reset", &reset).await;
    page(&redactions, "remove", &remove).await;
    page(&redactions, "remove_self", &format!("/administration/remove/{}", team.lees_id)).await;

    stack.add_administrator(&team.lee, LEES, "noor@fabrikam").await;
    let redactions = redactions.with(&stack.account_id("noor@fabrikam").await, "NOORS_ID");
    team.reset_mo().await;
    set_sign_ins(stack, start).await;
    page(&redactions, "home_of_three", "/administration").await;

    stack.advance_clock(REFILL);
    team.remove_mo().await;
    page(&redactions, "removed", "/administration/removed").await;
    page(&redactions, "reset_removed", &reset).await;
    let noors = stack.account_id("noor@fabrikam").await;
    let removal = Call::remove_admin(&team.lee, &noors, LEES);
    assert_eq!(stack.call("remove-admin", removal).await.status, 204);
    page(&redactions, "remove_last", &format!("/administration/remove/{}", team.lees_id)).await;
}

/// Lets an account forget that its owner has signed in, as one of an earlier release may have.
async fn forget_first_sign_in(stack: &TestStack, user_name: &str) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let update = table.client().update_item().table_name("firstkey");
    let update = update.key("PK", AttributeValue::S(format!("ACCOUNT#{user_name}")));
    let update = update.key("SK", AttributeValue::S("ACCOUNT".to_owned()));
    update.update_expression("REMOVE first_signed_in_at").send().await.unwrap();
}

#[tokio::test]
async fn the_pages_before_the_product_match_their_snapshots() {
    let stack = Deployment::default().with("VENDOR_NAME", "Contoso").start().await;
    let service = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    let lee = stack.first_administrator(&service, LEE, LEES).await;
    let start = issued_at(&stack, "sub-1").await;
    // The request says when it began: at some second of this test.
    let began = |redactions: Redactions, n: i64| redactions.with(&(start + n).to_string(), &START.to_string());
    let redactions = (0..300).fold(Redactions::new(&stack), began).with(&stack.account_id(LEE).await, "LEES_ID");
    let page = async |name: &str, call: &Call| {
        let name = format!("product_{name}");
        assert_page_of(&stack, "product-sign-in", &redactions, &name, &call.clone().header("accept", "text/html"))
            .await;
    };
    let product = RelyingParty::default();
    page("leave", &product.authorize()).await;
    page("refused", &product.clone().with("client_id", "another").authorize()).await;

    let query = product.begin(&stack).await;
    let next = Call::get("/oidc/continue").query(&query).session(&lee);
    page("continue", &next).await;
    let again = form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
    let again = Call::get("/administration/sign-in").query(&format!("continue={again}")).session(&lee);
    assert_page(&stack, &redactions, "administration_sign_in_again", &again).await;
    forget_first_sign_in(&stack, LEE).await;
    page("not_proven", &next).await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100));
    page("unavailable", &next).await;
}

#[test]
fn every_snapshot_exists_in_both_languages() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/it/snapshots");
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    for name in &files {
        let swap = |part| match part {
            "en" => "de",
            "de" => "en",
            part => part,
        };
        let stem = name.strip_suffix(".snap").unwrap_or_else(|| panic!("{name} is not an accepted snapshot"));
        let other = stem.split('_').map(swap).collect::<Vec<_>>().join("_") + ".snap";
        assert!(files.contains(&other) && other != *name, "{name} has no counterpart");
    }
}
