//! Orders to send the welcome mail again.

use std::time::Duration;

use domain::{
    Caller, Credential, EmailAddress, HistoryCode, ResendDecision, SubscriptionId, Timestamp, WelcomeMail,
    mail::RESEND_PAUSE,
};

use super::{
    Table, credential,
    history::{Entries, Entry},
    mail,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Orders welcome mails again, for portal users.
pub struct Resends(Table);

/// The result of [`Resends::order`].
pub enum ResendOutcome {
    /// The mail is ordered again, to this address.
    Ordered(EmailAddress),
    /// The mail was ordered again at this time, less than a minute ago.
    OrderedBefore(EmailAddress, Timestamp),
    /// The mail may be ordered again after this time.
    TooEarly(Duration),
    /// The mail of this issue was ordered as often as it may be. The time, until the issue ends, is longer than any of
    /// [`ResendOutcome::TooEarly`], so that a reader of `Retry-After` can tell them apart.
    UsedUp(Duration),
    /// Another mail would be of no use.
    Impossible,
    /// There is no such subscription, or the caller is not a portal user of it: the answer is the same.
    NoSubscription,
}

const OPERATION: &str = "dynamodb TransactWriteItems (resend)";

impl Resends {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Orders the welcome mail of a subscription again, if `caller` is a portal user of it and the mail may be sent again at `now`.
    pub async fn order(
        &self,
        subscription: &SubscriptionId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<ResendOutcome, Failure> {
        through_races(OPERATION, None::<Credential>, |_| async move {
            let (known, item) = futures_util::try_join!(
                self.0.credential_for(subscription, caller),
                self.0.get("dynamodb GetItem (mail)", mail::key(subscription)),
            )?;
            let Some(known) = known else {
                return Ok(Race::Decided(ResendOutcome::NoSubscription));
            };
            let item = item.ok_or_else(|| Failure::unreadable("item", "MAIL"))?;
            let sent = mail::from_item(&item)?;
            if sent.issue != known.issue {
                return Ok(Race::Lost);
            }
            let to = || sent.to.clone();
            Ok(match sent.judge_resend(&known, mail::leased_until(&item)?, now) {
                ResendDecision::Send => match self.transaction(&known, &sent, caller, now)?.commit().await? {
                    Commit::Done => Race::Decided(ResendOutcome::Ordered(to())),
                    Commit::Refused(_) => Race::Lost,
                },
                ResendDecision::AlreadyOrdered(at) => Race::Decided(ResendOutcome::OrderedBefore(to(), at)),
                ResendDecision::TooEarly(wait) => Race::Decided(ResendOutcome::TooEarly(wait)),
                ResendDecision::UsedUp => {
                    Race::Decided(ResendOutcome::UsedUp(known.expires_at.since(now).max(RESEND_PAUSE * 2)))
                }
                ResendDecision::Impossible => Race::Decided(ResendOutcome::Impossible),
            })
        })
        .await
    }

    fn transaction(
        &self,
        known: &Credential,
        sent: &WelcomeMail,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let entry = Entry::new(HistoryCode::MailResent, caller, now, known.issue);
        let entries = Entries::after(known).and_failure_of(sent).and(&entry);
        Transaction::new(&self.0, OPERATION)
            .update(Part::Mail, mail::order_again(&known.subscription, sent, now))?
            .update(Part::Credential, credential::resend(known, entries.seq(), now))?
            .put_history(entries)
    }
}
