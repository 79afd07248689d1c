//! The deployment's settings for its identity provider, checked once at the start.

use std::fmt;

use super::{
    Site,
    known_providers::{GOOGLE, issued_by_entra},
};

/// The rule of a setting that names a claim and a value.
const NOT_A_CLAIM_AND_A_VALUE: &str = "is not a claim and a value joined by =";

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

/// The settings of the support desk from the environment. Absent and empty ones take their defaults.
#[derive(Clone, Debug, Default)]
pub struct OperatorSettings {
    /// `DESK_OIDC_ISSUER`: the issuer exactly as in the discovery document of the operators' provider.
    pub issuer: String,
    /// `DESK_OIDC_CLIENT_ID`: the audience of the operators' ID tokens.
    pub client_id: String,
    /// `DESK_ORIGIN`: the origin of the support desk, such as `https://desk.example`.
    pub desk_origin: String,
    /// `DESK_OIDC_ROLE`: the claim and value, as `claim=value`, that makes a person an operator.
    pub role: String,
    /// `DESK_OIDC_SUBJECT_CLAIM`: the claim that identifies a person, by default `sub`.
    pub subject_claim: Option<String>,
    /// `OIDC_ISSUER` and `OIDC_CLIENT_ID`: the client of the customers, which must be another one.
    pub customers: (Option<String>, Option<String>),
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

/// One of our sites as a client of its provider.
#[derive(Clone, Debug)]
pub(super) struct RelyingParty {
    pub(super) site: Site,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) origin: String,
    pub(super) subject_claim: String,
}

/// The checked settings.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) party: RelyingParty,
    pub(super) email_trust: EmailTrust,
    /// Whether the provider is Entra, by its address or by the email trust.
    pub(super) is_entra: bool,
    pub(super) organization: Option<OrganizationRule>,
}

/// The checked settings of the support desk.
#[derive(Clone, Debug)]
pub(super) struct OperatorRules {
    pub(super) party: RelyingParty,
    pub(super) role: ClaimRule,
}

/// The claim with a person's organisations, and the role that acting for them needs.
#[derive(Clone, Debug)]
pub(super) struct OrganizationRule {
    pub(super) claim: String,
    pub(super) role: ClaimRule,
}

/// A value that a claim, which may be a list, must have.
#[derive(Clone, Debug)]
pub(super) struct ClaimRule {
    pub(super) claim: String,
    pub(super) value: String,
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
        let party =
            RelyingParty::check(Site::Portal, self.issuer, self.client_id, self.public_origin, self.subject_claim)?;
        let invalid = |name, rule| InvalidSetting { name, rule };
        let email_trust = given(self.email_trust).map_or_else(
            || Ok(EmailTrust::for_issuer(&party.issuer)),
            |text| {
                EmailTrust::parse(&text)
                    .ok_or(invalid("OIDC_EMAIL_TRUST", "is not one of email_verified, google, xms_edov, issuer, never"))
            },
        )?;
        let organization = match (given(self.organization_claim), given(self.organization_role)) {
            (None, None) => None,
            (Some(claim), Some(role)) => Some(
                ClaimRule::parse(&role)
                    .map(|role| OrganizationRule { claim, role })
                    .ok_or(invalid("OIDC_ORGANIZATION_ROLE", NOT_A_CLAIM_AND_A_VALUE))?,
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
            is_entra: email_trust == EmailTrust::XmsEdov || issued_by_entra(&party.issuer),
            organization,
            party,
        })
    }
}

impl OperatorSettings {
    /// Reads the settings by the names of the environment variables above.
    #[must_use]
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            issuer: setting("DESK_OIDC_ISSUER").unwrap_or_default(),
            client_id: setting("DESK_OIDC_CLIENT_ID").unwrap_or_default(),
            desk_origin: setting("DESK_ORIGIN").unwrap_or_default(),
            role: setting("DESK_OIDC_ROLE").unwrap_or_default(),
            subject_claim: setting("DESK_OIDC_SUBJECT_CLAIM"),
            customers: (setting("OIDC_ISSUER"), setting("OIDC_CLIENT_ID")),
        }
    }

    /// Checks the settings. The customers' client is refused: its tokens are those of customers, who may have any claim at their provider.
    pub(super) fn check(self) -> Result<OperatorRules, InvalidSetting> {
        let party = RelyingParty::check(Site::Desk, self.issuer, self.client_id, self.desk_origin, self.subject_claim)?;
        let invalid = |name, rule| InvalidSetting { name, rule };
        if self.customers.0.as_ref() == Some(&party.issuer) && self.customers.1.as_ref() == Some(&party.client_id) {
            return Err(invalid("DESK_OIDC_CLIENT_ID", "is the client of the customers at the same issuer"));
        }
        if self.role.is_empty() {
            return Err(invalid("DESK_OIDC_ROLE", "is required, as claim=value"));
        }
        let role = ClaimRule::parse(&self.role).ok_or(invalid("DESK_OIDC_ROLE", NOT_A_CLAIM_AND_A_VALUE))?;
        Ok(OperatorRules { party, role })
    }
}

impl RelyingParty {
    fn check(
        site: Site,
        issuer: String,
        client_id: String,
        origin: String,
        subject_claim: Option<String>,
    ) -> Result<Self, InvalidSetting> {
        let names = site.setting_names();
        let invalid = |name, rule| InvalidSetting { name, rule };
        if !is_issuer(&issuer) {
            return Err(invalid(
                names.issuer,
                "is not an https address without a query (http is allowed for this machine only)",
            ));
        }
        if client_id.is_empty() {
            return Err(invalid(names.client_id, "is empty"));
        }
        if !is_origin(&origin) {
            return Err(invalid(
                names.origin,
                "is not an origin: scheme, host in lower case, port unless it is the default one, no path",
            ));
        }
        let subject_claim = given(subject_claim).unwrap_or_else(|| "sub".to_owned());
        Ok(Self { site, issuer, client_id, origin, subject_claim })
    }
}

impl Rules {
    /// Returns whether this is the host of the issuer, with or without its port.
    pub(super) fn is_issuers_host(&self, name: &str) -> bool {
        let Ok(issuer) = self.party.issuer.parse::<http::Uri>() else { return false };
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

impl ClaimRule {
    /// Parses `claim=value`, split at the first `=`, since a group may be a distinguished name: `groups=cn=owners,dc=fabrikam`.
    fn parse(rule: &str) -> Option<Self> {
        let (claim, value) = rule.split_once('=')?;
        let given = !claim.is_empty() && !value.is_empty();
        given.then(|| Self { claim: claim.to_owned(), value: value.to_owned() })
    }
}

/// Returns whether this is the address of an issuer that may be asked for its keys: https, or on this machine, and without a query.
#[must_use]
pub fn is_issuer(address: &str) -> bool {
    is_confidential(address) && !address.contains(['?', '#'])
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
