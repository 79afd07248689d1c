//! The environment that the functions are started in.

use std::{ffi::OsString, fmt, io, time::Duration};

use local::cloud::REGION;

use super::ports::{self, Ports};
use crate::environment;

/// cargo-lambda's own log: only what goes wrong. The functions' does not depend on it.
const LOG: &str = "warn";

/// Where everything is.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) origin: String,
    pub(super) console: String,
    pub(super) aws: String,
    pub(super) issuer: String,
}

impl Addresses {
    pub(super) fn of(ports: &Ports) -> io::Result<Self> {
        let at = |host: &str, listener| Ok::<_, io::Error>(format!("http://{host}:{}", ports::number(listener)?));
        Ok(Self {
            origin: at("localhost", &ports.functions)?,
            console: at("localhost", &ports.console)?,
            aws: at("localhost", &ports.aws)?,
            // Another site to a browser than localhost, as a provider is in production.
            issuer: at("127.0.0.1", &ports.oidc)?,
        })
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, console, aws, issuer } = self;
        write!(f, "functions {origin}  console {console}  aws {aws}  oidc {issuer}")
    }
}

/// Variables that the functions must not have: the developer's own AWS account is none of theirs.
pub(super) fn withheld() -> impl Iterator<Item = OsString> {
    environment::names().filter(|name| name.as_encoded_bytes().starts_with(b"AWS_"))
}

/// Where the local cloud is. `AWS_ACCESS_KEY_ID` is not here: each function's manifest gives it its own.
pub(super) fn fixed(addresses: &Addresses) -> Vec<(&'static str, OsString)> {
    let own = ["localhost", "127.0.0.1"].map(OsString::from);
    let no_proxy = environment::get("NO_PROXY").into_iter().chain(own).collect::<Vec<_>>().join(",".as_ref());
    vec![
        ("AWS_ENDPOINT_URL", addresses.aws.clone().into()),
        ("AWS_REGION", REGION.into()),
        ("AWS_SECRET_ACCESS_KEY", "local".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("NO_PROXY", no_proxy),
    ]
}

/// The settings, each as the developer's environment has it or else as given here.
pub(super) fn chosen(addresses: &Addresses, redelivery: Duration) -> Vec<(&'static str, OsString)> {
    let lease = lease(redelivery).to_string();
    [
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", local::cloud::SEALING_KEY),
        ("SENDER", "Contoso <credentials@contoso.example>"),
        ("PUBLIC_ORIGIN", &addresses.origin),
        ("OIDC_ISSUER", &addresses.issuer),
        ("OIDC_CLIENT_ID", "firstkey"),
        // As the portal itself words it, in each language.
        ("OIDC_DISPLAY_NAME", ""),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("SUPPORT_LANGUAGE", "en"),
        ("PRODUCT_URL", "https://product.contoso.example/"),
        ("CREDENTIAL_LIFETIME_SECONDS", "604800"),
        ("WELCOME_MAIL", "credentials"),
        // Everybody has the address 127.0.0.1 here.
        ("SIGN_IN_NETWORK_BURST", "100000"),
        ("MAIL_LEASE_SECONDS", &lease),
        ("RUST_LOG", LOG),
    ]
    .map(|(name, otherwise)| (name, environment::get(name).unwrap_or_else(|| otherwise.into())))
    .to_vec()
}

/// The value of a setting among others.
pub(super) fn find(settings: &[(&str, OsString)], name: &str) -> String {
    let found = settings.iter().find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A mail's lease must not outlast the time until its message comes again: otherwise the second delivery finds it held.
fn lease(redelivery: Duration) -> u64 {
    redelivery.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_is_the_redelivery_in_whole_seconds_and_never_none() {
        let leases = [0, 1, 250, 1000, 1001, 30_000].map(|millis| lease(Duration::from_millis(millis)));
        assert_eq!(leases, [1, 1, 1, 1, 2, 30]);
    }
}
