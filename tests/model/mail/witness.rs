//! Records what an observer of table, queue and SES would see, and states the invariants over it.

use stateright::Property;

use super::item::{BOUNCED, Late, MailItem, Message, Password, Place, SENT};
use super::{MailModel, World};

pub(crate) const NO_MAIL_LOST: &str =
    "5: an issue that is still needed is mailed, or its message becomes a dead letter";
pub(crate) const NOT_GIVEN_UP_EARLY: &str =
    "5: no message becomes a dead letter before as many failures as there are receives";
pub(crate) const ONE_ISSUE: &str = "5: no event produces two issues";
pub(crate) const OWN_PASSWORD: &str = "a mail carries the password of its own issue";
pub(crate) const ONE_MAIL: &str = "without a crash or a lost answer an issue is mailed at most once";
pub(crate) const ONE_MAIL_A_LEASE: &str = "a lease sends at most one mail";
pub(crate) const RECORDED: &str = "a mail that was recorded is not pending";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The committed issues, in order.
    pub(crate) issues: Vec<Issue>,
    /// The mails that SES accepted, sorted.
    mails: Vec<(u8, Password)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Issue {
    pub(crate) password: Password,
    /// The event that started the issue.
    pub(crate) event: u8,
    /// The number of leases taken.
    pub(crate) leases: u8,
    /// The number of failures: crashes, lost answers, refusals by SES or KMS, and late takes that no worker waits for.
    pub(crate) failures: u8,
    /// The number of failures after which the mail may have been sent without a record.
    pub(crate) unknown: u8,
    pub(crate) recorded: bool,
}

impl Witness {
    pub(crate) fn record_issue(&mut self, event: u8, password: Password) {
        self.issues.push(Issue { password, event, leases: 0, failures: 0, unknown: 0, recorded: false });
    }

    pub(crate) fn issue_mut(&mut self, issue: u8) -> &mut Issue {
        &mut self.issues[usize::from(issue) - 1]
    }

    pub(crate) fn record_mail(&mut self, issue: u8, password: Password) {
        self.mails.push((issue, password));
        self.mails.sort_unstable();
    }

    pub(crate) fn mail_count(&self, issue: u8) -> usize {
        self.mails.iter().filter(|(mailed, _)| *mailed == issue).count()
    }

    fn holds_for_each_issue(&self, holds: impl Fn(usize, &Issue) -> bool) -> bool {
        (1..).zip(&self.issues).all(|(n, issue)| holds(self.mail_count(n), issue))
    }

    fn has_one_issue_per_event(&self) -> bool {
        self.issues.iter().enumerate().all(|(n, one)| self.issues[..n].iter().all(|other| other.event != one.event))
    }

    fn mails_carry_own_passwords(&self) -> bool {
        let committed = |issue: u8| self.issues.get(usize::from(issue) - 1);
        self.mails.iter().all(|&(issue, password)| committed(issue).is_none_or(|own| own.password == password))
    }
}

impl Issue {
    /// Counts one more failure, up to `enough`.
    pub(crate) fn record_failure(&mut self, enough: u8) {
        self.failures = enough.min(self.failures + 1);
    }
}

impl World {
    /// Returns the mail item if the current issue is needed, was never mailed, and nothing is left that would mail it.
    fn find_unmailed(&self) -> Option<&MailItem> {
        let mail = self.mail.as_ref()?;
        let under_way = self.late.iter().any(|late| matches!(late, Late::Send { issue, .. } if *issue == mail.issue));
        let done = self.messages.iter().filter(|message| message.issue == mail.issue).all(Message::is_done);
        let needed = self.credential.as_ref().is_some_and(|credential| credential.needed) && mail.rank < BOUNCED;
        (done && !under_way && needed && self.witness.mail_count(mail.issue) == 0).then_some(mail)
    }

    fn has_dead_letter(&self, issue: u8) -> bool {
        self.messages.iter().any(|message| message.issue == issue && message.place == Place::DeadLetters)
    }
}

pub(crate) fn properties() -> Vec<Property<MailModel>> {
    vec![
        Property::always(NO_MAIL_LOST, |_, world: &World| {
            world.find_unmailed().is_none_or(|mail| world.has_dead_letter(mail.issue))
        }),
        Property::always(NOT_GIVEN_UP_EARLY, |model: &MailModel, world: &World| {
            world.find_unmailed().is_none_or(|mail| {
                let failures = world.witness.issues[usize::from(mail.issue) - 1].failures;
                !world.has_dead_letter(mail.issue) || failures >= model.scope.receives
            })
        }),
        Property::always(ONE_ISSUE, |_, world: &World| world.witness.has_one_issue_per_event()),
        Property::always(OWN_PASSWORD, |_, world: &World| world.witness.mails_carry_own_passwords()),
        Property::always(ONE_MAIL, |_, world: &World| {
            world.witness.holds_for_each_issue(|mails, issue| mails <= 1 + usize::from(issue.unknown))
        }),
        Property::always(ONE_MAIL_A_LEASE, |_, world: &World| {
            world.witness.holds_for_each_issue(|mails, issue| mails <= usize::from(issue.leases))
        }),
        Property::always(RECORDED, |_, world: &World| {
            world
                .mail
                .as_ref()
                .is_none_or(|mail| !world.witness.issues[usize::from(mail.issue) - 1].recorded || mail.rank >= SENT)
        }),
    ]
}
