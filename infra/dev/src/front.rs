//! A proxy that limits the number of concurrent requests to cargo-lambda. cargo-lambda queues up to a hundred requests for a
//! function. At the next one it deadlocks: it waits for space while it holds the lock that is needed to make space. So this
//! proxy forwards only as many requests as cargo-lambda can hold, and the others wait here.

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

/// The maximum number of forwarded requests. Together with the invocations by the queues it stays below a hundred.
const MAX_CONCURRENT: usize = 64;

/// The time that API Gateway waits for a function: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const TIMEOUT: Duration = Duration::from_secs(30);

/// The running proxy, which stops when it is dropped.
pub(super) struct Front(JoinHandle<()>);

impl Front {
    /// Starts to forward requests from `listener` to cargo-lambda on `port`.
    pub(super) fn start(listener: TcpListener, port: u16) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let proxy = Proxy { port, client, permits: Semaphore::new(MAX_CONCURRENT) };
        let router = Router::new().fallback(pass).with_state(Arc::new(proxy));
        Self(tokio::spawn(async move {
            // Serving only ends with the listener, which lives as long as the process.
            let _ = axum::serve(listener, router).await;
        }))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Proxy {
    port: u16,
    client: Client<HttpConnector, Body>,
    permits: Semaphore,
}

/// Forwards a request in its own task, because cargo-lambda still holds the request of a client that disconnects.
async fn pass(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let forwarded = tokio::spawn(async move {
        let _permit = proxy.permits.acquire().await.ok()?;
        timeout(TIMEOUT, proxy.forward(request)).await.ok()
    });
    match forwarded.await {
        Ok(Some(Ok(response))) => response,
        Ok(Some(Err(_))) => refusal(StatusCode::BAD_GATEWAY, "cargo-lambda does not respond"),
        Ok(None) | Err(_) => refusal(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out"),
    }
}

impl Proxy {
    async fn forward(&self, mut request: Request) -> anyhow::Result<Response> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://127.0.0.1:{}{path}", self.port).parse::<Uri>()?;
        request.headers_mut().remove(header::CONNECTION);
        Ok(self.client.request(request).await?.map(Body::new))
    }
}

/// Returns an error in the format of API Gateway.
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
    async fn all_requests_are_answered_and_the_number_at_cargo_lambda_is_limited() -> anyhow::Result<()> {
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
        let _front = Front::start(listener, port);

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
        assert_eq!(most.load(Ordering::SeqCst), MAX_CONCURRENT);
        Ok(())
    }
}
