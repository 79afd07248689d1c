//! `/administration`: the Administration Center. The session decides which page is shown.

use askama::Template;
use aws::{Administrator, Failure, SignedIn};
use domain::{Role, Scope};
use http::StatusCode;
use web::{Problem, ProblemCode, Reply};

use super::{Frame, Policy, reply};
use crate::Visit;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    f: Frame<'a>,
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
    /// Whether the service administrator creates their own permanent account.
    own: bool,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    administrators: Vec<Administrator>,
}

const HERE: &str = "/administration";
const PASSWORD: &str = "/administration/password";
const CREATE: &str = "/administration/create";

impl Visit<'_> {
    /// Replaces a page of the Administration Center that is unavailable by an error page.
    pub(crate) fn or_trouble(&self, page: Result<Reply, Problem>) -> Result<Reply, Problem> {
        page.or_else(|problem| {
            let f = self.frame().in_administration();
            let (why, lead) = (f.w.page_unavailable, f.w.nothing_is_lost);
            self.trouble(f, why, lead, problem)
        })
    }

    /// Shows the sign-in or the home page, or redirects to the step that the session is at.
    pub(crate) async fn administration(&self) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        let Some(signed_in) = self.session().await? else {
            let title = f.with(f.w.administration_center, "vendor", f.vendor());
            let page = SignInPage { f: f.titled(&title) };
            return reply(StatusCode::OK, Policy::Acts, &page, &page.f);
        };
        match (signed_in.session.scope, signed_in.account.role) {
            (Scope::ResetPassword, _) => Ok(web::see_other(PASSWORD)),
            (Scope::Full, Role::ServiceAdministrator) => Ok(web::see_other(CREATE)),
            (Scope::Full, Role::Administrator) => {
                let administrators = self.app.team.of(&signed_in.session.subscription).await.map_err(problem)?;
                let own = |one: &&Administrator| one.user_name == signed_in.account.user_name;
                let name = administrators.iter().find(own).map_or("", |own| &*own.display_name);
                let title = f.with(f.w.home_title, "name", name);
                let page = HomePage { f: as_account(f, &signed_in).titled(&title), signed_in, administrators };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
        }
    }

    /// Shows the form for a new password to a session that began with a temporary password.
    pub(crate) async fn choose_password(&self) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        match self.session().await? {
            Some(signed_in) if signed_in.session.scope == Scope::ResetPassword => {
                let title = f.w.reset_title;
                let page = PasswordPage { f: as_account(f, &signed_in).titled(title), signed_in };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
            _ => Ok(web::see_other(HERE)),
        }
    }

    /// Shows the form for a new administrator to a session that began with a permanent password.
    pub(crate) async fn create_administrator(&self) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        match self.session().await? {
            Some(signed_in) if signed_in.session.scope == Scope::Full => {
                let own = signed_in.account.role == Role::ServiceAdministrator;
                let title = if own { f.w.create_title } else { f.w.create_another_title };
                let suffix = format!("@{}", signed_in.credential.company.id);
                let page = CreatePage { f: as_account(f, &signed_in).titled(title), suffix, own, signed_in };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
            _ => Ok(web::see_other(HERE)),
        }
    }

    /// Returns the signed-in account, or `None` without a valid session.
    async fn session(&self) -> Result<Option<SignedIn>, Problem> {
        match web::session::token(self.request, &self.app.public_origin) {
            Ok(token) => {
                let found = self.app.sessions.find(&token.digest(), self.now).await;
                found.map_err(problem)
            }
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

fn as_account<'a>(f: Frame<'a>, signed_in: &SignedIn) -> Frame<'a> {
    f.signed_in(signed_in.account.user_name.to_string())
}

fn problem(failure: Failure) -> Problem {
    Problem::failed(failure.may_pass(), failure)
}
