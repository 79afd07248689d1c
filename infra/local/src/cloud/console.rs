//! The console: a page for people, JSON for checks.
//!
//! A web page that a developer happens to visit must not drive it: other origins' posts are refused, and only names of this
//! machine are answered. JSON need not be declared, so that `curl -d` is enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Form, Json, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::faults::Fault;
use super::inbox::Mail;
use super::page::{Page, StartForm};
use super::{DeadLetter, DeliverError, Inner, requests, serve};

pub(super) async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    let routes = Router::new()
        .route("/", get(page))
        .route("/start", post(start))
        .route("/events", post(events))
        .route("/inbox", get(inbox))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/faults", post(faults))
        .route("/dead-letters", get(dead_letters))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "The console has no such page.") })
        .layer(middleware::from_fn(guard))
        .with_state(inner);
    let service = TowerToHyperService::new(routes);
    serve::serve(listener, move |request| service.call(request)).await;
}

async fn guard(request: Request, next: Next) -> Response {
    if !serve::names_this_machine(request.headers()) {
        return problem(StatusCode::FORBIDDEN, "The console answers to names of this machine only.");
    }
    if !request.method().is_safe() && comes_from_another_site(request.headers()) {
        return problem(StatusCode::FORBIDDEN, "The console does not take orders from other web pages.");
    }
    next.run(request).await
}

/// Browsers say where a post comes from; what says nothing is no browser.
fn comes_from_another_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let own = text("host").map(|host| format!("http://{host}"));
    headers.contains_key(header::ORIGIN) && text("origin") != own.as_deref()
}

async fn events(State(inner): State<Arc<Inner>>, event: Bytes) -> Response {
    let event = match json_of(&event) {
        Ok(event) => event,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    match deliver(inner, event).await {
        Ok(answer) => Json(answer).into_response(),
        Err((status, reason)) => problem(status, &reason),
    }
}

/// In a task of its own: the event is published, whether or not the publisher waits for the answer.
async fn deliver(inner: Arc<Inner>, event: Value) -> Result<Value, (StatusCode, String)> {
    let delivered = tokio::spawn(async move { inner.deliver(event).await }).await;
    match delivered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(DeliverError::Event(reason))) => Err((StatusCode::BAD_REQUEST, reason)),
        Ok(Err(DeliverError::Function(reason))) => Err((StatusCode::BAD_GATEWAY, reason)),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "The delivery was cut short.".to_owned())),
    }
}

/// A mail as the contract shows it.
#[derive(Serialize)]
struct InboxEntry {
    to: String,
    subject: String,
    text: String,
    html: String,
    reply_to: Option<String>,
    sent_at: String,
    tags: BTreeMap<String, String>,
}

impl From<Mail> for InboxEntry {
    fn from(Mail { to, subject, text, html, reply_to, sent_at, tags, .. }: Mail) -> Self {
        Self { to, subject, text, html, reply_to, sent_at, tags }
    }
}

async fn inbox(State(inner): State<Arc<Inner>>) -> Json<Vec<InboxEntry>> {
    Json(inner.inbox.all().into_iter().map(InboxEntry::from).collect())
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
    let fault = match json_of(&fault) {
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

fn json_of(body: &[u8]) -> Result<Value, JsonRejection> {
    Json::from_bytes(body).map(|Json(value)| value)
}

async fn page(State(inner): State<Arc<Inner>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let notice = query.get("started").map(|id| format!("The event for {id} was delivered."));
    rendered(&inner, StatusCode::OK, notice.unwrap_or_default())
}

async fn start(State(inner): State<Arc<Inner>>, Form(form): Form<StartForm>) -> Response {
    let id = form.subscription_id.clone();
    let failure = match deliver(Arc::clone(&inner), form.event()).await {
        Ok(answer) if answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("started", &id).finish();
            return Redirect::to(&format!("/?{query}")).into_response();
        }
        Ok(_) => (StatusCode::OK, "The function reports that it failed; the queue tries again.".to_owned()),
        Err(failure) => failure,
    };
    rendered(&inner, failure.0, failure.1)
}

fn rendered(inner: &Inner, status: StatusCode, notice: String) -> Response {
    /// Styles are inline in the page and in mails; nothing else is loaded or run.
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; \
                          frame-ancestors 'none'; base-uri 'none'";
    match Page::of(inner, notice).html() {
        Ok(html) => (status, [(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
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
    fn only_other_pages_are_foreign() {
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
