//! `/`: the start page of the Customer Portal, and **Your subscriptions** after the sign-in.

use std::ops::ControlFlow;

use askama::Template;
use aws::Listed;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Credential, CredentialState, Kind, MailDetail, MailStatus, RenewalDecision, SubscriptionId, Timestamp, WelcomeMail,
    credential::RETRIEVALS_PER_ISSUE,
};
use http::StatusCode;
use web::{Customer, Problem, ProblemCode, Reply, Site};
use words::Words;

use super::{Filled, Frame, Policy, reply, texts_by_key};
use crate::Visit;

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    f: Frame<'a>,
    sign_in: &'a str,
}

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct SubscriptionsPage<'a> {
    f: Frame<'a>,
    rows: Vec<Row>,
    /// The name under which the customer is signed in; `None` if the provider gave no address.
    name: Option<String>,
    /// The address in the token, if the provider has not verified it.
    unconfirmed: Option<String>,
    /// The address that support replies to, if there is one.
    reply_to: Option<String>,
    /// Identifies the person, so that clicks of different people in the same browser are kept apart.
    person: String,
    cursor: Option<String>,
    next: Option<String>,
    sign_in: &'a str,
}

/// A subscription in the list.
struct Row {
    id: SubscriptionId,
    product: String,
    company: String,
    user_name: String,
    kind: &'static str,
    started: Timestamp,
    steps: [Step; 4],
    /// The state in a sentence.
    state: Filled,
    /// Whether credentials can be retrieved.
    open: bool,
    remaining: usize,
    /// The last retrieval by another person: when, and by whom, as a sentence begins.
    other: Option<(Timestamp, String)>,
    /// The sentences about a welcome mail that failed, while the credentials can still be retrieved.
    unread: Option<Unread>,
    /// The masked address of the welcome mail.
    mail_to: String,
    /// The status of the welcome mail.
    mail_status: MailStatus,
    /// Whether the mail can be sent again, now or a few minutes later.
    can_resend: bool,
    /// Whether new credentials can be sent.
    can_renew: bool,
}

/// The sentences about a welcome mail that could not be delivered, or was marked as spam.
struct Unread {
    what: String,
    why: Option<&'static str>,
}

/// A step of the progress.
struct Step {
    name: &'static str,
    /// When the step was done.
    at: Option<Timestamp>,
    /// The time at which the step failed.
    failed_at: Option<Timestamp>,
    /// A note about the step.
    note: Option<String>,
    /// Whether the step failed.
    trouble: bool,
}

impl Visit<'_> {
    /// Shows the list of a signed-in customer, or the start page.
    pub(crate) async fn subscriptions(&self) -> Result<Reply, Problem> {
        let customer = match self.customer().await? {
            ControlFlow::Continue(customer) => customer,
            ControlFlow::Break(page) => return Ok(page),
        };
        let (f, name) = (self.frame_for(&customer), name(&customer));
        // An invalid cursor shows the first page instead of an error.
        let after = web::request::cursor(self.request).unwrap_or_default();
        match self.app.listings.page(&customer.caller, after.as_ref()).await {
            Ok(page) => {
                let title = f.w.your_subscriptions;
                let page = SubscriptionsPage {
                    f: f.titled(title),
                    rows: page.listed.iter().map(|listed| self.row(listed, &customer)).collect(),
                    name,
                    unconfirmed: customer.unconfirmed_address.as_ref().map(ToString::to_string),
                    reply_to: customer.caller.email().map(ToString::to_string),
                    person: BASE64_URL_SAFE_NO_PAD.encode(customer.caller.person().as_bytes()),
                    cursor: after.as_ref().map(web::cursor::encode),
                    next: page.next.as_ref().map(web::cursor::encode),
                    sign_in: &Site::Portal.sign_in_path("/"),
                };
                reply(StatusCode::OK, Policy::Acts, &page, &page.f)
            }
            Err(failure) => {
                let (why, lead) = (f.w.list_unavailable, f.w.nothing_is_lost);
                self.trouble(f, why, lead, Problem::from(failure))
            }
        }
    }

    /// Returns the signed-in customer, or the page that is shown instead: the start page, or one that says that the provider does not respond.
    pub(super) async fn customer(&self) -> Result<ControlFlow<Reply, Customer>, Problem> {
        match self.app.identity.customer(self.request, self.now).await {
            Ok(customer) => Ok(ControlFlow::Continue(customer)),
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => self.start().map(ControlFlow::Break),
            Err(problem) => {
                let f = self.frame();
                let why = f.w.provider_unavailable;
                self.trouble(f, why, "", problem).map(ControlFlow::Break)
            }
        }
    }

    /// Returns the frame of a page for a signed-in customer.
    pub(super) fn frame_for(&self, customer: &Customer) -> Frame<'_> {
        let f = self.frame();
        let account = name(customer).unwrap_or_else(|| f.w.account_without_address.to_owned());
        f.signed_in(account)
    }

    /// Shows the start page, whose sign-in leads back to this address.
    fn start(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.with(f.w.customer_portal, "vendor", f.vendor());
        let here = self.request.uri().path_and_query().map_or("/", |here| here.as_str());
        let page = StartPage { f: f.titled(&title), sign_in: &Site::Portal.sign_in_path(here) };
        reply(StatusCode::OK, Policy::Reads, &page, &page.f)
    }

    fn row(&self, Listed { credential, mail }: &Listed, customer: &Customer) -> Row {
        let f = self.frame();
        let w = f.w;
        let you = customer.caller.person();
        let other = credential.retrievals_in_order().into_iter().rfind(|retrieval| retrieval.who != you);
        let step = |name, at| Step { name, at, failed_at: None, note: None, trouble: false };
        let is_open = credential.state(self.now) == CredentialState::Issued;
        Row {
            id: credential.subscription.clone(),
            product: credential.product.clone(),
            company: credential.company.name.clone(),
            user_name: credential.user_name.to_string(),
            kind: if credential.kind == Kind::Paid { w.paid } else { w.trial },
            started: credential.started_at,
            steps: [
                mail_step(mail, w),
                step(w.step_signed_in, credential.signed_in_at),
                step(w.step_password, credential.changed_at),
                step(w.step_administrator, credential.issue_handed_over_at()),
            ],
            state: self.state(credential, &f),
            open: is_open,
            remaining: credential.retrievals_remaining(),
            other: other.map(|retrieval| (retrieval.at, words::person_first(w, &retrieval.by))),
            unread: if is_open { unread(mail, w) } else { None },
            mail_to: mail.to.masked(),
            mail_status: mail.status,
            can_resend: mail.offers_resend(credential, self.now),
            can_renew: credential.judge_renewal(self.now) == RenewalDecision::Renew,
        }
    }

    fn state(&self, credential: &Credential, f: &Frame) -> Filled {
        let w = f.w;
        let ended = credential.ended_at.unwrap_or(self.now);
        match credential.state(self.now) {
            CredentialState::Issued => f.at(w.works_until, &credential.expires_at),
            CredentialState::SignedIn => f.at(w.state_signed_in, &ended),
            CredentialState::Changed => f.at(w.state_changed, &ended),
            CredentialState::HandedOver => f.at(w.state_handed_over, &ended),
            CredentialState::Expired if credential.judge_renewal(self.now) == RenewalDecision::Renew => {
                f.at(w.state_expired, &credential.expires_at)
            }
            CredentialState::Expired => f.at(w.state_expired_support, &credential.expires_at),
            CredentialState::Ended => f.at(w.state_ended, &ended),
        }
    }
}

/// Returns the step of the welcome mail.
fn mail_step(mail: &WelcomeMail, w: &'static Words) -> Step {
    let to = words::fill(w.step_mail_to, &[("address", &mail.to.masked())]);
    let noted = |note| Some(format!("{to}: {note}"));
    let step = Step { name: w.step_mailed, at: None, failed_at: None, note: Some(to.clone()), trouble: false };
    let failed = |name| Step { name, failed_at: Some(mail.at), trouble: true, note: Some(to.clone()), ..step };
    match mail.status {
        MailStatus::Sent | MailStatus::Delivered => Step { at: Some(mail.at), ..step },
        MailStatus::Pending => Step { note: noted(w.mail_pending), ..step },
        MailStatus::NotNeeded => Step { note: noted(w.mail_not_needed), ..step },
        MailStatus::Delayed => Step { note: noted(w.mail_delayed), trouble: true, ..step },
        MailStatus::Undelivered | MailStatus::Bounced | MailStatus::Suppressed => failed(w.step_not_delivered),
        MailStatus::Complained => failed(w.step_complained),
    }
}

/// Returns the sentences about a mail that its reader has not got.
fn unread(mail: &WelcomeMail, w: &'static Words) -> Option<Unread> {
    let what = match mail.status {
        MailStatus::Undelivered | MailStatus::Bounced | MailStatus::Suppressed => w.undelivered,
        MailStatus::Complained => w.complained,
        MailStatus::Pending
        | MailStatus::Sent
        | MailStatus::Delayed
        | MailStatus::Delivered
        | MailStatus::NotNeeded => return None,
    };
    let why = match mail.detail {
        _ if mail.status == MailStatus::Suppressed => Some(w.undelivered_suppressed),
        _ if mail.status == MailStatus::Complained => None,
        Some(MailDetail::Suppressed) | None => None,
        Some(detail) => words::mail_detail(w, detail),
    };
    Some(Unread { what: words::fill(what, &[("address", &mail.to.masked())]), why })
}

impl SubscriptionsPage<'_> {
    /// Returns the texts of the script.
    fn script_texts(&self) -> impl IntoIterator<Item = (&'static str, &'static str)> + use<> {
        texts_by_key!(self.f.w,
            action_renew action_resend both copied copy_failed credentials_for failed for_whom gone instructions list_other list_you offline question_again
            question_other question_retrieve reason_changed reason_ended reason_expired reason_retrieved_company
            reason_retrieved_company_over reason_retrieved_you reason_signed_in reason_signed_in_and_changed reason_signed_in_only
            renew_refused renewed renewed_before renewed_unmailed resend_early resend_impossible resend_used_up resent
            retrievals_left retrievals_left_sentence retrieved_by retrieved_by_you support_about support_empty support_sent support_sent_anonymous
            support_title support_too_many too_old unavailable unconfirmed_account unconfirmed_account_first works_until_sentence
        )
    }
}

impl Row {
    /// Returns how many retrievals are left: `2 of 3 retrievals left`.
    fn left(&self, f: &Frame) -> String {
        let (remaining, allowed) = (self.remaining.to_string(), RETRIEVALS_PER_ISSUE.to_string());
        words::fill(f.w.retrievals_left, &[("remaining", &remaining), ("allowed", &allowed)])
    }
}

/// Returns the name under which customers see themselves: the address, verified or not. `None` without an address, since a subject means
/// nothing to its owner.
fn name(customer: &Customer) -> Option<String> {
    customer.unconfirmed_address.as_ref().or(customer.caller.email()).map(ToString::to_string)
}
