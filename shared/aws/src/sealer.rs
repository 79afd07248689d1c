//! The sealer and the unsealer of the temporary password, by KMS. A sealed password is bound to its subscription and issue.

use aws_sdk_kms::{Client, config::Config, primitives::Blob};
use aws_types::SdkConfig;
use domain::{Issue, SealedPassword, SubscriptionId, TemporaryPassword};

use crate::{Failure, connection::no_bucket};

/// Seals passwords, and cannot unseal them.
pub struct Sealer {
    client: Client,
    key: String,
}

/// Unseals passwords, and cannot seal them.
pub struct Unsealer {
    client: Client,
    key: String,
}

/// The keys of the encryption context. AWS's own logs and the conditions of the roles have them in clear text.
const SUBSCRIPTION: &str = "subscription";
const ISSUE: &str = "issue";

impl Sealer {
    /// Returns the sealer with the key of this id, ARN or alias.
    #[must_use]
    pub fn new(config: &SdkConfig, key: String) -> Self {
        Self { client: client(config), key }
    }

    /// Seals `password`, so that it opens for this subscription and issue alone.
    pub async fn seal(
        &self,
        password: &TemporaryPassword,
        subscription: &SubscriptionId,
        issue: Issue,
    ) -> Result<SealedPassword, Failure> {
        #[expect(clippy::disallowed_methods, reason = "here the password is sealed")]
        let plaintext = Blob::new(password.expose_secret());
        let request = self.client.encrypt().key_id(&self.key).plaintext(plaintext);
        let request = request
            .encryption_context(SUBSCRIPTION, subscription.as_str())
            .encryption_context(ISSUE, issue.to_string());
        let answer = request.send().await.map_err(|error| Failure::from_sdk("kms Encrypt", &error))?;
        let sealed = answer.ciphertext_blob.ok_or_else(|| Failure::unreadable("kms Encrypt", "ciphertext"))?;
        Ok(SealedPassword::new(sealed.into_inner()))
    }
}

impl Unsealer {
    /// Returns the unsealer with the key of this id, ARN or alias. What another key sealed is refused.
    #[must_use]
    pub fn new(config: &SdkConfig, key: String) -> Self {
        Self { client: client(config), key }
    }

    /// Unseals a password that was sealed for this subscription and issue.
    pub async fn unseal(
        &self,
        sealed: &SealedPassword,
        subscription: &SubscriptionId,
        issue: Issue,
    ) -> Result<TemporaryPassword, Failure> {
        let request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(sealed.as_bytes()));
        let request = request
            .encryption_context(SUBSCRIPTION, subscription.as_str())
            .encryption_context(ISSUE, issue.to_string());
        let answer = request.send().await.map_err(|error| Failure::from_sdk("kms Decrypt", &error))?;
        let plaintext = answer.plaintext.ok_or_else(|| Failure::unreadable("kms Decrypt", "plaintext"))?;
        TemporaryPassword::from_unsealed(plaintext.into_inner())
            .ok_or_else(|| Failure::unreadable("kms Decrypt", "plaintext"))
    }
}

#[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
fn client(config: &SdkConfig) -> Client {
    Client::from_conf(Config::from(config).to_builder().retry_partition(no_bucket()).build())
}
