//! The provider's keys: fetched with the first token, cached for an hour, and refreshed.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use jsonwebtoken::DecodingKey;
use tokio::{
    sync::{Mutex, RwLock},
    time::{Instant, timeout_at},
};

use crate::problem::{self, Problem, ProblemCode};

use super::{Deadline, TokenRefusal, discovery, discovery::Failure, key_set::KeySet, token::Unverified};

/// How long fetched keys are used without refreshing. A key that the provider withdraws may be accepted this much longer.
const FRESH: Duration = Duration::from_hours(1);

/// How long fetched keys are used while the provider is unavailable.
const STALE: Duration = Duration::from_hours(24);

/// The minimum time between two refreshes, so that unknown key ids cannot be used to flood the provider.
const REFETCH_INTERVAL: Duration = Duration::from_mins(1);

/// The deadline for both documents together, so that an unresponsive provider is reported before the caller gives up.
const FETCH_TIME: Duration = Duration::from_millis(2200);

/// The deadline for a refresh while the needed key is cached, which leaves time for the request itself.
const REFETCH_TIME: Duration = Duration::from_secs(1);

/// The keys of one issuer.
pub(super) struct Provider {
    issuer: String,
    held: RwLock<Held>,
    fetching: Mutex<()>,
}

/// The cached keys and the outcome of the last fetch.
#[derive(Clone, Default)]
struct Held {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    refetched_at: Option<Timestamp>,
    /// The failure of the last fetch.
    failure: Option<Arc<Failure>>,
    fetches: u64,
}

impl Provider {
    pub(super) fn new(issuer: String) -> Self {
        Self { issuer, held: RwLock::default(), fetching: Mutex::default() }
    }

    /// Creates a provider whose keys are already cached.
    #[cfg(test)]
    pub(super) fn holding(issuer: String, keys: KeySet, at: Timestamp) -> Self {
        let held = Held { keys: Some((Arc::new(keys), at)), ..Held::default() };
        Self { held: RwLock::new(held), ..Self::new(issuer) }
    }

    /// Returns the key that verifies `token`. A fetch has its own time, and ends with the request's deadline.
    pub(super) async fn key(
        &self,
        token: &Unverified<'_>,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<DecodingKey, Problem> {
        let mut held = self.held.read().await.clone();
        let key_id = token.key_id.as_deref();
        if !held.suffices(key_id, now) && held.may_fetch(now) {
            let time = if held.knows(key_id, now) { REFETCH_TIME } else { FETCH_TIME };
            held = self.fetch(&held, now, deadline.within(time)).await;
        }
        held.key(token, now)
    }

    /// Returns the key for `token` after another fetch, because the provider may have replaced its only key, which has no id. `None` if the
    /// last refresh was less than a minute ago.
    pub(super) async fn replaced_key(
        &self,
        token: &Unverified<'_>,
        deadline: Deadline,
        now: Timestamp,
    ) -> Option<DecodingKey> {
        let held = self.held.read().await.clone();
        if !held.may_fetch(now) {
            return None;
        }
        self.fetch(&held, now, deadline.within(REFETCH_TIME)).await.key(token, now).ok()
    }

    /// Fetches the keys, or waits for a fetch that is already running, and returns the outcome.
    async fn fetch(&self, seen: &Held, now: Timestamp, deadline: Instant) -> Held {
        let Ok(_turn) = timeout_at(deadline, self.fetching.lock()).await else {
            return Held { failure: Some(Arc::new(Failure::TimedOut)), ..seen.clone() };
        };
        let known = self.held.read().await.clone();
        if known.fetches != seen.fetches {
            return known;
        }
        let outcome = timeout_at(deadline, discovery::fetch_keys(&self.issuer)).await.unwrap_or(Err(Failure::TimedOut));
        let mut held = self.held.write().await;
        held.record(outcome, now);
        held.clone()
    }
}

impl Held {
    /// Returns the cached keys, unless they are too old to use.
    fn usable(&self, now: Timestamp) -> Option<&KeySet> {
        self.keys.as_ref().filter(|(_, at)| now.since(*at) < STALE).map(|(keys, _)| keys.as_ref())
    }

    fn knows(&self, key_id: Option<&str>, now: Timestamp) -> bool {
        self.usable(now).is_some_and(|keys| keys.contains(key_id))
    }

    /// Returns whether the key id can be looked up without a refresh. A token without one is refused if there are several keys.
    fn suffices(&self, key_id: Option<&str>, now: Timestamp) -> bool {
        let fresh = self.keys.as_ref().is_some_and(|(_, at)| now.since(*at) < FRESH);
        fresh && (key_id.is_none() || self.knows(key_id, now))
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        self.usable(now).is_none() || self.refetched_at.is_none_or(|at| now.since(at) >= REFETCH_INTERVAL)
    }

    fn record(&mut self, outcome: Result<KeySet, Failure>, now: Timestamp) {
        self.fetches += 1;
        self.refetched_at = self.keys.is_some().then_some(now);
        match outcome {
            Ok(keys) => {
                self.keys = Some((Arc::new(keys), now));
                self.failure = None;
            }
            Err(failure) => {
                if self.usable(now).is_some() {
                    tracing::warn!(
                        cause = problem::error_chain(&failure),
                        "the provider's keys could not be fetched again"
                    );
                }
                self.failure = Some(Arc::new(failure));
            }
        }
    }

    fn key(&self, token: &Unverified, now: Timestamp) -> Result<DecodingKey, Problem> {
        let key_id = token.key_id.as_deref();
        match (self.usable(now), &self.failure) {
            (Some(keys), _) if keys.contains(key_id) => Ok(keys.key(key_id, token.algorithm)?),
            (Some(_), _) if key_id.is_none() => Err(TokenRefusal::NoKeyId.into()),
            (Some(_), None) => Err(TokenRefusal::UnknownKey.into()),
            // This applies also if other keys are cached: the key may be a new one that could not be fetched.
            (_, Some(failure)) => Err(Arc::clone(failure).into()),
            (None, None) => Err(ProblemCode::Unavailable.into()),
        }
    }
}
