//! The measurement of several programs in turns, so that other load on the machine affects all of them alike.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cloud::{
    Cloud, Request,
    runtime::{Answer, Running},
};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::{
    process::{peak_memory, processor_time},
    programs::Program,
    statistics::{Samples, milliseconds},
};

/// Prepares the state for one more invocation, and returns its event.
pub(crate) type NextEvent<'a> = Box<dyn Fn() -> LocalBoxFuture<'a, anyhow::Result<Value>> + 'a>;

/// A program with the events that it answers.
pub(crate) struct Subject<'a> {
    pub(crate) program: Program,
    pub(crate) next_event: NextEvent<'a>,
}

/// The calls of DynamoDB that read. Every other one that consumes capacity writes.
const READS: [&str; 5] = ["BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"];

/// How often each program is measured.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) starts: u32,
    /// The number of first answers, each of a new process.
    pub(crate) firsts: u32,
    /// The number of further answers of the last process.
    pub(crate) warm: u32,
}

/// The measurements of one program. Times are in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// The time from the start of the process to its first request for an event.
    pub(crate) start: Samples,
    /// The time from the delivery of the first event to its answer.
    pub(crate) first: Samples,
    /// The time from the start of the process to its answer to an event that already waits.
    pub(crate) cold: Samples,
    /// The time from the delivery of a later event to its answer.
    pub(crate) warm: Samples,
    /// The processor time of a later event: the mean, since the system reports it for the whole process.
    pub(crate) processor: f64,
    /// The peak of the resident memory, in MiB.
    pub(crate) memory: f64,
    /// The calls of AWS for the last first event.
    pub(crate) first_calls: Vec<Request>,
    /// The calls of AWS for the last event.
    pub(crate) warm_calls: Vec<Request>,
}

impl Measured {
    /// The headings of the [`columns`](Self::columns).
    pub(crate) const HEAD: [&str; 7] = [
        "start to first `next`",
        "first answer",
        "start to first answer",
        "warm",
        "warm, p99",
        "warm, processor",
        "memory",
    ];

    /// Returns the numbers for a row of a table.
    pub(crate) fn columns(&self) -> [f64; 7] {
        let Self { start, first, cold, warm, .. } = self;
        [start.median(), first.median(), cold.median(), warm.median(), warm.percentile(99), self.processor, self.memory]
    }
}

/// An answer, and the calls of AWS that it took.
struct Invocation {
    took: Duration,
    calls: Vec<Request>,
}

/// Measures the programs in turns. Every answer must be a success.
pub(crate) async fn measure(cloud: &Cloud, subjects: &[Subject<'_>], rounds: Rounds) -> anyhow::Result<Vec<Measured>> {
    let mut all = vec![Measured::default(); subjects.len()];
    for _ in 0..rounds.starts {
        for (subject, measured) in subjects.iter().zip(&mut all) {
            measured.start.push_time(subject.program.time_to_next().await?);
        }
    }
    let mut running = Vec::new();
    for _ in 0..rounds.firsts {
        // Ends the processes of the round before.
        running.clear();
        for (subject, measured) in subjects.iter().zip(&mut all) {
            let event = subject.event(cloud).await?;
            let started = Instant::now();
            let mut program = subject.program.run().await?;
            let first = subject.invoke(cloud, &mut program, &event).await?;
            measured.cold.push_time(started.elapsed());
            measured.first.push_time(first.took);
            measured.first_calls = first.calls;
            running.push(program);
        }
    }
    measure_warm(cloud, subjects, rounds.warm, &mut running, &mut all).await?;
    Ok(all)
}

async fn measure_warm(
    cloud: &Cloud,
    subjects: &[Subject<'_>],
    rounds: u32,
    running: &mut [Running],
    all: &mut [Measured],
) -> anyhow::Result<()> {
    let before = running.iter().map(|program| processor_time(id(program)?)).collect::<Result<Vec<_>, _>>()?;
    for _ in 0..rounds {
        for ((subject, program), measured) in subjects.iter().zip(&mut *running).zip(&mut *all) {
            let event = subject.event(cloud).await?;
            let warm = subject.invoke(cloud, program, &event).await?;
            measured.warm.push_time(warm.took);
            measured.warm_calls = warm.calls;
        }
    }
    for ((program, before), measured) in running.iter().zip(before).zip(all) {
        let spent = processor_time(id(program)?)?.saturating_sub(before);
        measured.processor = milliseconds(spent / rounds);
        measured.memory = f64::from(peak_memory(id(program)?)?) / 1024.0;
    }
    Ok(())
}

fn id(program: &Running) -> anyhow::Result<u32> {
    program.process_id().context("the process has ended")
}

impl Subject<'_> {
    /// Returns one more event, and forgets the calls that prepared its state.
    async fn event(&self, cloud: &Cloud) -> anyhow::Result<Value> {
        let event = (self.next_event)().await.with_context(|| format!("the event of {}", self.program.name))?;
        cloud.clear_requests();
        Ok(event)
    }

    async fn invoke(&self, cloud: &Cloud, program: &mut Running, event: &Value) -> anyhow::Result<Invocation> {
        let name = self.program.name;
        let Answer { body, took, .. } = program.invoke(event).await.with_context(|| name.to_owned())?;
        ensure!(is_success(&body), "{name} answered {body}");
        let mut calls = cloud.requests();
        calls.retain(|call| call.function == self.program.caller);
        Ok(Invocation { took, calls })
    }
}

/// Returns the read and the write units that calls consumed.
pub(crate) fn units(calls: &[Request]) -> (f64, f64) {
    let (mut reads, mut writes) = (0.0, 0.0);
    for call in calls {
        let units = call.consumed_capacity.unwrap_or_default();
        *if READS.contains(&call.operation.as_str()) { &mut reads } else { &mut writes } += units;
    }
    (reads, writes)
}

/// Returns whether the body of an answer is that of a success: of the HTTP API, of a queue or stream, or of a schedule.
fn is_success(body: &str) -> bool {
    let Ok(answer) = serde_json::from_str::<Value>(body) else { return false };
    match (&answer["statusCode"], &answer["batchItemFailures"]) {
        (Value::Number(status), _) => status.as_u64().is_some_and(|status| (200..400).contains(&status)),
        (_, failures) => *failures == Value::Null || *failures == json!([]),
    }
}
