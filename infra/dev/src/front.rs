//! The proxies in front of cargo-lambda, one for each HTTP API.
//!
//! cargo-lambda has one port and one set of routes for all functions. In AWS the customers and the support desk have an API each, with a
//! `$default` route of its own. So each proxy lets only the paths of its API through, and gives every other path to the function that has
//! the `$default` route.
//!
//! A proxy also limits the number of concurrent requests to cargo-lambda. cargo-lambda queues up to a hundred requests for a
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

/// The maximum number of requests that each proxy forwards. The two APIs share no function. Together with the invocations by the queues it stays below a hundred.
const MAX_CONCURRENT: usize = 64;

/// The time that API Gateway waits for a function: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const TIMEOUT: Duration = Duration::from_secs(30);

/// The running proxy, which stops when it is dropped.
pub(super) struct Front(JoinHandle<()>);

impl Front {
    /// Starts to forward the requests of an API from `listener` to cargo-lambda on `port`.
    pub(super) fn start(listener: TcpListener, port: u16, api: Api) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let proxy = Proxy { port, api, client, permits: Semaphore::new(MAX_CONCURRENT) };
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

/// An HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// The API of customers and administrators.
    Customers,
    /// The API of the support desk.
    Desk,
}

impl Api {
    /// Returns whether a path is one of this API, which may have a function of its own.
    fn has(self, path: &str) -> bool {
        let is_desks = path.strip_prefix("/desk").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self {
            // cargo-lambda has addresses by which a function gets a request to any path.
            Self::Customers => !is_desks && !path.starts_with(DIRECT),
            Self::Desk => is_desks,
        }
    }

    /// Returns the function of the `$default` route.
    fn default_function(self) -> &'static str {
        match self {
            Self::Customers => "portal",
            Self::Desk => "support-desk",
        }
    }

    /// Returns the path, with its query, at which cargo-lambda answers a request to this API.
    fn path_at_cargo_lambda(self, uri: &Uri) -> String {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if self.has(uri.path()) { path.to_owned() } else { format!("{DIRECT}{}{path}", self.default_function()) }
    }
}

/// The beginning of the paths by which cargo-lambda calls a function without regard to its routes.
const DIRECT: &str = "/lambda-url/";

struct Proxy {
    port: u16,
    api: Api,
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
        let path = self.api.path_at_cargo_lambda(request.uri());
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

    #[test]
    fn each_api_gives_the_paths_of_the_other_to_its_own_default_function() {
        let at = |api: Api, uri: &str| api.path_at_cargo_lambda(&uri.parse().unwrap_or_default());
        for path in ["/desk", "/desk/", "/desk/api/approvals?a=b"] {
            assert_eq!(at(Api::Desk, path), path);
            assert_eq!(at(Api::Customers, path), format!("/lambda-url/portal{path}"));
        }
        for path in ["/subscriptions?cursor=a", "/desktop", "/assets/x.css", "/2015-03-31/functions/portal/invocations"]
        {
            assert_eq!(at(Api::Customers, path), path);
            assert_eq!(at(Api::Desk, path), format!("/lambda-url/support-desk{path}"));
        }
        let direct = "/lambda-url/support-desk/desk";
        assert_eq!(at(Api::Customers, direct), format!("/lambda-url/portal{direct}"));
        assert_eq!(at(Api::Desk, direct), format!("/lambda-url/support-desk{direct}"));
    }

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
        let _front = Front::start(listener, port, Api::Customers);

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
