//! The sign-in of people at their site's identity provider, with the authorization code flow of OpenID Connect.
//!
//! One cookie for each sign-in, which lives for ten minutes, ties the provider's response to the browser that asked. It holds the state, the
//! nonce, the verifier and the return path, and the callback compares and clears it. Its name has the beginning of the state, so that two
//! tabs can sign in at the same time. The ID token that comes back is the session: there is no other.
//!
//! | module | holds |
//! |---|---|
//! | `pending` | a sign-in that has begun, and its cookie |
//! | `refusal` | why a sign-in failed |

mod pending;
mod refusal;

use std::sync::atomic::{AtomicBool, Ordering};

use domain::Timestamp;
use lambda_http::Request;

use crate::{
    cookie::{self, SameSite},
    identity::{self, AccountChoice, Asked, CodeFlow, Deadline, OperatorIdentity, Site, Ties},
    problem::{Problem, ProblemCode},
    reply::{Reply, see_other},
    request::query_parameter,
    same_origin,
};
pub use pending::SignIn;
use pending::{LIFETIME, Turn, clear_oldest, cookie_name};
pub use refusal::{RefusedSignIn, SignInRefusal};

/// The most characters of a provider's error code that are logged.
const LONGEST_ERROR: usize = 40;

/// The sign-ins and sign-outs of one site.
pub struct SignIns {
    flow: CodeFlow,
    random: fn() -> [u8; 32],
    /// Whether the last token of an operator did not say when they signed in, so that the next sign-in asks the provider for a new one.
    lacks_auth_time: AtomicBool,
}

/// The outcome of a request that begins or completes a sign-in.
pub enum SignInOutcome {
    /// The browser goes to the provider, or returns signed in.
    Reply(Reply),
    /// The sign-in failed.
    Refused(RefusedSignIn),
}

/// The outcome of the provider's answer to a sign-in. It has no `Debug`, because it holds a token.
pub enum Redeemed {
    /// An ID token, which is not verified yet.
    Token(String),
    /// No token.
    Ended(SignInOutcome),
}

impl SignInOutcome {
    /// Returns the reply. `page` renders the page of a refusal, with a link to the path that tries again.
    pub fn into_reply(
        self,
        page: impl FnOnce(SignInRefusal, &str) -> Result<Reply, Problem>,
    ) -> Result<Reply, Problem> {
        match self {
            Self::Reply(reply) => Ok(reply),
            Self::Refused(refused) => refused.into_reply(page),
        }
    }
}

impl SignIns {
    /// Creates the sign-ins of the site that `flow` is for. `random` returns 256 random bits.
    #[must_use]
    pub fn new(flow: CodeFlow, random: fn() -> [u8; 32]) -> Self {
        Self { flow, random, lacks_auth_time: AtomicBool::new(false) }
    }

    fn site(&self) -> Site {
        self.flow.site()
    }

    /// Redirects to the provider. Pages link here instead of posting a form, because the policy of a form would have to name every
    /// provider.
    pub async fn begin(&self, request: &Request, now: Timestamp) -> SignInOutcome {
        let site = self.site();
        let back = query_parameter(request, "return").filter(|back| site.may_return_to(back));
        let account = match query_parameter(request, "account") {
            Some(_) => AccountChoice::Ask,
            None => AccountChoice::Current,
        };
        let is_for_decision = site == Site::Desk && query_parameter(request, "decision").is_some();
        let asks_to_sign_in = self.lacks_auth_time.load(Ordering::Relaxed);
        let asked = Asked { account, is_for_decision, asks_to_sign_in };
        let back = back.unwrap_or_else(|| site.home().to_owned());
        self.begin_as(request, Turn::First, asked, back, Deadline::start(), now).await
    }

    async fn begin_as(
        &self,
        request: &Request,
        turn: Turn,
        asked: Asked,
        back: String,
        deadline: Deadline,
        now: Timestamp,
    ) -> SignInOutcome {
        let ties = Ties::new(self.random);
        let sign_in = SignIn { site: self.site(), ties, begun_at: now, turn, asked, back };
        match self.flow.address(&sign_in.ties, asked, deadline, now).await {
            Ok(address) => {
                let reply = clear_oldest(self.site(), see_other(&address), request);
                let (name, value) = (sign_in.cookie_name(), sign_in.to_cookie());
                SignInOutcome::Reply(cookie::set(reply, &name, &value, LIFETIME, SameSite::Lax))
            }
            Err(problem) => sign_in.postponed(problem),
        }
    }

    /// Returns the sign-in of this browser that the state of the callback belongs to.
    #[must_use]
    pub fn pending(&self, request: &Request, now: Timestamp) -> Option<SignIn> {
        let state = query_parameter(request, "state")?;
        let cookie = cookie::get(request.headers(), &cookie_name(self.site(), &state)?)?;
        let begun = SignIn::from_cookie(self.site(), cookie).filter(|begun| state == begun.ties.state)?;
        (now.since(begun.begun_at) < LIFETIME).then_some(begun)
    }

    /// Answers a callback that belongs to no sign-in of this browser, such as an old address from the history. A person who is signed in is
    /// led to the first page.
    #[must_use]
    pub fn unknown_callback(&self, is_signed_in: bool) -> SignInOutcome {
        let home = self.site().home();
        if is_signed_in {
            return SignInOutcome::Reply(see_other(home));
        }
        let problem = refused("the state is not that of a sign-in of this browser");
        SignInOutcome::Refused(RefusedSignIn::new(SignInRefusal::Stale, self.site().sign_in_path(home), problem))
    }

    /// Exchanges the provider's answer for an ID token. The caller verifies it and then calls [`finish`](Self::finish).
    pub async fn redeem(&self, request: &Request, sign_in: &SignIn, deadline: Deadline, now: Timestamp) -> Redeemed {
        let outcome = match self.prepare(request, deadline, now).await {
            Ok(()) => match self.exchange(request, sign_in, deadline, now).await {
                Redeemed::Token(token) => return Redeemed::Token(token),
                Redeemed::Ended(outcome) => outcome,
            },
            // The code is not used, so the sign-in can go on when the page is loaded again.
            Err(problem) if problem.code() == ProblemCode::Unavailable => {
                return Redeemed::Ended(sign_in.postponed(problem));
            }
            Err(problem) => sign_in.failed(problem),
        };
        Redeemed::Ended(outcome)
    }

    /// Does what comes before the use of a code: checks the issuer, and gets what the exchange needs.
    async fn prepare(&self, request: &Request, deadline: Deadline, now: Timestamp) -> Result<(), Problem> {
        self.flow.check_issuer(query_parameter(request, "iss").as_deref(), deadline, now).await?;
        if query_parameter(request, "code").is_none() {
            return Ok(());
        }
        self.flow.prepare(deadline, now).await
    }

    async fn exchange(&self, request: &Request, sign_in: &SignIn, deadline: Deadline, now: Timestamp) -> Redeemed {
        if let Some(error) = query_parameter(request, "error") {
            return Redeemed::Ended(self.answer_error(request, &error, sign_in, deadline, now).await);
        }
        let Some(code) = query_parameter(request, "code").filter(|code| !code.is_empty()) else {
            let problem = refused("the provider gave neither a code nor an error");
            return Redeemed::Ended(sign_in.refused(SignInRefusal::NotAccepted, problem));
        };
        match self.flow.redeem(&code, &sign_in.ties.verifier, deadline, now).await {
            Ok(token) if identity::fits(self.site(), &token, request.headers()) => Redeemed::Token(token),
            Ok(_) => {
                let problem = refused("the token is too large for the browser's cookies");
                Redeemed::Ended(sign_in.refused(SignInRefusal::TooLarge, problem))
            }
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => {
                Redeemed::Ended(sign_in.refused(SignInRefusal::Stale, problem))
            }
            Err(problem) => Redeemed::Ended(sign_in.failed(problem)),
        }
    }

    /// Answers the provider's refusal (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6). One that asks to come back begins the sign-in again,
    /// once.
    async fn answer_error(
        &self,
        request: &Request,
        error: &str,
        sign_in: &SignIn,
        deadline: Deadline,
        now: Timestamp,
    ) -> SignInOutcome {
        let (refusal, passes) = match error {
            "access_denied" => (SignInRefusal::Cancelled, false),
            "temporarily_unavailable" => (SignInRefusal::Unavailable, true),
            "login_required" | "interaction_required" => (SignInRefusal::Incomplete, true),
            _ => (SignInRefusal::NotAccepted, false),
        };
        if passes && sign_in.turn == Turn::First {
            return self.begin_again(request, sign_in, Turn::Again, sign_in.asked, deadline, now).await;
        }
        let cause = format!("the provider answered with the error {}", cleaned(error));
        sign_in.refused(refusal, Problem::new(ProblemCode::NotSignedIn).because(cause))
    }

    /// Begins a sign-in again in the place of one that the provider has answered.
    async fn begin_again(
        &self,
        request: &Request,
        sign_in: &SignIn,
        turn: Turn,
        asked: Asked,
        deadline: Deadline,
        now: Timestamp,
    ) -> SignInOutcome {
        let outcome = self.begin_as(request, turn, asked, sign_in.back.clone(), deadline, now).await;
        match outcome {
            SignInOutcome::Reply(reply) => SignInOutcome::Reply(sign_in.clear(reply)),
            SignInOutcome::Refused(refused) => SignInOutcome::Refused(refused.clearing(sign_in)),
        }
    }

    /// Keeps the verified token in the browser until its session ends, and returns to the page where the sign-in began.
    #[must_use]
    pub fn finish(
        &self,
        request: &Request,
        sign_in: &SignIn,
        token: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> SignInOutcome {
        match identity::set_token(self.site(), see_other(&sign_in.back), token, expires_at.since(now)) {
            Ok(reply) => {
                let reply = identity::clear_hint(self.site(), reply, request.headers());
                SignInOutcome::Reply(sign_in.clear(reply))
            }
            Err(identity::TooLarge) => {
                sign_in.refused(SignInRefusal::TooLarge, refused("the token is too large for cookies"))
            }
        }
    }

    /// Completes the sign-in of an operator.
    ///
    /// A provider that does not say when the operator signed in, or that answers with a sign-in older than was asked for, is asked once more,
    /// with `prompt=login`.
    pub async fn complete_for_operator(
        &self,
        operators: &OperatorIdentity,
        request: &Request,
        now: Timestamp,
    ) -> SignInOutcome {
        let Some(sign_in) = self.pending(request, now) else {
            return self.unknown_callback(operators.operator(request, now).await.is_ok());
        };
        let deadline = Deadline::start();
        let token = match self.redeem(request, &sign_in, deadline, now).await {
            Redeemed::Token(token) => token,
            Redeemed::Ended(outcome) => return outcome,
        };
        let arrived = match operators.operator_for_nonce(&token, &sign_in.ties.nonce, deadline, now).await {
            Ok(arrived) => arrived,
            Err(problem) => return sign_in.failed(problem),
        };
        self.lacks_auth_time.store(!arrived.has_auth_time, Ordering::Relaxed);
        let is_old = now >= arrived.operator.signed_in_at.plus(sign_in.asked.longest_age());
        if (is_old || !arrived.has_auth_time) && !sign_in.asked.asks_to_sign_in {
            let asked = Asked { asks_to_sign_in: true, ..sign_in.asked };
            return self.begin_again(request, &sign_in, sign_in.turn, asked, deadline, now).await;
        }
        if is_old {
            let cause = "the provider did not ask the operator to sign in again";
            return sign_in.failed(Problem::new(ProblemCode::Internal).because(cause));
        }
        self.finish(request, &sign_in, &token, arrived.operator.expires_at, now)
    }

    /// Ends the session here. The page that follows links to the sign-out of the provider. Fails with `forbidden` if another site asks.
    pub fn sign_out(&self, request: &Request) -> Result<Reply, Problem> {
        if same_origin::is_foreign_change(request, self.flow.origin()) {
            return Err(ProblemCode::Forbidden.into());
        }
        let site = self.site();
        let reply = identity::clear_token(site, see_other(site.signed_out()));
        let sends_hint = self.flow.sends_logout_hint();
        Ok(if sends_hint { identity::keep_hint(site, reply, request.headers()) } else { reply })
    }

    /// Returns the address that also signs the person out at the provider and returns here. `None` if the provider has none, demands a hint
    /// that this browser does not have, or is unavailable.
    pub async fn end_session_address(&self, request: &Request, now: Timestamp) -> Option<String> {
        let hint = identity::hint(self.site(), request.headers());
        self.flow.end_session_address(hint.as_deref(), now).await
    }
}

/// Returns an error code with nothing but the characters that such codes have.
fn cleaned(error: &str) -> String {
    let known = |c: char| if c.is_ascii_lowercase() || c == '_' { c } else { '?' };
    error.chars().take(LONGEST_ERROR).map(known).collect()
}

fn refused(why: &'static str) -> Problem {
    Problem::new(ProblemCode::NotSignedIn).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_logged_without_anything_that_no_code_has() {
        assert_eq!(cleaned("server_error"), "server_error");
        assert_eq!(cleaned("<b>\n\u{202e}Dana@x.example 7"), "?b????ana?x?example??");
        assert_eq!(cleaned(&"x".repeat(99)).len(), LONGEST_ERROR);
    }
}
