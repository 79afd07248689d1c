//! Tests of the authorities that a provider's certificate may come from, with a provider that has TLS.
//!
//! The authorities depend on the environment of a process, so the test runs itself as processes of their own.

use std::{path::PathBuf, process::Command, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

use super::{NOW, at, fakes::TestProvider};
use crate::identity::fetch_metadata;

/// The variable that tells a process of the test which provider to ask.
const ISSUER: &str = "FIRSTKEY_TEST_ISSUER";

/// Returns the certificate of a private authority as PEM, and a server's configuration with a certificate that it has signed.
fn private_authority() -> (String, ServerConfig) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority, &authority_key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (authority.pem(), config)
}

/// Runs the test below in a process of its own, which asks `issuer`. Returns what it prints.
async fn run(issuer: &str, certificates: Option<PathBuf>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "identity::tests::roots::a_provider_with_a_private_authority_is_trusted_by_ssl_cert_file";
    command.args(["--exact", name, "--nocapture"]).env(ISSUER, issuer);
    command.env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
    if let Some(path) = certificates {
        command.env("SSL_CERT_FILE", path);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a process of the test learns from its environment whom to ask")]
async fn a_provider_with_a_private_authority_is_trusted_by_ssl_cert_file() {
    if let Ok(issuer) = std::env::var(ISSUER) {
        let outcome = fetch_metadata(&issuer, at(NOW)).await;
        println!("{}", outcome.map_or_else(|failure| crate::problem::error_chain(&failure), |found| found.key_set));
        return;
    }
    let (authority, config) = private_authority();
    let provider = TestProvider::start_with_tls(config).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, authority).unwrap();
    let found = run(&provider.issuer, Some(file.path().to_owned())).await;
    assert!(found.contains("\"kid\":\"rsa\""), "{found}");
    let refused = run(&provider.issuer, None).await;
    assert!(refused.contains("could not be reached") && refused.contains("UnknownIssuer"), "{refused}");
}
