//! The person and organisations of a verified token. Only claims that the provider vouches for are used, and never `preferred_username`,
//! `upn`, `unique_name` or `nickname`, which users can choose.

use domain::{Caller, EmailAddress, Timestamp};
use serde_json::Value;

use super::{
    Customer, Refused,
    settings::{EmailTrust, OrganizationRule, Rules},
    token::{Claims, expires_at},
};

/// The maximum number of bytes of a subject (OpenID Connect Core, 2).
const LONGEST_SUBJECT: usize = 255;

/// Returns the customer of a token, with what their own pages show.
pub(super) fn customer(claims: &Claims, rules: &Rules) -> Result<Customer, Refused> {
    let claimed = claims.get("email").and_then(Value::as_str).and_then(EmailAddress::parse);
    let unconfirmed_address = claimed.filter(|_| address(claims, rules).is_none());
    let expires_at = Timestamp::from_epoch_seconds(expires_at(claims)?);
    Ok(Customer { caller: caller(claims, rules)?, unconfirmed_address, expires_at })
}

/// Returns the person, the address if it is trusted, and the organisations that the person may act for.
fn caller(claims: &Claims, rules: &Rules) -> Result<Caller, Refused> {
    let subject = match claims.get(&rules.subject_claim) {
        Some(Value::String(subject)) if (1..=LONGEST_SUBJECT).contains(&subject.len()) => subject.clone(),
        _ => return Err(Refused("the token names no person")),
    };
    let email = address(claims, rules);
    let organizations = rules.organization.as_ref().map_or_else(Vec::new, |rule| organizations(claims, rules, rule));
    Ok(Caller::new(rules.issuer.clone(), subject, email, organizations))
}

fn address(claims: &Claims, rules: &Rules) -> Option<EmailAddress> {
    let address = EmailAddress::parse(claims.get("email")?.as_str()?)?;
    let counts = match rules.email_trust {
        EmailTrust::EmailVerified => is_email_verified(claims),
        // Google vouches for its own addresses and those of a Workspace. Any other address may have a new owner since it was verified.
        EmailTrust::Google => {
            let workspace = claims.get("hd").and_then(Value::as_str).is_some_and(|domain| !domain.is_empty());
            is_email_verified(claims) && (address.domain() == "gmail.com" || workspace)
        }
        // Entra lets the administrators of any tenant set any address. This claim says that the tenant owns the domain.
        EmailTrust::XmsEdov => {
            let owned = matches!(claims.get("xms_edov"), Some(value) if is_true(value) || is_one(value));
            owned && !is_guest(claims, rules)
        }
        EmailTrust::Issuer => true,
        EmailTrust::Never => false,
    };
    counts.then_some(address)
}

fn organizations(claims: &Claims, rules: &Rules, rule: &OrganizationRule) -> Vec<String> {
    if is_guest(claims, rules) || !values(claims, &rule.role_claim).any(|role| role == rule.role) {
        return Vec::new();
    }
    values(claims, &rule.claim).filter(|organization| !organization.is_empty()).map(ToOwned::to_owned).collect()
}

/// Returns whether this person is a guest, whom another directory authenticates.
///
/// `idp` names that directory in a form of the issuer's own. Only Okta sets it for every user, to an id such as `00o…`.
fn is_guest(claims: &Claims, rules: &Rules) -> bool {
    let elsewhere = |idp: &Value| {
        let okta = !rules.is_entra && idp.as_str().is_some_and(|idp| idp.starts_with("00o") && !idp.contains('.'));
        Some(idp) != claims.get("iss") && !okta
    };
    claims.get("acct").is_some_and(is_one) || claims.get("idp").is_some_and(elsewhere)
}

fn is_email_verified(claims: &Claims) -> bool {
    claims.get("email_verified").is_some_and(is_true)
}

fn is_true(value: &Value) -> bool {
    *value == true || *value == "true"
}

fn is_one(value: &Value) -> bool {
    *value == 1 || *value == "1"
}

/// Returns the strings of a claim, which may be one string or a list.
fn values<'a>(claims: &'a Claims, name: &str) -> impl Iterator<Item = &'a str> {
    let all = match claims.get(name) {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    all.iter().filter_map(Value::as_str)
}
