//! The environment variables of the functions.

use std::{ffi::OsString, fmt, io, time::Duration};

use cloud::{Clock, REGION};

use super::ports::{self, Ports};
use tools::environment;

/// The log level of cargo-lambda. It does not affect the logs of the functions.
const LOG: &str = "warn";

/// The role of operators, which the provider gives to everyone who signs in to the desk.
pub(super) const OPERATORS: &str = "roles=support";

/// The URLs of everything that `cargo dev` starts.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) origin: String,
    pub(super) console: String,
    pub(super) aws: String,
    pub(super) issuer: String,
    pub(super) desk: String,
    pub(super) product: String,
}

impl Addresses {
    pub(super) fn new(ports: &Ports) -> io::Result<Self> {
        let at = |host: &str, listener| Ok::<_, io::Error>(format!("http://{host}:{}", ports::number(listener)?));
        Ok(Self {
            origin: at("localhost", &ports.functions)?,
            console: at("localhost", &ports.console)?,
            aws: at("localhost", &ports.aws)?,
            // For a browser this is a different site from localhost, as the provider is in production.
            issuer: at("127.0.0.1", &ports.oidc)?,
            // Cookies ignore ports, so only another host keeps those of operators and customers apart.
            desk: at("127.0.0.1", &ports.desk)?,
            // Another site than localhost as well, as the product may be in production.
            product: at("127.0.0.1", &ports.product)?,
        })
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, console, aws, issuer, desk, product } = self;
        write!(f, "functions {origin}  console {console}  aws {aws}  oidc {issuer}  desk {desk}  product {product}")
    }
}

/// Returns the variables that are withheld from the functions, which must not reach the developer's AWS account.
pub(super) fn withheld() -> impl Iterator<Item = OsString> {
    environment::names().filter(|name| name.as_encoded_bytes().starts_with(b"AWS_"))
}

/// Returns the variables that lead to the local cloud. `AWS_ACCESS_KEY_ID` is not among them, because the manifest of each
/// function sets it to the function's name.
pub(super) fn fixed(addresses: &Addresses) -> Vec<(&'static str, OsString)> {
    let local = ["localhost", "127.0.0.1"].map(OsString::from);
    let no_proxy = environment::get("NO_PROXY").into_iter().chain(local).collect::<Vec<_>>().join(",".as_ref());
    vec![
        ("AWS_ENDPOINT_URL", addresses.aws.clone().into()),
        ("AWS_REGION", REGION.into()),
        ("AWS_SECRET_ACCESS_KEY", "local".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("NO_PROXY", no_proxy),
    ]
}

/// Returns the variable that leads to the file of the clock.
pub(super) fn clock(clock: &Clock) -> Option<(&'static str, OsString)> {
    clock.file().map(|file| ("FIRSTKEY_CLOCK", file.into()))
}

/// Returns the settings. The developer's environment overrides each of these defaults. The demo product has this client secret.
pub(super) fn chosen(addresses: &Addresses, redelivery: Duration, secret: &str) -> Vec<(&'static str, OsString)> {
    let (lease, queue_url) = (lease(redelivery).to_string(), cloud::Queue::SendMail.url(&addresses.aws));
    let product = &addresses.product;
    let (product_url, redirect_uri) = (format!("{product}/sign-in"), format!("{product}/callback"));
    let (digest, signing_keys) = (demo_product::secret_digest(secret), cloud::SIGNING_KEYS.join(","));
    [
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", cloud::SEALING_KEY),
        ("SENDER", "Contoso <credentials@contoso.example>"),
        ("PUBLIC_ORIGIN", &addresses.origin),
        ("MAIL_CONFIGURATION_SET", cloud::CONFIGURATION_SET),
        ("MAIL_QUEUE_URL", &queue_url),
        // The local SES has no limits.
        ("MAIL_RATE", "1000"),
        ("EVENT_BUS", cloud::EVENT_BUS),
        ("EVENTS_WITH_ADDRESSES", "false"),
        ("NOTICES", "security"),
        ("OIDC_ISSUER", &addresses.issuer),
        ("OIDC_CLIENT_ID", "firstkey"),
        // Empty, so that the portal uses its own wording in each language.
        ("OIDC_DISPLAY_NAME", ""),
        ("OIDC_LOGOUT_HINT", "false"),
        ("DESK_ORIGIN", &addresses.desk),
        ("DESK_OIDC_ISSUER", &addresses.issuer),
        ("DESK_OIDC_CLIENT_ID", "firstkey-desk"),
        ("DESK_OIDC_ROLE", OPERATORS),
        ("DESK_APPROVAL", "required"),
        ("DESK_APPROVAL_WAIT_SECONDS", "3600"),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("SUPPORT_LANGUAGE", "en"),
        ("PSEUDO_LANGUAGE", "true"),
        ("PRODUCT_URL", &product_url),
        ("PRODUCT_CLIENT_ID", "contoso-online-suite"),
        ("PRODUCT_CLIENT_SECRET_DIGESTS", &digest),
        ("PRODUCT_REDIRECT_URIS", &redirect_uri),
        ("SIGNING_KEYS", &signing_keys),
        ("CREDENTIAL_LIFETIME_SECONDS", "604800"),
        ("WELCOME_MAIL", "credentials"),
        // All local clients share the address 127.0.0.1.
        ("SIGN_IN_NETWORK_BURST", "100000"),
        ("MAIL_LEASE_SECONDS", &lease),
        ("RUST_LOG", LOG),
    ]
    .map(|(name, default)| (name, environment::get(name).unwrap_or_else(|| default.into())))
    .to_vec()
}

/// Returns the value of a setting, or an empty string.
pub(super) fn find(settings: &[(&str, OsString)], name: &str) -> String {
    let found = settings.iter().find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns the lease of a mail in seconds. It must end before the redelivery, which would otherwise find the mail leased.
fn lease(redelivery: Duration) -> u64 {
    redelivery.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_is_the_redelivery_time_rounded_up_to_at_least_one_second() {
        let leases = [0, 1, 250, 1000, 1001, 30_000].map(|millis| lease(Duration::from_millis(millis)));
        assert_eq!(leases, [1, 1, 1, 1, 2, 30]);
    }
}
