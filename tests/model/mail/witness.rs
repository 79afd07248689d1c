//! Records what an observer of table, queue and SES would see, and states the invariants over it.

use stateright::Property;

use super::item::{BOUNCED, COMPLAINED, DELIVERED, Late, MailItem, Message, Order, Password, Place, SENT};
use super::{MailModel, World};

pub(crate) const NO_MAIL_LOST: &str =
    "5: an issue that is still needed is mailed, or its message becomes a dead letter";
pub(crate) const NOT_GIVEN_UP_EARLY: &str =
    "5: no message becomes a dead letter before as many failures as there are receives";
pub(crate) const ONE_ISSUE: &str = "5: no event produces two issues";
pub(crate) const OWN_PASSWORD: &str = "a mail carries the password of its own issue";
pub(crate) const ONE_MAIL: &str =
    "without a crash or a lost answer an issue is mailed once, and once more for each resend of a mail that was sent";
pub(crate) const ONE_MAIL_A_LEASE: &str = "a lease sends at most one mail";
pub(crate) const RECORDED: &str = "a mail that was recorded is not pending";
pub(crate) const NEVER_BACK: &str = "a status never goes back within a round";
pub(crate) const SETTLED_BY_OWN_MAIL: &str = "a round counts as sent only if a mail was sent in that round";
pub(crate) const ORDER_OF_FEEDBACK: &str =
    "after feedback in any order the highest rank stays, and of one rank the earliest event";
pub(crate) const OWN_ORDER: &str = "an order of an earlier issue or round takes no lease";
pub(crate) const NOT_TO_REFUSED_ADDRESS: &str = "no mail is ordered again after SES refused its address";
pub(crate) const RESENDS_BOUNDED: &str = "an issue is ordered again at most as often as allowed";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    WentBack,
    TookAnothersLease,
    OrderedForRefusedAddress,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The committed issues, in order.
    pub(crate) issues: Vec<Issue>,
    /// The mails that SES accepted, sorted.
    mails: Vec<(Order, Password)>,
    /// Whether a message was hidden for longer at the quota of the day.
    pub(crate) paused: bool,
    breaches: Vec<Breach>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Issue {
    pub(crate) password: Password,
    /// The event that started the issue.
    pub(crate) event: u8,
    /// The number of leases taken.
    pub(crate) leases: u8,
    /// The number of times that the mail was ordered again.
    pub(crate) resends: u8,
    /// The number of these times in which the mail was sent before.
    pub(crate) repeats: u8,
    /// The number of failures of the current round: crashes, lost answers, refusals by SES or KMS, and late takes that no worker waits for.
    pub(crate) failures: u8,
    /// The number of failures after which the mail may have been sent without a record.
    pub(crate) unknown: u8,
    /// Whether the mail of the current round was recorded.
    pub(crate) recorded: bool,
}

impl Witness {
    pub(crate) fn record_issue(&mut self, event: u8, password: Password) {
        let (leases, resends, repeats, failures, unknown) = (0, 0, 0, 0, 0);
        self.issues.push(Issue { password, event, leases, resends, repeats, failures, unknown, recorded: false });
    }

    /// Records that the order takes the lease of the mail `taken`.
    pub(crate) fn record_lease(&mut self, order: Order, taken: Order) {
        self.issue_mut(order.issue).leases += 1;
        if order != taken {
            self.record_breach(Breach::TookAnothersLease);
        }
    }

    /// Counts one more failure of the current round, up to `enough`. A failure of an earlier round delays no message of this one.
    pub(crate) fn record_failure(&mut self, order: Order, enough: u8) {
        let issue = self.issue_mut(order.issue);
        if issue.resends == order.round {
            issue.failures = enough.min(issue.failures + 1);
        }
    }

    /// Records that the mail, given as it was before, is ordered again.
    pub(crate) fn record_resend(&mut self, before: &MailItem) {
        if (BOUNCED..=COMPLAINED).contains(&before.rank) {
            self.record_breach(Breach::OrderedForRefusedAddress);
        }
        let issue = self.issue_mut(before.order.issue);
        issue.resends += 1;
        issue.repeats += u8::from(before.rank >= SENT);
        issue.failures = 0;
        issue.recorded = false;
    }

    /// Records one step of the mail item.
    pub(crate) fn compare(&mut self, before: Option<&MailItem>, after: Option<&MailItem>) {
        let went_back = |before: &MailItem, after: &MailItem| before.order == after.order && after.rank < before.rank;
        if before.zip(after).is_some_and(|(before, after)| went_back(before, after)) {
            self.record_breach(Breach::WentBack);
        }
    }

    fn record_breach(&mut self, breach: Breach) {
        if let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    pub(crate) fn issue_mut(&mut self, issue: u8) -> &mut Issue {
        &mut self.issues[usize::from(issue) - 1]
    }

    pub(crate) fn record_mail(&mut self, order: Order, password: Password) {
        self.mails.push((order, password));
        self.mails.sort_unstable();
    }

    pub(crate) fn mail_count(&self, issue: u8) -> usize {
        self.mails.iter().filter(|(mailed, _)| mailed.issue == issue).count()
    }

    pub(crate) fn was_sent(&self, order: Order) -> bool {
        self.mails.iter().any(|(mailed, _)| *mailed == order)
    }

    fn holds_for_each_issue(&self, holds: impl Fn(usize, &Issue) -> bool) -> bool {
        (1..).zip(&self.issues).all(|(n, issue)| holds(self.mail_count(n), issue))
    }

    fn has_one_issue_per_event(&self) -> bool {
        self.issues.iter().enumerate().all(|(n, one)| self.issues[..n].iter().all(|other| other.event != one.event))
    }

    fn mails_carry_own_passwords(&self) -> bool {
        let committed = |issue: u8| self.issues.get(usize::from(issue) - 1);
        self.mails.iter().all(|&(order, password)| committed(order.issue).is_none_or(|own| own.password == password))
    }
}

impl World {
    fn has_breach(&self, breach: Breach) -> bool {
        self.witness.breaches.contains(&breach)
    }

    /// Returns the mail item if its issue is needed, was never mailed in its round, and nothing is left that would mail it.
    fn find_unmailed(&self) -> Option<&MailItem> {
        let mail = self.mail.as_ref()?;
        let under_way = self.late.iter().any(|late| matches!(late, Late::Send { order, .. } if *order == mail.order));
        let done = self.messages.iter().filter(|message| message.order == mail.order).all(Message::is_done);
        let needed = self.credential.as_ref().is_some_and(|credential| credential.needed) && mail.rank < BOUNCED;
        (done && !under_way && needed && !self.witness.was_sent(mail.order)).then_some(mail)
    }

    fn has_dead_letter(&self, order: Order) -> bool {
        self.messages.iter().any(|message| message.order == order && message.place == Place::DeadLetters)
    }

    /// Returns whether the status follows from the set of events that were applied to this round, whatever their order.
    fn agrees_with_feedback(&self, model: &MailModel) -> bool {
        let Some(mail) = &self.mail else { return true };
        let told = self.feedback.iter().zip(&model.scope.feedback);
        let own = told.filter(|(times, event)| **times > 0 && event.order == mail.order).map(|(_, event)| event);
        let highest = own.clone().map(|event| event.rank).max().unwrap_or_default();
        let earliest = own.filter(|event| event.rank == highest).map(|event| event.at).min();
        mail.rank >= highest && (mail.rank > highest || mail.at == 0 || Some(mail.at) == earliest)
    }

    fn is_settled_by_own_mail(&self) -> bool {
        self.mail
            .as_ref()
            .is_none_or(|mail| !(SENT..=DELIVERED).contains(&mail.rank) || self.witness.was_sent(mail.order))
    }
}

pub(crate) fn properties() -> Vec<Property<MailModel>> {
    vec![
        Property::always(NO_MAIL_LOST, |_, world: &World| {
            world.find_unmailed().is_none_or(|mail| world.has_dead_letter(mail.order))
        }),
        Property::always(NOT_GIVEN_UP_EARLY, |model: &MailModel, world: &World| {
            world.find_unmailed().is_none_or(|mail| {
                let failures = world.witness.issues[usize::from(mail.order.issue) - 1].failures;
                !world.has_dead_letter(mail.order) || failures >= model.scope.receives
            })
        }),
        Property::always(ONE_ISSUE, |_, world: &World| world.witness.has_one_issue_per_event()),
        Property::always(OWN_PASSWORD, |_, world: &World| world.witness.mails_carry_own_passwords()),
        Property::always(ONE_MAIL, |_, world: &World| {
            world.witness.holds_for_each_issue(|mails, issue| mails <= 1 + usize::from(issue.unknown + issue.repeats))
        }),
        Property::always(ONE_MAIL_A_LEASE, |_, world: &World| {
            world.witness.holds_for_each_issue(|mails, issue| mails <= usize::from(issue.leases))
        }),
        Property::always(RECORDED, |_, world: &World| {
            world.mail.as_ref().is_none_or(|mail| {
                !world.witness.issues[usize::from(mail.order.issue) - 1].recorded || mail.rank >= SENT
            })
        }),
        Property::always(NEVER_BACK, |_, world: &World| !world.has_breach(Breach::WentBack)),
        Property::always(SETTLED_BY_OWN_MAIL, |_, world: &World| world.is_settled_by_own_mail()),
        Property::always(ORDER_OF_FEEDBACK, |model, world: &World| world.agrees_with_feedback(model)),
        Property::always(OWN_ORDER, |_, world: &World| !world.has_breach(Breach::TookAnothersLease)),
        Property::always(NOT_TO_REFUSED_ADDRESS, |_, world: &World| {
            !world.has_breach(Breach::OrderedForRefusedAddress)
        }),
        Property::always(RESENDS_BOUNDED, |model: &MailModel, world: &World| {
            world.witness.issues.iter().all(|issue| issue.resends <= model.scope.resends)
        }),
    ]
}
