//! Processes die, and nothing is lost. Real processes of every function, as [`support::Processes`] runs them, while about twenty people
//! use the product at once; some die by SIGKILL: at every call of AWS that they make, before it is carried out and after it but
//! before its answer is there, or at any moment. Whoever has no answer does the same again.
//!
//! - **The load** (`customers.rs`): what people do, and `seen.rs` what they were told.
//! - **The injector** (`injector.rs`): who dies, and when. The calls are found in a first part of the load, in which nobody dies.
//! - **The invariants** (`invariants.rs`): what holds when all is done, one function for each, by the protocol's numbers.
//! - **The emulator** (`emulator.rs`): what the processes themselves are worth.
//!
//! The programs must have been built: `cargo build`. `FIRSTKEY_SEED` chooses another seed than the printed one: of whom it kills when, and
//! of how long people wait; the machine decides the rest. `FIRSTKEY_FULL` kills 500.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "what was killed is what a run is read for")]

mod customers;
mod emulator;
mod injector;
mod invariants;
mod report;
mod seen;

use std::time::Instant;

use futures_util::{StreamExt, stream};
use support::{Function, Processes};

use crate::{
    customers::{Customer, World},
    injector::Injector,
    invariants::Aftermath,
    report::{Report, Violation},
};

const SEED: u64 = 17;

/// How many customers are looked after at once when all is done.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_processes_die_at_every_call() {
    let Some((world, seed, begun)) = begin().await else { return };
    let mut injector = Injector::watch(&world.processes, support::asked_for("FIRSTKEY_FULL"), seed);
    world.one_of_each().await;
    assert_eq!(injector.functions(), Function::names(), "the load in customers.rs has every function");
    let crashing = async {
        let crashed = injector.crash_at_every_call(&world).await;
        world.close();
        crashed
    };
    let ((crashes, missed), ()) = tokio::join!(crashing, world.go_on_until_closed());
    let test = "nothing_is_lost_where_processes_die_at_every_call";
    conclude(&world, &injector, Report { test, seed, begun, crashes, violations: Vec::new(), missed }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_processes_die_at_any_moment() {
    let Some((world, seed, begun)) = begin().await else { return };
    let full = support::asked_for("FIRSTKEY_FULL");
    let injector = Injector::watch(&world.processes, full, seed);
    let (count, apart) = if full { (250, 700) } else { (10, 3000) };
    let crashing = async {
        let crashes = injector::crash_at_any_moment(&world.processes, count, apart, seed).await;
        world.close();
        crashes
    };
    let (crashes, ()) = tokio::join!(crashing, world.go_on_until_closed());
    let test = "nothing_is_lost_where_processes_die_at_any_moment";
    conclude(&world, &injector, Report { test, seed, begun, crashes, violations: Vec::new(), missed: Vec::new() })
        .await;
}

/// A world, its seed, and when it began; nothing where there are no programs.
async fn begin() -> Option<(World, u64, Instant)> {
    let processes = started().await?;
    let seed = support::number_asked_for("FIRSTKEY_SEED").unwrap_or(SEED);
    println!("seed {seed}");
    Some((World::new(processes, seed), seed, Instant::now()))
}

/// The product; nothing where its programs are not built, which is a failure under `cargo verify`.
async fn started() -> Option<Processes> {
    let Some(programs) = Processes::programs() else {
        assert!(!support::asked_for("FIRSTKEY_VERIFY"), "the programs are not built: cargo build");
        println!("skipped: the programs of the functions are not built; `cargo build` builds them");
        return None;
    };
    Some(Processes::start(&programs).await)
}

/// Nobody dies any more, and all that was ordered is done: looks whether everything holds.
async fn conclude(world: &World, injector: &Injector, mut report: Report) {
    world.processes.cloud.drained().await.unwrap();
    let (told, journal) = (Instant::now(), injector.journal());
    let customers = world.customers.lock().unwrap().clone();
    let after = Aftermath::of(world, &journal).await;
    for customer in &customers {
        report.look(&after, customer);
    }
    let looked_after = stream::iter(&customers).map(|customer| look_after(world, customer)).buffer_unordered(AT_ONCE);
    for (customer, [before, way_in, afterwards]) in looked_after.collect::<Vec<_>>().await {
        report.violated("8 what is over does nothing", customer, before);
        report.violated("6 there is a way in", customer, way_in);
        report.violated("8 what is over does nothing, also of who is retired", customer, afterwards);
    }
    let (after, said) = (Aftermath::of(world, &journal).await, world.processes.said().await);
    assert!(said.contains("\"outcome\":\"started\""), "it was really read: {said}");
    for what in invariants::nothing_leaks(&after, &said) {
        let invariant = "9 no secret is where it must not be";
        report.violations.push(Violation { invariant, customer: "everybody".into(), what });
    }
    let (load, look) = (told.duration_since(report.begun).as_secs(), told.elapsed().as_secs());
    println!(
        "{} customers in {load} s, looked at in {look} s\n\n{}\n{}",
        customers.len(),
        report.table(),
        report.line()
    );
    if let Some(complaint) = report.complaint() {
        panic!("{complaint}");
    }
}

async fn look_after<'c>(world: &World, customer: &'c Customer) -> (&'c Customer, [Vec<String>; 3]) {
    let over = invariants::what_is_over(world, customer, false);
    let before = invariants::what_is_over_does_nothing(world, customer, &over).await;
    let way_in = invariants::there_is_a_way_in(world, customer).await;
    let over = invariants::what_is_over(world, customer, way_in.is_empty()).but(&over);
    let afterwards = invariants::what_is_over_does_nothing(world, customer, &over).await;
    (customer, [before, way_in, afterwards])
}

impl Report {
    /// Whether everything holds that is seen without asking anybody.
    fn look(&mut self, after: &Aftermath, customer: &Customer) {
        if !after.has_begun(customer) {
            return self.violated("5 every event begins an issue", customer, vec!["there is no credential".to_owned()]);
        }
        for (invariant, check) in invariants::ALL {
            self.violated(invariant, customer, check(after, customer));
        }
    }

    fn violated(&mut self, invariant: &'static str, customer: &Customer, what: Vec<String>) {
        let customer = &customer.id;
        self.violations.extend(what.into_iter().map(|what| Violation { invariant, customer: customer.clone(), what }));
    }
}
