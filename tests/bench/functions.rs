//! Every function, beside the one that does nothing: start, answers, memory, size, calls, units and cost.

use std::{fs, path::Path};

use anyhow::Context as _;
use cloud::Request;
use futures_util::FutureExt as _;
use support::{Call, Function};
use template::Template;
use tokio::process::Command;

use crate::{
    Section,
    cost::Usage,
    events::Events,
    lab::Lab,
    measure::{Measured, Rounds, Subject, measure, units},
    programs::{NOOP, Program, output},
    report::{Check, Limit, Table, checks_table, missed, number},
};

const ROUNDS: Rounds = Rounds { starts: 31, firsts: 9, warm: 60 };

/// The largest start of a function, as a multiple of that of the one that does nothing.
const MAX_START: f64 = 2.0;

/// Measures every function.
pub(crate) async fn run(lab: &Lab) -> anyhow::Result<Section> {
    let events: Vec<_> = Function::ALL.iter().map(|function| Events::new(lab, *function)).collect();
    let program = |name, role| Program::released(name, role, &lab.programs, lab.stack.settings());
    let nothing = Subject {
        program: program(NOOP, Function::Portal),
        next_event: Box::new(|| async { Ok(Call::get("/").into_event()) }.boxed_local()),
    };
    let subjects: Vec<_> = std::iter::once(nothing)
        .chain(Function::ALL.iter().zip(&events).map(|(function, events)| Subject {
            program: program(function.name(), *function),
            next_event: Box::new(move || events.next().boxed_local()),
        }))
        .collect();
    let measured = measure(&lab.stack.cloud, &subjects, ROUNDS).await?;
    report(lab, &subjects, &measured).await
}

async fn report(lab: &Lab, subjects: &[Subject<'_>], measured: &[Measured]) -> anyhow::Result<Section> {
    let directory = lab.workspace.target.join("bench");
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let (template, mut times, mut costs) = (Template::deployed()?, times_table(), costs_table());
    for (subject, measured) in subjects.iter().zip(measured) {
        let name = subject.program.name;
        let file = subject.program.file.as_deref().with_context(|| format!("{name} is a release binary"))?;
        let sizes = [size(file)?, zipped_size(file, &directory).await?];
        times.row(times_row(name, measured, sizes));
        if let Some(function) = Function::find(name) {
            costs.row(costs_row(function, measured, &template)?);
        }
    }
    let checks = checks(subjects, measured);
    let markdown = format!(
        "Medians of {} starts, {} first and {} further answers of each, in turns. Times in ms, memory and sizes in MiB. Where a call \
         cannot be repeated, each has a new subscription. A sign-in comes from a network that the account does not know; a run of \
         send-reminders has one reminder, and one of purge-subscriptions has nothing to delete.\n\n{}\nCalls of AWS for the first \
         event of a process and for a later one; units and cost of a later one. The cost is that of Lambda on arm64, DynamoDB and KMS \
         in us-east-1, in dollars for a million invocations, as if each took the median of the times above; the HTTP API, queues, \
         mails and events are not in it.\n\n{}\n{}",
        ROUNDS.starts,
        ROUNDS.firsts,
        ROUNDS.warm,
        times.markdown(),
        costs.markdown(),
        checks_table(&checks),
    );
    Ok(Section { title: "Every function".to_owned(), markdown, missed: missed(&checks) })
}

fn times_table() -> Table {
    let head: Vec<_> = ["function"].into_iter().chain(Measured::HEAD).chain(["size", "zipped"]).collect();
    Table::new(&head)
}

fn times_row(name: &str, measured: &Measured, sizes: [f64; 2]) -> Vec<String> {
    let numbers = measured.columns().into_iter().chain(sizes);
    std::iter::once(format!("`{name}`")).chain(numbers.map(number)).collect()
}

fn costs_table() -> Table {
    Table::new(&["function", "calls, first", "calls, warm", "read units", "write units", "memory, MB", "$ a million"])
}

fn costs_row(function: Function, measured: &Measured, template: &Template) -> anyhow::Result<Vec<String>> {
    let resource = template.resource(&function.logical_id())?;
    let memory_mb = resource["Properties"]["MemorySize"].as_f64();
    let memory_mb = memory_mb.with_context(|| format!("{function} has no memory in the template"))?;
    let (reads, writes) = units(&measured.warm_calls);
    let kms_requests = count(measured.warm_calls.iter().filter(|call| call.service == "kms"));
    let usage = Usage { memory_mb, milliseconds: measured.warm.median(), reads, writes, kms_requests };
    let calls = [&measured.first_calls, &measured.warm_calls].map(|calls| count(calls.iter()));
    let numbers = calls.into_iter().chain([reads, writes, memory_mb, usage.dollars_per_million()]);
    Ok(std::iter::once(format!("`{function}`")).chain(numbers.map(number)).collect())
}

fn count<'a>(calls: impl Iterator<Item = &'a Request>) -> f64 {
    calls.map(|_| 1.0).sum()
}

/// Returns the checks: the start of each function.
fn checks(subjects: &[Subject<'_>], measured: &[Measured]) -> Vec<Check> {
    let names = subjects.iter().map(|subject| subject.program.name);
    let baseline = measured.first().map_or(f64::NAN, |nothing| nothing.start.median());
    let functions = names.zip(measured).filter(|(name, _)| *name != NOOP);
    functions
        .map(|(name, measured)| {
            let what = format!("start of {name} against {NOOP}");
            Check::new(what, Limit::AtMost(MAX_START), measured.start.median() / baseline)
        })
        .collect()
}

/// Returns the size of a file in MiB.
fn size(file: &Path) -> anyhow::Result<f64> {
    let bytes = fs::metadata(file).with_context(|| file.display().to_string())?.len();
    Ok(f64::from(u32::try_from(bytes)?) / 1024.0 / 1024.0)
}

/// Returns the size of the archive that holds a file, in MiB.
async fn zipped_size(file: &Path, directory: &Path) -> anyhow::Result<f64> {
    let name = file.file_name().context("a program has a name")?;
    let archive = directory.join(name).with_extension("zip");
    output(Command::new("python3").args(["-m", "zipfile", "-c"]).arg(&archive).arg(file)).await?;
    size(&archive)
}
