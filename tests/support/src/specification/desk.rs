//! The support desk in the specification: what operators do alone, and what takes two of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Label, Person, Reply, State, UserName, reply};

/// An operator of the support desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// An operator.
    Olga,
    /// Another operator.
    Omar,
}

/// An act that an operator does with one click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeskAct {
    /// The start of the next issue.
    Reissue {
        /// The issue that the operator's page shows.
        issue: u64,
        /// The address that the mail is to go to instead of the one on file.
        to: Option<Person>,
        /// Whether the owner of the address on file remains a portal user.
        keeps_old_address: bool,
    },
    /// The addition of a portal user.
    AddPortalUser {
        /// The new portal user.
        person: Person,
    },
    /// The removal of a portal user.
    RemovePortalUser {
        /// The portal user.
        person: Person,
    },
    /// The unlocking of an account that failures of strangers have closed.
    Unlock {
        /// The account.
        who: UserName,
    },
    /// The decision on an approval.
    Decide {
        /// The key of the click that asked for the approval.
        approval: Label,
        /// Whether the operator approves.
        approves: bool,
    },
}

/// The lifetime of an approval, in seconds.
pub const APPROVAL_LIFETIME: u64 = 24 * 60 * 60;

/// The time for which the approval of a reissue or a portal user waits on a subscription that is handed over, in seconds.
pub const APPROVAL_WAIT: u64 = 60 * 60;

/// How often operators unlock accounts in one day.
const UNLOCKS_PER_DAY: u64 = 3;

/// An act that takes two operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SensitiveAct {
    Reissue { to: Option<Person>, keeps_old_address: bool },
    AddPortalUser(Person),
}

/// The state that the asker of an approval saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SeenState {
    issue: u64,
    address: Person,
    signed_in: bool,
    changed: bool,
    handed_over: bool,
}

/// The approval that was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Approval {
    /// The key of the click that asked.
    key: Label,
    asked_by: Operator,
    act: SensitiveAct,
    seen: SeenState,
    not_before: u64,
    expires_at: u64,
    decision: Option<(&'static str, Operator)>,
}

/// The portal users, the owner of the address on file, and the acts of operators.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Desk {
    /// The portal users.
    pub(super) users: BTreeSet<Person>,
    /// The portal users whom operators have removed.
    removed: BTreeSet<Person>,
    /// The owner of the address on file.
    address: Person,
    approval: Option<Approval>,
    /// The approvals on the list of those that are pending, by the keys of the clicks that asked.
    listed: BTreeSet<Label>,
    /// The clicks that were carried out, each with its answer.
    clicks: BTreeMap<(Operator, Label), (DeskAct, Reply)>,
    /// The number of times that accounts were unlocked, all of one day.
    unlocks: u64,
    pub(super) needs_approval: bool,
    /// Whether [`State::lines`] has lines of the desk.
    pub(super) has_lines: bool,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            users: BTreeSet::from([Person::Dana, Person::It, Person::Kim]),
            removed: BTreeSet::new(),
            address: Person::It,
            approval: None,
            listed: BTreeSet::new(),
            clicks: BTreeMap::new(),
            unlocks: 0,
            needs_approval: true,
            has_lines: false,
        }
    }

    /// Lets the portal users of a later start in, and the others out.
    pub(super) fn start_again(&mut self, users: impl IntoIterator<Item = Person>) {
        self.users = users.into_iter().collect();
        self.removed = &self.removed - &self.users;
        self.address = Person::It;
    }

    /// Returns a desk without any subscription in the same deployment.
    pub(super) fn emptied(&self) -> Self {
        Self { needs_approval: self.needs_approval, has_lines: self.has_lines, ..Self::new() }
    }

    fn admit(&mut self, person: Person) {
        self.users.insert(person);
        self.removed.remove(&person);
    }

    fn remove(&mut self, person: Person) {
        if self.users.remove(&person) {
            self.removed.insert(person);
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let users = self.users.iter().flat_map(|person| [user_line(*person), membership_line(*person)]);
        let mut lines: Vec<_> = users.chain(self.removed.iter().map(|person| removed_line(*person))).collect();
        lines.extend(self.approval.map(|approval| {
            let decision = approval.decision.map(|(outcome, by)| format!("{outcome} by {by}"));
            approval_line(&reason(approval.key), &approval.asked_by.to_string(), decision.as_deref())
        }));
        lines.extend(self.listed.iter().map(|key| listed_line(&reason(key))));
        if !self.clicks.is_empty() {
            lines.push(clicks_line(self.clicks.len()));
        }
        if self.unlocks > 0 {
            lines.push(unlocks_line(self.unlocks));
        }
        lines.sort();
        lines
    }
}

/// Returns the reason that an operator gives with the click of a key.
#[must_use]
pub fn reason(key: &str) -> String {
    format!("click {key}")
}

/// Formats the line of a portal user who is on the credential.
pub(crate) fn user_line(person: impl fmt::Display) -> String {
    format!("portal user {person}")
}

/// Formats the line of a portal user's listing.
pub(crate) fn membership_line(person: impl fmt::Display) -> String {
    format!("membership of {person}")
}

/// Formats the line of a portal user whom an operator has removed.
pub(crate) fn removed_line(person: impl fmt::Display) -> String {
    format!("removed portal user {person}")
}

/// Formats the line of an approval.
pub(crate) fn approval_line(reason: &str, asked_by: &str, decision: Option<&str>) -> String {
    format!("approval ({reason}) asked for by {asked_by}, {}", decision.unwrap_or("not decided"))
}

/// Formats the line of an approval on the list of those that are pending.
pub(crate) fn listed_line(reason: &str) -> String {
    format!("listed approval ({reason})")
}

/// Formats the line of the marks of clicks.
pub(crate) fn clicks_line(clicks: usize) -> String {
    format!("clicks of operators: {clicks}")
}

/// Formats the line of a day's unlocking.
pub(crate) fn unlocks_line(unlocks: u64) -> String {
    format!("unlocked {unlocks} times")
}

fn conflict() -> Reply {
    reply(409, "conflict")
}

impl State {
    /// Returns the same state, whose lines also have the portal users and what operators have done.
    #[must_use]
    pub fn with_desk_lines(mut self) -> Self {
        self.desk.has_lines = true;
        self
    }

    /// Returns the same state in a deployment where one operator does alone what else takes two.
    #[must_use]
    pub fn without_approvals(mut self) -> Self {
        self.desk.needs_approval = false;
        self
    }

    /// Carries out the click of an operator, or answers a retried one as before.
    pub(super) fn act(&mut self, operator: Operator, key: Label, act: DeskAct) -> Reply {
        if self.issue == 0 {
            return reply(404, "not-found");
        }
        if let Some((earlier, answer)) = self.desk.clicks.get(&(operator, key)) {
            return if *earlier == act { answer.clone() } else { conflict() };
        }
        let by = (operator, key);
        let answer = match act {
            DeskAct::Decide { approval, approves } => self.decide(by, approval, approves),
            _ if self.life.has_ended => conflict(),
            DeskAct::Reissue { issue, .. } if issue != self.issue => conflict(),
            DeskAct::Reissue { to, keeps_old_address, .. } => self.reissue_by(by, to, keeps_old_address),
            DeskAct::AddPortalUser { person } if self.desk.users.contains(&person) => conflict(),
            DeskAct::AddPortalUser { person } => self.ask_or_do(by, SensitiveAct::AddPortalUser(person)),
            DeskAct::RemovePortalUser { person } => self.remove_portal_user(by, person),
            DeskAct::Unlock { who } => self.unlock(by, who),
        };
        if answer.0 == 202 {
            self.desk.clicks.insert((operator, key), (act, answer.clone()));
        }
        answer
    }

    fn reissue_by(&mut self, by: (Operator, Label), to: Option<Person>, keeps_old_address: bool) -> Reply {
        let to = to.filter(|person| *person != self.desk.address);
        let act = SensitiveAct::Reissue { to, keeps_old_address };
        if to.is_some() || self.changed || self.handed_over {
            return self.ask_or_do(by, act);
        }
        self.carry_out(by, act, None, "");
        (202, format!("issue {}", self.issue))
    }

    /// Asks for the approval of an act, or does it at once in a deployment without approvals.
    fn ask_or_do(&mut self, (operator, key): (Operator, Label), act: SensitiveAct) -> Reply {
        if !self.desk.needs_approval {
            self.carry_out((operator, key), act, None, "without-approval");
            return match act {
                SensitiveAct::Reissue { .. } => (202, format!("issue {}", self.issue)),
                SensitiveAct::AddPortalUser(_) => reply(202, ""),
            };
        }
        if self.desk.approval.is_some_and(|other| other.decision.is_none() && self.now < other.expires_at) {
            return conflict();
        }
        let what = match act {
            SensitiveAct::Reissue { .. } => "reissue",
            SensitiveAct::AddPortalUser(_) => "add-portal-user",
        };
        let seen = self.seen();
        self.desk.approval = Some(Approval {
            key,
            asked_by: operator,
            act,
            seen,
            not_before: if seen.handed_over { self.now + APPROVAL_WAIT } else { self.now },
            expires_at: self.now + APPROVAL_LIFETIME,
            decision: None,
        });
        self.desk.listed.insert(key);
        self.enter("approval-requested", operator, what, key);
        (202, format!("approval {key}"))
    }

    fn seen(&self) -> SeenState {
        SeenState {
            issue: self.issue,
            address: self.desk.address,
            signed_in: self.signed_in,
            changed: self.changed,
            handed_over: self.handed_over,
        }
    }

    fn decide(&mut self, (operator, key): (Operator, Label), approval: Label, approves: bool) -> Reply {
        let Some(asked) = self.desk.approval.filter(|last| last.key == approval) else {
            return reply(404, "not-found");
        };
        if asked.decision.is_some() || asked.expires_at <= self.now {
            return conflict();
        }
        if asked.asked_by == operator {
            return reply(403, "forbidden");
        }
        let outcome = match (approves, asked.seen == self.seen() && !self.life.has_ended) {
            (false, _) => "rejected",
            (true, false) => "overtaken",
            (true, true) if self.now < asked.not_before => return conflict(),
            (true, true) => "approved",
        };
        self.desk.approval = Some(Approval { decision: Some((outcome, operator)), ..asked });
        self.desk.listed.remove(approval);
        match outcome {
            "approved" => self.carry_out((operator, asked.key), asked.act, Some(key), ""),
            _ => self.enter("approval-decided", operator, outcome, key),
        }
        if outcome == "overtaken" { conflict() } else { reply(202, outcome) }
    }

    /// Does what takes two. The entry of the act has the reason of the operator who asked, and that of the decision the reason of the one
    /// who decides.
    fn carry_out(
        &mut self,
        (operator, key): (Operator, Label),
        act: SensitiveAct,
        decided: Option<Label>,
        detail: &str,
    ) {
        if matches!(act, SensitiveAct::Reissue { .. }) {
            self.record_retrievals();
            self.record_failure();
        }
        if let Some(decided) = decided {
            self.enter("approval-decided", operator, "approved", decided);
        }
        match act {
            SensitiveAct::Reissue { to, keeps_old_address } => {
                self.enter("reissued", operator, detail, key);
                if let Some(person) = to {
                    if !keeps_old_address {
                        self.desk.remove(self.desk.address);
                    }
                    self.desk.admit(person);
                    self.desk.address = person;
                    self.report = None;
                }
                self.issue_next();
            }
            SensitiveAct::AddPortalUser(person) => {
                self.enter("portal-user-added", operator, detail, key);
                self.desk.admit(person);
            }
        }
    }

    fn remove_portal_user(&mut self, (operator, key): (Operator, Label), person: Person) -> Reply {
        if !self.desk.users.contains(&person) {
            return reply(404, "not-found");
        }
        if self.desk.users.len() == 1 {
            return conflict();
        }
        self.desk.remove(person);
        self.enter("portal-user-removed", operator, "", key);
        reply(202, "")
    }

    fn unlock(&mut self, (operator, key): (Operator, Label), who: UserName) -> Reply {
        let Some(account) = self.accounts.get_mut(&who) else { return reply(404, "not-found") };
        if !account.active || !account.closed {
            return conflict();
        }
        if self.desk.unlocks == UNLOCKS_PER_DAY {
            return reply(429, "too-many-attempts");
        }
        account.closed = false;
        self.desk.unlocks += 1;
        self.history.push(format!("account-unlocked by {operator}: {who} ({})", reason(key)));
        reply(202, "")
    }

    /// Adds an entry of the desk to the history.
    fn enter(&mut self, what: &str, operator: Operator, detail: &str, key: Label) {
        let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
        self.history.push(format!("{what} by {operator}{detail} ({})", reason(key)));
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Olga => "olga",
            Self::Omar => "omar",
        })
    }
}

impl fmt::Display for DeskAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reissue { issue, to: None, .. } => write!(f, "reissue of {issue}"),
            Self::Reissue { issue, to: Some(person), keeps_old_address } => {
                let kept = if *keeps_old_address { ", who keeps access" } else { "" };
                write!(f, "reissue of {issue} to {person} instead of the owner of the address on file{kept}")
            }
            Self::AddPortalUser { person } => write!(f, "addition of {person}"),
            Self::RemovePortalUser { person } => write!(f, "removal of {person}"),
            Self::Unlock { who } => write!(f, "unlocking of {who}"),
            Self::Decide { approval, approves } => {
                let decision = if *approves { "approval" } else { "refusal" };
                write!(f, "{decision} of what click {approval} asked for")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{LIFETIME, Op, Password};

    fn click(operator: Operator, key: Label, act: DeskAct) -> Op {
        Op::Desk { operator, key, act }
    }

    fn to_sam(key: Label) -> Op {
        let act = DeskAct::Reissue { issue: 1, to: Some(Person::Sam), keeps_old_address: false };
        click(Operator::Olga, key, act)
    }

    fn approve(operator: Operator, key: Label) -> Op {
        click(operator, key, DeskAct::Decide { approval: "ask", approves: true })
    }

    fn shown(state: &mut State, person: Person) -> u16 {
        state.apply(Op::Retrieve { person, key: "last" }).0
    }

    #[test]
    fn another_address_takes_two_operators_and_a_click_acts_once() {
        let mut state = State::started();
        assert_eq!(state.apply(to_sam("ask")), reply(202, "approval ask"));
        assert_eq!(state.apply(to_sam("ask")), reply(202, "approval ask"), "the same click");
        assert_eq!(state.apply(to_sam("other")), conflict(), "one is pending");
        assert_eq!(state.apply(approve(Operator::Olga, "own")), reply(403, "forbidden"));
        assert_eq!((shown(&mut state, Person::It), shown(&mut state, Person::Sam)), (200, 404));
        assert_eq!(state.apply(approve(Operator::Omar, "yes")), reply(202, "approved"));
        assert_eq!((shown(&mut state, Person::It), shown(&mut state, Person::Sam)), (404, 200));
        assert_eq!(state.apply(approve(Operator::Omar, "again")), conflict());
        assert_eq!(state.apply(approve(Operator::Omar, "yes")), reply(202, "approved"), "the same click");
        assert_eq!(state.issue, 2);
    }

    #[test]
    fn a_sign_in_overtakes_an_approval_and_a_day_ends_it() {
        let mut state = State::started();
        state.apply(to_sam("ask"));
        let mut late = state.clone();
        let password = Password::Temporary(1);
        state.apply(Op::SignIn { who: UserName::Admin, password, begins: "s" });
        assert_eq!(state.apply(approve(Operator::Omar, "yes")), conflict());
        assert_eq!(state.apply(to_sam("more")), reply(202, "approval more"), "the first one is settled");
        late.apply(Op::Wait { seconds: APPROVAL_LIFETIME });
        assert_eq!(late.apply(approve(Operator::Omar, "yes")), conflict());
        assert_eq!(late.issue, 1);
        assert_eq!(late.apply(to_sam("more")), reply(202, "approval more"));
    }

    #[test]
    fn a_reissue_voids_passwords_and_sessions_in_every_state() {
        let mut state = State::started();
        let (temporary, chosen) = (Password::Temporary(1), Password::Chosen(0));
        let sign_in = |password, begins| Op::SignIn { who: UserName::Admin, password, begins };
        state.apply(sign_in(temporary, "s"));
        state.apply(Op::Reset { session: "s", current: None, to: chosen, begins: "f" });
        let reissue = DeskAct::Reissue { issue: 1, to: None, keeps_old_address: false };
        assert_eq!(state.apply(click(Operator::Olga, "ask", reissue)), reply(202, "approval ask"));
        assert_eq!(state.apply(approve(Operator::Omar, "yes")), reply(202, "approved"));
        assert_eq!(state.apply(Op::CheckSession { session: "f" }).0, 401);
        assert_eq!((state.apply(sign_in(temporary, "t")).0, state.apply(sign_in(chosen, "u")).0), (401, 401));
        assert_eq!(state.apply(sign_in(Password::Temporary(2), "v")).0, 200);
        state.apply(Op::Wait { seconds: LIFETIME });
        let again = DeskAct::Reissue { issue: 2, to: None, keeps_old_address: false };
        assert_eq!(state.apply(click(Operator::Olga, "again", again)), reply(202, "issue 3"));
    }
}
