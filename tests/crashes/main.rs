//! Crash tests: processes die, and nothing is lost. Real processes of every function run as [`support::Processes`] starts them, while
//! about twenty people use the product concurrently. Some processes die by SIGKILL: at every AWS call that they make, before the call is
//! carried out or after it but before its answer arrives; or at any moment. A client without an answer retries.
//!
//! - **The load** (`customers.rs`): the actions of people, and `observations.rs` the answers that they got.
//! - **The injector** (`injector.rs`): which processes die, and when. A first part of the load, without kills, finds the calls.
//! - **The invariants** (`invariants.rs`): what must hold at the end, one function for each, by the protocol's numbers.
//! - **The emulator** (`emulator.rs`): tests of the emulated Lambda runtime that runs the processes.
//! - **Egress** (`egress.rs`): tests that the functions a customer waits for connect to nothing but AWS.
//! - **Start** (`start.rs`): a test of what processes do as they start.
//!
//! The programs must have been built: `cargo build`. `FIRSTKEY_SEED` replaces the printed seed, which determines the processes that die,
//! the moments, and how long people wait; the machine's timing determines the rest. `FIRSTKEY_FULL` kills 500 processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "the report shows which processes were killed")]

mod customers;
#[cfg(target_os = "linux")]
mod egress;
mod emulator;
mod injector;
mod invariants;
mod observations;
mod report;
mod start;

use std::time::Instant;

use futures_util::{StreamExt, stream};
use support::{Function, Processes, table::Table};

use crate::{
    customers::{Customer, World},
    injector::Injector,
    invariants::{Aftermath, Void, team},
    report::{Report, Violation},
};

const SEED: u64 = 17;

/// The number of customers that are checked concurrently at the end.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_processes_die_at_every_call() {
    let Some((world, seed, begun)) = begin().await else { return };
    let mut injector = Injector::watch(&world.processes, support::has_env("FIRSTKEY_FULL"), seed);
    world.run_one_of_each().await;
    assert_eq!(injector.functions(), Function::names(), "the load in customers.rs calls every function");
    let crashing = async {
        let crashed = injector.crash_at_every_call(&world).await;
        world.close();
        crashed
    };
    let ((crashes, missed), ()) = tokio::join!(crashing, world.run_until_closed());
    let test = "nothing_is_lost_where_processes_die_at_every_call";
    conclude(&world, &injector, Report { test, seed, begun, crashes, violations: Vec::new(), missed }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_processes_die_at_any_moment() {
    let Some((world, seed, begun)) = begin().await else { return };
    let full = support::has_env("FIRSTKEY_FULL");
    let injector = Injector::watch(&world.processes, full, seed);
    let (count, apart) = if full { (250, 700) } else { (10, 3000) };
    let crashing = async {
        let crashes = injector::crash_at_any_moment(&world.processes, count, apart, seed).await;
        world.close();
        crashes
    };
    let (crashes, ()) = tokio::join!(crashing, world.run_until_closed());
    let test = "nothing_is_lost_where_processes_die_at_any_moment";
    conclude(&world, &injector, Report { test, seed, begun, crashes, violations: Vec::new(), missed: Vec::new() })
        .await;
}

/// Returns a world, its seed and its start, or `None` where the programs are not built.
async fn begin() -> Option<(World, u64, Instant)> {
    let processes = started().await?;
    assert!(processes.refresh_keys().await);
    let seed = support::env_number("FIRSTKEY_SEED").unwrap_or(SEED);
    println!("seed {seed}");
    let table = Table::connect(&processes.cloud.aws_url(), "test");
    let fetched_at = table.keys_fetched_at(&processes.provider).await.unwrap();
    Some((World::new(processes, seed, fetched_at), seed, Instant::now()))
}

/// Starts the product. Returns `None` where its programs are not built, which is a failure under `cargo verify`.
async fn started() -> Option<Processes> {
    let Some(programs) = Processes::programs() else {
        assert!(!support::has_env("FIRSTKEY_VERIFY"), "the programs are not built: cargo build");
        println!("skipped: the programs of the functions are not built; `cargo build` builds them");
        return None;
    };
    Some(Processes::start(&programs).await)
}

/// Waits until all queues are empty, without further kills, then checks every invariant and prints the report.
async fn conclude(world: &World, injector: &Injector, mut report: Report) {
    world.processes.cloud.drained().await.unwrap();
    let (checked_at, journal) = (Instant::now(), injector.journal());
    let customers = world.customers.lock().unwrap().clone();
    world.finish_purges(&customers).await;
    let after = Aftermath::new(world, &journal).await;
    for customer in &customers {
        report.check(&after, customer);
    }
    let checked = stream::iter(&customers).map(|customer| check_secrets(world, customer)).buffer_unordered(AT_ONCE);
    for (customer, [before, sign_in_problems, afterwards]) in checked.collect::<Vec<_>>().await {
        report.add_violations("8 void passwords and sessions have no effect", customer, before);
        report.add_violations("6 an administrator can sign in", customer, sign_in_problems);
        report.add_violations(
            "8 void passwords and sessions have no effect, nor those of a retired account",
            customer,
            afterwards,
        );
    }
    let all_customers = |invariant, what| Violation { invariant, customer: "all customers".into(), what };
    let unusable = invariants::the_keys_are_usable(world).await;
    report.violations.extend(unusable.into_iter().map(|what| all_customers("the table has usable keys", what)));
    let (after, output) = (Aftermath::new(world, &journal).await, world.processes.stop_and_read_output().await);
    assert!(output.contains("\"outcome\":\"started\""), "the logs were collected: {output}");
    let leaks = invariants::nothing_leaks(&after, &output);
    report.violations.extend(leaks.into_iter().map(|what| all_customers("9 no secret leaks", what)));
    let (load, look) = (checked_at.duration_since(report.begun).as_secs(), checked_at.elapsed().as_secs());
    println!("{} customers in {load} s, checked in {look} s\n\n{}\n{}", customers.len(), report.table(), report.line());
    if let Some(complaint) = report.complaint() {
        panic!("{complaint}");
    }
}

async fn check_secrets<'c>(world: &World, customer: &'c Customer) -> (&'c Customer, [Vec<String>; 3]) {
    let mut void = Void { signed_in: false, is_over: world.is_over(customer).await };
    let over = invariants::void_secrets(world, customer, void);
    let before = invariants::void_secrets_have_no_effect(world, customer, &over).await;
    let sign_in_problems = invariants::an_administrator_can_sign_in(world, customer).await;
    void.signed_in = sign_in_problems.is_empty();
    let over = invariants::void_secrets(world, customer, void).without(&over);
    let afterwards = invariants::void_secrets_have_no_effect(world, customer, &over).await;
    (customer, [before, sign_in_problems, afterwards])
}

impl Report {
    /// Checks every invariant that needs no further request.
    fn check(&mut self, after: &Aftermath, customer: &Customer) {
        if after.is_purged(customer) {
            return self.add_violations(
                "nothing is left of what was deleted",
                customer,
                team::nothing_is_left(after, customer),
            );
        }
        if !after.has_begun(customer) {
            return self.add_violations(
                "5 every event starts an issue",
                customer,
                vec!["there is no credential".to_owned()],
            );
        }
        for (invariant, check) in invariants::ALL {
            self.add_violations(invariant, customer, check(after, customer));
        }
    }

    fn add_violations(&mut self, invariant: &'static str, customer: &Customer, what: Vec<String>) {
        let customer = &customer.id;
        self.violations.extend(what.into_iter().map(|what| Violation { invariant, customer: customer.clone(), what }));
    }
}
