//! The workers: each has one process of a function, invokes it as fast as it answers, and checks every answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use cloud::runtime::Running;
use domain::credential::RETRIEVALS_PER_ISSUE;
use support::{Answer, Call, Function};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, sleep},
};

use crate::{
    customers::{Customer, source_ip},
    programs,
};

/// The number of errors after which a worker stops.
const MOST_ERRORS: usize = 10;

/// How long a worker waits if no subscription has started yet.
const PAUSE: Duration = Duration::from_millis(10);

/// The kind of requests that a worker makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Retrieve,
    List,
    SignIn,
    History,
}

impl Job {
    pub(super) const ALL: [Self; 4] = [Self::Retrieve, Self::List, Self::SignIn, Self::History];

    pub(super) fn function(self) -> Function {
        match self {
            Self::Retrieve => Function::GetCredentials,
            Self::List => Function::ListSubscriptions,
            Self::SignIn => Function::SignIn,
            Self::History => Function::ShowHistory,
        }
    }
}

/// The state that all workers share.
pub(super) struct Shared {
    settled: Vec<Customer>,
    started: Mutex<mpsc::Receiver<Customer>>,
    end: Instant,
    /// The number of turns so far.
    turns: AtomicU32,
}

impl Shared {
    /// Returns the subscriptions that a run needs: those whose service administrators have passwords, and those that start during the run.
    pub(super) fn new(settled: Vec<Customer>, started: mpsc::Receiver<Customer>, end: Instant) -> Self {
        Self { settled, started: Mutex::new(started), end, turns: AtomicU32::new(0) }
    }

    /// Returns the number of a request, and the settled subscription whose turn it is.
    fn take_turn(&self) -> anyhow::Result<(u32, &Customer)> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        Ok((turn, &self.settled[usize::try_from(turn)? % self.settled.len()]))
    }
}

/// A process of a function, with what is known of its answers.
pub(super) struct Worker {
    pub(super) job: Job,
    pub(super) times: Vec<Duration>,
    pub(super) errors: Vec<String>,
    running: Running,
    /// The last subscription that this worker has retrieved three times.
    used_up: Option<Customer>,
}

impl Worker {
    pub(super) fn new(job: Job, running: Running) -> Self {
        Self { job, times: Vec::new(), errors: Vec::new(), running, used_up: None }
    }

    pub(super) fn process_id(&self) -> anyhow::Result<u32> {
        self.running.process_id().context("the process has ended")
    }

    /// Invokes the function until the end of the run.
    pub(super) async fn work(mut self, shared: Arc<Shared>) -> Self {
        while Instant::now() < shared.end && self.errors.len() < MOST_ERRORS {
            if let Err(error) = self.work_once(&shared).await {
                self.errors.push(format!("{}: {error:#}", self.job.function()));
            }
        }
        self
    }

    async fn work_once(&mut self, shared: &Shared) -> anyhow::Result<()> {
        let (turn, customer) = shared.take_turn()?;
        match self.job {
            Job::Retrieve => self.retrieve(shared).await,
            Job::List => customer.check_listed(&self.call(customer.list()).await?),
            Job::SignIn => customer.check_signed_in(&self.call(customer.sign_in(&source_ip(turn))).await?),
            Job::History => {
                let kinds = ["issued", "signed-in", "password-changed"];
                customer.check_history(&self.call(customer.history()).await?, &kinds)
            }
        }
    }

    /// Retrieves a subscription that has just started. If no new one waits, clicks once more on the last one.
    async fn retrieve(&mut self, shared: &Shared) -> anyhow::Result<()> {
        let started = shared.started.lock().await.try_recv().ok();
        if let Some(customer) = &started {
            self.use_up(customer).await?;
        }
        let Some(customer) = started.or_else(|| self.used_up.take()) else {
            sleep(PAUSE).await;
            return Ok(());
        };
        customer.check_used_up(&self.call(customer.retrieve("fourth")).await?)?;
        self.used_up = Some(customer);
        Ok(())
    }

    /// Retrieves three times. Every click is repeated, as after a lost answer.
    async fn use_up(&mut self, customer: &Customer) -> anyhow::Result<()> {
        let mut shown = Vec::new();
        for used in 1..=RETRIEVALS_PER_ISSUE {
            for _ in 0..2 {
                let answer = self.call(customer.retrieve(&format!("click-{used}"))).await?;
                shown.push(customer.check_retrieved(&answer, used)?);
            }
        }
        ensure!(shown.iter().all(|password| *password == shown[0]), "{} has two passwords", customer.subscription);
        Ok(())
    }

    async fn call(&mut self, call: Call) -> anyhow::Result<Answer> {
        let (answer, time) = programs::call(&mut self.running, call).await?;
        self.times.push(time);
        Ok(answer)
    }
}
