//! The client secret: given once, or read where it is stored, and kept for 15 minutes.

use std::{sync::Arc, time::Duration};

use domain::{ClientSecret, Timestamp};
use futures_util::future::BoxFuture;
use tokio::{sync::Mutex, time::timeout_at};

use super::{Deadline, InvalidSetting, Site};
use crate::problem::{Problem, ProblemCode};

/// How long a secret that was read is used without reading it again.
const KEPT: Duration = Duration::from_mins(15);

/// Reads the secret where it is stored. The error is `unavailable` where another attempt may succeed.
pub type ReadClientSecret = Box<dyn Fn() -> BoxFuture<'static, Result<ClientSecret, Problem>> + Send + Sync>;

/// The source of a client secret. It has no `Debug`, because it may hold the secret.
pub struct ClientSecretSource(Source);

enum Source {
    Given(Arc<ClientSecret>),
    Stored { read: ReadClientSecret, held: Mutex<Option<Held>> },
}

/// A secret that was read, and when.
struct Held {
    secret: Arc<ClientSecret>,
    read_at: Timestamp,
}

impl ClientSecretSource {
    /// Returns the source of a site's client secret, if the deployment has one. The settings hold either the name of a stored secret, which
    /// `stored` makes a reader of, or, for development, the secret itself.
    pub fn from_settings(
        site: Site,
        setting: impl Fn(&str) -> Option<String>,
        stored: impl FnOnce(String) -> ReadClientSecret,
    ) -> Result<Option<Self>, InvalidSetting> {
        let names = site.setting_names();
        let invalid = |rule| InvalidSetting { name: names.client_secret, rule };
        match (setting(names.client_secret), setting(names.client_secret_name)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(invalid(names.one_client_secret)),
            (Some(value), None) => {
                let secret =
                    ClientSecret::parse(&value).map_err(|_| invalid("is not a client secret in plain text"))?;
                Ok(Some(Self::given(secret)))
            }
            (None, Some(name)) => Ok(Some(Self::stored(stored(name)))),
        }
    }

    /// Returns a source with the secret itself, for development.
    #[must_use]
    pub fn given(secret: ClientSecret) -> Self {
        Self(Source::Given(Arc::new(secret)))
    }

    /// Returns a source that reads the secret at its first use, 15 minutes later, and after the provider has refused it.
    #[must_use]
    pub fn stored(read: ReadClientSecret) -> Self {
        Self(Source::Stored { read, held: Mutex::default() })
    }

    /// Returns the secret. Callers that need it at the same time wait for one read.
    ///
    /// A secret that cannot be read again, as its store is unavailable, stays in use: the provider refuses it if it has changed.
    pub(super) async fn current(&self, deadline: Deadline, now: Timestamp) -> Result<Arc<ClientSecret>, Problem> {
        let (read, held) = match &self.0 {
            Source::Given(secret) => return Ok(Arc::clone(secret)),
            Source::Stored { read, held } => (read, held),
        };
        in_time(deadline, async {
            let mut held = held.lock().await;
            if let Some(held) = held.as_ref().filter(|held| now.since(held.read_at) < KEPT) {
                return Ok(Arc::clone(&held.secret));
            }
            match (read().await, held.as_ref()) {
                (Ok(secret), _) => Ok(Held::replace(&mut held, secret, now)),
                (Err(problem), Some(held)) if problem.code() == ProblemCode::Unavailable => {
                    let (service, cause) = (problem.service(), problem.cause());
                    tracing::warn!(service, cause, "the client secret could not be read again");
                    Ok(Arc::clone(&held.secret))
                }
                (Err(problem), _) => Err(problem),
            }
        })
        .await
    }

    /// Returns the secret that has replaced one that the provider refused. `None` if it is the same.
    pub(super) async fn replacement(
        &self,
        refused: &ClientSecret,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Option<Arc<ClientSecret>>, Problem> {
        let Source::Stored { read, held } = &self.0 else { return Ok(None) };
        in_time(deadline, async {
            let mut held = held.lock().await;
            // Another caller may have read it while this one waited.
            if let Some(held) = held.as_ref().filter(|held| *held.secret != *refused) {
                return Ok(Some(Arc::clone(&held.secret)));
            }
            let secret = Held::replace(&mut held, read().await?, now);
            Ok((*secret != *refused).then_some(secret))
        })
        .await
    }
}

impl Held {
    fn replace(held: &mut Option<Self>, secret: ClientSecret, now: Timestamp) -> Arc<ClientSecret> {
        let secret = Arc::new(secret);
        *held = Some(Self { secret: Arc::clone(&secret), read_at: now });
        secret
    }
}

async fn in_time<T>(deadline: Deadline, reading: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || Problem::new(ProblemCode::Unavailable).because("the client secret could not be read in time");
    timeout_at(deadline.0, reading).await.unwrap_or_else(|_| Err(late()))
}
