//! The two sites that people sign in to at an identity provider, and the names that differ between them.

use form_urlencoded::byte_serialize;

/// A site that people sign in to at an identity provider. No cookie, client or path is shared between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The Customer Portal.
    Portal,
    /// The support desk.
    Desk,
}

/// The environment variables of a site's client.
pub(super) struct SettingNames {
    pub(super) issuer: &'static str,
    pub(super) client_id: &'static str,
    pub(super) origin: &'static str,
    /// The client secret itself, for development.
    pub(super) client_secret: &'static str,
    /// The name of the stored client secret.
    pub(super) client_secret_name: &'static str,
    /// The rule that both together break.
    pub(super) one_client_secret: &'static str,
}

/// The longest return path, in bytes: with it, a cookie of a sign-in has about 300 bytes. A sign-in with a longer one returns to the first
/// page.
const LONGEST_RETURN: usize = 96;

impl Site {
    /// Returns the cookie of the ID token. A token over 3,800 bytes is split into two cookies, with the suffixes `.1` and `.2`.
    #[must_use]
    pub fn token_cookie(self) -> &'static str {
        match self {
            Self::Portal => "__Host-customer",
            Self::Desk => "__Host-desk",
        }
    }

    /// Returns the cookie of a token whose session has ended. No function accepts it; the page that follows the sign-out finds the hint for
    /// the provider's own sign-out in it.
    pub(super) fn hint_cookie(self) -> &'static str {
        match self {
            Self::Portal => "__Host-signed-out",
            Self::Desk => "__Host-desk-signed-out",
        }
    }

    /// Returns the beginning of the name of a sign-in's cookie.
    pub(crate) fn sign_in_cookie(self) -> &'static str {
        match self {
            Self::Portal => "__Host-sign-in.",
            Self::Desk => "__Host-desk-sign-in.",
        }
    }

    /// Returns the path of the first page.
    #[must_use]
    pub fn home(self) -> &'static str {
        match self {
            Self::Portal => "/",
            Self::Desk => "/desk",
        }
    }

    /// Returns the scopes of a sign-in.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Portal => "openid email",
            Self::Desk => "openid email profile",
        }
    }

    /// Returns the path that the provider redirects the browser to.
    pub(super) fn callback(self) -> &'static str {
        match self {
            Self::Portal => "/auth/callback",
            Self::Desk => "/desk/auth/callback",
        }
    }

    /// Returns the path of the page that follows a sign-out.
    pub(crate) fn signed_out(self) -> &'static str {
        match self {
            Self::Portal => "/auth/signed-out",
            Self::Desk => "/desk/auth/signed-out",
        }
    }

    /// Returns whether a sign-in may return to `back`: every browser takes it for a path on this site, since it has one leading slash, and no
    /// character that some browsers interpret differently.
    pub(crate) fn may_return_to(self, back: &str) -> bool {
        let is_local = back.len() <= LONGEST_RETURN
            && back.starts_with('/')
            && !back.starts_with("//")
            && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        is_local
            && match self {
                Self::Portal => !back.starts_with("/auth/"),
                Self::Desk => is_page_of_the_desk(back),
            }
    }

    /// Returns the path that begins a sign-in and returns to `back`.
    #[must_use]
    pub fn sign_in_path(self, back: &str) -> String {
        let path = match self {
            Self::Portal => "/auth/sign-in",
            Self::Desk => "/desk/auth/sign-in",
        };
        format!("{path}?return={}", byte_serialize(back.as_bytes()).collect::<String>())
    }

    pub(super) fn setting_names(self) -> SettingNames {
        match self {
            Self::Portal => SettingNames {
                issuer: "OIDC_ISSUER",
                client_id: "OIDC_CLIENT_ID",
                origin: "PUBLIC_ORIGIN",
                client_secret: "OIDC_CLIENT_SECRET",
                client_secret_name: "OIDC_CLIENT_SECRET_NAME",
                one_client_secret: "is not allowed with OIDC_CLIENT_SECRET_NAME",
            },
            Self::Desk => SettingNames {
                issuer: "DESK_OIDC_ISSUER",
                client_id: "DESK_OIDC_CLIENT_ID",
                origin: "DESK_ORIGIN",
                client_secret: "DESK_OIDC_CLIENT_SECRET",
                client_secret_name: "DESK_OIDC_CLIENT_SECRET_NAME",
                one_client_secret: "is not allowed with DESK_OIDC_CLIENT_SECRET_NAME",
            },
        }
    }
}

/// Returns whether a local path leads to a page of the desk. Browsers resolve segments of dots, also encoded ones, before they ask for a path.
fn is_page_of_the_desk(back: &str) -> bool {
    let path = back.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    let is_page = path == "/desk" || path.starts_with("/desk/");
    is_page
        && !["/desk/auth/", "/desk/api/"].iter().any(|other| path.starts_with(other))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_on_this_site_are_returned_to() {
        for back in ["/", "/?cursor=abc", "/support", "/administration#x", &format!("/{}", "x".repeat(95))] {
            assert!(Site::Portal.may_return_to(back), "{back}");
        }
        for back in ["/desk", "/desk?query=a%2Eb", "/desk#/..", "/desk/approvals", "/desk/subscriptions/sub-1?a=/../b"]
        {
            assert!(Site::Desk.may_return_to(back), "{back}");
        }
        for back in [
            "",
            "support",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/a\r\nb: c",
            "/\t/evil.example",
            "/ü",
            "/auth/sign-in",
            "javascript:alert(1)",
            &format!("/{}", "x".repeat(96)),
        ] {
            assert!(!Site::Portal.may_return_to(back), "{back}");
            assert!(!Site::Desk.may_return_to(back), "{back}");
        }
        for back in [
            "/",
            "/support",
            "/desktop",
            "/desk/auth/sign-in",
            "/desk/api/approvals",
            "/desk/../support",
            "/desk/%2E./support",
            "/desk/%2e%2E",
            "/desk/./auth/sign-in",
            "/desk\\..\\x",
        ] {
            assert!(!Site::Desk.may_return_to(back), "{back}");
        }
    }
}
