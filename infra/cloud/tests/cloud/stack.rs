//! A separate local cloud for each test, and SDK clients that call it as functions do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::{Cloud, CloudOptions, Invoke};
use serde_json::Value;
use tokio::net::TcpListener;

/// Fake functions: a record of their invocations, with answers chosen by the test.
#[derive(Clone, Default)]
pub(crate) struct Functions(Arc<Mutex<Vec<(&'static str, Value)>>>);

impl Functions {
    pub(crate) fn invocations(&self) -> Vec<(&'static str, Value)> {
        self.0.lock().expect("no test panics here").clone()
    }

    /// Returns functions that answer with `answer`, which receives the number of earlier invocations.
    pub(crate) fn answering(
        &self,
        answer: impl Fn(usize, &'static str, &Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Invoke {
        let invocations = Arc::clone(&self.0);
        Arc::new(move |function, event| {
            let mut invocations = invocations.lock().expect("no test panics here");
            let answer = answer(invocations.len(), function, &event);
            invocations.push((function, event));
            Box::pin(async move { answer })
        })
    }
}

/// Returns functions that always succeed.
pub(crate) fn succeeding() -> Invoke {
    Functions::default().answering(|_, _, _| Ok(serde_json::json!({"batchItemFailures": []})))
}

/// Returns an event as the bus delivers it: with its account and Region, and a source.
pub(crate) fn delivered(mut event: Value) -> Value {
    (event["account"], event["region"]) = ("123456789012".into(), "us-east-1".into());
    if event["source"].is_null() {
        event["source"] = "local".into();
    }
    event
}

pub(crate) async fn cloud() -> Cloud {
    started(None, succeeding()).await
}

pub(crate) async fn started(data: Option<PathBuf>, invoke: Invoke) -> Cloud {
    started_with(CloudOptions { data, ..CloudOptions::new(invoke) }).await
}

pub(crate) async fn started_with(options: CloudOptions) -> Cloud {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (aws, console) = (bind().await.expect("a port"), bind().await.expect("a port"));
    let options = CloudOptions { redelivery: Duration::from_millis(50), ..options };
    Cloud::start(aws, console, options).await.expect("the cloud starts")
}

pub(crate) struct Clients {
    pub(crate) dynamo: aws_sdk_dynamodb::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) ses: aws_sdk_ses::Client,
}

/// Returns clients with the key `probe`, which may do everything, and this number of attempts.
pub(crate) fn clients(cloud: &Cloud, attempts: u32) -> Clients {
    clients_with_key(cloud, "probe", attempts)
}

/// Returns clients with this access key.
#[expect(clippy::disallowed_methods, reason = "these tests do not use the product's clients")]
pub(crate) fn clients_with_key(cloud: &Cloud, key: &str, attempts: u32) -> Clients {
    macro_rules! client {
        ($service:ident) => {
            $service::Client::from_conf(
                $service::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new("us-east-1"))
                    .credentials_provider(Credentials::new(key, "secret", None, None, "test"))
                    .endpoint_url(cloud.aws_url())
                    .retry_config(
                        RetryConfig::standard()
                            .with_max_attempts(attempts)
                            .with_initial_backoff(Duration::from_millis(5)),
                    )
                    .build(),
            )
        };
    }
    Clients {
        dynamo: client!(aws_sdk_dynamodb),
        kms: client!(aws_sdk_kms),
        secrets: client!(aws_sdk_secretsmanager),
        ses: client!(aws_sdk_ses),
    }
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

impl Clients {
    /// Writes an item with the text attribute `status`.
    pub(crate) async fn put(&self, pk: &str, sk: &str, status: &str) {
        let put = self.dynamo.put_item().table_name("firstkey");
        let put = put.item("PK", text(pk)).item("SK", text(sk)).item("status", text(status));
        put.send().await.expect("the item is written");
    }
}
