//! The design holds in every scope; each change of the protocol is caught by the property that it is meant to break.

use super::table::{CUSTOMERS, Item, Key, KeySet, Time};
use super::witness::{
    ASKED_ONCE, AT_ONCE, ATTEMPTED_ONCE, BOTH_TRIED, COPY_PASSED_OVER, DATED_BEFORE, FROZEN, FUTURE_FOUND,
    FUTURE_REPLACED, HELD_COUNTS, HELD_NEVER_BACK, ITEM_SUFFICES, LATE_IS_UNAVAILABLE, LATE_REPLACED, LATE_USED,
    NEVER_BACK, NEW_KEY_AT_PROVIDER, NEW_KEY_IN_ITEM, NEWER_FOUND, NEWER_IS_NEWER, NOT_AHEAD, OVERTAKEN,
    OWN_GOOD_ANSWER, OWN_KEY, REFUSED_ANYWAY, REFUSED_IF_RUNS_FAIL, REFUSED_IN_TIME, REPEATED, TOO_OLD, USABLE,
    WITHDRAWN_ACCEPTED, WITHDRAWN_REFUSED, WRITTEN_TWICE,
};
use super::{KeysModel, Scope, Variant};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

/// Two runs of the schedule and one of a deployment overlap, with any two failures; in a full run two deployments and three failures. No
/// process reads what they put.
fn runs() -> Scope {
    Scope {
        published: KeySet::Both,
        item: None,
        issuers: 1,
        schedule: vec![0, 3],
        deployments: if is_full_run() { 2 } else { 1 },
        repeats: 1,
        attempts: 2,
        failures: if is_full_run() { 3 } else { 2 },
        with_outage: false,
        with_copy: false,
        tokens: Vec::new(),
        last_tick: 4,
    }
}

/// A provider adds a key, and its tokens arrive beside forged ones.
fn new_key() -> Scope {
    let tokens = vec![Key::Old, Key::New, Key::Forged];
    Scope {
        published: KeySet::Old,
        deployments: 0,
        repeats: 0,
        failures: 1 + u8::from(is_full_run()),
        tokens,
        last_tick: 3,
        ..runs()
    }
}

/// A provider withdraws a key, while the schedule goes on for as long as the key may be accepted.
fn withdrawal() -> Scope {
    let (schedule, last_tick) = if is_full_run() { (vec![0, 3, 6, 9], 12) } else { (vec![0, 3, 6], 9) };
    Scope { schedule, deployments: 0, failures: 1, tokens: vec![Key::Old], last_tick, ..runs() }
}

/// A provider withdraws a key, and the schedule has ended after its first run.
fn no_more_runs() -> Scope {
    Scope { schedule: vec![0], repeats: 0, failures: 2, last_tick: 10, ..withdrawal() }
}

/// The same, and the provider may be down.
fn outage() -> Scope {
    let tokens = vec![Key::Old, Key::New];
    Scope { published: KeySet::Old, with_outage: true, tokens, failures: 0, last_tick: 11, ..no_more_runs() }
}

/// The first item has a date in the future.
fn dated_ahead(fetched_at: Time) -> Scope {
    let item = Item { issuer: CUSTOMERS, keys: KeySet::New, fetched_at, by_run: false };
    let tokens = vec![Key::New];
    Scope { published: KeySet::New, item: Some(item), deployments: 1, tokens, last_tick: 7, ..withdrawal() }
}

/// Both providers are asked, and the operators' item may be copied to the place of the customers'.
fn two_issuers() -> Scope {
    Scope {
        published: KeySet::New,
        issuers: 2,
        schedule: vec![0],
        deployments: 1,
        repeats: 0,
        failures: 1 + u8::from(is_full_run()),
        with_copy: true,
        tokens: vec![Key::New, Key::Operators],
        last_tick: 1,
        ..runs()
    }
}

fn assert_design(title: &str, scope: Scope, reached: &[&'static str]) {
    assert_holds(title, KeysModel { variant: Variant::Design, scope }, reached);
}

#[test]
fn the_design_holds_for_runs_at_once() {
    assert_design("keys: runs at once", runs(), &[OVERTAKEN, WRITTEN_TWICE, NEWER_FOUND, REPEATED]);
}

#[test]
fn the_design_holds_for_a_new_key() {
    assert_design("keys: a new key", new_key(), &[NEW_KEY_IN_ITEM, NEW_KEY_AT_PROVIDER]);
}

#[test]
fn the_design_holds_for_a_withdrawn_key() {
    assert_design("keys: a withdrawn key", withdrawal(), &[WITHDRAWN_REFUSED, WITHDRAWN_ACCEPTED, FROZEN]);
}

#[test]
fn the_design_holds_without_more_runs() {
    assert_design("keys: no more runs", no_more_runs(), &[WITHDRAWN_REFUSED, LATE_REPLACED]);
}

#[test]
fn the_design_holds_while_the_provider_is_down() {
    assert_design("keys: the provider is down", outage(), &[LATE_USED, TOO_OLD]);
}

#[test]
fn the_design_holds_for_an_item_that_is_dated_ahead() {
    assert_design("keys: from the future", dated_ahead(8), &[FUTURE_FOUND]);
    assert_design("keys: dated ahead", dated_ahead(5), &[NEWER_FOUND]);
}

#[test]
fn the_design_holds_for_two_issuers() {
    assert_design("keys: two issuers", two_issuers(), &[COPY_PASSED_OVER]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), KeysModel { variant, scope }, property);
}

#[test]
fn a_put_without_a_condition_brings_older_keys_back() {
    assert_caught(Variant::PutUnconditional, runs(), NEVER_BACK);
    assert_caught(Variant::PutUnconditional, withdrawal(), REFUSED_IN_TIME);
}

#[test]
fn a_put_that_follows_a_read_brings_older_keys_back() {
    assert_caught(Variant::ReadThenPut, runs(), NEVER_BACK);
}

#[test]
fn an_item_that_a_late_write_takes_for_one_from_the_future_is_replaced_by_older_keys() {
    assert_caught(Variant::FutureTooNear, runs(), NEVER_BACK);
    assert_caught(Variant::FutureTooNear, withdrawal(), REFUSED_IN_TIME);
}

#[test]
fn a_put_that_needs_an_older_item_refuses_its_own_repetition() {
    assert_caught(Variant::StrictlyOlderReplaced, runs(), NEWER_IS_NEWER);
}

#[test]
fn a_put_that_needs_an_item_never_puts_the_first() {
    assert_caught(Variant::FirstPutRefused, runs(), USABLE);
    assert_caught(Variant::FirstPutRefused, runs(), NEWER_IS_NEWER);
}

#[test]
fn a_put_that_needs_an_item_of_the_past_leaves_one_from_the_future() {
    assert_caught(Variant::FutureNotReplaced, dated_ahead(8), FUTURE_REPLACED);
}

#[test]
fn an_item_that_is_dated_when_it_is_put_has_keys_that_were_replaced_before() {
    assert_caught(Variant::DatedWhenPut, runs(), DATED_BEFORE);
    assert_caught(Variant::DatedWhenPut, withdrawal(), REFUSED_IN_TIME);
}

#[test]
fn an_answer_without_keys_replaces_good_ones_if_it_is_put() {
    assert_caught(Variant::AnswerWithoutKeysPut, runs(), OWN_GOOD_ANSWER);
    assert_caught(Variant::AnswerWithoutKeysPut, runs(), USABLE);
}

#[test]
fn an_answer_whose_issuer_is_not_compared_brings_the_keys_of_another_one() {
    assert_caught(Variant::IssuerOfAnswerNotCompared, two_issuers(), OWN_GOOD_ANSWER);
    assert_caught(Variant::IssuerOfAnswerNotCompared, two_issuers(), OWN_KEY);
}

#[test]
fn an_item_whose_issuer_is_not_compared_brings_the_keys_of_another_one() {
    assert_caught(Variant::IssuerOfItemNotCompared, two_issuers(), OWN_KEY);
}

#[test]
fn one_item_for_both_issuers_lacks_the_keys_of_one() {
    assert_caught(Variant::OneItem, two_issuers(), USABLE);
}

#[test]
fn a_run_that_ends_with_the_first_failure_leaves_out_the_other_provider() {
    assert_caught(Variant::FirstFailureEnds, two_issuers(), BOTH_TRIED);
}

#[test]
fn a_failed_run_that_is_acknowledged_leaves_no_item() {
    assert_caught(Variant::FailureAcknowledged, runs(), USABLE);
}

#[test]
fn a_withdrawn_key_that_is_kept_for_the_whole_schedule_is_accepted_too_long() {
    assert_caught(Variant::KeptForTheSchedule, withdrawal(), REFUSED_IN_TIME);
}

#[test]
fn a_withdrawn_key_that_is_kept_from_the_thaw_is_accepted_too_long() {
    assert_caught(Variant::KeptFromTheThaw, withdrawal(), REFUSED_IN_TIME);
}

#[test]
fn a_late_item_that_is_used_without_a_question_keeps_a_withdrawn_key() {
    assert_caught(Variant::LateNotAsked, no_more_runs(), REFUSED_IF_RUNS_FAIL);
}

#[test]
fn a_late_item_that_is_held_at_the_start_keeps_a_withdrawn_key() {
    assert_caught(Variant::LateHeldAtTheStart, no_more_runs(), REFUSED_IF_RUNS_FAIL);
}

#[test]
fn a_process_that_drops_its_keys_after_a_failed_read_refuses_everyone_if_the_provider_fails_too() {
    assert_caught(Variant::HeldDropped, no_more_runs(), HELD_COUNTS);
}

#[test]
fn metadata_without_an_end_keeps_a_withdrawn_key() {
    assert_caught(Variant::GoodForever, outage(), REFUSED_ANYWAY);
}

#[test]
fn an_item_that_is_dated_ahead_must_not_be_used() {
    assert_caught(Variant::AheadUsed, dated_ahead(5), NOT_AHEAD);
}

#[test]
fn a_process_that_drops_a_late_item_refuses_everyone_while_the_provider_is_down() {
    assert_caught(Variant::LateDropped, outage(), ITEM_SUFFICES);
}

#[test]
fn a_new_key_counts_as_forged_if_late_metadata_does_not_count_as_an_outage() {
    assert_caught(Variant::LateTakenForForged, outage(), LATE_IS_UNAVAILABLE);
}

#[test]
fn an_older_item_must_not_replace_what_a_process_has_fetched_itself() {
    assert_caught(Variant::OlderTaken, withdrawal(), HELD_NEVER_BACK);
}

#[test]
fn a_search_that_leaves_out_the_item_needs_the_provider() {
    assert_caught(Variant::ItemNotSearched, new_key(), ITEM_SUFFICES);
}

#[test]
fn a_search_that_leaves_out_the_provider_refuses_a_new_key() {
    assert_caught(Variant::ProviderNotSearched, new_key(), AT_ONCE);
}

#[test]
fn a_process_that_does_not_ask_without_an_item_refuses_every_key() {
    assert_caught(Variant::ProviderNotAskedWithoutItem, new_key(), AT_ONCE);
}

#[test]
fn requests_flood_a_provider_that_is_down_if_attempts_have_no_pause() {
    assert_caught(Variant::AttemptNotPaused, new_key(), ATTEMPTED_ONCE);
}

#[test]
fn forged_tokens_flood_the_provider_if_searches_have_no_pause() {
    assert_caught(Variant::SearchNotPaused, new_key(), ASKED_ONCE);
}
