use super::{ISSUER, Identity, IdentitySettings, empty_table, settings};

fn invalid(change: impl FnOnce(&mut IdentitySettings)) -> Option<&'static str> {
    let mut settings = settings(ISSUER);
    change(&mut settings);
    Identity::new(settings, empty_table).err().map(|invalid| invalid.name)
}

#[test]
fn valid_settings_are_accepted() {
    assert_eq!(invalid(|_| ()), None);
    for trust in ["email_verified", "google", "xms_edov", "issuer", "never", ""] {
        assert_eq!(invalid(|settings| settings.email_trust = Some(trust.into())), None, "{trust}");
    }
    for issuer in [
        "https://login.microsoftonline.com/7/v2.0",
        "http://127.0.0.1:9003",
        "http://localhost:9003/realm",
        "HTTPS://issuer.example",
        "http://[::1]:1",
    ] {
        assert_eq!(invalid(|settings| settings.issuer = issuer.into()), None, "{issuer}");
    }
    for origin in ["https://portal.example", "https://portal.example:8443", "http://localhost:9000"] {
        assert_eq!(invalid(|settings| settings.public_origin = origin.into()), None, "{origin}");
    }
}

#[test]
fn an_invalid_setting_is_named() {
    for issuer in [
        "",
        "issuer.example",
        "http://issuer.example",
        "HTTP://issuer.example",
        "https://issuer.example?x",
        "ftp://issuer.example",
        "http://127.0.0.1.evil.example",
    ] {
        assert_eq!(invalid(|settings| settings.issuer = issuer.into()), Some("OIDC_ISSUER"), "{issuer}");
    }
    assert_eq!(invalid(|settings| settings.client_id.clear()), Some("OIDC_CLIENT_ID"));
    for origin in [
        "",
        "portal.example",
        "https://",
        "https://portal.example/",
        "https://Portal.example",
        "https://portal.example:443",
        "https://me@portal.example",
        "null",
    ] {
        assert_eq!(invalid(|settings| settings.public_origin = origin.into()), Some("PUBLIC_ORIGIN"), "{origin}");
    }
    for trust in ["Google", "always", "email_verified "] {
        assert_eq!(invalid(|settings| settings.email_trust = Some(trust.into())), Some("OIDC_EMAIL_TRUST"), "{trust}");
    }
}

#[test]
fn organisation_and_role_must_be_set_together() {
    let with = |claim: &str, role: &str| {
        invalid(|settings| {
            settings.organization_claim = Some(claim.into());
            settings.organization_role = Some(role.into());
        })
    };
    assert_eq!(with("org_id", "roles=owner"), None);
    assert_eq!(with("", ""), None);
    assert_eq!(with("org_id", ""), Some("OIDC_ORGANIZATION_ROLE"));
    assert_eq!(with("", "roles=owner"), Some("OIDC_ORGANIZATION_CLAIM"));
    for role in ["owner", "=owner", "roles="] {
        assert_eq!(with("org_id", role), Some("OIDC_ORGANIZATION_ROLE"), "{role}");
    }
}

#[test]
fn an_invalid_setting_has_a_message() {
    let mut settings = settings(ISSUER);
    settings.email_trust = Some("always".into());
    let message = Identity::new(settings, empty_table).err().unwrap().to_string();
    assert_eq!(message, "OIDC_EMAIL_TRUST is not one of email_verified, google, xms_edov, issuer, never");
}
