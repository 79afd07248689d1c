//! The AWS services behind the endpoint, and their callers.

use http::{HeaderMap, header};
use serde::Serialize;

/// An AWS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Amazon DynamoDB and its streams.
    DynamoDb,
    /// Amazon EventBridge.
    Events,
    /// AWS Key Management Service.
    Kms,
    /// AWS Secrets Manager.
    SecretsManager,
    /// Amazon Simple Email Service.
    Ses,
    /// Amazon Simple Queue Service.
    Sqs,
}

impl Service {
    const ALL: [Self; 6] = [Self::DynamoDb, Self::Events, Self::Kms, Self::SecretsManager, Self::Ses, Self::Sqs];

    /// Returns the name of the service in a `SigV4` credential scope.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Events => "events",
            Self::Kms => "kms",
            Self::SecretsManager => "secretsmanager",
            Self::Ses => "ses",
            Self::Sqs => "sqs",
        }
    }

    /// Returns the names of all services, for a message.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

/// The caller and the service that it calls, as stated by the signature. The signature itself is not verified, because
/// there are no secret keys in the local cloud.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) service: Service,
    /// The access key id, which cargo-lambda sets to the name of the function.
    pub(super) function: String,
    /// The attempt of the call, counted from 1 by the SDK.
    pub(super) attempt: u32,
    /// The SDK's invocation id, which all attempts of a call share.
    pub(super) invocation: String,
}

impl Caller {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, String> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = text(header::AUTHORIZATION.as_str()).ok_or("not signed: no Authorization header")?;
        let credential = authorization
            .split_once("Credential=")
            .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
            .ok_or("not an AWS Signature Version 4: the Authorization header has no Credential")?;
        let scope: Vec<_> = credential.rsplitn(5, '/').collect();
        let ["aws4_request", service, _region, _date, function] = scope[..] else {
            return Err("the credential scope is not <key>/<date>/<region>/<service>/aws4_request".to_owned());
        };
        let service = Service::from_name(service).ok_or_else(|| {
            format!("the local cloud has no AWS service {service:?}, only these: {}", Service::names())
        })?;
        let attempt = text("amz-sdk-request")
            .and_then(|request| request.split(';').find_map(|part| part.trim().strip_prefix("attempt=")))
            .and_then(|attempt| attempt.parse().ok())
            .unwrap_or(1);
        let invocation = text("amz-sdk-invocation-id").unwrap_or_default().to_owned();
        Ok(Self { service, function: function.to_owned(), attempt, invocation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(credential: &str) -> HeaderMap {
        let value = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=0a");
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header value"))])
    }

    #[test]
    fn the_scope_names_service_and_function() {
        let mut headers = signed("get-credentials/20261122/us-east-1/dynamodb/aws4_request");
        let caller = |attempt, invocation: &str| Caller {
            service: Service::DynamoDb,
            function: "get-credentials".to_owned(),
            attempt,
            invocation: invocation.to_owned(),
        };
        assert_eq!(Caller::read(&headers), Ok(caller(1, "")));
        headers.insert("amz-sdk-invocation-id", "an-id".parse().expect("a header value"));
        headers.insert("amz-sdk-request", "ttl=20261122T220000Z; attempt=2; max=3".parse().expect("a header value"));
        assert_eq!(Caller::read(&headers), Ok(caller(2, "an-id")));
    }

    #[test]
    fn an_unknown_service_and_an_unsigned_call_are_refused_with_the_reason() {
        let refusal = |headers: &HeaderMap| Caller::read(headers).expect_err("no caller");
        assert!(refusal(&signed("x/20261122/us-east-1/s3/aws4_request")).contains("s3"));
        assert!(refusal(&signed("x/dynamodb")).contains("scope"));
        assert!(refusal(&HeaderMap::new()).contains("not signed"));
    }
}
