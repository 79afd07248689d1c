//! The configuration of all clients: one HTTP client, one identity cache, pinned retries and time-outs.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    connector_metadata::ConnectorMetadata,
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};

use crate::retry::OPERATION_TIMEOUT;

/// The attempts of a call. Three attempts of 800 ms and the pauses between them fit into the 2.5 s of an operation, so that a function's
/// caller gets `unavailable` in under three seconds, and the function never reaches its own time-out.
const ATTEMPTS: u32 = 3;
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(800);
const FIRST_BACKOFF: Duration = Duration::from_millis(25);

/// The time after which an idle connection is dropped. AWS closes idle connections after 20 s or more, and a frozen function that wakes must
/// not write into a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// An environment variable that Lambda always sets is missing.
#[derive(Debug)]
pub struct NoAccess(&'static str);

/// Returns the configuration, which a function builds once at its start from the variables that Lambda sets: `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; and `AWS_ENDPOINT_URL` for an endpoint other than AWS's own. It reads
/// nothing from disk and opens no connection.
///
/// The credentials last as long as the environment: Lambda starts a new environment before they expire.
pub fn connect(setting: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, NoAccess> {
    let required = |name| setting(name).ok_or(NoAccess(name));
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        setting("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF))
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT));
    config.set_endpoint_url(setting("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

impl std::fmt::Display for NoAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the setting {} is missing", self.0)
    }
}

impl std::error::Error for NoAccess {}

/// Returns a retry partition that gives every call its attempts. The SDK's own token bucket is shared by all clients of a process, and
/// failures empty it: then one lost answer is an error. A function serves one request at a time, so its attempts are few without a bucket.
pub(crate) fn no_bucket() -> RetryPartition {
    RetryPartition::custom("firstkey").token_bucket(TokenBucket::unlimited()).build()
}

/// The time-out of the one attempt to send a mail. No caller waits for a mail, and an attempt that is cut off may still send it, so SES gets
/// far longer than a call usually takes.
const SES_TIMEOUT: Duration = Duration::from_secs(8);

/// Returns the configuration of a client that makes one attempt. SES has no idempotency key, so only the queue may send a mail again.
pub(crate) fn once(config: &SdkConfig) -> SdkConfig {
    config
        .to_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .timeout_config(timeouts(SES_TIMEOUT, SES_TIMEOUT))
        .build()
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(ATTEMPT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

fn http_client() -> SharedHttpClient {
    let mut roots = TrustStore::empty();
    for certificate in AMAZON_ROOTS.split_inclusive("-----END CERTIFICATE-----\n") {
        roots = roots.with_pem_certificate(certificate);
    }
    let mut builder = Builder::new().pool_idle_timeout(IDLE_TIMEOUT).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    // Building fails only for an empty trust store, and this one is compiled in.
    if let Ok(context) = TlsContext::builder().with_trust_store(roots).build() {
        builder = builder.tls_context(context);
    }
    SharedHttpClient::new(Unvalidated(builder.build_https()))
}

/// A client that is not validated. The SDK's client would build a connector for each client of a service and drop it, so that the certificates of
/// the machine are read at the start; here they are compiled in, and parsing them twice more took a sixth of the instructions of a start.
#[derive(Debug)]
struct Unvalidated(SharedHttpClient);

impl HttpClient for Unvalidated {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SdkConfig {
        connect(|name| (name != "AWS_ENDPOINT_URL").then(|| "x".to_owned())).expect("all is set")
    }

    #[test]
    fn retries_and_time_outs_are_ours_and_not_the_defaults_of_the_day() {
        let dynamodb = aws_sdk_dynamodb::config::Config::from(&config());
        let (retries, times) = (dynamodb.retry_config().cloned(), dynamodb.timeout_config().cloned());
        let (retries, times) = (retries.expect("retries"), times.expect("time-outs"));
        assert_eq!(retries.max_attempts(), 3);
        assert_eq!(retries.initial_backoff(), Duration::from_millis(25));
        assert_eq!(times.operation_attempt_timeout(), Some(Duration::from_millis(800)));
        assert_eq!(times.operation_timeout(), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn nothing_but_the_queue_sends_a_mail_again() {
        let ses = aws_sdk_ses::config::Config::from(&once(&config()));
        assert_eq!(ses.retry_config().expect("retries").max_attempts(), 1);
    }

    #[test]
    fn all_five_roots_are_there() {
        assert_eq!(
            AMAZON_ROOTS.split_inclusive("-----END CERTIFICATE-----\n").filter(|c| c.contains("BEGIN")).count(),
            5
        );
    }
}
