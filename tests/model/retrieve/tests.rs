//! The design holds in every scope; each mutant is found by the property that it was made to break.

use super::credential::{Click, Person};
use super::witness::{
    AT_MOST_THREE, COUNTED_ONCE, HISTORY_COMPLETE, NONE_AFTER_CLOSING, NONE_AFTER_EXPIRY, NOT_TOLD_EXHAUSTED,
    OWN_PASSWORD, SPENT_SINCE_BEGIN, TEN_MINUTES,
};
use super::{A_BLANK, A_CONFLICT, A_REPLAY, Retrieve, Scope, THE_NEXT_ISSUE, THREE_SEE_IT, Variant};
use crate::check::{found_by, full, holds};

const ANA: Click = Click { person: Person::Ana, key: 'x' };
const BEN: Click = Click { person: Person::Ben, key: 'x' };
const CLEO: Click = Click { person: Person::Cleo, key: 'x' };
const ANA_AGAIN: Click = Click { person: Person::Ana, key: 'y' };

/// Four clicks for three retrievals; nothing else happens.
fn four_clicks() -> Scope {
    Scope {
        clicks: vec![(ANA, 1), (BEN, 1), (CLEO, 1), (ANA_AGAIN, 1)],
        taken_before: 0,
        attempts: if full() { 3 } else { 2 },
        late_writes: if full() { 2 } else { 1 },
        last_tick: 0,
        closing: false,
        next_issue: false,
    }
}

/// Three people press Go for the last two.
fn the_last_two() -> Scope {
    Scope { clicks: vec![(ANA, 1), (BEN, 1), (CLEO, 1)], taken_before: 1, ..four_clicks() }
}

/// One click that the client retries, with everything that can happen meanwhile.
fn one_click_retried() -> Scope {
    Scope {
        clicks: vec![(ANA, 2)],
        taken_before: 2,
        attempts: if full() { 3 } else { 2 },
        late_writes: 2,
        last_tick: if full() { 5 } else { 3 },
        closing: true,
        next_issue: true,
    }
}

/// Two colleagues who match by the same organisation and happen to use the same key, two retrievals left.
fn two_colleagues() -> Scope {
    Scope {
        clicks: vec![(ANA, 2), (BEN, 1)],
        taken_before: 1,
        attempts: 2,
        late_writes: 1,
        last_tick: 2,
        closing: full(),
        next_issue: true,
    }
}

fn design(scope: Scope) -> Retrieve {
    Retrieve { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_four_clicks() {
    holds("four clicks", design(four_clicks()), &[THREE_SEE_IT, A_BLANK]);
}

#[test]
fn the_design_holds_for_one_click_retried() {
    holds(
        "one click retried",
        design(one_click_retried()),
        &[THREE_SEE_IT, A_BLANK, A_CONFLICT, A_REPLAY, THE_NEXT_ISSUE],
    );
}

#[test]
fn the_design_holds_for_two_colleagues() {
    holds("two colleagues", design(two_colleagues()), &[THREE_SEE_IT, A_BLANK, A_CONFLICT, A_REPLAY, THE_NEXT_ISSUE]);
}

fn mutant(variant: Variant, scope: Scope, property: &'static str) {
    found_by(&format!("{variant:?}"), Retrieve { variant, scope }, property);
}

#[test]
fn a_bare_counter_takes_two_for_one_click() {
    mutant(Variant::BareCounter, one_click_retried(), COUNTED_ONCE);
}

#[test]
fn a_read_before_the_write_lets_a_fourth_see_it() {
    mutant(Variant::ReadThenWrite, the_last_two(), AT_MOST_THREE);
}

#[test]
fn a_read_before_the_write_counts_after_sign_in() {
    mutant(Variant::ReadThenWrite, one_click_retried(), NONE_AFTER_CLOSING);
}

#[test]
fn decrypting_first_lets_a_fourth_see_it() {
    mutant(Variant::DecryptFirst, the_last_two(), AT_MOST_THREE);
}

#[test]
fn decrypting_first_shows_the_password_of_the_last_issue() {
    mutant(Variant::DecryptFirst, two_colleagues(), OWN_PASSWORD);
}

#[test]
fn replay_without_an_end_shows_the_password_after_ten_minutes() {
    mutant(Variant::UnlimitedReplay, two_colleagues(), TEN_MINUTES);
}

#[test]
fn replay_by_principal_shows_a_colleague_what_nobody_counted() {
    mutant(Variant::ReplayByPrincipal, two_colleagues(), COUNTED_ONCE);
}

#[test]
fn replay_by_principal_lets_a_fourth_see_it() {
    mutant(Variant::ReplayByPrincipal, the_last_two(), AT_MOST_THREE);
}

#[test]
fn without_the_old_image_who_took_one_is_told_that_it_is_exhausted() {
    mutant(Variant::NoOldImage, one_click_retried(), NOT_TOLD_EXHAUSTED);
}

#[test]
fn replay_unchecked_shows_an_expired_password() {
    mutant(Variant::ReplayUnchecked, one_click_retried(), NONE_AFTER_EXPIRY);
}

#[test]
fn a_late_request_of_the_last_issue_spends_one_of_the_next() {
    mutant(Variant::IssueNotAsked, one_click_retried(), SPENT_SINCE_BEGIN);
}

#[test]
fn by_the_clock_a_late_request_of_the_last_issue_spends_one_of_the_next_that_was_prepared_before_it() {
    mutant(Variant::BeginByClock, one_click_retried(), SPENT_SINCE_BEGIN);
}

#[test]
fn a_retrieval_that_slips_in_before_the_next_issue_is_lost_from_the_history() {
    mutant(Variant::SizeNotAsked, one_click_retried(), HISTORY_COMPLETE);
}
