//! The session of an administrator who may act on the accounts of others.

use aws::{Sessions, SignedIn};
use domain::{Scope, SessionToken, Timestamp};
use web::{Problem, ProblemCode};

/// Returns the session of `token`, which must be a full one of a proven administrator. Fails with `not-signed-in` or with `forbidden`.
///
/// A transaction need not ask for all of that again: it asks for the account as it was when the session began, active and of the same version,
/// and a proven administrator stays proven until the version changes.
pub(crate) async fn proven_session(
    sessions: &Sessions,
    token: &SessionToken,
    now: Timestamp,
) -> Result<SignedIn, Problem> {
    let signed_in = sessions.find(&token.digest(), now).await?;
    let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;
    refuse_unproven(&signed_in)?;
    Ok(signed_in)
}

/// Refuses a session that is not a full one of a proven administrator.
pub fn refuse_unproven(signed_in: &SignedIn) -> Result<(), ProblemCode> {
    let may_act = signed_in.session.scope == Scope::Full && signed_in.account.is_proven();
    if may_act { Ok(()) } else { Err(ProblemCode::Forbidden) }
}
