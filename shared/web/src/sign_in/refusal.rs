//! Why a sign-in failed, and the page that says so.

use http::{StatusCode, header};

use super::{SignIn, SignInOutcome};
use crate::{
    cookie::{self, SameSite},
    problem::{Problem, ProblemCode},
    reply::{Metric, Reply},
};

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// The table cannot be reached.
    Busy,
    /// The person cancelled at the provider.
    Cancelled,
    /// The provider asks to sign in there, again.
    Incomplete,
    /// No sign-in succeeds as the deployment or the provider is set up.
    Misconfigured,
    /// The person does not have the role of operators.
    NoRole,
    /// The provider's response cannot be accepted.
    NotAccepted,
    /// The response does not belong to a sign-in of this browser, or was used before.
    Stale,
    /// The token is too large for browsers to store.
    TooLarge,
    /// The network has too many sign-ins at once.
    TooMany {
        /// Seconds until it may sign in again.
        retry_after: u32,
    },
    /// The provider does not respond.
    Unavailable,
}

/// A sign-in that failed: why, and how to try again. It has no `Debug`, because a path may name a subscription.
pub struct RefusedSignIn {
    refusal: SignInRefusal,
    again: String,
    problem: Problem,
    /// The cookie of a sign-in that is over.
    ended: Option<String>,
}

impl SignInRefusal {
    /// Returns the page for an answer that the provider gave, or did not give. A problem that names a service is not the provider's.
    fn from_problem(problem: &Problem) -> Self {
        match (problem.code(), problem.wait()) {
            (ProblemCode::TooManyAttempts, Some(retry_after)) => Self::TooMany { retry_after },
            (ProblemCode::Unavailable, _) if problem.service().is_some() => Self::Busy,
            (ProblemCode::Unavailable, _) => Self::Unavailable,
            (ProblemCode::Internal, _) => Self::Misconfigured,
            (ProblemCode::Forbidden, _) => Self::NoRole,
            _ => Self::NotAccepted,
        }
    }

    /// Returns the HTTP status of the page.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Cancelled | Self::Incomplete | Self::NotAccepted | Self::Stale => StatusCode::BAD_REQUEST,
            Self::NoRole => StatusCode::FORBIDDEN,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl RefusedSignIn {
    pub(super) fn new(refusal: SignInRefusal, again: String, problem: Problem) -> Self {
        Self { refusal, again, problem, ended: None }
    }

    /// Returns the same, and clears the cookie of a sign-in that is over.
    pub(super) fn clearing(self, sign_in: &SignIn) -> Self {
        Self { ended: Some(sign_in.cookie_name()), ..self }
    }

    /// Returns the page, which says why the sign-in failed and offers to try again. The cause is only logged. What people cannot mend is an
    /// error in the log, and an error of the deployment also raises an alarm.
    pub(super) fn into_reply(
        self,
        page: impl FnOnce(SignInRefusal, &str) -> Result<Reply, Problem>,
    ) -> Result<Reply, Problem> {
        let mut reply = page(self.refusal, &self.again)?;
        if let Some(name) = &self.ended {
            reply = cookie::clear(reply, name, SameSite::Lax);
        }
        let (code, service, cause) = (self.problem.code().as_str(), self.problem.service(), self.problem.cause());
        match self.refusal {
            SignInRefusal::Misconfigured => {
                tracing::error!(code, service, cause, "sign-ins fail as the deployment or its provider is set up");
                return Ok(Metric::count("SignInMisconfigured", reply));
            }
            SignInRefusal::NotAccepted => {
                tracing::error!(code, service, cause, "an answer of the provider is not accepted");
            }
            _ => tracing::warn!(code, service, cause, "a sign-in failed"),
        }
        if let SignInRefusal::TooMany { retry_after } = self.refusal {
            reply.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
            return Ok(Metric::count("AttemptsExhausted", reply));
        }
        Ok(reply)
    }
}

impl SignIn {
    /// Returns the outcome of a sign-in that is over, for this reason.
    pub(super) fn refused(&self, refusal: SignInRefusal, problem: Problem) -> SignInOutcome {
        let again = self.again(refusal);
        SignInOutcome::Refused(RefusedSignIn::new(refusal, again, problem).clearing(self))
    }

    /// Returns the outcome of a sign-in that is over, because of a problem.
    #[must_use]
    pub fn failed(&self, problem: Problem) -> SignInOutcome {
        self.refused(SignInRefusal::from_problem(&problem), problem)
    }

    /// Returns the outcome of a request that cannot be answered now. The sign-in can go on when the page is loaded again.
    #[must_use]
    pub fn postponed(&self, problem: Problem) -> SignInOutcome {
        let refusal = SignInRefusal::from_problem(&problem);
        SignInOutcome::Refused(RefusedSignIn::new(refusal, self.again(refusal), problem))
    }
}
