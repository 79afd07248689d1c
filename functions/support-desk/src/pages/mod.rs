//! The pages. Every page has the same frame.

mod advice;
mod approvals;
mod history;
mod people;
mod search;
mod sign_in;
mod subscription;

use askama::Template;
use domain::Timestamp;
use form_urlencoded::byte_serialize;
use http::{StatusCode, header};
use page::{Brand, Choice, Filled, Policy, reply};
use web::{Problem, ProblemCode, Reply, SignedInOperator, Site, cookie, request::query_parameter};
use words::{Language, Words};

use crate::{App, Visit};

/// The frame of every page.
pub(crate) struct Frame<'a> {
    app: &'a App,
    choice: Choice,
    w: &'static Words,
    title: String,
    /// The signed-in operator, as other operators see them.
    account: Option<String>,
    /// The tab that the page belongs to.
    tab: Option<Tab>,
    /// The part of the query that a link to another language keeps.
    kept_query: String,
}

/// A tab of every page that operators see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Find,
    Approvals,
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
    again: &'a str,
}

impl<'v> Visit<'v> {
    /// Shows a page to an operator. A browser without a session is led to the sign-in, whatever the path.
    pub(crate) async fn page(&self, path: &[&str]) -> Result<Reply, Problem> {
        if !self.presents_token() {
            return Ok(web::see_other(&Site::Desk.sign_in_path(self.here())));
        }
        let operator = match self.operator().await {
            Ok(operator) => operator,
            Err(problem) if problem.code() == ProblemCode::NotFound => return self.not_found(),
            Err(problem) => return self.trouble(self.frame(), problem),
        };
        let page = match path {
            [] => self.search(&operator),
            [""] => Ok(web::see_other("/desk")),
            ["subscriptions"] => self.found_page(&operator).await,
            ["subscriptions", id] => self.subscription(id, &operator).await,
            ["approvals"] => self.approvals(&operator).await,
            _ => Err(ProblemCode::NotFound.into()),
        };
        page.or_else(|problem| {
            let f = self.frame_for(&operator);
            if problem.code() == ProblemCode::NotFound { self.not_found_in(f) } else { self.trouble(f, problem) }
        })
    }

    /// Returns whether the request has a token, valid or not.
    fn presents_token(&self) -> bool {
        let headers = self.request.headers();
        let is_ours = |name: &str| {
            name.strip_prefix(Site::Desk.token_cookie()).is_some_and(|end| ["", ".1", ".2"].contains(&end))
        };
        headers.contains_key(header::AUTHORIZATION) || cookie::all(headers).any(|(name, _)| is_ours(name))
    }

    /// Returns the path and the query of the request.
    fn here(&self) -> &'v str {
        self.request.uri().path_and_query().map_or("/desk", |here| here.as_str())
    }

    pub(crate) fn frame(&self) -> Frame<'v> {
        let choice = Choice::new(self.request, self.app.languages);
        let query = query_parameter(self.request, "query").map(|query| encoded(&query));
        Frame {
            app: self.app,
            choice,
            w: choice.language.words(),
            title: String::new(),
            account: None,
            tab: None,
            kept_query: query.map(|query| format!("query={query}&")).unwrap_or_default(),
        }
    }

    fn frame_for(&self, operator: &SignedInOperator) -> Frame<'v> {
        Frame { account: Some(operator.operator.label.as_stored().to_owned()), ..self.frame() }
    }

    /// Answers a path that does not exist, or a caller who is no operator: the two are the same.
    pub(crate) fn not_found(&self) -> Result<Reply, Problem> {
        self.not_found_in(self.frame())
    }

    fn not_found_in(&self, f: Frame) -> Result<Reply, Problem> {
        if !page::is_navigation(self.request) {
            return Err(ProblemCode::NotFound.into());
        }
        let title = f.w.not_found_title;
        let page = NotFoundPage { f: f.titled(title) };
        reply(StatusCode::NOT_FOUND, Policy::Reads, &page, &page.f)
    }

    /// Shows an error page in place of a page that is unavailable for now. Any other problem is returned as it is.
    fn trouble(&self, f: Frame, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() != ProblemCode::Unavailable {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::error!(code, service, cause = problem.cause(), "a page is unavailable");
        let title = f.w.page_unavailable;
        let page = TroublePage { f: f.titled(title), again: self.here() };
        reply(StatusCode::SERVICE_UNAVAILABLE, Policy::Reads, &page, &page.f)
    }
}

impl Frame<'_> {
    fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }

    fn in_tab(self, tab: Tab) -> Self {
        Self { tab: Some(tab), ..self }
    }

    fn is_finding(&self) -> bool {
        self.tab == Some(Tab::Find)
    }

    fn is_approving(&self) -> bool {
        self.tab == Some(Tab::Approvals)
    }

    fn vendor(&self) -> &str {
        &self.app.brand.vendor
    }

    /// Returns the name of the desk, for the head of the page and its title.
    fn area_name(&self) -> String {
        self.with(self.w.desk, "vendor", self.vendor())
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

    /// Fills the placeholder of a text with a name, which browsers must not translate or correct.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn literally(&self, text: &str, value: &str) -> Filled {
        Filled::literally(text, value)
    }

    /// Returns a time as HTML.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn time(&self, time: &Timestamp) -> Filled {
        Filled::new(self.w, "{at}", *time)
    }

    /// Returns a name that browsers must not translate or correct.
    fn name(&self, name: &str) -> Filled {
        self.literally("{name}", name)
    }

    /// Returns the path that begins a sign-in with another account, and returns to the search.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn other_account(&self) -> String {
        Site::Desk.sign_in_path("/desk") + "&account=other"
    }

    /// Returns the texts of the script.
    fn script_texts(&self) -> impl IntoIterator<Item = (&'static str, &'static str)> + use<> {
        let w = self.w;
        [
            ("desk_ask", w.desk_ask),
            ("desk_failed", w.desk_failed),
            ("desk_left", w.desk_left),
            ("desk_offline", w.desk_offline),
            ("desk_reissue_submit", w.desk_reissue_submit),
            ("desk_said_added", w.desk_said_added),
            ("desk_said_approved", w.desk_said_approved),
            ("desk_said_asked", w.desk_said_asked),
            ("desk_said_conflict", w.desk_said_conflict),
            ("desk_said_reissued", w.desk_said_reissued),
            ("desk_said_rejected", w.desk_said_rejected),
            ("desk_said_removed", w.desk_said_removed),
            ("desk_said_unlocked", w.desk_said_unlocked),
            ("desk_too_many", w.desk_too_many),
            ("forbidden", w.forbidden),
            ("form_wrong", w.form_wrong),
            ("sign_in_again", w.sign_in_again),
            ("unavailable", w.unavailable),
        ]
    }
}

impl page::Frame for Frame<'_> {
    fn brand(&self) -> &Brand {
        &self.app.brand
    }

    fn choice(&self) -> Choice {
        self.choice
    }

    /// Every page with a signed-in operator has the sign-out form.
    fn has_form(&self) -> bool {
        self.account.is_some()
    }
}

/// Returns a value as a query has it.
fn encoded(value: &str) -> String {
    byte_serialize(value.as_bytes()).collect()
}
