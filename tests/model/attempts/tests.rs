//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::item::{Budget, Time};
use super::witness::{FEW_IN_A_ROW, OWNER_NOT_KEPT_OUT, PAID_FOR, WITHIN_BUDGET};
use super::{AttemptModel, BURST_SPENT, CLOSED, EXHAUSTED, MORE_BY_SKEW, OPENED, Person, REFILLED, Scope, Variant};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const PAIR: Budget = Budget { burst: 2, interval: 2 };

fn stranger(off: Time) -> Person {
    Person { network: 0, right: false, off, tries: 1 }
}

/// Callers spend one budget by clocks that are behind and clocks that are ahead.
fn clocks_that_differ() -> Scope {
    Scope {
        account: PAIR,
        from_network: None,
        callers: vec![stranger(-1), stranger(-1), stranger(1), stranger(1), stranger(1)],
        known: Vec::new(),
        closes_after: u8::MAX,
        clock_skew: 1,
        patience: 0,
        attempts: 1,
        trips: 3,
        late_writes: 0,
        last_tick: if is_full_run() { 5 } else { 3 },
    }
}

/// Answers are lost, writes arrive late, and an invocation takes up to a tick.
fn answers_are_lost() -> Scope {
    Scope {
        callers: vec![stranger(0); if is_full_run() { 4 } else { 3 }],
        clock_skew: 0,
        patience: 1,
        attempts: 2,
        late_writes: 1,
        ..clocks_that_differ()
    }
}

/// All clocks agree, and time passes.
fn one_clock() -> Scope {
    Scope { callers: vec![stranger(0); 4], clock_skew: 0, last_tick: 4, ..clocks_that_differ() }
}

/// Strangers guess until the account is closed; its owner signs in from a known network.
fn a_closed_account() -> Scope {
    let guesser = |network, tries| Person { network, right: false, off: 0, tries };
    Scope {
        account: Budget { burst: 3, interval: 1 },
        from_network: Some(PAIR),
        callers: vec![guesser(0, 3), guesser(1, 1), Person { network: 2, right: true, off: 0, tries: 1 }],
        known: vec![2],
        closes_after: 1,
        clock_skew: 0,
        late_writes: 1,
        last_tick: Time::from(is_full_run()),
        ..clocks_that_differ()
    }
}

fn design(scope: Scope) -> AttemptModel {
    AttemptModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_clocks_that_differ() {
    assert_holds("clocks that differ", design(clocks_that_differ()), &[BURST_SPENT, REFILLED, EXHAUSTED, MORE_BY_SKEW]);
}

#[test]
fn the_design_holds_for_one_clock() {
    assert_holds("one clock", design(one_clock()), &[BURST_SPENT, REFILLED, EXHAUSTED]);
}

#[test]
fn the_design_holds_when_answers_are_lost() {
    assert_holds("answers are lost", design(answers_are_lost()), &[BURST_SPENT, REFILLED, EXHAUSTED]);
}

#[test]
fn the_design_holds_for_an_account_that_is_closed() {
    assert_holds("a closed account", design(a_closed_account()), &[EXHAUSTED, CLOSED, OPENED]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), AttemptModel { variant, scope }, property);
}

#[test]
fn verifying_before_spending_exceeds_the_budget() {
    assert_caught(Variant::VerifyFirst, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn verifying_without_an_answer_of_the_table_spends_no_attempt() {
    assert_caught(Variant::FailOpen, answers_are_lost(), PAID_FOR);
}

#[test]
fn a_read_before_the_write_admits_every_caller_that_read_the_same_item() {
    assert_caught(Variant::ReadThenWrite, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn the_idle_shape_without_its_condition_admits_every_caller() {
    assert_caught(Variant::IdleUnconditional, clocks_that_differ(), WITHIN_BUDGET);
}

#[test]
fn the_busy_shape_alone_accumulates_unspent_attempts() {
    assert_caught(Variant::BusyOnly, one_clock(), WITHIN_BUDGET);
}

#[test]
fn more_clock_skew_than_is_allowed_for_admits_too_many() {
    assert_caught_by(
        "no allowance for clock skew",
        design(Scope { clock_skew: 0, ..clocks_that_differ() }),
        WITHIN_BUDGET,
    );
}

#[test]
fn strangers_keep_out_a_known_network_that_spends_the_accounts_budget() {
    assert_caught(Variant::BudgetForKnown, a_closed_account(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn strangers_close_an_account_that_is_closed_to_known_networks_too() {
    assert_caught(Variant::ClosedToKnown, a_closed_account(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn failures_counted_after_the_verification_close_the_account_too_late() {
    assert_caught(Variant::CountedAfterwards, a_closed_account(), FEW_IN_A_ROW);
}
