//! The list of functions. All code that handles every function iterates this list: the stack, the processes, the tests of roles, of the
//! template and of the contract, fault injection, the crash tests, and the walk through cargo-lambda.
//!
//! The names of everything else that a function has follow from its own: its crate in `functions/`, its event in `events/`, its tests in
//! `tests/it/`, its resources in the template, and its queue. `tests/it/everything.rs` checks all of these against the list.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::future::BoxFuture;
use lambda::{Clock, HttpService, Settings, Transport};
use lambda_http::{LambdaEvent, Service};
use serde_json::Value;

use crate::Call;

/// A handler of one function's events: returns the answer to an event, or the reason why there is no answer.
pub type Handler = Box<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The kind of event source that invokes a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The HTTP API, by the routes in `Cargo.toml`.
    Http {
        /// The status of the answer to the function's event in `events/`.
        status: u16,
    },
    /// The queue that has the function's name.
    Queue,
    /// A schedule.
    Schedule,
    /// The table's stream.
    Stream,
}

/// An HTTP API, which has a `$default` route and an origin of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// The API of customers and administrators.
    Customers,
    /// The API of the support desk.
    Desk,
}

impl Api {
    /// Returns the API that has a path.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        let is_desks = path.strip_prefix("/desk").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_desks { Self::Desk } else { Self::Customers }
    }

    /// Returns the keys of the `$default` route in the router of cargo-lambda, which has one set of routes for both APIs.
    fn default_keys(self) -> [&'static str; 2] {
        match self {
            Self::Customers => ["/", "/{*path}"],
            Self::Desk => ["/desk", "/desk/{*path}"],
        }
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:literal $variant:ident $package:ident $kind:ident $({ $($field:ident: $value:expr),* })?;)*) => {
        /// A function of the product.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Function {
            $($(#[$doc])* $variant,)*
        }

        impl Function {
            /// Every function, in the order of the story: the event of each needs what the functions before it have answered.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the function's name, which is that of its crate and its program.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what invokes the function.
            #[must_use]
            pub const fn trigger(self) -> Trigger {
                match self { $(Self::$variant => Trigger::$kind $({ $($field: $value),* })?,)* }
            }

            /// Starts the function as its `main` does, and returns its handler.
            pub fn start(self, settings: &Settings, clock: Clock) -> Result<Handler, lambda::Error> {
                match self { $(Self::$variant => Ok(handler!($kind, $package, settings, clock)),)* }
            }
        }
    };
}

/// The time of an invocation by a queue: what the local cloud waits for its answer.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

macro_rules! handler {
    (Http, $package:ident, $settings:ident, $clock:ident) => {{
        let endpoint = web::endpoint($package::App::new($settings, $clock)?, $package::handle);
        http_handler(endpoint, Transport::from_settings($settings))
    }};
    (Queue, $package:ident, $settings:ident, $clock:ident) => {{
        let app = Arc::new($package::App::new($settings, $clock)?);
        Box::new(move |event| {
            let app = Arc::clone(&app);
            Box::pin(async move {
                let batch = serde_json::from_value(event).map_err(|_| "the event is not a batch".to_owned())?;
                let response = lambda::handle_batch(&app, &$package::handle, batch, "request", QUEUE_TIMEOUT).await;
                serde_json::to_value(response).map_err(|error| error.to_string())
            })
        })
    }};
    (Schedule, $package:ident, $settings:ident, $clock:ident) => {{
        let app = Arc::new($package::App::new($settings, $clock)?);
        Box::new(move |event| {
            let app = Arc::clone(&app);
            Box::pin(async move {
                let tick =
                    serde_json::from_value(event).map_err(|_| "the event is not that of a schedule".to_owned())?;
                let done = lambda::handle_tick(&app, &$package::handle, tick, "request").await;
                done.map(|()| Value::Null).map_err(ToOwned::to_owned)
            })
        })
    }};
    (Stream, $package:ident, $settings:ident, $clock:ident) => {{
        let app = Arc::new($package::App::new($settings, $clock)?);
        Box::new(move |event| {
            let app = Arc::clone(&app);
            Box::pin(async move {
                let batch = serde_json::from_value(event).map_err(|_| "the event is not a batch".to_owned())?;
                let response = lambda::handle_stream_batch(&app, &$package::handle, batch, "request").await?;
                serde_json::to_value(response).map_err(|error| error.to_string())
            })
        })
    }};
}

functions! {
    /// Starts a subscription and orders its welcome mail.
    "subscription-start" SubscriptionStart subscription_start Queue;
    /// Sends the mails that were ordered.
    "send-mail" SendMail send_mail Queue;
    /// Lists a customer's subscriptions.
    "list-subscriptions" ListSubscriptions list_subscriptions Http { status: 200 };
    /// Shows the temporary password.
    "get-credentials" GetCredentials get_credentials Http { status: 200 };
    /// Orders the welcome mail again.
    "resend-mail" ResendMail resend_mail Http { status: 202 };
    /// Records what SES reports of a mail.
    "mail-feedback" MailFeedback mail_feedback Queue;
    /// Orders a mail to support.
    "contact-support" ContactSupport contact_support Http { status: 202 };
    /// Shows operators subscriptions and approvals.
    "support-desk" SupportDesk support_desk Http { status: 303 };
    /// Starts the next issue for operators, and decides approvals.
    "reissue-credentials" ReissueCredentials reissue_credentials Http { status: 404 };
    /// Changes who has access, for operators.
    "change-access" ChangeAccess change_access Http { status: 404 };
    /// Signs in to the Administration Center, and out.
    "sign-in" SignIn sign_in Http { status: 200 };
    /// Replaces a password.
    "reset-password" ResetPassword reset_password Http { status: 200 };
    /// Creates an administrator.
    "create-admin" CreateAdmin create_admin Http { status: 201 };
    /// Gives an administrator a temporary password.
    "reset-admin" ResetAdmin reset_admin Http { status: 403 };
    /// Closes the account of an administrator.
    "remove-admin" RemoveAdmin remove_admin Http { status: 403 };
    /// Signs administrators in to the vendor's product.
    "product-sign-in" ProductSignIn product_sign_in Http { status: 200 };
    /// Starts the next issue of credentials that have expired.
    "renew-credentials" RenewCredentials renew_credentials Http { status: 409 };
    /// Orders the reminders that are due.
    "send-reminders" SendReminders send_reminders Schedule;
    /// Shows the history of a subscription.
    "show-history" ShowHistory show_history Http { status: 200 };
    /// Ends a subscription and closes its accounts.
    "subscription-end" SubscriptionEnd subscription_end Queue;
    /// Deletes the items of subscriptions that ended long ago.
    "purge-subscriptions" PurgeSubscriptions purge_subscriptions Schedule;
    /// Copies the keys of the identity providers into the table.
    "refresh-keys" RefreshKeys refresh_keys Schedule;
    /// Publishes what happened, and orders notices.
    "publish-events" PublishEvents publish_events Stream;
    /// Serves the pages, and every path that no other function has.
    "portal" Portal portal Http { status: 404 };
}

fn http_handler<S>(endpoint: S, transport: Transport) -> Handler
where
    S: Service<lambda_http::Request, Response = web::Reply, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let service = HttpService::new(endpoint, web::malformed, transport);
    Box::new(move |event| {
        let mut service = service.clone();
        Box::pin(async move {
            let request = serde_json::from_value(event).map_err(|_| "the event is not a request".to_owned())?;
            let Ok(answer) = service.call(LambdaEvent::new(request, lambda_http::Context::default())).await;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        })
    })
}

/// A route of an HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The API.
    pub api: Api,
    /// The method; `ANY` for the function that has every other path.
    pub method: String,
    /// The path, with its parameters in braces; [`Route::DEFAULT`] for every other path.
    pub path: String,
    /// The function.
    pub function: Function,
}

impl Route {
    /// The path of the route that matches every path without its own route.
    pub const DEFAULT: &str = "$default";

    /// Returns the route of a request to an API, and the parameters of its path. A path that no other route has is that of the `$default`
    /// route.
    ///
    /// # Panics
    ///
    /// Panics where the API has no routes.
    #[must_use]
    pub fn find(api: Api, method: &str, path: &str) -> (Self, BTreeMap<String, String>) {
        static ALL: LazyLock<Vec<Route>> = LazyLock::new(Route::all);
        let of_api = || ALL.iter().filter(|route| route.api == api);
        let found =
            of_api().filter(|route| route.method == method).find_map(|route| Some((route, route.parameters(path)?)));
        let default = || of_api().find(|route| route.path == Self::DEFAULT).map(|route| (route, BTreeMap::new()));
        let (route, parameters) = found.or_else(default).unwrap_or_else(|| panic!("{api:?} has no routes"));
        (route.clone(), parameters)
    }

    /// Returns the parameters of a path, if this route has the path.
    fn parameters(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let (given, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), self.path.split('/').collect());
        if given.len() != wanted.len() {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for (given, wanted) in given.into_iter().zip(wanted) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => drop(parameters.insert(name.to_owned(), given.to_owned())),
                None if given == wanted => {}
                _ => return None,
            }
        }
        Some(parameters)
    }

    /// Reads the routes of cargo-lambda from the workspace's `Cargo.toml`, which is the one list of routes.
    ///
    /// # Panics
    ///
    /// Panics where a route names a function that is not in the list.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let workspace = workspace();
        let paths = workspace["metadata"]["lambda"]["watch"]["router"].as_object().expect("Cargo.toml has routes");
        let mut routes: Vec<_> = paths.iter().flat_map(|(path, target)| Self::from_target(path, target)).collect();
        routes.sort();
        routes.dedup();
        routes
    }

    fn from_target(path: &str, target: &Value) -> Vec<Self> {
        let api = Api::from_path(path);
        let route = |method: &str, path: &str, function: &Value| {
            let function = function.as_str().expect("a route names its function");
            Self { api, method: method.to_owned(), path: path.to_owned(), function: Function::from_name(function) }
        };
        match target {
            Value::String(_) => {
                assert!(
                    api.default_keys().contains(&path),
                    "{path}: the template has no route for every method of a path"
                );
                vec![route("ANY", Self::DEFAULT, target)]
            }
            targets => {
                let targets = targets.as_array().expect("a route has a list of targets").iter();
                targets.map(|one| route(one["method"].as_str().unwrap_or_default(), path, &one["function"])).collect()
            }
        }
    }
}

impl Function {
    /// Returns the HTTP API that the function belongs to, by its routes. `None` for a function that an event source invokes.
    #[must_use]
    pub fn api(self) -> Option<Api> {
        Route::all().into_iter().find(|route| route.function == self).map(|route| route.api)
    }

    /// Returns the function of a name, if the list has it.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// Returns the function of a name.
    ///
    /// # Panics
    ///
    /// Panics where the list has no such function.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::find(name).unwrap_or_else(|| panic!("tests/support/src/functions.rs has no function {name}"))
    }

    /// Returns the names of all functions, sorted.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let mut names: Vec<_> = Self::ALL.iter().map(|function| function.name()).collect();
        names.sort_unstable();
        names
    }

    /// Returns the name that begins the names of the function's resources in the template: `GetCredentials` for `get-credentials`.
    /// In version 0.1.0 `MailFeedback` is another resource, and CloudFormation refuses to change the type of a resource.
    #[must_use]
    pub fn logical_id(self) -> String {
        match self {
            Self::MailFeedback => "MailFeedbackFunction".to_owned(),
            _ => format!("{self:?}"),
        }
    }

    /// Returns the name of the function's queue in the template.
    #[must_use]
    pub fn queue_id(self) -> String {
        format!("{self:?}Queue")
    }

    /// Returns a request that makes the function verify `token` before anything else. `None` for a function that verifies no ID tokens.
    #[must_use]
    pub fn verifying_request(self, token: &str) -> Option<Call> {
        const SUBSCRIPTION: &str = "sub-1";
        let customer = |call: Call| Some(call.bearer(token));
        let operator = |call: Call| Some(call.operator(token));
        match self {
            Self::ChangeAccess => operator(Call::unlock("admin@fabrikam", "Ticket 4711")),
            Self::ContactSupport => customer(Call::contact_support(SUBSCRIPTION, "Help")),
            Self::GetCredentials => customer(Call::get_credentials(SUBSCRIPTION)),
            Self::ListSubscriptions => customer(Call::get("/subscriptions")),
            Self::Portal => Some(Call::get("/").cookie("__Host-customer", token)),
            Self::ReissueCredentials => operator(
                Call::post("/desk/api/subscriptions/sub-1/reissues").parameter("subscription_id", SUBSCRIPTION),
            ),
            Self::RenewCredentials => customer(Call::renew_credentials(SUBSCRIPTION)),
            Self::ResendMail => customer(Call::resend_mail(SUBSCRIPTION)),
            Self::ShowHistory => customer(Call::show_history(SUBSCRIPTION)),
            Self::SupportDesk => operator(Call::get("/desk/api/approvals")),
            Self::SubscriptionStart
            | Self::SendMail
            | Self::MailFeedback
            | Self::SignIn
            | Self::ResetPassword
            | Self::CreateAdmin
            | Self::ResetAdmin
            | Self::RemoveAdmin
            | Self::ProductSignIn
            | Self::SendReminders
            | Self::SubscriptionEnd
            | Self::PurgeSubscriptions
            | Self::RefreshKeys
            | Self::PublishEvents => None,
        }
    }

    /// Reads the function's event, with placeholders for what another function has answered.
    #[must_use]
    pub fn event(self) -> String {
        read(&format!("events/{}.json", self.name()))
    }

    /// Returns the path of the function's tests, from the root of the repository.
    #[must_use]
    pub fn test_file(self) -> String {
        format!("tests/it/{}.rs", self.name().replace('-', "_"))
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Reads a file of the repository, by its path from the root.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns what Cargo knows of the workspace: its packages, and the routes of cargo-lambda.
#[must_use]
pub fn workspace() -> Value {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new("cargo").args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo answers in JSON")
}
