//! The metadata of identity providers: `refresh-keys` writes it, and the functions that verify ID tokens read it.

use std::sync::Arc;

use domain::ProviderMetadata;
use futures_util::future::BoxFuture;

use super::{Table, provider_metadata, transaction::Write};
use crate::Failure;

/// Finds the metadata of identity providers; writes nothing.
#[derive(Clone)]
pub struct Providers(Table);

/// Puts the metadata of identity providers, and reads nothing.
pub struct ProviderRefreshes(Table);

/// The result of [`ProviderRefreshes::put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutProviderOutcome {
    /// The table has the metadata.
    Put,
    /// The table has metadata that was fetched later, and keeps it.
    Newer,
}

impl Providers {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the metadata of `issuer`, if the table has it. Metadata that names another issuer is an error.
    pub async fn find(&self, issuer: &str) -> Result<Option<ProviderMetadata>, Failure> {
        let item = self.0.get("dynamodb GetItem (provider metadata)", provider_metadata::key(issuer)).await?;
        item.map(|item| provider_metadata::from_item(&item, issuer)).transpose()
    }

    /// Returns [`find`](Self::find) as a function that a verifier can keep.
    pub fn reader(
        self,
    ) -> impl Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, Failure>> + Send + Sync + 'static {
        let providers = Arc::new(self);
        move |issuer| {
            let providers = Arc::clone(&providers);
            Box::pin(async move { providers.find(&issuer).await })
        }
    }
}

impl ProviderRefreshes {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Puts `metadata`, unless the table has metadata of the issuer that was fetched later.
    pub async fn put(&self, metadata: &ProviderMetadata) -> Result<PutProviderOutcome, Failure> {
        let change = provider_metadata::put(metadata);
        Ok(match self.0.write("dynamodb UpdateItem (provider metadata)", change).await? {
            Write::Done(_) => PutProviderOutcome::Put,
            Write::Refused(_) => PutProviderOutcome::Newer,
        })
    }
}
