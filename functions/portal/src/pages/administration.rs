//! `/administration`: the Administration Center. The session decides which page is shown.

use askama::Template;
use aws::SignedIn;
use domain::{Role, Scope};
use http::StatusCode;
use web::{Problem, ProblemCode, Reply, request::query_parameter};

use super::{Frame, Policy, reply};
use crate::Visit;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    f: Frame<'a>,
    /// The query of the product's request that the sign-in leads back to.
    request: Option<String>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
}

#[derive(Template)]
#[template(path = "create.html")]
struct CreatePage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    /// The end of every user name of the company, such as `@fabrikam`.
    suffix: String,
}

pub(super) const HERE: &str = "/administration";
pub(super) const PASSWORD: &str = "/administration/password";
const CREATE: &str = "/administration/create";

/// The parameter with the query of the product's request that a sign-in leads back to, and the most bytes of that query.
const CONTINUE: &str = "continue";
const LONGEST_REQUEST: usize = 8 * 1024;

impl Visit<'_> {
    /// Replaces a page of the Administration Center that is unavailable by an error page.
    pub(crate) fn or_trouble(&self, page: Result<Reply, Problem>) -> Result<Reply, Problem> {
        page.or_else(|problem| {
            let f = self.frame().in_administration();
            let (why, lead) = (f.w.page_unavailable, f.w.nothing_is_lost);
            self.trouble(f, why, lead, problem)
        })
    }

    /// Shows the sign-in or the team, or redirects to the step that the session is at.
    pub(crate) async fn administration(&self) -> Result<Reply, Problem> {
        let Some(signed_in) = self.session().await? else { return sign_in_page(self.frame(), None) };
        match (signed_in.session.scope, signed_in.account.role) {
            (Scope::ResetPassword, _) => Ok(web::see_other(PASSWORD)),
            (Scope::Full, Role::ServiceAdministrator) => Ok(web::see_other(CREATE)),
            (Scope::Full, Role::Administrator) => self.team(signed_in).await,
        }
    }

    /// Shows the sign-in also to a session, because the product wants a recent one, or the reader another account. It leads back to the
    /// product's request, which the query names.
    pub(crate) fn sign_in_again(&self) -> Result<Reply, Problem> {
        let fits = |query: &String| (1..=LONGEST_REQUEST).contains(&query.len());
        let request = query_parameter(self.request, CONTINUE).filter(fits);
        sign_in_page(self.frame().keeping(self.request, CONTINUE), request)
    }

    /// Shows the form for a new password to a session that began with a temporary password, and to an administrator.
    pub(crate) async fn choose_password(&self) -> Result<Reply, Problem> {
        let Some(signed_in) = self.session().await? else { return Ok(web::see_other(HERE)) };
        match (signed_in.session.scope, signed_in.account.role) {
            (Scope::ResetPassword, _) => {
                let f = self.frame().in_administration();
                let title = f.w.reset_title;
                let page = PasswordPage { f: as_account(f, &signed_in).titled(title), signed_in };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
            (Scope::Full, Role::Administrator) => self.change_password(signed_in),
            (Scope::Full, Role::ServiceAdministrator) => Ok(web::see_other(HERE)),
        }
    }

    /// Shows the form for a new administrator to a session that began with a permanent password: the service administrator creates their own
    /// permanent account, and an administrator adds a colleague.
    pub(crate) async fn create_administrator(&self) -> Result<Reply, Problem> {
        let Some(signed_in) = self.session().await? else { return Ok(web::see_other(HERE)) };
        let suffix = format!("@{}", signed_in.credential.company.id);
        match (signed_in.session.scope, signed_in.account.role) {
            (Scope::ResetPassword, _) => Ok(web::see_other(HERE)),
            (Scope::Full, Role::Administrator) => self.add_administrator(signed_in, suffix),
            (Scope::Full, Role::ServiceAdministrator) => {
                let f = self.frame().in_administration();
                let title = f.w.create_title;
                let page = CreatePage { f: as_account(f, &signed_in).titled(title), suffix, signed_in };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
        }
    }

    /// Returns the signed-in account, or `None` without a valid session.
    pub(super) async fn session(&self) -> Result<Option<SignedIn>, Problem> {
        match web::session::token(self.request, &self.app.public_origin) {
            Ok(token) => Ok(self.app.sessions.find(&token.digest(), self.now).await?),
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

fn sign_in_page(f: Frame, request: Option<String>) -> Result<Reply, Problem> {
    let f = f.in_administration();
    let title = f.area_name();
    let page = SignInPage { f: f.titled(&title), request };
    reply(StatusCode::OK, Policy::Acts, &page, &page.f)
}

/// Returns the frame with the account that is signed in.
pub(super) fn as_account<'a>(f: Frame<'a>, signed_in: &SignedIn) -> Frame<'a> {
    f.signed_in(signed_in.account.user_name.to_string())
}
