//! The boundary of every HTTP function: the last place where a failure is seen, and the only one where it is logged.

use std::{any::Any, convert::Infallible, future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use http::{HeaderValue, header};
use lambda_http::{Request, RequestExt, Service, service_fn};

use crate::{
    problem::{Problem, ProblemCode},
    reply::Reply,
};

/// A handler as a service: every failure becomes a problem document, a panic `internal`; one line is logged for each request,
/// with its id and what came of it, and never with a part of the request.
pub fn endpoint<A, F, Fut>(
    app: A,
    handle: F,
) -> impl Service<Request, Response = Reply, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    A: Send + Sync + 'static,
    F: Fn(Arc<A>, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    let app = Arc::new(app);
    let handle = Arc::new(handle);
    service_fn(move |request: Request| {
        let app = Arc::clone(&app);
        let handle = Arc::clone(&handle);
        async move {
            let request_id = request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default();
            let handling = AssertUnwindSafe(async move { handle(app, request).await });
            let outcome = handling.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(panic)));
            Ok(answer(outcome, &request_id))
        }
    })
}

/// The answer to what was not even a request.
#[must_use]
pub fn malformed(request_id: &str) -> Reply {
    answer(Err(ProblemCode::InvalidRequest.into()), request_id)
}

/// Constant: a panic's own words may repeat anything. The hook that prints them is the process's matter.
fn panicked(panic: Box<dyn Any + Send>) -> Problem {
    drop(panic);
    Problem::new(ProblemCode::Internal).because("the handler panicked")
}

fn answer(outcome: Result<Reply, Problem>, request_id: &str) -> Reply {
    let mut reply = match outcome {
        Ok(reply) => {
            tracing::info!(request_id, status = reply.status().as_u16(), "answered");
            reply
        }
        Err(problem) => {
            let (code, status) = (problem.code().code(), problem.code().status());
            if status.is_server_error() {
                tracing::error!(request_id, status = status.as_u16(), code, cause = problem.cause(), "failed");
            } else {
                tracing::info!(request_id, status = status.as_u16(), code, "refused");
                tracing::debug!(request_id, cause = problem.cause(), "why");
            }
            problem.reply(request_id)
        }
    };
    reply.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    reply
}
