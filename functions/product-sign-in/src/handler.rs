//! `product-sign-in`: the OpenID Provider of administrators, for one confidential client: the vendor's product.
//!
//! **Route**: `GET /.well-known/openid-configuration`, `GET /oidc/jwks`, `GET /oidc/authorize`, `GET` and `POST /oidc/continue`,
//! `POST /oidc/token`, `GET` and `POST /oidc/userinfo`
//!
//! | module | holds |
//! |---|---|
//! | `discovery` | what the product learns of the provider |
//! | `request` | the authorization request, and what is wrong with one |
//!
//! Without `PRODUCT_CLIENT_ID` there is no provider, and every path is `not-found`.

#![warn(clippy::wildcard_enum_match_arm)]

mod discovery;
mod request;

use std::sync::Arc;

use aws::{ProductSignIns, Sessions, Signer, SigningKeys, Table};
use domain::{PkcePolicy, ProductClient};
use http::Method;
use lambda::{Clock, Settings};
use page::Brand;
use web::{Problem, ProblemCode, Reply, Request};
use words::Languages;

/// The function's stores and settings, if there is a provider.
pub struct App(Option<Provider>);

/// The provider: it may look up sessions, issue codes and redeem them, and sign ID tokens.
struct Provider {
    sessions: Sessions,
    sign_ins: ProductSignIns,
    signer: Signer,
    client: ProductClient,
    clock: Clock,
    public_origin: String,
    brand: Brand,
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
            client: client(client_id, settings)?,
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            brand: Brand::new(settings)?,
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
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/.well-known/openid-configuration") => Ok(provider.discovery()),
        _ => Err(ProblemCode::NotFound.into()),
    }
}
