//! Requests to the provider: for its discovery document, its keys, and an ID token for a code.

use std::{error::Error, fmt};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest, result::ConnectorError};
use aws_smithy_types::{
    body::SdkBody,
    byte_stream::{self, ByteStream},
};
use domain::{ProviderMetadata, Retryable, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{endpoints::Endpoints, key_set, roots, settings};

/// The maximum size of a document in bytes: a hundred times the usual size.
const LARGEST_DOCUMENT: usize = 256 * 1024;

/// The maximum number of characters of the discovered issuer that the log repeats.
const LONGEST_QUOTE: usize = 200;

/// How we name ourselves to providers. The firewalls of some refuse a request without a name.
const USER_AGENT: &str = concat!("firstkey/", env!("CARGO_PKG_VERSION"));

/// Why an identity provider's metadata could not be fetched.
#[derive(Debug)]
pub struct FetchFailure(Failure);

/// Why a request to the provider failed.
#[derive(Debug)]
pub(super) enum Failure {
    TimedOut,
    Address,
    Connection(ConnectorError),
    Body(byte_stream::error::Error),
    Status(u16),
    TooLarge,
    NotDiscovery,
    OtherIssuer { configured: String, discovered: String },
    KeysAddress,
    NoKeys,
    NoEndpoints,
}

/// The fields of the discovery document that are used.
#[derive(Deserialize, Serialize)]
pub(super) struct Discovery {
    pub(super) issuer: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_session_endpoint: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) prompt_values_supported: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) claims_parameter_supported: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// Reads a field that only describes the provider. A value of another type counts as absent, so that no customer is kept out by it.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(field: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(field)?).unwrap_or_default())
}

/// An encoded form to send. It has no `Debug`, because it holds a code and its verifier, and possibly the client secret.
pub(super) struct Form {
    pub(super) address: String,
    pub(super) authorization: Option<String>,
    pub(super) body: String,
}

/// Fetches the discovery document and the keys of `issuer` for the table, and checks them: the document names exactly this issuer, the keys and
/// the endpoints for codes have addresses with TLS, and at least one of the keys can verify an ID token. The caller limits the time.
pub async fn fetch_metadata(issuer: &str, now: Timestamp) -> Result<ProviderMetadata, FetchFailure> {
    let metadata = fetch(issuer, now).await.map_err(FetchFailure)?;
    // What is put replaces good endpoints, and no one could sign in.
    let endpoints = serde_json::from_str(&metadata.discovery).ok().and_then(Endpoints::from_discovery);
    endpoints.map(|_| metadata).ok_or(FetchFailure(Failure::NoEndpoints))
}

/// Fetches the metadata of `issuer` for a verifier, which needs no endpoints, and checks the rest as [`fetch_metadata`] does.
///
/// The HTTP client lives only for the two requests: the provider closes its connections before the next ones, minutes later, and a process that
/// finds the metadata in the table needs no client.
pub(super) async fn fetch(issuer: &str, now: Timestamp) -> Result<ProviderMetadata, Failure> {
    let client = client()?;
    let discovery = discover(&client, issuer).await?;
    if !may_be_asked(&discovery.jwks_uri, issuer) {
        return Err(Failure::KeysAddress);
    }
    let keys = get(&client, &discovery.jwks_uri).await?;
    Ok(ProviderMetadata {
        issuer: issuer.to_owned(),
        discovery: serde_json::to_string(&discovery).map_err(|_| Failure::NotDiscovery)?,
        key_set: key_set::reduced(&keys).ok_or(Failure::NoKeys)?,
        fetched_at: now,
    })
}

/// Sends a form to the provider, and returns the status and the body of the answer.
pub(super) async fn post(form: Form) -> Result<(u16, Vec<u8>), Failure> {
    let mut request = HttpRequest::new(SdkBody::from(form.body));
    request.set_method("POST").map_err(|_| Failure::Address)?;
    request.set_uri(form.address).map_err(|_| Failure::Address)?;
    let headers = request.headers_mut();
    headers.insert("accept", "application/json");
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert("user-agent", USER_AGENT);
    if let Some(authorization) = form.authorization {
        headers.try_insert("authorization", authorization).map_err(|_| Failure::Address)?;
    }
    send(&client()?, request).await
}

/// Returns whether an address of the discovery document may be used: it has TLS, or it and the issuer are on this machine.
pub(super) fn may_be_asked(address: &str, issuer: &str) -> bool {
    let has_scheme = |text: &str, scheme: &str| {
        // The text may have it in capital letters (RFC 3986, 3.1).
        text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some(scheme))
    };
    settings::is_confidential(address) && (has_scheme(address, "https") || has_scheme(issuer, "http"))
}

fn client() -> Result<Connector, Failure> {
    let context = TlsContext::builder().with_trust_store(roots::trust_store()).build();
    let context = context.map_err(|error| Failure::Connection(ConnectorError::other(error.into(), None)))?;
    Ok(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build())
}

/// Fetches the document and checks that it names exactly this issuer (OpenID Connect Discovery, 4.3).
async fn discover(client: &Connector, issuer: &str) -> Result<Discovery, Failure> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = get(client, &address).await?;
    let discovery: Discovery = serde_json::from_slice(&document).map_err(|_| Failure::NotDiscovery)?;
    if discovery.issuer != issuer {
        let discovered = discovery.issuer.chars().take(LONGEST_QUOTE).collect();
        return Err(Failure::OtherIssuer { configured: issuer.to_owned(), discovered });
    }
    Ok(discovery)
}

async fn get(client: &Connector, address: &str) -> Result<Vec<u8>, Failure> {
    let mut request = HttpRequest::get(address).map_err(|_| Failure::Address)?;
    request.headers_mut().insert("accept", "application/json");
    request.headers_mut().insert("user-agent", USER_AGENT);
    match send(client, request).await? {
        (200, document) => Ok(document),
        (status, _) => Err(Failure::Status(status)),
    }
}

/// Sends a request. Redirects are not followed: an issuer that moves changes its discovery document.
async fn send(client: &Connector, request: HttpRequest) -> Result<(u16, Vec<u8>), Failure> {
    let response = client.call(request).await.map_err(Failure::Connection)?;
    let status = response.status().as_u16();
    let mut stream = ByteStream::new(response.into_body());
    let mut document = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(Failure::Body)? {
        if document.len() + part.len() > LARGEST_DOCUMENT {
            return Err(Failure::TooLarge);
        }
        document.extend_from_slice(&part);
    }
    Ok((status, document))
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FetchFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the identity provider did not answer in time"),
            Self::Address => f.write_str("the identity provider has no valid address"),
            Self::Connection(_) => f.write_str("the identity provider could not be reached"),
            Self::Body(_) => f.write_str("the identity provider's answer broke off"),
            Self::Status(status) => write!(f, "the identity provider answered with status {status}"),
            Self::TooLarge => write!(f, "the identity provider's answer is over {LARGEST_DOCUMENT} bytes"),
            Self::NotDiscovery => f.write_str("the identity provider's discovery document names no issuer and keys"),
            Self::OtherIssuer { configured, discovered } => {
                write!(f, "OIDC_ISSUER is {configured:?}, but its discovery document says {discovered:?}")
            }
            Self::KeysAddress => f.write_str("the identity provider's keys have no https address"),
            Self::NoKeys => f.write_str("the identity provider has no keys that can be used"),
            Self::NoEndpoints => f.write_str("the identity provider's discovery document has no endpoints for codes"),
        }
    }
}

/// The provider may be mended or reached again without a change here.
impl Retryable for Failure {
    fn is_transient(&self) -> bool {
        true
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connection(error) => Some(error),
            Self::Body(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_tls_is_asked_only_on_this_machine_for_an_issuer_there() {
        let (remote, local) = ("https://issuer.example", "http://127.0.0.1:9003");
        for address in ["https://keys.example/keys", "HTTPS://keys.example/keys", "https://localhost/keys"] {
            assert!(may_be_asked(address, remote) && may_be_asked(address, local), "{address}");
        }
        for address in ["http://localhost/keys", "HTTP://localhost/keys", "Http://127.0.0.1/keys", "http://[::1]/keys"]
        {
            assert!(!may_be_asked(address, remote), "{address}");
            assert!(may_be_asked(address, local) && may_be_asked(address, "HTTP://127.0.0.1:9003"), "{address}");
        }
        for address in ["http://keys.example/keys", "HTTP://keys.example/keys", "file:///keys", "/keys", ""] {
            assert!(!may_be_asked(address, remote) && !may_be_asked(address, local), "{address}");
        }
    }
}
