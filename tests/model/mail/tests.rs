//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::witness::{NO_MAIL_LOST, NOT_GIVEN_UP_EARLY, ONE_ISSUE, ONE_MAIL, ONE_MAIL_A_LEASE, OWN_PASSWORD, RECORDED};
use super::{
    DEAD_LETTER, MAILED, MAILED_TWICE, MailModel, NEXT_MAILED, NO_LONGER_NEEDED, REFUSED_ADDRESS, Scope, Variant,
};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

/// One message is received up to five times.
fn one_message() -> Scope {
    Scope {
        function_time_out: 1,
        lease: 2,
        visibility: 3,
        receives: 5,
        messages: 1,
        attempts: 2,
        late_requests: if is_full_run() { 2 } else { 1 },
        deliveries: vec![1],
        with_closing: false,
        with_feedback: false,
    }
}

/// Few receives, with every answer about an address or a credential.
fn every_answer() -> Scope {
    Scope { receives: if is_full_run() { 4 } else { 2 }, with_closing: true, with_feedback: true, ..one_message() }
}

/// The pipe delivers twice.
fn two_messages() -> Scope {
    Scope { messages: 2, receives: if is_full_run() { 3 } else { 2 }, late_requests: 1, ..one_message() }
}

/// The next issue replaces the mail item at any moment.
fn next_issue() -> Scope {
    Scope {
        receives: 2,
        attempts: if is_full_run() { 2 } else { 1 },
        late_requests: 1,
        deliveries: vec![1, 1],
        ..one_message()
    }
}

/// Both events are delivered twice, concurrently or one after the other.
fn events_again() -> Scope {
    Scope { receives: 1, attempts: 1, late_requests: 0, deliveries: vec![2, 2], ..one_message() }
}

fn design(scope: Scope) -> MailModel {
    MailModel { variant: Variant::Design, scope }
}

#[test]
fn the_design_holds_for_one_message() {
    assert_holds("one message", design(one_message()), &[MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_for_every_answer_of_ses_and_the_credential() {
    let reached = [MAILED, MAILED_TWICE, NO_LONGER_NEEDED, REFUSED_ADDRESS, DEAD_LETTER];
    assert_holds("every answer", design(every_answer()), &reached);
}

#[test]
fn the_design_holds_for_two_messages_of_one_mail() {
    assert_holds("two messages", design(two_messages()), &[MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_when_the_next_issue_begins_meanwhile() {
    assert_holds("next issue", design(next_issue()), &[MAILED, NEXT_MAILED, MAILED_TWICE, DEAD_LETTER]);
}

#[test]
fn the_design_holds_when_events_are_delivered_again() {
    assert_holds("events again", design(events_again()), &[MAILED, NEXT_MAILED, DEAD_LETTER]);
}

fn assert_caught(variant: Variant, scope: Scope, property: &'static str) {
    assert_caught_by(&format!("{variant:?}"), MailModel { variant, scope }, property);
}

/// Asserts that the design with other times breaks `property`.
fn assert_times_caught(mutant: &str, scope: Scope, property: &'static str) {
    assert_caught_by(mutant, design(scope), property);
}

#[test]
fn a_mail_before_the_commit_carries_a_password_that_never_works() {
    assert_caught(Variant::MailBeforeCommit, events_again(), OWN_PASSWORD);
}

/// Shows the loss with a lease as long as the visibility time-out. Where lease and function time-out together fit into the
/// visibility time-out, a redelivered message never meets its own earlier lease, and this mutant loses nothing.
#[test]
fn acknowledging_a_message_at_a_live_lease_loses_the_mail() {
    assert_caught(Variant::LeaseAcknowledged, Scope { lease: 3, ..one_message() }, NO_MAIL_LOST);
}

#[test]
fn without_a_lease_two_messages_send_two_mails() {
    assert_caught(Variant::LeaseNotTaken, two_messages(), ONE_MAIL);
}

#[test]
fn a_take_that_does_not_recognise_its_own_lease_gives_up_after_lost_answers() {
    assert_caught(Variant::OwnLeaseNotRecognised, Scope { receives: 2, ..one_message() }, NOT_GIVEN_UP_EARLY);
}

#[test]
fn a_late_release_of_another_workers_lease_sends_two_mails() {
    assert_caught(Variant::ReleaseAnyLease, Scope { attempts: 1, ..two_messages() }, ONE_MAIL);
}

#[test]
fn a_record_that_requires_the_lease_leaves_a_sent_mail_pending() {
    assert_caught(Variant::RecordRequiresLease, one_message(), RECORDED);
}

#[test]
fn a_record_without_issue_loses_the_mail_of_the_next_issue() {
    assert_caught(Variant::RecordWithoutIssue, next_issue(), NO_MAIL_LOST);
}

#[test]
fn ses_retried_by_the_sdk_sends_two_mails_in_one_lease() {
    assert_caught(Variant::SesRetried, one_message(), ONE_MAIL_A_LEASE);
}

#[test]
fn a_commit_that_does_not_compare_the_issue_starts_two_issues_for_one_event() {
    assert_caught(Variant::IssueNotCompared, events_again(), ONE_ISSUE);
}

#[test]
fn a_lease_longer_than_the_visibility_gives_up_early() {
    let scope = Scope { lease: 4, receives: 3, ..one_message() };
    assert_times_caught("lease longer than visibility", scope, NOT_GIVEN_UP_EARLY);
}

/// Shows why equal times are not enough: the lease begins when the handler takes it, the visibility time-out at the receive before.
#[test]
fn a_lease_as_long_as_the_visibility_gives_up_early() {
    let scope = Scope { lease: 3, receives: 3, ..one_message() };
    assert_times_caught("lease as long as the visibility", scope, NOT_GIVEN_UP_EARLY);
}

#[test]
fn a_function_that_outlives_its_lease_sends_two_mails() {
    let scope = Scope { lease: 1, ..two_messages() };
    assert_times_caught("lease as short as the function", scope, ONE_MAIL);
}
