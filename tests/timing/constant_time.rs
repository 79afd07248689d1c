//! A proxy of AWS that answers every call in the same time, so that a lookup that finds nothing takes as long as one that finds an item.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, body::Body, extract::State, response::Response, serve::ListenerExt as _};
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    net::TcpListener,
    task::{JoinSet, spawn_blocking},
};

/// The time of every call, which is longer than the local cloud needs for any of them.
const CALL_TIME: Duration = Duration::from_millis(3);

/// A proxy in front of the local cloud. Dropping it ends it.
pub(crate) struct ConstantTimeProxy {
    /// The URL for the functions' `AWS_ENDPOINT_URL`.
    pub(crate) url: String,
    _server: JoinSet<io::Result<()>>,
}

#[derive(Clone)]
struct Cloud {
    url: String,
    client: Client<HttpConnector, Body>,
}

impl ConstantTimeProxy {
    pub(crate) async fn start(aws: String) -> anyhow::Result<Self> {
        let cloud = Cloud { url: aws, client: Client::builder(TokioExecutor::new()).build_http() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let mut server = JoinSet::new();
        server.spawn(axum::serve(listener, Router::new().fallback(answer).with_state(cloud)).into_future());
        Ok(Self { url, _server: server })
    }
}

async fn answer(State(cloud): State<Cloud>, request: Request<Body>) -> Result<Response, StatusCode> {
    let until = Instant::now() + CALL_TIME;
    let answer = cloud.answer(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    // The timer of the async runtime is only accurate to a millisecond.
    spawn_blocking(move || thread::sleep(until.saturating_duration_since(Instant::now()))).await.ok();
    Ok(answer)
}

impl Cloud {
    /// Reads the whole answer of the cloud, so that no work remains when the call's time has passed.
    async fn answer(&self, mut request: Request<Body>) -> anyhow::Result<Response> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::try_from(format!("{}{path}", self.url)).context("the cloud's address")?;
        let (head, body) = self.client.request(request).await?.into_parts();
        Ok(Response::from_parts(head, Body::from(body.collect().await?.to_bytes())))
    }
}
