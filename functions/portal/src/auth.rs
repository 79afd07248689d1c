//! The sign-in of customers: to their provider and back, with the code flow of OpenID Connect.
//!
//! What ties the answer to the browser that asked (state, nonce, verifier, where to go on) travels in one cookie for ten minutes, and is
//! compared and cleared at the callback. The token that comes back is the session: there is no other.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use form_urlencoded::byte_serialize;
use http::StatusCode;
use web::{
    Problem, ProblemCode, Reply, Ties,
    cookie::{self, SameSite},
    identity,
    request::query_parameter,
};

use crate::{Visit, pages::Refusal};

const COOKIE: &str = "__Host-sign-in";

/// How long somebody may take at their provider.
const LIFETIME: Duration = Duration::from_mins(10);

/// Bytes of the longest local address to go on at.
const LONGEST_RETURN: usize = 500;

/// A sign-in on its way.
struct SignIn {
    ties: Ties,
    /// Where the browser goes on: a path of ours.
    back: String,
}

impl Visit<'_> {
    /// To the provider. A link leads here, never a form: a form's policy would have to name every provider.
    pub(crate) async fn sign_in(&self) -> Result<Reply, Problem> {
        let random = || BASE64_URL_SAFE_NO_PAD.encode(lambda::random_bytes::<32>());
        let back = query_parameter(self.request, "return").filter(|back| is_local(back));
        let sign_in = SignIn {
            ties: Ties { state: random(), nonce: random(), verifier: random() },
            back: back.unwrap_or_else(|| "/".to_owned()),
        };
        let select_account = query_parameter(self.request, "account").is_some();
        match self.app.code_flow.address(&sign_in.ties, select_account, self.now).await {
            Ok(address) => {
                let reply = web::see_other(&address);
                Ok(cookie::set(reply, COOKIE, &sign_in.to_cookie(), LIFETIME, SameSite::Lax))
            }
            Err(problem) => self.refusal(Refusal::Unavailable, &sign_in.back, problem),
        }
    }

    /// Back from the provider.
    pub(crate) async fn callback(&self) -> Result<Reply, Problem> {
        let begun = cookie::get(self.request.headers(), COOKIE).and_then(SignIn::of_cookie);
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
            Err(problem) => return self.refusal(Refusal::of(&problem), &back, problem),
        };
        if !identity::fits(&token) {
            return self.refusal(Refusal::TooLarge, &back, refused("the token is too large for cookies"));
        }
        match self.app.identity.customer_for_nonce(&token, &ties.nonce, self.now).await {
            Ok(customer) => self.arrived(&token, customer.expires_at, &back),
            Err(problem) => self.refusal(Refusal::of(&problem), &back, problem),
        }
    }

    /// The browser has the token until it ends, and goes on.
    fn arrived(&self, token: &str, expires_at: Timestamp, back: &str) -> Result<Reply, Problem> {
        let kept = identity::set_token(web::see_other(back), token, expires_at.since(self.now));
        let reply = kept.map_err(|identity::TooLarge| Problem::new(ProblemCode::Internal))?;
        Ok(cookie::clear(reply, COOKIE, SameSite::Lax))
    }

    /// Ends the sign-in here; at the provider, a link on the page that follows does.
    pub(crate) fn sign_out(&self) -> Result<Reply, Problem> {
        if web::same_origin::is_foreign_change(self.request, &self.app.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        Ok(identity::clear_token(web::see_other("/auth/signed-out")))
    }

    /// A page that says why nobody is signed in, and leads on. The cause is for the log: what is a defect of ours stays one.
    fn refusal(&self, refusal: Refusal, back: &str, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() == ProblemCode::Internal {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::warn!(code, service, cause = problem.cause(), "a sign-in of a customer ends");
        let reply = self.refusal_page(refusal, &sign_in_path(back))?;
        Ok(cookie::clear(reply, COOKIE, SameSite::Lax))
    }
}

impl Refusal {
    fn of(problem: &Problem) -> Self {
        if problem.code() == ProblemCode::Unavailable { Self::Unavailable } else { Self::Stale }
    }

    /// The status of its page.
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

    /// Whoever can write our cookies could also have signed in: what stands in one is checked as it was when it was written.
    fn of_cookie(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let mut tie = || parts.next().filter(|tie| tie.len() == 43).map(str::to_owned);
        let ties = Ties { state: tie()?, nonce: tie()?, verifier: tie()? };
        let back = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        (parts.next().is_none() && is_local(&back)).then_some(Self { ties, back })
    }
}

/// The path that begins a sign-in which leads back to `back`.
pub(crate) fn sign_in_path(back: &str) -> String {
    format!("/auth/sign-in?return={}", byte_serialize(back.as_bytes()).collect::<String>())
}

/// Whether an address is a page of ours, to every browser: one slash, and nothing that one would read differently.
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
    fn only_a_page_of_ours_is_gone_on_at() {
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
    fn the_cookie_comes_back_as_it_went_and_nothing_else_does() {
        let tie = |c: &str| c.repeat(43);
        let sign_in =
            SignIn { ties: Ties { state: tie("a"), nonce: tie("b"), verifier: tie("c") }, back: "/?cursor=x".into() };
        let cookie = sign_in.to_cookie();
        let back = SignIn::of_cookie(&cookie).unwrap();
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
            assert!(SignIn::of_cookie(&bad).is_none(), "{bad}");
        }
    }
}
