//! The provider's endpoints for the code flow, and what its discovery document says about them.

use super::{
    discovery::{self, Discovery},
    known_providers,
};

/// The provider's endpoints, and what it says about them.
pub(super) struct Endpoints {
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) end_session: Option<String>,
    /// `None` if the provider lets no client authenticate by a secret.
    pub(super) secret_place: Option<SecretPlace>,
    /// The value of `prompt` that lets the customer choose another account.
    pub(super) other_account: &'static str,
    pub(super) takes_claims: bool,
    /// Whether every answer names its issuer (RFC 9207).
    pub(super) names_issuer: bool,
}

/// The part of a request that carries the client secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretPlace {
    /// The form, where the provider offers it.
    Form,
    /// The header, where providers disagree on its encoding. It is the default.
    Header,
}

impl Endpoints {
    /// Returns the endpoints in a discovery document. `None` if it has none for codes, or one without TLS.
    pub(super) fn from_discovery(document: Discovery) -> Option<Self> {
        let issuer = document.issuer;
        let allowed = |address: &String| discovery::may_be_asked(address, &issuer);
        let takes_select_account = document.prompt_values_supported.iter().any(|value| value == "select_account")
            || known_providers::takes_select_account(&issuer);
        Some(Self {
            secret_place: SecretPlace::from_methods(&document.token_endpoint_auth_methods_supported),
            other_account: if takes_select_account { "select_account" } else { "login" },
            takes_claims: document.claims_parameter_supported,
            names_issuer: document.authorization_response_iss_parameter_supported,
            authorization: document.authorization_endpoint.filter(allowed)?,
            token: document.token_endpoint.filter(allowed)?,
            end_session: document.end_session_endpoint.filter(allowed),
        })
    }
}

impl SecretPlace {
    /// Returns the place by the methods of the discovery document, which may be absent.
    fn from_methods(methods: &[String]) -> Option<Self> {
        let offers = |method: &str| methods.iter().any(|offered| offered == method);
        if offers("client_secret_post") {
            Some(Self::Form)
        } else if methods.is_empty() || offers("client_secret_basic") {
            Some(Self::Header)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoints(more: &serde_json::Value) -> Option<Endpoints> {
        let mut all = json!({
            "issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/keys",
            "authorization_endpoint": "https://issuer.example/authorize", "token_endpoint": "https://issuer.example/token",
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Endpoints::from_discovery(serde_json::from_value(all).unwrap())
    }

    #[test]
    fn a_provider_that_offers_no_method_with_a_secret_gets_none() {
        for (methods, place) in [
            (&[][..], Some(SecretPlace::Header)),
            (&["none", "client_secret_basic"], Some(SecretPlace::Header)),
            (&["private_key_jwt", "client_secret_post"], Some(SecretPlace::Form)),
            (&["private_key_jwt"], None),
            (&["none"], None),
        ] {
            let methods: Vec<_> = methods.iter().map(ToString::to_string).collect();
            assert_eq!(SecretPlace::from_methods(&methods), place, "{methods:?}");
        }
    }

    #[test]
    fn an_endpoint_without_tls_is_not_used() {
        for (name, address) in
            [("token_endpoint", "http://issuer.example/token"), ("authorization_endpoint", "nowhere")]
        {
            assert!(endpoints(&json!({ name: address })).is_none(), "{name}");
        }
        let end = json!({ "end_session_endpoint": "http://issuer.example/end" });
        assert!(endpoints(&end).unwrap().end_session.is_none());
    }
}
