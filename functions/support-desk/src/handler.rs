//! `support-desk`: what operators of the vendor's support see: pages and JSON. It only reads.
//!
//! **Route**: on the desk's own origin `GET /desk`, `/desk/subscriptions?query=`, `/desk/subscriptions/{subscription_id}`, `/desk/approvals`,
//! `/desk/auth/*` (`POST /desk/auth/sign-out`), `/desk/assets/*`; as JSON `GET /desk/api/subscriptions?query=&cursor=`,
//! `/desk/api/subscriptions/{subscription_id}`, its `/history?cursor=`, and `/desk/api/approvals`. Every other path that no other function of
//! the desk has is `not-found`.
//!
//! | module | holds |
//! |---|---|
//! | `api` | the JSON |
//! | `pages` | the pages: the search, a subscription, approvals, and those of the sign-in |
//! | `auth` | the sign-in of operators at their identity provider |
//! | `assets` | the style sheet and the script |
//!
//! Every act is a call of a JSON route of another function by a script. A log line says which operator looked at which subscription. To
//! everyone but operators, a page that exists and one that does not are the same, and nothing is read.

#![warn(clippy::wildcard_enum_match_arm)]

mod api;
mod assets;
mod auth;
mod pages;

use std::sync::{Arc, OnceLock};

use aws::{Desks, Histories, Providers, Table};
use domain::{ApprovalPolicy, SubscriptionId, Timestamp};
use http::Method;
use lambda::{Clock, Settings};
use page::Brand;
use web::{OperatorIdentity, OperatorSettings, Problem, ProblemCode, Reply, Request, SignIns, SignedInOperator};
use words::Languages;

use crate::assets::Assets;

/// The function's stores and settings: they let it verify operators, find subscriptions, and read them, their histories and the approvals.
pub struct App {
    desks: Desks,
    histories: Histories,
    operators: OperatorIdentity,
    sign_ins: SignIns,
    clock: Clock,
    brand: Brand,
    languages: Languages,
    approvals: ApprovalPolicy,
    assets: OnceLock<Assets>,
}

impl App {
    /// Reads the settings `TABLE_NAME`, those of the operators' identity and their client secret, `DESK_APPROVAL`, `VENDOR_NAME` or else
    /// `SENDER`, `BRAND_COLOR`, `BRAND_LOGO`, `PSEUDO_LANGUAGE`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        let operators = OperatorIdentity::new(
            OperatorSettings::read(|name| settings.optional(name)),
            Providers::new(table.clone()).reader(),
        )?;
        Ok(Self {
            desks: Desks::new(table.clone()),
            histories: Histories::new(table),
            sign_ins: auth::sign_ins(settings, &operators, &aws)?,
            operators,
            clock,
            brand: Brand::new(settings)?,
            languages: Languages::new(settings.has_pseudo_language()?),
            approvals: settings.approval_policy()?,
            assets: OnceLock::new(),
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.operators.read_ahead(move || clock.now())
    }

    /// Returns the static files, built for the first page instead of at the cold start.
    fn assets(&self) -> &Assets {
        self.assets.get_or_init(|| Assets::new(&self.brand))
    }
}

/// A request and what every answer needs.
struct Visit<'a> {
    app: &'a App,
    request: &'a Request,
    now: Timestamp,
}

/// Handles one request.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let visit = Visit { app: &app, request: &request, now: app.clock.now() };
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    match path.as_slice() {
        ["desk", "auth", "sign-out"] if request.method() == Method::POST => app.sign_ins.sign_out(&request),
        ["desk", ..] if !reads => Err(ProblemCode::NotFound.into()),
        ["desk", "auth", "sign-in"] => visit.sign_in().await,
        ["desk", "auth", "callback"] => visit.callback().await,
        ["desk", "auth", "signed-out"] => visit.signed_out().await,
        ["desk", "auth", ..] => visit.not_found(),
        ["desk", "assets", ..] => app.assets().reply(request.uri().path()).map_or_else(|| visit.not_found(), Ok),
        ["desk", "api", rest @ ..] => visit.api(rest).await,
        ["desk", rest @ ..] => visit.page(rest).await,
        _ => Err(ProblemCode::NotFound.into()),
    }
}

impl Visit<'_> {
    /// Returns the operator who makes the request; everyone else gets `not-found`, before anything is read.
    async fn operator(&self) -> Result<SignedInOperator, Problem> {
        self.app.operators.operator(self.request, self.now).await
    }
}

/// Logs which operator looks at which subscription. The line has no address and no name.
fn log_look(operator: &SignedInOperator, subscription: &SubscriptionId, at: &'static str) {
    tracing::info!(operator = %operator.operator.person, subscription = %subscription, at, "an operator looked");
}
