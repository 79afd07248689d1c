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
}

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

    /// Returns the path of the first page.
    #[must_use]
    pub fn home(self) -> &'static str {
        match self {
            Self::Portal => "/",
            Self::Desk => "/desk",
        }
    }

    /// Returns the path that the provider redirects the browser to.
    pub(super) fn callback(self) -> &'static str {
        match self {
            Self::Portal => "/auth/callback",
            Self::Desk => "/desk/auth/callback",
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
            Self::Portal => {
                SettingNames { issuer: "OIDC_ISSUER", client_id: "OIDC_CLIENT_ID", origin: "PUBLIC_ORIGIN" }
            }
            Self::Desk => {
                SettingNames { issuer: "DESK_OIDC_ISSUER", client_id: "DESK_OIDC_CLIENT_ID", origin: "DESK_ORIGIN" }
            }
        }
    }
}
