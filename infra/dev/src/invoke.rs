//! Invokes functions through cargo-lambda, for the event source mappings.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cloud::Invoke;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::sync::watch;

/// The time-out of the functions. It also ends the wait for a function whose process has died, which never answers.
const TIME_OUT: Duration = Duration::from_secs(10);

/// A client that invokes functions on the port of cargo-lambda.
#[derive(Debug, Clone)]
pub(super) struct Functions {
    port: u16,
    client: Client<HttpConnector, Full<Bytes>>,
    gate: watch::Sender<bool>,
}

impl Functions {
    pub(super) fn new(port: u16) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { port, client, gate: watch::Sender::new(false) }
    }

    /// Lets the queues invoke functions from now on.
    pub(super) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Returns the client in the form that the queues of the local cloud need. Messages from an earlier run wait until the
    /// functions have started, because otherwise they would fail their five deliveries.
    pub(super) fn as_invoke(&self) -> Invoke {
        let functions = self.clone();
        Arc::new(move |function, event| {
            let functions = functions.clone();
            Box::pin(async move {
                functions.gate.subscribe().wait_for(|open| *open).await.map_err(|closed| closed.to_string())?;
                functions.invoke(function, &event, TIME_OUT).await
            })
        })
    }

    /// Invokes a function. The error says why it did not answer.
    pub(super) async fn invoke(&self, function: &str, event: &Value, within: Duration) -> Result<Value, String> {
        let answer = tokio::time::timeout(within, self.post(function, event)).await;
        let (status, failed, body) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(format!("{function} could not be invoked: {error}")),
            Err(_) => return Err(format!("{function} did not answer within {} s", within.as_secs())),
        };
        if failed || !status.is_success() {
            return Err(format!("{function} failed ({status}): {}", String::from_utf8_lossy(&body)));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{function} answered with invalid JSON: {error}"))
    }

    async fn post(&self, function: &str, event: &Value) -> anyhow::Result<(StatusCode, bool, Bytes)> {
        let url = format!("http://127.0.0.1:{}/2015-03-31/functions/{function}/invocations", self.port);
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        let answer = self.client.request(request.body(Full::from(event.to_string()))?).await?;
        let (status, failed) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
        Ok((status, failed, answer.into_body().collect().await?.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::Path, response::IntoResponse, routing::post};
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    async fn answer(Path(function): Path<String>, event: String) -> axum::response::Response {
        match function.as_str() {
            "echo" => event.into_response(),
            "failing" => ([("x-amz-function-error", "Unhandled")], "{}").into_response(),
            "refusing" => (StatusCode::INTERNAL_SERVER_ERROR, "planned").into_response(),
            _ => std::future::pending().await,
        }
    }

    async fn functions() -> anyhow::Result<Functions> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let router = Router::new().route("/2015-03-31/functions/{function}/invocations", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Functions::new(port))
    }

    #[tokio::test]
    async fn an_answer_a_failure_and_a_missing_answer_are_distinguished() -> anyhow::Result<()> {
        let functions = functions().await?;
        let within = Duration::from_millis(500);
        let call = async |function| functions.invoke(function, &json!({ "Records": [] }), within).await;
        assert_eq!(call("echo").await, Ok(json!({ "Records": [] })));
        assert_eq!(call("failing").await, Err("failing failed (200 OK): {}".to_owned()));
        assert_eq!(call("refusing").await, Err("refusing failed (500 Internal Server Error): planned".to_owned()));
        assert!(call("silent").await.is_err_and(|error| error.contains("did not answer within")));
        Ok(())
    }

    #[tokio::test]
    async fn queues_wait_until_the_functions_have_started() -> anyhow::Result<()> {
        let functions = functions().await?;
        let mut delivery = functions.as_invoke()("echo", json!([]));
        let early = tokio::time::timeout(Duration::from_millis(100), &mut delivery).await;
        assert!(early.is_err());
        functions.open();
        assert_eq!(delivery.await, Ok(json!([])));
        Ok(())
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure() -> anyhow::Result<()> {
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let called = Functions::new(port).invoke("echo", &json!({}), TIME_OUT).await;
        assert!(called.is_err_and(|error| error.contains("could not be invoked")));
        Ok(())
    }
}
