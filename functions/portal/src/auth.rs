//! The sign-in of customers at their identity provider, with the authorization code flow of OpenID Connect.
//!
//! One cookie for each sign-in, which lives for ten minutes, ties the provider's response to the browser that asked. It holds the state, the
//! nonce, the verifier and the return path, and the callback compares and clears it. Its name has the beginning of the state, so that two
//! tabs can sign in at the same time. The ID token that comes back is the session: there is no other.

use std::time::Duration;

use aws::SpendCallbackOutcome;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use form_urlencoded::byte_serialize;
use http::{HeaderMap, StatusCode, header};
use web::{
    AccountChoice, Customer, Deadline, Metric, Problem, ProblemCode, Reply, Site, Ties,
    cookie::{self, SameSite},
    identity,
    request::query_parameter,
};

use crate::{Visit, pages::Refusal};

/// The beginning of the name of a sign-in's cookie.
const COOKIE: &str = "__Host-sign-in.";

/// How many characters of the state are in the name of its cookie: 48 bits.
const NAMED: usize = 8;

/// How long a customer may take at their provider.
const LIFETIME: Duration = Duration::from_mins(10);

/// How many sign-ins a browser can have at once. Another one takes the place of the oldest, so that the cookies stay few.
const AT_ONCE: usize = 3;

/// The longest return path, in bytes: with it, a cookie has less than 300 bytes. A sign-in with a longer one returns to `/`.
const LONGEST_RETURN: usize = 96;

/// The most characters of a provider's error code that are logged.
const LONGEST_ERROR: usize = 40;

/// A sign-in that has begun.
struct SignIn {
    ties: Ties,
    begun_at: Timestamp,
    turn: Turn,
    account: AccountChoice,
    /// The path on this site to return to.
    back: String,
}

/// Whether the customer began a sign-in, or the portal began it again after an answer that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    First,
    Again,
}

impl Visit<'_> {
    /// Redirects to the provider. Pages link here instead of posting a form, because the policy of a form would have to name every
    /// provider.
    pub(crate) async fn sign_in(&self) -> Result<Reply, Problem> {
        let back = query_parameter(self.request, "return").filter(|back| is_local(back));
        let account = match query_parameter(self.request, "account") {
            Some(_) => AccountChoice::Ask,
            None => AccountChoice::Current,
        };
        self.begin(back.as_deref().unwrap_or("/"), account, Turn::First, Deadline::start()).await
    }

    /// Completes a sign-in when the provider redirects back.
    pub(crate) async fn callback(&self) -> Result<Reply, Problem> {
        let Some(sign_in) = self.pending_sign_in() else { return self.unknown_callback().await };
        let deadline = Deadline::start();
        if let Some(page) = self.spend_callback(&sign_in.again()).await? {
            // The code is not used, so the sign-in can go on when the page is loaded again.
            return Ok(page);
        }
        let reply = match self.prepare(deadline).await {
            Ok(()) => self.complete(&sign_in, deadline).await?,
            Err(problem) => {
                let page = self.refusal(Refusal::from_problem(&problem), &sign_in.again(), &problem)?;
                if problem.code() == ProblemCode::Unavailable {
                    // Here, too, the code is not used yet.
                    return Ok(page);
                }
                page
            }
        };
        Ok(cookie::clear(reply, &sign_in.cookie_name(), SameSite::Lax))
    }

    async fn begin(
        &self,
        back: &str,
        account: AccountChoice,
        turn: Turn,
        deadline: Deadline,
    ) -> Result<Reply, Problem> {
        let random = || BASE64_URL_SAFE_NO_PAD.encode(lambda::random_bytes::<32>());
        let ties = Ties { state: random(), nonce: random(), verifier: random() };
        let sign_in = SignIn { ties, begun_at: self.now, turn, account, back: back.to_owned() };
        match self.app.code_flow.address(&sign_in.ties, account, deadline, self.now).await {
            Ok(address) => {
                let reply = self.clear_oldest(web::see_other(&address));
                Ok(cookie::set(reply, &sign_in.cookie_name(), &sign_in.to_cookie(), LIFETIME, SameSite::Lax))
            }
            Err(problem) => self.refusal(Refusal::from_problem(&problem), &sign_in.again(), &problem),
        }
    }

    /// Returns the sign-in of this browser that the state of the request belongs to.
    fn pending_sign_in(&self) -> Option<SignIn> {
        let state = query_parameter(self.request, "state")?;
        let cookie = cookie::get(self.request.headers(), &cookie_name(&state)?)?;
        let begun = SignIn::from_cookie(cookie).filter(|begun| state == begun.ties.state)?;
        (self.now.since(begun.begun_at) < LIFETIME).then_some(begun)
    }

    /// Answers a callback that belongs to no sign-in of this browser, such as an old address from the history. A signed-in customer is led
    /// to the start page.
    async fn unknown_callback(&self) -> Result<Reply, Problem> {
        match self.app.identity.customer(self.request, self.now).await {
            Ok(_) => Ok(web::see_other("/")),
            Err(_) => self.refusal(
                Refusal::Stale,
                &sign_in_path("/"),
                &refused("the state is not that of a sign-in of this browser"),
            ),
        }
    }

    /// Spends one callback of the caller's network, before the provider is asked. Returns the page of a callback that has to wait.
    async fn spend_callback(&self, again: &str) -> Result<Option<Reply>, Problem> {
        let network = web::request::network(self.request)?;
        match self.app.callbacks.spend(&network, self.now).await {
            Ok(SpendCallbackOutcome::Admitted) => Ok(None),
            Ok(SpendCallbackOutcome::Exhausted { retry_after }) => {
                let problem = Problem::too_many_attempts(retry_after);
                let mut page = self.refusal(Refusal::TooMany { retry_after }, again, &problem)?;
                page.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
                Ok(Some(Metric::count("AttemptsExhausted", page)))
            }
            Err(failure) => {
                let problem = Problem::from(failure);
                self.refusal(Refusal::from_problem(&problem), again, &problem).map(Some)
            }
        }
    }

    /// Does what comes before the use of a code: checks the issuer, and gets what the exchange needs.
    async fn prepare(&self, deadline: Deadline) -> Result<(), Problem> {
        let (flow, parameter) = (&self.app.code_flow, |name: &str| query_parameter(self.request, name));
        flow.check_issuer(parameter("iss").as_deref(), deadline, self.now).await?;
        if parameter("code").is_none() {
            return Ok(());
        }
        flow.prepare(deadline, self.now).await
    }

    /// Turns the provider's answer into a session, or into a page that says why the sign-in failed.
    async fn complete(&self, sign_in: &SignIn, deadline: Deadline) -> Result<Reply, Problem> {
        let (ties, again) = (&sign_in.ties, &sign_in.again());
        let (flow, parameter) = (&self.app.code_flow, |name: &str| query_parameter(self.request, name));
        if let Some(error) = parameter("error") {
            return self.answer_error(&error, sign_in, deadline).await;
        }
        let Some(code) = parameter("code").filter(|code| !code.is_empty()) else {
            return self.refusal(
                Refusal::NotAccepted,
                again,
                &refused("the provider gave neither a code nor an error"),
            );
        };
        let token = match flow.redeem(&code, &ties.verifier, deadline, self.now).await {
            Ok(token) => token,
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => {
                return self.refusal(Refusal::Stale, again, &problem);
            }
            Err(problem) => return self.refusal(Refusal::from_problem(&problem), again, &problem),
        };
        if !identity::fits(Site::Portal, &token, self.request.headers()) {
            return self.refusal(
                Refusal::TooLarge,
                again,
                &refused("the token is too large for the browser's cookies"),
            );
        }
        match self.app.identity.customer_for_nonce(&token, &ties.nonce, deadline, self.now).await {
            Ok(customer) => self.finish_sign_in(&token, &customer, &sign_in.back),
            Err(problem) => self.refusal(Refusal::from_problem(&problem), again, &problem),
        }
    }

    /// Answers the provider's refusal (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6). One that asks to come back begins the sign-in again,
    /// once.
    async fn answer_error(&self, error: &str, sign_in: &SignIn, deadline: Deadline) -> Result<Reply, Problem> {
        let (refusal, passes) = match error {
            "access_denied" => (Refusal::Cancelled, false),
            "temporarily_unavailable" => (Refusal::Unavailable, true),
            "login_required" | "interaction_required" => (Refusal::Incomplete, true),
            _ => (Refusal::NotAccepted, false),
        };
        if passes && sign_in.turn == Turn::First {
            return self.begin(&sign_in.back, sign_in.account, Turn::Again, deadline).await;
        }
        let cause = format!("the provider answered with the error {}", cleaned(error));
        self.refusal(refusal, &sign_in.again(), &Problem::new(ProblemCode::NotSignedIn).because(cause))
    }

    /// Stores the token in the browser until it expires, and returns to the page where the sign-in began.
    fn finish_sign_in(&self, token: &str, customer: &Customer, back: &str) -> Result<Reply, Problem> {
        if customer.caller.email().is_none() && customer.unconfirmed_address.is_none() {
            self.app.without_address.call_once(|| {
                let remedy = "make the provider put the claims email and email_verified into the ID token; see the guide, step 2";
                tracing::warn!(remedy, "an ID token has no email address, so its customer has no subscriptions by address");
            });
        }
        let kept = identity::set_token(Site::Portal, web::see_other(back), token, customer.expires_at.since(self.now));
        let reply = kept.map_err(|identity::TooLarge| Problem::new(ProblemCode::Internal))?;
        Ok(identity::clear_hint(Site::Portal, reply, self.request.headers()))
    }

    /// Ends the session here. The page that follows links to the sign-out of the provider.
    pub(crate) fn sign_out(&self) -> Result<Reply, Problem> {
        if web::same_origin::is_foreign_change(self.request, &self.app.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        let reply = identity::clear_token(Site::Portal, web::see_other("/auth/signed-out"));
        let sends_hint = self.app.code_flow.sends_logout_hint();
        Ok(if sends_hint { identity::keep_hint(Site::Portal, reply, self.request.headers()) } else { reply })
    }

    /// Clears the oldest sign-ins of this browser, so that there is room for one more.
    fn clear_oldest(&self, reply: Reply) -> Reply {
        let current = query_parameter(self.request, "state").and_then(|state| cookie_name(&state));
        let mut pending = pending(self.request.headers());
        // The callback clears its own sign-in.
        pending.retain(|(_, name)| Some(*name) != current.as_deref());
        pending.sort_unstable();
        let surplus = (pending.len() + 1).saturating_sub(AT_ONCE);
        pending.iter().take(surplus).fold(reply, |reply, (_, name)| cookie::clear(reply, name, SameSite::Lax))
    }

    /// Shows a page that says why the sign-in failed and offers to try again. The cause is only logged. What customers cannot mend is an
    /// error in the log, and an error of the deployment also raises an alarm.
    fn refusal(&self, refusal: Refusal, again: &str, problem: &Problem) -> Result<Reply, Problem> {
        let (code, service, cause) = (problem.code().as_str(), problem.service(), problem.cause());
        let page = self.refusal_page(refusal, again)?;
        if refusal == Refusal::Misconfigured {
            tracing::error!(
                code,
                service,
                cause,
                "a customer cannot sign in as the deployment or its provider is set up"
            );
            return Ok(Metric::count("SignInMisconfigured", page));
        }
        if refusal == Refusal::NotAccepted {
            tracing::error!(code, service, cause, "an answer of the provider is not accepted");
        } else {
            tracing::warn!(code, service, cause, "a customer's sign-in failed");
        }
        Ok(page)
    }
}

impl Refusal {
    /// Returns the page for an answer that the provider gave, or did not give. A problem that names a service is not the provider's.
    fn from_problem(problem: &Problem) -> Self {
        if problem.code() == ProblemCode::Unavailable {
            if problem.service().is_some() { Self::Busy } else { Self::Unavailable }
        } else if problem.code() == ProblemCode::Internal {
            Self::Misconfigured
        } else {
            Self::NotAccepted
        }
    }

    /// Returns the HTTP status of the page.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Cancelled | Self::Incomplete | Self::NotAccepted | Self::Stale => StatusCode::BAD_REQUEST,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl SignIn {
    /// Returns the path that begins this sign-in once more.
    fn again(&self) -> String {
        let path = sign_in_path(&self.back);
        if self.account == AccountChoice::Ask { format!("{path}&account=other") } else { path }
    }

    fn cookie_name(&self) -> String {
        cookie_name(&self.ties.state).unwrap_or_default()
    }

    fn to_cookie(&self) -> String {
        let Ties { state, nonce, verifier } = &self.ties;
        let kind = match (self.turn, self.account) {
            (Turn::First, AccountChoice::Current) => 1,
            (Turn::Again, AccountChoice::Current) => 2,
            (Turn::First, AccountChoice::Ask) => 3,
            (Turn::Again, AccountChoice::Ask) => 4,
        };
        let at = self.begun_at.epoch_seconds();
        format!("{at}.{kind}.{state}.{nonce}.{verifier}.{}", BASE64_URL_SAFE_NO_PAD.encode(&self.back))
    }

    /// Parses the cookie, with the checks that its content passed when it was written. It needs no signature: an attacker who can write
    /// our cookies could as well complete a sign-in.
    fn from_cookie(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let begun_at = Timestamp::from_epoch_seconds(parts.next()?.parse().ok()?);
        let (turn, account) = match parts.next()? {
            "1" => (Turn::First, AccountChoice::Current),
            "2" => (Turn::Again, AccountChoice::Current),
            "3" => (Turn::First, AccountChoice::Ask),
            "4" => (Turn::Again, AccountChoice::Ask),
            _ => return None,
        };
        let mut tie = || parts.next().filter(|tie| tie.len() == 43).map(str::to_owned);
        let ties = Ties { state: tie()?, nonce: tie()?, verifier: tie()? };
        let back = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        (parts.next().is_none() && is_local(&back)).then_some(Self { ties, begun_at, turn, account, back })
    }
}

/// Returns the name of the cookie of the sign-in with this state. `None` for a text that is not one of our states.
fn cookie_name(state: &str) -> Option<String> {
    let plain = state.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    state.get(..NAMED).filter(|_| plain).map(|begin| format!("{COOKIE}{begin}"))
}

/// Returns the sign-ins of a browser: when each began, and the name of its cookie. One that cannot be read counts as the oldest.
fn pending(headers: &HeaderMap) -> Vec<(Option<Timestamp>, &str)> {
    let ours = cookie::all(headers).filter(|(name, _)| name.strip_prefix(COOKIE).is_some_and(|end| end.len() == NAMED));
    ours.map(|(name, value)| (SignIn::from_cookie(value).map(|sign_in| sign_in.begun_at), name)).collect()
}

/// Returns an error code with nothing but the characters that such codes have.
fn cleaned(error: &str) -> String {
    let known = |c: char| if c.is_ascii_lowercase() || c == '_' { c } else { '?' };
    error.chars().take(LONGEST_ERROR).map(known).collect()
}

/// Returns the path that begins a sign-in and returns to `back`.
pub(crate) fn sign_in_path(back: &str) -> String {
    format!("/auth/sign-in?return={}", byte_serialize(back.as_bytes()).collect::<String>())
}

/// Returns whether every browser takes `back` for a path on this site: it has one leading slash, and no character that some browsers
/// interpret differently.
fn is_local(back: &str) -> bool {
    back.len() <= LONGEST_RETURN
        && back.starts_with('/')
        && !back.starts_with("//")
        && !back.starts_with("/auth/")
        && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn refused(why: &'static str) -> Problem {
    Problem::new(ProblemCode::NotSignedIn).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_on_this_site_are_returned_to() {
        for back in ["/", "/?cursor=abc", "/support", "/administration#x", &format!("/{}", "x".repeat(95))] {
            assert!(is_local(back), "{back}");
        }
        for back in [
            "",
            "support",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/a\r\nb: c",
            "/\t/evil.example",
            "/ü",
            "/auth/sign-in",
            "javascript:alert(1)",
            &format!("/{}", "x".repeat(96)),
        ] {
            assert!(!is_local(back), "{back}");
        }
    }

    fn sign_in(back: &str) -> SignIn {
        let tie = |c: &str| c.repeat(43);
        let ties = Ties { state: tie("a"), nonce: tie("b"), verifier: tie("c") };
        SignIn {
            ties,
            begun_at: Timestamp::from_epoch_seconds(1_795_000_000),
            turn: Turn::Again,
            account: AccountChoice::Ask,
            back: back.into(),
        }
    }

    #[test]
    fn the_cookie_round_trips_and_malformed_cookies_are_rejected() {
        let (begun, cookie) = (sign_in("/?cursor=x"), sign_in("/?cursor=x").to_cookie());
        let back = SignIn::from_cookie(&cookie).unwrap();
        assert_eq!(
            (back.ties.state, back.ties.nonce, back.ties.verifier),
            (begun.ties.state, begun.ties.nonce, begun.ties.verifier)
        );
        assert_eq!((back.begun_at, back.turn, back.back.as_str()), (begun.begun_at, Turn::Again, "/?cursor=x"));
        assert_eq!(back.account, AccountChoice::Ask);
        let evil = BASE64_URL_SAFE_NO_PAD.encode("//evil.example");
        let (before, _) = cookie.rsplit_once('.').unwrap();
        for bad in [
            String::new(),
            ".....".into(),
            format!("{cookie}.x"),
            cookie[1..].replace("795", "x"),
            format!("{before}.{evil}"),
        ] {
            assert!(SignIn::from_cookie(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_cookie_with_the_longest_return_path_has_at_most_300_bytes() {
        let back = format!("/{}", "x".repeat(LONGEST_RETURN - 1));
        let sign_in = sign_in(&back);
        assert!(is_local(&back));
        assert!(sign_in.cookie_name().len() + 1 + sign_in.to_cookie().len() <= 300);
    }

    #[test]
    fn only_our_states_name_a_cookie() {
        assert_eq!(cookie_name(&"a".repeat(43)).as_deref(), Some("__Host-sign-in.aaaaaaaa"));
        for other in ["", "short", "a;b=cdefgh", "aaaaaaa\u{fc}", "a b c d e f"] {
            assert_eq!(cookie_name(other), None, "{other}");
        }
    }

    #[test]
    fn an_error_code_is_logged_without_anything_that_no_code_has() {
        assert_eq!(cleaned("server_error"), "server_error");
        assert_eq!(cleaned("<b>\n\u{202e}Dana@x.example 7"), "?b????ana?x?example??");
        assert_eq!(cleaned(&"x".repeat(99)).len(), LONGEST_ERROR);
    }
}
