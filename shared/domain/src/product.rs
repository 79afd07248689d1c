//! The sign-in to the vendor's product: its client, codes and access tokens, and who may have them.
//!
//! The product is the one client of the OpenID Provider. It has a code from the browser for a minute, redeems it once for an ID token and an
//! access token, and asks with that for the same claims again.

use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    Account, Company, Credential, EmailAddress, SubscriptionId, Timestamp, UserName, digest::encode,
    opaque::OpaqueToken, text_enum,
};

/// How long a code can be redeemed.
pub const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// How long a code stays after its end, so that its second use is recognised, and voids the token of the first.
pub const CODE_KEPT: Duration = Duration::from_mins(10);

/// The lifetime of an access token and of an ID token.
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// The maximum age of a request whose own `since` is believed. An older request counts as new.
pub const REQUEST_LIFETIME: Duration = Duration::from_hours(1);

/// The most digests of secrets that a client has: two while one is being replaced.
const MOST_SECRETS: usize = 2;

/// An authorization code: 256 random bits in base64url. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub struct AuthorizationCode(OpaqueToken);

/// The SHA-256 of a code in base64url, which is what the table stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeDigest(String);

/// An access token: 256 random bits in base64url. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub struct AccessToken(OpaqueToken);

/// The SHA-256 of an access token in base64url, which is what the table stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenDigest(String);

/// The challenge of a request, by the method S256 of RFC 7636.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

/// The account that a code or a token is for, as it was when its session was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The name that signed in.
    pub user_name: UserName,
    /// The id by which the product knows the account.
    pub account_id: String,
    /// The subscription that the account administers.
    pub subscription: SubscriptionId,
    /// The account's version. Whatever ends sessions moves it on, and so voids codes and tokens.
    pub account_version: u64,
    /// When the owner signed in.
    pub authenticated_at: Timestamp,
}

/// The meaning of a code: who signed in, and what the request to redeem it must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account that signed in.
    pub holder: Holder,
    /// The address that the code is sent to.
    pub redirect_uri: String,
    /// The nonce of the request, for the ID token.
    pub nonce: Option<String>,
    /// The challenge of the request.
    pub challenge: Option<Challenge>,
    /// When the code ends.
    pub expires_at: Timestamp,
}

/// A code as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCode {
    /// The meaning of the code.
    pub grant: Grant,
    /// The access token that it was redeemed for.
    pub spent_by: Option<AccessTokenDigest>,
}

/// An administrator as the product knows them. It has no `Debug`, because it holds personal data.
pub struct ProductUser {
    /// The account, its subscription, and when the owner signed in.
    pub holder: Holder,
    /// The name that people call them by.
    pub display_name: String,
    /// The address that notices go to, which is not verified.
    pub email: Option<EmailAddress>,
    /// The company of the subscription.
    pub company: Company,
    /// The product of the subscription.
    pub product: String,
}

/// How recent the sign-in must be that a request goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the request began.
    pub since: Timestamp,
    /// The oldest sign-in before then that the request accepts. `None` accepts every session.
    pub max_age: Option<Duration>,
}

/// The product's client: the settings of the OpenID Provider.
#[derive(Clone, Debug)]
pub struct ProductClient {
    /// The client id.
    pub id: String,
    secrets: Vec<[u8; 32]>,
    redirect_uris: Vec<String>,
    /// Whether a request must have a challenge.
    pub pkce: PkcePolicy,
}

text_enum! {
    /// Whether a request must have a challenge.
    pub enum PkcePolicy {
        /// A challenge is verified where there is one. Cognito sends none.
        Optional = "optional",
        /// A request without a challenge is refused.
        Required = "required",
    }
}

text_enum! {
    /// Why a code is not redeemed. The product learns `invalid_grant`, and the log learns this.
    pub enum CodeRefusal {
        /// The code is for another address.
        AnotherAddress = "another-address",
        /// The verifier is missing, wrong, or for a request without a challenge.
        WrongVerifier = "wrong-verifier",
        /// The code has expired.
        Expired = "expired",
    }
}

impl AuthorizationCode {
    /// Creates a code from random bytes.
    #[must_use]
    pub fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(OpaqueToken::new(random))
    }

    /// Parses the parameter of a request. `None` if it cannot be a code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OpaqueToken::parse(text).map(Self)
    }

    /// Returns the code in plain text, for the address that leads to the product.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the digest to store.
    #[must_use]
    pub fn digest(&self) -> CodeDigest {
        CodeDigest(self.0.digest())
    }
}

impl CodeDigest {
    /// Returns 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccessToken {
    /// Creates a token from random bytes.
    #[must_use]
    pub fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(OpaqueToken::new(random))
    }

    /// Parses the token of a request. `None` if it cannot be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OpaqueToken::parse(text).map(Self)
    }

    /// Returns the token in plain text, for the answer to the product.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the digest to store.
    #[must_use]
    pub fn digest(&self) -> AccessTokenDigest {
        AccessTokenDigest(self.0.digest())
    }

    /// Returns the claim `at_hash` of an ID token that is issued with this token (OpenID Connect Core, 3.1.3.6).
    #[must_use]
    pub fn hash_claim(&self) -> String {
        encode(&Sha256::digest(self.0.as_str().as_bytes())[..16])
    }
}

impl AccessTokenDigest {
    /// Restores a stored digest.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Challenge {
    /// Parses the parameter `code_challenge` of the method S256: a SHA-256 in base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        valid.then(|| Self(text.to_owned()))
    }

    /// Returns 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether `verifier` is the one that the challenge was made from (RFC 7636, 4.1 and 4.6).
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        let valid = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        valid && encode(&Sha256::digest(verifier.as_bytes())) == self.0
    }
}

impl Holder {
    /// Returns the holder of `account`, whose owner signed in at `authenticated_at`.
    #[must_use]
    pub fn new(account: &Account, authenticated_at: Timestamp) -> Self {
        Self {
            user_name: account.user_name.clone(),
            account_id: account.account_id.clone(),
            subscription: account.subscription.clone(),
            account_version: account.version,
            authenticated_at,
        }
    }

    /// Returns whether the account may still be known at the product: it is a proven administrator's, nothing that ends sessions has happened
    /// since, and its subscription has not ended.
    #[must_use]
    pub fn is_valid(&self, account: &Account, credential: &Credential) -> bool {
        account.is_proven()
            && account.account_id == self.account_id
            && account.version == self.account_version
            && credential.subscription == self.subscription
            && credential.ended_at.is_none()
    }
}

impl KnownCode {
    /// Returns why the product may not redeem the code with this address and verifier at `now`. `Ok` for a code that was redeemed before too:
    /// its second use has to void the token of the first, also after the code's end.
    pub fn judge(&self, redirect_uri: &str, verifier: Option<&str>, now: Timestamp) -> Result<(), CodeRefusal> {
        let Grant { redirect_uri: known, challenge, expires_at, .. } = &self.grant;
        if known != redirect_uri {
            return Err(CodeRefusal::AnotherAddress);
        }
        // A verifier without a challenge is refused as well: an attacker has taken the challenge out of the request (RFC 9700, 2.1.1).
        let is_verified = match (challenge, verifier) {
            (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_verified {
            return Err(CodeRefusal::WrongVerifier);
        }
        if self.spent_by.is_none() && *expires_at <= now {
            return Err(CodeRefusal::Expired);
        }
        Ok(())
    }
}

impl Freshness {
    /// Returns whether a sign-in at `authenticated_at` is recent enough. Time that passes after the request began does not count, so a
    /// sign-in for the request always is.
    #[must_use]
    pub fn is_met_by(self, authenticated_at: Timestamp) -> bool {
        self.max_age.is_none_or(|max_age| authenticated_at >= self.since.minus(max_age))
    }
}

/// Returns when a request began, by its own claim `said`. A time in the future, or one that is too old, is the present.
#[must_use]
pub fn began_at(said: Option<Timestamp>, now: Timestamp) -> Timestamp {
    said.filter(|said| *said <= now && now.since(*said) <= REQUEST_LIFETIME).unwrap_or(now)
}

impl ProductClient {
    /// Creates the client from its settings. `secret_digests` are one or two SHA-256 in hexadecimal, and `redirect_uris` absolute addresses
    /// without a fragment, each separated by blanks or commas. `None` where one of them is no such thing.
    #[must_use]
    pub fn new(id: String, secret_digests: &str, redirect_uris: &str, pkce: PkcePolicy) -> Option<Self> {
        let secrets: Vec<[u8; 32]> = listed(secret_digests).map(parse_digest).collect::<Option<_>>()?;
        let redirect_uris: Vec<String> = listed(redirect_uris).map(parse_redirect_uri).collect::<Option<_>>()?;
        let complete = (1..=MOST_SECRETS).contains(&secrets.len()) && !redirect_uris.is_empty();
        complete.then_some(Self { id, secrets, redirect_uris, pkce })
    }

    /// Returns whether `address` is one of the client's, character by character.
    #[must_use]
    pub fn has_redirect_uri(&self, address: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == address)
    }

    /// Returns whether the client authenticates with this id and secret. Only digests are compared, of which an attacker can choose no
    /// character, so the time says nothing of the secret.
    #[must_use]
    pub fn is_authenticated_by(&self, id: &str, secret: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        self.secrets.contains(&digest) && self.id == id
    }
}

/// Returns the entries of a setting that is a list. A parameter of the template joins them with commas, and an address may have none.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty())
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(digest)
}

/// Parses an address of the client: https, or http on this machine for development.
fn parse_redirect_uri(text: &str) -> Option<String> {
    let local = ["http://localhost:", "http://127.0.0.1:"].iter().any(|start| text.starts_with(start));
    let secure = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\\'));
    ((secure || local) && plain).then(|| text.to_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the tokens that they make")]
mod tests {
    use super::*;
    use crate::{AccountStatus, Role, account::tests::account, credential::tests::credential};

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const ADDRESS: &str = "https://product.contoso.example/callback";
    /// The SHA-256 of `s3cret`.
    const DIGEST: &str = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn code(challenge: Option<&str>, spent_by: Option<&str>) -> KnownCode {
        let grant = Grant {
            holder: Holder::new(&account(None), at(0)),
            redirect_uri: ADDRESS.to_owned(),
            nonce: None,
            challenge: challenge.and_then(Challenge::parse),
            expires_at: at(60),
        };
        KnownCode { grant, spent_by: spent_by.map(|text| AccessTokenDigest::from_stored(text.to_owned())) }
    }

    #[test]
    fn a_code_is_redeemed_in_its_minute_at_its_address_with_its_verifier() {
        let with = code(Some(CHALLENGE), None);
        assert_eq!(with.judge(ADDRESS, Some(VERIFIER), at(59)), Ok(()));
        assert_eq!(with.judge(ADDRESS, Some(VERIFIER), at(60)), Err(CodeRefusal::Expired));
        for address in ["https://product.contoso.example/callback/", "https://product.contoso.example/Callback", ""] {
            assert_eq!(with.judge(address, Some(VERIFIER), at(0)), Err(CodeRefusal::AnotherAddress), "{address}");
        }
        for verifier in [None, Some(""), Some(CHALLENGE), Some(&VERIFIER[1..])] {
            assert_eq!(with.judge(ADDRESS, verifier, at(0)), Err(CodeRefusal::WrongVerifier), "{verifier:?}");
        }
        assert_eq!(code(None, None).judge(ADDRESS, None, at(0)), Ok(()));
        assert_eq!(code(None, None).judge(ADDRESS, Some(VERIFIER), at(0)), Err(CodeRefusal::WrongVerifier));
    }

    #[test]
    fn the_second_use_of_a_code_is_recognised_after_its_end() {
        assert_eq!(code(None, Some("a")).judge(ADDRESS, None, at(600)), Ok(()));
    }

    #[test]
    fn a_holder_is_valid_while_the_account_is_as_it_was_and_the_subscription_has_not_ended() {
        let lee =
            || Account { role: Role::Administrator, first_signed_in_at: Some(at(1)), version: 3, ..account(None) };
        let holder = Holder::new(&lee(), at(0));
        assert!(holder.is_valid(&lee(), &credential(&[])));
        for other in [
            Account { version: 4, ..lee() },
            Account { status: AccountStatus::Closed, ..lee() },
            Account { account_id: "another".into(), ..lee() },
            Account { role: Role::ServiceAdministrator, ..lee() },
            Account { first_signed_in_at: None, ..lee() },
            Account { temporary: account(Some(9)).temporary, ..lee() },
        ] {
            assert!(!holder.is_valid(&other, &credential(&[])), "{:?}", other.status);
        }
        let ended = Credential { ended_at: Some(at(2)), ..credential(&[]) };
        assert!(!holder.is_valid(&lee(), &ended));
        let another = Credential { subscription: SubscriptionId::parse("sub-2").unwrap(), ..credential(&[]) };
        assert!(!holder.is_valid(&lee(), &another));
    }

    #[test]
    fn a_sign_in_for_the_request_is_fresh_and_one_before_it_only_within_the_age() {
        let asked = |max_age: Option<u64>| Freshness { since: at(100), max_age: max_age.map(Duration::from_secs) };
        assert!(asked(None).is_met_by(at(0)));
        assert!(asked(Some(0)).is_met_by(at(100)) && asked(Some(0)).is_met_by(at(5000)));
        assert!(!asked(Some(0)).is_met_by(at(99)));
        assert!(asked(Some(10)).is_met_by(at(90)) && !asked(Some(10)).is_met_by(at(89)));
    }

    #[test]
    fn a_request_says_when_it_began_and_is_believed_for_an_hour() {
        assert_eq!(began_at(None, at(5000)), at(5000));
        assert_eq!(began_at(Some(at(1400)), at(5000)), at(1400));
        assert_eq!(began_at(Some(at(1399)), at(5000)), at(5000));
        assert_eq!(began_at(Some(at(5001)), at(5000)), at(5000));
    }

    #[test]
    fn a_client_has_one_or_two_secrets_and_addresses_that_are_compared_as_they_are() {
        let new = |digests: &str, uris: &str| ProductClient::new("product".into(), digests, uris, PkcePolicy::Optional);
        let client = new(DIGEST, ADDRESS).unwrap();
        assert!(client.is_authenticated_by("product", "s3cret"));
        assert!(!client.is_authenticated_by("Product", "s3cret") && !client.is_authenticated_by("product", "s3cret "));
        assert!(client.has_redirect_uri(ADDRESS));
        for other in ["https://product.contoso.example:443/callback", "https://product.contoso.example/callback?a=b"] {
            assert!(!client.has_redirect_uri(other), "{other}");
        }
        assert!(new(&format!("{DIGEST},{DIGEST}"), ADDRESS).is_some());
        for digests in ["", "ab", &format!("{DIGEST},{DIGEST},{DIGEST}"), &DIGEST.replace('1', "g")] {
            assert!(new(digests, ADDRESS).is_none(), "{digests}");
        }
        for uris in ["", "http://product.contoso.example/", "https:///a", "https://a/#b", "javascript:alert(1)", "/a"] {
            assert!(new(DIGEST, uris).is_none(), "{uris}");
        }
        assert!(new(DIGEST, "http://127.0.0.1:9005/callback, https://a.example/").is_some());
    }

    #[test]
    fn codes_and_tokens_round_trip_and_only_their_digests_are_stored() {
        let random = Zeroizing::new([7; 32]);
        let (code, token) = (AuthorizationCode::new(&random), AccessToken::new(&random));
        assert_eq!(AuthorizationCode::parse(code.expose_secret()).map(|back| back.digest()), Some(code.digest()));
        assert_eq!(AccessToken::parse(token.expose_secret()).map(|back| back.digest()), Some(token.digest()));
        assert_ne!(token.digest().as_str(), token.expose_secret());
        assert_eq!(token.hash_claim().len(), 22);
    }
}
