//! The identity of an operator of the support desk. It is verified as a customer's is, at a client of its own, and needs a role.

use std::time::Duration;

use domain::{EmailAddress, Operator, ProviderMetadata, Timestamp};
use futures_util::future::BoxFuture;
use lambda_http::Request;
use serde_json::Value;

use super::{
    Deadline, InvalidSetting, OperatorSettings, Site, TokenRefusal,
    presented::Presented,
    principals::{subject, values},
    provider,
    settings::ClaimRule,
    token::{Claims, LEEWAY, issued_at, seconds, session_end},
    verifier::{Verifier, as_defect},
};
use crate::{
    problem::{Problem, ProblemCode},
    same_origin,
};

/// How long after signing in at the provider an operator may read and act.
pub(crate) const LONGEST_SESSION: Duration = Duration::from_hours(8);

/// How long after signing in at the provider an operator may decide an approval.
pub(crate) const LONGEST_DECISION: Duration = Duration::from_mins(15);

/// How long after its issue a bearer token is accepted.
const LONGEST_BEARER: Duration = Duration::from_hours(1);

/// The verifier of the operators' ID tokens. A process has only one, since it holds the provider's keys.
pub struct OperatorIdentity {
    pub(super) verifier: Verifier,
    pub(super) role: ClaimRule,
}

/// The signed-in operator. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub struct SignedInOperator {
    /// The operator.
    pub operator: Operator,
    /// How the request presents the token.
    pub presentation: Presentation,
    /// When the operator signed in at the provider; at a provider that does not say it, when it issued the token.
    pub signed_in_at: Timestamp,
    /// When the token stops being accepted.
    pub expires_at: Timestamp,
}

/// How a request presents the ID token of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// The cookie of a browser holds the token.
    Session,
    /// The token is a bearer token, as of a ticket system.
    Bearer,
}

/// An operator as the provider's answer at the callback names them.
pub(crate) struct ArrivedOperator {
    pub(crate) operator: SignedInOperator,
    /// Whether the token says when the operator signed in.
    pub(crate) has_auth_time: bool,
}

impl OperatorIdentity {
    /// Checks the settings. `read` is called later, to read the provider's metadata.
    pub fn new<E: 'static>(
        settings: OperatorSettings,
        read: impl Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, E>> + Send + Sync + 'static,
    ) -> Result<Self, InvalidSetting>
    where
        Problem: From<E>,
    {
        let rules = settings.check()?;
        Ok(Self { verifier: Verifier::new(rules.party, provider::reader(read)), role: rules.role })
    }

    /// Returns a future that reads the provider's metadata before the first request needs it; `now` is called when the read begins. It gives up after half
    /// a second, and the first request that needs the metadata then reads it.
    pub fn read_ahead<F>(&self, now: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: FnOnce() -> Timestamp + Send + 'static,
    {
        self.verifier.read_ahead(now)
    }

    /// Returns the signed-in operator who makes the request.
    ///
    /// Fails with `not-found` for everyone else: without a valid ID token of the operators' client, without the role, eight hours after the
    /// sign-in, and for a bearer token one hour after its issue. So a caller who is no operator cannot tell a path of the desk from another
    /// one. Fails with `forbidden` for a change that another site requests with the operator's cookie, and with `unavailable` if the
    /// provider's keys cannot be fetched.
    pub async fn operator(&self, request: &Request, now: Timestamp) -> Result<SignedInOperator, Problem> {
        let operator = self.verified(request, now).await.map_err(hidden)?;
        let is_session = operator.presentation == Presentation::Session;
        if is_session && same_origin::is_foreign_change(request, &self.verifier.party.origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        Ok(operator)
    }

    async fn verified(&self, request: &Request, now: Timestamp) -> Result<SignedInOperator, Problem> {
        let presented = Presented::in_request(Site::Desk, request.headers())?;
        let presentation = if presented.is_sent_automatically() { Presentation::Session } else { Presentation::Bearer };
        let claims = self.verifier.verify(&presented.token()?, Deadline::start(), now).await?;
        if presentation == Presentation::Session && !claims.get("nonce").is_some_and(Value::is_string) {
            // A token that no browser has asked for, such as a ticket system's, gets no more rights as a cookie.
            return Err(TokenRefusal::NonceMissing.into());
        }
        let operator = self.read(&claims, presentation, now)?.operator;
        if presentation == Presentation::Bearer && now >= time(issued_at(&claims)?).plus(LONGEST_BEARER) {
            return Err(TokenRefusal::BearerTooOld.into());
        }
        if now >= operator.signed_in_at.plus(LONGEST_SESSION) {
            return Err(TokenRefusal::SignInTooOld.into());
        }
        Ok(operator)
    }

    /// Returns the operator of a token that the provider issued for the request with this `nonce`. The caller checks when they signed in.
    ///
    /// Fails with `forbidden` without the role, and else as the verification of a customer's token does.
    pub(crate) async fn operator_for_nonce(
        &self,
        token: &str,
        nonce: &str,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<ArrivedOperator, Problem> {
        let claims = self.verifier.verify_for_nonce(token, nonce, deadline, now).await?;
        self.read(&claims, Presentation::Session, now).map_err(|refused| match refused {
            TokenRefusal::NoRole => Problem::new(ProblemCode::Forbidden).because(refused),
            _ => as_defect(refused.into()),
        })
    }

    fn read(
        &self,
        claims: &Claims,
        presentation: Presentation,
        now: Timestamp,
    ) -> Result<ArrivedOperator, TokenRefusal> {
        let subject = subject(claims, &self.verifier.party)?;
        if !values(claims, &self.role.claim).any(|value| value == self.role.value) {
            return Err(TokenRefusal::NoRole);
        }
        let auth_time = seconds(claims, "auth_time")?;
        if auth_time.is_some_and(|at| at > now.epoch_seconds() + LEEWAY) {
            return Err(TokenRefusal::SignedInInTheFuture);
        }
        let issued_at = issued_at(claims)?;
        let signed_in_at = time(auth_time.unwrap_or(issued_at));
        let end = time(session_end(claims)?).min(signed_in_at.plus(LONGEST_SESSION));
        let expires_at = match presentation {
            Presentation::Session => end,
            Presentation::Bearer => end.min(time(issued_at).plus(LONGEST_BEARER)),
        };
        let operator = SignedInOperator {
            operator: Operator::new(&self.verifier.party.issuer, subject, &label(claims, subject)),
            presentation,
            signed_in_at,
            expires_at,
        };
        Ok(ArrivedOperator { operator, has_auth_time: auth_time.is_some() })
    }
}

impl SignedInOperator {
    /// Fails with `forbidden` for a ticket system, which presents a bearer token: who speaks through one could have two names.
    pub fn refuse_bearer(&self) -> Result<(), ProblemCode> {
        match self.presentation {
            Presentation::Session => Ok(()),
            Presentation::Bearer => Err(ProblemCode::Forbidden),
        }
    }

    /// Returns whether the operator may decide an approval now: in a browser, within 15 minutes of signing in at the provider.
    #[must_use]
    pub fn may_decide(&self, now: Timestamp) -> bool {
        self.presentation == Presentation::Session && now < self.signed_in_at.plus(LONGEST_DECISION)
    }
}

/// Returns what other operators read: the address, else the name, else the subject. The provider may have confirmed none of them.
fn label(claims: &Claims, subject: &str) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let address = text("email").and_then(EmailAddress::parse).map(|address| address.to_string());
    let name = || text("name").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    address.or_else(name).unwrap_or_else(|| subject.to_owned())
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_epoch_seconds(seconds)
}

/// Turns the refusal of a token into `not-found`, and leaves every other problem as it is.
fn hidden(problem: Problem) -> Problem {
    match problem.code() {
        ProblemCode::NotSignedIn => problem.with_code(ProblemCode::NotFound),
        _ => problem,
    }
}
