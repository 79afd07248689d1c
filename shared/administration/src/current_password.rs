//! The current password of an account that is signed in, which a stranger at its browser does not know.

use aws::{Attempts, SpendOutcome};
use domain::{Account, Admission, ClaimedName, Origin, Timestamp, TypedPassword};
use lambda::Hasher;
use web::{Problem, ProblemCode};

use crate::notes::{note_failure, note_success};

/// A current password as it was typed, and where it came from. It has no `Debug`.
#[derive(Clone, Copy)]
pub struct CurrentPassword<'a> {
    /// The text that was typed.
    pub typed: &'a str,
    /// The device and the network that the request came from.
    pub origin: &'a Origin,
}

impl CurrentPassword<'_> {
    /// Verifies the password of `account`, whose session the request has. The attempt is spent before, from the budget of a sign-in, so that
    /// all places where a password is verified have one budget. Fails with `too-many-attempts` or with `invalid-credentials`.
    pub async fn verify(
        self,
        account: &Account,
        attempts: &Attempts,
        hasher: &Hasher,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let (name, origin) = (ClaimedName::from(&account.user_name), self.origin);
        let admission = match attempts.spend(&name, origin, now).await? {
            SpendOutcome::Admitted(admission) => admission,
            SpendOutcome::Exhausted { retry_after } => return Err(Problem::too_many_attempts(retry_after)),
        };
        let right = self.is_right(account, admission, hasher).await?;
        if !right {
            note_failure(attempts, Some(account), &name, origin, admission).await;
            return Err(ProblemCode::InvalidCredentials.into());
        }
        note_success(attempts, &name, origin, admission, origin.device.as_ref(), now).await;
        Ok(())
    }

    async fn is_right(self, account: &Account, admission: Admission, hasher: &Hasher) -> Result<bool, Problem> {
        let Some(typed) = TypedPassword::parse(self.typed) else { return Ok(false) };
        let hash = account.is_open_to(admission).then_some(&account.password_hash);
        Ok(hasher.verify(typed.comparable_with(Some(account)), hash).await?)
    }
}
