//! Runs of `refresh-keys` while AWS fails. Each lane has a provider of its own, so that no other lane writes its item.

use std::sync::Arc;

use provider::{Client, Options, Provider};
use serde_json::Value;
use support::{Machine, TestStack, table::Table, verifiers::SCHEDULE};
use tokio::net::TcpListener;

/// A provider, and the machine that copies its keys into the table.
pub(crate) struct Keys {
    provider: Provider,
    pub(crate) machine: Machine,
    table: Table,
}

impl Keys {
    /// Starts the provider. The cloud knows the functions of the machine by names that end in `suffix`.
    pub(crate) async fn start(stack: &TestStack, suffix: &str) -> Self {
        let (id, redirect_origin) = ("firstkey".to_owned(), "http://localhost:9000".to_owned());
        let clients = vec![Client { id, redirect_origin, claims: Value::Null }];
        let options = Options { clients, data: None, seconds_ahead: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Provider::start(listener, options).await.unwrap();
        let issuers = ["OIDC_ISSUER", "DESK_OIDC_ISSUER"].map(|name| (name, provider.issuer()));
        let machine = stack.separate_machine_with(suffix, &issuers);
        Self { machine, table: Table::connect(&stack.cloud.aws_url(), "desk"), provider }
    }

    /// Puts the keys into the table without a fault, and lets the time of the next run come.
    pub(crate) async fn put(&self) -> Result<(), String> {
        self.put_now().await?;
        self.machine.advance_clock(SCHEDULE);
        Ok(())
    }

    /// Puts the keys into the table without a fault.
    pub(crate) async fn put_now(&self) -> Result<(), String> {
        if self.run().await { Ok(()) } else { Err("the keys are not put, without a fault".to_owned()) }
    }

    /// Runs the function once, with or without a fault. Returns whether it succeeded.
    pub(crate) async fn run(&self) -> bool {
        self.machine.run_schedule("refresh-keys").await
    }

    /// Checks that the table has the provider's keys: those of the last run, or, if it may have failed, those of the run before.
    pub(crate) async fn check(&self, may_have_failed: bool) -> Result<(), String> {
        let (now, fetched_at) = (self.machine.now(), self.table.keys_fetched_at(&self.provider).await?);
        let age = now - i64::try_from(fetched_at).unwrap();
        if age == 0 || (age == SCHEDULE && may_have_failed) {
            return Ok(());
        }
        Err(format!("the table has keys that were fetched {age} s ago, and a run may have failed: {may_have_failed}"))
    }
}
