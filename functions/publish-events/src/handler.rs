//! `publish-events`: publishes what happened to subscriptions for the vendor's other systems, and orders the notices to their people.
//!
//! **Source**: the table's stream: new entries of histories, and changes of credentials and welcome mails, in batches.
//!
//! Each transition is published at least once, always with the same id, and each of its notices is ordered once. Notices are ordered
//! first: an event that was published is never missing its notices. A record that cannot be read is counted and passed over, so that
//! it holds up none of the others; only what AWS refuses is reported as failed.

#![warn(clippy::wildcard_enum_match_arm)]

mod detail;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws::{EVENTS_PER_CALL, EventBus, Failure, Notices, OrderNoticeOutcome, PublishedEvent, Table};
use detail::{ActorNames, Detail};
use domain::{Credential, Notice, NoticeLevel, Recipients, SubscriptionId, Timestamp, Transition, notice::Audience};
use futures_util::future::{join_all, try_join_all};
use lambda::{Clock, Rejection, Settings};
use serde_json::Value;
use tracing::{info, warn};

/// The function's stores and clients: they let it read who gets notices, order these, and publish. It can neither unseal a password nor
/// change anything that it publishes.
pub struct App {
    notices: Notices,
    bus: EventBus,
    clock: Clock,
    level: NoticeLevel,
    names: ActorNames,
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
        let names = |text: &str| {
            text.parse().ok().map(|shown: bool| if shown { ActorNames::Shown } else { ActorNames::Hidden })
        };
        Ok(Self {
            notices: Notices::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            bus: EventBus::new(&aws, settings.required("EVENT_BUS")?),
            clock,
            level: settings.parsed("NOTICES", NoticeLevel::Security, NoticeLevel::parse)?,
            names: settings.parsed("EVENTS_WITH_ADDRESSES", ActorNames::Hidden, names)?,
        })
    }
}

/// A transition and the place of its record in the batch.
struct PlacedTransition {
    place: usize,
    transition: Transition,
}

/// The transitions of a subscription in a batch, and the audience that has everyone who gets a notice of one of them.
#[derive(Clone, Copy)]
struct Announced<'t> {
    transitions: &'t [PlacedTransition],
    everyone: Audience,
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
        let prepared =
            some.iter().map(|(subscription, transitions)| Box::pin(app.prepare(subscription, transitions, now)));
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

/// Returns the transitions in the records, by subscription. What cannot be read is counted.
fn read(records: &[Value]) -> BTreeMap<SubscriptionId, Vec<PlacedTransition>> {
    let mut all: BTreeMap<SubscriptionId, Vec<PlacedTransition>> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        match aws::read_transitions(record) {
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
    /// Orders the notices of a subscription's transitions, and returns the event of each. After a call that AWS has refused it makes no other.
    async fn prepare(
        &self,
        subscription: &SubscriptionId,
        transitions: &[PlacedTransition],
        now: Timestamp,
    ) -> Vec<(usize, Result<PublishedEvent, Failure>)> {
        // The credential names the company, and lists the portal users that a notice may go to.
        let credential = match readable(self.notices.credential(subscription).await) {
            Ok(credential) => credential.flatten(),
            Err(failure) => return transitions.iter().map(|one| (one.place, Err(failure.clone()))).collect(),
        };
        let audience = |one: &PlacedTransition| Audience::new(&one.transition, self.level, now);
        let everyone = transitions.iter().filter_map(audience).reduce(Audience::and);
        let announced = everyone.map(|everyone| Announced { transitions, everyone });
        let (mut recipients, mut refused) = (None, None);
        let mut events = Vec::with_capacity(transitions.len());
        for PlacedTransition { place, transition } in transitions {
            if let (Some(credential), Some(announced), None) = (&credential, announced, &refused) {
                let ordered = self.notify(transition, credential, announced, &mut recipients, now).await;
                refused = readable(ordered).err();
            }
            let event = || self.event(transition, credential.as_ref());
            events.push((*place, refused.clone().map_or_else(|| Ok(event()), Err)));
        }
        events
    }

    fn event(&self, transition: &Transition, credential: Option<&Credential>) -> PublishedEvent {
        let company = credential.map(|credential| &credential.company.id);
        let detail = Detail::new(transition, company, self.names);
        // A struct of texts and numbers always serializes.
        let detail = serde_json::to_string(&detail).unwrap_or_default();
        PublishedEvent { detail_type: transition.event_type.as_str(), detail }
    }

    /// Orders the notices of a transition. `known` are the recipients, which are read once for all transitions that are `announced`.
    async fn notify(
        &self,
        transition: &Transition,
        credential: &Credential,
        announced: Announced<'_>,
        known: &mut Option<Recipients>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(audience) = Audience::new(transition, self.level, now) else { return Ok(()) };
        let id = &transition.subscription;
        if known.is_none() {
            let transitions = announced.transitions.iter().map(|one| &one.transition);
            *known = self.notices.recipients(id, announced.everyone, transitions).await?;
        }
        let Some(recipients) = known else { return Ok(()) };
        let locale = &recipients.mail.locale;
        let addresses = recipients.addresses(audience, transition, credential, now);
        let notices: Vec<_> = addresses.iter().map(|to| Notice::new(transition, to, locale.clone(), now)).collect();
        let orders = try_join_all(notices.iter().map(|notice| self.notices.order(id, notice))).await?;
        for (notice, order) in notices.iter().zip(orders) {
            if order == OrderNoticeOutcome::Ordered {
                recipients.add(notice);
                info!(outcome = "notice-ordered", metric = "NoticeOrdered");
            }
        }
        Ok(())
    }

    /// Publishes events in calls of ten. Returns those that the bus still refuses in the end, and why.
    async fn publish(&self, events: Vec<(usize, PublishedEvent)>) -> Vec<(usize, Rejection)> {
        let mut left: Vec<_> = events.iter().collect();
        let mut refused = Vec::new();
        for turn in 0..PUBLISH_TRIES {
            if left.is_empty() {
                return Vec::new();
            }
            if turn > 0 {
                tokio::time::sleep(PUBLISH_PAUSE).await;
            }
            let calls = left.chunks(EVENTS_PER_CALL).map(|some| self.publish_at_once(some));
            refused = join_all(calls).await.concat();
            left = refused.iter().map(|(event, _)| *event).collect();
        }
        for (_, failure) in &refused {
            warn!(outcome = "not-published", metric = "NotPublished", service = failure.service(), cause = %failure);
        }
        refused.into_iter().map(|(event, failure)| (event.0, failure.into())).collect()
    }

    /// Publishes events in one call. Returns those that the bus refuses, and why.
    async fn publish_at_once<'e>(
        &self,
        events: &[&'e (usize, PublishedEvent)],
    ) -> Vec<(&'e (usize, PublishedEvent), Failure)> {
        let outgoing: Vec<_> = events.iter().map(|(_, event)| event).collect();
        let mut refused = Vec::new();
        for (event, outcome) in events.iter().zip(self.bus.publish(&outgoing).await) {
            match outcome {
                Ok(()) => info!(outcome = "published", metric = "Published", detail_type = event.1.detail_type),
                Err(failure) => refused.push((*event, failure)),
            }
        }
        refused
    }
}

/// Returns `None` in the place of an item that cannot be read, which is counted: no later delivery could read it either.
fn readable<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_unreadable() => {
            warn!(outcome = "unreadable", metric = "RecordUnreadable", cause = %failure);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
