//! The boundary of every HTTP function, where each request is logged and each failure becomes an answer.

use std::{any::Any, convert::Infallible, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use http::{HeaderValue, header};
use lambda_http::{Request, RequestExt, Service, service_fn};

use crate::{
    problem::{Problem, ProblemCode},
    reply::{Metric, Reply},
};

/// Wraps a handler as a service. Every failure becomes a problem document, and a panic becomes `internal`. One line is logged for each
/// request, with its id, outcome, duration and metric, and never with a part of the request.
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
            let began = Instant::now();
            let request_id = request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default();
            let handling = AssertUnwindSafe(async move { handle(app, request).await });
            let outcome = handling.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(panic)));
            Ok(answer(outcome, &request_id, began))
        }
    })
}

/// Returns the answer to an event that is not a valid HTTP request.
#[must_use]
pub fn malformed(request_id: &str) -> Reply {
    answer(Err(ProblemCode::InvalidRequest.into()), request_id, Instant::now())
}

/// Returns a constant problem, since the message of a panic may contain a part of the request.
fn panicked(panic: Box<dyn Any + Send>) -> Problem {
    drop(panic);
    Problem::new(ProblemCode::Internal).because("the handler panicked")
}

fn answer(outcome: Result<Reply, Problem>, request_id: &str, began: Instant) -> Reply {
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut reply = match outcome {
        Ok(mut reply) => {
            let counted = reply.extensions_mut().remove::<Metric>();
            let (metric, reason) = (counted.map(|metric| metric.name), counted.and_then(|metric| metric.reason));
            tracing::info!(request_id, status = reply.status().as_u16(), duration_ms, metric, reason, "answered");
            reply
        }
        Err(problem) => {
            let (code, status) = (problem.code().as_str(), problem.code().status().as_u16());
            if problem.code().status().is_server_error() {
                let service = problem.service();
                tracing::error!(request_id, status, duration_ms, code, service, cause = problem.cause(), "failed");
            } else {
                let metric = (problem.code() == ProblemCode::TooManyAttempts).then_some("AttemptsExhausted");
                tracing::info!(request_id, status, duration_ms, code, metric, "refused");
                tracing::debug!(request_id, cause = problem.cause(), "why");
            }
            problem.reply(request_id)
        }
    };
    reply.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, MutexGuard},
    };

    use http::StatusCode;
    use lambda_http::{Body, Context, LambdaEvent};
    use serde_json::{Value, json};

    use super::*;
    use crate::{reply, request};

    /// The behaviour that a test asks of the handler.
    #[derive(Clone, Copy)]
    enum Ask {
        Answer,
        AnswerKept,
        AnswerCounted,
        Refuse,
        Exhaust,
        Fail,
        PanicAtOnce,
        PanicLater,
    }

    async fn handle(ask: Arc<Ask>, request: Request) -> Result<Reply, Problem> {
        tokio::task::yield_now().await;
        match *ask {
            Ask::Answer => Ok(Reply::new(Body::Empty)),
            Ask::AnswerKept => {
                Ok(http::Response::builder().header("cache-control", "max-age=60").body(Body::Empty).unwrap())
            }
            Ask::AnswerCounted => Ok(Metric::count_for("Blank", "expired", Reply::new(Body::Empty))),
            Ask::Exhaust => Err(Problem::new(ProblemCode::TooManyAttempts).retry_after(1)),
            Ask::Refuse => Err(Problem::new(ProblemCode::NotFound).because("no such item")),
            Ask::Fail => Err(Problem::new(ProblemCode::Unavailable).because(io::Error::other("the table is away"))),
            Ask::PanicAtOnce | Ask::PanicLater => panic!("canary {request:?}"),
        }
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap()
        }

        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.bytes().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.bytes().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns a request with a canary in every part.
    fn request() -> Request {
        let mut context = Context::default();
        context.request_id = "r-1".into();
        http::Request::builder()
            .method("POST")
            .uri("/subscriptions/canary?canary=canary")
            .header("authorization", "Bearer canary")
            .header("cookie", "canary=canary")
            .body(Body::from("canary@canary.example"))
            .unwrap()
            .with_lambda_context(context)
    }

    async fn ask(ask: Ask, level: tracing::Level) -> (Reply, Vec<Value>) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let reply = match ask {
            Ask::PanicAtOnce => {
                let at_once = |_: Arc<()>, request: Request| -> std::future::Ready<Result<Reply, Problem>> {
                    panic!("canary {request:?}")
                };
                endpoint((), at_once).call(request()).await
            }
            ask => endpoint(ask, handle).call(request()).await,
        };
        let Ok(reply) = reply;
        (reply, log.lines())
    }

    fn problem(reply: &Reply) -> (StatusCode, String, String) {
        let document: Value = serde_json::from_slice(reply.body()).unwrap();
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        (reply.status(), text("code"), text("request_id"))
    }

    #[tokio::test]
    async fn a_problem_becomes_its_document_with_the_id_of_the_request() {
        let (reply, _) = ask(Ask::Refuse, tracing::Level::INFO).await;
        assert_eq!(problem(&reply), (StatusCode::NOT_FOUND, "not-found".into(), "r-1".into()));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_the_next_request_is_answered() {
        for panic in [Ask::PanicAtOnce, Ask::PanicLater] {
            let (reply, lines) = ask(panic, tracing::Level::INFO).await;
            assert_eq!(problem(&reply), (StatusCode::INTERNAL_SERVER_ERROR, "internal".into(), "r-1".into()));
            assert_eq!(lines[0]["fields"]["cause"], "the handler panicked");
        }
        assert_eq!(ask(Ask::Answer, tracing::Level::INFO).await.0.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn no_answer_is_cached_unless_the_handler_says_so() {
        for (asked, cache) in [(Ask::Answer, "no-store"), (Ask::AnswerKept, "max-age=60"), (Ask::Fail, "no-store")] {
            assert_eq!(ask(asked, tracing::Level::INFO).await.0.headers()["cache-control"], cache);
        }
    }

    #[tokio::test]
    async fn each_request_has_one_log_line_with_its_outcome() {
        let expected = [
            (Ask::Answer, "INFO", json!({ "message": "answered", "request_id": "r-1", "status": 200 })),
            (
                Ask::AnswerCounted,
                "INFO",
                json!({
                    "message": "answered", "request_id": "r-1", "status": 200, "metric": "Blank", "reason": "expired",
                }),
            ),
            (
                Ask::Exhaust,
                "INFO",
                json!({
                    "message": "refused", "request_id": "r-1", "status": 429, "code": "too-many-attempts",
                    "metric": "AttemptsExhausted",
                }),
            ),
            (
                Ask::Refuse,
                "INFO",
                json!({ "message": "refused", "request_id": "r-1", "status": 404, "code": "not-found" }),
            ),
            (
                Ask::Fail,
                "ERROR",
                json!({
                    "message": "failed", "request_id": "r-1", "status": 503, "code": "unavailable",
                    "cause": "the table is away",
                }),
            ),
        ];
        for (asked, level, fields) in expected {
            let (_, mut lines) = ask(asked, tracing::Level::INFO).await;
            let took = lines[0]["fields"].as_object_mut().unwrap().remove("duration_ms");
            assert!(took.is_some_and(|took| took.as_u64().is_some_and(|took| took < 10_000)));
            assert_eq!((lines.len(), &lines[0]["level"], &lines[0]["fields"]), (1, &json!(level), &fields));
        }
    }

    #[tokio::test]
    async fn no_part_of_a_request_is_logged_at_any_level() {
        for asked in [Ask::Answer, Ask::Refuse, Ask::Fail, Ask::PanicAtOnce, Ask::PanicLater] {
            let (reply, lines) = ask(asked, tracing::Level::TRACE).await;
            assert!(!lines.is_empty());
            assert!(!json!(lines).to_string().contains("canary"), "{lines:?}");
            assert!(!format!("{reply:?}").contains("canary"));
        }
    }

    #[tokio::test]
    async fn an_event_of_the_gateway_reaches_the_handler_whole() {
        let event = json!({
            "version": "2.0", "routeKey": "POST /subscriptions/{subscription_id}/support-requests",
            "rawPath": "/subscriptions/sub-1/support-requests", "rawQueryString": "cursor=a%20b",
            "cookies": ["theme=dark", "__Host-customer=x"],
            "headers": { "content-type": "application/json", "host": "portal.example" },
            "pathParameters": { "subscription_id": "sub-1" },
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": "$default", "requestId": "r", "time": "", "timeEpoch": 0,
                "http": { "method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "::1", "userAgent": "" },
            },
            "body": "eyJtZXNzYWdlIjoiaGVscCJ9", "isBase64Encoded": true,
        });
        let echo = |_: Arc<()>, request: Request| async move {
            let parts = json!({
                "body": request::body::<Value>(&request)?,
                "cookie": request.headers()["cookie"].to_str().unwrap(),
                "path": request::path_parameter(&request, "subscription_id"),
                "query": request::query_parameter(&request, "cursor"),
            });
            Ok(reply::json(StatusCode::CREATED, &parts))
        };
        let mut lambda = lambda_http::Adapter::from(endpoint((), echo));
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        let answer = serde_json::to_value(lambda.call(event).await.unwrap()).unwrap();
        let parts: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&answer["statusCode"], &answer["headers"]["cache-control"]), (&json!(201), &json!("no-store")));
        let expected = json!({
            "body": { "message": "help" }, "cookie": "theme=dark; __Host-customer=x", "path": "sub-1", "query": "a b",
        });
        assert_eq!(parts, expected);
    }

    #[test]
    fn lambda_can_run_it() {
        drop(lambda_http::run(endpoint(Ask::Answer, handle)));
    }

    #[test]
    fn an_event_that_is_not_a_request_is_an_invalid_request() {
        let reply = malformed("r-2");
        assert_eq!(problem(&reply), (StatusCode::BAD_REQUEST, "invalid-request".into(), "r-2".into()));
    }
}
