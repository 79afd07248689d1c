//! `cargo dev`: runs the functions under cargo-lambda, together with the local cloud, the OpenID Connect provider of customers and
//! operators, and a demo of the vendor's product.

mod arguments;
mod front;
mod invoke;
mod loopback;
mod open;
mod ports;
mod settings;
mod watch;

use std::{ffi::OsString, path::Path, process::ExitCode, sync::atomic::Ordering, time::Duration};

use anyhow::{Context as _, ensure};
use cloud::{Clock, Cloud, CloudOptions, events};
use provider::{Person, Provider};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use tools::{Workspace, say, tell};

use self::{
    arguments::{Command, DevOptions},
    front::{Api, Front},
    invoke::Functions,
    loopback::Loopback,
    ports::Ports,
    settings::Addresses,
    watch::Watch,
};

/// The portal user whose token is in the live events.
const PERSON: &str = "dana@fabrikam.example";

/// How often the live events get a new token. Tokens last an hour, so the files are always valid for half an hour.
const TOKEN_RENEWAL: Duration = Duration::from_mins(30);

/// How often the clock is looked at: after a move the live events need a token of the new time.
const LOOK: Duration = Duration::from_secs(1);

/// The time-out of a function's first call, which may wait for Cargo's lock while another build runs.
const FIRST_CALL: Duration = Duration::from_mins(2);

#[tokio::main]
async fn main() -> ExitCode {
    match command().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command() -> anyhow::Result<()> {
    match arguments::parse(lexopt::Parser::from_env())? {
        Command::Help(text) => {
            tell!("{text}");
            Ok(())
        }
        Command::Dev(options) => run(options, &Workspace::find().await?).await,
    }
}

/// Runs until a signal arrives or cargo-lambda exits.
async fn run(options: DevOptions, workspace: &Workspace) -> anyhow::Result<()> {
    let (stop, opens_browser) = (stop_signal()?, options.open);
    tokio::pin!(stop);
    let mut product = tokio::select! {
        product = Product::start(options, workspace) => product?,
        () = &mut stop => return Ok(()),
    };
    tell!("{}", product.ready);
    tell!("Open {} and start a subscription. Press Ctrl-C to stop.", product.console);
    if opens_browser {
        open::open(&product.console);
    }
    let ended = tokio::select! {
        ended = product.renew_tokens(workspace) => ended,
        () = &mut stop => Ok(()),
    };
    product.watch.stop().await;
    ended
}

/// Everything that runs. Fields are dropped in this order: the functions first, then what they call.
struct Product {
    watch: Watch,
    provider: Provider,
    _fronts: [Front; 2],
    _loopback: Option<Loopback>,
    _demo: demo_product::Product,
    cloud: Cloud,
    /// The directory of the clock, if no state is preserved.
    _directory: Option<TempDir>,
    ready: String,
    console: String,
}

impl Product {
    async fn start(options: DevOptions, workspace: &Workspace) -> anyhow::Result<Self> {
        let ports = Ports::bind(&options).await?;
        tools::LAMBDA.get(workspace).await?;
        build(workspace).await?;

        let addresses = Addresses::new(&ports)?;
        let secret = demo_product::new_secret();
        let settings = settings::chosen(&addresses, options.redelivery, &secret);
        let port = ports::free().await?;
        let functions = Functions::new(port);

        let (clock, directory) = clock(options.data.as_deref())?;
        let provider = Provider::start(ports.oidc, provider(&settings, &options, &clock)).await;
        let provider = provider.context("cannot start the OpenID Connect provider")?;
        let cloud = cloud(&settings, &addresses, options, functions.as_invoke(), clock);
        let cloud = Cloud::start(ports.aws, ports.console, cloud).await?;

        let demo = demo_product::Product::start(ports.product, demo(&settings, &addresses, secret));

        let settings = settings.into_iter().chain(settings::fixed(&addresses)).chain(settings::clock(cloud.clock()));
        let watch = Watch::start(workspace, port, settings::withheld(), settings).await?;
        let front = Front::start(ports.functions, port, Api::Customers);
        let desk = Front::start(ports.desk, port, Api::Desk);
        let product = Self {
            watch,
            provider,
            _fronts: [front, desk],
            _loopback: ports.loopback,
            _demo: demo,
            cloud,
            _directory: directory,
            ready: format!("ready  {addresses}"),
            console: addresses.console,
        };
        warm_up(&functions, &workspace.root.join("events")).await?;
        finish_deployment(&functions, &product.cloud).await;
        functions.open();
        product.write_events(workspace)?;
        Ok(product)
    }

    /// Renews the tokens of the live events until cargo-lambda exits.
    async fn renew_tokens(&mut self, workspace: &Workspace) -> anyhow::Result<()> {
        let (mut renewal, mut look) = (interval(TOKEN_RENEWAL), interval(LOOK));
        let ahead = self.cloud.clock().shared_seconds();
        let mut written_at = ahead.load(Ordering::SeqCst);
        renewal.tick().await;
        loop {
            let is_moved = tokio::select! {
                error = self.watch.ended() => return Err(error),
                _ = renewal.tick() => true,
                _ = look.tick() => ahead.load(Ordering::SeqCst) != written_at,
            };
            if is_moved {
                written_at = ahead.load(Ordering::SeqCst);
                self.write_events(workspace)?;
            }
        }
    }

    fn write_events(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let token = self.provider.token(&Person::with_email(PERSON));
        let to = workspace.target.join("events");
        events::write(&workspace.root.join("events"), &to, &token)
            .with_context(|| format!("cannot write {}", to.display()))
    }
}

/// Builds only the functions, with the settings of cargo-lambda, so that it finds them built.
async fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let status = workspace.command("cargo").arg("build").status().await.context("cannot start cargo")?;
    ensure!(status.success(), "the build of the functions failed");
    Ok(())
}

/// Returns the clock, and the temporary directory in which its file is unless state is preserved.
fn clock(data: Option<&Path>) -> anyhow::Result<(Clock, Option<TempDir>)> {
    if let Some(data) = data {
        return Ok((Clock::kept_in(data)?, None));
    }
    let directory = tempfile::tempdir().context("cannot create a directory for the clock")?;
    Ok((Clock::kept_in(directory.path())?, Some(directory)))
}

fn provider(settings: &[(&str, OsString)], options: &DevOptions, clock: &Clock) -> provider::Options {
    provider::Options {
        clients: vec![
            provider::Client {
                id: settings::find(settings, "OIDC_CLIENT_ID"),
                redirect_origin: settings::find(settings, "PUBLIC_ORIGIN"),
                claims: Value::Null,
            },
            provider::Client {
                id: settings::find(settings, "DESK_OIDC_CLIENT_ID"),
                redirect_origin: settings::find(settings, "DESK_ORIGIN"),
                claims: role_claims(settings::OPERATORS),
            },
        ],
        data: options.data.clone(),
        seconds_ahead: clock.shared_seconds(),
    }
}

/// Returns the claims that fulfil a rule of the form `claim=value`.
fn role_claims(rule: &str) -> Value {
    rule.split_once('=').map_or(Value::Null, |(claim, value)| json!({ claim: [value] }))
}

fn demo(settings: &[(&str, OsString)], addresses: &Addresses, secret: String) -> demo_product::Options {
    demo_product::Options {
        issuer: settings::find(settings, "PUBLIC_ORIGIN"),
        client_id: settings::find(settings, "PRODUCT_CLIENT_ID"),
        secret,
        origin: addresses.product.clone(),
    }
}

fn cloud(
    settings: &[(&str, OsString)],
    addresses: &Addresses,
    options: DevOptions,
    invoke: cloud::Invoke,
    clock: Clock,
) -> CloudOptions {
    CloudOptions {
        data: options.data,
        redelivery: options.redelivery,
        table: settings::find(settings, "TABLE_NAME"),
        sender: settings::find(settings, "SENDER"),
        // A client secret is given as a value here: `OIDC_CLIENT_SECRET`.
        client_secret: String::new(),
        invoke,
        product: settings::find(settings, "PUBLIC_ORIGIN"),
        demo: Some(addresses.product.clone()),
        billing_principals: String::new(),
        clock,
        has_timer: true,
        publishes: true,
    }
}

/// Invokes every function once, so that a function that cannot start is reported now and real calls find it started.
async fn warm_up(functions: &Functions, events: &Path) -> anyhow::Result<()> {
    for (function, event) in events::harmless(events).context("cannot read the directory events")? {
        functions.invoke(&function, &event, FIRST_CALL).await.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// Invokes the functions that the end of a deployment invokes. One that fails is run again by its schedule, so the failure only gets a line:
/// the provider of `OIDC_ISSUER` may be another one, which is down.
async fn finish_deployment(functions: &Functions, cloud: &Cloud) {
    for (function, event) in cloud.deployment_events() {
        if let Err(error) = functions.invoke(function, &event, FIRST_CALL).await {
            say!("{error}");
            say!("Until a run succeeds, functions ask the provider themselves. The next run is within 15 minutes.");
        }
    }
}

/// Returns a future that completes on Ctrl-C, on `kill`, or when the terminal is closed.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let [mut interrupt, mut terminate, mut hang_up] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
