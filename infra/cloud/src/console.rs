//! The console: a web page for developers, and a JSON API for tests.
//!
//! A website that the developer happens to visit must not be able to control the console. It therefore refuses unsafe
//! requests from other origins, and every request whose `Host` is not a name of this machine. The API does not require a
//! JSON content type, so `curl -d` is enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{Form, Json, Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::faults::Fault;
use super::feedback::Feedback;
use super::inbox::Mail;
use super::page::{LiveParts, Page, Refusal, StartForm};
use super::{DeadLetter, DeliverError, Inner, Published, controls, lock, requests, serve};

const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");
const ICON: &str = include_str!("../assets/console.svg");

/// The longest time that the form's answer waits for the welcome mail.
const MAIL_TIME: Duration = Duration::from_secs(2);

/// Shown when subscription-start rejects an event. The function reports the reason only in its log.
const REFUSED: &str = "The event was published, but subscription-start did not take it: an earlier event contradicts it, another \
                       subscription has the user name, or AWS failed. The function's log says which. The queue delivers it again, five times at most.";

pub(super) async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    let routes = Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/mails/{place}", get(mail))
        .route("/start", post(start))
        .route("/console.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/console.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/console.svg", get(async || asset("image/svg+xml", ICON)))
        .route("/mails/{place}/feedback", post(controls::feedback_form))
        .route("/time", post(controls::time_form))
        .route("/events", post(events))
        .route("/feedback", post(controls::feedback))
        .route("/clock", post(controls::clock))
        .route("/schedule", post(controls::schedule))
        .route("/inbox", get(inbox))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/faults", post(faults))
        .route("/published", get(published))
        .route("/dead-letters", get(dead_letters))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "The console has no such page.") })
        .layer(middleware::from_fn(guard))
        .with_state(inner);
    let service = TowerToHyperService::new(routes);
    serve::serve(listener, move |request| service.call(request)).await;
}

async fn guard(request: Request, next: Next) -> Response {
    if !serve::names_this_machine(request.headers()) {
        return problem(
            StatusCode::FORBIDDEN,
            "The console only answers requests whose Host is a name of this machine.",
        );
    }
    if !request.method().is_safe() && comes_from_another_site(request.headers()) {
        return problem(StatusCode::FORBIDDEN, "The console does not accept requests from other websites.");
    }
    next.run(request).await
}

/// Returns whether another website sent the request. Browsers always state the origin of an unsafe request; a client
/// that sends no such header is not a browser.
fn comes_from_another_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let own = text("host").map(|host| format!("http://{host}"));
    headers.contains_key(header::ORIGIN) && text("origin") != own.as_deref()
}

async fn events(State(inner): State<Arc<Inner>>, event: Bytes) -> Response {
    let event = match parse_json(&event) {
        Ok(event) => event,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    match deliver(inner, event).await {
        Ok(answer) => Json(answer).into_response(),
        Err((status, reason)) => problem(status, &reason),
    }
}

/// Publishes an event in its own task, so that the delivery completes even if the client disconnects.
async fn deliver(inner: Arc<Inner>, event: Value) -> Result<Value, (StatusCode, String)> {
    let delivered = tokio::spawn(async move { inner.deliver(event).await }).await;
    match delivered {
        Ok(delivered) => delivered.map_err(undelivered),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "The delivery was interrupted.".to_owned())),
    }
}

/// Returns the status and the reason of the answer to an event that was not delivered.
pub(super) fn undelivered(error: DeliverError) -> (StatusCode, String) {
    match error {
        DeliverError::Event(reason) => (StatusCode::BAD_REQUEST, reason),
        DeliverError::Denied(principal) => (StatusCode::FORBIDDEN, principal),
        DeliverError::Function(reason) => (StatusCode::BAD_GATEWAY, reason),
    }
}

/// A mail in the form that `GET /inbox` returns.
#[derive(Serialize)]
struct InboxEntry {
    message_id: String,
    to: String,
    subject: String,
    text: String,
    html: String,
    reply_to: Option<String>,
    sent_at: String,
    tags: BTreeMap<String, String>,
}

impl From<Mail> for InboxEntry {
    fn from(Mail { message_id, to, subject, text, html, reply_to, sent_at, tags, .. }: Mail) -> Self {
        Self { message_id, to, subject, text, html, reply_to, sent_at, tags }
    }
}

async fn inbox(State(inner): State<Arc<Inner>>) -> Json<Vec<InboxEntry>> {
    Json(inner.inbox.all().into_iter().map(InboxEntry::from).collect())
}

/// A published event in the form that `GET /published` returns, without its source: the role of the function that publishes allows one alone.
#[derive(Serialize)]
struct PublishedEntry {
    at: String,
    detail_type: String,
    detail: Value,
}

impl From<Published> for PublishedEntry {
    fn from(Published { at, detail_type, detail, .. }: Published) -> Self {
        Self { at, detail_type, detail }
    }
}

async fn published(State(inner): State<Arc<Inner>>) -> Json<Vec<PublishedEntry>> {
    Json(inner.published.all().into_iter().map(PublishedEntry::from).collect())
}

async fn requests(State(inner): State<Arc<Inner>>) -> Json<Vec<requests::Request>> {
    Json(inner.requests.all())
}

async fn clear_requests(State(inner): State<Arc<Inner>>) -> StatusCode {
    inner.requests.clear();
    StatusCode::NO_CONTENT
}

async fn dead_letters(State(inner): State<Arc<Inner>>) -> Json<Vec<DeadLetter>> {
    Json(inner.queues.dead_letters())
}

async fn faults(State(inner): State<Arc<Inner>>, fault: Bytes) -> Response {
    let fault = match parse_json(&fault) {
        Ok(fault) => Fault::from_json(&fault),
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    match fault {
        Ok(fault) => {
            inner.faults.set(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

pub(super) fn parse_json(body: &[u8]) -> Result<Value, JsonRejection> {
    Json::from_bytes(body).map(|Json(value)| value)
}

async fn page(State(inner): State<Arc<Inner>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let feedback = query.get("reported").and_then(|name| Feedback::from_name(name));
    rendered(StatusCode::OK, &Page::after(&inner, query.get("started").cloned(), feedback))
}

/// Returns the live parts of the page if they have changed since the version in `seen`.
async fn live(State(inner): State<Arc<Inner>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    match LiveParts::after(&inner, query.get("seen").map_or("", String::as_str)) {
        Some(parts) => rendered(StatusCode::OK, &parts),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Returns the HTML of a mail as a document of its own: sandboxed, without scripts, with links that open in a new tab.
async fn mail(State(inner): State<Arc<Inner>>, Path(place): Path<usize>) -> Response {
    const POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src https: data:; \
                          style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'";
    let Some(document) = inner.inbox.html(place) else {
        return problem(StatusCode::NOT_FOUND, "The inbox has no such mail.");
    };
    let document = document.replacen("<head>", "<head><base target=\"_blank\">", 1);
    html(StatusCode::OK, POLICY, document)
}

async fn start(State(inner): State<Arc<Inner>>, form: Result<Form<StartForm>, FormRejection>) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    match publish(&inner, &form).await {
        Ok(()) => {
            *lock(&inner.form) = form.clone();
            // Without scripts the page does not refresh, so the mail should be there when the browser loads it.
            timeout(MAIL_TIME, inner.drained()).await.ok();
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("started", &form.subscription_id).finish();
            Redirect::to(&format!("/?{query}#mail")).into_response()
        }
        Err((status, refusal)) => rendered(status, &Page::refusing(&inner, form, refusal)),
    }
}

/// Publishes the event that the form describes, if the form is valid.
async fn publish(inner: &Arc<Inner>, form: &StartForm) -> Result<(), (StatusCode, Refusal)> {
    let event = form.event(&inner.clock).map_err(|refusal| (StatusCode::UNPROCESSABLE_ENTITY, refusal))?;
    let failed = |status, why| Err((status, Refusal { why, field: None }));
    match deliver(Arc::clone(inner), event).await {
        Ok(answer) if answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty) => Ok(()),
        Ok(_) => failed(StatusCode::CONFLICT, REFUSED.to_owned()),
        Err((status, reason)) => {
            failed(status, format!("The event was published, but {reason}. The queue tries again."))
        }
    }
}

fn rendered(status: StatusCode, page: &impl Template) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    match page.render() {
        Ok(document) => html(status, POLICY, document),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn html(status: StatusCode, policy: &'static str, document: String) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(document)).into_response()
}

/// Returns a stylesheet, script or icon. Browsers revalidate it on every load, which is cheap on the same machine.
fn asset(media_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}

pub(super) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a header value")));
        comes_from_another_site(&headers.collect())
    }

    #[test]
    fn only_requests_from_other_websites_are_foreign() {
        assert!(!foreign(&[("host", "localhost:9001")]), "curl");
        assert!(!foreign(&[("host", "localhost:9001"), ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("host", "localhost:9001"), ("origin", "http://localhost:9001")]));
        assert!(foreign(&[("host", "localhost:9001"), ("sec-fetch-site", "cross-site")]));
        assert!(
            foreign(&[("host", "localhost:9001"), ("sec-fetch-site", "same-site")]),
            "another port of this machine"
        );
        assert!(foreign(&[("host", "localhost:9001"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("host", "localhost:9001"), ("origin", "null")]));
    }
}
