//! The provider's metadata, parsed once and ready for use.

use std::{sync::Arc, time::Duration};

use domain::{ProviderMetadata, Timestamp};

use super::{discovery::Discovery, endpoints::Endpoints, key_set::KeySet};

/// How long metadata is good after it was fetched, for the time that the provider is down.
const GOOD: Duration = Duration::from_hours(24);

/// The age from which a process asks the provider itself: `refresh-keys`, which runs every 15 minutes, has failed twice.
const LATE: Duration = Duration::from_mins(30);

/// How far ahead of our clock metadata may be dated, since clocks differ. An item dated later is refused: it would stay good for a day after its
/// date.
const AHEAD: Duration = Duration::from_mins(1);

/// The keys and endpoints of one issuer.
pub(super) struct Metadata {
    pub(super) keys: KeySet,
    /// `None` if the discovery document has no endpoints for codes.
    pub(super) endpoints: Option<Arc<Endpoints>>,
    pub(super) fetched_at: Timestamp,
}

impl Metadata {
    /// Parses the metadata of `issuer`. `None` if it is that of another issuer, or has no key that can be used.
    pub(super) fn parse(metadata: &ProviderMetadata, issuer: &str) -> Option<Self> {
        let discovery: Discovery = serde_json::from_str(&metadata.discovery).ok()?;
        if metadata.issuer != issuer || discovery.issuer != issuer {
            return None;
        }
        Some(Self {
            keys: KeySet::parse(&metadata.key_set)?,
            endpoints: Endpoints::from_discovery(discovery).map(Arc::new),
            fetched_at: metadata.fetched_at,
        })
    }

    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.fetched_at <= now.plus(AHEAD) && now.since(self.fetched_at) < GOOD
    }

    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) >= LATE
    }
}
