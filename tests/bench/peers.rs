//! A retrieval by `get-credentials`, beside the same retrieval in Node.js and in Python, and beside the two calls of AWS that all of them
//! make. Every peer verifies the same tokens with the same keys, sends the same calls, and answers the same.

mod install;

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{EmailAddress, Principal};
use futures_util::FutureExt as _;
use provider::Person;
use serde_json::{Value, json};
use support::{Answer, Call, Function, event};

pub(crate) use self::install::Peers;
use crate::{
    Section,
    chart::{self, Group},
    lab::Lab,
    measure::{Measured, NextEvent, Rounds, Subject, measure, units},
    programs::{BARE, NOOP, Program},
    report::{Check, Limit, Table, checks_table, missed, number},
};

/// The subscription whose password is retrieved.
const SUBSCRIPTION: &str = "sub-bench";

/// A portal user of it.
const EMAIL: &str = "dana@fabrikam.example";

const ROUNDS: Rounds = Rounds { starts: 15, firsts: 15, warm: 200 };

const NODE: &str = "Node.js";
const BUNDLED: &str = "Node.js, one file";
const PYTHON: &str = "Python";

/// The measurements of a retrieval by one program.
#[derive(Debug)]
struct Retrieval {
    name: &'static str,
    measured: Measured,
}

/// Measures every program. Returns the report and the chart.
pub(crate) async fn run(lab: &Lab) -> anyhow::Result<(Section, String)> {
    let peers = Peers::get(&lab.workspace).await?;
    lab.stack.start_subscription(event(SUBSCRIPTION, "trial")).await;
    let subjects: Vec<_> =
        programs(lab, &peers).await?.into_iter().map(|program| Subject { program, next_event: clicks(lab) }).collect();
    compare_behavior(lab, &subjects).await?;
    let measured = measure(&lab.stack.cloud, &subjects, ROUNDS).await?;
    let names = subjects.iter().map(|subject| subject.program.name);
    let all: Vec<_> = names.zip(measured).map(|(name, measured)| Retrieval { name, measured }).collect();
    Ok((report(&all, &peers.versions)?, drawing(&all)))
}

/// Returns every program, the floors first.
async fn programs(lab: &Lab, peers: &Peers) -> anyhow::Result<Vec<Program>> {
    let role = Function::GetCredentials;
    let mut settings = lab.stack.settings().clone();
    settings.extend(bare_settings(lab).await?);
    settings.insert("PROVIDER_KEY".to_owned(), lab.provider_key().await?);
    // No file of the user who runs this is read.
    settings.insert("HOME".to_owned(), "/nonexistent".to_owned());
    let released = |name| Program::released(name, role, &lab.programs, &settings);
    let peer = |name, caller: &str, program: &std::path::Path, script: &std::path::Path| {
        Program::new(name, format!("{role}@{caller}"), vec![program.into(), script.into()], &settings)
    };
    let script = lab.workspace.root.join("tests/bench/peers/retrieval.py");
    Ok(vec![
        released(NOOP),
        released(BARE),
        released(role.name()),
        peer(NODE, "node", &peers.node, &peers.node_script),
        peer(BUNDLED, "bundle", &peers.node, &peers.node_bundle),
        peer(PYTHON, "python", &peers.python, &script),
    ])
}

/// Returns the settings of the bare calls: what the others read from the request. Its time is that of the issue, when the password works.
async fn bare_settings(lab: &Lab) -> anyhow::Result<HashMap<String, String>> {
    let claims = lab.stack.provider.claims(&Person::with_email(EMAIL));
    let subject = claims["sub"].as_str().context("a token has a subject")?;
    let address = EmailAddress::parse(EMAIL).context("an address")?;
    let now = lab.credential(SUBSCRIPTION, "issued_at").await?;
    let settings = [
        ("BARE_SUBSCRIPTION", SUBSCRIPTION.to_owned()),
        ("BARE_LABEL", EMAIL.to_owned()),
        ("BARE_NOW", now["N"].as_str().context("the time of the issue")?.to_owned()),
        ("BARE_PERSON", Principal::subject(lab.stack.provider.issuer(), subject).to_string()),
        ("BARE_ADDRESS", Principal::email(&address).to_string()),
    ];
    Ok(settings.map(|(name, value)| (name.to_owned(), value)).into())
}

/// Returns the clicks of one person on **Go**, each with its own key. Before each, the retrievals of the subscription are forgotten.
fn clicks(lab: &Lab) -> NextEvent<'_> {
    let (token, clicks) = (lab.stack.token(EMAIL), Cell::new(0));
    Box::new(move || {
        clicks.set(clicks.get() + 1);
        let key = format!("click-{}", clicks.get());
        let call = Call::get_credentials(SUBSCRIPTION).bearer(&token).key(&key);
        async move {
            forget_retrievals(lab).await?;
            Ok(call.into_event())
        }
        .boxed_local()
    })
}

async fn forget_retrievals(lab: &Lab) -> anyhow::Result<()> {
    let update = lab.table.client().update_item().table_name("firstkey");
    let update = update
        .key("PK", AttributeValue::S(format!("SUBSCRIPTION#{SUBSCRIPTION}")))
        .key("SK", AttributeValue::S("CREDENTIAL".to_owned()));
    let update = update
        .update_expression("SET retrievals = :none")
        .expression_attribute_values(":none", AttributeValue::M(HashMap::new()));
    update.send().await.context("the retrievals could not be forgotten").map(drop)
}

/// The calls and the answer of one program.
#[derive(Debug, PartialEq)]
struct Behavior {
    /// The bodies of the calls that decide and disclose.
    calls: Vec<(String, Value)>,
    /// The body of the answer.
    answer: Value,
}

/// Checks that every program that retrieves makes the same calls, and that all but the bare calls answer the same.
async fn compare_behavior(lab: &Lab, subjects: &[Subject<'_>]) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.program.name != NOOP) {
        let name = subject.program.name;
        all.push((name, behavior(lab, subject).await.with_context(|| name.to_owned())?));
    }
    let reference = all.iter().find(|(name, _)| *name == Function::GetCredentials.name());
    let (_, reference) = reference.context("get-credentials is measured")?;
    for (name, behavior) in &all {
        ensure!(behavior.calls == reference.calls, "{name} sends other calls: {behavior:#?} and not {reference:#?}");
        let is_same = *name == BARE || behavior.answer == reference.answer;
        ensure!(is_same, "{name} answers {:#} and not {:#}", behavior.answer, reference.answer);
    }
    Ok(())
}

async fn behavior(lab: &Lab, subject: &Subject<'_>) -> anyhow::Result<Behavior> {
    let seen = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let (noted, caller) = (Arc::clone(&seen), subject.program.caller.clone());
    let mut running = subject.program.run().await?;
    let event = (subject.next_event)().await?;
    let gate = lab.stack.cloud.gate(move |call| {
        if call.function == caller && call.operation != "GetItem" {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.push((call.operation.clone(), comparable_call(call.body.clone())));
        }
        false
    });
    let answer = running.invoke(&event).await?;
    drop(gate);
    let answer: Value = serde_json::from_str(&answer.body)?;
    let mut answer = if answer["headers"].is_object() { Answer::read(&answer).body } else { Value::Null };
    if let Some(history) = answer["retrievals"]["history"].as_array_mut() {
        for entry in history {
            entry["at"] = Value::Null;
        }
    }
    let calls = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Behavior { calls, answer })
}

/// Removes from a call what differs between two clicks: the time, and the id of the retrieval.
fn comparable_call(mut body: Value) -> Value {
    if body["ExpressionAttributeValues"].is_object() {
        let values = &mut body["ExpressionAttributeValues"];
        values[":now"] = Value::Null;
        values[":retrieval"]["M"]["at"] = Value::Null;
        body["ExpressionAttributeNames"]["#rid"] = json!("a click");
    }
    body
}

fn report(all: &[Retrieval], versions: &str) -> anyhow::Result<Section> {
    let find = |name: &str| {
        let found = all.iter().find(|retrieval| retrieval.name == name);
        found.map(|retrieval| &retrieval.measured).with_context(|| format!("{name} is measured"))
    };
    let (bare, own) = (find(BARE)?, find(Function::GetCredentials.name())?);
    let compared = compare(own, bare, find(NODE)?, find(PYTHON)?);
    let rounds = format!("{} starts, {} first and {} further answers", ROUNDS.starts, ROUNDS.firsts, ROUNDS.warm);
    let markdown = format!(
        "![The same as a chart](bench.svg)\n\nMedians of {rounds} of each, in turns. Times in ms, memory in MiB. `{NOOP}` does \
         nothing, and `{BARE}` makes the calls of a retrieval alone. Each peer verifies the same tokens, sends the same calls and \
         answers the same; its clients are outside the handler, and its connections stay open. {versions}.\n\n{}\nAgainst {BUNDLED} the same ratios are {}.\n\n{}",
        table(all),
        ratios(own, find(BUNDLED)?).map(number).join(", "),
        checks_table(&compared),
    );
    Ok(Section { title: "A retrieval, beside others".to_owned(), markdown, missed: missed(&compared) })
}

fn table(all: &[Retrieval]) -> String {
    let head: Vec<_> = ["program"].into_iter().chain(Measured::HEAD).collect();
    let mut table = Table::new(&head);
    for Retrieval { name, measured } in all {
        table.row(std::iter::once(format!("`{name}`")).chain(measured.columns().map(number)));
    }
    table.markdown()
}

/// Returns how many times better the function is than a peer: start, first answer, warm answer, memory.
fn ratios(own: &Measured, peer: &Measured) -> [f64; 4] {
    [
        peer.start.median() / own.start.median(),
        peer.first.median() / own.first.median(),
        peer.warm.median() / own.warm.median(),
        peer.memory / own.memory,
    ]
}

/// Returns the ratios of the function with the bare calls and the peers.
fn compare(own: &Measured, bare: &Measured, node: &Measured, python: &Measured) -> Vec<Check> {
    let (_, write_units) = units(&own.warm_calls);
    let mut compared = vec![
        Check::new(
            "get-credentials, first answer against the bare calls",
            Limit::AtMost(1.3),
            own.first.median() / bare.first.median(),
        ),
        Check::new(
            "get-credentials, warm answer against the bare calls",
            Limit::AtMost(1.05),
            own.warm.median() / bare.warm.median(),
        ),
        Check::new("write units of a retrieval", Limit::AtMost(1.0), write_units),
    ];
    for (name, peer, least) in [(NODE, node, [50.0, 10.0, 3.5, 10.0]), (PYTHON, python, [50.0, 3.0, 2.5, 6.0])] {
        let what = ["start", "first answer", "warm answer", "memory"];
        for ((what, least), ratio) in what.into_iter().zip(least).zip(ratios(own, peer)) {
            compared.push(Check::new(format!("{what}, times better than {name}"), Limit::AtLeast(least), ratio));
        }
    }
    compared
}

/// Draws the measurements of the function first, then those of its floor and of the peers.
fn drawing(all: &[Retrieval]) -> String {
    let group = |title: &str, floor: &str, value: fn(&Measured) -> f64| {
        let order = [Function::GetCredentials.name(), floor, NODE, BUNDLED, PYTHON];
        let find = |name: &str| all.iter().find(|retrieval| retrieval.name == name);
        let bars = order.into_iter().filter_map(find).map(|one| (one.name.to_owned(), value(&one.measured)));
        Group { title: title.to_owned(), bars: bars.collect() }
    };
    let groups = [
        group("Start to first request for an event, ms", NOOP, |measured| measured.start.median()),
        group("First answer, ms", BARE, |measured| measured.first.median()),
        group("Warm answer, ms", BARE, |measured| measured.warm.median()),
        group("Memory, MiB", BARE, |measured| measured.memory),
    ];
    chart::svg("A retrieval by get-credentials beside the same in Node.js and Python", &groups)
}
