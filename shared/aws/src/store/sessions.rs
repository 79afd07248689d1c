//! Who is signed in, as of this moment.

use domain::{Account, Credential, Session, SessionDigest, Timestamp};

use super::{Table, session};
use crate::{Failure, store::names::Key};

/// May tell whose session a token is.
pub struct Sessions(Table);

/// A good session, with all that it stands on.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its account.
    pub account: Account,
    /// That of the subscription which the account administers.
    pub credential: Credential,
}

impl Sessions {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Whoever has the token of `digest`, while that is a session: unexpired, of an active account, and nothing that ends sessions
    /// has happened to the account since.
    pub async fn find(&self, digest: &SessionDigest, now: Timestamp) -> Result<Option<SignedIn>, Failure> {
        let Some(item) = self.0.get("dynamodb GetItem (session)", Key::session(digest)).await? else {
            return Ok(None);
        };
        let session = session::from_item(&item)?;
        let (account, credential) = futures_util::try_join!(
            self.0.account(Key::account(&session.user_name)),
            self.0.credential(&session.subscription)
        )?;
        let (Some(account), Some(credential)) = (account, credential) else { return Ok(None) };
        Ok(session.is_valid(&account, now).then_some(SignedIn { session, account, credential }))
    }
}
