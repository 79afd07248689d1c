//! `publish-events`: tells the vendor's other systems what happened to a subscription, and orders the mails that tell its people.
//!
//! **Source**: the table's stream: new entries of histories, and changes of credentials and welcome mails, in batches.
//!
//! Each transition is published at least once, with one id however often, and each of its notices is ordered once. Notices are ordered
//! first: an event that was published is never missing its notices. A record that cannot be read is counted and passed over, so that
//! it holds up none of the others; only what AWS refuses is delivered again.

#![warn(clippy::wildcard_enum_match_arm)]

mod detail;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws::{EventBus, Failure, LARGEST_CALL, Notices, OrderNoticeOutcome, OutgoingEvent, Table};
use detail::Detail;
use domain::{Credential, Notice, NoticeLevel, SubscriptionId, Timestamp, Transition, notice};
use futures_util::future::{join_all, try_join_all};
use lambda::{Clock, Rejection, Settings};
use serde_json::Value;
use tracing::{info, warn};

/// The function's stores and clients: they let it read who gets notices, order these, and publish. It can neither unseal a password nor
/// change anything that it tells.
pub struct App {
    notices: Notices,
    bus: EventBus,
    clock: Clock,
    level: NoticeLevel,
    with_addresses: bool,
}

/// How often events are given to the bus that it refuses, and the pause before each further time.
const PUBLISH_TRIES: u32 = 3;
const PUBLISH_PAUSE: Duration = Duration::from_millis(200);

/// The number of subscriptions that are worked on at the same time.
const AT_ONCE: usize = 8;

impl App {
    /// Reads the settings `TABLE_NAME`, `EVENT_BUS`, `NOTICES`, `EVENTS_WITH_ADDRESSES`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let flag = |text: &str| text.parse().ok();
        Ok(Self {
            notices: Notices::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            bus: EventBus::new(&aws, settings.required("EVENT_BUS")?),
            clock,
            level: settings.parsed("NOTICES", NoticeLevel::Security, NoticeLevel::parse)?,
            with_addresses: settings.parsed("EVENTS_WITH_ADDRESSES", false, flag)?,
        })
    }
}

/// A transition and the place of its record in the batch.
struct PlacedTransition {
    place: usize,
    transition: Transition,
}

type Outcomes = Vec<Result<(), Rejection>>;

/// Handles the records of a batch. Returns what became of each of them, in their order.
pub async fn handle(app: Arc<App>, records: Vec<Value>) -> Outcomes {
    let now = app.clock.now();
    let mut outcomes: Outcomes = records.iter().map(|_| Ok(())).collect();
    let by_subscription = read(&records);
    let mut ready = Vec::new();
    let groups: Vec<_> = by_subscription.into_iter().collect();
    for some in groups.chunks(AT_ONCE) {
        // Boxed here and below, since the compiler does not compute the layout of futures as deep as these.
        let prepared = some.iter().map(|(subscription, told)| Box::pin(app.prepare(subscription, told, now)));
        for (place, event) in join_all(prepared).await.into_iter().flatten() {
            match event {
                Ok(event) => ready.push((place, event)),
                Err(failure) => outcomes[place] = Err(failure.into()),
            }
        }
    }
    for (place, failure) in Box::pin(app.publish(ready)).await {
        outcomes[place] = Err(failure);
    }
    outcomes
}

/// Returns the transitions that the records tell, by subscription. What cannot be read is counted.
fn read(records: &[Value]) -> BTreeMap<SubscriptionId, Vec<PlacedTransition>> {
    let mut all: BTreeMap<SubscriptionId, Vec<PlacedTransition>> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        match aws::transitions(record) {
            Ok(transitions) => {
                for transition in transitions {
                    let placed = PlacedTransition { place, transition };
                    all.entry(placed.transition.subscription.clone()).or_default().push(placed);
                }
            }
            Err(unreadable) => {
                let (key, cause) = (unreadable.key.as_deref(), &unreadable.cause);
                warn!(outcome = "unreadable", metric = "RecordUnreadable", key, %cause);
            }
        }
    }
    all
}

impl App {
    /// Orders the notices of a subscription's transitions, and returns the event of each.
    async fn prepare(
        &self,
        subscription: &SubscriptionId,
        told: &[PlacedTransition],
        now: Timestamp,
    ) -> Vec<(usize, Result<OutgoingEvent, Failure>)> {
        // The credential names the company, and lists the portal users that a notice may go to.
        let credential = match self.notices.credential(subscription).await {
            Ok(credential) => credential,
            Err(failure) => return told.iter().map(|one| (one.place, Err(failure.clone()))).collect(),
        };
        let mut events = Vec::with_capacity(told.len());
        for PlacedTransition { place, transition } in told {
            let ordered = match &credential {
                Some(credential) => self.notify(transition, credential, now).await,
                None => Ok(()),
            };
            events.push((*place, ordered.map(|()| self.event(transition, credential.as_ref()))));
        }
        events
    }

    fn event(&self, transition: &Transition, credential: Option<&Credential>) -> OutgoingEvent {
        let company = credential.map(|credential| &credential.company.id);
        let detail = Detail::new(transition, company, self.with_addresses);
        // A struct of texts and numbers always serializes.
        let detail = serde_json::to_string(&detail).unwrap_or_default();
        OutgoingEvent { detail_type: transition.event_type.as_str(), detail }
    }

    /// Orders the notices of a transition.
    async fn notify(&self, transition: &Transition, credential: &Credential, now: Timestamp) -> Result<(), Failure> {
        if !notice::wants_notices(transition, self.level, now) {
            return Ok(());
        }
        let (id, with_administrators) = (&transition.subscription, notice::wants_administrators(transition));
        let Some(recipients) = self.notices.recipients(id, with_administrators).await? else { return Ok(()) };
        let locale = &recipients.mail.locale;
        let notices = recipients.addresses(transition, credential);
        let notices: Vec<_> = notices.iter().map(|to| Notice::new(transition, to, locale.clone(), now)).collect();
        let orders = try_join_all(notices.iter().map(|notice| self.notices.order(id, notice))).await?;
        for _ in orders.iter().filter(|order| **order == OrderNoticeOutcome::Ordered) {
            info!(outcome = "notice-ordered", metric = "NoticeOrdered");
        }
        Ok(())
    }

    /// Publishes events in calls of ten. Returns those that the bus still refuses in the end, and why.
    async fn publish(&self, events: Vec<(usize, OutgoingEvent)>) -> Vec<(usize, Rejection)> {
        let mut left: Vec<_> = events.iter().collect();
        let mut refused = Vec::new();
        for turn in 0..PUBLISH_TRIES {
            if left.is_empty() {
                return Vec::new();
            }
            if turn > 0 {
                tokio::time::sleep(PUBLISH_PAUSE).await;
            }
            refused = self.publish_once(&left).await;
            left = refused.iter().map(|(event, _)| *event).collect();
        }
        for (_, failure) in &refused {
            warn!(outcome = "not-published", metric = "NotPublished", service = failure.service(), cause = %failure);
        }
        refused.into_iter().map(|(event, failure)| (event.0, failure.into())).collect()
    }

    async fn publish_once<'e>(
        &self,
        events: &[&'e (usize, OutgoingEvent)],
    ) -> Vec<(&'e (usize, OutgoingEvent), Failure)> {
        let mut refused = Vec::new();
        for some in events.chunks(LARGEST_CALL) {
            let outgoing: Vec<_> = some.iter().map(|(_, event)| event).collect();
            let outcomes = self.bus.publish(&outgoing).await;
            for (event, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Ok(()) => info!(outcome = "published", metric = "Published", detail_type = event.1.detail_type),
                    Err(failure) => refused.push((*event, failure)),
                }
            }
        }
        refused
    }
}
