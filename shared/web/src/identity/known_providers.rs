//! Facts about well-known providers that their discovery documents leave out, found by their issuer.

/// The hosts of the issuers of Microsoft Entra in its public and national clouds. The `sts` hosts are those of version 1.0.
const ENTRA: [&str; 6] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "sts.windows.net",
    "sts.chinacloudapi.cn",
];

/// The end of the host of Microsoft Entra External ID, whose tenants have hosts of their own.
const EXTERNAL_ENTRA: &str = ".ciamlogin.com";

/// Google's only issuer.
pub(super) const GOOGLE: &str = "https://accounts.google.com";

/// The domains of Okta's issuers. An issuer at a domain of the vendor's own is not recognized.
const OKTA: [&str; 4] = [".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com"];

/// Returns whether the provider takes `prompt=select_account`, although its discovery document may not say so.
pub(super) fn takes_select_account(issuer: &str) -> bool {
    let host = host(issuer);
    let is_cognito = host.starts_with("cognito-idp.") && host.contains(".amazonaws.com");
    issuer == GOOGLE || issued_by_entra(issuer) || is_okta(issuer) || host.ends_with(".auth0.com") || is_cognito
}

/// Returns whether the issuer is Okta's, which refuses a sign-out without `id_token_hint`:
/// <https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/orgas/logout>
pub(super) fn is_okta(issuer: &str) -> bool {
    OKTA.iter().any(|domain| host(issuer).ends_with(domain))
}

/// Returns whether the issuer is Microsoft Entra's.
pub(super) fn issued_by_entra(issuer: &str) -> bool {
    let host = host(issuer);
    ENTRA.contains(&host.as_str()) || host.ends_with(EXTERNAL_ENTRA)
}

/// Returns the host of an issuer in lower case, or an empty text.
fn host(issuer: &str) -> String {
    let host = issuer.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    host.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_that_take_select_account_are_recognized_by_their_issuer() {
        for known in [
            "https://accounts.google.com",
            "https://login.microsoftonline.com/8b3f/v2.0",
            "https://contoso.okta.com/oauth2/default",
            "https://contoso.eu.auth0.com/",
            "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc",
        ] {
            assert!(takes_select_account(known), "{known}");
        }
        for other in [
            "https://login.contoso.example",
            "https://contoso.okta.com.evil.example",
            "https://evil.example/.auth0.com",
            "https://notokta.com",
            "",
        ] {
            assert!(!takes_select_account(other), "{other}");
        }
    }

    #[test]
    fn only_the_issuers_of_okta_demand_the_hint() {
        assert!(is_okta("https://contoso.okta.com") && is_okta("https://Contoso.OktaPreview.com/oauth2/x"));
        assert!(!is_okta("https://accounts.google.com") && !is_okta("https://okta.com.evil.example/a.okta.com"));
    }
}
