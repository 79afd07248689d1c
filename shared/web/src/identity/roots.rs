//! The authorities that the certificate of an identity provider may come from.
//!
//! Mozilla's are compiled in. Reading a machine's takes as long where they are one file, and four times as long where they are a directory of
//! files; decision 24 has the numbers.

use aws_smithy_http_client::tls::TrustStore;
use base64::{Engine, prelude::BASE64_STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// The variable with a file of certificates, as OpenSSL and others know it. It replaces the compiled-in authorities, for a provider whose
/// certificate comes from a private one.
const FILE: &str = "SSL_CERT_FILE";

/// Returns the authorities.
pub(super) fn trust_store() -> TrustStore {
    #[expect(clippy::disallowed_methods, reason = "the library that reads the file takes its name from there, too")]
    let has_file = std::env::var_os(FILE).is_some_and(|file| !file.is_empty());
    if has_file { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(mozilla()) }
}

/// Returns Mozilla's authorities as PEM (RFC 7468), which is what the trust store takes.
fn mozilla() -> String {
    let mut pem = String::new();
    for certificate in TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        BASE64_STANDARD.encode_string(certificate, &mut pem);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_authority_is_one_certificate() {
        let pem = mozilla();
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----\nMII").count(), TLS_SERVER_ROOT_CERTS.len());
        assert!(TLS_SERVER_ROOT_CERTS.len() > 100);
    }
}
