//! A table of many subscriptions, and the requests to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, ensure};
use cloud::runtime::Running;
use domain::credential::RETRIEVALS_PER_ISSUE;
use support::{Answer, Call, Deployment, Function, TestStack};

use super::{ROUNDS, Request, WARM_UP, copies, fill};
use crate::{
    customers::{Customer, source_ip},
    lab,
    measure::units,
    programs::{self, Program},
    statistics::Samples,
};

/// The number of customers. Each retrieves as often as an issue allows.
const CUSTOMERS: usize = (WARM_UP + ROUNDS).div_ceil(RETRIEVALS_PER_ISSUE);

/// The number of service administrators who sign in. Each does so fewer than ten times, so that the account forgets no browser.
const ADMINISTRATORS: usize = 20;

/// A table with many subscriptions, and the functions that use it.
pub(super) struct Table {
    // Dropped before the cloud that they call.
    functions: BTreeMap<Function, (Program, Running)>,
    stack: TestStack,
    /// The number of copies.
    pub(super) count: usize,
    /// The size of the table's file.
    pub(super) bytes: u64,
    customers: Vec<Customer>,
    administrators: Vec<Customer>,
    operator: String,
    measured: BTreeMap<Request, Measured>,
}

/// The times and the costs of the requests of one kind.
#[derive(Default)]
struct Measured {
    times: Samples,
    costs: Vec<Cost>,
}

/// The calls of AWS that a request made, sorted, and the units that they consumed.
#[derive(Clone, PartialEq)]
pub(super) struct Cost {
    pub(super) calls: Vec<String>,
    pub(super) reads: f64,
    pub(super) writes: f64,
}

impl Cost {
    fn new(requests: &[cloud::Request]) -> Self {
        let (reads, writes) = units(requests);
        let calls = requests.iter().map(|request| format!("{} {}", request.service, request.operation));
        let mut cost = Self { calls: calls.collect(), reads, writes };
        cost.calls.sort();
        cost
    }
}

impl Table {
    /// Opens a table of `count` copies, starts the measured subscriptions and a process of each function.
    pub(super) async fn open(count: usize, played: &fill::Played, programs: &Path) -> anyhow::Result<Self> {
        let directory = lab::directory(&format!("scale-{count}"));
        fill::fill(&directory, count, played).await?;
        let stack = Deployment::default().with_data_directory(directory.clone()).start().await;
        ensure!(stack.refresh_keys().await, "the keys of the provider are not in the table");
        let run = stack.cloud.clock().epoch_seconds();
        let id = |n: usize, of: usize, kind: char| format!("{}-{run:x}{kind}", copies::id(n * count / of));
        let (mut customers, mut administrators) = (Vec::new(), Vec::new());
        for n in 0..CUSTOMERS {
            customers.push(Customer::start(&stack, id(n, CUSTOMERS, 'c')).await?);
        }
        for n in 0..ADMINISTRATORS {
            let administrator = Customer::start(&stack, id(n, ADMINISTRATORS, 'a')).await?;
            administrator.choose_password(&stack).await;
            administrators.push(administrator);
        }
        let mut functions = BTreeMap::new();
        for function in BTreeSet::from(Request::ALL.map(Request::function)) {
            let program = Program::for_function(&stack, function, programs);
            let running = program.run().await?;
            functions.insert(function, (program, running));
        }
        let bytes = fs::metadata(directory.join("table.sqlite"))?.len();
        let operator = stack.operator_token("mo@contoso.example");
        Ok(Self { functions, stack, count, bytes, customers, administrators, operator, measured: BTreeMap::new() })
    }

    /// Makes a request of a round, and checks the answer.
    pub(super) async fn measure(&mut self, request: Request, round: usize) -> anyhow::Result<()> {
        let call = self.call(request, round);
        self.stack.cloud.clear_requests();
        let (program, running) = self.functions.get_mut(&request.function()).context("no such process")?;
        let (answer, time) = programs::call(running, call).await.context(program.name)?;
        let mut requests = self.stack.cloud.requests();
        requests.retain(|request| request.function == program.caller);
        self.check(request, round, &answer).context(request.name())?;
        let measured = self.measured.entry(request).or_default();
        measured.times.push_time(time);
        measured.costs.push(Cost::new(&requests));
        Ok(())
    }

    /// Forgets what was measured.
    pub(super) fn forget(&mut self) {
        self.measured.clear();
    }

    /// Returns the median of the times of a request, in milliseconds.
    pub(super) fn median(&self, request: Request) -> f64 {
        self.measured.get(&request).map_or(f64::NAN, |measured| measured.times.median())
    }

    /// Returns the costs of a request in each round.
    pub(super) fn costs(&self, request: Request) -> Vec<Cost> {
        self.measured.get(&request).map(|measured| measured.costs.clone()).unwrap_or_default()
    }

    /// Returns the customer whom the request of a round is about.
    fn customer(&self, request: Request, round: usize) -> &Customer {
        match request {
            Request::Retrieval => &self.customers[round / RETRIEVALS_PER_ISSUE],
            Request::SignIn => &self.administrators[round % ADMINISTRATORS],
            _ => &self.customers[round % CUSTOMERS],
        }
    }

    fn call(&self, request: Request, round: usize) -> Call {
        let customer = self.customer(request, round);
        match request {
            Request::Retrieval => customer.retrieve(&format!("click-{round}")),
            Request::List => customer.list(),
            Request::SignIn => customer.sign_in(&source_ip(u32::try_from(round).unwrap_or_default())),
            Request::SearchByCompany => self.search(&customer.company()),
            Request::SearchByUserName => self.search(&customer.user_name()),
            Request::History => customer.history(),
        }
    }

    fn search(&self, text: &str) -> Call {
        let query = format!("query={}", text.replace('@', "%40"));
        Call::get("/desk/api/subscriptions").query(&query).operator(&self.operator)
    }

    fn check(&self, request: Request, round: usize, answer: &Answer) -> anyhow::Result<()> {
        let customer = self.customer(request, round);
        match request {
            Request::Retrieval => customer.check_retrieved(answer, 1 + round % RETRIEVALS_PER_ISSUE).map(drop),
            Request::List | Request::SearchByCompany | Request::SearchByUserName => customer.check_listed(answer),
            Request::SignIn => customer.check_signed_in(answer),
            Request::History => customer.check_history(answer, &["issued"]),
        }
    }
}
