//! The console's controls: what becomes of a mail, the time, and the schedules. Each is part of the JSON API; the page has forms for mails and
//! time, which work without scripts.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Json, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::console::{parse_json, problem, undelivered};
use super::feedback::Feedback;
use super::inbox::Mail;
use super::{Inner, ReportError};

/// A refusal: the status and the detail of a problem document.
type Refusal = (StatusCode, String);

/// Answers `{message_id or to, event}` with the function's answer to the first delivery.
pub(super) async fn feedback(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let reported = async {
        let body = parsed(&body)?;
        let text = |name: &str| body[name].as_str();
        let mail =
            text("message_id").or_else(|| text("to")).ok_or_else(|| bad("`message_id` or `to` names the mail"))?;
        let feedback = known(text("event").unwrap_or_default())?;
        let mail = inner.inbox.find(mail).ok_or_else(unknown_mail)?;
        report(&inner, mail, feedback).await
    };
    answer(reported.await.map(Json))
}

/// The form below a mail.
#[derive(Deserialize)]
pub(super) struct FeedbackForm {
    event: String,
}

pub(super) async fn feedback_form(
    State(inner): State<Arc<Inner>>,
    Path(place): Path<usize>,
    form: Result<Form<FeedbackForm>, FormRejection>,
) -> Response {
    let reported = async {
        let Form(form) = form.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
        let feedback = known(&form.event)?;
        let mail = inner.inbox.at(place).ok_or_else(unknown_mail)?;
        report(&inner, mail, feedback).await?;
        Ok(Redirect::to(&format!("/?reported={}#mail", feedback.name())))
    };
    answer(reported.await)
}

/// Answers `{seconds}` with the time after the move.
pub(super) async fn clock(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let moved = async {
        let seconds = parsed(&body)?["seconds"].as_u64();
        let seconds =
            seconds.ok_or_else(|| bad("`seconds` is a whole number, 0 or more: the clock only moves forward"))?;
        advance(&inner, seconds).await?;
        Ok(Json(json!({ "now": inner.clock.rfc3339() })))
    };
    answer(moved.await)
}

/// The form that moves the time.
#[derive(Deserialize)]
pub(super) struct TimeForm {
    seconds: u64,
}

pub(super) async fn time_form(
    State(inner): State<Arc<Inner>>,
    form: Result<Form<TimeForm>, FormRejection>,
) -> Response {
    let moved = async {
        let Form(form) = form.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
        advance(&inner, form.seconds).await?;
        Ok(Redirect::to("/#time"))
    };
    answer(moved.await)
}

/// Answers `{function}` with an empty object when the function has been invoked.
pub(super) async fn schedule(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let invoked = async {
        let body = parsed(&body)?;
        let function = body["function"].as_str().ok_or_else(|| bad("`function` names a function with a schedule"))?;
        let unknown = || (StatusCode::NOT_FOUND, format!("No schedule invokes {function}."));
        let function = inner.schedules.find(function).ok_or_else(unknown)?;
        let (cloud, now) = (Arc::clone(&inner), inner.clock.epoch_seconds());
        let done = tokio::spawn(async move { cloud.run_schedule(function, now).await }).await;
        done.map_err(|_| interrupted())?.map_err(|reason| (StatusCode::BAD_GATEWAY, reason))?;
        Ok(Json(json!({})))
    };
    answer(invoked.await)
}

/// Publishes what becomes of a mail, in its own task, so that the delivery completes even if the client disconnects.
async fn report(inner: &Arc<Inner>, mail: Mail, feedback: Feedback) -> Result<Value, Refusal> {
    let inner = Arc::clone(inner);
    let reported = tokio::spawn(async move { inner.report(&mail, feedback).await }).await.map_err(|_| interrupted())?;
    reported.map_err(|error| match error {
        ReportError::UnknownMail => unknown_mail(),
        ReportError::Unreported => (StatusCode::CONFLICT, error.to_string()),
        ReportError::Undelivered(error) => undelivered(error),
    })
}

/// Moves the clock, in its own task. Failures of schedules are only logged, as in AWS.
async fn advance(inner: &Arc<Inner>, seconds: u64) -> Result<(), Refusal> {
    if !inner.clock.can_advance(seconds) {
        return Err(bad("the clock ends with the year 9999"));
    }
    let inner = Arc::clone(inner);
    tokio::spawn(async move { inner.advance_clock(seconds).await }).await.map(drop).map_err(|_| interrupted())
}

fn parsed(body: &[u8]) -> Result<Value, Refusal> {
    parse_json(body).map_err(|rejection| (rejection.status(), rejection.body_text()))
}

fn known(event: &str) -> Result<Feedback, Refusal> {
    let names = || Feedback::ALL.map(Feedback::name).join(", ");
    Feedback::from_name(event).ok_or_else(|| bad(&format!("`event` is one of {}", names())))
}

fn bad(rule: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, format!("The request is invalid: {rule}."))
}

fn unknown_mail() -> Refusal {
    (StatusCode::NOT_FOUND, "The inbox has no such mail.".to_owned())
}

fn interrupted() -> Refusal {
    (StatusCode::INTERNAL_SERVER_ERROR, "The invocation was interrupted.".to_owned())
}

fn answer(result: Result<impl IntoResponse, Refusal>) -> Response {
    match result {
        Ok(answer) => answer.into_response(),
        Err((status, reason)) => problem(status, &reason),
    }
}
