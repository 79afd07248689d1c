//! The acts of operators: what each one looks up first, and the writes that it makes beside its own. An act, its entries in the history,
//! the mark of its click and the decision on its approval are one transaction.

use domain::{
    Approval, Credential, Decision, HistoryCode, LookUpActOutcome, Operator, OperatorClick, PortalUserChange, Reason,
    SubscriptionId, Timestamp, WelcomeMail, history::WITHOUT_APPROVAL,
};

use super::{
    Table, approval, credential,
    history::{Entries, Entry},
    item::Reader,
    mail,
    names::{Key, SK},
    operator_click::{self, AnsweredClick},
    portal_user,
    transaction::{Commit, Part, Transaction},
};
use crate::Failure;

/// Looks up what operators act on, adds and removes portal users, and asks for approvals and settles them.
pub struct OperatorActs(Table);

/// The state of a subscription at the beginning of an act. It has no `Debug`, because it holds personal data.
pub struct DeskState {
    /// The credential.
    pub credential: Credential,
    /// The welcome mail, whose address is the one on file.
    pub mail: WelcomeMail,
    /// The last approval that was asked for.
    pub approval: Option<Approval>,
}

/// The result of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActOutcome {
    /// The act is carried out.
    Done,
    /// Something changed in between: look up again and decide again.
    LostRace,
}

/// The consent of a second operator.
pub enum Consent<'a> {
    /// The act is not sensitive.
    Unneeded,
    /// The act is sensitive, and the deployment asks for no approval.
    Waived,
    /// The second operator decides on this approval with the act.
    Given {
        /// The approval, which is pending.
        approval: &'a Approval,
        /// The decision on it.
        decision: &'a Decision,
        /// The reason of the second operator, if they give one.
        reason: Option<&'a Reason>,
    },
}

/// An act of an operator.
pub struct OperatorAct<'a> {
    /// The operator who acts: the second one, if the act took an approval.
    pub operator: &'a Operator,
    /// Why: the reason of the operator who asked, if the act took an approval.
    pub reason: &'a Reason,
    /// The consent of the second operator.
    pub consent: Consent<'a>,
    /// The click with its answer.
    pub answered: AnsweredClick<'a>,
    /// The time of the act.
    pub at: Timestamp,
}

impl OperatorAct<'_> {
    /// Adds the entries of the act with the code `what`: that of the decision, and its own.
    pub(super) fn add_entries<'e>(
        &self,
        entries: Entries<'e>,
        known: &Credential,
        what: HistoryCode,
        next: &Credential,
    ) -> Entries<'e> {
        let own = Entry::new(what, self.operator, self.at, next.issue).with_reason(self.reason);
        match &self.consent {
            Consent::Unneeded => entries.and(&own),
            Consent::Waived => entries.and(&own.with_detail(WITHOUT_APPROVAL)),
            Consent::Given { decision, reason, .. } => entries.and(&decided(decision, *reason, known)).and(&own),
        }
    }

    /// Adds the mark of the click, and the decision on the approval.
    pub(super) fn add_to<'t>(
        &self,
        transaction: Transaction<'t>,
        subscription: &SubscriptionId,
    ) -> Result<Transaction<'t>, Failure> {
        let transaction = operator_click::put(transaction, subscription, self.answered, self.at)?;
        match &self.consent {
            Consent::Unneeded | Consent::Waived => Ok(transaction),
            Consent::Given { approval, decision, .. } => decide(transaction, approval, decision),
        }
    }
}

/// Returns the entry of a decision on an approval.
fn decided<'a>(decision: &'a Decision, reason: Option<&'a Reason>, known: &Credential) -> Entry<'a> {
    let entry = Entry::new(HistoryCode::ApprovalDecided, &decision.by, decision.at, known.issue);
    let entry = entry.with_detail(decision.outcome.as_str());
    match reason {
        Some(reason) => entry.with_reason(reason),
        None => entry,
    }
}

/// Adds the decision on an approval, which leaves the list of those that are pending.
fn decide<'a>(
    transaction: Transaction<'a>,
    approval: &Approval,
    decision: &Decision,
) -> Result<Transaction<'a>, Failure> {
    transaction
        .update(Part::Approval, approval::decide(approval, decision))?
        .delete(Part::ApprovalCopy, approval::copy_key(&approval.subscription, &approval.id))
}

impl OperatorActs {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Looks up the subscription of an act, in one round trip, and whether the click was carried out before.
    pub async fn look_up(
        &self,
        subscription: &SubscriptionId,
        click: &OperatorClick,
        now: Timestamp,
    ) -> Result<LookUpActOutcome<DeskState>, Failure> {
        let keys = [
            credential::key(subscription),
            mail::key(subscription),
            approval::key(subscription),
            operator_click::key(subscription, click),
        ];
        let keys = keys.map(Key::into_map).to_vec();
        let (mut credential, mut mail, mut approval) = (None, None, None);
        for item in self.0.batch_get("dynamodb BatchGetItem (act of an operator)", keys, &[]).await? {
            match Reader(&item).text(SK)? {
                credential::SORT_KEY => credential = Some(credential::from_item(&item)?),
                mail::SORT_KEY => mail = Some(mail::from_item(&item)?),
                approval::SORT_KEY => approval = Some(approval::from_item(&item)?),
                _ => match operator_click::from_item(&item, now)? {
                    Some(earlier) if earlier.request == click.request() => {
                        return Ok(LookUpActOutcome::Answered(earlier.answer));
                    }
                    Some(_) => return Ok(LookUpActOutcome::AnotherRequest),
                    None => {}
                },
            }
        }
        let Some(credential) = credential else { return Ok(LookUpActOutcome::NotFound) };
        let mail = mail.ok_or_else(|| Failure::unreadable("item", mail::SORT_KEY))?;
        Ok(LookUpActOutcome::New(Box::new(DeskState { credential, mail, approval })))
    }

    /// Changes the portal users by `change`, which adds one or removes one: the right, the membership and the listing at once. The mark of who
    /// is removed stays, so that no event brings them back. `next` is the credential after that.
    pub async fn change_portal_users(
        &self,
        known: &DeskState,
        next: &Credential,
        change: &PortalUserChange,
        act: &OperatorAct<'_>,
    ) -> Result<ActOutcome, Failure> {
        let known = &known.credential;
        let what = match change.added {
            Some(_) => HistoryCode::PortalUserAdded,
            None => HistoryCode::PortalUserRemoved,
        };
        let entries = act.add_entries(Entries::after(known), known, what, next);
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (change portal users)")
            .update(Part::Credential, credential::change_portal_users(known, next, entries.seq()))?
            .put_history(entries)?;
        let transaction = portal_user::write_change(transaction, &known.subscription, change, act.at)?;
        commit(act.add_to(transaction, &known.subscription)?).await
    }

    /// Asks for `approval` on the subscription of `known`, if none is pending there.
    pub async fn ask(
        &self,
        known: &DeskState,
        approval: &Approval,
        answered: AnsweredClick<'_>,
    ) -> Result<ActOutcome, Failure> {
        let known = &known.credential;
        let (id, now) = (&known.subscription, approval.asked_at);
        let entry = Entry::new(HistoryCode::ApprovalRequested, &approval.asked_by, now, known.issue);
        let entry = entry.with_detail(approval.act.code()).with_reason(&approval.reason);
        let entries = Entries::after(known).and(&entry);
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (ask for approval)")
            .update(Part::Credential, credential::advance(known, entries.seq()))?
            .replace(Part::Approval, approval::to_item(approval), approval::none_is_pending(id, now))?
            .put(Part::ApprovalCopy, approval::copy_to_item(approval))?
            .put_history(entries)?;
        commit(operator_click::put(transaction, id, answered, now)?).await
    }

    /// Records a decision with which nothing is carried out: a refusal, or that the approval is overtaken, also by the end of the
    /// subscription. Only a click that was answered without a problem has a mark.
    pub async fn settle(
        &self,
        known: &DeskState,
        approval: &Approval,
        decision: &Decision,
        reason: Option<&Reason>,
        answered: Option<AnsweredClick<'_>>,
    ) -> Result<ActOutcome, Failure> {
        let known = &known.credential;
        let entries = Entries::after(known).and(&decided(decision, reason, known));
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (settle approval)")
            .update(Part::Credential, credential::note(known, entries.seq()))?
            .put_history(entries)?;
        let transaction = decide(transaction, approval, decision)?;
        commit(match answered {
            Some(answered) => operator_click::put(transaction, &known.subscription, answered, decision.at)?,
            None => transaction,
        })
        .await
    }
}

/// Commits the transaction of an act. Whatever refuses it has changed in between, so the act is decided again.
pub(super) async fn commit(transaction: Transaction<'_>) -> Result<ActOutcome, Failure> {
    Ok(match transaction.commit().await? {
        Commit::Done => ActOutcome::Done,
        Commit::Refused(_) => ActOutcome::LostRace,
    })
}
