//! Models send-mail: the commit orders the mail, a queue message triggers the sending, and a lease keeps two workers from sending
//! at once.
//!
//! An event is delivered several times, and each delivery reads, generates a password and commits. A commit puts the mail item
//! and, as stream and pipe do, one or more messages into the queue. Each receive of a message runs a worker: take the lease,
//! unseal, send, record, acknowledge. A step that calls DynamoDB or SES may lose its answer (it was carried out), or its
//! request may be delayed (`LateRequest` carries it out at any later time, or never); a crash may follow any step.
//!
//! Time is counted in ticks, and the state holds only the time left of each time-out. The clock does not tick while a worker has no
//! time left: it must act first, or be killed (`Crash`). A message that is not acknowledged becomes visible again after its
//! visibility time-out, which runs from the receive.

mod item;
mod tests;
mod witness;
mod worker;

use stateright::{Model, Property};

use item::{Credential, DELIVERED, Late, Lease, MailItem, Message, Place};
use witness::Witness;

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The function that starts an issue sends its mail before the transaction.
    MailBeforeCommit,
    /// A message that meets a live lease is acknowledged.
    LeaseAcknowledged,
    /// The take does not write a lease.
    LeaseNotTaken,
    /// The lease of the worker's own earlier attempt, whose answer was lost, counts as another worker's.
    OwnLeaseNotRecognised,
    /// The release does not compare the lease's owner.
    ReleaseAnyLease,
    /// The record requires the lease.
    RecordRequiresLease,
    /// The record does not compare the issue.
    RecordWithoutIssue,
    /// The SDK retries inside one call when SES does not answer.
    SesRetried,
    /// The transaction that starts the next issue does not compare the issue that was read.
    IssueNotCompared,
}

/// The times in ticks, and the bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) function_time_out: u8,
    pub(crate) lease: i8,
    pub(crate) visibility: u8,
    /// The number of receives of a message before it becomes a dead letter.
    pub(crate) receives: u8,
    /// The number of messages that one commit produces.
    pub(crate) messages: usize,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_requests: usize,
    /// The number of deliveries of each event: event 0 starts the subscription, event `n` starts the issue after `n`.
    pub(crate) deliveries: Vec<usize>,
    /// Whether a sign-in, a change or the expiry makes the mail unnecessary.
    pub(crate) with_closing: bool,
    /// Whether SES refuses addresses and reports deliveries.
    pub(crate) with_feedback: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MailModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    credential: Option<Credential>,
    mail: Option<MailItem>,
    deliveries: Vec<Delivery>,
    messages: Vec<Message>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Late>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Delivery {
    event: u8,
    step: DeliveryStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum DeliveryStep {
    Waiting,
    /// The issue to be replaced was read, and a password was generated and sealed.
    Prepared {
        attempt: u8,
    },
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Prepare(usize),
    Commit(usize),
    CommitAnswerLost(usize),
    Receive(usize),
    Taken(usize),
    TakeAnswerLost(usize),
    TakeDelayed(usize),
    Unsealed(usize),
    UnsealFailed(usize),
    SesAccepts(usize),
    SesThrottles(usize),
    SesRefusesAddress(usize),
    SesAnswerLost(usize),
    SendDelayed(usize),
    Released(usize),
    ReleaseDelayed(usize),
    Recorded(usize),
    RecordAnswerLost(usize),
    RecordDelayed(usize),
    Acknowledged(usize),
    Crash(usize),
    LateRequest(usize),
    Close,
    Delivered,
    Tick,
}

impl Model for MailModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let deliveries = (0..)
            .zip(&self.scope.deliveries)
            .flat_map(|(event, &times)| std::iter::repeat_n(Delivery { event, step: DeliveryStep::Waiting }, times));
        vec![World {
            credential: None,
            mail: None,
            deliveries: deliveries.collect(),
            messages: Vec::new(),
            late: Vec::new(),
            witness: Witness::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (d, delivery) in world.deliveries.iter().enumerate() {
            match delivery.step {
                DeliveryStep::Waiting if world.issue() >= delivery.event => actions.push(Action::Prepare(d)),
                DeliveryStep::Prepared { .. } => actions.extend([Action::Commit(d), Action::CommitAnswerLost(d)]),
                DeliveryStep::Waiting | DeliveryStep::Done => {}
            }
        }
        for m in 0..world.messages.len() {
            self.worker_actions(world, m, actions);
        }
        actions.extend((0..world.late.len()).map(Action::LateRequest));
        if self.scope.with_closing && world.credential.as_ref().is_some_and(|credential| credential.needed) {
            actions.push(Action::Close);
        }
        if self.scope.with_feedback && world.witness.mail_count(world.issue()) > 0 {
            actions.push(Action::Delivered);
        }
        if world.can_tick() {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Prepare(d) => self.prepare(&mut world, d),
            Action::Commit(d) => {
                self.commit(&mut world, d);
                world.deliveries[d].step = DeliveryStep::Done;
            }
            Action::CommitAnswerLost(d) => {
                self.commit(&mut world, d);
                world.deliveries[d].step = self.retry_commit(world.deliveries[d].step);
            }
            Action::LateRequest(n) => self.carry_out_late(&mut world, n),
            Action::Close => world.credential.as_mut()?.needed = false,
            Action::Delivered => {
                let issue = world.issue();
                world.mail.as_mut()?.raise(issue, DELIVERED);
            }
            Action::Tick => world.tick(self.scope.lease),
            Action::Receive(m) => self.receive(&mut world, m),
            step => self.worker_step(&mut world, &step)?,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(MAILED, |_, world: &World| world.is_mailed_once_and_recorded(1)),
            Property::sometimes(NEXT_MAILED, |_, world: &World| world.is_mailed_once_and_recorded(2)),
            Property::sometimes(MAILED_TWICE, |_, world: &World| world.witness.mail_count(1) == 2),
            Property::sometimes(NO_LONGER_NEEDED, |_, world: &World| world.has_rank(item::NOT_NEEDED)),
            Property::sometimes(REFUSED_ADDRESS, |_, world: &World| world.has_rank(item::BOUNCED)),
            Property::sometimes(DEAD_LETTER, |_, world: &World| {
                world.messages.iter().any(|message| message.place == Place::DeadLetters)
            }),
        ]);
        properties
    }
}

pub(crate) const MAILED: &str = "a mail is sent, recorded and acknowledged";
pub(crate) const NEXT_MAILED: &str = "the mail of the next issue is sent, recorded and acknowledged";
pub(crate) const MAILED_TWICE: &str = "a mail is sent twice, after a crash or a lost answer";
pub(crate) const NO_LONGER_NEEDED: &str = "a mail is no longer needed";
pub(crate) const REFUSED_ADDRESS: &str = "SES refuses an address";
pub(crate) const DEAD_LETTER: &str = "a message becomes a dead letter";

impl MailModel {
    /// Reads the issue and generates a password, unless another delivery of the event has been carried out.
    fn prepare(&self, world: &mut World, d: usize) {
        let Delivery { event, .. } = world.deliveries[d];
        if world.issue() > event {
            world.deliveries[d].step = DeliveryStep::Done;
            return;
        }
        if self.variant == Variant::MailBeforeCommit {
            world.witness.record_mail(event + 1, d);
        }
        world.deliveries[d].step = DeliveryStep::Prepared { attempt: 1 };
    }

    /// Commits credential and mail item in one transaction, if the issue is still the one that was read.
    fn commit(&self, world: &mut World, d: usize) {
        let Delivery { event, .. } = world.deliveries[d];
        let pinned = self.variant != Variant::IssueNotCompared || event == 0;
        if pinned && world.issue() != event {
            return;
        }
        let issue = world.issue() + 1;
        world.credential = Some(Credential { issue, sealed: d, needed: true });
        world.mail = Some(MailItem::pending(issue));
        let message = Message { issue, receives: 0, place: Place::Queue { hidden: 0 } };
        world.messages.extend(std::iter::repeat_n(message, self.scope.messages));
        world.witness.record_issue(event, d);
    }

    fn retry_commit(&self, step: DeliveryStep) -> DeliveryStep {
        match step {
            DeliveryStep::Prepared { attempt } if attempt < self.scope.attempts => {
                DeliveryStep::Prepared { attempt: attempt + 1 }
            }
            _ => DeliveryStep::Done,
        }
    }
}

impl World {
    /// Returns the current issue, 0 before the first.
    fn issue(&self) -> u8 {
        self.credential.as_ref().map_or(0, |credential| credential.issue)
    }

    fn is_mailed_once_and_recorded(&self, issue: u8) -> bool {
        self.issue() == issue
            && self.has_rank(item::SENT)
            && self.witness.mail_count(issue) == 1
            && self.messages.iter().all(|message| message.issue != issue || message.place == Place::Acknowledged)
    }

    fn has_rank(&self, rank: u8) -> bool {
        self.mail.as_ref().is_some_and(|mail| mail.rank == rank)
    }

    fn send_late(&mut self, request: Late) {
        self.late.push(request);
        self.late.sort_unstable();
    }

    /// Returns whether something waits for time to pass and no worker must act or die first.
    fn can_tick(&self) -> bool {
        let lease = self.mail.as_ref().is_some_and(|mail| mail.lease.is_some());
        let hidden = self.messages.iter().any(|message| matches!(message.place, Place::Queue { hidden } if hidden > 0));
        let mut workers = self.messages.iter().filter_map(Message::worker).peekable();
        (lease || hidden || workers.peek().is_some()) && workers.all(|worker| worker.left > 0)
    }

    /// Advances the clock by one tick; `length` is the length of a lease.
    fn tick(&mut self, length: i8) {
        if let Some(mail) = &mut self.mail {
            // No request is older than a lease lasts, so a lease that has been over for that long is equivalent to no lease.
            mail.lease = mail.lease.map(|lease| Lease { left: lease.left - 1, ..lease });
            mail.lease = mail.lease.filter(|lease| lease.left > 1 - length);
        }
        for message in &mut self.messages {
            match &mut message.place {
                Place::Queue { hidden } => *hidden = hidden.saturating_sub(1),
                Place::Worked { hidden, worker } => {
                    *hidden = hidden.saturating_sub(1);
                    worker.tick();
                }
                Place::Acknowledged | Place::DeadLetters => {}
            }
        }
        // A take that arrives when its own lease would already be over has no effect, like a lost request.
        self.late.retain_mut(|late| match late {
            Late::Take(request) => {
                request.asked_ago += 1;
                request.asked_ago < request.lease
            }
            Late::Send { .. } | Late::Release(_) | Late::Record(_) => true,
        });
        self.late.sort_unstable();
    }
}
