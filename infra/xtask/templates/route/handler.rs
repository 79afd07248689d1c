//! `@name@`: verifies that the caller is a signed-in customer, and changes nothing.
//!
//! **Route**: `@route@`

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Providers, Table};
use http::StatusCode;
use lambda::{Clock, Settings};
use web::{Identity, IdentitySettings, Problem, Reply, Request};

/// The permissions of the function: it may verify the caller by the provider's keys in the table.
pub struct App {
    identity: Identity,
    clock: Clock,
}

impl App {
    /// Reads the settings `TABLE_NAME` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let providers = Providers::new(Table::new(&aws, settings.required("TABLE_NAME")?));
        let identity = IdentitySettings::read(|name| settings.optional(name));
        Ok(Self { identity: Identity::new(identity, providers.reader())?, clock })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
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
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "@name@"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("TABLE_NAME", "table"),
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
