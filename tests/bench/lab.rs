//! The product with its cloud, in which every bench runs: the cloud and the functions that prepare states are in this process, and the
//! programs that are measured are processes of their own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use support::{Deployment, TestStack, product, table::Table};
use tools::Workspace;

use crate::programs;

/// The product with its cloud.
pub(crate) struct Lab {
    pub(crate) workspace: Workspace,
    pub(crate) stack: TestStack,
    /// The table, past the product.
    pub(crate) table: Table,
    /// The directory of the release binaries.
    pub(crate) programs: PathBuf,
    numbers: AtomicU32,
}

impl Lab {
    /// Builds the programs and starts the product. Mails wait until they are asked for, so that none is sent during a measurement.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let workspace = Workspace::find().await?;
        let programs = programs::build(&workspace).await?;
        let stack = Deployment::default().with_held_mails().start().await;
        ensure!(stack.refresh_keys().await, "refresh-keys failed");
        let table = Table::connect(&stack.cloud.aws_url(), "tests");
        Ok(Self { workspace, stack, table, programs, numbers: AtomicU32::new(0) })
    }

    /// Returns a number that no other call has returned.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Moves the clock of the product in this process to the time of the machine, which the measured programs have.
    pub(crate) fn set_clock(&self) {
        self.stack.advance_clock((system_time() - self.stack.cloud.clock().epoch_seconds()).max(0));
    }

    /// Returns the key of the item that holds the keys of the customers' provider.
    pub(crate) async fn provider_key(&self) -> anyhow::Result<String> {
        let item = self.stack.provider_item(self.stack.provider.issuer()).await;
        item["PK"]["S"].as_str().map(ToOwned::to_owned).context("refresh-keys has put no keys")
    }

    /// Returns an attribute of a subscription's credential, as DynamoDB writes it.
    pub(crate) async fn credential(&self, subscription: &str, name: &str) -> anyhow::Result<Value> {
        let items = self.stack.cloud.dump_table().await?;
        let key = format!("SUBSCRIPTION#{subscription}");
        let mut credentials =
            items.into_iter().filter(|item| item["PK"]["S"] == key && item["SK"]["S"] == "CREDENTIAL");
        let mut credential = credentials.next().with_context(|| format!("no subscription {subscription}"))?;
        Ok(credential[name].take())
    }
}

/// Returns the path of a directory of the benches, which an earlier run may have left.
pub(crate) fn directory(name: &str) -> PathBuf {
    product::target().join("bench").join(name)
}

/// Removes a directory, if it exists.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the time of the machine, in seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the measured programs have the system's time")]
pub(crate) fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
