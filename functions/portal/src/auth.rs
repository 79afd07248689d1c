//! The sign-in of customers at their identity provider, with the authorization code flow of OpenID Connect.
//!
//! One cookie, which lives for ten minutes, ties the provider's response to the browser that asked. It holds the state, the nonce, the
//! verifier and the return path, and the callback compares and clears it. The ID token that comes back is the session: there is no other.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use form_urlencoded::byte_serialize;
use http::StatusCode;
use web::{
    AccountChoice, Problem, ProblemCode, Reply, Ties,
    cookie::{self, SameSite},
    identity,
    request::query_parameter,
};

use crate::{Visit, pages::Refusal};

const COOKIE: &str = "__Host-sign-in";

/// How long a customer may take at their provider.
const LIFETIME: Duration = Duration::from_mins(10);

/// The longest return path, in bytes.
const LONGEST_RETURN: usize = 500;

/// A sign-in that has begun.
struct SignIn {
    ties: Ties,
    /// The path on this site to return to.
    back: String,
}

impl Visit<'_> {
    /// Redirects to the provider. Pages link here instead of posting a form, because the policy of a form would have to name every
    /// provider.
    pub(crate) async fn sign_in(&self) -> Result<Reply, Problem> {
        let random = || BASE64_URL_SAFE_NO_PAD.encode(lambda::random_bytes::<32>());
        let back = query_parameter(self.request, "return").filter(|back| is_local(back));
        let sign_in = SignIn {
            ties: Ties { state: random(), nonce: random(), verifier: random() },
            back: back.unwrap_or_else(|| "/".to_owned()),
        };
        let account = match query_parameter(self.request, "account") {
            Some(_) => AccountChoice::Ask,
            None => AccountChoice::Current,
        };
        match self.app.code_flow.address(&sign_in.ties, account, self.now).await {
            Ok(address) => {
                let reply = web::see_other(&address);
                Ok(cookie::set(reply, COOKIE, &sign_in.to_cookie(), LIFETIME, SameSite::Lax))
            }
            Err(problem) => self.refusal(Refusal::Unavailable, &sign_in.back, problem),
        }
    }

    /// Completes a sign-in when the provider redirects back.
    pub(crate) async fn callback(&self) -> Result<Reply, Problem> {
        let begun = cookie::get(self.request.headers(), COOKIE).and_then(SignIn::from_cookie);
        let parameter = |name: &str| query_parameter(self.request, name);
        let ours = begun.filter(|begun| parameter("state").is_some_and(|state| state == begun.ties.state));
        let Some(SignIn { ties, back }) = ours else {
            return self.refusal(Refusal::Stale, "/", refused("the state is not that of this browser"));
        };
        if parameter("iss").is_some_and(|issuer| issuer != self.app.code_flow.issuer()) {
            return self.refusal(Refusal::Stale, &back, refused("the answer names another issuer"));
        }
        let Some(code) = parameter("code") else {
            return self.refusal(Refusal::Cancelled, &back, refused("the provider gave no code"));
        };
        let token = match self.app.code_flow.redeem(&code, &ties.verifier, self.now).await {
            Ok(token) => token,
            Err(problem) => return self.refusal(Refusal::from_problem(&problem), &back, problem),
        };
        if !identity::fits(&token) {
            return self.refusal(Refusal::TooLarge, &back, refused("the token is too large for cookies"));
        }
        match self.app.identity.customer_for_nonce(&token, &ties.nonce, self.now).await {
            Ok(customer) => self.finish_sign_in(&token, customer.expires_at, &back),
            Err(problem) => self.refusal(Refusal::from_problem(&problem), &back, problem),
        }
    }

    /// Stores the token in the browser until it expires, and returns to the page where the sign-in began.
    fn finish_sign_in(&self, token: &str, expires_at: Timestamp, back: &str) -> Result<Reply, Problem> {
        let kept = identity::set_token(web::see_other(back), token, expires_at.since(self.now));
        let reply = kept.map_err(|identity::TooLarge| Problem::new(ProblemCode::Internal))?;
        Ok(cookie::clear(reply, COOKIE, SameSite::Lax))
    }

    /// Ends the session here. The page that follows links to the sign-out of the provider.
    pub(crate) fn sign_out(&self) -> Result<Reply, Problem> {
        if web::same_origin::is_foreign_change(self.request, &self.app.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        Ok(identity::clear_token(web::see_other("/auth/signed-out")))
    }

    /// Shows a page that says why the sign-in failed and offers to try again. The cause is only logged, and an internal error stays one.
    fn refusal(&self, refusal: Refusal, back: &str, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() == ProblemCode::Internal {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::warn!(code, service, cause = problem.cause(), "a customer's sign-in failed");
        let reply = self.refusal_page(refusal, &sign_in_path(back))?;
        Ok(cookie::clear(reply, COOKIE, SameSite::Lax))
    }
}

impl Refusal {
    fn from_problem(problem: &Problem) -> Self {
        if problem.code() == ProblemCode::Unavailable { Self::Unavailable } else { Self::Stale }
    }

    /// Returns the HTTP status of the page.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Cancelled | Self::Stale => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl SignIn {
    fn to_cookie(&self) -> String {
        let Ties { state, nonce, verifier } = &self.ties;
        format!("{state}.{nonce}.{verifier}.{}", BASE64_URL_SAFE_NO_PAD.encode(&self.back))
    }

    /// Parses the cookie, with the checks that its content passed when it was written. It needs no signature: an attacker who can write
    /// our cookies could as well complete a sign-in.
    fn from_cookie(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let mut tie = || parts.next().filter(|tie| tie.len() == 43).map(str::to_owned);
        let ties = Ties { state: tie()?, nonce: tie()?, verifier: tie()? };
        let back = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        (parts.next().is_none() && is_local(&back)).then_some(Self { ties, back })
    }
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
        for back in ["/", "/?cursor=abc", "/support", "/administration#x"] {
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
            &format!("/{}", "x".repeat(500)),
        ] {
            assert!(!is_local(back), "{back}");
        }
    }

    #[test]
    fn the_cookie_round_trips_and_malformed_cookies_are_rejected() {
        let tie = |c: &str| c.repeat(43);
        let sign_in =
            SignIn { ties: Ties { state: tie("a"), nonce: tie("b"), verifier: tie("c") }, back: "/?cursor=x".into() };
        let cookie = sign_in.to_cookie();
        let back = SignIn::from_cookie(&cookie).unwrap();
        assert_eq!((back.ties.state, back.ties.nonce, back.ties.verifier), (tie("a"), tie("b"), tie("c")));
        assert_eq!(back.back, "/?cursor=x");
        let evil = BASE64_URL_SAFE_NO_PAD.encode("//evil.example");
        for bad in [
            String::new(),
            "...".into(),
            format!("{cookie}.x"),
            cookie[1..].into(),
            format!("{}.{evil}", &cookie[..131]),
        ] {
            assert!(SignIn::from_cookie(&bad).is_none(), "{bad}");
        }
    }
}
