//! The design holds in every scope; each mutant is caught by the property that it is meant to break.

use super::item::{BOUNCED, COMPLAINED, DELAYED, DELIVERED, Feedback, Order, SENT, SUPPRESSED, UNDELIVERED};
use super::witness::{
    NEVER_BACK, NO_MAIL_LOST, NOT_GIVEN_UP_EARLY, NOT_TO_REFUSED_ADDRESS, ONE_ISSUE, ONE_MAIL, ONE_MAIL_A_LEASE,
    ORDER_OF_FEEDBACK, OWN_ORDER, OWN_PASSWORD, RECORDED, RESENDS_BOUNDED, SETTLED_BY_OWN_MAIL,
};
use super::{
    DEAD_LETTER, LOST_ORDER_SENT, MAILED, MAILED_TWICE, MailModel, NEXT_MAILED, NEXT_NOT_ORDERED, NO_LONGER_NEEDED,
    REFUSED_ADDRESS, SECOND_ROUND_DELIVERED, SENT_AFTER_PAUSE, SENT_AGAIN, Scope, Variant,
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
        with_refusals: false,
        quota_pause: 0,
        feedback: Vec::new(),
        feedback_times: 1,
        resenders: 0,
        resends: 1,
    }
}

fn event(issue: u8, round: u8, rank: u8, at: u8) -> Feedback {
    Feedback { order: Order { issue, round }, rank, at }
}

/// Few receives, with every answer about an address or a credential.
fn every_answer() -> Scope {
    Scope {
        receives: if is_full_run() { 4 } else { 2 },
        with_closing: true,
        with_refusals: true,
        feedback: vec![event(1, 0, DELIVERED, 1)],
        ..one_message()
    }
}

/// The rate or the quota of the day makes a worker give its lease back, and a person orders the mail again meanwhile.
fn the_quota() -> Scope {
    Scope { receives: if is_full_run() { 3 } else { 2 }, attempts: 1, quota_pause: 4, resenders: 1, ..one_message() }
}

/// Two people order the mail again at once, while the first sending may still be under way.
fn sent_again() -> Scope {
    Scope {
        receives: 2,
        attempts: if is_full_run() { 2 } else { 1 },
        with_closing: is_full_run(),
        feedback: vec![event(1, 0, DELIVERED, 1)],
        resenders: 2,
        ..one_message()
    }
}

/// SES refuses the address while two people order the mail again.
fn sent_again_and_refused() -> Scope {
    Scope { feedback: vec![event(1, 0, BOUNCED, 1)], receives: 1, late_requests: 0, attempts: 1, ..sent_again() }
}

/// One person after the other orders the mail again.
fn sent_again_and_again() -> Scope {
    Scope {
        receives: 1,
        attempts: 1,
        late_requests: usize::from(is_full_run()),
        resenders: if is_full_run() { 4 } else { 3 },
        resends: if is_full_run() { 3 } else { 2 },
        ..one_message()
    }
}

/// A next issue begins while the mail of the last one is ordered again.
fn next_issue_and_sent_again() -> Scope {
    Scope {
        receives: 1,
        attempts: 1,
        deliveries: vec![1, 1],
        feedback: vec![event(1, 0, BOUNCED, 1), event(1, 1, DELIVERED, 2)],
        resenders: if is_full_run() { 2 } else { 1 },
        ..one_message()
    }
}

/// Events of every rank arrive in any order and twice, some of them after the mail was ordered again.
fn feedback_in_any_order() -> Scope {
    Scope {
        receives: 1,
        attempts: 1,
        late_requests: 0,
        feedback: vec![
            event(1, 0, SENT, 1),
            event(1, 0, DELAYED, 3),
            event(1, 0, DELAYED, 2),
            event(1, 0, UNDELIVERED, 4),
            event(1, 0, DELIVERED, 4),
            event(1, 0, BOUNCED, 5),
            event(1, 0, SUPPRESSED, 5),
            event(1, 0, COMPLAINED, 6),
        ],
        feedback_times: 2,
        resenders: usize::from(is_full_run()),
        ..one_message()
    }
}

/// The events of two rounds arrive in any order.
fn feedback_of_two_rounds() -> Scope {
    Scope {
        feedback: vec![
            event(1, 0, BOUNCED, 2),
            event(1, 1, DELIVERED, 4),
            event(1, 1, DELIVERED, 3),
            event(2, 0, COMPLAINED, 6),
        ],
        feedback_times: 1,
        deliveries: vec![1, 1],
        resenders: 1,
        ..feedback_in_any_order()
    }
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

#[test]
fn the_design_holds_when_a_lease_is_given_back_at_the_rate_or_the_quota() {
    let reached = [MAILED, SENT_AFTER_PAUSE, LOST_ORDER_SENT, DEAD_LETTER];
    assert_holds("the quota", design(the_quota()), &reached);
}

#[test]
fn the_design_holds_when_two_people_order_the_mail_again() {
    let reached = [MAILED, SENT_AGAIN, LOST_ORDER_SENT, DEAD_LETTER];
    assert_holds("sent again", design(sent_again()), &reached);
}

#[test]
fn the_design_holds_when_ses_refuses_the_address_during_a_resend() {
    assert_holds("sent again and refused", design(sent_again_and_refused()), &[MAILED, SENT_AGAIN]);
}

#[test]
fn the_design_holds_when_the_mail_is_ordered_again_and_again() {
    assert_holds("sent again and again", design(sent_again_and_again()), &[SENT_AGAIN, LOST_ORDER_SENT]);
}

#[test]
fn the_design_holds_when_the_next_issue_begins_during_a_resend() {
    let reached = [NEXT_MAILED, SENT_AGAIN, SECOND_ROUND_DELIVERED, NEXT_NOT_ORDERED];
    assert_holds("next issue and sent again", design(next_issue_and_sent_again()), &reached);
}

#[test]
fn the_design_holds_for_feedback_in_any_order() {
    assert_holds("feedback in any order", design(feedback_in_any_order()), &[MAILED]);
}

#[test]
fn the_design_holds_for_feedback_of_two_rounds() {
    let reached = [SENT_AGAIN, SECOND_ROUND_DELIVERED, NEXT_MAILED, NEXT_NOT_ORDERED];
    assert_holds("feedback of two rounds", design(feedback_of_two_rounds()), &reached);
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

#[test]
fn a_take_without_round_sends_by_an_order_of_the_first_round() {
    assert_caught(Variant::TakeWithoutRound, sent_again(), OWN_ORDER);
}

#[test]
fn a_record_without_round_settles_the_second_round() {
    assert_caught(Variant::RecordWithoutRound, sent_again(), SETTLED_BY_OWN_MAIL);
}

#[test]
fn a_record_without_round_loses_the_mail_of_the_second_round() {
    assert_caught(Variant::RecordWithoutRound, sent_again(), NO_MAIL_LOST);
}

#[test]
fn feedback_without_round_settles_the_second_round() {
    assert_caught(Variant::FeedbackWithoutRound, sent_again(), SETTLED_BY_OWN_MAIL);
}

#[test]
fn feedback_without_round_loses_the_mail_of_the_second_round() {
    assert_caught(Variant::FeedbackWithoutRound, sent_again(), NO_MAIL_LOST);
}

#[test]
fn feedback_without_rank_goes_back() {
    assert_caught(Variant::FeedbackWithoutRank, feedback_in_any_order(), NEVER_BACK);
}

#[test]
fn feedback_without_rank_depends_on_the_order() {
    assert_caught(Variant::FeedbackWithoutRank, feedback_in_any_order(), ORDER_OF_FEEDBACK);
}

#[test]
fn feedback_whose_first_arrival_stays_depends_on_the_order() {
    assert_caught(Variant::FirstArrivalStays, feedback_in_any_order(), ORDER_OF_FEEDBACK);
}

#[test]
fn a_resend_that_keeps_tries_is_dropped_by_the_pipe() {
    assert_caught(Variant::ResendKeepsTries, sent_again(), NO_MAIL_LOST);
}

#[test]
fn a_resend_of_a_bounced_mail_goes_to_a_refused_address() {
    assert_caught(Variant::ResendToRefusedAddress, sent_again_and_refused(), NOT_TO_REFUSED_ADDRESS);
}

#[test]
fn a_resend_that_does_not_compare_the_status_goes_to_an_address_refused_meanwhile() {
    assert_caught(Variant::ResendRankNotCompared, sent_again_and_refused(), NOT_TO_REFUSED_ADDRESS);
}

#[test]
fn a_resend_that_does_not_compare_the_round_exceeds_the_number_allowed() {
    assert_caught(Variant::ResendRoundNotCompared, sent_again_and_again(), RESENDS_BOUNDED);
}

#[test]
fn resends_that_are_not_counted_exceed_the_number_allowed() {
    assert_caught(Variant::ResendsNotCounted, sent_again(), RESENDS_BOUNDED);
}

#[test]
fn a_resend_during_a_live_lease_sends_two_mails() {
    assert_caught(Variant::ResendDuringLease, sent_again(), ONE_MAIL);
}

/// Shows that the lease must be a condition of the transaction: a worker may take it after the resend has read.
#[test]
fn a_resend_that_only_reads_the_lease_sends_two_mails() {
    assert_caught(Variant::ResendLeaseReadOnly, sent_again(), ONE_MAIL);
}
