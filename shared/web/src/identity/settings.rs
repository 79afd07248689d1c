//! The deployment's settings for its identity provider, checked once at the start.

use std::fmt;

use super::known_providers::{GOOGLE, issued_by_entra};

/// The settings from the environment. Absent and empty ones take their defaults.
#[derive(Clone, Debug, Default)]
pub struct IdentitySettings {
    /// `OIDC_ISSUER`: the issuer exactly as in the provider's discovery document.
    pub issuer: String,
    /// `OIDC_CLIENT_ID`: the audience of the ID tokens.
    pub client_id: String,
    /// `PUBLIC_ORIGIN`: the origin of the portal, such as `https://portal.example`.
    pub public_origin: String,
    /// `OIDC_EMAIL_TRUST`: when the e-mail address of a token is trusted.
    pub email_trust: Option<String>,
    /// `OIDC_SUBJECT_CLAIM`: the claim that identifies a person, by default `sub`.
    pub subject_claim: Option<String>,
    /// `OIDC_ORGANIZATION_CLAIM`: the claim with the person's organisations.
    pub organization_claim: Option<String>,
    /// `OIDC_ORGANIZATION_ROLE`: the claim and value, as `claim=value`, that a person needs to act for their organisation.
    pub organization_role: Option<String>,
}

/// The error for a setting that prevents the function from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// The environment variable.
    pub name: &'static str,
    /// The rule that the value breaks, as the end of a sentence.
    pub rule: &'static str,
}

/// When the e-mail address of a token is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmailTrust {
    EmailVerified,
    Google,
    XmsEdov,
    Issuer,
    Never,
}

/// The checked settings.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) public_origin: String,
    pub(super) email_trust: EmailTrust,
    /// Whether the provider is Entra, by its address or by the email trust.
    pub(super) is_entra: bool,
    pub(super) subject_claim: String,
    pub(super) organization: Option<OrganizationRule>,
}

/// The claim with a person's organisations, and the role that acting for them needs.
#[derive(Clone, Debug)]
pub(super) struct OrganizationRule {
    pub(super) claim: String,
    pub(super) role_claim: String,
    pub(super) role: String,
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.rule)
    }
}

impl std::error::Error for InvalidSetting {}

impl IdentitySettings {
    /// Reads the settings by the names of the environment variables above.
    #[must_use]
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            issuer: setting("OIDC_ISSUER").unwrap_or_default(),
            client_id: setting("OIDC_CLIENT_ID").unwrap_or_default(),
            public_origin: setting("PUBLIC_ORIGIN").unwrap_or_default(),
            email_trust: setting("OIDC_EMAIL_TRUST"),
            subject_claim: setting("OIDC_SUBJECT_CLAIM"),
            organization_claim: setting("OIDC_ORGANIZATION_CLAIM"),
            organization_role: setting("OIDC_ORGANIZATION_ROLE"),
        }
    }

    /// Checks the settings.
    pub(super) fn check(self) -> Result<Rules, InvalidSetting> {
        let invalid = |name, rule| InvalidSetting { name, rule };
        if !is_confidential(&self.issuer) || self.issuer.contains(['?', '#']) {
            return Err(invalid(
                "OIDC_ISSUER",
                "is not an https address without a query (http is allowed for this machine only)",
            ));
        }
        if self.client_id.is_empty() {
            return Err(invalid("OIDC_CLIENT_ID", "is empty"));
        }
        if !is_origin(&self.public_origin) {
            return Err(invalid(
                "PUBLIC_ORIGIN",
                "is not an origin: scheme, host in lower case, port unless it is the default one, no path",
            ));
        }
        let email_trust = given(self.email_trust).map_or_else(
            || Ok(EmailTrust::for_issuer(&self.issuer)),
            |text| {
                EmailTrust::parse(&text)
                    .ok_or(invalid("OIDC_EMAIL_TRUST", "is not one of email_verified, google, xms_edov, issuer, never"))
            },
        )?;
        let organization = match (given(self.organization_claim), given(self.organization_role)) {
            (None, None) => None,
            (Some(claim), Some(role)) => Some(
                OrganizationRule::parse(claim, &role)
                    .ok_or(invalid("OIDC_ORGANIZATION_ROLE", "is not a claim and a value joined by ="))?,
            ),
            (Some(_), None) => {
                return Err(invalid(
                    "OIDC_ORGANIZATION_ROLE",
                    "is required with OIDC_ORGANIZATION_CLAIM, as claim=value",
                ));
            }
            (None, Some(_)) => {
                return Err(invalid("OIDC_ORGANIZATION_CLAIM", "is required with OIDC_ORGANIZATION_ROLE"));
            }
        };
        Ok(Rules {
            email_trust,
            is_entra: email_trust == EmailTrust::XmsEdov || issued_by_entra(&self.issuer),
            subject_claim: given(self.subject_claim).unwrap_or_else(|| "sub".to_owned()),
            organization,
            issuer: self.issuer,
            client_id: self.client_id,
            public_origin: self.public_origin,
        })
    }
}

impl Rules {
    /// Returns whether this is the host of the issuer, with or without its port.
    pub(super) fn is_issuers_host(&self, name: &str) -> bool {
        let Ok(issuer) = self.issuer.parse::<http::Uri>() else { return false };
        let names = [issuer.host(), issuer.authority().map(http::uri::Authority::as_str)];
        names.into_iter().flatten().any(|host| host.eq_ignore_ascii_case(name))
    }
}

impl EmailTrust {
    fn for_issuer(issuer: &str) -> Self {
        if issuer == GOOGLE {
            Self::Google
        } else if issued_by_entra(issuer) {
            Self::XmsEdov
        } else {
            Self::EmailVerified
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "email_verified" => Some(Self::EmailVerified),
            "google" => Some(Self::Google),
            "xms_edov" => Some(Self::XmsEdov),
            "issuer" => Some(Self::Issuer),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

impl OrganizationRule {
    /// Parses a role, split at the first `=`, since a group may be a distinguished name: `groups=cn=owners,dc=fabrikam`.
    fn parse(claim: String, role: &str) -> Option<Self> {
        let (role_claim, role) = role.split_once('=')?;
        let given = !role_claim.is_empty() && !role.is_empty();
        given.then(|| Self { claim, role_claim: role_claim.to_owned(), role: role.to_owned() })
    }
}

/// Returns whether traffic to this address cannot be tampered with: it is https, or it stays on this machine.
pub(super) fn is_confidential(address: &str) -> bool {
    let Ok(uri) = address.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => ["127.0.0.1", "localhost", "[::1]"].contains(&host),
        _ => false,
    }
}

/// Returns whether a browser would send exactly this text as `Origin`.
fn is_origin(text: &str) -> bool {
    let (rest, usual_port) = match text.split_once("://") {
        Some(("https", rest)) => (rest, ":443"),
        Some(("http", rest)) => (rest, ":80"),
        _ => return false,
    };
    rest.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.host().is_empty())
        && !rest.contains(|c: char| c == '@' || c.is_ascii_uppercase())
        && !rest.ends_with(usual_port)
}

fn given(setting: Option<String>) -> Option<String> {
    setting.filter(|text| !text.is_empty())
}
