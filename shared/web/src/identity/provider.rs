//! The provider's keys and endpoints: read from the table as the process starts, kept, and read again.
//!
//! `refresh-keys` writes them to the table every 15 minutes. A process asks the provider itself only where the table does not help: the item
//! is missing, unreadable or late, or it lacks the key of a token. The read at the start never asks the provider.

use std::{
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{ProviderMetadata, Timestamp};
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use jsonwebtoken::DecodingKey;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{
    Deadline, TokenRefusal,
    discovery::{self, Failure},
    endpoints::Endpoints,
    key_set::KeySet,
    metadata::Metadata,
    token::Unverified,
};
use crate::problem::{self, Problem, ProblemCode};

/// How long metadata is used without reading the item again. With the 15 minutes of the schedule and a minute for the schedule's delay and the
/// fetch, a key that the provider withdraws is refused within 30 minutes.
pub(super) const READ_INTERVAL: Duration = Duration::from_mins(14);

/// The time until the item is read again where a read gave nothing and good keys are held, and the minimum time between two searches for a key,
/// so that unknown key ids cannot be used to flood the provider.
const PAUSE: Duration = Duration::from_mins(1);

/// The time until the next attempt where there are no good keys, so that requests flood neither the table nor a provider that is down.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// The deadline for the item.
const READ_TIME: Duration = Duration::from_secs(1);

/// The deadline for the item as the process starts. A request may wait this long before its own read and its request to the provider. All three
/// together stay under four seconds, so an unresponsive provider is still reported in time. A read takes milliseconds, or tens of them with
/// the handshake.
const START_TIME: Duration = Duration::from_millis(500);

/// The deadline for both documents of the provider together, so that an unresponsive provider is reported before the caller gives up.
const FETCH_TIME: Duration = Duration::from_millis(2200);

/// The deadline for both documents where the held keys suffice for the request and are only late, which leaves time for the request itself.
const REFETCH_TIME: Duration = Duration::from_secs(1);

/// Reads the metadata of an issuer where `refresh-keys` has put it.
pub(super) type ReadMetadata =
    Box<dyn Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, Problem>> + Send + Sync>;

/// Returns a reader whose failures are problems.
pub(super) fn reader<E: 'static>(
    read: impl Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, E>> + Send + Sync + 'static,
) -> ReadMetadata
where
    Problem: From<E>,
{
    Box::new(move |issuer| read(issuer).err_into().boxed())
}

/// The keys and endpoints of one issuer, which a process holds once.
pub(super) struct Provider {
    issuer: String,
    read: ReadMetadata,
    held: RwLock<Arc<Held>>,
    /// Held during a read or a request to the provider.
    turn: Mutex<()>,
}

/// The provider's metadata as a process holds it, replaced as a whole.
#[derive(Clone, Default)]
struct Held {
    metadata: Option<Arc<Metadata>>,
    /// The time until the item is read again.
    read_pause: Pause,
    /// The time until a key may be searched for again.
    search_pause: Pause,
    /// The failure of the last request to the provider.
    failure: Option<Arc<Failure>>,
    /// The time until the next attempt, while there are no good keys.
    retry_pause: Pause,
}

/// A time in which something is not done again. It also ends if the clock is set back before its start, which could otherwise make it last for
/// years.
#[derive(Clone, Default)]
struct Pause(Option<Range<Timestamp>>);

impl Provider {
    /// Creates a provider whose metadata is not read yet.
    pub(super) fn new(issuer: String, read: ReadMetadata) -> Self {
        Self { issuer, read, held: RwLock::default(), turn: Mutex::default() }
    }

    /// Creates a provider that holds these keys, and reads no item.
    #[cfg(test)]
    pub(super) fn holding(issuer: String, metadata: Metadata) -> Self {
        let read_pause = Pause::start(Timestamp::from_epoch_seconds(0), Duration::MAX);
        let held = Held { metadata: Some(Arc::new(metadata)), read_pause, ..Held::default() };
        let read = reader(|_| -> BoxFuture<'static, Result<_, Problem>> { Box::pin(async { Ok(None) }) });
        Self { held: RwLock::new(Arc::new(held)), ..Self::new(issuer, read) }
    }

    /// Reads the item before a request needs it. If that gives nothing good, the first request that needs the metadata reads the item itself.
    pub(super) async fn read_ahead(&self, now: Timestamp) {
        let _turn = self.turn.lock().await;
        let held = self.held();
        if !held.needs_refresh(|_| true, now) {
            return;
        }
        let item = self.read_item(Instant::now() + START_TIME, now).await.inspect_err(Unread::log);
        if let Some(item) = item.ok().filter(|item| !item.is_late(now)) {
            let mut next = Held { failure: None, ..Held::clone(&held) };
            next.take(Some(item), now);
            self.hold(next);
        }
    }

    /// Returns the key that verifies `token`. Reads and requests end at the deadline.
    pub(super) async fn key(
        &self,
        token: &Unverified<'_>,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Arc<DecodingKey>, Problem> {
        // A token that names no key is refused if there are several keys, and no search helps.
        let id = token.key_id.as_deref();
        let suffices = |keys: &KeySet| id.is_none() || keys.contains(id);
        self.current(suffices, deadline, now).await.key(token, now)
    }

    /// Returns the key for `token` after a search for another key than the one that did not verify it, because the provider may have replaced
    /// its only key, which has no id. `None` if the last search was less than a minute ago.
    pub(super) async fn replaced_key(
        &self,
        token: &Unverified<'_>,
        deadline: Deadline,
        now: Timestamp,
    ) -> Option<Arc<DecodingKey>> {
        let verifies = |keys: &KeySet| keys.key(None, token.algorithm).is_ok_and(|key| token.has_signature_of(key));
        if !self.held().may_search(now) {
            return None;
        }
        self.current(verifies, deadline, now).await.key(token, now).ok()
    }

    /// Returns the provider's endpoints for the code flow.
    pub(super) async fn endpoints(&self, deadline: Deadline, now: Timestamp) -> Result<Arc<Endpoints>, Problem> {
        let held = self.current(|_| true, deadline, now).await;
        let endpoints = held.good(now).ok_or_else(|| held.unavailable())?.endpoints.clone();
        Ok(endpoints.ok_or(Failure::NoEndpoints)?)
    }

    /// Returns the failure of the last request to the provider, if it failed.
    pub(super) fn failure(&self) -> Option<Arc<Failure>> {
        self.held().failure.clone()
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, next: Held) -> Arc<Held> {
        let next = Arc::new(next);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        next
    }

    /// Returns what is held, after a refresh where that is due or its keys do not suffice.
    async fn current(&self, suffices: impl Fn(&KeySet) -> bool, deadline: Deadline, now: Timestamp) -> Arc<Held> {
        let held = self.held();
        // On the heap, since hardly any request needs it and it is large.
        if held.needs_refresh(&suffices, now) {
            Box::pin(self.refresh(held, suffices, deadline, now)).await
        } else {
            held
        }
    }

    /// Reads the item and, where that is not enough, asks the provider. Waits first for a read that has begun, which may be enough.
    async fn refresh(
        &self,
        seen: Arc<Held>,
        suffices: impl Fn(&KeySet) -> bool,
        deadline: Deadline,
        now: Timestamp,
    ) -> Arc<Held> {
        let began = Instant::now();
        let fetch_time = |held: &Held| if held.suffices(&suffices, now) { REFETCH_TIME } else { FETCH_TIME };
        let Ok(_turn) = timeout_at(deadline.within(READ_TIME + fetch_time(&seen)), self.turn.lock()).await else {
            return Arc::new(Held { failure: Some(Arc::new(Failure::TimedOut)), ..Held::clone(&seen) });
        };
        let seen = self.held();
        if !seen.needs_refresh(&suffices, now) {
            return seen;
        }
        let mut next = Held::clone(&seen);
        if seen.good(now).is_some_and(|metadata| !suffices(&metadata.keys)) {
            next.search_pause = Pause::start(now, PAUSE);
        }
        let item = self.read_item(deadline.within(READ_TIME), now).await;
        next.take(item.inspect_err(Unread::log).ok(), now);
        let is_enough = |metadata: &Arc<Metadata>| !metadata.is_late(now) && suffices(&metadata.keys);
        if next.good(now).is_some_and(is_enough) {
            next.failure = None;
        } else {
            let end = deadline.within(fetch_time(&next));
            self.ask(&mut next, end, now).await;
            next.retry_pause = Pause::start(now, began.elapsed() + RETRY_PAUSE);
        }
        self.hold(next)
    }

    /// Reads the item, until `end`.
    async fn read_item(&self, end: Instant, now: Timestamp) -> Result<Metadata, Unread> {
        let read = timeout_at(end, (self.read)(self.issuer.clone())).await;
        let read = read.map_err(|_| Unread::Unusable("the item could not be read in time"))?;
        let item = read.map_err(Unread::Failed)?.ok_or(Unread::Unusable("there is no item"))?;
        let metadata = Metadata::parse(&item, &self.issuer).ok_or(Unread::Unusable("the item is not readable"))?;
        if metadata.is_good(now) {
            return Ok(metadata);
        }
        let is_ahead = metadata.fetched_at > now;
        let why = if is_ahead { "the item is dated ahead of the clock" } else { "the item is over a day old" };
        Err(Unread::Unusable(why))
    }

    /// Asks the provider, until `end`.
    async fn ask(&self, next: &mut Held, end: Instant, now: Timestamp) {
        let holds_good_keys = next.good(now).is_some();
        if holds_good_keys {
            next.search_pause = Pause::start(now, PAUSE);
        }
        let fetched = timeout_at(end, discovery::fetch(&self.issuer, now)).await;
        let fetched = fetched.unwrap_or(Err(Failure::TimedOut));
        match fetched.and_then(|fetched| Metadata::parse(&fetched, &self.issuer).ok_or(Failure::NoKeys)) {
            Ok(metadata) => {
                next.take(Some(metadata), now);
                next.failure = None;
            }
            Err(failure) => {
                if holds_good_keys {
                    let cause = problem::error_chain(&failure);
                    tracing::warn!(cause, "the provider's keys could not be fetched again");
                }
                next.failure = Some(Arc::new(failure));
            }
        }
    }
}

/// Why a read of the item gave no metadata.
enum Unread {
    /// The table has no item that helps, for this reason.
    Unusable(&'static str),
    /// The read failed.
    Failed(Problem),
}

impl Unread {
    fn log(&self) {
        match self {
            Self::Unusable(cause) => tracing::warn!(cause, "the table has no keys of the identity provider"),
            Self::Failed(problem) => {
                let (service, cause) = (problem.service(), problem.cause());
                tracing::warn!(service, cause, "the identity provider's keys could not be read from the table");
            }
        }
    }
}

impl Held {
    /// Returns the metadata, unless it is too old to use.
    fn good(&self, now: Timestamp) -> Option<&Arc<Metadata>> {
        self.metadata.as_ref().filter(|metadata| metadata.is_good(now))
    }

    /// Returns whether good keys are held that suffice.
    fn suffices(&self, suffices: impl Fn(&KeySet) -> bool, now: Timestamp) -> bool {
        self.good(now).is_some_and(|metadata| suffices(&metadata.keys))
    }

    /// Returns whether a read or a request is due, or the keys do not suffice and others may be searched for.
    fn needs_refresh(&self, suffices: impl Fn(&KeySet) -> bool, now: Timestamp) -> bool {
        match self.good(now) {
            Some(metadata) => self.is_due(now) || !suffices(&metadata.keys) && self.may_search(now),
            None => !self.retry_pause.contains(now),
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        !self.read_pause.contains(now)
    }

    fn may_search(&self, now: Timestamp) -> bool {
        !self.search_pause.contains(now)
    }

    /// Takes metadata that was read or fetched, unless what is held is good and was fetched later.
    fn take(&mut self, metadata: Option<Metadata>, now: Timestamp) {
        self.read_pause = Pause::start(now, if metadata.is_some() { READ_INTERVAL } else { PAUSE });
        let is_newer = |metadata: &Metadata| {
            let held = self.good(now);
            held.is_none_or(|held| held.fetched_at <= metadata.fetched_at)
        };
        if let Some(newer) = metadata.filter(is_newer) {
            self.metadata = Some(Arc::new(newer));
        }
    }

    /// Returns the key for `token`. A key that is not held is unknown, also if the provider could not be asked: most such tokens are forged. Only
    /// if the metadata is late too, it may be a new key, and the problem is `unavailable`.
    fn key(&self, token: &Unverified, now: Timestamp) -> Result<Arc<DecodingKey>, Problem> {
        let metadata = self.good(now).ok_or_else(|| self.unavailable())?;
        let (keys, id) = (&metadata.keys, token.key_id.as_deref());
        if keys.contains(id) {
            Ok(Arc::clone(keys.key(id, token.algorithm)?))
        } else if id.is_none() {
            Err(TokenRefusal::NoKeyId.into())
        } else if metadata.is_late(now) && self.failure.is_some() {
            Err(self.unavailable())
        } else {
            Err(TokenRefusal::UnknownKey.into())
        }
    }

    /// Returns the problem of a request for which nothing could be fetched.
    fn unavailable(&self) -> Problem {
        self.failure.as_ref().map_or_else(|| ProblemCode::Unavailable.into(), |failure| Arc::clone(failure).into())
    }
}

impl Pause {
    fn start(now: Timestamp, time: Duration) -> Self {
        Self(Some(now..now.plus(time)))
    }

    fn contains(&self, now: Timestamp) -> bool {
        self.0.as_ref().is_some_and(|times| times.contains(&now))
    }
}
