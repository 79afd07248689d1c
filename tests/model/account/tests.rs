//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::table::SERVICE;
use super::witness::{
    ANSWERED_WITH_OWN_ISSUE, HISTORY_COMPLETE, NO_CREATION_FROM_BEFORE, NO_RESET_AFTER_EXPIRY, NO_RESET_FROM_BEFORE,
    NO_RETRIEVAL_ENDED_FROM_BEFORE, NO_SESSION_FROM_BEFORE, NONE_AFTER_HAND_OVER, NOT_LOCKED_OUT,
    NOT_SHOWN_AFTER_SIGN_IN, ONE_ISSUE_FOR_PAID, ONE_RESET, REFUSALS_ARE_TRUE, RENEWALS_BOUNDED, RENEWED_WITH_REASON,
    RETIREMENT_NOT_LOST, STARTED_ONCE, UNUSED_REISSUE_GOOD,
};
use super::{
    AccountModel, BACK_AFTER_EXPIRY, NAME_TAKEN, PASSWORD_CHOSEN, RENEWAL_REFUSED, RENEWED, RENEWED_AND_PAID,
    RENEWED_THREE_TIMES, REOPENED, RETIRED, SECOND_RESET_REFUSED, Scope, Start, TWO_CREATED, Task,
    VOID_SESSION_UNDER_WAY, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const LEE: usize = 1;
const MIA: usize = 2;

/// Two people have the temporary password; it is retrieved, it expires, and the support desk reissues it.
fn one_temporary_password() -> Scope {
    Scope {
        start: Start::Issued,
        people: vec![
            vec![Task::SignIn(SERVICE), Task::Reset],
            vec![Task::SignIn(SERVICE), Task::Reset],
            vec![Task::Reissue(1)],
        ],
        attempts: if is_full_run() { 2 } else { 1 },
        races: 2,
        late_writes: 1,
        last_tick: 1,
        retrievals: 1,
        renewals: 1,
    }
}

/// One person signs in, chooses a password, creates two accounts and repeats one of the creations, while answers are lost and every
/// click is retried.
fn answers_are_lost() -> Scope {
    Scope {
        people: vec![vec![Task::SignIn(SERVICE), Task::Reset, Task::Create(LEE), Task::Create(LEE), Task::Create(MIA)]],
        attempts: if is_full_run() { 3 } else { 2 },
        races: 2,
        late_writes: 2,
        last_tick: 0,
        ..one_temporary_password()
    }
}

/// Two people are signed in as the service administrator with a permanent password; one changes it, both create the same account.
fn one_permanent_password() -> Scope {
    Scope {
        start: Start::Administrators(0),
        people: vec![
            vec![Task::SignIn(SERVICE), Task::Reset, Task::Create(LEE)],
            vec![Task::SignIn(SERVICE), Task::Create(LEE)],
            vec![Task::Reissue(1)],
        ],
        attempts: 1,
        last_tick: 0,
        ..one_temporary_password()
    }
}

/// Lee signs in for the first time, in two concurrent requests, while the service administrator creates Mia.
fn the_hand_over() -> Scope {
    Scope {
        start: Start::Administrators(1),
        people: vec![
            vec![Task::SignIn(SERVICE), Task::Create(MIA)],
            vec![Task::SignIn(LEE)],
            vec![Task::SignIn(LEE)],
            vec![Task::Reissue(1)],
        ],
        attempts: 1,
        last_tick: 0,
        retrievals: 0,
        ..one_temporary_password()
    }
}

/// Lee and Mia take over, the support desk gives the account back, a person uses it, and an administrator closes it.
fn the_hand_over_undone() -> Scope {
    Scope {
        start: Start::Administrators(2),
        people: vec![
            vec![Task::SignIn(LEE)],
            vec![Task::SignIn(MIA)],
            vec![Task::Reissue(1)],
            vec![Task::SignIn(SERVICE), Task::Reset],
            vec![Task::Close],
        ],
        ..the_hand_over()
    }
}

/// Two people renew the expired issue at once, one of them a second time, while a person uses the old temporary password.
fn renewal() -> Scope {
    Scope {
        people: vec![vec![Task::SignIn(SERVICE), Task::Reset], vec![Task::Renew, Task::Renew], vec![Task::Renew]],
        attempts: 1,
        last_tick: 2,
        ..one_temporary_password()
    }
}

/// The paid event is delivered twice, while a person renews, renews again, and uses the new password.
fn renewal_and_paid() -> Scope {
    Scope {
        people: vec![vec![Task::Renew, Task::Renew], vec![Task::Paid], vec![Task::Paid]],
        attempts: 1,
        last_tick: 2,
        renewals: 2,
        ..one_temporary_password()
    }
}

/// A person renews while the administrator Lee takes over a reissued subscription.
fn renewal_after_hand_over() -> Scope {
    Scope {
        start: Start::Administrators(1),
        people: vec![
            vec![Task::SignIn(LEE)],
            vec![Task::Reissue(1)],
            vec![Task::Renew],
            vec![Task::Paid],
            vec![Task::SignIn(SERVICE)],
        ],
        attempts: 1,
        ..one_temporary_password()
    }
}

/// A person renews after every expiry, and retries each renewal.
fn renewals_in_a_row() -> Scope {
    Scope { people: vec![vec![Task::Renew; 6]], attempts: 2, last_tick: 4, renewals: 3, ..one_temporary_password() }
}

fn design(scope: Scope) -> AccountModel {
    AccountModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_one_temporary_password() {
    let reached = [PASSWORD_CHOSEN, SECOND_RESET_REFUSED, VOID_SESSION_UNDER_WAY, BACK_AFTER_EXPIRY];
    assert_holds("one temporary password", design(one_temporary_password()), &reached);
}

#[test]
fn the_design_holds_when_answers_are_lost() {
    assert_holds("answers are lost", design(answers_are_lost()), &[PASSWORD_CHOSEN, TWO_CREATED]);
}

#[test]
fn the_design_holds_for_one_permanent_password() {
    assert_holds(
        "one permanent password",
        design(one_permanent_password()),
        &[PASSWORD_CHOSEN, VOID_SESSION_UNDER_WAY, NAME_TAKEN],
    );
}

#[test]
fn the_design_holds_for_the_hand_over() {
    assert_holds("the hand-over", design(the_hand_over()), &[RETIRED, TWO_CREATED, VOID_SESSION_UNDER_WAY]);
}

#[test]
fn the_design_holds_when_the_hand_over_is_undone() {
    assert_holds("the hand-over undone", design(the_hand_over_undone()), &[RETIRED, REOPENED, VOID_SESSION_UNDER_WAY]);
}

/// Shows that the end of the session and the condition of the commit are redundant, since both are compared with the time of the
/// request.
#[test]
fn either_check_of_the_expiry_is_sufficient() {
    for variant in [Variant::SessionOutlivesPassword, Variant::ResetExpiryNotChecked] {
        assert_holds(
            &format!("{variant:?}"),
            AccountModel { variant, scope: one_temporary_password() },
            &[PASSWORD_CHOSEN],
        );
    }
}

#[test]
fn the_design_holds_for_a_renewal() {
    assert_holds("renewal", design(renewal()), &[PASSWORD_CHOSEN, RENEWED, RENEWAL_REFUSED]);
}

#[test]
fn the_design_holds_for_a_renewal_and_the_paid_event() {
    assert_holds("renewal and paid", design(renewal_and_paid()), &[RENEWED_AND_PAID, RENEWAL_REFUSED]);
}

#[test]
fn the_design_holds_for_a_renewal_after_the_hand_over() {
    assert_holds(
        "renewal after the hand-over",
        design(renewal_after_hand_over()),
        &[RETIRED, REOPENED, RENEWAL_REFUSED],
    );
}

#[test]
fn the_design_holds_for_renewals_in_a_row() {
    assert_holds("renewals in a row", design(renewals_in_a_row()), &[RENEWED_THREE_TIMES, RENEWAL_REFUSED]);
}

/// Shows that the history's number is sufficient: every write of issue or account is a transaction that increments it.
#[test]
fn a_renewal_need_not_compare_issue_or_version_beside_the_last_number() {
    for variant in [Variant::RenewalIssueNotCompared, Variant::RenewalVersionNotCompared] {
        assert_holds(&format!("{variant:?}"), AccountModel { variant, scope: renewal() }, &[RENEWED]);
    }
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), AccountModel { variant, scope }, property);
}

#[test]
fn without_any_check_of_the_expiry_an_expired_password_is_reset() {
    assert_caught(Variant::ExpiryNotChecked, one_temporary_password(), NO_RESET_AFTER_EXPIRY);
}

#[test]
fn a_session_without_a_version_outlives_the_reset() {
    assert_caught(Variant::VersionNotCompared, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_session_without_a_version_takes_over_a_reissued_account() {
    assert_caught(Variant::VersionNotCompared, one_permanent_password(), NO_RESET_FROM_BEFORE);
}

#[test]
fn a_session_with_the_version_at_its_write_is_good_after_a_reissue() {
    assert_caught(Variant::VersionAtWrite, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_reissue_that_keeps_the_version_keeps_the_sessions() {
    assert_caught(Variant::ReissueKeepsVersion, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_reset_that_does_not_compare_the_version_undoes_a_reissue() {
    assert_caught(Variant::ResetVersionNotCompared, one_permanent_password(), NO_RESET_FROM_BEFORE);
}

#[test]
fn a_second_session_of_a_temporary_password_resets_it_again() {
    assert_caught(Variant::SecondReset, one_temporary_password(), ONE_RESET);
}

#[test]
fn a_creation_that_does_not_check_its_creator_succeeds_for_a_retired_account() {
    assert_caught(Variant::CreatorNotChecked, the_hand_over(), NO_CREATION_FROM_BEFORE);
}

#[test]
fn a_sign_in_that_proceeds_with_a_changed_account_ends_the_retrieval_of_the_next_issue() {
    assert_caught(Variant::RereadNotCompared, one_temporary_password(), NO_RETRIEVAL_ENDED_FROM_BEFORE);
}

#[test]
fn a_sign_in_that_does_not_check_its_account_ends_the_retrieval_of_a_closed_account() {
    assert_caught(Variant::AccountNotCompared, the_hand_over_undone(), NO_RETRIEVAL_ENDED_FROM_BEFORE);
}

#[test]
fn a_session_written_before_the_end_of_retrieval_leaves_the_password_shown() {
    assert_caught(Variant::SessionBeforeRetrievalEnds, one_temporary_password(), NOT_SHOWN_AFTER_SIGN_IN);
}

#[test]
fn a_retirement_before_the_sign_in_locks_everyone_out() {
    assert_caught(Variant::RetireThenSignIn, the_hand_over(), NOT_LOCKED_OUT);
}

#[test]
fn a_retirement_after_the_sign_in_is_lost_in_a_crash() {
    assert_caught(Variant::SignInThenRetire, the_hand_over(), RETIREMENT_NOT_LOST);
}

#[test]
fn a_retirement_at_the_creation_of_an_administrator_precedes_every_sign_in() {
    assert_caught(Variant::RetiredAtCreation, one_permanent_password(), NOT_LOCKED_OUT);
}

#[test]
fn a_retirement_of_an_account_that_was_just_reissued_voids_the_reissue() {
    assert_caught(Variant::UnusedReissueRetired, the_hand_over(), UNUSED_REISSUE_GOOD);
}

#[test]
fn an_invocation_that_does_not_recognise_its_own_write_answers_with_a_refusal() {
    assert_caught(Variant::OwnWriteNotRecognised, answers_are_lost(), REFUSALS_ARE_TRUE);
}

#[test]
fn transactions_that_do_not_compare_the_last_number_overwrite_an_entry() {
    assert_caught(Variant::SeqNotCompared, the_hand_over(), HISTORY_COMPLETE);
}

#[test]
fn a_retrieval_during_the_first_sign_in_is_missing_from_the_history() {
    assert_caught(Variant::SizeNotCompared, one_temporary_password(), HISTORY_COMPLETE);
}

#[test]
fn a_renewal_after_the_hand_over_gives_the_subscription_to_a_portal_user() {
    assert_caught(Variant::RenewalAfterHandOver, renewal_after_hand_over(), NONE_AFTER_HAND_OVER);
}

#[test]
fn a_renewal_after_a_change_takes_the_account_from_its_owner() {
    assert_caught(Variant::RenewalAfterChange, renewal(), RENEWED_WITH_REASON);
}

#[test]
fn a_renewal_after_the_last_retrieval_evades_the_limit() {
    assert_caught(Variant::RenewalAfterThreeRetrievals, renewal(), RENEWED_WITH_REASON);
}

#[test]
fn renewals_that_are_not_counted_exceed_the_number_allowed() {
    assert_caught(Variant::RenewalsNotCounted, renewals_in_a_row(), RENEWALS_BOUNDED);
}

#[test]
fn a_renewal_that_is_not_recognised_is_refused_when_its_answer_was_lost() {
    assert_caught(Variant::RenewalNotRecognised, renewal(), REFUSALS_ARE_TRUE);
}

#[test]
fn a_renewal_that_does_not_compare_the_last_number_overwrites_an_entry() {
    assert_caught(Variant::RenewalSeqNotCompared, renewal(), HISTORY_COMPLETE);
}

#[test]
fn a_renewal_that_compares_nothing_starts_an_issue_twice() {
    assert_caught(Variant::RenewalComparesNothing, Scope { renewals: 2, ..renewal() }, STARTED_ONCE);
}

#[test]
fn a_retrieval_during_a_renewal_is_missing_from_the_history() {
    assert_caught(Variant::SizeNotCompared, Scope { retrievals: 2, ..renewal() }, HISTORY_COMPLETE);
}

#[test]
fn a_paid_event_that_keeps_the_time_of_the_renewal_answers_a_renewal_with_its_own_issue() {
    assert_caught(Variant::PaidKeepsRenewedAt, renewal_and_paid(), ANSWERED_WITH_OWN_ISSUE);
}

#[test]
fn a_paid_event_that_is_not_marked_starts_two_issues() {
    assert_caught(Variant::PaidNotMarked, renewal_and_paid(), ONE_ISSUE_FOR_PAID);
}
