//! The person and organisations of a verified token. Only claims that the provider vouches for are used, and never `preferred_username`,
//! `upn`, `unique_name` or `nickname`, which users can choose.

use std::sync::Once;

use domain::{Caller, EmailAddress, Timestamp};
use serde_json::Value;

use super::{
    Customer,
    settings::{EmailTrust, OrganizationRule, RelyingParty, Rules},
    token::{Claims, TokenRefusal, session_end},
};

/// Whether a process has logged [`ADD_ACCT`].
static ACCT_IS_MISSING: Once = Once::new();

const ADD_ACCT: &str = "the ID tokens have no claim acct, so no address and no organisation counts: \
                        add the optional claim acct to the application's ID token at Entra";

/// The maximum number of bytes of a subject (OpenID Connect Core, 2).
const LONGEST_SUBJECT: usize = 255;

/// Returns the customer of a token, with what their own pages show: the person, the address if it is trusted, and the organisations that the
/// person may act for.
pub(super) fn customer(claims: &Claims, rules: &Rules) -> Result<Customer, TokenRefusal> {
    let subject = subject(claims, &rules.party)?.clone();
    let claimed = claims.get("email").and_then(Value::as_str).and_then(EmailAddress::parse);
    let (email, unconfirmed_address) = match claimed {
        Some(address) if is_trusted(&address, claims, rules) => (Some(address), None),
        other => (None, other),
    };
    let organizations = rules.organization.as_ref().map_or_else(Vec::new, |rule| organizations(claims, rules, rule));
    Ok(Customer {
        caller: Caller::new(rules.party.issuer.clone(), subject, email, organizations),
        unconfirmed_address,
        expires_at: Timestamp::from_epoch_seconds(session_end(claims)?),
    })
}

/// Returns the subject that the provider assigns to the person.
pub(super) fn subject<'a>(claims: &'a Claims, party: &RelyingParty) -> Result<&'a String, TokenRefusal> {
    match claims.get(&party.subject_claim) {
        Some(Value::String(subject)) if (1..=LONGEST_SUBJECT).contains(&subject.len()) => Ok(subject),
        _ => Err(TokenRefusal::NoPerson),
    }
}

/// Returns whether the provider's word on the address of a token counts.
fn is_trusted(address: &EmailAddress, claims: &Claims, rules: &Rules) -> bool {
    match rules.email_trust {
        EmailTrust::EmailVerified => is_email_verified(claims),
        // Google vouches for its own addresses and those of a Workspace. Any other address may have a new owner since it was verified. Older
        // accounts of some countries have their address at googlemail.com.
        EmailTrust::Google => {
            let workspace = claims.get("hd").and_then(Value::as_str).is_some_and(|domain| !domain.is_empty());
            is_email_verified(claims) && (address.is_gmail() || workspace)
        }
        // Entra lets the administrators of any tenant set any address. This claim says that the tenant owns the domain.
        EmailTrust::XmsEdov => {
            let owned = matches!(claims.get("xms_edov"), Some(value) if is_true(value) || is_one(value));
            owned && is_member(claims, rules)
        }
        EmailTrust::Issuer => true,
        EmailTrust::Never => false,
    }
}

fn organizations(claims: &Claims, rules: &Rules, rule: &OrganizationRule) -> Vec<String> {
    if !values(claims, &rule.role.claim).any(|role| role == rule.role.value) || !is_member(claims, rules) {
        return Vec::new();
    }
    values(claims, &rule.claim).filter(|organization| !organization.is_empty()).map(ToOwned::to_owned).collect()
}

/// Returns whether this person belongs to the issuer's own directory, and is no guest, whom another directory authenticates.
///
/// Entra's optional claim `acct` is 0 for a member and 1 for a guest. There it must be present, since without it a guest may look like a member.
fn is_member(claims: &Claims, rules: &Rules) -> bool {
    let account = claims.get("acct");
    if rules.is_entra && account.is_none() {
        ACCT_IS_MISSING.call_once(|| tracing::warn!("{}", ADD_ACCT));
    }
    let account_is_own = if rules.is_entra { account.is_some_and(is_zero) } else { !account.is_some_and(is_one) };
    account_is_own && claims.get("idp").is_none_or(|idp| is_own_directory(idp, rules))
}

/// Returns whether `idp` names the issuer's own directory: as the issuer, by its host, or as `local`. Only Okta sets it for every user, to an
/// id such as `00o…`.
fn is_own_directory(idp: &Value, rules: &Rules) -> bool {
    let Some(idp) = idp.as_str() else { return false };
    let is_okta = || !rules.is_entra && idp.starts_with("00o") && !idp.contains('.');
    idp == rules.party.issuer || idp == "local" || rules.is_issuers_host(idp) || is_okta()
}

fn is_email_verified(claims: &Claims) -> bool {
    claims.get("email_verified").is_some_and(is_true)
}

fn is_true(value: &Value) -> bool {
    *value == true || *value == "true"
}

fn is_zero(value: &Value) -> bool {
    *value == 0 || *value == "0"
}

fn is_one(value: &Value) -> bool {
    *value == 1 || *value == "1"
}

/// Returns the strings of a claim, which may be one string or a list.
pub(super) fn values<'a>(claims: &'a Claims, name: &str) -> impl Iterator<Item = &'a str> {
    let all = match claims.get(name) {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    all.iter().filter_map(Value::as_str)
}
