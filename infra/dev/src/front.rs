//! The door before cargo-lambda. cargo-lambda queues a hundred requests for a function and, at one more, waits for room while it holds
//! the lock that makes room: it never answers again. So no more than it can hold are let through, the others wait here.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, Uri, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle, time::timeout};

/// Requests that cargo-lambda has at once; with those of the queues still under a hundred.
const AT_ONCE: usize = 64;

/// How long API Gateway waits for a function: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until it is dropped.
pub(super) struct Front(JoinHandle<()>);

impl Front {
    /// Passes on what comes to `listener` to cargo-lambda on `port`.
    pub(super) fn before(listener: TcpListener, port: u16) -> Self {
        let door =
            Door { port, client: Client::builder(TokioExecutor::new()).build_http(), room: Semaphore::new(AT_ONCE) };
        let router = Router::new().fallback(pass).with_state(Arc::new(door));
        Self(tokio::spawn(async move {
            // It ends with the listener alone, and that with the process.
            let _ = axum::serve(listener, router).await;
        }))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Door {
    port: u16,
    client: Client<HttpConnector, Body>,
    room: Semaphore,
}

/// In a task of its own: whoever goes away leaves a request that cargo-lambda still holds.
async fn pass(State(door): State<Arc<Door>>, request: Request) -> Response {
    let passed = tokio::spawn(async move {
        let _place = door.room.acquire().await.ok()?;
        timeout(PATIENCE, door.forward(request)).await.ok()
    });
    match passed.await {
        Ok(Some(Ok(response))) => response,
        Ok(Some(Err(_))) => refusal(StatusCode::BAD_GATEWAY, "cargo-lambda does not answer"),
        Ok(None) | Err(_) => refusal(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out"),
    }
}

impl Door {
    async fn forward(&self, mut request: Request) -> anyhow::Result<Response> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://127.0.0.1:{}{path}", self.port).parse::<Uri>()?;
        request.headers_mut().remove(header::CONNECTION);
        Ok(self.client.request(request).await?.map(Body::new))
    }
}

/// As API Gateway words its own answers.
fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::any;
    use futures_util::future::join_all;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn all_get_their_answer_and_never_more_than_its_fill_are_at_cargo_lambda() -> anyhow::Result<()> {
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = (Arc::clone(&at_once), Arc::clone(&most));
        let slow = move |request: Request| async move {
            let here = counted.0.fetch_add(1, Ordering::SeqCst) + 1;
            counted.1.fetch_max(here, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            counted.0.fetch_sub(1, Ordering::SeqCst);
            request.uri().to_string()
        };
        let behind = TcpListener::bind("127.0.0.1:0").await?;
        let port = behind.local_addr()?.port();
        tokio::spawn(async move { axum::serve(behind, Router::new().fallback(any(slow))).await });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let _front = Front::before(listener, port);

        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
        let calls = (0..200).map(|n| {
            let client = client.clone();
            async move {
                let uri = format!("http://{address}/a/{n}?b={n}").parse::<Uri>()?;
                let answer = client.get(uri).await?.into_body().collect().await?.to_bytes();
                anyhow::Ok(answer == format!("/a/{n}?b={n}"))
            }
        });
        for answered in join_all(calls).await {
            assert!(answered?);
        }
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
        Ok(())
    }
}
