//! The authorization request (OpenID Connect Core 1.0, 3.1.2.1), parsed at the door. `/oidc/authorize` and `/oidc/continue` parse the same
//! parameters, so that nothing is taken on trust from the page between them.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Challenge, Freshness, PkcePolicy, ProductClient, Timestamp, product::began_at};
use form_urlencoded::{Serializer, parse as parse_form};
use serde::Deserialize;

/// The largest number of bytes of `state` and of `nonce`. Clients keep their own state in it, and the gateway takes 10,240 bytes of headers.
const LONGEST_STATE: usize = 4096;
const LONGEST_NONCE: usize = 1024;

/// The parameter with which a request travels to `/oidc/continue`: when it began, in seconds since the epoch.
const SINCE: &str = "since";

/// The parameter with an ID token of the person whom the client expects.
const HINT: &str = "id_token_hint";

/// A request of the client whose answer may be sent to its address.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) return_to: ReturnAddress,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) prompt: Prompt,
    pub(crate) freshness: Freshness,
    hint: Option<Hint>,
    /// The parameters as they travel on, without `since` and the hint.
    parameters: BTreeMap<String, String>,
}

/// The address of the client that gets the answer, with what every answer repeats. It exists only after client and address are checked.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress {
    redirect_uri: String,
    state: Option<String>,
}

/// The account that the client expects (`id_token_hint`). The signature is not verified, because a hint only ever refuses.
#[derive(Clone, Debug)]
enum Hint {
    /// The account with this id.
    Account(String),
    /// The hint is not a token with a `sub`, so it fits no account.
    Invalid,
}

/// The sign-in that a request asks for (`prompt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// An existing session is enough.
    Default,
    /// Only a sign-in for this request is enough.
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
        /// `prompt=none`, and there is no session that is recent enough and of the person whom the client expects.
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
const KNOWN: [&str; 15] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    HINT,
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
        let hint = parameters.remove(HINT).map(|token| Hint::parse(&token));
        let since = once(SINCE).and_then(|text| text.parse().ok()).map(Timestamp::from_epoch_seconds);
        let parsed = Parsed::new(&parameters, client, began_at(since, now));
        let Parsed { nonce, challenge, prompt, freshness } = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Err(RequestRefusal::Answered(return_to, error)),
        };
        Ok(Self { return_to, nonce, challenge, prompt, freshness, hint, parameters })
    }

    /// Returns whether the hint of the request, if it has one, is about this account.
    pub(crate) fn expects(&self, account_id: &str) -> bool {
        match &self.hint {
            None => true,
            Some(Hint::Account(expected)) => expected == account_id,
            Some(Hint::Invalid) => false,
        }
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

impl Hint {
    /// Reads the claim `sub` of an ID token, and nothing else of it.
    fn parse(token: &str) -> Self {
        #[derive(Deserialize)]
        struct Claims {
            sub: String,
        }
        let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { return Self::Invalid };
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok();
        let claims = claims.and_then(|json| serde_json::from_slice(&json).ok());
        claims.map_or(Self::Invalid, |Claims { sub }| Self::Account(sub))
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

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "contoso-online-suite";
    const ADDRESS: &str = "https://product.contoso.example/callback";
    const ADDRESS_WITH_QUERY: &str = "https://product.contoso.example/?from=firstkey";
    /// The example of RFC 7636, appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const NOW: i64 = 10_000;

    type Pairs<'a> = Vec<(&'a str, &'a str)>;

    /// Returns the parameters of a good request.
    fn good() -> Pairs<'static> {
        vec![
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", ADDRESS),
            ("scope", "openid profile"),
            ("state", "a state"),
        ]
    }

    /// Returns the parameters of a good request, with this one in the place of its own.
    fn with<'a>(name: &'a str, value: &'a str) -> Pairs<'a> {
        good().into_iter().filter(|(known, _)| *known != name).chain([(name, value)]).collect()
    }

    fn without(name: &str) -> Pairs<'static> {
        good().into_iter().filter(|(known, _)| *known != name).collect()
    }

    /// Returns the parameters of a good request and these.
    fn and<'a>(more: &[(&'a str, &'a str)]) -> Pairs<'a> {
        [good().as_slice(), more].concat()
    }

    fn parse_with(pkce: PkcePolicy, pairs: &[(&str, &str)]) -> Result<AuthorizationRequest, RequestRefusal> {
        let (digest, addresses) = ("0".repeat(64), format!("{ADDRESS},{ADDRESS_WITH_QUERY}"));
        let client = ProductClient::new(CLIENT.to_owned(), &digest, &addresses, pkce).unwrap();
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        AuthorizationRequest::parse(&query, &client, Timestamp::from_epoch_seconds(NOW))
    }

    fn parse(pairs: &[(&str, &str)]) -> Result<AuthorizationRequest, RequestRefusal> {
        parse_with(PkcePolicy::Optional, pairs)
    }

    /// Returns the error that the client gets.
    fn answered(result: &Result<AuthorizationRequest, RequestRefusal>) -> Option<AuthorizationError> {
        match result {
            Err(RequestRefusal::Answered(_, error)) => Some(*error),
            Err(RequestRefusal::UnknownClient) | Ok(_) => None,
        }
    }

    fn is_unknown(pairs: &[(&str, &str)]) -> bool {
        matches!(parse(pairs), Err(RequestRefusal::UnknownClient))
    }

    #[test]
    fn a_client_and_an_address_that_are_not_known_character_by_character_get_no_answer() {
        for other in ["", "Contoso-online-suite", "contoso-online-suite ", "contoso", "another"] {
            assert!(is_unknown(&with("client_id", other)), "{other}");
        }
        for other in [
            "",
            "https://product.contoso.example/Callback",
            "https://PRODUCT.contoso.example/callback",
            "HTTPS://product.contoso.example/callback",
            "http://product.contoso.example/callback",
            "https://product.contoso.example/callback/",
            "https://product.contoso.example//callback",
            "https://product.contoso.example/callback/../callback",
            "https://product.contoso.example:443/callback",
            "https://product.contoso.example/callback?",
            "https://product.contoso.example/callback?a=b",
            "https://product.contoso.example/callback#a",
            "https://product.contoso.example/callback ",
            "https://product.contoso.example/callbac%6B",
            "https://product.contoso.example/?from=other",
            "https://product.contoso.example.attacker.example/callback",
            "https://product.contoso.example@attacker.example/callback",
            "//product.contoso.example/callback",
        ] {
            assert!(is_unknown(&with("redirect_uri", other)), "{other}");
        }
        for missing in ["client_id", "redirect_uri"] {
            assert!(is_unknown(&without(missing)), "{missing}");
        }
        for twice in [("client_id", CLIENT), ("redirect_uri", ADDRESS), ("redirect_uri", "https://attacker.example/")] {
            assert!(is_unknown(&and(&[twice])), "{twice:?}");
        }
    }

    #[test]
    fn client_and_address_come_before_everything_else_that_is_wrong() {
        let wrong = [("response_type", "token"), ("client_id", CLIENT), ("redirect_uri", "https://attacker.example/")];
        assert!(is_unknown(&wrong));
        assert_eq!(
            answered(&parse(&with("response_type", "token"))),
            Some(AuthorizationError::UnsupportedResponseType)
        );
    }

    #[test]
    fn a_request_for_something_that_the_provider_does_not_do_is_answered_at_the_client() {
        let long = "x".repeat(LONGEST_STATE + 1);
        for (pairs, error) in [
            (with("response_type", "token"), AuthorizationError::UnsupportedResponseType),
            (with("response_type", "code id_token"), AuthorizationError::UnsupportedResponseType),
            (without("response_type"), AuthorizationError::InvalidRequest),
            (without("scope"), AuthorizationError::InvalidScope),
            (with("scope", "profile"), AuthorizationError::InvalidScope),
            (with("scope", "OpenID"), AuthorizationError::InvalidScope),
            (with("state", &long), AuthorizationError::InvalidRequest),
            (and(&[("nonce", &long[..=LONGEST_NONCE])]), AuthorizationError::InvalidRequest),
            (and(&[("response_mode", "fragment")]), AuthorizationError::InvalidRequest),
            (and(&[("response_mode", "form_post")]), AuthorizationError::InvalidRequest),
            (and(&[("request", "a.b.c")]), AuthorizationError::RequestNotSupported),
            (and(&[("request_uri", "https://a.example/")]), AuthorizationError::RequestUriNotSupported),
            (and(&[("registration", "{}")]), AuthorizationError::RegistrationNotSupported),
            (and(&[("max_age", "soon")]), AuthorizationError::InvalidRequest),
            (and(&[("max_age", "-1")]), AuthorizationError::InvalidRequest),
            (and(&[("prompt", "none login")]), AuthorizationError::InvalidRequest),
            (and(&[("code_challenge", CHALLENGE)]), AuthorizationError::InvalidRequest),
            (and(&[("code_challenge_method", "S256")]), AuthorizationError::InvalidRequest),
            (
                and(&[("code_challenge", CHALLENGE), ("code_challenge_method", "plain")]),
                AuthorizationError::InvalidRequest,
            ),
            (
                and(&[("code_challenge", &CHALLENGE[1..]), ("code_challenge_method", "S256")]),
                AuthorizationError::InvalidRequest,
            ),
        ] {
            assert_eq!(answered(&parse(&pairs)), Some(error), "{pairs:?}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_an_invalid_request_and_an_unknown_one_is_ignored() {
        for twice in [("state", "b"), ("scope", "openid"), ("response_type", "code")] {
            assert_eq!(answered(&parse(&and(&[twice]))), Some(AuthorizationError::InvalidRequest), "{twice:?}");
        }
        let parsed = parse(&and(&[("resource", "a"), ("resource", "b"), ("nonce", "")])).unwrap();
        assert_eq!(parsed.nonce, None);
        assert!(!parsed.query().contains("resource") && !parsed.query().contains("nonce"), "{}", parsed.query());
    }

    #[test]
    fn a_challenge_is_taken_where_there_is_one_and_may_be_demanded() {
        let pairs = and(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        for policy in PkcePolicy::ALL {
            assert_eq!(parse_with(policy, &pairs).unwrap().challenge, Challenge::parse(CHALLENGE));
        }
        assert_eq!(parse(&good()).unwrap().challenge, None);
        let refused = answered(&parse_with(PkcePolicy::Required, &good()));
        assert_eq!(refused, Some(AuthorizationError::InvalidRequest));
    }

    #[test]
    fn prompt_and_max_age_say_how_recent_the_sign_in_must_be() {
        let asked = |more: &[(&str, &str)]| {
            let parsed = parse(&and(more)).unwrap();
            (parsed.prompt, parsed.freshness.max_age.map(|age| age.as_secs()))
        };
        assert_eq!(asked(&[]), (Prompt::Default, None));
        assert_eq!(asked(&[("max_age", "60")]), (Prompt::Default, Some(60)));
        assert_eq!(asked(&[("prompt", "login"), ("max_age", "60")]), (Prompt::Login, Some(0)));
        assert_eq!(asked(&[("prompt", "consent login")]), (Prompt::Login, Some(0)));
        assert_eq!(asked(&[("prompt", "select_account")]), (Prompt::Default, None));
        assert_eq!(asked(&[("prompt", "none"), ("max_age", "0")]), (Prompt::None, Some(0)));
    }

    #[test]
    fn a_hint_expects_the_account_of_its_token_and_an_invalid_one_expects_none() {
        let token = |claims: &str| format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let expects = |hint: &str| {
            let parsed = parse(&and(&[(HINT, hint)])).unwrap();
            assert!(!parsed.query().contains(HINT), "it does not travel: {}", parsed.query());
            ["01K", "01J"].map(|account_id| parsed.expects(account_id))
        };
        assert_eq!(expects(&token(r#"{"sub":"01K","iss":"https://a.example"}"#)), [true, false]);
        assert_eq!(expects(""), [true, true], "an empty parameter is as good as none");
        let whole = token(r#"{"sub":"01K"}"#);
        let (unsigned, _) = whole.rsplit_once('.').unwrap();
        let more = format!("{whole}.e30");
        for invalid in ["01K", "..", "e30.01K.c2ln", unsigned, &more, &token("{}"), &token(r#"{"sub":1}"#), &token("")]
        {
            assert_eq!(expects(invalid), [false, false], "{invalid}");
        }
        let twice = parse(&and(&[(HINT, &whole), (HINT, &whole)]));
        assert_eq!(answered(&twice), Some(AuthorizationError::InvalidRequest));
    }

    #[test]
    fn a_request_travels_on_with_the_time_at_which_it_began() {
        let pairs = and(&[("nonce", "a & b"), ("max_age", "0"), ("ui_locales", "de")]);
        let first = parse(&pairs).unwrap();
        assert_eq!(first.freshness.since, Timestamp::from_epoch_seconds(NOW));
        let query = first.query();
        let travelled: BTreeMap<String, String> = parse_form(query.as_bytes()).into_owned().collect();
        assert_eq!((travelled["nonce"].as_str(), travelled[SINCE].as_str()), ("a & b", "10000"));
        assert!(!travelled.contains_key("ui_locales"));

        let since = |said: &str| parse(&and(&[(SINCE, said)])).unwrap().freshness.since.epoch_seconds();
        assert_eq!((since("9000"), since("6400")), (9000, 6400));
        for other in ["6399", "10001", "-1", "", "then", "9223372036854775808"] {
            assert_eq!(since(other), NOW, "{other}");
        }
        let twice = parse(&and(&[(SINCE, "9000"), (SINCE, "9000")])).unwrap();
        assert_eq!(twice.freshness.since.epoch_seconds(), NOW);
    }

    #[test]
    fn an_answer_keeps_the_query_of_the_address_and_repeats_the_state_and_the_issuer() {
        let address = |redirect_uri: &str, state: &str| {
            let mut pairs = with("redirect_uri", redirect_uri);
            pairs.retain(|(name, _)| *name != "state");
            pairs.push(("state", state));
            parse(&pairs).unwrap().return_to.with("https://firstkey.example", &[("code", "c")])
        };
        let issuer = "iss=https%3A%2F%2Ffirstkey.example";
        assert_eq!(address(ADDRESS, "a&b=c#d"), format!("{ADDRESS}?code=c&state=a%26b%3Dc%23d&{issuer}"));
        assert_eq!(address(ADDRESS_WITH_QUERY, "s"), format!("{ADDRESS_WITH_QUERY}&code=c&state=s&{issuer}"));
        assert_eq!(address(ADDRESS, ""), format!("{ADDRESS}?code=c&{issuer}"));
    }
}
