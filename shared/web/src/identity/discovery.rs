//! Two documents of the provider: the discovery document, and the keys to which it points.

use std::{error::Error, fmt};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest, result::ConnectorError};
use aws_smithy_types::byte_stream::{self, ByteStream};
use serde::Deserialize;

use super::{key_set::KeySet, settings};

/// Bytes of the largest document that is read: a hundred times the usual one.
const LARGEST_DOCUMENT: usize = 256 * 1024;

/// Characters of the discovered issuer that the log repeats.
const LONGEST_QUOTE: usize = 200;

/// Why there are no keys.
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
}

/// The keys of `issuer`, who has to name itself so to the letter (OpenID Connect Discovery, 4.3).
///
/// The client lives as long as the two requests: an hour later its connections would be dead, and a process that is never
/// asked for a customer builds none.
pub(super) async fn fetch_keys(issuer: &str) -> Result<KeySet, Failure> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let client = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = get(&client, &address).await?;
    let discovery: Discovery = serde_json::from_slice(&document).map_err(|_| Failure::NotDiscovery)?;
    if discovery.issuer != issuer {
        let discovered = discovery.issuer.chars().take(LONGEST_QUOTE).collect();
        return Err(Failure::OtherIssuer { configured: issuer.to_owned(), discovered });
    }
    let local = issuer.starts_with("http:");
    if !settings::is_confidential(&discovery.jwks_uri) || (!local && discovery.jwks_uri.starts_with("http:")) {
        return Err(Failure::KeysAddress);
    }
    KeySet::parse(&get(&client, &discovery.jwks_uri).await?).ok_or(Failure::NoKeys)
}

/// Redirects are not followed: an issuer that moves says so in its discovery document.
async fn get(client: &Connector, address: &str) -> Result<Vec<u8>, Failure> {
    let mut request = HttpRequest::get(address).map_err(|_| Failure::Address)?;
    request.headers_mut().insert("accept", "application/json");
    let response = client.call(request).await.map_err(Failure::Connection)?;
    if response.status().as_u16() != 200 {
        return Err(Failure::Status(response.status().as_u16()));
    }
    let mut stream = ByteStream::new(response.into_body());
    let mut document = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(Failure::Body)? {
        if document.len() + part.len() > LARGEST_DOCUMENT {
            return Err(Failure::TooLarge);
        }
        document.extend_from_slice(&part);
    }
    Ok(document)
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
        }
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
