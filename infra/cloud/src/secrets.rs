//! A fake of Secrets Manager, with the one operation that the product uses: `GetSecretValue` of the current version. It is written by hand, as
//! that is less code than starting and filling a whole emulator, such as winterbaume-secretsmanager with its versions and rotations.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lock;
use super::roles::secret_arn;
use super::service::Service;
use super::wire::Answer;

/// The content of a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretContent {
    /// A text: `SecretString`.
    Text(String),
    /// Bytes in Base64: `SecretBinary`.
    Binary(String),
}

/// The secrets by name, each with the id of its current version.
#[derive(Default)]
pub(super) struct Secrets(Mutex<BTreeMap<String, (SecretContent, Uuid)>>);

impl Secrets {
    pub(super) fn put(&self, name: &str, content: SecretContent) {
        lock(&self.0).insert(name.to_owned(), (content, Uuid::new_v4()));
    }

    pub(super) fn call(&self, operation: &str, body: &Bytes) -> Answer {
        if operation != "GetSecretValue" {
            let message = format!("The local Secrets Manager only supports GetSecretValue, not {operation}.");
            return refused("InvalidRequestException", &message);
        }
        let call: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(unknown) = call.as_object().into_iter().flatten().map(|(name, _)| name).find(|it| *it != "SecretId")
        {
            let message = format!("The local Secrets Manager does not support {unknown}.");
            return refused("InvalidParameterException", &message);
        }
        let Some(id) = call["SecretId"].as_str() else {
            return refused("InvalidParameterException", "The request has no SecretId.");
        };
        let secrets = lock(&self.0);
        let found = secrets.iter().find(|(name, _)| *name == id || secret_arn(name) == id);
        let Some((name, (content, version))) = found else {
            return refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        };
        let mut answer = json!({ "ARN": secret_arn(name), "Name": name, "VersionId": version.to_string() });
        answer["VersionStages"] = json!(["AWSCURRENT"]);
        match content {
            SecretContent::Text(text) => answer["SecretString"] = text.as_str().into(),
            SecretContent::Binary(bytes) => answer["SecretBinary"] = bytes.as_str().into(),
        }
        Answer::json(StatusCode::OK, answer.to_string())
    }
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::error(Service::SecretsManager, StatusCode::BAD_REQUEST, code, message)
}
