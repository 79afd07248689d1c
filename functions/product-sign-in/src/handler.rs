//! `product-sign-in`: the OpenID Provider of administrators, for one confidential client: the vendor's product.
//!
//! **Route**: `GET /.well-known/openid-configuration`, `GET /oidc/jwks`, `GET /oidc/authorize`, `GET` and `POST /oidc/continue`,
//! `POST /oidc/token`, `GET` and `POST /oidc/userinfo`
//!
//! | module | holds |
//! |---|---|
//! | `discovery` | the description of the provider, for the product |
//! | `keys` | the public parts of the signing keys |
//! | `request` | the authorization request, and what is wrong with one |
//! | `authorize` | the way of a browser: `/oidc/authorize`, `/oidc/continue`, and back with a code |
//! | `pages` | the pages of that way |
//! | `token` | the token endpoint, where the product redeems a code |
//! | `form`, `client`, `oauth` | the body of a form, the authentication of the client, and the errors of OAuth |
//! | `id_token` | the claims of an administrator, and the ID token |
//! | `userinfo` | the same claims for an access token |
//!
//! Without `PRODUCT_CLIENT_ID` there is no provider, and every path is `not-found`.

#![warn(clippy::wildcard_enum_match_arm)]

mod authorize;
mod client;
mod discovery;
mod form;
mod id_token;
mod keys;
mod oauth;
mod pages;
mod request;
mod token;
mod userinfo;

use std::sync::{Arc, OnceLock};

use aws::{ProductSignIns, Sessions, Signer, SigningKeys, Table};
use domain::{PkcePolicy, ProductClient};
use http::Method;
use lambda::{Clock, Settings};
use page::Brand;
use tokio::sync::OnceCell;
use web::{Problem, ProblemCode, Reply, Request};
use words::Languages;

use crate::{keys::PublishedKey, pages::Assets};

/// The function's stores and settings, if there is a provider.
pub struct App(Option<Provider>);

/// The provider: it may look up sessions, issue codes and redeem them, and sign ID tokens.
struct Provider {
    sessions: Sessions,
    sign_ins: ProductSignIns,
    signer: Signer,
    /// The public parts of the signing keys, read at the first need. A failure is not kept.
    keys: OnceCell<Vec<PublishedKey>>,
    client: ProductClient,
    clock: Clock,
    public_origin: String,
    brand: Brand,
    /// The paths of the pages' files, made for the first page: a start takes no longer for them.
    assets: OnceLock<Assets>,
    languages: Languages,
}

impl App {
    /// Reads the settings `PRODUCT_CLIENT_ID` and, with it, `PRODUCT_CLIENT_SECRET_DIGESTS`, `PRODUCT_REDIRECT_URIS`, `PRODUCT_PKCE`,
    /// `SIGNING_KEYS`, `TABLE_NAME`, `PUBLIC_ORIGIN`, `VENDOR_NAME` or else `SENDER`, `BRAND_COLOR`, `BRAND_LOGO` and `PSEUDO_LANGUAGE`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let provider = settings.optional("PRODUCT_CLIENT_ID").map(|id| Provider::new(id, settings, clock));
        Ok(Self(provider.transpose()?))
    }
}

impl Provider {
    fn new(client_id: String, settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            sign_ins: ProductSignIns::new(table),
            signer: Signer::new(&aws, settings.required_as("SIGNING_KEYS", SigningKeys::parse)?),
            keys: OnceCell::new(),
            client: client(client_id, settings)?,
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            brand: Brand::new(settings)?,
            assets: OnceLock::new(),
            languages: Languages::new(settings.has_pseudo_language()?),
        })
    }
}

fn client(id: String, settings: &Settings) -> Result<ProductClient, lambda::Error> {
    let pkce = settings.parsed("PRODUCT_PKCE", PkcePolicy::Optional, PkcePolicy::parse)?;
    let digests = settings.required("PRODUCT_CLIENT_SECRET_DIGESTS")?;
    let addresses = settings.required("PRODUCT_REDIRECT_URIS")?;
    let wrong = "PRODUCT_CLIENT_SECRET_DIGESTS or PRODUCT_REDIRECT_URIS is not what it should be";
    ProductClient::new(id, &digests, &addresses, pkce).ok_or_else(|| wrong.into())
}

/// Handles one request.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let provider = app.0.as_ref().ok_or(ProblemCode::NotFound)?;
    let now = provider.clock.now();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/.well-known/openid-configuration") => Ok(provider.discovery()),
        (&Method::GET, "/oidc/jwks") => provider.jwks().await,
        (&Method::GET, "/oidc/authorize") => provider.authorize(&request, now).await,
        (&Method::GET, "/oidc/continue") => provider.continue_get(&request, now).await,
        (&Method::POST, "/oidc/continue") => provider.continue_post(&request, now).await,
        (&Method::POST, "/oidc/token") => Ok(provider.token(&request, now).await),
        (&(Method::GET | Method::POST), "/oidc/userinfo") => provider.userinfo(&request, now).await,
        _ => Err(ProblemCode::NotFound.into()),
    }
}
