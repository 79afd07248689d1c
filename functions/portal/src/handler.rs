//! `portal`: the pages, for customers and for administrators, and every path that no other function has.
//!
//! **Route**: `$default`: `GET /`, `/help`, `/support`, `/auth/*` (`POST /auth/sign-out`), `/administration*`, `/assets/*`; every other path
//! is `not-found`.
//!
//! | module | holds |
//! |---|---|
//! | `pages` | what people see: the frame around every page, the list, the Administration Center, help |
//! | `auth` | the sign-in of customers: to their provider and back |
//! | `assets` | style and scripts, each under the name of its content |
//! | `brand` | the vendor's name, colour and logo |
//!
//! Pages read on the server what is read without a click, so they work without scripts; whatever changes something is a call of the
//! JSON routes by a script. This function can neither unseal nor verify a password, and writes nothing.

mod assets;
mod auth;
mod brand;
mod pages;

use std::sync::{Arc, OnceLock};

use aws::{Listings, Sessions, Table, Team};
use domain::Timestamp;
use http::Method;
use lambda::{Clock, Settings};
use web::{CodeFlow, Identity, IdentitySettings, Problem, ProblemCode, Reply, Request};

use crate::{assets::Assets, brand::Brand, pages::Frame};

/// May list the caller's subscriptions, tell whose session a token is, and list their administrators; none of them writes.
pub struct App {
    listings: Listings,
    sessions: Sessions,
    team: Team,
    identity: Identity,
    code_flow: CodeFlow,
    clock: Clock,
    public_origin: String,
    brand: Brand,
    /// What the vendor calls the accounts of their customers, `your Contoso account`.
    provider: Option<String>,
    support_email: Option<String>,
    support_url: Option<String>,
    product_url: Option<String>,
    assets: OnceLock<Assets>,
}

impl App {
    /// With the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, those of the identity, `OIDC_CLIENT_SECRET`, `OIDC_DISPLAY_NAME`, `VENDOR_NAME` or
    /// else `SENDER`, `BRAND_COLOR`, `BRAND_LOGO`, `SUPPORT_EMAIL`, `SUPPORT_URL`, `PRODUCT_URL`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        let identity = IdentitySettings::read(|name| settings.optional(name));
        Ok(Self {
            listings: Listings::new(table.clone()),
            sessions: Sessions::new(table.clone()),
            team: Team::new(table),
            // Whoever keeps it in a file adds the end of a line.
            code_flow: CodeFlow::new(
                &identity,
                settings.optional("OIDC_CLIENT_SECRET").map(|secret| secret.trim().to_owned()),
            )?,
            identity: Identity::new(identity)?,
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            brand: Brand::new(settings)?,
            provider: settings.optional("OIDC_DISPLAY_NAME"),
            support_email: settings.optional("SUPPORT_EMAIL"),
            support_url: settings.optional("SUPPORT_URL"),
            product_url: settings.optional("PRODUCT_URL"),
            assets: OnceLock::new(),
        })
    }

    /// Made when the first page is asked for, not at the start.
    fn assets(&self) -> &Assets {
        self.assets.get_or_init(|| Assets::of(&self.brand))
    }
}

/// One visit: what every page needs to know.
struct Visit<'a> {
    app: &'a App,
    request: &'a Request,
    now: Timestamp,
}

/// Handles one path.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let visit = Visit { app: &app, request: &request, now: app.clock.now() };
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    match request.uri().path() {
        "/auth/sign-out" if request.method() == Method::POST => visit.sign_out(),
        _ if !reads => Err(ProblemCode::NotFound.into()),
        "/" => visit.subscriptions().await,
        "/help" => visit.help(),
        "/support" => visit.support(),
        "/auth/sign-in" => visit.sign_in().await,
        "/auth/callback" => visit.callback().await,
        "/auth/signed-out" => visit.signed_out().await,
        "/administration" => visit.or_trouble(visit.administration().await),
        "/administration/password" => visit.or_trouble(visit.choose_password().await),
        "/administration/create" => visit.or_trouble(visit.create_administrator().await),
        path => app.assets().reply(path).ok_or_else(|| ProblemCode::NotFound.into()),
    }
}

impl Visit<'_> {
    fn frame(&self) -> Frame<'_> {
        Frame::of(self.app, self.request)
    }
}
