//! The loop of a function behind the HTTP API.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use lambda_http::{Adapter, Body, LambdaEvent, Request, Service, request::LambdaRequest};
use serde::Serialize;

use crate::Error;

/// Runs `endpoint` for every request, until the environment ends.
///
/// `malformed` returns the answer to an event that is not a request; it gets the id of the invocation.
pub async fn serve<S>(endpoint: S, malformed: fn(&str) -> Response<Body>) -> Result<(), Error>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    lambda_runtime::run(HttpService::new(endpoint, malformed)).await
}

/// The adapter of `lambda_http`, with an answer for events on which it panics: a path or query that is not a URI.
#[derive(Clone)]
pub struct HttpService<S> {
    adapter: Adapter<'static, Response<Body>, S>,
    malformed: fn(&str) -> Response<Body>,
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
    pub fn new(endpoint: S, malformed: fn(&str) -> Response<Body>) -> Self {
        Self { adapter: Adapter::from(endpoint), malformed }
    }
}

type AdapterOf<S> = Adapter<'static, Response<Body>, S>;
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

    fn call(&mut self, event: LambdaEvent<LambdaRequest>) -> Self::Future {
        let request_id = event.context.request_id.clone();
        // The adapter can panic only while it converts the event, before it returns its future.
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| self.adapter.call(event))) {
            return Box::pin(async { Ok(Answer::Adapted(answer.await?)) });
        }
        let answer = without_adapter((self.malformed)(&request_id));
        Box::pin(async { Ok(answer) })
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
