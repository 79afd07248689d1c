//! `portal`: serves the pages for customers and administrators, and answers every path that has no other function.
//!
//! **Route**: `$default`: `GET /`, `/history/{subscription_id}`, `/help`, `/support`, `/auth/*` (`POST /auth/sign-out`), `/administration*`, `/assets/*`; every other path
//! gives `not-found`, to a browser as a page.
//!
//! | module | holds |
//! |---|---|
//! | `pages` | the pages: their common frame, the subscriptions and their histories, the Administration Center and its team, help |
//! | `auth` | the sign-in of customers at their identity provider |
//! | `assets` | the style sheet and the scripts |
//!
//! Pages are rendered on the server, so they can be read without scripts. Every change is a call of a JSON route by a script. This function
//! cannot unseal or verify a password, and it writes nothing but the budget of callbacks.

#![warn(clippy::wildcard_enum_match_arm)]

mod assets;
mod auth;
mod pages;

use std::sync::{Arc, Once, OnceLock};

use aws::{Callbacks, ClientSecretReader, Histories, Listings, Providers, SdkConfig, Sessions, Table, Team};
use domain::Timestamp;
use http::Method;
use lambda::{Clock, Settings};
use page::Brand;
use web::{
    ClientSecretSource, CodeFlow, Identity, IdentitySettings, LogoutHint, Problem, ProblemCode, ReadClientSecret,
    Reply, Request, SignIns, Site,
};
use words::Languages;

use crate::{assets::Assets, pages::Frame};

/// The function's stores and settings: they let it verify callers, list the caller's subscriptions, read their histories, look up a
/// session, list the administrators of its subscription, read the client secret, and count callbacks. It writes nothing else.
pub struct App {
    callbacks: Callbacks,
    histories: Histories,
    listings: Listings,
    sessions: Sessions,
    team: Team,
    identity: Identity,
    sign_ins: SignIns,
    clock: Clock,
    public_origin: String,
    brand: Brand,
    languages: Languages,
    /// The vendor's name for their customers' accounts, such as `your Contoso account`.
    provider: Option<String>,
    support_email: Option<String>,
    support_url: Option<String>,
    product_url: Option<String>,
    assets: OnceLock<Assets>,
    /// Whether the log has named the remedy for ID tokens without an address.
    without_address: Once,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, those of the identity, `OIDC_CLIENT_SECRET_NAME` or, for development,
    /// `OIDC_CLIENT_SECRET`, `OIDC_LOGOUT_HINT`, `OIDC_DISPLAY_NAME`, `SIGN_IN_NETWORK_BURST`, `VENDOR_NAME` or else `SENDER`, `BRAND_COLOR`,
    /// `BRAND_LOGO`, `PSEUDO_LANGUAGE`,
    /// `SUPPORT_EMAIL`, `SUPPORT_URL`, `PRODUCT_URL`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        let identity = Identity::new(
            IdentitySettings::read(|name| settings.optional(name)),
            Providers::new(table.clone()).reader(),
        )?;
        let always = settings.parsed("OIDC_LOGOUT_HINT", false, |text| text.parse().ok())?;
        let secret = ClientSecretSource::from_settings(
            Site::Portal,
            |name| settings.optional(name),
            |name| stored_client_secret(&aws, name),
        )?;
        let logout_hint = if always { LogoutHint::Always } else { LogoutHint::IfKnown };
        Ok(Self {
            callbacks: Callbacks::new(table.clone(), settings.network_budget()?),
            histories: Histories::new(table.clone()),
            listings: Listings::new(table.clone()),
            sessions: Sessions::new(table.clone()),
            team: Team::new(table),
            sign_ins: SignIns::new(CodeFlow::new(&identity, secret, logout_hint), lambda::random_bytes::<32>),
            identity,
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            brand: Brand::new(settings)?,
            languages: Languages::new(settings.has_pseudo_language()?),
            provider: settings.optional("OIDC_DISPLAY_NAME"),
            support_email: settings.optional("SUPPORT_EMAIL"),
            support_url: settings.optional("SUPPORT_URL"),
            product_url: settings.optional("PRODUCT_URL"),
            assets: OnceLock::new(),
            without_address: Once::new(),
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }

    /// Returns the static files, built for the first page instead of at the cold start.
    fn assets(&self) -> &Assets {
        self.assets.get_or_init(|| Assets::new(&self.brand))
    }
}

/// Returns the reader of a stored client secret.
fn stored_client_secret(aws: &SdkConfig, name: String) -> ReadClientSecret {
    let reader = Arc::new(ClientSecretReader::new(aws, name));
    Box::new(move || {
        let reader = Arc::clone(&reader);
        Box::pin(async move { Ok(reader.read().await?) })
    })
}

/// A request and what every page needs to answer it.
struct Visit<'a> {
    app: &'a App,
    request: &'a Request,
    now: Timestamp,
}

/// Handles one request.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let visit = Visit { app: &app, request: &request, now: app.clock.now() };
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    match request.uri().path() {
        "/auth/sign-out" if request.method() == Method::POST => app.sign_ins.sign_out(&request),
        _ if !reads => Err(ProblemCode::NotFound.into()),
        "/" => visit.subscriptions().await,
        "/help" => visit.help(),
        "/support" => visit.support(),
        "/auth/sign-in" => visit.sign_in().await,
        "/auth/callback" => visit.callback().await,
        "/auth/signed-out" => visit.signed_out().await,
        "/administration" => visit.or_trouble(visit.administration().await),
        "/administration/sign-in" => visit.sign_in_again(),
        "/administration/password" => visit.or_trouble(visit.choose_password().await),
        "/administration/removed" => visit.or_trouble(visit.removed_administrators().await),
        "/administration/create" => visit.or_trouble(visit.create_administrator().await),
        path => visit.page_with_id(path).await,
    }
}

/// The pages that have an address of their own, for the redirect from an address with a slash too many.
const PAGES: [&str; 10] = [
    "/help",
    "/support",
    "/auth/sign-in",
    "/auth/callback",
    "/auth/signed-out",
    "/administration",
    "/administration/sign-in",
    "/administration/password",
    "/administration/create",
    "/administration/removed",
];

impl Visit<'_> {
    /// Answers a path whose last part is an id, or a static file.
    async fn page_with_id(&self, path: &str) -> Result<Reply, Problem> {
        if let Some(subscription) = path.strip_prefix("/history/") {
            return self.history(subscription).await;
        }
        if let Some(account_id) = path.strip_prefix("/administration/reset/") {
            return self.or_trouble(self.reset_administrator(account_id).await);
        }
        if let Some(account_id) = path.strip_prefix("/administration/remove/") {
            return self.or_trouble(self.remove_administrator(account_id).await);
        }
        self.app.assets().reply(path).map_or_else(|| self.not_found(), Ok)
    }

    fn frame(&self) -> Frame<'_> {
        Frame::new(self.app, self.request)
    }

    /// Answers a path that does not exist: a browser is redirected if the path only has a slash too many, and else sees a page.
    fn not_found(&self) -> Result<Reply, Problem> {
        if !page::is_navigation(self.request) {
            return Err(ProblemCode::NotFound.into());
        }
        let uri = self.request.uri();
        let meant = uri.path().trim_end_matches('/');
        match PAGES.iter().find(|page| **page == meant) {
            Some(page) => {
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                Ok(web::see_other(&format!("{page}{query}")))
            }
            None => self.not_found_page(),
        }
    }
}
