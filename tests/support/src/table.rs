//! The contents of the table, in the terms of the specification.

use std::{collections::BTreeMap, collections::HashMap};

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    primitives::Blob,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{EmailAddress, Principal};
use serde_json::Value;

use crate::specification::{
    Person, UNREPORTED, UserName, account_line, administrator_line, approval_line, clicks_line, credential_line,
    ended_line, listed_line, mail_line, membership_line, removed_line, support_line, unlocks_line, user_line,
};

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// A client that reads and writes the table directly.
#[derive(Clone)]
pub struct Table(Client);

/// The items of one subscription: first its credential, welcome mail, administrators, requests to support and history; then its accounts.
pub type Items = (Vec<Item>, BTreeMap<UserName, Item>);

impl Table {
    /// Connects to the AWS endpoint of a cloud, which knows the client as `caller`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tests read the table, and write what no function writes yet")]
    pub fn connect(aws_url: &str, caller: &str) -> Self {
        let settings = BTreeMap::from([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", caller),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", aws_url),
        ]);
        Self(Client::new(&aws::connect(|name| settings.get(name).map(|&value| value.to_owned())).unwrap()))
    }

    /// Returns the DynamoDB client, for calls without a method here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Gets an item.
    pub async fn get(&self, pk: String, sk: &str) -> Option<Item> {
        let get = self.0.get_item().table_name("firstkey").key("PK", text(pk)).key("SK", text(sk));
        let get = get.consistent_read(true);
        with_retries(|| get.clone().send()).await.item
    }

    /// Puts an item that is written in DynamoDB's JSON.
    pub async fn put(&self, item: &Value) {
        let put = self.0.put_item().table_name("firstkey").set_item(Some(attributes(item)));
        with_retries(|| put.clone().send()).await;
    }

    /// Deletes the item that has the key of this one.
    pub async fn delete(&self, item: &Value) {
        let mut key = attributes(item);
        key.retain(|name, _| matches!(name.as_str(), "PK" | "SK"));
        let delete = self.0.delete_item().table_name("firstkey").set_key(Some(key));
        with_retries(|| delete.clone().send()).await;
    }

    /// Puts many such items, 25 in each call.
    pub async fn put_all(&self, items: &[Value]) {
        let put = |item| PutRequest::builder().set_item(Some(attributes(item))).build().unwrap();
        for items in items.chunks(25) {
            let writes = items.iter().map(|item| WriteRequest::builder().put_request(put(item)).build()).collect();
            let write = self.0.batch_write_item().request_items("firstkey", writes);
            let left = with_retries(|| write.clone().send()).await.unprocessed_items;
            assert!(left.is_none_or(|left| left.is_empty()), "some items were not put");
        }
    }

    /// Sets an attribute of an item to a number.
    pub async fn set_number(&self, pk: String, sk: &str, name: &str, number: i64) {
        let update = self.number_update(pk, sk, name, number);
        with_retries(|| update.clone().send()).await;
    }

    /// Sets an attribute of an item to a number, unless another process has deleted the item meanwhile.
    pub async fn set_number_if_present(&self, pk: String, sk: &str, name: &str, number: i64) {
        let update = self.number_update(pk, sk, name, number).condition_expression("attribute_exists(PK)");
        let is_deleted = UpdateItemError::is_conditional_check_failed_exception;
        with_retries(|| async {
            match update.clone().send().await {
                Err(error) if error.as_service_error().is_some_and(is_deleted) => Ok(()),
                sent => sent.map(drop),
            }
        })
        .await;
    }

    fn number_update(&self, pk: String, sk: &str, name: &str, number: i64) -> UpdateItemFluentBuilder {
        let update = self.0.update_item().table_name("firstkey").key("PK", text(pk)).key("SK", text(sk));
        let update = update.update_expression("SET #name = :number").expression_attribute_names("#name", name);
        update.expression_attribute_values(":number", AttributeValue::N(number.to_string()))
    }

    /// Gets the items of a subscription of a company.
    pub async fn items(&self, subscription: &str, company: &str) -> Items {
        let mut items = self.partition(&format!("SUBSCRIPTION#{subscription}"), "").await;
        let prefixes = ["CREDENTIAL", "ADMINISTRATOR#", "SUPPORT#", "MAIL#support#", "EVENT#"];
        let is_kept = |key: &str| key == "MAIL" || prefixes.iter().any(|prefix| key.starts_with(prefix));
        items.retain(|item| is_kept(read_text(item, "SK")));
        let mut accounts = BTreeMap::new();
        for who in UserName::ALL {
            let account = self.get(format!("ACCOUNT#{who}@{company}"), "ACCOUNT").await;
            accounts.extend(account.map(|item| (who, item)));
        }
        (items, accounts)
    }

    /// Gets the items of a subscription as the lines of [`State::lines`](crate::specification::State::lines).
    pub async fn lines(&self, subscription: &str, company: &str) -> Vec<String> {
        lines(&self.items(subscription, company).await, Vec::new())
    }

    /// Gets the items of a subscription as the lines of a state
    /// [with the desk](crate::specification::State::with_desk_lines). `people` is the company in the addresses of people.
    pub async fn lines_with_desk(&self, subscription: &str, company: &str, people: &str) -> Vec<String> {
        let all = self.partition(&format!("SUBSCRIPTION#{subscription}"), "").await;
        let mut desk = portal_users(&all, people);
        desk.extend(self.memberships(subscription, people).await.keys().map(membership_line));
        desk.extend(all.iter().filter(|item| read_text(item, "SK") == "APPROVAL").map(approval));
        desk.extend(self.listed(subscription).await.iter().map(|item| listed_line(read_text(item, "reason"))));
        let of = |prefix: &'static str| all.iter().filter(move |item| read_text(item, "SK").starts_with(prefix));
        // The marks of administrators' clicks have no answer.
        let clicks = of("CLICK#").filter(|click| click.contains_key("answer")).count();
        desk.extend(Some(clicks).filter(|clicks| *clicks > 0).map(clicks_line));
        desk.extend(of("UNLOCKED#").map(|day| unlocks_line(read_number(day, "unlocked"))));
        desk.sort();
        lines(&self.items(subscription, company).await, desk)
    }

    /// Gets everything that is stored of a subscription apart from accounts and sessions. `people` is the company in the addresses of people.
    pub async fn everything(&self, subscription: &str, people: &str) -> Vec<Item> {
        let mut all = self.partition(&format!("SUBSCRIPTION#{subscription}"), "").await;
        all.extend(self.memberships(subscription, people).await.into_values());
        all.extend(self.listed(subscription).await);
        all
    }

    /// Gets the memberships of people in a subscription.
    async fn memberships(&self, subscription: &str, people: &str) -> BTreeMap<Person, Item> {
        let mut memberships = BTreeMap::new();
        for person in Person::ALL {
            let pk = format!("PORTAL_USER#{}", principal(person, people));
            let membership = self.get(pk, &format!("SUBSCRIPTION#{subscription}")).await;
            memberships.extend(membership.map(|item| (person, item)));
        }
        memberships
    }

    /// Gets the approvals of a subscription on the list of those that are pending.
    async fn listed(&self, subscription: &str) -> Vec<Item> {
        self.partition("DESK#APPROVALS", &format!("{subscription}.")).await
    }

    /// Gets the items of a partition whose sort keys begin with `prefix`.
    async fn partition(&self, pk: &str, prefix: &str) -> Vec<Item> {
        let query = self.0.query().table_name("firstkey").consistent_read(true);
        let query = query.expression_attribute_values(":pk", text(pk));
        let query = if prefix.is_empty() {
            query.key_condition_expression("PK = :pk")
        } else {
            let query = query.key_condition_expression("PK = :pk AND begins_with(SK, :prefix)");
            query.expression_attribute_values(":prefix", text(prefix))
        };
        with_retries(|| query.clone().send()).await.items.unwrap()
    }
}

/// Sends a request, and retries it up to nine times: on a busy machine requests time out.
async fn with_retries<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(send: impl Fn() -> F) -> T {
    for _ in 0..9 {
        if let Ok(output) = send().await {
            return output;
        }
    }
    send().await.unwrap()
}

/// Returns the principal of a person by their address.
fn principal(person: Person, company: &str) -> Principal {
    Principal::email(&EmailAddress::parse(&address(person, company)).unwrap())
}

/// Returns the address of a person of a company.
#[must_use]
pub fn address(person: Person, company: &str) -> String {
    format!("{person}@{company}.example")
}

/// Returns the lines of the portal users: those on the credential, and those who are removed.
fn portal_users(items: &[Item], company: &str) -> Vec<String> {
    let names: BTreeMap<_, _> =
        Person::ALL.into_iter().map(|person| (principal(person, company).to_string(), person.to_string())).collect();
    let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| format!("unknown {id}"));
    let mut lines = Vec::new();
    for item in items {
        let sort_key = read_text(item, "SK");
        if sort_key == "CREDENTIAL" {
            let users = item["portal_users"].as_bs().unwrap().iter();
            let ids = users.map(|user| Principal::from_bytes(user.as_ref()).unwrap().to_string());
            lines.extend(ids.map(|id| user_line(name(&id))));
        }
        if let Some(id) = sort_key.strip_prefix("PORTAL_USER#").filter(|_| item.contains_key("removed_at")) {
            lines.push(removed_line(name(id)));
        }
    }
    lines
}

fn approval(item: &Item) -> String {
    let outcome = item.contains_key("outcome").then(|| read_text(item, "outcome"));
    let decision = outcome.map(|outcome| format!("{outcome} by {}", short(read_text(item, "decided_by"))));
    approval_line(read_text(item, "reason"), short(read_text(item, "asked_by")), decision.as_deref())
}

/// Returns the lines of a subscription, with those of the desk before the history.
fn lines((items, accounts): &Items, desk: Vec<String>) -> Vec<String> {
    let of = |sort_key: &'static str| items.iter().filter(move |item| read_text(item, "SK").starts_with(sort_key));
    let mut lines = Vec::new();
    for item in of("CREDENTIAL") {
        let marks = ["sealed_password", "signed_in_at", "changed_at", "handed_over_at"];
        let marks = marks.map(|mark| item.contains_key(mark));
        let paid = read_text(item, "kind") == "paid";
        let renewals = if item.contains_key("renewals") { read_number(item, "renewals") } else { 0 };
        lines.push(credential_line([read_number(item, "issue"), renewals, read_number(item, "seq")], paid, marks));
        lines.extend(item.contains_key("ended_at").then(|| ended_line(item.contains_key("closed_at"))));
        lines.extend(items.iter().filter(|mail| read_text(mail, "SK") == "MAIL").map(welcome_mail));
        let retrievals = item["retrievals"].as_m().unwrap().values();
        let whose = |entry: &AttributeValue| short(read_text(entry.as_m().unwrap(), "by")).to_owned();
        let mut retrievals: Vec<_> = retrievals.map(|entry| format!("retrieval of {}", whose(entry))).collect();
        retrievals.sort();
        lines.append(&mut retrievals);
    }
    let has_ended_before = of("EVENT#").any(|entry| read_text(entry, "what") == "subscription-ended");
    lines.extend(accounts.iter().map(|(who, item)| {
        let flags = [
            read_text(item, "status") == "active",
            *item["must_change"].as_bool().unwrap(),
            item.contains_key("first_signed_in_at"),
        ];
        account_line(*who, flags, Some(read_number(item, "version")).filter(|_| !has_ended_before))
    }));
    let administrator =
        |item| administrator_line(short(read_text(item, "user_name")), read_text(item, "status") == "active");
    let mut administrators: Vec<_> = of("ADMINISTRATOR#").map(administrator).collect();
    administrators.sort();
    lines.extend(administrators);
    lines.extend(of("SUPPORT#").map(|day| support_line(read_number(day, "requests"))));
    let mut requests: Vec<_> =
        of("MAIL#support#").map(|mail| format!("support request of {}", short(read_text(mail, "by")))).collect();
    requests.sort();
    lines.extend(requests);
    lines.extend(desk);
    lines.extend(history(of("EVENT#")));
    lines
}

/// Returns the line of the welcome mail.
fn welcome_mail(mail: &Item) -> String {
    let status = match read_text(mail, "status") {
        "pending" | "sent" | "not-needed" => UNREPORTED,
        reported => reported,
    };
    let round = if mail.contains_key("round") { read_number(mail, "round") } else { 0 };
    let detail = if mail.contains_key("detail") { read_text(mail, "detail") } else { "" };
    mail_line(read_number(mail, "issue"), round, status, detail)
}

/// Returns the lines of the history. Retrievals enter the history together, and their order within a second is not known, so they are sorted.
fn history<'a>(entries: impl Iterator<Item = &'a Item>) -> Vec<String> {
    let mut lines: Vec<(u64, String)> = entries.map(entry).collect();
    for retrievals in lines.chunk_by_mut(|(_, one), (_, other)| [one, other].iter().all(|what| is_retrieval(what))) {
        let mut sorted: Vec<_> = retrievals.iter().map(|(_, what)| what.clone()).collect();
        sorted.sort();
        retrievals.iter_mut().zip(sorted).for_each(|((_, what), sorted)| *what = sorted);
    }
    lines.into_iter().map(|(sequence, what)| format!("{sequence}. {what}")).collect()
}

fn is_retrieval(what: &str) -> bool {
    what.starts_with("retrieved by")
}

fn entry(item: &Item) -> (u64, String) {
    let sequence = read_text(item, "SK")["EVENT#".len()..].parse().unwrap();
    let account = item.get("account").and_then(|account| account.as_s().ok());
    let account = account.map(|account| format!(": {}", short(account))).unwrap_or_default();
    // An entry with a reason is about an act of an operator.
    let of_act = match item.get("reason") {
        Some(reason) => {
            let detail = item.contains_key("detail").then(|| format!(", {}", read_text(item, "detail")));
            format!("{} ({})", detail.unwrap_or_default(), reason.as_s().unwrap())
        }
        None => String::new(),
    };
    (sequence, format!("{} by {}{account}{of_act}", read_text(item, "what"), short(read_text(item, "by"))))
}

/// Parses the attributes of an item in DynamoDB's JSON.
fn attributes(item: &Value) -> Item {
    item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(typed: &Value) -> AttributeValue {
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let binary = |value: &Value| Blob::new(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap());
    match kind.as_str() {
        "S" => AttributeValue::S(text(value)),
        "N" => AttributeValue::N(text(value)),
        "B" => AttributeValue::B(binary(value)),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "BS" => AttributeValue::Bs(value.as_array().unwrap().iter().map(binary).collect()),
        "SS" => AttributeValue::Ss(value.as_array().unwrap().iter().map(text).collect()),
        "M" => AttributeValue::M(attributes(value)),
        _ => panic!("no attribute of the table has the type {kind}"),
    }
}

/// Creates a text attribute.
pub fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Reads an attribute that must be a text.
#[must_use]
pub fn read_text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

/// Reads an attribute that must be a number.
#[must_use]
pub fn read_number(item: &Item, name: &str) -> u64 {
    item[name].as_n().unwrap().parse().unwrap()
}

/// Returns a user name or an e-mail address without the company.
fn short(user_name: &str) -> &str {
    user_name.split_once('@').map_or(user_name, |(name, _)| name)
}
