//! Models publish-events: the stream delivers a record until it is acknowledged, and each delivery orders the record's notices, publishes its
//! event, and acknowledges.
//!
//! A batch has several records. A delivery may die at any step, lose an answer after the call was carried out, or leave a request under
//! way, which is carried out later or never. What a delivery reports as failed is delivered again, and everything after it. The worker
//! that sends the notices is that of `mail.rs`; here a notice only counts how often it was ordered: an item that is put a second time
//! would be mailed a second time.

mod tests;

use stateright::{Model, Property};

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The event is published before its notices are ordered.
    EventBeforeNotices,
    /// A notice replaces one that is there.
    NoticeReplaced,
    /// A record whose event the bus refused is acknowledged.
    RefusalAcknowledged,
    /// A record that cannot be read fails the delivery.
    UnreadableFails,
    /// The id of an event is made anew in each delivery.
    IdOfTheDelivery,
}

#[derive(Clone, Debug)]
pub(crate) struct PublishModel {
    pub(crate) variant: Variant,
    /// Whether each record of the stream can be read.
    pub(crate) records: Vec<bool>,
    /// The number of deliveries that may fail; afterwards every call succeeds.
    pub(crate) failures: u8,
    /// The number of deliveries until Lambda gives up.
    pub(crate) deliveries: u8,
}

/// The outcome of one record so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// The number of times that its notice was put.
    ordered: u8,
    /// The number of ids under which its event was published.
    ids: u8,
    /// Whether its event was published before its notice was ordered.
    was_early: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    records: Vec<Record>,
    /// The number of acknowledged records.
    acknowledged: usize,
    delivery: Option<Delivery>,
    /// The records whose put is under way without its delivery.
    late_notices: Vec<usize>,
    /// The records whose event is under way without its delivery.
    late_events: Vec<usize>,
    failures: u8,
    deliveries: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delivery {
    record: usize,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Begun,
    /// The first of the two calls is answered.
    FirstDone,
    Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Deliver,
    PassOver,
    Ordered,
    OrderAnswerLost,
    OrderDelayed,
    Published,
    PublishAnswerLost,
    PublishDelayed,
    BusRefuses,
    Acknowledged,
    Crash,
    LateNotice(usize),
    LateEvent(usize),
}

impl Model for PublishModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            records: vec![Record::default(); self.records.len()],
            acknowledged: 0,
            delivery: None,
            late_notices: Vec::new(),
            late_events: Vec::new(),
            failures: 0,
            deliveries: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend((0..world.late_notices.len()).map(Action::LateNotice));
        actions.extend((0..world.late_events.len()).map(Action::LateEvent));
        let Some(delivery) = world.delivery else {
            if world.acknowledged < self.records.len() && world.deliveries < self.deliveries {
                actions.push(Action::Deliver);
            }
            return;
        };
        let may_fail = world.failures < self.failures;
        if may_fail {
            actions.push(Action::Crash);
        }
        if !self.records[delivery.record] {
            actions.push(Action::PassOver);
            return;
        }
        match (delivery.step, self.variant == Variant::EventBeforeNotices) {
            (Step::Begun, false) | (Step::FirstDone, true) => {
                actions.push(Action::Ordered);
                if may_fail {
                    actions.extend([Action::OrderAnswerLost, Action::OrderDelayed]);
                }
            }
            (Step::Begun, true) | (Step::FirstDone, false) => {
                actions.push(Action::Published);
                if may_fail {
                    actions.extend([Action::PublishAnswerLost, Action::PublishDelayed, Action::BusRefuses]);
                }
            }
            (Step::Told, _) => actions.push(Action::Acknowledged),
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Deliver => {
                world.delivery = Some(Delivery { record: world.acknowledged, step: Step::Begun });
                world.deliveries += 1;
            }
            Action::LateNotice(place) => {
                let record = world.late_notices.remove(place);
                self.order(&mut world, record);
            }
            Action::LateEvent(place) => {
                let record = world.late_events.remove(place);
                self.publish(&mut world, record);
            }
            step => self.step(&mut world, step),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an event has one id", |_, world: &World| world.records.iter().all(|one| one.ids <= 1)),
            Property::always("a notice is ordered once", |_, world: &World| {
                world.records.iter().all(|record| record.ordered <= 1)
            }),
            Property::always("an event is not published before its notices", |_, world: &World| {
                world.records.iter().all(|record| !record.was_early)
            }),
            Property::always("what is acknowledged is published", |model: &Self, world: &World| {
                let acknowledged = world.records.iter().zip(&model.records).take(world.acknowledged);
                acknowledged.filter(|(_, readable)| **readable).all(|(record, _)| record.ids > 0 && record.ordered > 0)
            }),
            Property::always("no record holds up the others", |model: &Self, world: &World| {
                world.deliveries < model.deliveries
                    || world.delivery.is_some()
                    || world.acknowledged == model.records.len()
            }),
            Property::sometimes("a record is delivered again after its event", |_, world: &World| {
                world.failures > 0 && world.records.iter().any(|record| record.ids > 0) && world.acknowledged == 0
            }),
            Property::sometimes("an event is published late", |model: &Self, world: &World| {
                world.acknowledged == model.records.len() && !world.late_events.is_empty()
            }),
        ]
    }
}

impl PublishModel {
    /// Carries out a step of the delivery that is under way.
    fn step(&self, world: &mut World, action: Action) {
        let Some(Delivery { record, step }) = world.delivery else { return };
        let next = if step == Step::Begun { Step::FirstDone } else { Step::Told };
        match action {
            Action::PassOver if self.variant == Variant::UnreadableFails => world.delivery = None,
            Action::PassOver | Action::Acknowledged => Self::acknowledge(world, record),
            Action::Ordered => {
                self.order(world, record);
                world.delivery = Some(Delivery { record, step: next });
            }
            Action::Published => {
                self.publish(world, record);
                world.delivery = Some(Delivery { record, step: next });
            }
            Action::OrderAnswerLost => {
                self.order(world, record);
                Self::fail(world);
            }
            Action::PublishAnswerLost => {
                self.publish(world, record);
                Self::fail(world);
            }
            Action::OrderDelayed => {
                world.late_notices.push(record);
                Self::fail(world);
            }
            Action::PublishDelayed => {
                world.late_events.push(record);
                Self::fail(world);
            }
            Action::BusRefuses if self.variant == Variant::RefusalAcknowledged => Self::acknowledge(world, record),
            Action::BusRefuses | Action::Crash => Self::fail(world),
            Action::Deliver | Action::LateNotice(_) | Action::LateEvent(_) => {}
        }
    }

    /// Carries out the put of a notice, which is put only if it is absent.
    fn order(&self, world: &mut World, record: usize) {
        let record = &mut world.records[record];
        if record.ordered == 0 || self.variant == Variant::NoticeReplaced {
            record.ordered += 1;
        }
    }

    fn publish(&self, world: &mut World, record: usize) {
        let record = &mut world.records[record];
        record.was_early |= record.ordered == 0;
        record.ids = if self.variant == Variant::IdOfTheDelivery { record.ids + 1 } else { 1 };
    }

    fn acknowledge(world: &mut World, record: usize) {
        (world.acknowledged, world.delivery) = (record + 1, None);
    }

    /// Ends a delivery without an acknowledgement.
    fn fail(world: &mut World) {
        world.delivery = None;
        world.failures += 1;
    }
}
