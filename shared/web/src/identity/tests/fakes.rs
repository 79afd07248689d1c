//! A provider on this machine, and a table, both of which can fail.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{ProviderMetadata, Retryable};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::{Identity, NOW, RSA, bearer_at, claims_of, metadata, refusal, settings};
use crate::problem::{Problem, ProblemCode};

/// A provider on this machine.
pub(super) struct TestProvider {
    pub(super) issuer: String,
    answers: Arc<Mutex<Answers>>,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(super) struct Answers {
    pub(super) status: u16,
    pub(super) discovery: Value,
    pub(super) keys: Value,
    /// The number of bytes to send instead of the keys, without a length.
    pub(super) endless: Option<usize>,
    pub(super) silent: bool,
    /// How long each answer takes.
    pub(super) delay: Duration,
}

impl TestProvider {
    pub(super) async fn start() -> Self {
        Self::listen("http://127.0.0.1", None).await
    }

    /// Starts a provider with TLS at `localhost`.
    pub(super) async fn start_with_tls(config: ServerConfig) -> Self {
        Self::listen("https://localhost", Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(origin: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("{origin}:{}", listener.local_addr().unwrap().port());
        let answers = Arc::new(Mutex::new(Answers {
            status: 200,
            discovery: json!({
                "issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
                "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
            }),
            keys: json!({ "keys": [RSA.jwk("rsa")] }),
            endless: None,
            silent: false,
            delay: Duration::ZERO,
        }));
        let requests = Arc::new(AtomicUsize::new(0));
        let (answers_of, requests_of) = (Arc::clone(&answers), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, requests, tls) = (Arc::clone(&answers_of), Arc::clone(&requests_of), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, answers, requests).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answers, requests).await;
                            }
                        }
                    }
                });
            }
        });
        Self { issuer, answers, requests }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    /// Returns how often the keys were fetched. A fetch takes two requests.
    pub(super) fn fetches(&self) -> usize {
        self.requests.load(Ordering::SeqCst).div_ceil(2)
    }

    /// Returns the number of requests.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns a verifier beside a table without an item.
    pub(super) fn verifier(&self) -> Identity {
        self.verifier_with(&TestTable::new(Stored::Nothing))
    }

    pub(super) fn verifier_with(&self, table: &TestTable) -> Identity {
        Identity::new(settings(&self.issuer), table.reader()).unwrap()
    }

    pub(super) fn token(&self) -> String {
        RSA.token("rsa", &self.claims())
    }

    pub(super) fn claims(&self) -> Value {
        self.claims_at(NOW)
    }

    pub(super) fn claims_at(&self, seconds: i64) -> Value {
        claims_of(&self.issuer, json!({ "iat": seconds, "exp": seconds + 3600 }))
    }

    /// Returns the refusal of a new token, which is issued `after` seconds after [`NOW`].
    pub(super) async fn later(&self, verifier: &Identity, after: i64) -> Option<String> {
        let token = RSA.token("rsa", &self.claims_at(NOW + after));
        refusal(bearer_at(verifier, &token, NOW + after).await)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: Arc<Mutex<Answers>>,
    requests: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        requests.fetch_add(1, Ordering::SeqCst);
        let answers = answers.lock().unwrap().clone();
        if answers.silent {
            return std::future::pending().await;
        }
        tokio::time::sleep(answers.delay).await;
        let path = request.split(' ').nth(1).unwrap();
        let body = match path {
            "/.well-known/openid-configuration" => answers.discovery.to_string(),
            "/keys" => answers.keys.to_string(),
            _ => panic!("{path}"),
        };
        let head = format!("HTTP/1.1 {} X\r\nlocation: /elsewhere\r\n", answers.status);
        let answer = match answers.endless.filter(|_| path == "/keys") {
            Some(length) => format!("{head}connection: close\r\n\r\n{}", " ".repeat(length)),
            None => format!("{head}content-length: {}\r\n\r\n{body}", body.len()),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || answers.endless.is_some() && path == "/keys" {
            return;
        }
    }
}

/// The table as a verifier reads it.
#[derive(Clone)]
pub(super) struct TestTable {
    stored: Arc<Mutex<Stored>>,
    reads: Arc<AtomicUsize>,
}

/// The outcome of a read of the table.
#[derive(Clone)]
pub(super) enum Stored {
    Nothing,
    Item(ProviderMetadata),
    /// An item that takes 20 ms to arrive.
    Slow(ProviderMetadata),
    Failure,
    /// No answer.
    Silence,
}

/// The failure of a read.
#[derive(Debug)]
pub(super) struct ReadFailure;

impl TestTable {
    pub(super) fn new(stored: Stored) -> Self {
        Self { stored: Arc::new(Mutex::new(stored)), reads: Arc::default() }
    }

    /// Returns a table with the item of a provider that has these keys since [`NOW`] and `after` seconds.
    pub(super) fn with_keys(provider: &TestProvider, keys: &[Value], after: i64) -> Self {
        Self::new(Stored::Item(metadata(&provider.issuer, keys, NOW + after)))
    }

    pub(super) fn store(&self, stored: Stored) {
        *self.stored.lock().unwrap() = stored;
    }

    /// Stores the item of a run of `refresh-keys` that found these keys `after` seconds after [`NOW`].
    pub(super) fn refresh(&self, provider: &TestProvider, keys: &[Value], after: i64) {
        self.store(Stored::Item(metadata(&provider.issuer, keys, NOW + after)));
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(super) fn reader(
        &self,
    ) -> impl Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, ReadFailure>> + use<> {
        let table = self.clone();
        move |_| {
            table.reads.fetch_add(1, Ordering::SeqCst);
            let stored = table.stored.lock().unwrap().clone();
            Box::pin(async {
                match stored {
                    Stored::Nothing => Ok(None),
                    Stored::Item(item) => Ok(Some(item)),
                    Stored::Slow(item) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok(Some(item))
                    }
                    Stored::Failure => Err(ReadFailure),
                    Stored::Silence => std::future::pending().await,
                }
            })
        }
    }
}

impl fmt::Display for ReadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the table is away")
    }
}

impl std::error::Error for ReadFailure {}

impl Retryable for ReadFailure {
    fn is_transient(&self) -> bool {
        true
    }
}

/// Returns the cause of an outcome that must be `unavailable`.
pub(super) fn unavailable(outcome: Result<domain::Caller, Problem>) -> String {
    let problem = outcome.err().unwrap();
    assert_eq!(problem.code(), ProblemCode::Unavailable);
    assert_eq!(problem.reply("id").headers()["retry-after"], "1");
    problem.cause().unwrap()
}
