//! The authorization request (OpenID Connect Core 1.0, 3.1.2.1), parsed at the door. `/oidc/authorize` and `/oidc/continue` parse the same
//! parameters, so that nothing is taken on trust from the page between them.

use std::{collections::BTreeMap, time::Duration};

use domain::{Challenge, Freshness, PkcePolicy, ProductClient, Timestamp, product::began_at};
use form_urlencoded::{Serializer, parse as parse_form};

/// The largest number of bytes of `state` and of `nonce`. Clients keep their own state in it, and the gateway takes 10,240 bytes of headers.
const LONGEST_STATE: usize = 4096;
const LONGEST_NONCE: usize = 1024;

/// The parameter with which a request travels to `/oidc/continue`: when it began, in seconds since the epoch.
const SINCE: &str = "since";

/// A request of the client whose answer may be sent to its address.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) return_to: ReturnAddress,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) prompt: Prompt,
    pub(crate) freshness: Freshness,
    /// The parameters as they travel on, without `since`.
    parameters: BTreeMap<String, String>,
}

/// The address of the client that gets the answer, with what every answer repeats. It exists only after client and address are checked.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress {
    redirect_uri: String,
    state: Option<String>,
}

/// What the request wants of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// A session goes on.
    Default,
    /// Only a sign-in for this request goes on.
    Login,
    /// The browser may not be shown anything.
    None,
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum RequestRefusal {
    /// Client or address are unknown: a page says so, and nothing is sent anywhere.
    UnknownClient,
    /// The client gets the error.
    Answered(ReturnAddress, AuthorizationError),
}

domain::text_enum! {
    /// An error code of an authorization response (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
    pub(crate) enum AuthorizationError {
        /// A parameter is missing, repeated or invalid.
        InvalidRequest = "invalid_request",
        /// The scopes lack `openid`.
        InvalidScope = "invalid_scope",
        /// The response type is not `code`.
        UnsupportedResponseType = "unsupported_response_type",
        /// There is a request object.
        RequestNotSupported = "request_not_supported",
        /// There is the address of a request object.
        RequestUriNotSupported = "request_uri_not_supported",
        /// There is a registration.
        RegistrationNotSupported = "registration_not_supported",
        /// `prompt=none`, and there is no session that is recent enough.
        LoginRequired = "login_required",
        /// `prompt=none`, and the account must do something first.
        InteractionRequired = "interaction_required",
        /// AWS is unavailable.
        TemporarilyUnavailable = "temporarily_unavailable",
        /// The function is misconfigured.
        ServerError = "server_error",
    }
}

/// The parameters that mean something here. All others are ignored, as OpenID Connect demands.
const KNOWN: [&str; 14] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "registration",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

impl AuthorizationRequest {
    /// Parses the query of a request that arrives at `now`. Client and address come first: every later refusal goes there.
    pub(crate) fn parse(query: &str, client: &ProductClient, now: Timestamp) -> Result<Self, RequestRefusal> {
        let given: Vec<(String, String)> = parse_form(query.as_bytes()).into_owned().collect();
        let once = |name: &str| {
            let mut values = given.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            values.next().filter(|value| !value.is_empty() && values.next().is_none())
        };
        let redirect_uri = once("redirect_uri").filter(|address| client.has_redirect_uri(address));
        let redirect_uri = match (once("client_id"), redirect_uri) {
            (Some(id), Some(address)) if id == client.id => address.to_owned(),
            _ => return Err(RequestRefusal::UnknownClient),
        };
        let state = once("state").filter(|state| state.len() <= LONGEST_STATE).map(ToOwned::to_owned);
        let return_to = ReturnAddress { redirect_uri, state };
        let mut parameters = BTreeMap::new();
        for (name, value) in given.iter().filter(|(name, value)| KNOWN.contains(&name.as_str()) && !value.is_empty()) {
            if parameters.insert(name.clone(), value.clone()).is_some() {
                return Err(RequestRefusal::Answered(return_to, AuthorizationError::InvalidRequest));
            }
        }
        let since = once(SINCE).and_then(|text| text.parse().ok()).map(Timestamp::from_epoch_seconds);
        let parsed = Parsed::new(&parameters, client, began_at(since, now));
        let Parsed { nonce, challenge, prompt, freshness } = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Err(RequestRefusal::Answered(return_to, error)),
        };
        Ok(Self { return_to, nonce, challenge, prompt, freshness, parameters })
    }

    /// Returns the query with which the request proceeds to `/oidc/continue`. It has no parameter that means nothing here.
    pub(crate) fn query(&self) -> String {
        let since = self.freshness.since.epoch_seconds().to_string();
        Serializer::new(String::new()).extend_pairs(&self.parameters).append_pair(SINCE, &since).finish()
    }
}

/// The parts that are checked after client and address.
struct Parsed {
    nonce: Option<String>,
    challenge: Option<Challenge>,
    prompt: Prompt,
    freshness: Freshness,
}

impl Parsed {
    fn new(
        given: &BTreeMap<String, String>,
        client: &ProductClient,
        since: Timestamp,
    ) -> Result<Self, AuthorizationError> {
        let get = |name: &str| given.get(name).map(String::as_str);
        refuse_unsupported(get)?;
        let nonce = get("nonce").map(ToOwned::to_owned);
        let too_long = |value: Option<&str>, most: usize| value.is_some_and(|value| value.len() > most);
        if too_long(get("state"), LONGEST_STATE) || too_long(get("nonce"), LONGEST_NONCE) {
            return Err(AuthorizationError::InvalidRequest);
        }
        let prompt = Prompt::parse(get("prompt").unwrap_or_default())?;
        let seconds =
            |text: &str| text.parse().map(Duration::from_secs).map_err(|_| AuthorizationError::InvalidRequest);
        let max_age = get("max_age").map(seconds).transpose()?;
        let max_age = if prompt == Prompt::Login { Some(Duration::ZERO) } else { max_age };
        let challenge = challenge(get("code_challenge"), get("code_challenge_method"), client.pkce)?;
        Ok(Self { nonce, challenge, prompt, freshness: Freshness { since, max_age } })
    }
}

/// Refuses what the provider does not do.
fn refuse_unsupported<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<(), AuthorizationError> {
    let refusals = [
        ("request", AuthorizationError::RequestNotSupported),
        ("request_uri", AuthorizationError::RequestUriNotSupported),
        ("registration", AuthorizationError::RegistrationNotSupported),
    ];
    if let Some((_, error)) = refusals.into_iter().find(|(name, _)| get(name).is_some()) {
        return Err(error);
    }
    match get("response_type") {
        Some("code") => {}
        Some(_) => return Err(AuthorizationError::UnsupportedResponseType),
        None => return Err(AuthorizationError::InvalidRequest),
    }
    if get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(AuthorizationError::InvalidRequest);
    }
    let is_openid = get("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
    if is_openid { Ok(()) } else { Err(AuthorizationError::InvalidScope) }
}

/// Parses the challenge. The method `plain`, which is that of a request without a method, is refused.
fn challenge(
    text: Option<&str>,
    method: Option<&str>,
    policy: PkcePolicy,
) -> Result<Option<Challenge>, AuthorizationError> {
    match (text, method) {
        (Some(text), Some("S256")) => Challenge::parse(text).map(Some).ok_or(AuthorizationError::InvalidRequest),
        (None, None) if policy == PkcePolicy::Optional => Ok(None),
        _ => Err(AuthorizationError::InvalidRequest),
    }
}

impl Prompt {
    /// Parses the list of `prompt`. There is no consent to ask for, and the page before the product offers another account anyway.
    fn parse(text: &str) -> Result<Self, AuthorizationError> {
        let values: Vec<&str> = text.split(' ').filter(|value| !value.is_empty()).collect();
        match values.as_slice() {
            ["none"] => Ok(Self::None),
            values if values.contains(&"none") => Err(AuthorizationError::InvalidRequest),
            values if values.contains(&"login") => Ok(Self::Login),
            _ => Ok(Self::Default),
        }
    }
}

impl ReturnAddress {
    /// Returns the address of the client that the answer is bound to.
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Returns the address with an answer: its parameters, and `state` and `iss` (RFC 9207) with each.
    pub(crate) fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        let mut query = Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }
}
