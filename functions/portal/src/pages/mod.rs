//! The pages. Every page has the same frame.

mod administration;
mod history;
mod subscriptions;
mod team;

/// Lists texts with their keys, for a script.
macro_rules! texts_by_key {
    ($w:expr, $($key:ident)*) => { [$((stringify!($key), $w.$key)),*] };
}
use texts_by_key;

use askama::Template;
use domain::{Credential, Timestamp};
use http::StatusCode;
use page::{Brand, Choice, Filled, Policy, reply};
use web::{Problem, ProblemCode, Reply, Request, SignInRefusal};
use words::{Language, Words};

use crate::{App, Visit};

/// The address and the user name that texts give as examples.
const EXAMPLES: [(&str, &str); 2] = [("customer", "dana@fabrikam.example"), ("administrator", "admin@fabrikam")];

/// The frame of every page.
pub(crate) struct Frame<'a> {
    app: &'a App,
    choice: Choice,
    w: &'static Words,
    title: String,
    area: Area,
    /// The signed-in account, as shown to its owner.
    account: Option<String>,
    /// The part of the query, with a `&` at its end, that the links to other languages keep.
    kept: String,
}

/// The area that a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Portal,
    Administration,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    f: Frame<'a>,
    why: &'a str,
    again: &'a str,
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundPage<'a> {
    f: Frame<'a>,
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
    /// Shows the help page.
    pub(crate) fn help(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.w.help_title;
        let page = HelpPage { f: f.titled(title) };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    /// Shows how to reach the vendor's support.
    pub(crate) fn support(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.w.contact_support;
        let page = SupportPage { f: f.titled(title) };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    /// Shows that the customer has signed out, with a link to the sign-out of the provider.
    pub(crate) async fn signed_out(&self) -> Result<Reply, Problem> {
        let there = self.app.sign_ins.end_session_address(self.request, self.now).await;
        let f = self.frame();
        let title = f.w.signed_out;
        let page = SignedOutPage { f: f.titled(title), there };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    /// Shows why a sign-in failed, with a link that tries again.
    pub(crate) fn refusal_page(&self, refusal: SignInRefusal, again: &str) -> Result<Reply, Problem> {
        let f = self.frame();
        let why = match refusal {
            SignInRefusal::Busy => f.w.unavailable.to_owned(),
            SignInRefusal::Cancelled => f.w.sign_in_cancelled.to_owned(),
            SignInRefusal::Incomplete => f.w.sign_in_incomplete.to_owned(),
            SignInRefusal::Misconfigured => f.w.sign_in_misconfigured.to_owned(),
            SignInRefusal::NotAccepted | SignInRefusal::NoRole => f.w.sign_in_not_accepted.to_owned(),
            SignInRefusal::Stale => f.w.sign_in_stale.to_owned(),
            SignInRefusal::TooLarge => f.w.sign_in_too_large.to_owned(),
            SignInRefusal::TooMany { retry_after } => {
                f.with(f.w.too_many_attempts, "seconds", &retry_after.to_string())
            }
            SignInRefusal::Unavailable => f.w.provider_unavailable.to_owned(),
        };
        let title = f.w.not_signed_in;
        let page = RefusalPage { f: f.titled(title), why: &why, again };
        reply(refusal.status(), Policy::Reads, &page, &page.f)
    }

    /// Shows that there is no page at this address, with a link to the first page of the area.
    pub(crate) fn not_found_page(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let f = if self.request.uri().path().starts_with("/administration") { f.in_administration() } else { f };
        let title = f.w.not_found_title;
        let page = NotFoundPage { f: f.titled(title) };
        reply(StatusCode::NOT_FOUND, Policy::Reads, &page, &page.f)
    }

    /// Shows an error page in place of a page that is unavailable for now. Any other problem is returned as it is.
    fn trouble(&self, f: Frame, why: &str, lead: &str, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() != ProblemCode::Unavailable {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::error!(code, service, cause = problem.cause(), "a page is unavailable");
        let again = self.request.uri().path_and_query().map_or("/", |here| here.as_str());
        let page = TroublePage { f: f.titled(why), why, lead, again };
        reply(StatusCode::SERVICE_UNAVAILABLE, Policy::Reads, &page, &page.f)
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn new(app: &'a App, request: &Request) -> Self {
        let choice = Choice::new(request, app.languages);
        let w = choice.language.words();
        Self { app, choice, w, title: String::new(), area: Area::Portal, account: None, kept: String::new() }
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

    /// Keeps a parameter of the request's query, still encoded.
    fn keeping(self, request: &Request, name: &str) -> Self {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let kept = pairs.filter(|pair| pair.split('=').next() == Some(name)).flat_map(|pair| [pair, "&"]).collect();
        Self { kept, ..self }
    }

    fn vendor(&self) -> &str {
        &self.app.brand.vendor
    }

    fn is_administration(&self) -> bool {
        self.area == Area::Administration
    }

    /// Returns the name of the customer's account at the provider.
    fn provider(&self) -> String {
        self.app.provider.clone().unwrap_or_else(|| self.with(self.w.default_provider, "vendor", self.vendor()))
    }

    /// Returns the name of the area, for the head of the page and its title.
    fn area_name(&self) -> String {
        let name = if self.is_administration() { self.w.administration_center } else { self.w.customer_portal };
        self.with(name, "vendor", self.vendor())
    }

    /// Returns the path of the area's first page.
    fn area_path(&self) -> &'static str {
        if self.is_administration() { "/administration" } else { "/" }
    }

    /// Returns the languages that the reader can switch to.
    fn other_languages(&self) -> impl Iterator<Item = Language> {
        self.choice.others()
    }

    /// Fills one placeholder of a text.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn with(&self, text: &str, place: &str, value: &str) -> String {
        words::fill(text, &[(place, value)])
    }

    /// Fills the placeholder of a text with a time.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn at(&self, text: &str, time: &Timestamp) -> Filled {
        Filled::new(self.w, text, *time)
    }

    /// Fills the placeholder of a text with a user name, which browsers must not translate or correct.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn literally(&self, text: &str, value: &str) -> Filled {
        Filled::literally(text, value)
    }

    /// Returns a time as HTML.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn time(&self, time: &Timestamp) -> Filled {
        Filled::new(self.w, "{at}", *time)
    }

    /// Returns the sentence that explains which account to sign in with.
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

    /// Returns the texts of the Administration Center's script.
    fn administration_script_texts(&self) -> impl IntoIterator<Item = (&'static str, &'static str)> + use<> {
        texts_by_key!(self.w,
            add_most add_no_response back_home both changed_said copied copy_failed create_too_many created_title failed
            forbidden form_wrong former_title handout_lost handout_title handout_until hide_password last_administrator
            member_gone no_response password_count password_reused password_same password_too_common password_too_long
            password_too_short removed_said reset_too_many session_ended show_password sign_in_again too_many_attempts
            unavailable user_name_reserved user_name_taken user_name_wrong wrong_credentials wrong_current
        )
    }
}

impl page::Frame for Frame<'_> {
    fn brand(&self) -> &Brand {
        &self.app.brand
    }

    fn choice(&self) -> Choice {
        self.choice
    }

    /// Every page with a signed-in account has the sign-out form.
    fn has_form(&self) -> bool {
        self.account.is_some()
    }
}
