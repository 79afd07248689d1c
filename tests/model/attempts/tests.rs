//! The design holds in every scope; each mutant is found by the property that it was made to break.

use super::item::{Budget, Time};
use super::witness::{FEW_IN_A_ROW, OWNER_NOT_KEPT_OUT, PAID_FOR, WITHIN_BUDGET};
use super::{Attempts, BURST_SPENT, CLOSED, EXHAUSTED, MORE_BY_CLOCKS, OPENED, REFILLED, Scope, Variant, Who};
use crate::check::{found_by, full, holds};

const PAIR: Budget = Budget { burst: 2, interval: 2 };

fn stranger(off: Time) -> Who {
    Who { network: 0, right: false, off, tries: 1 }
}

/// Callers at one bucket, by clocks that are behind and clocks that are ahead.
fn clocks_that_differ() -> Scope {
    Scope {
        account: PAIR,
        from_network: None,
        callers: vec![stranger(-1), stranger(-1), stranger(1), stranger(1), stranger(1)],
        known: Vec::new(),
        closes_after: u8::MAX,
        clocks_differ: 1,
        patience: 0,
        attempts: 1,
        trips: 3,
        late_writes: 0,
        last_tick: if full() { 5 } else { 3 },
    }
}

/// Answers are lost, writes come late, and an invocation takes up to a tick.
fn answers_are_lost() -> Scope {
    Scope {
        callers: vec![stranger(0); if full() { 4 } else { 3 }],
        clocks_differ: 0,
        patience: 1,
        attempts: 2,
        late_writes: 1,
        ..clocks_that_differ()
    }
}

/// All clocks agree, and time passes.
fn one_clock() -> Scope {
    Scope { callers: vec![stranger(0); 4], clocks_differ: 0, last_tick: 4, ..clocks_that_differ() }
}

/// Strangers guess until the account is closed, and its owner comes from where the account has signed in before.
fn a_closed_account() -> Scope {
    let guesser = |network, tries| Who { network, right: false, off: 0, tries };
    Scope {
        account: Budget { burst: 3, interval: 1 },
        from_network: Some(PAIR),
        callers: vec![guesser(0, 3), guesser(1, 1), Who { network: 2, right: true, off: 0, tries: 1 }],
        known: vec![2],
        closes_after: 1,
        clocks_differ: 0,
        late_writes: 1,
        last_tick: Time::from(full()),
        ..clocks_that_differ()
    }
}

fn design(scope: Scope) -> Attempts {
    Attempts { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_clocks_that_differ() {
    holds("clocks that differ", design(clocks_that_differ()), &[BURST_SPENT, REFILLED, EXHAUSTED, MORE_BY_CLOCKS]);
}

#[test]
fn the_design_holds_for_one_clock() {
    holds("one clock", design(one_clock()), &[BURST_SPENT, REFILLED, EXHAUSTED]);
}

#[test]
fn the_design_holds_when_answers_are_lost() {
    holds("answers are lost", design(answers_are_lost()), &[BURST_SPENT, REFILLED, EXHAUSTED]);
}

#[test]
fn the_design_holds_for_an_account_that_is_closed() {
    holds("a closed account", design(a_closed_account()), &[EXHAUSTED, CLOSED, OPENED]);
}

fn mutant(variant: Variant, scope: Scope, property: &'static str) {
    found_by(&format!("{variant:?}"), Attempts { variant, scope }, property);
}

#[test]
fn verifying_before_spending_verifies_for_everybody() {
    mutant(Variant::VerifyFirst, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn verifying_without_an_answer_of_the_table_costs_nothing() {
    mutant(Variant::FailOpen, answers_are_lost(), PAID_FOR);
}

#[test]
fn a_read_before_the_write_admits_all_who_read_the_same() {
    mutant(Variant::ReadThenWrite, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn the_idle_shape_without_its_condition_admits_everybody() {
    mutant(Variant::IdleUnasked, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn the_busy_shape_alone_saves_up_what_was_not_spent() {
    mutant(Variant::BusyOnly, one_clock(), WITHIN_BUDGET);
}

#[test]
fn clocks_that_differ_by_more_than_is_allowed_for_admit_too_many() {
    found_by("no allowance for clocks", design(Scope { clocks_differ: 0, ..clocks_that_differ() }), WITHIN_BUDGET);
}

#[test]
fn a_known_network_that_spends_the_accounts_budget_is_kept_out_by_strangers() {
    mutant(Variant::BudgetForKnown, a_closed_account(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn an_account_that_is_closed_to_known_networks_is_closed_by_strangers() {
    mutant(Variant::ClosedForKnown, a_closed_account(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn failures_that_are_counted_after_the_verification_close_too_late() {
    mutant(Variant::CountedAfterwards, a_closed_account(), FEW_IN_A_ROW);
}
