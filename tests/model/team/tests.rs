//! The design holds in every scope; each change of the protocol is caught by the property that it is meant to break.

use super::Task::{Add, Choose, End, Purge, Reissue, Remove, Reset, SignIn, Start as Begin};
use super::table::{AccountId, SERVICE};
use super::witness::{
    ALL_CLOSED, CLOSED_IN_ITS_END, CREDENTIAL_UNTOUCHED, FORMER_CLOSED, LATEST_HOLDS, LIVE_STAYS, NO_ACT_FROM_BEFORE,
    NO_SESSION_FROM_BEFORE, NO_SESSION_FROM_EARLIER_LIFE, NOT_SHARED, NOT_SHOWN_AFTER_END, NOTHING_AFTER_END,
    NOTHING_FORGOTTEN, OWN_PASSWORD_ASKED, REMOVED_STAY_OUT, SHOWN_IS_STORED, WAY_IN,
};
use super::{
    Actor, CHOSEN, ENDED, NOT_SHOWN, OPENED_AGAIN, PURGE_OVERTAKEN, PURGED, REFUSED_AS_REMOVED, SERVICE_REMOVED, SHOWN,
    START_WAITED, STARTED_AFTER_PURGE, STARTED_AGAIN, Scope, Start, Task, TeamModel, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const LEE: AccountId = 1;
const MO: AccountId = 2;
const NIA: AccountId = 3;

fn person(owns: AccountId, script: &[Task]) -> Actor {
    Actor { owns: Some(owns), steals_from: None, script: script.to_vec() }
}

/// The vendor, the support desk or the schedule.
fn system(script: &[Task]) -> Actor {
    Actor { owns: None, steals_from: None, script: script.to_vec() }
}

/// Lee and Mo do something to each other at once.
fn each_other(lee: Task, mo: Task) -> Scope {
    Scope {
        start: Start::Proven(2),
        people: vec![person(LEE, &[lee]), person(MO, &[mo])],
        accounts: 3,
        attempts: 3,
        races: 3,
        late_writes: 2,
        last_tick: 0,
        sessions_last: false,
    }
}

/// Three administrators remove each other in a ring.
fn ring() -> Scope {
    let people = vec![person(LEE, &[Remove(MO)]), person(MO, &[Remove(NIA)]), person(NIA, &[Remove(LEE)])];
    let attempts = if is_full_run() { 2 } else { 1 };
    Scope { start: Start::Proven(3), people, accounts: 4, attempts, ..each_other(Remove(MO), Remove(LEE)) }
}

/// Lee adds Mo and repeats the click; Mo signs in, chooses a password, and removes Lee.
fn added() -> Scope {
    let people = vec![person(LEE, &[Add(MO), Add(MO)]), person(MO, &[SignIn(MO), Choose, SignIn(MO), Remove(LEE)])];
    Scope { start: Start::Reissued(1), people, ..each_other(Remove(MO), Remove(LEE)) }
}

/// Lee adds Mo, who acts before a password is chosen.
fn added_and_acts() -> Scope {
    let people = vec![person(LEE, &[Add(MO)]), person(MO, &[SignIn(MO), Remove(LEE)])];
    Scope { start: Start::Proven(1), people, ..each_other(Remove(MO), Remove(LEE)) }
}

/// Lee resets Mo's password, while Mo changes it and then signs in with what Lee hands over.
fn helped() -> Scope {
    let people = vec![person(LEE, &[Reset(MO), Reset(MO)]), person(MO, &[Choose, SignIn(MO), Choose])];
    Scope { people, ..each_other(Remove(MO), Remove(LEE)) }
}

/// Lee removes Mo and opens the account again, while Mo signs in and resets Lee's password.
fn removed_and_opened() -> Scope {
    let people = vec![person(LEE, &[Remove(MO), Reset(MO)]), person(MO, &[SignIn(MO), Reset(LEE)])];
    Scope { people, ..each_other(Remove(MO), Remove(LEE)) }
}

/// A reissue has made the service administrator active again, who chooses a password; Lee removes the account, and the desk reissues.
fn service_administrator_again() -> Scope {
    let people = vec![person(SERVICE, &[SignIn(SERVICE), Choose]), person(LEE, &[Remove(SERVICE)]), system(&[Reissue])];
    let attempts = if is_full_run() { 2 } else { 1 };
    Scope { start: Start::Reissued(1), people, attempts, ..each_other(Remove(MO), Remove(LEE)) }
}

/// A thief has Lee's session and not the password.
fn thief() -> Scope {
    let thief = Actor { owns: None, steals_from: Some(0), script: vec![Remove(MO)] };
    Scope { people: vec![person(LEE, &[Choose]), thief], ..each_other(Remove(MO), Remove(LEE)) }
}

/// The end is delivered twice while Lee removes Mo, Mo signs in, and the desk reissues.
fn end_beside_acts() -> Scope {
    let people = vec![
        system(&[End(5)]),
        system(&[End(5)]),
        person(LEE, &[Remove(MO)]),
        person(MO, &[SignIn(MO)]),
        system(&[Reissue]),
    ];
    let late_writes = usize::from(is_full_run());
    Scope { start: Start::Reissued(2), people, attempts: 1, late_writes, ..each_other(Remove(MO), Remove(LEE)) }
}

/// The end is delivered while Lee adds Mo and resets Nia.
fn end_beside_additions() -> Scope {
    let people = vec![system(&[End(5), End(5)]), person(LEE, &[Add(NIA)]), person(MO, &[Reset(LEE)])];
    let attempts = if is_full_run() { 2 } else { 1 };
    Scope { people, accounts: 4, attempts, ..each_other(Remove(MO), Remove(LEE)) }
}

/// The subscription ends and starts again, while Lee signs in. A start that has to wait is delivered again.
fn later_start() -> Scope {
    let people = vec![system(&[End(5), End(5)]), system(&[Begin(7), Begin(7)]), person(LEE, &[SignIn(LEE)])];
    let attempts = if is_full_run() { 2 } else { 1 };
    Scope {
        start: Start::Proven(1),
        people,
        accounts: 2,
        attempts,
        late_writes: 1,
        ..each_other(Remove(MO), Remove(LEE))
    }
}

/// Starts and ends arrive in any order, and some of them again.
fn any_order() -> Scope {
    let mut people = vec![system(&[End(3), End(3)]), system(&[Begin(4), Begin(4)]), system(&[End(1), Begin(5)])];
    if is_full_run() {
        people.push(system(&[End(6)]));
    }
    Scope {
        start: Start::Proven(1),
        people,
        accounts: 2,
        attempts: 1,
        late_writes: 1,
        ..each_other(Remove(MO), Remove(LEE))
    }
}

/// The first event that arrives may be the end.
fn unknown() -> Scope {
    let people = vec![system(&[Begin(2)]), system(&[End(5), End(5)]), system(&[Begin(7), Begin(7)])];
    Scope {
        start: Start::Unknown,
        people,
        accounts: 1,
        attempts: 1,
        late_writes: 1,
        ..each_other(Remove(MO), Remove(LEE))
    }
}

/// Two runs of the schedule purge what has ended, while it starts again.
fn purge() -> Scope {
    let people = vec![system(&[Purge, Purge]), system(&[Purge, Purge]), system(&[Begin(7), Begin(7)])];
    let (start, late_writes) = (Start::Ended(1, 5), usize::from(is_full_run()));
    Scope { start, people, accounts: 2, attempts: 1, late_writes, last_tick: 3, ..each_other(Remove(MO), Remove(LEE)) }
}

/// The service administrator signs in, and the subscription ends. An operator moves the purge to that day, and it starts again before the session
/// expires.
fn early_purge() -> Scope {
    let people =
        vec![person(SERVICE, &[SignIn(SERVICE)]), system(&[End(5)]), system(&[Purge]), system(&[Begin(7), Begin(7)])];
    Scope {
        start: Start::Reissued(1),
        people,
        accounts: 2,
        attempts: 1,
        late_writes: 0,
        last_tick: 1,
        sessions_last: true,
        ..each_other(Remove(MO), Remove(LEE))
    }
}

fn assert_design(title: &str, scope: Scope, reached: &[&'static str]) {
    assert_holds(title, TeamModel { variant: Variant::Design, scope }, reached);
}

#[test]
fn the_design_holds_for_two_who_act_on_each_other() {
    let refused = &[REFUSED_AS_REMOVED];
    assert_design("team: two remove each other", each_other(Remove(MO), Remove(LEE)), refused);
    assert_design("team: two reset each other", each_other(Reset(MO), Reset(LEE)), &[REFUSED_AS_REMOVED, SHOWN]);
    assert_design("team: removal and reset", each_other(Remove(MO), Reset(LEE)), &[REFUSED_AS_REMOVED, SHOWN]);
}

#[test]
fn the_design_holds_for_three_who_remove_each_other() {
    assert_design("team: ring", ring(), &[REFUSED_AS_REMOVED]);
}

#[test]
fn the_design_holds_for_an_administrator_who_is_added() {
    assert_design("team: added", added(), &[SHOWN, NOT_SHOWN, CHOSEN]);
    assert_design("team: added and acts", added_and_acts(), &[SHOWN]);
}

#[test]
fn the_design_holds_for_an_administrator_who_is_helped() {
    assert_design("team: helped", helped(), &[SHOWN, CHOSEN, REFUSED_AS_REMOVED]);
}

#[test]
fn the_design_holds_for_an_administrator_who_is_removed_and_comes_back() {
    assert_design("team: removed and opened again", removed_and_opened(), &[OPENED_AGAIN, REFUSED_AS_REMOVED]);
}

#[test]
fn the_design_holds_for_a_service_administrator_who_is_active_again() {
    assert_design("team: the service administrator again", service_administrator_again(), &[SERVICE_REMOVED]);
}

#[test]
fn the_design_holds_for_a_thief_of_a_session() {
    assert_design("team: thief", thief(), &[]);
}

#[test]
fn the_design_holds_for_the_end_beside_acts() {
    assert_design("team: end beside acts", end_beside_acts(), &[ENDED]);
    assert_design("team: end beside additions", end_beside_additions(), &[ENDED, SHOWN]);
}

#[test]
fn the_design_holds_for_a_later_start() {
    assert_design("team: later start", later_start(), &[ENDED, STARTED_AGAIN, START_WAITED]);
}

#[test]
fn the_design_holds_for_starts_and_ends_in_any_order() {
    assert_design("team: any order", any_order(), &[STARTED_AGAIN]);
    assert_design("team: unknown", unknown(), &[ENDED, STARTED_AGAIN]);
}

#[test]
fn the_design_holds_for_the_purge() {
    assert_design("team: purge", purge(), &[PURGED, PURGE_OVERTAKEN, STARTED_AGAIN]);
}

#[test]
fn the_design_holds_for_an_early_purge() {
    assert_design("team: early purge", early_purge(), &[PURGED, STARTED_AFTER_PURGE]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), TeamModel { variant, scope }, property);
}

#[test]
fn a_removal_that_does_not_check_the_remover_leaves_no_administrator() {
    assert_caught(Variant::RemoverNotChecked, each_other(Remove(MO), Remove(LEE)), WAY_IN);
    assert_caught(Variant::RemoverNotChecked, each_other(Remove(MO), Remove(LEE)), NO_ACT_FROM_BEFORE);
}

#[test]
fn a_reset_that_does_not_check_the_helper_leaves_no_proven_administrator() {
    assert_caught(Variant::HelperNotChecked, each_other(Reset(MO), Reset(LEE)), WAY_IN);
}

#[test]
fn the_only_administrator_who_removes_their_own_account_leaves_none() {
    assert_caught(Variant::OwnAccountRemoved, each_other(Remove(LEE), Remove(MO)), WAY_IN);
}

#[test]
fn an_administrator_who_acts_before_choosing_a_password_removes_the_last_proven_one() {
    assert_caught(Variant::TemporaryActs, added_and_acts(), WAY_IN);
}

#[test]
fn a_thief_who_is_not_asked_for_the_password_removes_an_administrator() {
    assert_caught(Variant::CurrentPasswordNotAsked, thief(), OWN_PASSWORD_ASKED);
}

#[test]
fn a_version_that_is_not_added_keeps_the_session_of_who_was_removed_and_reset() {
    assert_caught(Variant::VersionNotAdded, removed_and_opened(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_sign_in_that_does_not_check_the_status_lets_a_removed_administrator_in() {
    assert_caught(Variant::StatusNotCompared, removed_and_opened(), REMOVED_STAY_OUT);
}

#[test]
fn a_temporary_password_that_need_not_be_changed_is_shared_for_good() {
    assert_caught(Variant::TemporaryIsFull, helped(), NOT_SHARED);
}

#[test]
fn a_password_that_a_colleague_chooses_is_shared_for_good() {
    assert_caught(Variant::AddedWithPassword, added(), NOT_SHARED);
}

#[test]
fn a_sign_in_with_an_administrators_temporary_password_must_not_end_the_retrievals() {
    assert_caught(Variant::TemporaryEndsRetrieval, added(), CREDENTIAL_UNTOUCHED);
}

#[test]
fn an_administrators_choice_must_not_mark_the_credential_as_changed() {
    assert_caught(Variant::ChoiceMarksChanged, added(), CREDENTIAL_UNTOUCHED);
}

#[test]
fn a_click_that_shows_what_it_has_just_generated_shows_a_wrong_password() {
    assert_caught(Variant::ShownUnstored, added(), SHOWN_IS_STORED);
}

#[test]
fn a_removed_service_administrator_whose_account_stays_active_signs_in() {
    assert_caught(Variant::ServiceNotRemoved, service_administrator_again(), REMOVED_STAY_OUT);
}

#[test]
fn a_session_that_does_not_ask_for_the_end_outlives_it() {
    assert_caught(Variant::EndNotInLookup, end_beside_acts(), NOTHING_AFTER_END);
}

#[test]
fn a_transaction_that_does_not_check_the_end_follows_it() {
    assert_caught(Variant::EndNotInTransactions, end_beside_acts(), NOTHING_AFTER_END);
}

#[test]
fn an_end_that_leaves_the_password_lets_it_be_retrieved() {
    assert_caught(Variant::RetrievableAfterEnd, end_beside_acts(), NOT_SHOWN_AFTER_END);
}

#[test]
fn an_end_that_is_acknowledged_early_leaves_accounts_open() {
    assert_caught(Variant::AcknowledgedEarly, end_beside_acts(), ALL_CLOSED);
}

#[test]
fn an_end_that_lists_the_accounts_before_it_is_written_misses_one() {
    assert_caught(Variant::ListedBeforeEnd, end_beside_additions(), ALL_CLOSED);
}

#[test]
fn a_closing_that_does_not_check_the_end_closes_after_a_later_start() {
    assert_caught(Variant::ClosingNotChecked, later_start(), CLOSED_IN_ITS_END);
}

#[test]
fn an_end_that_is_older_than_the_start_must_change_nothing() {
    assert_caught(Variant::OlderEndEnds, any_order(), LATEST_HOLDS);
}

#[test]
fn a_start_that_is_older_than_the_end_must_change_nothing() {
    assert_caught(Variant::OlderStartStarts, unknown(), LATEST_HOLDS);
}

#[test]
fn an_event_that_does_not_compare_the_life_overtakes_a_later_one() {
    assert_caught(Variant::LifeNotCompared, any_order(), LATEST_HOLDS);
}

#[test]
fn an_event_that_reads_the_life_after_the_credential_misses_an_end() {
    assert_caught(Variant::LifeReadLast, any_order(), LATEST_HOLDS);
}

#[test]
fn the_end_of_an_unknown_subscription_must_be_remembered() {
    assert_caught(Variant::UnknownEndForgotten, unknown(), LATEST_HOLDS);
}

#[test]
fn a_start_that_does_not_wait_for_the_end_finds_administrators_open() {
    assert_caught(Variant::StartBeforeClosed, later_start(), FORMER_CLOSED);
    assert_caught(Variant::StartBeforeClosed, later_start(), NO_SESSION_FROM_EARLIER_LIFE);
}

#[test]
fn a_purge_that_does_not_compare_the_end_deletes_what_has_started_again() {
    assert_caught(Variant::PurgeEndNotCompared, purge(), LIVE_STAYS);
}

#[test]
fn a_start_beside_a_purge_loses_its_items() {
    assert_caught(Variant::StartBesidePurge, purge(), LIVE_STAYS);
}

#[test]
fn two_purges_at_once_delete_what_has_started_after_the_first() {
    assert_caught(Variant::PurgeBesidePurge, purge(), LIVE_STAYS);
}

#[test]
fn a_purge_that_deletes_the_credential_first_deletes_what_starts_meanwhile() {
    assert_caught(Variant::CredentialPurgedFirst, purge(), LIVE_STAYS);
}

#[test]
fn a_purge_that_forgets_its_item_first_leaves_the_rest_after_a_crash() {
    assert_caught(Variant::PurgeForgottenFirst, purge(), NOTHING_FORGOTTEN);
}

#[test]
fn a_session_of_a_name_is_one_of_the_account_that_gets_it() {
    assert_caught(Variant::SessionByName, early_purge(), NO_SESSION_FROM_EARLIER_LIFE);
}
