//! The request of an administrator who acts on the account of another one.

use aws::{Attempts, Sessions, SignedIn, Table};
use domain::{AccountId, Timestamp};
use lambda::{Hasher, Settings};
use serde::Deserialize;
use web::{Problem, Request};

use crate::{CurrentPassword, session::proven_session};

/// The stores and settings with which requests to act on another administrator are verified.
pub struct Acts {
    sessions: Sessions,
    attempts: Attempts,
    hasher: Hasher,
    public_origin: String,
}

/// A verified request: who acts, and on which account. The account may not exist.
pub struct Act {
    /// The administrator who acts, who is proven and has given the current password.
    pub signed_in: SignedIn,
    /// The id of the other account.
    pub account_id: AccountId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    current_password: String,
}

impl Acts {
    /// Reads the settings `PUBLIC_ORIGIN` and `SIGN_IN_NETWORK_BURST`.
    pub fn new(settings: &Settings, table: &Table) -> Result<Self, lambda::Error> {
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            hasher: Hasher::default(),
            public_origin: settings.required("PUBLIC_ORIGIN")?,
        })
    }

    /// Verifies a request whose path names the account and whose body has the current password.
    pub async fn verify(&self, request: &Request, now: Timestamp) -> Result<Act, Problem> {
        let token = web::session::token(request, &self.public_origin)?;
        let input: Input = web::request::body(request)?;
        let origin = web::request::origin(request)?;
        let signed_in = proven_session(&self.sessions, &token, now).await?;
        let account_id = web::request::account_id(request)?;
        let current = CurrentPassword { typed: &input.current_password, origin: &origin };
        current.verify(&signed_in.account, &self.attempts, &self.hasher, now).await?;
        Ok(Act { signed_in, account_id })
    }

    /// Returns the attempts, for what an act leaves to forget.
    #[must_use]
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Returns the hasher.
    #[must_use]
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }
}
