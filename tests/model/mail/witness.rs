//! What an observer beside table, queue and SES writes down, and the invariants over it.

use stateright::Property;

use super::item::{BOUNCED, Late, MailItem, Message, Password, Place, SENT};
use super::{Mail, World};

pub(crate) const NONE_LOST: &str = "5: no issue that somebody needs ends unmailed, but in the dead letters";
pub(crate) const NOT_GIVEN_UP_EARLY: &str = "5: none is given up before as many failures as there are receives";
pub(crate) const ONE_ISSUE: &str = "5: no event produces two issues";
pub(crate) const OWN_PASSWORD: &str = "a mail carries the password of its own issue";
pub(crate) const ONE_MAIL: &str = "without a crash or a lost answer an issue is mailed at most once";
pub(crate) const ONE_MAIL_A_LEASE: &str = "a lease sends at most one mail";
pub(crate) const RECORDED: &str = "a mail that was recorded is not pending";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// What was committed, in the order of the issues.
    pub(crate) issues: Vec<Issue>,
    /// Each mail that SES accepted, sorted.
    mails: Vec<(u8, Password)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Issue {
    pub(crate) password: Password,
    /// The event that it was begun for.
    pub(crate) event: u8,
    /// Leases taken.
    pub(crate) leases: u8,
    /// A crash, an answer that never came, a refusal by SES or KMS, or a lease taken late, for nobody.
    pub(crate) failures: u8,
    /// Those of the failures after which the mail may be on its way and is not recorded.
    pub(crate) unknown: u8,
    pub(crate) recorded: bool,
}

impl Witness {
    pub(crate) fn begun(&mut self, event: u8, password: Password) {
        self.issues.push(Issue { password, event, leases: 0, failures: 0, unknown: 0, recorded: false });
    }

    pub(crate) fn of(&mut self, issue: u8) -> &mut Issue {
        &mut self.issues[usize::from(issue) - 1]
    }

    pub(crate) fn mailed(&mut self, issue: u8, password: Password) {
        self.mails.push((issue, password));
        self.mails.sort_unstable();
    }

    pub(crate) fn mails_of(&self, issue: u8) -> usize {
        self.mails.iter().filter(|(of, _)| *of == issue).count()
    }

    fn each_issue(&self, holds: impl Fn(usize, &Issue) -> bool) -> bool {
        (1..).zip(&self.issues).all(|(n, issue)| holds(self.mails_of(n), issue))
    }

    fn one_issue_an_event(&self) -> bool {
        self.issues.iter().enumerate().all(|(n, one)| self.issues[..n].iter().all(|other| other.event != one.event))
    }

    fn own_passwords(&self) -> bool {
        let committed = |issue: u8| self.issues.get(usize::from(issue) - 1);
        self.mails.iter().all(|&(issue, password)| committed(issue).is_none_or(|own| own.password == password))
    }
}

impl Issue {
    /// One more failure; they are counted up to `enough`.
    pub(crate) fn failed(&mut self, enough: u8) {
        self.failures = enough.min(self.failures + 1);
    }
}

impl World {
    /// Nothing will send a mail for the current issue any more, nobody has got one, and somebody needs it.
    fn unmailed(&self) -> Option<&MailItem> {
        let mail = self.mail.as_ref()?;
        let under_way = self.late.iter().any(|late| matches!(late, Late::Send { issue, .. } if *issue == mail.issue));
        let done = self.messages.iter().filter(|message| message.issue == mail.issue).all(Message::is_done);
        let needed = self.credential.as_ref().is_some_and(|credential| credential.needed) && mail.rank < BOUNCED;
        (done && !under_way && needed && self.witness.mails_of(mail.issue) == 0).then_some(mail)
    }

    fn dead_letter(&self, issue: u8) -> bool {
        self.messages.iter().any(|message| message.issue == issue && message.place == Place::DeadLetters)
    }
}

pub(crate) fn properties() -> Vec<Property<Mail>> {
    vec![
        Property::always(NONE_LOST, |_, world: &World| {
            world.unmailed().is_none_or(|mail| world.dead_letter(mail.issue))
        }),
        Property::always(NOT_GIVEN_UP_EARLY, |model: &Mail, world: &World| {
            world.unmailed().is_none_or(|mail| {
                let failures = world.witness.issues[usize::from(mail.issue) - 1].failures;
                !world.dead_letter(mail.issue) || failures >= model.scope.receives
            })
        }),
        Property::always(ONE_ISSUE, |_, world: &World| world.witness.one_issue_an_event()),
        Property::always(OWN_PASSWORD, |_, world: &World| world.witness.own_passwords()),
        Property::always(ONE_MAIL, |_, world: &World| {
            world.witness.each_issue(|mails, issue| mails <= 1 + usize::from(issue.unknown))
        }),
        Property::always(ONE_MAIL_A_LEASE, |_, world: &World| {
            world.witness.each_issue(|mails, issue| mails <= usize::from(issue.leases))
        }),
        Property::always(RECORDED, |_, world: &World| {
            world
                .mail
                .as_ref()
                .is_none_or(|mail| !world.witness.issues[usize::from(mail.issue) - 1].recorded || mail.rank >= SENT)
        }),
    ]
}
