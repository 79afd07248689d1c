//! `/desk/auth/*`: why a sign-in failed, and what follows a sign-out.

use askama::Template;
use http::StatusCode;
use page::{Policy, reply};
use web::{Problem, Reply, SignInRefusal};

use super::Frame;
use crate::Visit;

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    f: Frame<'a>,
    why: &'a str,
    again: &'a str,
    /// Whether only another account helps.
    is_no_operator: bool,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage<'a> {
    f: Frame<'a>,
    there: Option<String>,
}

impl Visit<'_> {
    /// Shows why a sign-in failed, with a link that tries again.
    pub(crate) fn refusal_page(&self, refusal: SignInRefusal, again: &str) -> Result<Reply, Problem> {
        let f = self.frame();
        let w = f.w;
        let why = match refusal {
            SignInRefusal::Busy => w.unavailable.to_owned(),
            SignInRefusal::Cancelled => w.sign_in_cancelled.to_owned(),
            SignInRefusal::Incomplete => w.desk_sign_in_incomplete.to_owned(),
            SignInRefusal::Misconfigured => w.desk_sign_in_misconfigured.to_owned(),
            SignInRefusal::NoRole => w.desk_no_access.to_owned(),
            SignInRefusal::NotAccepted => w.desk_sign_in_not_accepted.to_owned(),
            SignInRefusal::Stale => w.sign_in_stale.to_owned(),
            SignInRefusal::TooLarge => w.desk_sign_in_too_large.to_owned(),
            SignInRefusal::TooMany { retry_after } => f.with(w.too_many_attempts, "seconds", &retry_after.to_string()),
            SignInRefusal::Unavailable => w.provider_unavailable.to_owned(),
        };
        let is_no_operator = refusal == SignInRefusal::NoRole;
        let page = RefusalPage { f: f.titled(w.not_signed_in), why: &why, again, is_no_operator };
        reply(refusal.status(), Policy::Reads, &page, &page.f)
    }

    /// Shows that the operator has signed out, with a link to the sign-out of the provider.
    pub(crate) async fn signed_out(&self) -> Result<Reply, Problem> {
        let there = self.app.sign_ins.end_session_address(self.request, self.now).await;
        let f = self.frame();
        let title = f.w.signed_out;
        let page = SignedOutPage { f: f.titled(title), there };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }
}
