//! Ten minutes of full load: as many processes of each function as the machine has processors answer as fast as they can, every answer is
//! checked, and the memory of no process may grow.
//!
//! The load is a closed loop: each process gets its next event when it has answered. Subscriptions start all the time. Each is retrieved
//! three times, every click is repeated, and a fourth click gets no password; while no new one waits, get-credentials gets the fourth click
//! again. Every sign-in comes from another address. The table is on disk, because `SQLite` limits one in memory to a GiB.

mod growth;
mod workers;

use std::{path::Path, sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::ensure;
use support::{Deployment, TestStack};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    growth::Growth,
    workers::{Job, Shared, Worker},
};
use crate::{
    Section,
    customers::Customer,
    lab,
    process::resident_memory,
    programs::Program,
    report::{self, Check, Limit, number},
    statistics::Samples,
};

/// The minutes of a run. `FIRSTKEY_LOAD_MINUTES` replaces them.
const MINUTES: u64 = 10;

/// The number of times that the memory is read in a run: every ten seconds of ten minutes.
const READINGS: u32 = 60;

/// The most processes of one function. The embedded DynamoDB makes one call after the other, and more of them would only wait for it.
const MOST_PROCESSES: usize = 4;

/// The number of subscriptions that are listed, whose histories are read, and whose service administrators sign in.
const SETTLED: usize = 40;

/// The number of started subscriptions that may wait for their retrievals.
const WAITING: usize = 16;

/// A run: its beginning and its end.
struct Run {
    began: Instant,
    end: Instant,
}

/// Puts the functions under load. `programs` is the directory of the release binaries.
pub(crate) async fn run(programs: &Path) -> anyhow::Result<Section> {
    let minutes = support::env_number("FIRSTKEY_LOAD_MINUTES").unwrap_or(MINUTES);
    let directory = lab::directory("load");
    lab::remove(&directory)?;
    let stack = Deployment::default().with_data_directory(directory.clone()).start().await;
    ensure!(stack.refresh_keys().await, "the keys of the provider are not in the table");
    let settled = settle(&stack).await?;
    let workers = start(&stack, programs).await?;
    let processes = workers.iter().map(Worker::process_id).collect::<anyhow::Result<Vec<_>>>()?;

    let (new, started) = mpsc::channel(WAITING);
    let run = Run::new(Duration::from_secs(60 * minutes));
    let shared = Arc::new(Shared::new(settled, started, run.end));
    let working: Vec<_> = workers.into_iter().map(|worker| tokio::spawn(worker.work(Arc::clone(&shared)))).collect();
    let (fed, memory) = tokio::join!(run.feed(&stack, &new), run.watch(&stack, &processes));
    let mut workers = Vec::new();
    for worker in working {
        workers.push(worker.await?);
    }
    let section = report(minutes, &workers, &memory, fed?)?;
    drop((workers, stack));
    lab::remove(&directory)?;
    Ok(section)
}

/// Starts the subscriptions whose service administrators have chosen passwords.
async fn settle(stack: &TestStack) -> anyhow::Result<Vec<Customer>> {
    let mut settled = Vec::new();
    for n in 0..SETTLED {
        let customer = Customer::start(stack, format!("settled-{n}")).await?;
        customer.choose_password(stack).await;
        settled.push(customer);
    }
    Ok(settled)
}

/// Starts the processes.
async fn start(stack: &TestStack, programs: &Path) -> anyhow::Result<Vec<Worker>> {
    let processes = available_parallelism()?.get().min(MOST_PROCESSES);
    let mut workers = Vec::new();
    for job in Job::ALL {
        for _ in 0..processes {
            workers.push(Worker::new(job, Program::for_function(stack, job.function(), programs).run().await?));
        }
    }
    Ok(workers)
}

impl Run {
    fn new(length: Duration) -> Self {
        let began = Instant::now();
        Self { began, end: began + length }
    }

    /// Starts subscriptions as fast as they are used up. Returns their number.
    async fn feed(&self, stack: &TestStack, new: &mpsc::Sender<Customer>) -> anyhow::Result<u32> {
        let mut number = 0;
        while let Ok(room) = timeout_at(self.end, new.reserve()).await {
            room?.send(Customer::order(stack, format!("started-{number}")).await?);
            number += 1;
        }
        Ok(number)
    }

    /// Reads the memory of the processes at equal distances, and moves the clock of the stack along. Returns the readings of each process,
    /// in KiB. A process that has ended has no more of them.
    async fn watch(&self, stack: &TestStack, processes: &[u32]) -> Vec<Vec<u32>> {
        let pause = (self.end - self.began) / READINGS;
        let mut memory = vec![Vec::new(); processes.len()];
        for reading in 1..=READINGS {
            sleep_until(self.began + pause * reading).await;
            for (process, memory) in processes.iter().zip(&mut memory) {
                memory.extend(resident_memory(*process).ok());
            }
            stack.advance_clock(pause.as_secs().cast_signed());
        }
        memory
    }
}

/// The results of one function.
struct Results {
    processes: f64,
    times: Samples,
    /// The growth of the process that exceeds what is allowed by the most, or comes nearest to it.
    growth: Option<Growth>,
}

impl Results {
    fn new<'a>(workers: impl Iterator<Item = (&'a Worker, &'a Vec<u32>)>) -> Self {
        let mut results = Self { processes: 0.0, times: Samples::default(), growth: None };
        for (worker, readings) in workers {
            results.processes += 1.0;
            worker.times.iter().for_each(|time| results.times.push_time(*time));
            let growths = results.growth.into_iter().chain(Growth::new(readings));
            results.growth = growths.max_by(|one, other| one.excess().total_cmp(&other.excess()));
        }
        results
    }

    /// Returns the numbers of the table's columns.
    fn numbers(&self, seconds: f64) -> anyhow::Result<[f64; 7]> {
        let answers = f64::from(u32::try_from(self.times.len())?);
        let of_growth = |value: &dyn Fn(Growth) -> f64| self.growth.map_or(f64::NAN, value);
        Ok([
            self.processes,
            answers,
            answers / seconds,
            self.times.median(),
            self.times.percentile(99),
            of_growth(&|growth| growth.late / 1024.0),
            of_growth(&|growth| growth.smallest_leak(answers / self.processes)),
        ])
    }

    /// Returns the check of the growth of the memory.
    fn check(&self, job: Job) -> Check {
        let what = format!("{}, growth of the memory in KiB", job.function());
        let [grown, allowed] = self.growth.map_or([f64::NAN; 2], |growth| [growth.grown(), growth.allowed()]);
        Check::new(what, Limit::AtMost(allowed), grown)
    }
}

fn report(minutes: u64, workers: &[Worker], memory: &[Vec<u32>], started: u32) -> anyhow::Result<Section> {
    let heads = ["function", "processes", "answers", "a second", "median, ms", "p99, ms", "memory, MiB", "leak, bytes"];
    let (mut rows, mut checks) = (report::Table::new(&heads), Vec::new());
    let seconds = f64::from(u32::try_from(60 * minutes)?);
    for job in Job::ALL {
        let results = Results::new(workers.iter().zip(memory).filter(|(worker, _)| worker.job == job));
        rows.row([job.function().to_string()].into_iter().chain(results.numbers(seconds)?.map(number)));
        checks.push(results.check(job));
    }
    let errors: Vec<_> = workers.iter().flat_map(|worker| worker.errors.iter().cloned()).collect();
    checks.push(Check::new("wrong answers", Limit::AtMost(0.0), f64::from(u32::try_from(errors.len())?)));
    let markdown = format!(
        "{}\nIn {minutes} minutes, with {started} new subscriptions. The memory is what is resident at the end, of the process that grew \
         the most. Its growth is that of the median of the last tenth of the run over the median of the second tenth; 5 % and half a MiB \
         are allowed. The last column is the smallest leak for each answer that exceeds this.\n\n{}",
        rows.markdown(),
        report::checks_table(&checks)
    );
    Ok(Section {
        title: "Load".to_owned(),
        markdown,
        missed: report::missed(&checks).into_iter().chain(errors).collect(),
    })
}
