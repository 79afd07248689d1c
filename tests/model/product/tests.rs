//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::witness::{
    IN_ITS_MINUTE, NONE_AFTER_END, NONE_AFTER_RESET, ONE_TOKEN, OWN_USE_ANSWERED, VOID_AFTER_END, VOID_AFTER_RESET,
    VOID_AFTER_SECOND_USE,
};
use super::{AFTER_A_LOST_ANSWER, Change, EXPIRED, OVERTAKEN, ProductModel, REDEEMED, SECOND_USE, Scope, Variant};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

/// The product uses a code twice at once; nothing else happens, and no time passes.
fn two_uses() -> Scope {
    Scope {
        uses: if is_full_run() { 3 } else { 2 },
        changes: Vec::new(),
        attempts: if is_full_run() { 3 } else { 2 },
        late_writes: 2,
        last_tick: 0,
    }
}

/// The same, while the code and its token come to their ends, and the table deletes the code.
fn until_it_is_forgotten() -> Scope {
    Scope { uses: 2, attempts: 2, late_writes: 1, last_tick: 5, ..two_uses() }
}

/// A use beside a reset and the end.
fn beside_changes() -> Scope {
    Scope {
        changes: vec![Change::Reset, Change::End],
        attempts: 2,
        uses: 2,
        late_writes: 1,
        last_tick: u8::from(is_full_run()),
    }
}

fn design(scope: Scope) -> ProductModel {
    ProductModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_uses_at_once() {
    assert_holds("uses of a code at once", design(two_uses()), &[REDEEMED, AFTER_A_LOST_ANSWER, SECOND_USE]);
}

#[test]
fn the_design_holds_until_the_code_is_forgotten() {
    let reached = [REDEEMED, AFTER_A_LOST_ANSWER, SECOND_USE, EXPIRED];
    assert_holds("until the code is forgotten", design(until_it_is_forgotten()), &reached);
}

#[test]
fn the_design_holds_beside_a_reset_and_the_end() {
    let reached = [REDEEMED, AFTER_A_LOST_ANSWER, SECOND_USE, OVERTAKEN];
    assert_holds("beside a reset and the end", design(beside_changes()), &reached);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), ProductModel { variant, scope }, property);
}

#[test]
fn a_late_put_makes_a_redeemed_code_new() {
    assert_caught(Variant::BarePut, two_uses(), ONE_TOKEN);
}

#[test]
fn a_token_of_each_attempt_refuses_the_use_that_has_lost_an_answer() {
    assert_caught(Variant::TokenOfEachAttempt, two_uses(), OWN_USE_ANSWERED);
}

#[test]
fn a_use_that_does_not_know_its_own_attempt_withdraws_its_own_token() {
    assert_caught(Variant::OwnAttemptUnknown, two_uses(), OWN_USE_ANSWERED);
}

#[test]
fn a_second_use_that_withdraws_nothing_leaves_the_first_token_good() {
    assert_caught(Variant::NotWithdrawn, two_uses(), VOID_AFTER_SECOND_USE);
}

#[test]
fn a_transaction_that_does_not_ask_for_the_spending_redeems_a_code_twice() {
    assert_caught(Variant::SpendingNotCompared, two_uses(), ONE_TOKEN);
}

#[test]
fn a_code_without_an_end_is_redeemed_after_its_minute() {
    assert_caught(Variant::EndOfCodeNotCompared, until_it_is_forgotten(), IN_ITS_MINUTE);
}

#[test]
fn a_code_that_is_deleted_at_its_end_leaves_a_token_good_after_its_second_use() {
    assert_caught(Variant::ForgottenAtItsEnd, until_it_is_forgotten(), VOID_AFTER_SECOND_USE);
}

#[test]
fn a_transaction_without_the_version_follows_a_reset() {
    assert_caught(Variant::VersionNotChecked, beside_changes(), NONE_AFTER_RESET);
}

#[test]
fn a_transaction_without_the_credential_follows_the_end() {
    assert_caught(Variant::CredentialNotChecked, beside_changes(), NONE_AFTER_END);
}

#[test]
fn a_token_that_is_looked_up_without_the_version_outlives_a_reset() {
    assert_caught(Variant::VersionNotInLookup, beside_changes(), VOID_AFTER_RESET);
}

#[test]
fn a_token_that_is_looked_up_without_the_credential_outlives_the_end() {
    assert_caught(Variant::CredentialNotInLookup, beside_changes(), VOID_AFTER_END);
}
