//! The HTTP/1.1 server. Each connection runs in its own task, which ends with the listener's task.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, Request, Response, header};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The instruction to close the connection without an answer.
#[derive(Debug)]
pub(super) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection closed without an answer")
    }
}

impl std::error::Error for Closed {}

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Serves until the future is dropped, which closes every connection. A service that returns `Closed` closes its
/// connection, because hyper writes nothing when the service fails.
pub(super) async fn serve<S, F, B, E>(listener: TcpListener, service: S)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: Into<Closed> + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Best effort: without it, answers are only slower.
                    stream.set_nodelay(true).ok();
                    let service = service.clone();
                    connections.spawn(async move {
                        let service = service_fn(|request| {
                            let answer = service(request);
                            async move { answer.await.map_err(Into::<Closed>::into) }
                        });
                        // Fails if the caller disconnects or an answer is withheld; the caller sees both.
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                    });
                }
                // For example out of file descriptors; the next attempt may succeed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Returns whether the `Host` header is a name of this machine. This prevents DNS rebinding: a website whose name was
/// rebound to 127.0.0.1 still sends its own name.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header value"));
        names_this_machine(&headers)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for own in ["localhost", "localhost:9001", "127.0.0.1:9002", "[::1]:9001", "[::1]", "firstkey.localhost:9001"] {
            assert!(named(own), "{own}");
        }
        for foreign in
            ["evil.example", "evil.example:9001", "localhost.evil.example", "127.0.0.1.evil.example:9001", ""]
        {
            assert!(!named(foreign), "{foreign}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
