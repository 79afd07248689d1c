//! The reader of client secrets, by Secrets Manager.

use aws_sdk_secretsmanager::{Client, config::Config};
use aws_types::SdkConfig;
use domain::ClientSecret;
use zeroize::Zeroizing;

use crate::{Failure, connection::no_bucket};

/// Reads one client secret. It keeps no copy.
pub struct ClientSecretReader {
    client: Client,
    name: String,
}

const OPERATION: &str = "secretsmanager GetSecretValue";

impl ClientSecretReader {
    /// Returns the reader of the secret with this name.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), name }
    }

    /// Reads the current version of the secret. A secret that is missing, denied, binary, empty or a JSON object is an error that stays until an
    /// operator fixes it.
    pub async fn read(&self) -> Result<ClientSecret, Failure> {
        let request = self.client.get_secret_value().secret_id(&self.name);
        let answer = request.send().await.map_err(|error| Failure::from_sdk(OPERATION, &error))?;
        let text = answer.secret_string.map(Zeroizing::new);
        let text = text.ok_or_else(|| Failure::unreadable(OPERATION, "the client secret is binary instead of text"))?;
        ClientSecret::parse(&text).map_err(|refusal| Failure::unreadable(OPERATION, refusal.reason()))
    }
}
