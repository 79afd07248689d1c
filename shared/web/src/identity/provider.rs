//! The provider's keys: fetched when the first token comes, kept for an hour, and fetched again.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use jsonwebtoken::DecodingKey;
use tokio::{
    sync::{Mutex, RwLock},
    time::{Instant, timeout_at},
};

use crate::problem::{self, Problem, ProblemCode};

use super::{Refused, discovery, discovery::Failure, key_set::KeySet, token::Unverified};

/// How long fetched keys are used without asking again: what a key that the provider withdraws may live on.
const FRESH: Duration = Duration::from_hours(1);

/// How long fetched keys are used while the provider does not answer.
const STALE: Duration = Duration::from_hours(24);

/// Between two fetches while keys are held, so that a stranger's key ids do not make us a nuisance to the provider.
const REFETCH_INTERVAL: Duration = Duration::from_mins(1);

/// How long both documents may take together, so that a black hole is answered before the caller gives up.
const FETCH_TIME: Duration = Duration::from_millis(2200);

/// The same where the key that is needed is held: it leaves time for the request itself.
const REFETCH_TIME: Duration = Duration::from_secs(1);

/// The keys of one issuer.
pub(super) struct Provider {
    issuer: String,
    held: RwLock<Held>,
    fetching: Mutex<()>,
}

/// What is known of the keys.
#[derive(Clone, Default)]
struct Held {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    refetched_at: Option<Timestamp>,
    /// Of the last fetch.
    failure: Option<Arc<Failure>>,
    fetches: u64,
}

impl Provider {
    pub(super) fn new(issuer: String) -> Self {
        Self { issuer, held: RwLock::default(), fetching: Mutex::default() }
    }

    /// One that has fetched `keys` already.
    #[cfg(test)]
    pub(super) fn holding(issuer: String, keys: KeySet, at: Timestamp) -> Self {
        let held = Held { keys: Some((Arc::new(keys), at)), ..Held::default() };
        Self { held: RwLock::new(held), ..Self::new(issuer) }
    }

    /// The key with which to verify `token`.
    pub(super) async fn key(&self, token: &Unverified<'_>, now: Timestamp) -> Result<DecodingKey, Problem> {
        let mut held = self.held.read().await.clone();
        if !held.suffices(&token.key_id, now) && held.may_fetch(now) {
            let time = if held.knows(&token.key_id, now) { REFETCH_TIME } else { FETCH_TIME };
            held = self.fetch(&held, now, Instant::now() + time).await;
        }
        held.key(token, now)
    }

    /// Fetches, or waits for whoever already does; either way there is an outcome.
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
    /// The keys, unless they are too old for anything.
    fn usable(&self, now: Timestamp) -> Option<&KeySet> {
        self.keys.as_ref().filter(|(_, at)| now.since(*at) < STALE).map(|(keys, _)| keys.as_ref())
    }

    fn knows(&self, key_id: &str, now: Timestamp) -> bool {
        self.usable(now).is_some_and(|keys| keys.knows(key_id))
    }

    /// Whether this answers for a key id without asking the provider.
    fn suffices(&self, key_id: &str, now: Timestamp) -> bool {
        let fresh = self.keys.as_ref().is_some_and(|(_, at)| now.since(*at) < FRESH);
        fresh && self.knows(key_id, now)
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
                        cause = problem::in_words(&failure),
                        "the provider's keys could not be fetched again"
                    );
                }
                self.failure = Some(Arc::new(failure));
            }
        }
    }

    fn key(&self, token: &Unverified, now: Timestamp) -> Result<DecodingKey, Problem> {
        match (self.usable(now), &self.failure) {
            (Some(keys), _) if keys.knows(&token.key_id) => Ok(keys.key(&token.key_id, token.algorithm)?),
            (Some(_), None) => Err(Refused("the key is not the provider's").into()),
            // Also where other keys are held: it may be a new one, of which we could not hear.
            (_, Some(failure)) => Err(Arc::clone(failure).into()),
            (None, None) => Err(ProblemCode::Unavailable.into()),
        }
    }
}
