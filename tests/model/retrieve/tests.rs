//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::credential::{Click, Person};
use super::witness::{
    AT_MOST_THREE, COUNTED_ONCE, HISTORY_COMPLETE, NONE_AFTER_CLOSING, NONE_AFTER_EXPIRY, NOT_REFUSED_AS_EXHAUSTED,
    NOT_RENEWED_WHEN_USED_UP, OWN_PASSWORD, SPENT_BY_OWN_REQUESTS, TEN_MINUTES,
};
use super::{
    BLANK_ANSWERED, CONFLICT_ANSWERED, Cause, NEXT_ISSUE_SHOWN, RENEWAL_SPENT, REPLAYED, RetrieveModel, Scope,
    THREE_DISCLOSED, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const ANA: Click = Click { person: Person::Ana, key: 'x' };
const BEN: Click = Click { person: Person::Ben, key: 'x' };
const CLEO: Click = Click { person: Person::Cleo, key: 'x' };
const ANA_AGAIN: Click = Click { person: Person::Ana, key: 'y' };

/// Four clicks compete for three retrievals; nothing else happens.
fn four_clicks() -> Scope {
    Scope {
        clicks: vec![(ANA, 1), (BEN, 1), (CLEO, 1), (ANA_AGAIN, 1)],
        retrieved_before: 0,
        attempts: if is_full_run() { 3 } else { 2 },
        late_writes: if is_full_run() { 2 } else { 1 },
        last_tick: 0,
        with_closing: false,
        next_issues: Vec::new(),
    }
}

/// Three people press **Go** for the last two retrievals.
fn the_last_two() -> Scope {
    Scope { clicks: vec![(ANA, 1), (BEN, 1), (CLEO, 1)], retrieved_before: 1, ..four_clicks() }
}

/// One click that the client retries, and everything that can happen meanwhile.
fn one_click_retried() -> Scope {
    Scope {
        clicks: vec![(ANA, 2)],
        retrieved_before: 2,
        attempts: if is_full_run() { 3 } else { 2 },
        late_writes: 2,
        last_tick: if is_full_run() { 5 } else { 3 },
        with_closing: true,
        next_issues: vec![Cause::Any],
    }
}

/// Two colleagues match by the same organisation and happen to use the same key; two retrievals are left.
fn two_colleagues() -> Scope {
    Scope {
        clicks: vec![(ANA, 2), (BEN, 1)],
        retrieved_before: 1,
        attempts: 2,
        late_writes: 1,
        last_tick: 2,
        with_closing: is_full_run(),
        next_issues: vec![Cause::Any],
    }
}

/// The issue expires; two people renew it at once, while a third retrieval is under way and a click is retried.
fn renewal() -> Scope {
    Scope {
        clicks: vec![(ANA, if is_full_run() { 3 } else { 2 }), (BEN, 1)],
        retrieved_before: 1,
        attempts: if is_full_run() { 2 } else { 1 },
        late_writes: 1,
        last_tick: if is_full_run() { 4 } else { 3 },
        with_closing: is_full_run(),
        next_issues: vec![Cause::Renewal, Cause::Renewal],
    }
}

/// The issue was retrieved twice; the last retrieval and everything that closes an issue race with a renewal.
fn the_last_retrieval_and_renewal() -> Scope {
    Scope { clicks: vec![(ANA, 2)], retrieved_before: 2, attempts: 2, with_closing: true, ..renewal() }
}

/// Three people retrieve the renewed issue, whether or not they have retrieved the expired one.
fn the_renewed_issue() -> Scope {
    Scope {
        clicks: vec![(ANA, if is_full_run() { 2 } else { 1 }), (BEN, 1), (CLEO, 1)],
        retrieved_before: 1,
        attempts: 1,
        late_writes: 0,
        last_tick: 3,
        with_closing: false,
        next_issues: vec![Cause::Renewal],
    }
}

fn design(scope: Scope) -> RetrieveModel {
    RetrieveModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_four_clicks() {
    assert_holds("four clicks", design(four_clicks()), &[THREE_DISCLOSED, BLANK_ANSWERED]);
}

#[test]
fn the_design_holds_for_one_click_retried() {
    assert_holds(
        "one click retried",
        design(one_click_retried()),
        &[THREE_DISCLOSED, BLANK_ANSWERED, CONFLICT_ANSWERED, REPLAYED, NEXT_ISSUE_SHOWN],
    );
}

#[test]
fn the_design_holds_for_two_colleagues() {
    assert_holds(
        "two colleagues",
        design(two_colleagues()),
        &[THREE_DISCLOSED, BLANK_ANSWERED, CONFLICT_ANSWERED, REPLAYED, NEXT_ISSUE_SHOWN],
    );
}

#[test]
fn the_design_holds_for_a_renewal() {
    assert_holds("renewal", design(renewal()), &[BLANK_ANSWERED, REPLAYED, NEXT_ISSUE_SHOWN]);
}

#[test]
fn the_design_holds_for_the_last_retrieval_and_a_renewal() {
    let reached = [THREE_DISCLOSED, BLANK_ANSWERED, REPLAYED, NEXT_ISSUE_SHOWN];
    assert_holds("the last retrieval and a renewal", design(the_last_retrieval_and_renewal()), &reached);
}

#[test]
fn the_design_holds_for_the_renewed_issue() {
    assert_holds("the renewed issue", design(the_renewed_issue()), &[RENEWAL_SPENT, NEXT_ISSUE_SHOWN]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), RetrieveModel { variant, scope }, property);
}

#[test]
fn a_bare_counter_spends_two_retrievals_on_one_click() {
    assert_caught(Variant::BareCounter, one_click_retried(), COUNTED_ONCE);
}

#[test]
fn a_read_before_the_write_shows_the_password_a_fourth_time() {
    assert_caught(Variant::ReadThenWrite, the_last_two(), AT_MOST_THREE);
}

#[test]
fn a_read_before_the_write_counts_a_retrieval_after_sign_in() {
    assert_caught(Variant::ReadThenWrite, one_click_retried(), NONE_AFTER_CLOSING);
}

#[test]
fn decrypting_first_shows_the_password_a_fourth_time() {
    assert_caught(Variant::DecryptFirst, the_last_two(), AT_MOST_THREE);
}

#[test]
fn decrypting_first_shows_the_password_of_the_previous_issue() {
    assert_caught(Variant::DecryptFirst, two_colleagues(), OWN_PASSWORD);
}

#[test]
fn unlimited_replay_shows_the_password_after_ten_minutes() {
    assert_caught(Variant::UnlimitedReplay, two_colleagues(), TEN_MINUTES);
}

#[test]
fn replay_by_principal_shows_a_colleague_the_password_without_counting() {
    assert_caught(Variant::ReplayByPrincipal, two_colleagues(), COUNTED_ONCE);
}

#[test]
fn replay_by_principal_shows_the_password_a_fourth_time() {
    assert_caught(Variant::ReplayByPrincipal, the_last_two(), AT_MOST_THREE);
}

#[test]
fn without_the_old_image_a_counted_click_is_refused_as_exhausted() {
    assert_caught(Variant::NoOldImage, one_click_retried(), NOT_REFUSED_AS_EXHAUSTED);
}

#[test]
fn unchecked_replay_shows_an_expired_password() {
    assert_caught(Variant::ReplayUnchecked, one_click_retried(), NONE_AFTER_EXPIRY);
}

#[test]
fn a_late_request_of_the_previous_issue_spends_a_retrieval_of_the_next() {
    assert_caught(Variant::IssueNotCompared, one_click_retried(), SPENT_BY_OWN_REQUESTS);
}

#[test]
fn comparing_dates_lets_a_late_request_of_the_previous_issue_spend_a_retrieval_of_the_next() {
    assert_caught(Variant::DateCompared, one_click_retried(), SPENT_BY_OWN_REQUESTS);
}

#[test]
fn a_retrieval_during_the_next_issues_transaction_is_missing_from_the_history() {
    assert_caught(Variant::SizeNotCompared, one_click_retried(), HISTORY_COMPLETE);
}

#[test]
fn a_renewal_that_does_not_compare_the_number_of_retrievals_replaces_a_used_up_issue() {
    assert_caught(Variant::RenewalSizeNotCompared, the_last_retrieval_and_renewal(), NOT_RENEWED_WHEN_USED_UP);
}

#[test]
fn a_retrieval_during_a_renewal_is_missing_from_the_history() {
    assert_caught(Variant::SizeNotCompared, renewal(), HISTORY_COMPLETE);
}

#[test]
fn a_renewal_that_keeps_the_retrievals_shows_the_new_password_without_counting() {
    assert_caught(Variant::RenewalKeepsRetrievals, renewal(), COUNTED_ONCE);
}

#[test]
fn a_late_retrieval_of_the_expired_issue_spends_a_retrieval_of_the_renewed_one() {
    assert_caught(Variant::IssueNotCompared, renewal(), SPENT_BY_OWN_REQUESTS);
}
