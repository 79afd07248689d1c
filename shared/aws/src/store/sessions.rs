//! The lookup of a session, with everything that it depends on.

use domain::{Account, Credential, Scope, Session, SessionDigest, SubscriptionId, Timestamp};

use super::{Table, account, session};
use crate::Failure;

/// Finds the session of a token; writes nothing.
pub struct Sessions(Table);

/// A valid session with its account and its subscription's credential.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The account that signed in.
    pub account: Account,
    /// The credential of the subscription that the account administers.
    pub credential: Credential,
}

impl SignedIn {
    /// Returns whether the session is a full one of an account of `subscription`.
    #[must_use]
    pub fn administers(&self, subscription: &SubscriptionId) -> bool {
        self.session.scope == Scope::Full && self.credential.subscription == *subscription
    }
}

impl Sessions {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the session whose token has `digest`, while it is valid: it has not expired, its account is active, nothing that ends
    /// sessions has happened to the account since, and the subscription has not ended.
    pub async fn find(&self, digest: &SessionDigest, now: Timestamp) -> Result<Option<SignedIn>, Failure> {
        let Some(item) = self.0.get("dynamodb GetItem (session)", session::key(digest)).await? else {
            return Ok(None);
        };
        let session = session::from_item(&item)?;
        let (account, credential) = futures_util::try_join!(
            self.0.account(account::key(&session.user_name)),
            self.0.credential(&session.subscription)
        )?;
        let (Some(account), Some(credential)) = (account, credential) else { return Ok(None) };
        // Some accounts are still open for a moment after the end.
        let is_valid = credential.ended_at.is_none() && session.is_valid(&account, now);
        Ok(is_valid.then_some(SignedIn { session, account, credential }))
    }
}
