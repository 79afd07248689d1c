//! What the product means, written apart from its code: one subscription, as operations leave it that are carried out one after the
//! other. No table, no AWS, no race.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Who has an account in the Administration Center.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The service administrator.
    Admin,
    /// An administrator.
    Lee,
    /// Another one.
    Mo,
}

/// Who signs in to the Customer Portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// A portal user.
    Dana,
    /// Another one.
    Kim,
    /// No portal user.
    Stranger,
}

/// A password by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Password {
    /// The one of an issue.
    Temporary(u64),
    /// One that a person has chosen.
    Chosen(usize),
}

/// A session, a click or an event by the name that it has in a test.
pub type Label = &'static str;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `SubscriptionStarted` is delivered.
    Start {
        /// Its id: delivered again it is the same event.
        event: Label,
        /// Whether somebody pays.
        paid: bool,
    },
    /// A click on **Get credentials**.
    Retrieve {
        /// Whose.
        person: Person,
        /// The key of the click.
        key: Label,
    },
    /// Somebody asks support.
    Ask {
        /// Who.
        person: Person,
        /// The key of the click.
        key: Label,
    },
    /// Somebody signs in.
    SignIn {
        /// To which account.
        who: Who,
        /// With which password.
        password: Password,
        /// The session that begins, if one does.
        begins: Label,
    },
    /// Somebody signs out.
    SignOut {
        /// Of this session.
        session: Label,
    },
    /// Somebody chooses a password.
    Reset {
        /// In this session.
        session: Label,
        /// The current one, where it is asked for.
        current: Option<Password>,
        /// The new one.
        to: Password,
        /// The session that begins.
        begins: Label,
    },
    /// Somebody creates an administrator, whose password is [`OWN`].
    Create {
        /// In this session.
        session: Label,
        /// Whom.
        who: Who,
        /// The key of the click.
        key: Label,
    },
    /// Support issues new credentials.
    Reissue {
        /// In place of this issue.
        of: u64,
    },
    /// Somebody looks whether a session is good, and changes nothing.
    Look {
        /// Which.
        session: Label,
    },
    /// Time passes.
    Pass {
        /// So much of it.
        seconds: u64,
    },
}

/// The password of every administrator that is created.
pub const OWN: Password = Password::Chosen(3);

/// Until when a temporary password works, in seconds.
pub const LIFETIME: u64 = 7 * 24 * 60 * 60;

/// How long one click shows the same again, in seconds.
const REPLAY: u64 = 600;

/// An answer: its status, and where to go on, what is shown or what was wrong.
pub type Told = (u16, String);

/// An answer.
#[must_use]
pub fn told(status: u16, what: &str) -> Told {
    (status, what.to_owned())
}

/// An account of the Administration Center.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// What signs in to it.
    pub password: Password,
    /// Whether that is the one of an issue, and good for a reset alone.
    pub temporary: bool,
    /// Whether it signs in at all.
    pub active: bool,
    /// How often its password or its state was written.
    pub version: u64,
    /// Whether its administrator has signed in.
    pub signed_in: bool,
    /// By whom, and with which click.
    pub created_by: Option<(Who, Label)>,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Whose.
    pub who: Who,
    /// The version of the account that it began with.
    pub version: u64,
    /// Whether it may do more than reset a temporary password.
    pub full: bool,
}

/// A subscription as the operations leave it that are carried out one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each stands by itself, as in the table")]
pub struct State {
    /// Those that exist.
    pub accounts: BTreeMap<Who, Account>,
    /// Those that have begun, good or not.
    pub sessions: BTreeMap<Label, Session>,
    /// The generation of temporary credentials; 0 before the subscription has started.
    pub issue: u64,
    paid: bool,
    signed_in: bool,
    changed: bool,
    handed_over: bool,
    /// When the password of the issue stops working.
    expires_at: u64,
    /// Of this issue: whose click, and when.
    retrievals: BTreeMap<(Person, Label), u64>,
    /// Those to support, all of one day.
    requests: BTreeSet<(Person, Label)>,
    /// Events that have started an issue.
    handled: Vec<Label>,
    history: Vec<String>,
    now: u64,
}

impl State {
    /// Before anything.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            issue: 0,
            paid: false,
            signed_in: false,
            changed: false,
            handed_over: false,
            expires_at: 0,
            retrievals: BTreeMap::new(),
            requests: BTreeSet::new(),
            handled: Vec::new(),
            history: Vec::new(),
            now: 0,
        }
    }

    /// After the first `SubscriptionStarted`, of a trial.
    #[must_use]
    pub fn started() -> Self {
        let mut state = Self::nothing();
        state.apply(Op::Start { event: "trial", paid: false });
        state
    }

    /// The session, if it is good.
    #[must_use]
    pub fn good(&self, session: Label) -> Option<Session> {
        let session = *self.sessions.get(session)?;
        let account = &self.accounts[&session.who];
        (account.active && account.version == session.version).then_some(session)
    }

    /// Carries out one operation, and answers it.
    pub fn apply(&mut self, op: Op) -> Told {
        match op {
            Op::Start { event, paid } => self.start(event, paid),
            Op::Retrieve { person, key } => self.retrieve(person, key),
            Op::Ask { person, key } => self.ask(person, key),
            Op::SignIn { who, password, begins } => self.sign_in(who, password, begins),
            Op::SignOut { session } => {
                self.sessions.remove(session);
                told(204, "")
            }
            Op::Reset { session, current, to, begins } => self.reset(session, current, to, begins),
            Op::Create { session, who, key } => self.create(session, who, key),
            Op::Reissue { of } => self.reissue(of),
            Op::Look { session } => match self.good(session) {
                Some(_) => told(422, "password-too-short"),
                None => told(401, "not-signed-in"),
            },
            Op::Pass { seconds } => {
                self.now += seconds;
                told(200, "")
            }
        }
    }

    fn start(&mut self, event: Label, paid: bool) -> Told {
        let expired = self.expires_at <= self.now && !self.changed;
        let used_up = self.retrievals.len() == 3 && !self.signed_in && !self.changed;
        let is_new = self.issue == 0;
        if is_new || (paid && (expired || used_up) && !self.handled.contains(&event)) {
            self.handled.push(event);
            self.record_retrievals();
            self.history.push("issued by vendor".to_owned());
            self.paid = paid;
            self.issue_next();
        } else if paid && !self.paid {
            self.history.push("paid by vendor".to_owned());
            self.paid = true;
        }
        told(200, "done")
    }

    /// A new temporary password, three new retrievals; everything old is void.
    fn issue_next(&mut self) {
        self.issue += 1;
        (self.signed_in, self.changed) = (false, false);
        self.retrievals.clear();
        self.expires_at = self.now + LIFETIME;
        let password = Password::Temporary(self.issue);
        let version = self.accounts.get(&Who::Admin).map_or(1, |admin| admin.version + 1);
        let admin = Account { password, temporary: true, active: true, version, signed_in: false, created_by: None };
        self.accounts.insert(Who::Admin, admin);
    }

    /// Whoever ends the retrieval of an issue puts those that there were into the history, once.
    fn record_retrievals(&mut self) {
        if !self.signed_in {
            self.history.extend(self.retrievals.keys().map(|(person, _)| format!("retrieved by {person}")));
        }
    }

    fn retrieve(&mut self, person: Person, key: Label) -> Told {
        if person == Person::Stranger || self.issue == 0 {
            return told(404, "not-found");
        }
        let is_open = !self.signed_in && !self.changed && self.now < self.expires_at;
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
            none if none.is_empty() => told(409, "conflict"),
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
        ];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }

    fn ask(&mut self, person: Person, key: Label) -> Told {
        if person == Person::Stranger || self.issue == 0 {
            return told(404, "not-found");
        }
        if !self.requests.contains(&(person, key)) {
            if self.requests.len() == 3 {
                return told(429, "too-many-attempts");
            }
            self.requests.insert((person, key));
            self.history.push(format!("support-requested by {person}"));
        }
        told(202, "")
    }

    fn sign_in(&mut self, who: Who, password: Password, begins: Label) -> Told {
        let expired = self.expires_at <= self.now;
        let open =
            |account: &&mut Account| account.active && account.password == password && !(account.temporary && expired);
        let Some(account) = self.accounts.get_mut(&who).filter(open) else {
            return told(401, "invalid-credentials");
        };
        self.sessions.insert(begins, Session { who, version: account.version, full: !account.temporary });
        if account.temporary {
            if !self.signed_in {
                self.record_retrievals();
                self.signed_in = true;
                self.history.push(format!("signed-in by {who}"));
            }
            return told(200, "reset-password");
        }
        if who == Who::Admin {
            return told(200, "create-administrator");
        }
        if !account.signed_in {
            account.signed_in = true;
            self.history.push(format!("administrator-signed-in by {who}"));
            self.retire(who);
        }
        told(200, "home")
    }

    fn retire(&mut self, by: Who) {
        if let Some(admin) = self.accounts.get_mut(&Who::Admin).filter(|admin| admin.active) {
            admin.active = false;
            admin.version += 1;
            self.history.push(format!("service-administrator-retired by {by}: {}", Who::Admin));
        }
    }

    fn reset(&mut self, session: Label, current: Option<Password>, to: Password, begins: Label) -> Told {
        let Some(Session { who, .. }) = self.good(session) else { return told(401, "not-signed-in") };
        let Some(account) = self.accounts.get_mut(&who) else { return told(401, "not-signed-in") };
        if current.is_some_and(|current| current != account.password) {
            return told(401, "invalid-credentials");
        }
        self.changed |= account.temporary;
        (account.password, account.temporary) = (to, false);
        account.version += 1;
        self.sessions.insert(begins, Session { who, version: account.version, full: true });
        self.history.push(format!("password-changed by {who}"));
        told(200, if who == Who::Admin { "create-administrator" } else { "home" })
    }

    fn create(&mut self, session: Label, who: Who, key: Label) -> Told {
        let by = match self.good(session) {
            None => return told(401, "not-signed-in"),
            Some(Session { full: false, .. }) => return told(403, "forbidden"),
            Some(Session { who, .. }) => who,
        };
        let created_by = Some((by, key));
        if let Some(taken) = self.accounts.get(&who) {
            return if taken.created_by == created_by { told(201, "") } else { told(409, "user-name-taken") };
        }
        let new = Account { password: OWN, temporary: false, active: true, version: 1, signed_in: false, created_by };
        self.accounts.insert(who, new);
        self.handed_over = true;
        self.history.push(format!("administrator-created by {by}: {who}"));
        told(201, "")
    }

    fn reissue(&mut self, of: u64) -> Told {
        if self.issue != of {
            return told(409, "conflict");
        }
        self.record_retrievals();
        self.history.push("reissued by support".to_owned());
        self.issue_next();
        told(200, "reissued")
    }

    /// What the table has to hold, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.issue == 0 {
            return Vec::new();
        }
        let sealed = !self.signed_in && !self.changed;
        let marks = [sealed, self.signed_in, self.changed, self.handed_over];
        let mut lines = vec![credential_line(self.issue, self.paid, marks, self.history.len() as u64)];
        lines.extend(self.retrievals.keys().map(|(person, _)| format!("retrieval of {person}")));
        lines.extend(self.accounts.iter().map(|(who, account)| {
            account_line(*who, [account.active, account.temporary, account.signed_in], account.version)
        }));
        let administrators = self.accounts.keys().filter(|who| **who != Who::Admin);
        lines.extend(administrators.map(|who| format!("administrator {who}")));
        if !self.requests.is_empty() {
            lines.push(support_line(self.requests.len() as u64));
        }
        lines.extend(self.requests.iter().map(|(person, _)| format!("support request of {person}")));
        lines.extend(self.history.iter().enumerate().map(|(n, entry)| format!("{}. {entry}", n + 1)));
        lines
    }
}

/// The line of a credential, whose marks are: sealed, signed in, changed, handed over.
pub(crate) fn credential_line(issue: u64, paid: bool, marks: [bool; 4], seq: u64) -> String {
    let [sealed, signed_in, changed, handed_over] = marks;
    format!(
        "issue {issue}, paid {paid}, sealed {sealed}, signed in {signed_in}, changed {changed}, handed over {handed_over}, seq {seq}"
    )
}

/// The line of a day on which support was asked.
pub(crate) fn support_line(requests: u64) -> String {
    format!("support requests of the day: {requests}")
}

pub(crate) fn account_line(who: Who, [active, temporary, signed_in]: [bool; 3], version: u64) -> String {
    format!("{who}: active {active}, temporary {temporary}, signed in {signed_in}, version {version}")
}

impl Who {
    /// Everybody.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Lee, Self::Mo];
}

impl fmt::Display for Who {
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
            Self::Kim => "kim",
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
            Self::Ask { person, key } => write!(f, "request of {person} to support with key {key}"),
            Self::SignIn { who, password, begins } => {
                write!(f, "sign-in of {who} with {password:?} (session {begins})")
            }
            Self::SignOut { session } => write!(f, "sign-out of session {session}"),
            Self::Reset { session, to, begins, .. } => {
                write!(f, "reset in session {session} to {to:?} (session {begins})")
            }
            Self::Create { session, who, key } => write!(f, "creation of {who} in session {session} with key {key}"),
            Self::Reissue { of } => write!(f, "reissue of {of}"),
            Self::Look { session } => write!(f, "look at session {session}"),
            Self::Pass { seconds } => write!(f, "{seconds} s pass"),
        }
    }
}
