//! The design holds in every scope; each mutant is found by the property that it was made to break.

use super::witness::{NONE_LOST, NOT_GIVEN_UP_EARLY, ONE_ISSUE, ONE_MAIL, ONE_MAIL_A_LEASE, OWN_PASSWORD, RECORDED};
use super::{DEAD_LETTER, MAILED, MAILED_TWICE, Mail, NEXT_MAILED, NO_LONGER_NEEDED, REFUSED_ADDRESS, Scope, Variant};
use crate::check::{found_by, full, holds};

/// One message with all of its five receives.
fn one_message() -> Scope {
    Scope {
        function_time_out: 1,
        lease: 2,
        visibility: 3,
        receives: 5,
        messages: 1,
        attempts: 2,
        late_requests: if full() { 2 } else { 1 },
        deliveries: vec![1],
        closing: false,
        feedback: false,
    }
}

/// Few receives, and everything that can be said about an address or a credential.
fn every_answer() -> Scope {
    Scope { receives: if full() { 4 } else { 2 }, closing: true, feedback: true, ..one_message() }
}

/// The pipe delivers twice.
fn two_messages() -> Scope {
    Scope { messages: 2, receives: if full() { 3 } else { 2 }, late_requests: 1, ..one_message() }
}

/// A next issue replaces the mail item at any moment.
fn next_issue() -> Scope {
    Scope {
        receives: 2,
        attempts: if full() { 2 } else { 1 },
        late_requests: 1,
        deliveries: vec![1, 1],
        ..one_message()
    }
}

/// Both events are delivered twice, at once or one after the other.
fn events_again() -> Scope {
    Scope { receives: 1, attempts: 1, late_requests: 0, deliveries: vec![2, 2], ..one_message() }
}

fn design(scope: Scope) -> Mail {
    Mail { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_one_message() {
    holds("one message", design(one_message()), &[MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_for_every_answer_of_ses_and_the_credential() {
    let reached = [MAILED, MAILED_TWICE, NO_LONGER_NEEDED, REFUSED_ADDRESS, DEAD_LETTER];
    holds("every answer", design(every_answer()), &reached);
}

#[test]
fn the_design_holds_for_two_messages_of_one_mail() {
    holds("two messages", design(two_messages()), &[MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_when_the_next_issue_comes_between() {
    holds("next issue", design(next_issue()), &[MAILED, NEXT_MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_when_events_are_delivered_again() {
    holds("events again", design(events_again()), &[MAILED, NEXT_MAILED, DEAD_LETTER]);
}

fn mutant(variant: Variant, scope: Scope, property: &'static str) {
    found_by(&format!("{variant:?}"), Mail { variant, scope }, property);
}

/// The design with other times.
fn times(mutant: &str, scope: Scope, property: &'static str) {
    found_by(mutant, design(scope), property);
}

#[test]
fn a_mail_before_the_commit_carries_a_password_that_never_signs_in() {
    mutant(Variant::MailBeforeCommit, events_again(), OWN_PASSWORD);
}

/// Where lease and time-out together fit into the visibility, a redelivered message meets no lease of its own, and this
/// mistake loses nothing; it takes a lease as long as the visibility.
#[test]
fn a_message_that_is_acknowledged_at_a_live_lease_loses_the_mail() {
    mutant(Variant::LeaseAcknowledged, Scope { lease: 3, ..one_message() }, NONE_LOST);
}

#[test]
fn without_a_lease_two_messages_send_two_mails() {
    mutant(Variant::LeaseNotTaken, two_messages(), ONE_MAIL);
}

#[test]
fn a_take_that_does_not_recognise_its_own_lease_gives_up_after_lost_answers() {
    mutant(Variant::OwnLeaseNotRecognised, Scope { receives: 2, ..one_message() }, NOT_GIVEN_UP_EARLY);
}

#[test]
fn a_late_release_of_anybodys_lease_sends_two_mails() {
    mutant(Variant::ReleaseAnyLease, Scope { attempts: 1, ..two_messages() }, ONE_MAIL);
}

#[test]
fn a_record_that_asks_for_the_lease_leaves_a_sent_mail_pending() {
    mutant(Variant::RecordAsksForLease, one_message(), RECORDED);
}

#[test]
fn a_record_without_issue_loses_the_mail_of_the_next_issue() {
    mutant(Variant::RecordWithoutIssue, next_issue(), NONE_LOST);
}

#[test]
fn ses_retried_by_the_sdk_sends_two_mails_in_one_lease() {
    mutant(Variant::SesRetried, one_message(), ONE_MAIL_A_LEASE);
}

#[test]
fn an_issue_that_is_not_pinned_gives_two_issues_for_one_event() {
    mutant(Variant::IssueNotPinned, events_again(), ONE_ISSUE);
}

#[test]
fn a_lease_longer_than_the_visibility_gives_up_early() {
    let scope = Scope { lease: 4, receives: 3, ..one_message() };
    times("lease longer than visibility", scope, NOT_GIVEN_UP_EARLY);
}

/// A lease begins when the handler asks for it, the visibility at the receive before.
#[test]
fn a_lease_as_long_as_the_visibility_gives_up_early() {
    let scope = Scope { lease: 3, receives: 3, ..one_message() };
    times("lease as long as the visibility", scope, NOT_GIVEN_UP_EARLY);
}

#[test]
fn a_function_that_outlives_its_lease_sends_two_mails() {
    let scope = Scope { lease: 1, ..two_messages() };
    times("lease as short as the function", scope, ONE_MAIL);
}
