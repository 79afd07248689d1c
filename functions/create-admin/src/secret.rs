//! The password of the new account: chosen by its owner, or made to be handed out.

use administration::{CurrentPassword, Handout, refuse_unproven};
use aws::SignedIn;
use domain::{Account, NewPassword, PasswordContext, PasswordHash, Role, Temporary, Timestamp, UserName};
use web::{Problem, ProblemCode, Request};
use zeroize::Zeroizing;

use crate::App;

/// The password that a form brings along.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// The password that the new account is to have.
    Chosen(&'a str),
    /// The current password of the account that creates it.
    Current(&'a str),
}

/// The password of the new account. It has no `Debug`.
pub(crate) enum Secret {
    Chosen { password: NewPassword, hash: PasswordHash },
    HandedOut(Handout),
}

impl Secret {
    /// Returns the hash to store.
    pub(crate) fn hash(&self) -> &PasswordHash {
        match self {
            Self::Chosen { hash, .. } => hash,
            Self::HandedOut(handout) => handout.hash(),
        }
    }

    /// Returns what makes the password temporary, if it is.
    pub(crate) fn temporary(&self) -> Option<Temporary> {
        match self {
            Self::Chosen { .. } => None,
            Self::HandedOut(handout) => Some(handout.temporary()),
        }
    }
}

impl App {
    /// Returns the password of the account `user_name`. The service administrator chooses one, since it is their own account. An administrator
    /// proves to be the owner of the session, and gets one to hand out.
    pub(crate) async fn secret(
        &self,
        given: Given<'_>,
        user_name: &UserName,
        signed_in: &SignedIn,
        request: &Request,
        now: Timestamp,
    ) -> Result<Secret, Problem> {
        match (signed_in.account.role, given) {
            (Role::ServiceAdministrator, Given::Chosen(password)) => {
                let password = self.acceptable(password, user_name, signed_in)?;
                let hash = self.hasher.hash(plain(&password)).await?;
                Ok(Secret::Chosen { password, hash })
            }
            (Role::Administrator, Given::Current(typed)) => {
                refuse_unproven(signed_in)?;
                let origin = web::request::origin(request)?;
                let current = CurrentPassword { typed, origin: &origin };
                current.verify(&signed_in.account, &self.attempts, &self.hasher, now).await?;
                Ok(Secret::HandedOut(Handout::generate(&self.hasher, self.lifetime, now).await?))
            }
            (Role::ServiceAdministrator, Given::Current(_)) | (Role::Administrator, Given::Chosen(_)) => {
                Err(ProblemCode::InvalidRequest.into())
            }
        }
    }

    /// Checks the password against the policy for new passwords.
    fn acceptable(
        &self,
        password: &str,
        user_name: &UserName,
        signed_in: &SignedIn,
    ) -> Result<NewPassword, ProblemCode> {
        let credential = &signed_in.credential;
        let context = PasswordContext {
            user_name,
            company: &credential.company,
            product: &credential.product,
            vendor: &self.vendor,
        };
        Ok(NewPassword::choose(password, &context)?)
    }

    /// Returns whether an earlier attempt of the click has created `account` with this password. A password that has been changed since
    /// tells nothing, and a temporary one is another one in each attempt.
    pub(crate) async fn has_password(&self, account: &Account, secret: &Secret) -> Result<bool, Problem> {
        let Secret::Chosen { password, .. } = secret else { return Ok(true) };
        if account.version > 1 {
            return Ok(true);
        }
        Ok(self.hasher.verify(plain(password), Some(&account.password_hash)).await?)
    }
}

fn plain(password: &NewPassword) -> Zeroizing<String> {
    #[expect(clippy::disallowed_methods, reason = "here the password is hashed or verified")]
    let secret = password.expose_secret();
    Zeroizing::new(secret.to_owned())
}
