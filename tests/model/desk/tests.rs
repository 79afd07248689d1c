//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::table::Operator::{Olga, OlgasTicketSystem, Otto};
use super::table::{Act, Address, Click, Operator};
use super::witness::{
    ACTED_ONCE, ANNOUNCED, COPIES_PENDING, DECIDED_AFTER_WAIT, DECIDED_BY_ANOTHER, DECIDED_IN_TIME, DECIDED_ONCE,
    DONE_AS_SEEN, HISTORY_COMPLETE, LAST_ONE_STAYS, NO_PASSWORD_BY_ONE, NO_SESSION_FROM_BEFORE, NO_WAY_IN_BY_ONE,
    NOT_ANNOUNCED_EARLY, NOT_TAKEN_OVER_BY_ONE, NOTHING_AFTER_END, NOTHING_FOR_REMOVED, NOTHING_SHOWN_FROM_BEFORE,
    ON_FILE_AS_DECIDED, ONE_APPROVAL, REFUSALS_ARE_TRUE, REPLACES_WHAT_WAS_SEEN, RIGHTS_AS_DECIDED, WAY_IN,
};
use super::{
    APPROVED, ASKED_AGAIN, DECISION_REFUSED, DeskModel, NEW_SHOWN, OVERTAKEN, REISSUED_AND_PAID, REJECTED,
    REMOVED_REFUSED, REOPENED, Request, SAME_ANSWER, Scope, Start, Task, VOID_SESSION_UNDER_WAY, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

const SAME_ADDRESS: Act = Act::Reissue { to: None, keeps_old: false };
const TO_NEW: Act = Act::Reissue { to: Some(Address::New), keeps_old: false };
const TO_ANA: Act = Act::Reissue { to: Some(Address::Ana), keeps_old: true };

fn act(by: Operator, key: char, act: Act) -> Task {
    Task::Desk(Click { by, key }, Request::Act(act))
}

fn decide(by: Operator, key: char, approves: bool) -> Task {
    Task::Desk(Click { by, key }, Request::Decide { approves })
}

/// Olga asks for a reissue to another address and repeats the click, Otto consents, and old and new address press **Go**.
fn another_address() -> Scope {
    Scope {
        start: Start::Issued,
        people: vec![
            vec![act(Olga, 'a', TO_NEW), act(Olga, 'a', TO_NEW)],
            vec![decide(Otto, 'b', true), decide(Otto, 'b', true)],
            vec![Task::Retrieve(Address::Old)],
            vec![Task::Retrieve(Address::New)],
        ],
        approval_required: true,
        attempts: if is_full_run() { 3 } else { 2 },
        races: 3,
        late_writes: if is_full_run() { 2 } else { 1 },
        last_tick: 0,
        with_notices: false,
    }
}

/// The subscription is handed over. Olga asks, and decides too, also through the ticket system; Otto decides twice, each way.
fn deciders() -> Scope {
    Scope {
        start: Start::HandedOver,
        people: vec![
            vec![act(Olga, 'a', SAME_ADDRESS), decide(Olga, 'd', true)],
            vec![decide(Otto, 'b', true)],
            vec![decide(Otto, 'c', false)],
            vec![decide(OlgasTicketSystem, 'e', true)],
        ],
        last_tick: 2,
        ..another_address()
    }
}

/// The ticket system asks, and Olga decides.
fn the_ticket_system_asks() -> Scope {
    Scope {
        people: vec![
            vec![act(OlgasTicketSystem, 'a', TO_NEW)],
            vec![decide(Olga, 'b', true)],
            vec![Task::Retrieve(Address::New)],
        ],
        ..another_address()
    }
}

/// Olga asks; before Otto consents, the service administrator signs in, chooses a password and hands over.
fn overtaken_by_the_customer() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', TO_NEW)],
            vec![decide(Otto, 'b', true)],
            vec![Task::SignIn, Task::Reset, Task::CreateAdministrator],
        ],
        ..another_address()
    }
}

/// Olga asks; before Otto consents, he reissues to the address on file, and the paid event is delivered.
fn overtaken_by_an_issue() -> Scope {
    Scope {
        start: Start::UsedUp,
        people: vec![
            vec![act(Olga, 'a', TO_NEW)],
            vec![decide(Otto, 'b', true)],
            vec![act(Otto, 'c', SAME_ADDRESS)],
            vec![Task::Paid],
        ],
        ..another_address()
    }
}

/// Olga and Otto ask at once, each decides what the other asked for, and the clock runs.
fn two_requests() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', Act::Add(Address::Eve)), decide(Olga, 'c', true)],
            vec![act(Otto, 'b', TO_NEW), decide(Otto, 'd', true)],
        ],
        last_tick: 2,
        ..another_address()
    }
}

/// Olga adds herself, consents herself, and presses **Go**.
fn one_operator() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', Act::Add(Address::Eve)), decide(Olga, 'b', true)],
            vec![act(Olga, 'c', TO_NEW)],
            vec![Task::Retrieve(Address::Eve)],
            vec![Task::Retrieve(Address::New)],
        ],
        ..another_address()
    }
}

/// Both operators reissue what they see, while the service administrator signs in and chooses a password.
fn reissue_and_sign_in() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', SAME_ADDRESS), act(Olga, 'a', SAME_ADDRESS)],
            vec![act(Otto, 'b', SAME_ADDRESS)],
            vec![Task::SignIn, Task::Reset],
            vec![Task::SignIn],
        ],
        attempts: 1,
        ..another_address()
    }
}

/// Olga reissues what she sees, while Ana retrieves and repeats the click, and the paid event is delivered.
fn reissue_and_retrieval() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', SAME_ADDRESS)],
            vec![Task::Retrieve(Address::Ana), Task::Retrieve(Address::Ana)],
            vec![Task::Paid],
        ],
        attempts: if is_full_run() { 2 } else { 1 },
        late_writes: 1,
        ..another_address()
    }
}

/// The administrator signs in for the first time while a reissue waits for consent, and the service administrator signs in.
fn reissue_and_hand_over() -> Scope {
    Scope {
        start: Start::Created,
        people: vec![
            vec![Task::AdministratorSignsIn],
            vec![act(Olga, 'a', SAME_ADDRESS)],
            vec![decide(Otto, 'b', true)],
            vec![Task::SignIn, Task::Reset],
        ],
        last_tick: 1,
        ..another_address()
    }
}

/// The subscription is handed over; a reissue makes the service administrator active again, who signs in.
fn reopened() -> Scope {
    Scope {
        start: Start::HandedOver,
        people: vec![
            vec![act(Olga, 'a', SAME_ADDRESS)],
            vec![decide(Otto, 'b', true)],
            vec![Task::SignIn, Task::Reset],
            vec![Task::Paid],
        ],
        last_tick: 1,
        ..another_address()
    }
}

/// The ticket system reissues without `if_issue`, twice with the same key, while two operators change the address.
fn the_ticket_system_reissues() -> Scope {
    let again = Task::Desk(Click { by: OlgasTicketSystem, key: 'a' }, Request::ActOnAnyIssue(SAME_ADDRESS));
    Scope {
        people: vec![vec![again, again], vec![act(Olga, 'b', TO_NEW)], vec![decide(Otto, 'c', true)]],
        ..another_address()
    }
}

/// The operators remove Ana, who presses **Go** and repeats the click, and the address on file.
fn removal() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', Act::Remove(Address::Ana)), act(Olga, 'a', Act::Remove(Address::Ana))],
            vec![act(Otto, 'b', Act::Remove(Address::Old))],
            vec![Task::Retrieve(Address::Ana), Task::Retrieve(Address::Ana)],
        ],
        ..another_address()
    }
}

/// Olga removes Ana, while an event that names her is delivered twice and starts an issue.
fn removal_and_event() -> Scope {
    Scope {
        start: Start::UsedUp,
        people: vec![
            vec![act(Olga, 'a', Act::Remove(Address::Ana))],
            vec![Task::Paid],
            vec![Task::Paid],
            vec![Task::Retrieve(Address::Ana)],
        ],
        ..another_address()
    }
}

/// The paid event, delivered twice, brings Kim, and Olga removes her.
fn removal_of_an_added_person() -> Scope {
    Scope {
        people: vec![
            vec![Task::Paid],
            vec![Task::Paid],
            vec![act(Olga, 'a', Act::Remove(Address::Kim))],
            vec![Task::Retrieve(Address::Kim)],
        ],
        attempts: 2,
        late_writes: 1,
        ..another_address()
    }
}

/// Olga removes the address on file; she reissues, and the paid event is delivered.
fn the_address_on_file_is_removed() -> Scope {
    Scope {
        start: Start::UsedUp,
        people: vec![
            vec![act(Olga, 'a', Act::Remove(Address::Old)), act(Olga, 'b', SAME_ADDRESS)],
            vec![Task::Paid],
            vec![Task::Retrieve(Address::Ana)],
        ],
        ..another_address()
    }
}

/// Otto consents to a reissue to another address, while Olga removes Ana.
fn removal_and_reissue() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', TO_NEW)],
            vec![act(Olga, 'c', Act::Remove(Address::Ana))],
            vec![decide(Otto, 'b', true)],
            vec![Task::Retrieve(Address::Old)],
        ],
        ..another_address()
    }
}

/// Acts are announced at any later time: a request, the decision, and a removal.
fn announcements() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', TO_NEW)],
            vec![decide(Otto, 'b', true)],
            vec![act(Otto, 'c', Act::Remove(Address::Ana))],
        ],
        with_notices: true,
        ..another_address()
    }
}

/// A vendor with one operator: what is sensitive happens at once.
fn without_approval() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', TO_NEW), act(Olga, 'a', TO_NEW), act(Olga, 'b', Act::Add(Address::Eve))],
            vec![Task::SignIn],
            vec![Task::Retrieve(Address::New)],
        ],
        approval_required: false,
        ..another_address()
    }
}

/// The subscription ends while an approval is asked for and decided.
fn the_end() -> Scope {
    Scope {
        people: vec![
            vec![act(Olga, 'a', TO_ANA)],
            vec![decide(Otto, 'b', true)],
            vec![Task::End],
            vec![act(Otto, 'c', Act::Remove(Address::Ana))],
        ],
        ..another_address()
    }
}

fn assert_design(title: &str, scope: Scope, reached: &[&'static str]) {
    assert_holds(title, DeskModel { variant: Variant::Design, scope }, reached);
}

#[test]
fn the_design_holds_for_a_reissue_to_another_address() {
    assert_design("desk: another address", another_address(), &[APPROVED, SAME_ANSWER, NEW_SHOWN, REMOVED_REFUSED]);
}

#[test]
fn the_design_holds_for_those_who_decide() {
    assert_design("desk: deciders", deciders(), &[APPROVED, REJECTED, DECISION_REFUSED]);
}

#[test]
fn the_design_holds_when_the_customer_overtakes_a_request() {
    assert_design("desk: overtaken by the customer", overtaken_by_the_customer(), &[APPROVED, OVERTAKEN]);
}

#[test]
fn the_design_holds_when_an_issue_overtakes_a_request() {
    assert_design("desk: overtaken by an issue", overtaken_by_an_issue(), &[APPROVED, OVERTAKEN]);
}

#[test]
fn the_design_holds_for_two_requests() {
    assert_design("desk: two requests", two_requests(), &[APPROVED, ASKED_AGAIN, DECISION_REFUSED]);
}

#[test]
fn the_design_holds_for_one_operator_alone() {
    assert_design("desk: one operator", one_operator(), &[DECISION_REFUSED]);
    assert_design("desk: the ticket system asks", the_ticket_system_asks(), &[]);
}

#[test]
fn the_design_holds_for_a_reissue_beside_a_sign_in() {
    assert_design("desk: reissue and sign-in", reissue_and_sign_in(), &[SAME_ANSWER, VOID_SESSION_UNDER_WAY]);
}

#[test]
fn the_design_holds_for_a_reissue_beside_a_retrieval() {
    assert_design("desk: reissue and retrieval", reissue_and_retrieval(), &[REISSUED_AND_PAID]);
}

#[test]
fn the_design_holds_for_a_reissue_beside_the_hand_over() {
    assert_design("desk: reissue and hand-over", reissue_and_hand_over(), &[APPROVED]);
}

#[test]
fn the_design_holds_for_a_reissue_after_the_hand_over() {
    assert_design("desk: reopened", reopened(), &[APPROVED, REOPENED]);
}

#[test]
fn the_design_holds_for_a_ticket_system() {
    assert_design("desk: the ticket system reissues", the_ticket_system_reissues(), &[SAME_ANSWER, OVERTAKEN]);
}

#[test]
fn the_design_holds_for_a_removal() {
    assert_design("desk: removal", removal(), &[SAME_ANSWER, REMOVED_REFUSED]);
}

#[test]
fn the_design_holds_for_a_removal_beside_an_event() {
    assert_design("desk: removal and event", removal_and_event(), &[REMOVED_REFUSED]);
    assert_design("desk: removal of an added person", removal_of_an_added_person(), &[REMOVED_REFUSED]);
}

#[test]
fn the_design_holds_when_the_address_on_file_is_removed() {
    assert_design("desk: the address on file is removed", the_address_on_file_is_removed(), &[REISSUED_AND_PAID]);
}

#[test]
fn the_design_holds_for_a_removal_beside_a_reissue() {
    assert_design("desk: removal and reissue", removal_and_reissue(), &[APPROVED, REMOVED_REFUSED]);
}

#[test]
fn the_design_holds_for_announcements() {
    assert_design("desk: announcements", announcements(), &[APPROVED]);
}

#[test]
fn the_design_holds_without_approvals() {
    assert_design("desk: without approvals", without_approval(), &[SAME_ANSWER, NEW_SHOWN]);
}

#[test]
fn the_design_holds_for_the_end() {
    assert_design("desk: the end", the_end(), &[APPROVED, OVERTAKEN]);
}

/// Shows that the issue is sufficient: the address on file changes only with a new issue.
#[test]
fn a_decision_need_not_compare_the_address_beside_the_issue() {
    let model = DeskModel { variant: Variant::SeenAddressNotCompared, scope: the_ticket_system_reissues() };
    assert_holds("desk: SeenAddressNotCompared", model, &[OVERTAKEN]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), DeskModel { variant, scope }, property);
}

#[test]
fn an_approval_by_the_one_who_asked_lets_one_operator_in() {
    assert_caught(Variant::AskerDecides, deciders(), DECIDED_BY_ANOTHER);
    assert_caught(Variant::AskerDecides, one_operator(), NO_PASSWORD_BY_ONE);
}

#[test]
fn an_approval_by_a_bearer_token_is_by_the_one_who_asked() {
    assert_caught(Variant::BearerDecides, deciders(), DECIDED_BY_ANOTHER);
}

#[test]
fn a_request_by_a_bearer_token_is_approved_by_the_one_who_asked() {
    assert_caught(Variant::BearerAsks, the_ticket_system_asks(), DECIDED_BY_ANOTHER);
    assert_caught(Variant::BearerAsks, the_ticket_system_asks(), NO_PASSWORD_BY_ONE);
}

#[test]
fn an_approval_that_is_not_marked_as_decided_is_decided_twice() {
    assert_caught(Variant::DecidedTwice, deciders(), DECIDED_ONCE);
}

#[test]
fn an_approval_that_does_not_compare_the_issue_replaces_a_later_one() {
    assert_caught(Variant::SeenIssueNotCompared, overtaken_by_an_issue(), DONE_AS_SEEN);
}

#[test]
fn an_approval_that_does_not_compare_the_state_takes_the_account_from_its_owner() {
    assert_caught(Variant::SeenStateNotCompared, overtaken_by_the_customer(), DONE_AS_SEEN);
}

#[test]
fn an_approval_that_does_not_expire_is_given_after_a_day() {
    assert_caught(Variant::ExpiryNotCompared, deciders(), DECIDED_IN_TIME);
}

#[test]
fn an_approval_that_does_not_wait_leaves_no_time_to_object() {
    assert_caught(Variant::WaitNotCompared, deciders(), DECIDED_AFTER_WAIT);
}

#[test]
fn a_request_that_replaces_a_pending_one_takes_its_decision_away() {
    assert_caught(Variant::SecondRequestReplaces, two_requests(), ONE_APPROVAL);
}

#[test]
fn an_approval_whose_copy_stays_is_listed_after_its_decision() {
    assert_caught(Variant::CopyStays, deciders(), COPIES_PENDING);
}

#[test]
fn a_reissue_that_does_not_compare_its_issue_replaces_a_later_one() {
    assert_caught(Variant::IfIssueNotCompared, reissue_and_sign_in(), REPLACES_WHAT_WAS_SEEN);
}

#[test]
fn an_address_that_changes_without_an_entry_is_missing_from_the_history() {
    assert_caught(Variant::AddressChangedWithoutEntry, announcements(), HISTORY_COMPLETE);
}

#[test]
fn a_replaced_address_without_an_item_gets_no_notice() {
    assert_caught(Variant::RemovedItemNotCreated, announcements(), ANNOUNCED);
}

#[test]
fn a_notice_to_the_new_address_precedes_the_approval() {
    assert_caught(Variant::NewAddressTold, announcements(), NOT_ANNOUNCED_EARLY);
}

#[test]
fn a_set_that_is_not_written_whole_lets_the_old_address_retrieve() {
    assert_caught(Variant::OldAddressStays, another_address(), RIGHTS_AS_DECIDED);
    assert_caught(Variant::OldAddressStays, another_address(), NOTHING_FOR_REMOVED);
}

#[test]
fn a_replay_that_does_not_check_the_set_shows_a_removed_person_the_password() {
    assert_caught(Variant::ReplayUnlisted, removal(), NOTHING_FOR_REMOVED);
}

#[test]
fn an_operator_who_may_add_alone_adds_and_retrieves() {
    assert_caught(Variant::AddedAlone, one_operator(), NO_WAY_IN_BY_ONE);
    assert_caught(Variant::AddedAlone, one_operator(), NO_PASSWORD_BY_ONE);
}

#[test]
fn an_operator_who_may_change_the_address_alone_retrieves() {
    assert_caught(Variant::AnotherAddressAlone, one_operator(), NO_PASSWORD_BY_ONE);
}

#[test]
fn an_operator_who_may_replace_a_chosen_password_alone_takes_the_account_over() {
    assert_caught(Variant::ChosenPasswordReplacedAlone, deciders(), NOT_TAKEN_OVER_BY_ONE);
}

#[test]
fn a_click_that_is_stored_after_its_act_acts_twice_when_an_answer_is_lost() {
    assert_caught(Variant::ClickNotInTransaction, the_ticket_system_reissues(), ACTED_ONCE);
}

#[test]
fn a_click_that_is_stored_after_its_act_is_refused_when_an_answer_is_lost() {
    assert_caught(Variant::ClickNotInTransaction, removal(), REFUSALS_ARE_TRUE);
}

#[test]
fn a_refusal_that_read_the_click_before_the_credential_contradicts_an_earlier_attempt() {
    assert_caught(Variant::ClickReadFirst, removal(), REFUSALS_ARE_TRUE);
}

#[test]
fn a_set_that_is_not_guarded_brings_the_old_address_back() {
    assert_caught(Variant::RemovalNotGuarded, removal_and_reissue(), RIGHTS_AS_DECIDED);
    assert_caught(Variant::RemovalNotGuarded, removal_and_reissue(), NOTHING_FOR_REMOVED);
}

#[test]
fn a_removal_that_does_not_count_leaves_no_portal_user() {
    assert_caught(Variant::LastOneRemoved, removal(), LAST_ONE_STAYS);
}

#[test]
fn a_later_event_that_ignores_removals_brings_a_removed_person_back() {
    assert_caught(Variant::EventBringsBack, removal_and_event(), RIGHTS_AS_DECIDED);
    assert_caught(Variant::EventBringsBack, removal_and_event(), NOTHING_FOR_REMOVED);
}

#[test]
fn an_event_that_reads_removals_before_the_credential_misses_one() {
    assert_caught(Variant::RemovalsReadFirst, removal_and_event(), RIGHTS_AS_DECIDED);
}

#[test]
fn an_event_that_replaces_the_item_of_a_portal_user_forgets_the_removal() {
    assert_caught(Variant::EventReplacesItem, removal_of_an_added_person(), RIGHTS_AS_DECIDED);
}

#[test]
fn a_reissue_that_keeps_the_version_keeps_the_sessions() {
    assert_caught(Variant::ReissueKeepsVersion, reissue_and_sign_in(), NO_SESSION_FROM_BEFORE);
}

#[test]
fn a_reissue_that_keeps_the_sealed_password_shows_the_earlier_one() {
    assert_caught(Variant::ReissueKeepsSealed, reissue_and_retrieval(), NOTHING_SHOWN_FROM_BEFORE);
}

#[test]
fn a_reissue_that_leaves_the_account_retired_gives_no_way_in() {
    assert_caught(Variant::ReissueLeavesRetired, reopened(), WAY_IN);
}

#[test]
fn a_first_sign_in_that_retires_an_unused_reissue_voids_it() {
    assert_caught(Variant::RetiredUnused, reissue_and_hand_over(), WAY_IN);
}

#[test]
fn a_reissue_that_does_not_compare_the_mail_goes_to_a_replaced_address() {
    assert_caught(Variant::MailNotCompared, the_ticket_system_reissues(), ON_FILE_AS_DECIDED);
}

#[test]
fn a_retrieval_during_a_reissue_is_missing_from_the_history() {
    assert_caught(Variant::SizeNotCompared, reissue_and_retrieval(), HISTORY_COMPLETE);
}

#[test]
fn a_password_that_is_mailed_to_the_address_on_file_reaches_a_removed_person() {
    assert_caught(Variant::PasswordMailedToRemoved, the_address_on_file_is_removed(), NOTHING_FOR_REMOVED);
}

#[test]
fn an_act_that_does_not_check_the_end_follows_it() {
    assert_caught(Variant::EndNotCompared, the_end(), NOTHING_AFTER_END);
}
