//! The loop of a function behind the HTTP API.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt as _;
use http::{HeaderValue, Response, header};
use lambda_http::{Adapter, Body, LambdaEvent, Request, Service, request::LambdaRequest};
use serde::Serialize;

use crate::{Error, Settings};

/// Runs `endpoint` for every request, until the environment ends.
///
/// `malformed` returns the answer to an event that is not a request; it gets the id of the invocation.
pub async fn serve<S>(endpoint: S, malformed: fn(&str) -> Response<Body>) -> Result<(), Error>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let transport = Transport::from_settings(&Settings::from_environment());
    let events = lambda_runtime::run(HttpService::new(endpoint, malformed, transport));
    // A task is woken without a system call, unlike the future that the thread blocks on.
    tokio::spawn(events).await?
}

/// How often the preparation yields before it begins, so that the request for the first event is sent first. Connecting and writing take about six
/// turns of the event loop. Tokio promises no order: with too few turns the start is slower, and nothing else changes.
const TURNS: usize = 16;

/// Runs `endpoint` as [`serve`] does, and `preparation` concurrently, as a rule after the request for the first event is sent.
pub async fn serve_prepared<S>(
    endpoint: S,
    malformed: fn(&str) -> Response<Body>,
    preparation: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    tokio::spawn(async {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        if AssertUnwindSafe(preparation).catch_unwind().await.is_err() {
            tracing::error!(outcome = "panicked", "the preparation panicked");
        }
    });
    serve(endpoint, malformed).await
}

/// How browsers reach the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Browsers use TLS only, and every answer demands it (RFC 6797).
    Tls,
    /// Browsers use no TLS, on a developer's machine.
    Plain,
}

/// The header that makes browsers use TLS only, for two years after each answer.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000");

impl Transport {
    /// Returns the transport of `PUBLIC_ORIGIN`, or of `DESK_ORIGIN` for a function of the support desk, which has no other origin.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let origin = settings.optional("PUBLIC_ORIGIN").or_else(|| settings.optional("DESK_ORIGIN"));
        if origin.is_some_and(|origin| origin.starts_with("https:")) { Self::Tls } else { Self::Plain }
    }

    fn mark(self, mut reply: Response<Body>) -> Response<Body> {
        if self == Self::Tls {
            reply.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
        }
        reply
    }
}

/// An endpoint whose answers are marked with the transport.
#[derive(Clone)]
pub struct Marked<S> {
    endpoint: S,
    transport: Transport,
}

impl<S> Service<Request> for Marked<S>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.endpoint.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (answer, transport) = (self.endpoint.call(request), self.transport);
        Box::pin(async move { Ok(transport.mark(answer.await?)) })
    }
}

/// The adapter of `lambda_http`, with an answer for events on which it panics: a path or query that is not a URI.
#[derive(Clone)]
pub struct HttpService<S> {
    adapter: AdapterOf<S>,
    malformed: fn(&str) -> Response<Body>,
    transport: Transport,
}

/// An answer in the form that API Gateway accepts.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer<A> {
    /// The answer that the adapter made.
    Adapted(A),
    /// An answer that was made without the adapter.
    #[serde(rename_all = "camelCase")]
    Malformed {
        /// The HTTP status.
        status_code: u16,
        /// The headers of the answer, each name once.
        headers: BTreeMap<String, String>,
        /// The body, which is always text.
        body: String,
        /// Always false, since the body is text.
        is_base64_encoded: bool,
    },
}

impl<S> HttpService<S>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// Returns the service that runs `endpoint`.
    pub fn new(endpoint: S, malformed: fn(&str) -> Response<Body>, transport: Transport) -> Self {
        Self { adapter: Adapter::from(Marked { endpoint, transport }), malformed, transport }
    }
}

type AdapterOf<S> = Adapter<'static, Response<Body>, Marked<S>>;
type AdaptedBy<S> = <AdapterOf<S> as Service<LambdaEvent<LambdaRequest>>>::Response;

impl<S> Service<LambdaEvent<LambdaRequest>> for HttpService<S>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Answer<AdaptedBy<S>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.adapter.poll_ready(context)
    }

    fn call(&mut self, mut event: LambdaEvent<LambdaRequest>) -> Self::Future {
        keep_cookies(&mut event.payload);
        let request_id = event.context.request_id.clone();
        // The adapter can panic only while it converts the event, before it returns its future.
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| self.adapter.call(event))) {
            return Box::pin(async { Ok(Answer::Adapted(answer.await?)) });
        }
        let answer = without_adapter(self.transport.mark((self.malformed)(&request_id)));
        Box::pin(async { Ok(answer) })
    }
}

/// Moves the cookies of an event to its header, each on its own, and leaves out one that no header can hold, such as one with a control
/// character. The adapter would drop all of them, and any site of the same domain can set such a cookie.
fn keep_cookies(event: &mut LambdaRequest) {
    let LambdaRequest::ApiGatewayV2(request) = event else { return };
    let Some(cookies) = request.cookies.take() else { return };
    let sound = |cookie: &&str| HeaderValue::from_bytes(cookie.as_bytes()).is_ok();
    let cookies: Vec<_> = cookies.iter().flat_map(|cookie| cookie.split(';')).map(str::trim).filter(sound).collect();
    if cookies.is_empty() {
        return;
    }
    if let Ok(line) = HeaderValue::from_bytes(cookies.join("; ").as_bytes()) {
        request.headers.insert(header::COOKIE, line);
    }
}

/// Converts an answer to the form of API Gateway, without the adapter.
fn without_adapter<A>(reply: Response<Body>) -> Answer<A> {
    let (parts, body) = reply.into_parts();
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    Answer::Malformed {
        status_code: parts.status.as_u16(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        is_base64_encoded: false,
    }
}
