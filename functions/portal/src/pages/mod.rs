//! What people see. Every page stands in one frame, is kept by nobody, and loads what its policy names and nothing else.

mod administration;
mod subscriptions;
mod text;

/// Texts for a script, by their keys.
macro_rules! said {
    ($w:expr, $($key:ident)*) => { [$((stringify!($key), $w.$key)),*] };
}
use said;

use askama::Template;
use domain::{Credential, Timestamp};
use http::{HeaderValue, StatusCode, header};
use web::{Problem, ProblemCode, Reply, Request, cookie, request::query_parameter};
use words::{Language, Words};

use crate::{App, Visit, auth::sign_in_path};
use text::Filled;

/// The language that somebody has switched to.
const LANGUAGE: &str = "__Host-language";

/// How long it is remembered.
const LANGUAGE_LIFETIME: std::time::Duration = std::time::Duration::from_hours(24 * 365);

/// An address of a customer and a user name, as examples of what is meant.
const EXAMPLES: [(&str, &str); 2] = [("customer", "dana@fabrikam.example"), ("administrator", "admin@fabrikam")];

/// Around every page.
pub(crate) struct Frame<'a> {
    app: &'a App,
    language: Language,
    /// Whether the language was asked for by this very request.
    switched: bool,
    w: &'static Words,
    title: String,
    area: Area,
    /// Who is signed in.
    account: Option<String>,
}

/// Which of the two doors a page is behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Portal,
    Administration,
}

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// They, or their provider, did not want to.
    Cancelled,
    /// The answer is not one to a question of this browser, or comes a second time.
    Stale,
    /// Browsers cannot keep the token.
    TooLarge,
    /// The provider does not answer.
    Unavailable,
}

/// What a page may load and do beyond style and images of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Times are rewritten.
    Reads,
    /// Scripts also call the JSON routes, and forms lead to pages of ours.
    Acts,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    f: Frame<'a>,
    why: &'a str,
    again: &'a str,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    f: Frame<'a>,
    why: &'a str,
    lead: &'a str,
    again: &'a str,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage<'a> {
    f: Frame<'a>,
    there: Option<String>,
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage<'a> {
    f: Frame<'a>,
}

#[derive(Template)]
#[template(path = "support.html")]
struct SupportPage<'a> {
    f: Frame<'a>,
}

impl Visit<'_> {
    pub(crate) fn help(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.w.help_title;
        let page = HelpPage { f: f.titled(title) };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    pub(crate) fn support(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.w.contact_support;
        let page = SupportPage { f: f.titled(title) };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    pub(crate) async fn signed_out(&self) -> Result<Reply, Problem> {
        let there = self.app.code_flow.end_session_address(self.now).await;
        let f = self.frame();
        let title = f.w.signed_out;
        let page = SignedOutPage { f: f.titled(title), there };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    pub(crate) fn refusal_page(&self, refusal: Refusal, again: &str) -> Result<Reply, Problem> {
        let f = self.frame();
        let why = match refusal {
            Refusal::Cancelled => f.w.sign_in_cancelled,
            Refusal::Stale => f.w.sign_in_stale,
            Refusal::TooLarge => f.w.sign_in_too_large,
            Refusal::Unavailable => f.w.provider_unavailable,
        };
        let title = f.w.not_signed_in;
        let page = RefusalPage { f: f.titled(title), why, again };
        reply(refusal.status(), Policy::Reads, &page, &page.f)
    }

    /// A page in the place of one that cannot be had for the moment. What will not pass is `internal`.
    fn trouble(&self, f: Frame, why: &str, lead: &str, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() != ProblemCode::Unavailable {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::error!(code, service, cause = problem.cause(), "a page cannot be shown");
        let again = self.request.uri().path_and_query().map_or("/", |here| here.as_str());
        let page = TroublePage { f: f.titled(why), why, lead, again };
        reply(StatusCode::SERVICE_UNAVAILABLE, Policy::Reads, &page, &page.f)
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn of(app: &'a App, request: &Request) -> Self {
        let switched = query_parameter(request, "language").and_then(|code| Language::of_code(&code));
        let chosen = || cookie::get(request.headers(), LANGUAGE).and_then(Language::of_code);
        let accepted = || {
            let header = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
            Language::preferred(header.unwrap_or_default())
        };
        let language = switched.or_else(chosen).unwrap_or_else(accepted);
        let w = language.words();
        Self { app, language, switched: switched.is_some(), w, title: String::new(), area: Area::Portal, account: None }
    }

    fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }

    fn signed_in(self, account: String) -> Self {
        Self { account: Some(account), ..self }
    }

    fn in_administration(self) -> Self {
        Self { area: Area::Administration, ..self }
    }

    fn vendor(&self) -> &str {
        &self.app.brand.vendor
    }

    fn is_administration(&self) -> bool {
        self.area == Area::Administration
    }

    /// What the customer's account is called.
    fn provider(&self) -> String {
        self.app.provider.clone().unwrap_or_else(|| self.with(self.w.default_provider, "vendor", self.vendor()))
    }

    /// What stands at the head of a page and after its title.
    fn area_name(&self) -> String {
        let name = if self.is_administration() { self.w.administration_center } else { self.w.customer_portal };
        self.with(name, "vendor", self.vendor())
    }

    /// Where the name at the head of a page leads.
    fn area_path(&self) -> &'static str {
        if self.is_administration() { "/administration" } else { "/" }
    }

    /// The languages to switch to.
    fn other_languages(&self) -> impl Iterator<Item = Language> {
        let current = self.language;
        Language::ALL.into_iter().filter(move |language| *language != current)
    }

    /// A text with another in its place.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn with(&self, text: &str, place: &str, value: &str) -> String {
        words::fill(text, &[(place, value)])
    }

    /// A text with a time in its place.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn at(&self, text: &str, time: &Timestamp) -> Filled {
        Filled::of(self.w, text, *time)
    }

    /// A time alone.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn time(&self, time: &Timestamp) -> Filled {
        Filled::of(self.w, "{at}", *time)
    }

    /// Which account is meant, with examples of both.
    fn which_account(&self) -> String {
        words::fill(self.w.which_account, &EXAMPLES)
    }

    fn help_account(&self) -> String {
        words::fill(self.w.help_a_account, &EXAMPLES)
    }

    fn home_for(&self, credential: &Credential) -> String {
        words::fill(self.w.home_for, &[("product", &credential.product), ("company", &credential.company.name)])
    }

    fn support_user(&self) -> String {
        words::fill(self.w.support_ready_user, &EXAMPLES)
    }

    /// What the scripts of the Administration Center say.
    fn said_in_administration(&self) -> impl IntoIterator<Item = (&'static str, &'static str)> + use<> {
        said!(self.w,
            created_other_lead created_title failed forbidden form_wrong hide_password password_count password_reused password_too_common
            password_too_long password_too_short session_ended show_password sign_in_again too_many_attempts unavailable user_name_taken
            user_name_wrong wrong_credentials
        )
    }

    /// `default-src 'none'`, and what the page uses.
    fn policy(&self, policy: Policy) -> String {
        let acts = policy == Policy::Acts;
        let logo = self.app.brand.logo_origin().map(|origin| format!(" {origin}")).unwrap_or_default();
        let calls = if acts { " connect-src 'self';" } else { "" };
        // Signing out is a form, wherever somebody is signed in.
        let forms = if acts || self.account.is_some() { "'self'" } else { "'none'" };
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{logo};{calls} form-action {forms}; \
             base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )
    }
}

/// The page, with the headers that every page has.
fn reply(status: StatusCode, policy: Policy, page: &impl Template, frame: &Frame) -> Result<Reply, Problem> {
    let html = page.render().map_err(|error| Problem::new(ProblemCode::Internal).because(error))?;
    let mut reply = web::html(status, html);
    let policy = HeaderValue::try_from(frame.policy(policy)).map_err(|_| ProblemCode::Internal)?;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(frame.language.code()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if frame.switched {
        let code = frame.language.code();
        reply = cookie::set(reply, LANGUAGE, code, LANGUAGE_LIFETIME, cookie::SameSite::Lax);
    }
    Ok(reply)
}

/// To copy is all that a page wants of a browser.
const PERMISSIONS: &str = "clipboard-write=(self), clipboard-read=(), camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
                           publickey-credentials-get=(), display-capture=(), browsing-topics=()";
