//! `refresh-keys`: copies the keys and endpoints of the identity providers into the table, where the functions that verify tokens read them.
//!
//! **Source**: a schedule, every 15 minutes, and the end of each deployment.
//!
//! A run asks the customers' provider and the operators' at once. It puts the answer of a provider only if it names exactly the configured
//! issuer, has a key that can be used, and has the endpoints for codes, so that a bad answer never replaces a good one. If one provider fails,
//! the item of the other one is still put, and Lambda repeats the run.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{error::Error, sync::Arc, time::Duration};

use aws::{ProviderRefreshes, PutProviderOutcome, Table};
use domain::Timestamp;
use futures_util::future::join_all;
use lambda::{Clock, MissingSetting, Rejection, Settings, Tick};
use tokio::time::timeout;
use tracing::{info, warn};
use web::{
    identity::{fetch_metadata, is_issuer},
    problem::error_chain,
};

/// The function's store and its providers: it may put the items of providers. No other function may.
pub struct App {
    refreshes: ProviderRefreshes,
    providers: Vec<Provider>,
    clock: Clock,
}

/// An identity provider.
#[derive(Debug, PartialEq, Eq)]
struct Provider {
    issuer: String,
    /// The people who sign in there, for the log: `customers` or `operators`.
    people: &'static str,
}

/// The time that a provider gets for both of its documents. No customer waits for it, so it is longer than the time in a request.
const FETCH_TIME: Duration = Duration::from_secs(8);

/// The longest time of a run: that of a provider, and of the write after it. The providers are asked at once.
pub const LONGEST: Duration = FETCH_TIME.saturating_add(aws::OPERATION_TIMEOUT);

impl App {
    /// Reads the settings `TABLE_NAME`, `OIDC_ISSUER` and, with a support desk, `DESK_OIDC_ISSUER`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self {
            refreshes: ProviderRefreshes::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            providers: Provider::read_all(settings)?,
            clock,
        })
    }
}

/// Handles one invocation. A failure at any provider makes Lambda repeat the run.
pub async fn handle(app: Arc<App>, _: Tick) -> Result<(), Rejection> {
    let now = app.clock.now();
    let refreshed = join_all(app.providers.iter().map(|provider| app.refresh(provider, now))).await;
    refreshed.into_iter().collect()
}

impl App {
    /// Refreshes the item of a provider, and logs the outcome.
    async fn refresh(&self, provider: &Provider, now: Timestamp) -> Result<(), Rejection> {
        let people = provider.people;
        match self.fetch_and_put(&provider.issuer, now).await {
            Ok(PutProviderOutcome::Put) => info!(outcome = "keys-refreshed", metric = "KeysRefreshed", people),
            // Lambda gains nothing by a repetition. From run to run, an item is dated ahead.
            Ok(PutProviderOutcome::Newer) => warn!(outcome = "keys-newer", metric = "KeysNotRefreshed", people),
            Err(failure) => {
                let (service, cause) = (domain::failed_service(&*failure), error_chain(&*failure));
                warn!(outcome = "keys-not-refreshed", metric = "KeysNotRefreshed", people, service, cause);
                return Err(Rejection::temporary("the keys of a provider could not be refreshed"));
            }
        }
        Ok(())
    }

    /// Fetches the metadata of an issuer, and puts it unless the item is newer. It is dated before it was fetched.
    async fn fetch_and_put(
        &self,
        issuer: &str,
        now: Timestamp,
    ) -> Result<PutProviderOutcome, Box<dyn Error + Send + Sync>> {
        let fetched = timeout(FETCH_TIME, fetch_metadata(issuer, now)).await;
        let metadata = fetched.map_err(|_| "the identity provider did not answer in time")??;
        Ok(self.refreshes.put(&metadata).await?)
    }
}

impl Provider {
    /// Reads the issuers from the settings. If operators sign in at the customers' provider, it is asked once.
    fn read_all(settings: &Settings) -> Result<Vec<Self>, MissingSetting> {
        let issuer = |text: &str| is_issuer(text).then(|| text.to_owned());
        let customers = settings.required_as("OIDC_ISSUER", issuer)?;
        let operators = settings.parsed("DESK_OIDC_ISSUER", None, |text| issuer(text).map(Some))?;
        let operators = operators.filter(|operators| *operators != customers);
        let operators = operators.map(|issuer| Self { issuer, people: "operators" });
        Ok([Self { issuer: customers, people: "customers" }].into_iter().chain(operators).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMERS: &str = "https://login.contoso.example";
    const OPERATORS: &str = "https://staff.contoso.example";

    fn read_all(customers: &str, operators: &str) -> Option<Vec<Provider>> {
        let settings = [("OIDC_ISSUER", customers), ("DESK_OIDC_ISSUER", operators)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Provider::read_all(&Settings::given(settings.into())).ok()
    }

    #[test]
    fn each_provider_is_asked_once() {
        let customers = || Provider { issuer: CUSTOMERS.to_owned(), people: "customers" };
        let operators = Provider { issuer: OPERATORS.to_owned(), people: "operators" };
        assert_eq!(read_all(CUSTOMERS, OPERATORS), Some(vec![customers(), operators]));
        assert_eq!(read_all(CUSTOMERS, CUSTOMERS), Some(vec![customers()]), "operators sign in there, too");
        assert_eq!(read_all(CUSTOMERS, ""), Some(vec![customers()]), "there is no support desk");
    }

    #[test]
    fn an_issuer_whose_answers_another_host_could_forge_is_refused() {
        assert_eq!(read_all("http://login.contoso.example", ""), None);
        assert_eq!(read_all(CUSTOMERS, "http://staff.contoso.example"), None);
        assert_eq!(read_all("", OPERATORS), None, "customers always have a provider");
    }
}
