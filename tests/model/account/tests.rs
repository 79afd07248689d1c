//! The design holds in every scope; each mutant is found by the property that it was made to break.

use super::table::SERVICE;
use super::witness::{
    HISTORY_COMPLETE, NO_RESET_AFTER_EXPIRY, NO_RESET_FROM_BEFORE, NO_RETRIEVAL_ENDED_FROM_BEFORE,
    NO_SESSION_FROM_BEFORE, NOBODY_CREATED_FROM_BEFORE, NOT_SHOWN_AFTER_SIGN_IN, ONE_RESET, RETIREMENT_NOT_LOST,
    SOMEBODY_HAS_A_WAY_IN, TOLD_THE_TRUTH,
};
use super::{
    Accounts, BACK_AFTER_EXPIRY, LATE_SESSION, NAME_TAKEN, PASSWORD_CHOSEN, REOPENED, RETIRED, SECOND_RESET_REFUSED,
    Scope, Start, TWO_STAND, Task, Variant,
};
use crate::check::{found_by, full, holds};

const LEE: usize = 1;
const MIA: usize = 2;

/// Two people have the temporary password; it is shown, it expires, and the desk reissues it.
fn one_temporary_password() -> Scope {
    Scope {
        start: Start::Issued,
        people: vec![
            vec![Task::SignIn(SERVICE), Task::Reset],
            vec![Task::SignIn(SERVICE), Task::Reset],
            vec![Task::Reissue(1)],
        ],
        attempts: if full() { 2 } else { 1 },
        races: 2,
        late_writes: 1,
        last_tick: 1,
        retrievals: 1,
    }
}

/// The same click again and again, with lost answers; one person has signed in and chooses a password, two accounts and one of
/// the two again.
fn answers_are_lost() -> Scope {
    Scope {
        people: vec![vec![Task::SignIn(SERVICE), Task::Reset, Task::Create(LEE), Task::Create(LEE), Task::Create(MIA)]],
        attempts: if full() { 3 } else { 2 },
        races: 2,
        late_writes: 2,
        last_tick: 0,
        ..one_temporary_password()
    }
}

/// Two are signed in as the service administrator, with a password of their own; one changes it, both create the same account.
fn one_own_password() -> Scope {
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

/// Lee signs in for the first time, twice at once, and the service administrator creates Mia at the same time.
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

/// Lee and Mia take over, the desk gives the account back, and somebody uses it.
fn the_hand_over_undone() -> Scope {
    Scope {
        start: Start::Administrators(2),
        people: vec![
            vec![Task::SignIn(LEE)],
            vec![Task::SignIn(MIA)],
            vec![Task::Reissue(1)],
            vec![Task::SignIn(SERVICE), Task::Reset],
        ],
        ..the_hand_over()
    }
}

fn design(scope: Scope) -> Accounts {
    Accounts { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_one_temporary_password() {
    let reached = [PASSWORD_CHOSEN, SECOND_RESET_REFUSED, LATE_SESSION, BACK_AFTER_EXPIRY];
    holds("one temporary password", design(one_temporary_password()), &reached);
}

#[test]
fn the_design_holds_when_answers_are_lost() {
    holds("answers are lost", design(answers_are_lost()), &[PASSWORD_CHOSEN, TWO_STAND]);
}

#[test]
fn the_design_holds_for_one_password_of_their_own() {
    holds("one own password", design(one_own_password()), &[PASSWORD_CHOSEN, LATE_SESSION, NAME_TAKEN]);
}

#[test]
fn the_design_holds_for_the_hand_over() {
    holds("the hand-over", design(the_hand_over()), &[RETIRED, TWO_STAND, LATE_SESSION]);
}

#[test]
fn the_design_holds_when_the_hand_over_is_undone() {
    holds("the hand-over undone", design(the_hand_over_undone()), &[RETIRED, REOPENED, LATE_SESSION]);
}

/// The end of the session and the condition of the commit: one is enough, since both are compared with when the reset was asked for.
#[test]
fn either_check_of_the_expiry_is_enough() {
    for variant in [Variant::SessionOutlivesPassword, Variant::ResetExpiryNotAsked] {
        holds(&format!("{variant:?}"), Accounts { variant, scope: one_temporary_password() }, &[PASSWORD_CHOSEN]);
    }
}

fn mutant(variant: Variant, scope: Scope, property: &'static str) {
    found_by(&format!("{variant:?}"), Accounts { variant, scope }, property);
}

#[test]
fn without_any_check_of_the_expiry_an_expired_password_is_reset() {
    mutant(Variant::ExpiryNowhere, one_temporary_password(), NO_RESET_AFTER_EXPIRY);
}

#[test]
fn a_session_without_version_outlives_the_reset() {
    mutant(Variant::VersionNotKept, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_session_without_version_takes_a_reissued_account_over() {
    mutant(Variant::VersionNotKept, one_own_password(), NO_RESET_FROM_BEFORE);
}

#[test]
fn a_session_with_the_version_of_its_put_is_good_after_a_reissue() {
    mutant(Variant::VersionAtPut, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_reissue_that_keeps_the_version_keeps_the_sessions() {
    mutant(Variant::ReissueKeepsVersion, one_temporary_password(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_reset_without_version_undoes_a_reissue() {
    mutant(Variant::ResetVersionNotAsked, one_own_password(), NO_RESET_FROM_BEFORE);
}

#[test]
fn a_second_session_of_a_temporary_password_resets_it_again() {
    mutant(Variant::SecondReset, one_temporary_password(), ONE_RESET);
}

#[test]
fn a_creation_that_does_not_look_at_its_creator_is_a_retired_accounts() {
    mutant(Variant::CreatorNotChecked, the_hand_over(), NOBODY_CREATED_FROM_BEFORE);
}

#[test]
fn a_sign_in_that_goes_on_with_a_changed_account_ends_the_retrieval_of_the_next_issue() {
    mutant(Variant::RereadNotCompared, one_temporary_password(), NO_RETRIEVAL_ENDED_FROM_BEFORE);
}

#[test]
fn a_sign_in_that_does_not_ask_for_its_account_ends_the_retrieval_after_it_was_retired() {
    mutant(Variant::AccountNotAsked, the_hand_over_undone(), NO_RETRIEVAL_ENDED_FROM_BEFORE);
}

#[test]
fn a_session_before_the_end_of_retrieval_leaves_the_password_shown() {
    mutant(Variant::SessionBeforeRetrievalEnds, one_temporary_password(), NOT_SHOWN_AFTER_SIGN_IN);
}

#[test]
fn a_retirement_before_the_sign_in_leaves_nobody_a_way_in() {
    mutant(Variant::RetireThenSignIn, the_hand_over(), SOMEBODY_HAS_A_WAY_IN);
}

#[test]
fn a_retirement_after_the_sign_in_is_lost_in_a_crash() {
    mutant(Variant::SignInThenRetire, the_hand_over(), RETIREMENT_NOT_LOST);
}

#[test]
fn a_retirement_when_an_administrator_is_created_comes_before_anybody_signed_in() {
    mutant(Variant::RetiredAtCreation, one_own_password(), SOMEBODY_HAS_A_WAY_IN);
}

#[test]
fn who_does_not_recognise_their_own_write_is_told_that_nothing_was_done() {
    mutant(Variant::OwnWriteNotRecognised, answers_are_lost(), TOLD_THE_TRUTH);
}

#[test]
fn without_the_number_of_the_last_entry_two_write_the_same() {
    mutant(Variant::SeqNotAsked, the_hand_over(), HISTORY_COMPLETE);
}

#[test]
fn a_retrieval_that_slips_in_before_the_first_sign_in_is_lost_from_the_history() {
    mutant(Variant::SizeNotAsked, one_temporary_password(), HISTORY_COMPLETE);
}
