//! The embedded KMS emulator, with the sealing key under its alias. The signing keys are in `signing`.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use winterbaume_core::{MockRequest, MockService, StatefulService, default_account_id};
use winterbaume_kms::{KmsService, KmsStateView};

use super::file;
use super::service::Service;
use super::signing::SigningKeys;
use super::wire::Answer;
use super::{Error, REGION};

/// The alias of the key that seals temporary passwords.
pub const SEALING_KEY: &str = "alias/firstkey-sealing";

/// The aliases of the keys that sign ID tokens for the product, in the order in which they sign.
pub const SIGNING_KEYS: [&str; 2] = ["alias/firstkey-signing-one", "alias/firstkey-signing-two"];

/// The address from which the emulator takes the region.
const URI: &str = "https://kms.us-east-1.amazonaws.com/";

pub(super) struct Kms {
    emulator: KmsService,
    signing: Arc<SigningKeys>,
}

impl Kms {
    /// Starts KMS. If a directory is given, keys are read from its files and every change is written to them.
    pub(super) async fn start(directory: Option<&Path>) -> Result<Self, Error> {
        let signing = directory.map(|directory| directory.join("kms-signing.json"));
        let signing = spawn_blocking(move || SigningKeys::open(signing.as_deref())).await;
        let signing = signing.map_err(|source| Error::caused("cannot open the signing keys", source))??;
        let kms = Self { emulator: KmsService::new(), signing: Arc::new(signing) };
        if let Some(path) = directory.map(|directory| directory.join("kms.json")) {
            if let Some(state) = file::read::<KmsStateView>(&path)? {
                let restored = kms.emulator.restore(default_account_id(), REGION, state).await;
                restored.map_err(|source| Error::caused("cannot restore the KMS keys", source))?;
            }
            kms.emulator.notifier().subscribe(move |_, _, state| {
                if let Err(error) = file::write(&path, state) {
                    tracing::error!(%error, "cannot write the KMS keys");
                }
            });
        }
        kms.create_sealing_key().await?;
        Ok(kms)
    }

    async fn create_sealing_key(&self) -> Result<(), Error> {
        if self.ask("DescribeKey", json!({"KeyId": SEALING_KEY})).await.is_ok() {
            return Ok(());
        }
        let key = self.ask("CreateKey", json!({"Description": "Seals temporary passwords"})).await?;
        let alias = json!({"AliasName": SEALING_KEY, "TargetKeyId": key["KeyMetadata"]["KeyId"]});
        self.ask("CreateAlias", alias).await.map(drop)
    }

    async fn ask(&self, operation: &str, body: Value) -> Result<Value, Error> {
        let target = HeaderValue::try_from(format!("TrentService.{operation}"))
            .map_err(|source| Error::caused(format!("{operation} is not an operation of KMS"), source))?;
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-amz-target"), target)]);
        let request = MockRequest { method: "POST".into(), uri: URI.into(), headers, body: body.to_string().into() };
        let response = self.emulator.handle(request).await;
        if response.status != 200 {
            let answer = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Error::caused(format!("KMS refused {operation}"), answer));
        }
        // CreateAlias answers with an empty body.
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// Returns the signing keys.
    pub(super) fn signing(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.signing)
    }

    pub(super) async fn call(&self, operation: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let call: Value = serde_json::from_slice(&body).unwrap_or_default();
        if SigningKeys::has(&call) {
            let (signing, operation) = (self.signing(), operation.to_owned());
            let signed = spawn_blocking(move || signing.answer(&operation, &call)).await;
            return signed.unwrap_or_else(|_| Answer::refused(Service::Kms));
        }
        let request = MockRequest { method: "POST".into(), uri: URI.into(), headers: headers.clone(), body };
        let response = self.emulator.handle(request).await;
        let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer::json(status, response.body)
    }
}
