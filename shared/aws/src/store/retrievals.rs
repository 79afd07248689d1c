//! Retrievals: one conditional write is authorisation, cap, expiry and state check at once.

use domain::{Caller, Credential, Issue, Refusal, RetrievalId, SubscriptionId, Timestamp};
use tokio::time::timeout;

use super::{Table, credential, transaction::Write};
use crate::{Failure, retry::OPERATION_TIMEOUT};

/// Counts retrievals, and does nothing else.
pub struct Retrievals(Table);

/// The result of [`Retrievals::retrieve`].
pub enum RetrieveOutcome {
    /// The retrieval is counted; the credential includes it.
    Counted(Box<Credential>),
    /// Nothing is counted.
    Refused {
        /// The credential as it was when the condition was checked.
        credential: Box<Credential>,
        /// The meaning of the refusal.
        refusal: Refusal,
    },
    /// There is no such subscription.
    NoSubscription,
}

const OPERATION: &str = "dynamodb UpdateItem (retrieve)";

impl Retrievals {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Counts `click` of `caller`, if the password may be shown to them at `now` and the click is new.
    ///
    /// Every retry, here or in the SDK, is of the same click and the same issue. A click that was counted before recognises itself in the item
    /// of a refusal, and an attempt that is carried out late, after the next issue has begun, is not counted there. Nothing is read before the write, so it
    /// asks for the first issue, which most subscriptions never leave. If it is refused for that reason alone, the item of the refusal
    /// has the right issue, and the write is sent again for it. All attempts together have the time of one operation.
    pub async fn retrieve(
        &self,
        subscription: &SubscriptionId,
        click: &RetrievalId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<RetrieveOutcome, Failure> {
        let until_decided = async {
            let mut issue = Issue::FIRST;
            loop {
                let outcome = self.retrieve_once(subscription, issue, click, caller, now).await?;
                match outcome.issue_to_ask_for(issue) {
                    Some(right) => issue = right,
                    None => return Ok(outcome),
                }
            }
        };
        timeout(OPERATION_TIMEOUT, until_decided).await.unwrap_or_else(|_| Err(Failure::timed_out(OPERATION)))
    }

    async fn retrieve_once(
        &self,
        subscription: &SubscriptionId,
        asked: Issue,
        click: &RetrievalId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<RetrieveOutcome, Failure> {
        let count = credential::count_retrieval(subscription, asked, click, caller, now);
        Ok(match self.0.write(OPERATION, count).await? {
            Write::Done(item) => RetrieveOutcome::Counted(Box::new(credential::from_item(&item)?)),
            Write::Refused(Some(item)) => {
                let credential = Box::new(credential::from_item(&item)?);
                let refusal = credential.judge_refusal(caller, click, now);
                RetrieveOutcome::Refused { credential, refusal }
            }
            Write::Refused(None) => RetrieveOutcome::NoSubscription,
        })
    }
}

impl RetrieveOutcome {
    /// Returns the issue of the item, where only another issue, `asked`, explains the refusal.
    fn issue_to_ask_for(&self, asked: Issue) -> Option<Issue> {
        match self {
            Self::Refused { credential, refusal: Refusal::Unexplained } if credential.issue != asked => {
                Some(credential.issue)
            }
            Self::Refused { .. } | Self::Counted(_) | Self::NoSubscription => None,
        }
    }
}
