//! The temporary password that one administrator hands to another.

use std::time::Duration;

use domain::{PasswordHash, Temporary, TemporaryPassword, Timestamp};
use lambda::Hasher;
use web::Problem;

/// A temporary password that is to be shown once, in the form that is shown and in the form that is stored. It has no `Debug` and no
/// `Serialize`.
pub struct Handout {
    password: TemporaryPassword,
    hash: PasswordHash,
    expires_at: Timestamp,
}

impl Handout {
    /// Generates a password that works for `lifetime`.
    pub async fn generate(hasher: &Hasher, lifetime: Duration, now: Timestamp) -> Result<Self, Problem> {
        let password = TemporaryPassword::generate(lambda::random);
        let hash = hasher.hash_temporary(&password).await?;
        Ok(Self { password, hash, expires_at: now.plus(lifetime) })
    }

    /// Returns the hash to store.
    #[must_use]
    pub fn hash(&self) -> &PasswordHash {
        &self.hash
    }

    /// Returns when the password stops working.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Returns what makes the password of an account temporary. It belongs to no issue.
    #[must_use]
    pub fn temporary(&self) -> Temporary {
        Temporary { issue: None, expires_at: self.expires_at }
    }

    /// Returns the password for the answer, if it is the one whose hash is stored. Another attempt of the same click has made another one, which
    /// only that attempt may show.
    #[must_use]
    pub fn shown_for(&self, stored: &PasswordHash) -> Option<&str> {
        #[expect(clippy::disallowed_methods, reason = "here the password is answered")]
        let shown = || self.password.expose_secret();
        (self.hash == *stored).then(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_whose_hash_is_stored_is_shown() {
        let (hasher, now) = (Hasher::default(), Timestamp::from_epoch_seconds(60));
        let generate = async || Handout::generate(&hasher, Duration::from_mins(1), now).await.ok();
        let (one, other) = (generate().await.unwrap(), generate().await.unwrap());
        let shown = one.shown_for(one.hash()).unwrap();
        assert_eq!((one.expires_at(), one.temporary().issue), (Timestamp::from_epoch_seconds(120), None));
        assert!(hasher.verify(TemporaryPassword::comparable(shown), Some(one.hash())).await.unwrap());
        assert_eq!(one.shown_for(other.hash()), None);
    }
}
