//! `renew-credentials`: verifies that the caller is a signed-in customer, and changes nothing.
//!
//! **Route**: `POST /subscriptions/{subscription_id}/renewals`

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use http::StatusCode;
use lambda::{Clock, Settings};
use web::{Identity, IdentitySettings, Problem, Reply, Request};

/// The permissions of the function: it may verify the caller.
pub struct App {
    identity: Identity,
    clock: Clock,
}

impl App {
    /// Reads the settings of the identity provider.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        Ok(Self { identity: Identity::new(IdentitySettings::read(|name| settings.optional(name)))?, clock })
    }
}

/// Handles one request.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    app.identity.caller(&request, now).await?;
    web::request::no_body(&request)?;
    Ok(web::reply::empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use web::ProblemCode;

    use super::*;

    #[tokio::test]
    async fn a_request_without_a_token_is_refused() {
        let settings = [
            ("OIDC_ISSUER", "https://login.contoso.example"),
            ("OIDC_CLIENT_ID", "portal"),
            ("PUBLIC_ORIGIN", "https://portal.contoso.example"),
        ];
        let settings: HashMap<_, _> = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let app = App::new(&Settings::given(settings), Clock::System).unwrap();
        let refused = handle(Arc::new(app), Request::default()).await.map_err(|problem| problem.code());
        assert_eq!(refused.err(), Some(ProblemCode::NotSignedIn));
    }
}
