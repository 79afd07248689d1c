//! The way of a browser through the sign-in: from the product to `/oidc/authorize`, on to `/oidc/continue`, and back with a code.
//!
//! The session cookie is `SameSite=Strict`, so a visit from the product does not carry it, and neither does a redirect after the visit. Hence
//! the page between the two addresses, which makes the browser start a visit from this site.

use aws::{Failure, SignedIn};
use domain::{Account, Freshness, Grant, Holder, Role, Session, Timestamp, product::CODE_LIFETIME};
use http::{HeaderValue, header};
use web::{Problem, ProblemCode, Reply, Request};

use crate::{
    Provider,
    form::Form,
    oauth,
    pages::{Visit, sign_in_address},
    request::{AuthorizationError, AuthorizationRequest, Prompt, RequestRefusal, ReturnAddress},
};

/// The state of the session behind a request.
enum Standing {
    /// A proven administrator, who signed in at this time. The session is on the heap, because it is large.
    Ready(Box<SignedIn>, Timestamp),
    /// The browser has to do something else first.
    Detour(Detour),
}

/// A step that comes before a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detour {
    /// There is no session, or none that is recent enough.
    SignIn,
    /// The session began with a temporary password.
    ChoosePassword,
    /// The session is the service administrator's.
    CreateAdministrator,
    /// The administrator has not signed in with a password of their own.
    NotProven,
}

impl Provider {
    /// Handles the request with which the product sends a browser here.
    pub(crate) async fn authorize(&self, request: &Request, now: Timestamp) -> Result<Reply, Problem> {
        let visit = Visit { provider: self, request };
        match self.asked(request, now) {
            Ok(asked) if asked.prompt == Prompt::None => Ok(self.answer_silently(request, &asked, now).await),
            Ok(asked) => visit.leave(&format!("/oidc/continue?{}", asked.query())),
            Err(RequestRefusal::UnknownClient) => visit.unknown_client(),
            Err(RequestRefusal::Answered(return_to, error)) => Ok(redirect(&self.error(&return_to, error))),
        }
    }

    /// Asks a signed-in administrator whether to continue to the product, and sends others to what comes first.
    pub(crate) async fn continue_get(&self, request: &Request, now: Timestamp) -> Result<Reply, Problem> {
        let visit = Visit { provider: self, request };
        let asked = match self.asked(request, now) {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(&visit, refusal),
        };
        match self.standing(request, &asked, now).await {
            Ok(Standing::Ready(signed_in, _)) => visit.continue_page(&signed_in, &asked.query()),
            Ok(Standing::Detour(detour)) => lead(&visit, &asked, detour),
            Err(problem) => visit.trouble(problem),
        }
    }

    /// Handles one click on **Continue**. The account must be the one that the page has shown.
    pub(crate) async fn continue_post(&self, request: &Request, now: Timestamp) -> Result<Reply, Problem> {
        let visit = Visit { provider: self, request };
        let asked = match self.asked(request, now) {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(&visit, refusal),
        };
        let (signed_in, authenticated_at) = match self.standing(request, &asked, now).await {
            Ok(Standing::Ready(signed_in, authenticated_at)) => (signed_in, authenticated_at),
            Ok(Standing::Detour(detour)) => return lead(&visit, &asked, detour),
            Err(problem) => return visit.trouble(problem),
        };
        let form = Form::parse(request, &["as"]).ok_or(ProblemCode::InvalidRequest)?;
        if form.get("as") != Some(signed_in.account.account_id.as_str()) {
            return visit.continue_page(&signed_in, &asked.query());
        }
        match self.issue(&signed_in, authenticated_at, &asked, now).await {
            Ok(address) => visit.leave(&address),
            Err(failure) => visit.trouble(failure.into()),
        }
    }

    fn asked(&self, request: &Request, now: Timestamp) -> Result<AuthorizationRequest, RequestRefusal> {
        AuthorizationRequest::parse(request.uri().query().unwrap_or_default(), &self.client, now)
    }

    /// Returns what the session of `request` allows for the request of the product. Fails with `forbidden` if another site sends a form.
    async fn standing(
        &self,
        request: &Request,
        asked: &AuthorizationRequest,
        now: Timestamp,
    ) -> Result<Standing, Problem> {
        let token = match web::session::token(request, &self.public_origin) {
            Ok(token) => token,
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => return Ok(Standing::Detour(Detour::SignIn)),
            Err(problem) => return Err(problem),
        };
        let Some(signed_in) = self.sessions.find(&token.digest(), now).await? else {
            return Ok(Standing::Detour(Detour::SignIn));
        };
        Ok(match judge(&signed_in.session, &signed_in.account, asked.freshness) {
            Ok(authenticated_at) => Standing::Ready(Box::new(signed_in), authenticated_at),
            Err(detour) => Standing::Detour(detour),
        })
    }

    /// Issues a code to `signed_in`, and returns the address that takes it to the product.
    async fn issue(
        &self,
        signed_in: &SignedIn,
        authenticated_at: Timestamp,
        asked: &AuthorizationRequest,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let code = lambda::authorization_code();
        let grant = Grant {
            holder: Holder::new(&signed_in.account, authenticated_at),
            redirect_uri: asked.return_to.redirect_uri().to_owned(),
            nonce: asked.nonce.clone(),
            challenge: asked.challenge.clone(),
            expires_at: now.plus(CODE_LIFETIME),
        };
        self.sign_ins.issue(&code.digest(), &grant).await?;
        #[expect(clippy::disallowed_methods, reason = "this is the address that leads to the product")]
        let code = code.expose_secret();
        Ok(asked.return_to.with(&self.public_origin, &[("code", code)]))
    }

    /// Answers a request for which nothing may be shown: with a code, if the request itself carries a session, and else with an error.
    async fn answer_silently(&self, request: &Request, asked: &AuthorizationRequest, now: Timestamp) -> Reply {
        let address = self.silent_address(request, asked, now).await.unwrap_or_else(|problem| {
            oauth::log(&problem);
            let is_transient = problem.code() == ProblemCode::Unavailable;
            let error =
                if is_transient { AuthorizationError::TemporarilyUnavailable } else { AuthorizationError::ServerError };
            self.error(&asked.return_to, error)
        });
        redirect(&address)
    }

    async fn silent_address(
        &self,
        request: &Request,
        asked: &AuthorizationRequest,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let error = match self.standing(request, asked, now).await? {
            Standing::Ready(signed_in, authenticated_at) if asked.expects(&signed_in.account.account_id) => {
                return Ok(self.issue(&signed_in, authenticated_at, asked, now).await?);
            }
            Standing::Ready(..) | Standing::Detour(Detour::SignIn) => AuthorizationError::LoginRequired,
            Standing::Detour(Detour::ChoosePassword | Detour::CreateAdministrator | Detour::NotProven) => {
                AuthorizationError::InteractionRequired
            }
        };
        Ok(self.error(&asked.return_to, error))
    }

    /// Answers a browser at `/oidc/continue`. Chrome holds `form-action` against every redirect after a form, so the error travels by a page.
    fn refuse(&self, visit: &Visit<'_>, refusal: RequestRefusal) -> Result<Reply, Problem> {
        match refusal {
            RequestRefusal::UnknownClient => visit.unknown_client(),
            RequestRefusal::Answered(return_to, error) => visit.leave(&self.error(&return_to, error)),
        }
    }

    /// Returns the address that takes an error to the product, and logs the error: nothing else here says why a sign-in fails.
    fn error(&self, return_to: &ReturnAddress, error: AuthorizationError) -> String {
        tracing::info!(error = error.as_str(), "the product gets an error");
        return_to.with(&self.public_origin, &[("error", error.as_str())])
    }
}

/// Returns when the owner of a valid session signed in, or else the step that comes before a code.
fn judge(session: &Session, account: &Account, freshness: Freshness) -> Result<Timestamp, Detour> {
    let authenticated_at = session.authenticated_at().ok_or(Detour::ChoosePassword)?;
    if !freshness.is_met_by(authenticated_at) {
        return Err(Detour::SignIn);
    }
    match account.role {
        Role::ServiceAdministrator => Err(Detour::CreateAdministrator),
        Role::Administrator if !account.is_proven() => Err(Detour::NotProven),
        Role::Administrator => Ok(authenticated_at),
    }
}

/// Leads the browser to what comes before a code.
fn lead(visit: &Visit<'_>, asked: &AuthorizationRequest, detour: Detour) -> Result<Reply, Problem> {
    match detour {
        Detour::SignIn => Ok(web::see_other(&sign_in_address(&asked.query()))),
        Detour::ChoosePassword => Ok(web::see_other("/administration/password")),
        Detour::CreateAdministrator => Ok(web::see_other("/administration/create")),
        Detour::NotProven => visit.not_proven(),
    }
}

/// Redirects the browser to the product, which learns no address of this site.
fn redirect(address: &str) -> Reply {
    let mut reply = web::see_other(address);
    reply.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{AccountStatus, PasswordHash, Scope, SubscriptionId, Temporary, UserName, session::LIFETIME};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn administrator() -> Account {
        Account {
            user_name: UserName::parse("lee@fabrikam").unwrap(),
            account_id: "01K".into(),
            role: Role::Administrator,
            password_hash: PasswordHash::from_phc(String::new()),
            temporary: None,
            status: AccountStatus::Active,
            version: 1,
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            created_by: None,
            first_signed_in_at: Some(at(1)),
        }
    }

    /// Judges a session that began at 1000, for a request that began at 1300.
    fn judge_at_1300(account: &Account, max_age: Option<u64>) -> Result<Timestamp, Detour> {
        let session = Session::begin(account, at(1000));
        judge(&session, account, Freshness { since: at(1300), max_age: max_age.map(Duration::from_secs) })
    }

    #[test]
    fn a_proven_administrator_gets_a_code_for_the_time_of_the_sign_in() {
        assert_eq!(judge_at_1300(&administrator(), None), Ok(at(1000)));
        assert_eq!(judge_at_1300(&administrator(), Some(300)), Ok(at(1000)));
    }

    #[test]
    fn a_session_that_is_older_than_asked_for_signs_in_again() {
        assert_eq!(judge_at_1300(&administrator(), Some(299)), Err(Detour::SignIn));
        assert_eq!(judge_at_1300(&administrator(), Some(0)), Err(Detour::SignIn));
    }

    #[test]
    fn everyone_else_has_something_to_do_first() {
        let service = Account { role: Role::ServiceAdministrator, ..administrator() };
        assert_eq!(judge_at_1300(&service, None), Err(Detour::CreateAdministrator));
        let never_signed_in = Account { first_signed_in_at: None, ..administrator() };
        assert_eq!(judge_at_1300(&never_signed_in, None), Err(Detour::NotProven));
        let temporary = Some(Temporary { issue: None, expires_at: at(9000) });
        assert_eq!(judge_at_1300(&Account { temporary, ..administrator() }, None), Err(Detour::ChoosePassword));
    }

    #[test]
    fn a_session_that_only_resets_a_password_gets_no_code_even_when_its_account_may() {
        let account = administrator();
        let session = Session { scope: Scope::ResetPassword, ..Session::begin(&account, at(1000)) };
        assert_eq!(session.expires_at, at(1000).plus(LIFETIME));
        let freshness = Freshness { since: at(1000), max_age: None };
        assert_eq!(judge(&session, &account, freshness), Err(Detour::ChoosePassword));
    }

    #[test]
    fn the_product_learns_no_address_of_this_site() {
        let reply = redirect("https://product.example/?code=a");
        assert_eq!(reply.status(), 303);
        let headers = ["location", "referrer-policy"].map(|name| &reply.headers()[name]);
        assert_eq!(headers, ["https://product.example/?code=a", "no-referrer"]);
    }
}
