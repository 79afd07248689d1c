//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::item::{Bucket, Budget, DeviceId, NetworkId, Time};
use super::witness::{FEW_FROM_KNOWN, FEW_FROM_STRANGERS, OWNER_NOT_KEPT_OUT, PAID_FOR, WITHIN_BUDGET};
use super::{
    AttemptModel, BURST_SPENT, CLOSED, DEVICE_FORGOTTEN, EXHAUSTED, IN_WHILE_CLOSED, MORE_BY_SKEW, NETWORK_FORGOTTEN,
    Person, REFILLED, Scope, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const PAIR: Budget = Budget { burst: 2, interval: 2 };

/// The network, and the device, that the callers of a budget share.
const PLACES: [Bucket; 2] = [Bucket::From(0), Bucket::Device(0)];

/// A guesser at a known place, with a clock that is off.
fn guesser_at(place: Bucket, off: Time) -> Person {
    let device = match place {
        Bucket::Device(device) => Some(device),
        Bucket::From(_) | Bucket::Strangers => None,
    };
    Person { network: 0, device, right: false, off, tries: 1 }
}

fn guesser(network: NetworkId, device: Option<DeviceId>, tries: u8) -> Person {
    Person { network, device, right: false, off: 0, tries }
}

fn owner(network: NetworkId, device: Option<DeviceId>) -> Person {
    Person { network, device, right: true, off: 0, tries: 1 }
}

/// Callers spend one budget by clocks that are behind and clocks that are ahead.
fn clocks_that_differ(place: Bucket) -> Scope {
    Scope {
        budget: PAIR,
        callers: [-1, -1, 1, 1, 1].map(|off| guesser_at(place, off)).to_vec(),
        known: vec![place],
        temporary: false,
        limit: u8::MAX,
        clock_skew: 1,
        patience: 0,
        attempts: 1,
        trips: 3,
        late_writes: 0,
        last_tick: if is_full_run() { 5 } else { 3 },
    }
}

/// Answers are lost, writes arrive late, and an invocation takes up to a tick.
fn answers_are_lost(place: Bucket) -> Scope {
    Scope {
        callers: vec![guesser_at(place, 0); if is_full_run() { 4 } else { 3 }],
        clock_skew: 0,
        patience: 1,
        attempts: 2,
        late_writes: 1,
        ..clocks_that_differ(place)
    }
}

/// All clocks agree, and time passes.
fn one_clock(place: Bucket) -> Scope {
    Scope { callers: vec![guesser_at(place, 0); 4], clock_skew: 0, last_tick: 4, ..clocks_that_differ(place) }
}

/// Strangers guess until the account is closed; its owner signs in with a known device, or from a known network.
fn a_closed_account(owner: Person) -> Scope {
    Scope {
        callers: vec![guesser(0, None, if is_full_run() { 3 } else { 2 }), guesser(1, Some(1), 1), owner],
        known: vec![Bucket::From(2), Bucket::Device(0)],
        limit: if is_full_run() { 2 } else { 1 },
        clock_skew: 0,
        late_writes: 1,
        last_tick: Time::from(is_full_run()),
        ..clocks_that_differ(Bucket::From(0))
    }
}

/// A neighbour guesses from the known network of the owner, who has a known device.
fn a_shared_network() -> Scope {
    Scope {
        budget: Budget { burst: 3, interval: 1 },
        callers: vec![guesser(0, None, if is_full_run() { 4 } else { 3 }), owner(0, Some(0))],
        known: vec![Bucket::From(0), Bucket::Device(0)],
        ..a_closed_account(owner(0, Some(0)))
    }
}

/// The owner's device guesses, and the owner signs in with it, too.
fn a_shared_device() -> Scope {
    Scope {
        callers: vec![guesser(1, Some(0), 3), owner(0, Some(0))],
        budget: Budget { burst: 3, interval: 1 },
        ..a_shared_network()
    }
}

/// Strangers guess at an account whose password is temporary; its owner comes from a network that it does not know.
fn a_temporary_password() -> Scope {
    Scope { temporary: true, known: Vec::new(), ..a_closed_account(owner(2, None)) }
}

fn design(scope: Scope) -> AttemptModel {
    AttemptModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_clocks_that_differ() {
    for place in PLACES {
        let reached = [BURST_SPENT, REFILLED, EXHAUSTED, MORE_BY_SKEW];
        assert_holds("clocks that differ", design(clocks_that_differ(place)), &reached);
    }
}

#[test]
fn the_design_holds_for_one_clock() {
    for place in PLACES {
        assert_holds("one clock", design(one_clock(place)), &[BURST_SPENT, REFILLED, EXHAUSTED]);
    }
}

#[test]
fn the_design_holds_when_answers_are_lost() {
    for place in PLACES {
        assert_holds("answers are lost", design(answers_are_lost(place)), &[BURST_SPENT, REFILLED, EXHAUSTED]);
    }
}

#[test]
fn the_design_holds_for_an_account_that_is_closed() {
    for owner in [owner(2, None), owner(3, Some(0))] {
        assert_holds("a closed account", design(a_closed_account(owner)), &[CLOSED, IN_WHILE_CLOSED]);
    }
}

#[test]
fn the_design_holds_for_a_neighbour_on_a_known_network() {
    assert_holds("a shared network", design(a_shared_network()), &[NETWORK_FORGOTTEN, CLOSED, IN_WHILE_CLOSED]);
}

#[test]
fn the_design_holds_for_a_device_that_guesses() {
    assert_holds("a shared device", design(a_shared_device()), &[DEVICE_FORGOTTEN, CLOSED]);
}

#[test]
fn the_design_holds_for_a_temporary_password() {
    assert_holds("a temporary password", design(a_temporary_password()), &[]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), AttemptModel { variant, scope }, property);
}

#[test]
fn verifying_before_spending_exceeds_the_budget() {
    assert_caught(Variant::VerifyFirst, clocks_that_differ(Bucket::From(0)), WITHIN_BUDGET);
}

#[test]
fn verifying_without_an_answer_of_the_table_spends_no_attempt() {
    assert_caught(Variant::FailOpen, answers_are_lost(Bucket::From(0)), PAID_FOR);
}

#[test]
fn a_read_before_the_write_admits_every_caller_that_read_the_same_item() {
    assert_caught(Variant::ReadThenWrite, clocks_that_differ(Bucket::From(0)), WITHIN_BUDGET);
}

#[test]
fn the_idle_shape_without_its_condition_admits_every_caller() {
    assert_caught(Variant::IdleUnconditional, clocks_that_differ(Bucket::From(0)), WITHIN_BUDGET);
}

#[test]
fn the_busy_shape_alone_accumulates_unspent_attempts() {
    assert_caught(Variant::BusyOnly, one_clock(Bucket::From(0)), WITHIN_BUDGET);
}

#[test]
fn a_known_device_without_a_budget_is_admitted_without_end() {
    assert_caught(Variant::DeviceWithoutBudget, clocks_that_differ(Bucket::Device(0)), WITHIN_BUDGET);
}

#[test]
fn more_clock_skew_than_is_allowed_for_admits_too_many() {
    let scope = Scope { clock_skew: 0, ..clocks_that_differ(Bucket::From(0)) };
    assert_caught_by("no allowance for clock skew", design(scope), WITHIN_BUDGET);
}

#[test]
fn a_neighbour_keeps_out_a_device_that_spends_the_budget_of_its_network() {
    assert_caught(Variant::DeviceSpendsNetwork, a_shared_network(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn strangers_close_an_account_that_is_closed_to_known_devices_too() {
    assert_caught(Variant::ClosedToDevices, a_closed_account(owner(3, Some(0))), OWNER_NOT_KEPT_OUT);
}

#[test]
fn strangers_close_an_account_that_is_closed_to_known_networks_too() {
    assert_caught(Variant::ClosedToKnown, a_closed_account(owner(2, None)), OWNER_NOT_KEPT_OUT);
}

#[test]
fn strangers_keep_out_the_owner_of_a_temporary_password_by_a_budget_of_the_account() {
    assert_caught(Variant::AccountBudget, a_temporary_password(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn strangers_close_an_account_with_a_temporary_password_that_can_be_closed() {
    assert_caught(Variant::TemporaryClosed, a_temporary_password(), OWNER_NOT_KEPT_OUT);
}

#[test]
fn a_cookie_that_no_account_knows_guesses_beside_the_failures_of_strangers() {
    assert_caught(Variant::AnyDeviceKnown, a_closed_account(owner(2, None)), FEW_FROM_STRANGERS);
}

#[test]
fn strangers_guess_without_end_at_an_account_that_is_never_closed() {
    assert_caught(Variant::NeverClosed, a_closed_account(owner(2, None)), FEW_FROM_STRANGERS);
}

#[test]
fn strangers_guess_again_after_each_sign_in_of_an_owner_that_opens_the_account() {
    assert_caught(Variant::KnownOpens, a_closed_account(owner(2, None)), FEW_FROM_STRANGERS);
}

#[test]
fn failures_counted_after_the_verification_close_the_account_too_late() {
    assert_caught(Variant::CountedAfterwards, a_closed_account(owner(2, None)), FEW_FROM_STRANGERS);
}

#[test]
fn a_device_that_is_never_forgotten_guesses_without_end() {
    assert_caught(Variant::DeviceNeverForgotten, a_shared_device(), FEW_FROM_KNOWN);
}

#[test]
fn a_network_that_is_never_forgotten_guesses_without_end() {
    assert_caught(Variant::NetworkNeverForgotten, a_shared_network(), FEW_FROM_KNOWN);
}

#[test]
fn a_neighbour_guesses_again_after_each_sign_in_of_a_device_that_forgives_its_network() {
    assert_caught(Variant::DeviceForgivesNetwork, a_shared_network(), FEW_FROM_KNOWN);
}
