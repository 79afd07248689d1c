//! A sequential specification of the product, written separately from its code: the state of one subscription after operations that
//! happen one after the other. It has no table, no AWS and no races.

mod desk;
mod product;
mod team;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use desk::Desk;
pub use desk::{APPROVAL_LIFETIME, APPROVAL_WAIT, DeskAct, Operator, reason};
pub(crate) use desk::{
    approval_line, clicks_line, listed_line, membership_line, removed_line, unlocks_line, user_line,
};
use product::Product;
use team::Life;
pub(crate) use team::{administrator_line, ended_line};

/// The user name of an account in the Administration Center, without the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserName {
    /// The service administrator.
    Admin,
    /// An administrator.
    Lee,
    /// Another administrator.
    Mo,
}

/// A person who signs in to the Customer Portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// A portal user.
    Dana,
    /// The person whose address the vendor has named, who is a portal user too.
    It,
    /// Another portal user.
    Kim,
    /// A colleague who is no portal user at first.
    Sam,
    /// A person of another company.
    Stranger,
}

/// A password, identified by its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Password {
    /// The temporary password of an issue.
    Temporary(u64),
    /// A password that a person has chosen, by its number in the test.
    Chosen(usize),
    /// The temporary password of an administrator that an answer has shown, by the name that the test gives to it.
    HandedOut(Label),
}

/// A report of SES on a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Report {
    /// The mail is still on its way.
    Delayed,
    /// The mailbox is full, and SES has given up.
    MailboxFull,
    /// The mail was delivered.
    Delivered,
    /// The mailbox does not exist.
    NoSuchMailbox,
    /// The recipient's server does not take this mail, which is as final as the last.
    Blocked,
    /// The recipient complained.
    Complaint,
}

impl Report {
    /// Returns the rank: a report counts over those of a lower one.
    const fn rank(self) -> u32 {
        match self {
            Self::Delayed => 1,
            Self::MailboxFull => 2,
            Self::Delivered => 3,
            Self::NoSuchMailbox | Self::Blocked => 4,
            Self::Complaint => 5,
        }
    }

    /// Returns whether the address takes no mail any more.
    const fn rules_address_out(self) -> bool {
        matches!(self, Self::NoSuchMailbox | Self::Blocked | Self::Complaint)
    }

    /// Returns the status of the mail and the code of the reason, as the table has them.
    const fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::Delayed => ("delayed", "other"),
            Self::MailboxFull => ("undelivered", "mailbox-full"),
            Self::Delivered => ("delivered", ""),
            Self::NoSuchMailbox => ("bounced", "no-such-mailbox"),
            Self::Blocked => ("bounced", "blocked"),
            Self::Complaint => ("complained", ""),
        }
    }
}

/// The name that a test gives to a session, a click or an event.
pub type Label = &'static str;

/// An operation of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The delivery of `SubscriptionStarted`.
    Start {
        /// The event's id. A redelivery has the same one.
        event: Label,
        /// Whether the subscription is paid.
        paid: bool,
    },
    /// A click on **Get credentials**.
    Retrieve {
        /// The customer who clicks.
        person: Person,
        /// The key of the click.
        key: Label,
    },
    /// A request to support.
    ContactSupport {
        /// The customer who sends it.
        person: Person,
        /// The key of the click.
        key: Label,
    },
    /// A click on **Send again**: the welcome mail is ordered again.
    Resend {
        /// The customer who clicks.
        person: Person,
    },
    /// A click on **Get new credentials**: the next issue starts in the place of one that has expired.
    Renew {
        /// The customer who clicks.
        person: Person,
    },
    /// The delivery of a report by SES on the welcome mail.
    Report {
        /// The issue of the mail.
        issue: u64,
        /// The round of the mail.
        round: u64,
        /// The report of SES.
        what: Report,
        /// The second of the report. Reports arrive in any order.
        at: u64,
    },
    /// A sign-in to the Administration Center.
    SignIn {
        /// The account.
        who: UserName,
        /// The password that is entered.
        password: Password,
        /// The name of the session that begins if the sign-in succeeds.
        begins: Label,
    },
    /// A sign-out.
    SignOut {
        /// The session that ends.
        session: Label,
    },
    /// The choice of a new password.
    Reset {
        /// The session of the request.
        session: Label,
        /// The current password, where the request needs it.
        current: Option<Password>,
        /// The new password.
        to: Password,
        /// The name of the session that begins if the reset succeeds.
        begins: Label,
    },
    /// The creation of an administrator by the service administrator. The password is [`ADMINISTRATOR_PASSWORD`].
    Create {
        /// The session of the request.
        session: Label,
        /// The new administrator.
        who: UserName,
        /// The key of the click.
        key: Label,
    },
    /// The addition of an administrator by another one.
    Add {
        /// The session of the request.
        session: Label,
        /// The new administrator.
        who: UserName,
        /// The current password of the one who adds.
        current: Password,
        /// The key of the click.
        key: Label,
        /// The name of the temporary password that the answer shows.
        gives: Label,
    },
    /// The reset of an administrator's password by another one.
    Help {
        /// The session of the request.
        session: Label,
        /// The administrator who gets a temporary password.
        who: UserName,
        /// The current password of the one who resets.
        current: Password,
        /// The name of the temporary password that the answer shows.
        gives: Label,
    },
    /// The removal of an administrator, or of the service administrator, by an administrator.
    Remove {
        /// The session of the request.
        session: Label,
        /// The account that is closed.
        who: UserName,
        /// The current password of the one who removes.
        current: Password,
    },
    /// A click on **Continue**, on the page that leads an account to the product.
    Enter {
        /// The session of the request.
        session: Label,
        /// The account that the page was shown for.
        who: UserName,
        /// The name of the code that the product gets.
        code: Label,
    },
    /// The use of a code by the product.
    Redeem {
        /// The code.
        code: Label,
        /// The name of the access token that the product gets.
        gives: Label,
    },
    /// A request of the product for the claims of its user.
    ReadUser {
        /// The access token.
        token: Label,
    },
    /// The delivery of `SubscriptionEnded`.
    End {
        /// The hours between the time of the first `SubscriptionStarted` and that of this event.
        at: u64,
    },
    /// The delivery of a later `SubscriptionStarted`, of a trial.
    Restart {
        /// The event's id.
        event: Label,
        /// The hours between the time of the first event and that of this one.
        at: u64,
    },
    /// The deletion of a subscription whose retention is over.
    Purge,
    /// A reissue by the support desk, apart from operators and approvals.
    Reissue {
        /// The issue that the new one replaces.
        issue: u64,
    },
    /// A click of an operator of the support desk.
    Desk {
        /// The operator.
        operator: Operator,
        /// The key of the click.
        key: Label,
        /// The act of the operator.
        act: DeskAct,
    },
    /// A hundred failures of strangers in a row to sign in, which close an account to strangers.
    LockOut {
        /// The account, whose password is chosen and whose owner has signed in.
        who: UserName,
    },
    /// A check of a session that changes nothing.
    CheckSession {
        /// The session.
        session: Label,
    },
    /// The passing of time.
    Wait {
        /// The number of seconds.
        seconds: u64,
    },
}

/// The password that every administrator is created with.
pub const ADMINISTRATOR_PASSWORD: Password = Password::Chosen(3);

/// The lifetime of a temporary password, in seconds.
pub const LIFETIME: u64 = 7 * 24 * 60 * 60;

/// The time from one order of a welcome mail to the next, in seconds.
const RESEND_PAUSE: u64 = 600;

/// The time within which another order of a welcome mail counts as the same one, in seconds.
const SAME_RESEND: u64 = 60;

/// The time within which a renewal answers everyone who asks for one, in seconds.
const RENEWAL_WINDOW: u64 = 600;

/// The time within which a retried click shows the password again, in seconds.
const REPLAY: u64 = 600;

/// An answer to an operation: the status, and the next step, what is shown, or the code of the problem.
pub type Reply = (u16, String);

/// Creates an answer.
#[must_use]
pub fn reply(status: u16, what: &str) -> Reply {
    (status, what.to_owned())
}

/// An account of the Administration Center.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that an operation changes on its own")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// The current password.
    pub password: Password,
    /// Whether the password is temporary, so that it allows only a reset.
    pub temporary: bool,
    /// Whether the account can sign in. A retired account cannot.
    pub active: bool,
    /// The number of times that its password or its state was written.
    pub version: u64,
    /// Whether its administrator has signed in.
    pub signed_in: bool,
    /// Whether failures of strangers have closed it to them.
    pub closed: bool,
    /// The time at which the temporary password of an administrator expires. The service administrator's expires with its issue.
    pub expires_at: u64,
    /// The account that created it, and the key of the click.
    pub created_by: Option<(UserName, Label)>,
}

/// A session of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// The account.
    pub who: UserName,
    /// The version of the account when the session began.
    pub version: u64,
    /// Whether the session allows more than the reset of a temporary password.
    pub full: bool,
}

/// The state of a subscription after operations that happened one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent, as in the table")]
pub struct State {
    /// The accounts that exist.
    pub accounts: BTreeMap<UserName, Account>,
    /// The sessions that have begun, valid or not.
    pub sessions: BTreeMap<Label, Session>,
    /// The number of the current issue; 0 before the subscription has started.
    pub issue: u64,
    paid: bool,
    signed_in: bool,
    changed: bool,
    handed_over: bool,
    /// Whether an administrator has removed the service administrator in this issue.
    withdrawn: bool,
    life: Life,
    /// The time at which the password of the issue expires.
    expires_at: u64,
    /// The number of issues that portal users have started.
    renewals: u64,
    /// The time at which a portal user started this issue.
    renewed_at: Option<u64>,
    /// How often the mail of this issue was ordered again, and when last.
    round: u64,
    resent_at: Option<u64>,
    /// The report on the mail that counts, with its second.
    report: Option<(Report, u64)>,
    /// The number of welcome mails that were ordered.
    pub mails: u64,
    /// Whether mails that are ordered from now on wait to be sent.
    pub holds_mails: bool,
    /// Whether the mail of this issue and round waits to be sent.
    mail_waits: bool,
    /// The retrievals of this issue: the customer and the click of each, with its time.
    retrievals: BTreeMap<(Person, Label), u64>,
    /// The requests to support, all of one day.
    requests: BTreeSet<(Person, Label)>,
    /// The events that have started an issue.
    handled: Vec<Label>,
    desk: Desk,
    product: Product,
    history: Vec<String>,
    now: u64,
}

impl State {
    /// Creates the state before any operation.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            issue: 0,
            paid: false,
            signed_in: false,
            changed: false,
            handed_over: false,
            withdrawn: false,
            life: Life::default(),
            expires_at: 0,
            renewals: 0,
            renewed_at: None,
            round: 0,
            resent_at: None,
            report: None,
            mails: 0,
            holds_mails: false,
            mail_waits: false,
            retrievals: BTreeMap::new(),
            requests: BTreeSet::new(),
            handled: Vec::new(),
            desk: Desk::new(),
            product: Product::default(),
            history: Vec::new(),
            now: 0,
        }
    }

    /// Creates the state after the first `SubscriptionStarted`, which is that of a trial.
    #[must_use]
    pub fn started() -> Self {
        let mut state = Self::empty();
        state.apply(Op::Start { event: "trial", paid: false });
        state
    }

    /// Returns the session if it is valid.
    #[must_use]
    pub fn valid_session(&self, session: Label) -> Option<Session> {
        let session = *self.sessions.get(session)?;
        let account = &self.accounts[&session.who];
        (account.active && account.version == session.version && !self.life.has_ended).then_some(session)
    }

    /// Carries out one operation on a machine whose clock is behind by `seconds`, and returns its answer.
    pub fn apply_behind(&mut self, op: Op, seconds: u64) -> Reply {
        self.now -= seconds;
        let reply = self.apply(op);
        self.now += seconds;
        reply
    }

    /// Carries out one operation and returns its answer.
    pub fn apply(&mut self, op: Op) -> Reply {
        match op {
            Op::Start { event, paid } => self.start_at(event, paid, 0),
            Op::Restart { event, at } => self.start_at(event, false, at),
            Op::End { at } => self.end(at),
            Op::Purge => self.purge(),
            Op::Retrieve { person, key } => self.retrieve(person, key),
            Op::ContactSupport { person, key } => self.contact_support(person, key),
            Op::Resend { person } => self.resend(person),
            Op::Renew { person } => self.renew(person),
            Op::Report { issue, round, what, at } => {
                self.report((issue, round), (what, at));
                reply(200, "done")
            }
            Op::SignIn { who, password, begins } => self.sign_in(who, password, begins),
            Op::SignOut { session } => {
                self.sessions.remove(session);
                reply(204, "")
            }
            Op::Reset { session, current, to, begins } => self.reset(session, current, to, begins),
            Op::Create { session, who, key } => self.create(session, who, key),
            Op::Add { session, who, current, key, gives } => self.add(session, who, current, (key, gives)),
            Op::Help { session, who, current, gives } => self.help(session, who, current, gives),
            Op::Remove { session, who, current } => self.remove(session, who, current),
            Op::Enter { session, who, code } => self.enter_product(session, who, code),
            Op::Redeem { code, gives } => self.redeem_code(code, gives),
            Op::ReadUser { token } => self.read_user(token),
            Op::Reissue { issue } => self.reissue(issue),
            Op::Desk { operator, key, act } => self.act(operator, key, act),
            Op::LockOut { who } => {
                if let Some(account) = self.accounts.get_mut(&who) {
                    account.closed = true;
                }
                reply(200, "")
            }
            Op::CheckSession { session } => match self.valid_session(session) {
                Some(_) => reply(422, "password-too-short"),
                None => reply(401, "not-signed-in"),
            },
            Op::Wait { seconds } => {
                self.now += seconds;
                reply(200, "")
            }
        }
    }

    fn start(&mut self, event: Label, paid: bool) {
        let expired = self.expires_at <= self.now && !self.changed;
        let used_up = self.retrievals.len() == 3 && !self.signed_in && !self.changed;
        let is_new = self.issue == 0;
        let is_shut_out = (expired || used_up) && !self.handed_over;
        if is_new || (paid && is_shut_out && !self.handled.contains(&event)) {
            self.handled.push(event);
            self.record_retrievals();
            self.record_failure();
            self.history.push("issued by vendor".to_owned());
            self.paid = paid;
            self.issue_next();
        } else if paid && !self.paid {
            self.history.push("paid by vendor".to_owned());
            self.paid = true;
        }
    }

    /// Returns whether the temporary password of the issue is stored.
    fn is_sealed(&self) -> bool {
        !self.signed_in && !self.changed && !self.withdrawn && !self.life.has_ended
    }

    /// Starts the next issue, with a new temporary password and three retrievals. It voids the earlier issue. Its mail goes to the same
    /// address, if that takes mail.
    fn issue_next(&mut self) {
        self.issue += 1;
        (self.signed_in, self.changed, self.withdrawn) = (false, false, false);
        self.retrievals.clear();
        (self.round, self.resent_at, self.renewed_at) = (0, None, None);
        self.report = self.report.filter(|(what, _)| what.rules_address_out());
        self.mails += u64::from(self.report.is_none());
        self.mail_waits = self.holds_mails;
        self.expires_at = self.now + LIFETIME;
        let password = Password::Temporary(self.issue);
        let version = self.accounts.get(&UserName::Admin).map_or(1, |admin| admin.version + 1);
        let admin = Account {
            password,
            temporary: true,
            active: true,
            version,
            signed_in: false,
            closed: false,
            expires_at: 0,
            created_by: None,
        };
        self.accounts.insert(UserName::Admin, admin);
    }

    /// Writes the retrievals of the issue into the history, once: the first operation that ends its retrievals does so.
    fn record_retrievals(&mut self) {
        if !self.signed_in {
            self.history.extend(self.retrievals.keys().map(|(person, _)| format!("retrieved by {person}")));
        }
    }

    /// Writes the failure of a mail that another one replaces into the history.
    fn record_failure(&mut self) {
        let failure = self.report.filter(|(what, _)| *what == Report::MailboxFull || what.rules_address_out());
        self.history.extend(failure.map(|(what, _)| format!("mail-{} by vendor", what.status().0)));
    }

    /// Returns whether the person is a portal user of the subscription.
    fn is_admitted(&self, person: Person) -> bool {
        self.issue > 0 && self.desk.users.contains(&person)
    }

    fn retrieve(&mut self, person: Person, key: Label) -> Reply {
        if !self.is_admitted(person) {
            return reply(404, "not-found");
        }
        let is_before_issue = self.now + LIFETIME < self.expires_at;
        let is_sealed = self.is_sealed() && !is_before_issue;
        let is_open = is_sealed && self.now < self.expires_at;
        let counted = self.retrievals.get(&(person, key)).copied();
        let shows = match counted {
            Some(at) => is_open && self.now < at + REPLAY,
            None => is_open && self.retrievals.len() < 3,
        };
        if shows {
            self.retrievals.entry((person, key)).or_insert(self.now);
            return (200, format!("the password of issue {}, {} used", self.issue, self.retrievals.len()));
        }
        match self.reasons(person).join(", ") {
            none if none.is_empty() && is_before_issue => reply(503, "unavailable"),
            none if none.is_empty() => reply(409, "conflict"),
            reasons => (200, format!("blank: {reasons}; {} used", self.retrievals.len())),
        }
    }

    fn reasons(&self, person: Person) -> Vec<&'static str> {
        let used_up = self.retrievals.len() == 3;
        let by_others = used_up && self.retrievals.keys().any(|(other, _)| *other != person);
        let reasons = [
            (self.signed_in, "administrator-signed-in"),
            (self.changed, "administrator-changed-password"),
            (used_up, "retrieved-three-times"),
            (by_others, "retrieved-by-someone-else"),
            (self.expires_at <= self.now && !self.changed, "expired"),
            (self.life.has_ended, "subscription-ended"),
        ];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }

    fn contact_support(&mut self, person: Person, key: Label) -> Reply {
        if !self.is_admitted(person) {
            return reply(404, "not-found");
        }
        if !self.requests.contains(&(person, key)) {
            if self.requests.len() == 3 {
                return reply(429, "too-many-attempts");
            }
            self.requests.insert((person, key));
            self.history.push(format!("support-requested by {person}"));
        }
        reply(202, "")
    }

    fn resend(&mut self, person: Person) -> Reply {
        if !self.is_admitted(person) {
            return reply(404, "not-found");
        }
        let is_open = self.is_sealed() && self.now < self.expires_at;
        if !is_open || self.report.is_some_and(|(what, _)| what.rules_address_out()) {
            return reply(409, "conflict");
        }
        let passed = self.resent_at.map(|at| self.now - at);
        if passed.is_some_and(|passed| passed < SAME_RESEND) {
            return reply(202, "");
        }
        if self.round == 3 || self.mail_waits || passed.is_some_and(|passed| passed < RESEND_PAUSE) {
            return reply(429, "too-many-attempts");
        }
        self.record_failure();
        self.round += 1;
        (self.resent_at, self.report) = (Some(self.now), None);
        self.mails += 1;
        self.mail_waits = self.holds_mails;
        self.history.push(format!("mail-resent by {person}"));
        reply(202, "")
    }

    fn renew(&mut self, person: Person) -> Reply {
        if !self.is_admitted(person) {
            return reply(404, "not-found");
        }
        if self.life.has_ended || self.renewed_at.is_none_or(|at| self.now - at >= RENEWAL_WINDOW) {
            let is_dead_end = self.expires_at <= self.now && !self.changed && !self.handed_over && !self.life.has_ended;
            if !is_dead_end || self.retrievals.len() == 3 || self.renewals == 3 {
                return reply(409, "conflict");
            }
            self.record_retrievals();
            self.record_failure();
            self.history.push(format!("renewed by {person}"));
            self.issue_next();
            self.renewals += 1;
            self.renewed_at = Some(self.now);
        }
        (202, format!("issue {}", self.issue))
    }

    /// Takes a report on the mail of an issue and a round. Of two on one status, the earlier one counts.
    fn report(&mut self, mail: (u64, u64), (what, at): (Report, u64)) {
        let is_news = self.report.is_none_or(|(known, known_at)| {
            known.rank() < what.rank() || (known.rank() == what.rank() && at < known_at)
        });
        if self.issue > 0 && mail == (self.issue, self.round) && is_news {
            self.report = Some((what, at));
        }
    }

    fn sign_in(&mut self, who: UserName, password: Password, begins: Label) -> Reply {
        let (now, issue_expires_at) = (self.now, self.expires_at);
        let open = |account: &&mut Account| {
            let expires_at = if who == UserName::Admin { issue_expires_at } else { account.expires_at };
            let expired = expires_at <= now;
            account.active && !account.closed && account.password == password && !(account.temporary && expired)
        };
        let Some(account) = self.accounts.get_mut(&who).filter(open) else {
            return reply(401, "invalid-credentials");
        };
        self.sessions.insert(begins, Session { who, version: account.version, full: !account.temporary });
        if account.temporary {
            if who == UserName::Admin && !self.signed_in {
                self.record_retrievals();
                self.signed_in = true;
                self.history.push(format!("signed-in by {who}"));
            }
            return reply(200, "reset-password");
        }
        if who == UserName::Admin {
            return reply(200, "create-administrator");
        }
        if !account.signed_in {
            account.signed_in = true;
            self.history.push(format!("administrator-signed-in by {who}"));
            self.retire(who);
        }
        reply(200, "home")
    }

    /// Retires the service administrator, unless a reissue that is not used yet has made the account active again.
    fn retire(&mut self, by: UserName) {
        let admin = self.accounts.get_mut(&UserName::Admin);
        if let Some(admin) = admin.filter(|admin| admin.active && !admin.temporary) {
            admin.active = false;
            admin.version += 1;
            self.history.push(format!("service-administrator-retired by {by}: {}", UserName::Admin));
        }
    }

    fn reset(&mut self, session: Label, current: Option<Password>, to: Password, begins: Label) -> Reply {
        let Some(Session { who, .. }) = self.valid_session(session) else { return reply(401, "not-signed-in") };
        let Some(account) = self.accounts.get_mut(&who) else { return reply(401, "not-signed-in") };
        if current.is_some_and(|current| current != account.password) {
            return reply(401, "invalid-credentials");
        }
        let is_first_way_in = who != UserName::Admin && account.temporary && !account.signed_in;
        self.changed |= account.temporary && who == UserName::Admin;
        account.signed_in |= is_first_way_in;
        (account.password, account.temporary) = (to, false);
        (account.version, account.closed) = (account.version + 1, false);
        self.sessions.insert(begins, Session { who, version: account.version, full: true });
        self.history.push(format!("password-changed by {who}"));
        if is_first_way_in {
            self.history.push(format!("administrator-signed-in by {who}"));
            self.retire(who);
        }
        reply(200, if who == UserName::Admin { "create-administrator" } else { "home" })
    }

    fn create(&mut self, session: Label, who: UserName, key: Label) -> Reply {
        let by = match self.valid_session(session) {
            None => return reply(401, "not-signed-in"),
            Some(Session { full: false, .. }) => return reply(403, "forbidden"),
            Some(Session { who: UserName::Admin, .. }) => UserName::Admin,
            Some(_) => return reply(400, "invalid-request"),
        };
        let created_by = Some((by, key));
        if let Some(taken) = self.accounts.get(&who) {
            return if taken.created_by == created_by { reply(201, "") } else { reply(409, "user-name-taken") };
        }
        let new = Account {
            password: ADMINISTRATOR_PASSWORD,
            temporary: false,
            active: true,
            version: 1,
            signed_in: false,
            closed: false,
            expires_at: 0,
            created_by,
        };
        self.accounts.insert(who, new);
        self.handed_over = true;
        self.history.push(format!("administrator-created by {by}: {who}"));
        reply(201, "")
    }

    fn reissue(&mut self, issue: u64) -> Reply {
        if self.issue != issue {
            return reply(409, "conflict");
        }
        self.record_retrievals();
        self.history.push("reissued by support".to_owned());
        self.issue_next();
        reply(200, "reissued")
    }

    /// Returns the expected contents of the table, as lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.issue == 0 {
            return Vec::new();
        }
        let marks = [self.is_sealed(), self.signed_in, self.changed, self.handed_over];
        let numbers = [self.issue, self.renewals, self.history.len() as u64];
        let mut lines = vec![credential_line(numbers, self.paid, marks)];
        lines.extend(self.life.has_ended.then(|| ended_line(true)));
        let (status, detail) = self.report.map_or((UNREPORTED, ""), |(what, _)| what.status());
        lines.push(mail_line(self.issue, self.round, status, detail));
        lines.extend(self.retrievals.keys().map(|(person, _)| format!("retrieval of {person}")));
        lines.extend(self.accounts.iter().map(|(who, account)| {
            // The end may close an account twice.
            let version = Some(account.version).filter(|_| !self.life.has_ended_before);
            account_line(*who, [account.active, account.temporary, account.signed_in], version)
        }));
        let administrators = self.accounts.iter().filter(|(who, _)| **who != UserName::Admin);
        lines.extend(administrators.map(|(who, account)| administrator_line(who, account.active)));
        if !self.requests.is_empty() {
            lines.push(support_line(self.requests.len() as u64));
        }
        lines.extend(self.requests.iter().map(|(person, _)| format!("support request of {person}")));
        if self.desk.has_lines {
            lines.extend(self.desk.lines());
        }
        lines.extend(self.history.iter().enumerate().map(|(n, entry)| format!("{}. {entry}", n + 1)));
        lines
    }
}

/// Formats the line of a credential, whose numbers are: issue, renewals, last entry of the history; and whose marks are: sealed, signed in,
/// changed, handed over.
pub(crate) fn credential_line([issue, renewals, seq]: [u64; 3], paid: bool, marks: [bool; 4]) -> String {
    let [sealed, signed_in, changed, handed_over] = marks;
    format!(
        "issue {issue}, {renewals} renewals, paid {paid}, sealed {sealed}, signed in {signed_in}, changed {changed}, handed over {handed_over}, seq {seq}"
    )
}

/// The status of a mail on which SES has reported nothing. When it is sent is not specified.
pub(crate) const UNREPORTED: &str = "unreported";

/// Formats the line of the welcome mail.
pub(crate) fn mail_line(issue: u64, round: u64, status: &str, detail: &str) -> String {
    format!("mail of issue {issue}, round {round}: {status} {detail}")
}

/// Formats the line of a day's requests to support.
pub(crate) fn support_line(requests: u64) -> String {
    format!("support requests of the day: {requests}")
}

/// Formats the line of an account. The version of an account that an end has closed is not specified.
pub(crate) fn account_line(who: UserName, [active, temporary, signed_in]: [bool; 3], version: Option<u64>) -> String {
    let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
    format!("{who}: active {active}, temporary {temporary}, signed in {signed_in}{version}")
}

impl UserName {
    /// All user names.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Lee, Self::Mo];
}

impl Person {
    /// All people.
    pub const ALL: [Self; 5] = [Self::Dana, Self::It, Self::Kim, Self::Sam, Self::Stranger];
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
            Self::Lee => "lee",
            Self::Mo => "mo",
        })
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dana => "dana",
            Self::It => "it",
            Self::Kim => "kim",
            Self::Sam => "sam",
            Self::Stranger => "eve",
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { event, paid } => {
                write!(f, "start by event {event}, {}", if *paid { "paid" } else { "a trial" })
            }
            Self::Retrieve { person, key } => write!(f, "retrieval of {person} with key {key}"),
            Self::ContactSupport { person, key } => write!(f, "request of {person} to support with key {key}"),
            Self::Resend { person } => write!(f, "order of {person} to send the mail again"),
            Self::Renew { person } => write!(f, "renewal by {person}"),
            Self::Report { issue, round, what, at } => {
                write!(f, "report {what:?} at second {at} on the mail of issue {issue}, round {round}")
            }
            Self::SignIn { who, password, begins } => {
                write!(f, "sign-in of {who} with {password:?} (session {begins})")
            }
            Self::SignOut { session } => write!(f, "sign-out of session {session}"),
            Self::Reset { session, to, begins, .. } => {
                write!(f, "reset in session {session} to {to:?} (session {begins})")
            }
            Self::Create { session, who, key } => write!(f, "creation of {who} in session {session} with key {key}"),
            Self::Add { session, who, key, .. } => write!(f, "addition of {who} in session {session} with key {key}"),
            Self::Help { session, who, gives, .. } => {
                write!(f, "reset of {who} in session {session} (password {gives})")
            }
            Self::Remove { session, who, .. } => write!(f, "removal of {who} in session {session}"),
            Self::Enter { session, who, code } => {
                write!(f, "entry of {who} to the product in session {session} (code {code})")
            }
            Self::Redeem { code, gives } => write!(f, "use of code {code} (token {gives})"),
            Self::ReadUser { token } => write!(f, "look at the user of token {token}"),
            Self::End { at } => write!(f, "end at hour {at}"),
            Self::Restart { event, at } => write!(f, "start by event {event} at hour {at}"),
            Self::Purge => f.write_str("purge"),
            Self::Reissue { issue } => write!(f, "reissue of {issue}"),
            Self::Desk { operator, key, act } => write!(f, "{act} by {operator} with key {key}"),
            Self::LockOut { who } => write!(f, "a hundred failures to sign in as {who}"),
            Self::CheckSession { session } => write!(f, "look at session {session}"),
            Self::Wait { seconds } => write!(f, "{seconds} s pass"),
        }
    }
}
