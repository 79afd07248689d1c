//! Mail (send-mail): the commit is the order to mail, a queue message carries it out, a lease keeps two from doing so at once.
//!
//! An event is delivered several times and each delivery reads, makes a password and commits. A commit puts the mail item
//! and, as stream and pipe do, one or more messages into the queue. A receive of a message is a worker: take the lease,
//! unseal, send, record, acknowledge. A step that asks DynamoDB or SES may have its answer lost (it was carried out) or its
//! request delayed (`LateRequest` carries it out at any later time, or never); any step may be the last one before a crash.
//!
//! Time is counted in ticks, and only what is left of each time-out is kept. No tick passes a worker whose time is up:
//! it must act before, or is killed (`Crash`). A message that is not acknowledged is visible again after its visibility
//! time-out, which runs from the receive.

mod item;
mod tests;
mod witness;
mod worker;

use stateright::{Model, Property};

use item::{Credential, DELIVERED, Late, Lease, MailItem, Message, Place};
use witness::Witness;

/// The protocol, or a mistake that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The function that starts an issue mails it, before the transaction.
    MailBeforeCommit,
    /// A message that meets a live lease is acknowledged.
    LeaseAcknowledged,
    /// The take writes no lease.
    LeaseNotTaken,
    /// The take's own earlier attempt, whose answer was lost, counts as another's lease.
    OwnLeaseNotRecognised,
    /// The release does not ask whose lease it is.
    ReleaseAnyLease,
    /// The record asks for the lease.
    RecordAsksForLease,
    /// The record does not ask for the issue.
    RecordWithoutIssue,
    /// The SDK sends again inside one call when SES does not answer.
    SesRetried,
    /// The transaction that starts the next issue does not ask for the issue that it read.
    IssueNotPinned,
}

/// The times in ticks, and how much of the world is explored.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) function_time_out: u8,
    pub(crate) lease: i8,
    pub(crate) visibility: u8,
    /// Receives of a message before it goes to the dead letters.
    pub(crate) receives: u8,
    /// Messages that one commit becomes.
    pub(crate) messages: usize,
    /// How often the SDK sends a request.
    pub(crate) attempts: u8,
    /// Most requests under way that nobody waits for.
    pub(crate) late_requests: usize,
    /// The deliveries of each event: event 0 starts the subscription, event `n` asks for the issue after `n`.
    pub(crate) deliveries: Vec<usize>,
    /// The credential is signed in, changed or expires.
    pub(crate) closing: bool,
    /// SES refuses addresses and reports deliveries.
    pub(crate) feedback: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    credential: Option<Credential>,
    mail: Option<MailItem>,
    deliveries: Vec<Delivery>,
    messages: Vec<Message>,
    /// Requests under way that nobody waits for, sorted.
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
    /// The issue to be replaced was read, and a password made and sealed.
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

impl Model for Mail {
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
        if self.scope.closing && world.credential.as_ref().is_some_and(|credential| credential.needed) {
            actions.push(Action::Close);
        }
        if self.scope.feedback && world.witness.mails_of(world.issue()) > 0 {
            actions.push(Action::Delivered);
        }
        if world.time_can_pass() {
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
                world.deliveries[d].step = self.commit_again(world.deliveries[d].step);
            }
            Action::LateRequest(n) => self.late_request(&mut world, n),
            Action::Close => world.credential.as_mut()?.needed = false,
            Action::Delivered => {
                let issue = world.issue();
                world.mail.as_mut()?.raise(issue, DELIVERED);
            }
            Action::Tick => world.tick(self.scope.lease),
            Action::Receive(m) => self.receive(&mut world, m),
            of_worker => self.worker_step(&mut world, &of_worker)?,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(MAILED, |_, world: &World| world.first_mail_sent_and_recorded(1)),
            Property::sometimes(NEXT_MAILED, |_, world: &World| world.first_mail_sent_and_recorded(2)),
            Property::sometimes(MAILED_TWICE, |_, world: &World| world.witness.mails_of(1) == 2),
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
pub(crate) const NO_LONGER_NEEDED: &str = "a mail is not needed any more";
pub(crate) const REFUSED_ADDRESS: &str = "an address is refused";
pub(crate) const DEAD_LETTER: &str = "a message ends in the dead letters";

impl Mail {
    /// Reads the issue and makes a password, unless the event has been carried out by another delivery.
    fn prepare(&self, world: &mut World, d: usize) {
        let Delivery { event, .. } = world.deliveries[d];
        if world.issue() > event {
            world.deliveries[d].step = DeliveryStep::Done;
            return;
        }
        if self.variant == Variant::MailBeforeCommit {
            world.witness.mailed(event + 1, d);
        }
        world.deliveries[d].step = DeliveryStep::Prepared { attempt: 1 };
    }

    /// The transaction: credential and mail item together, if the issue is still the one that was read.
    fn commit(&self, world: &mut World, d: usize) {
        let Delivery { event, .. } = world.deliveries[d];
        let pinned = self.variant != Variant::IssueNotPinned || event == 0;
        if pinned && world.issue() != event {
            return;
        }
        let issue = world.issue() + 1;
        world.credential = Some(Credential { issue, sealed: d, needed: true });
        world.mail = Some(MailItem::pending(issue));
        let message = Message { issue, receives: 0, place: Place::Queue { hidden: 0 } };
        world.messages.extend(std::iter::repeat_n(message, self.scope.messages));
        world.witness.begun(event, d);
    }

    fn commit_again(&self, step: DeliveryStep) -> DeliveryStep {
        match step {
            DeliveryStep::Prepared { attempt } if attempt < self.scope.attempts => {
                DeliveryStep::Prepared { attempt: attempt + 1 }
            }
            _ => DeliveryStep::Done,
        }
    }
}

impl World {
    /// The current issue, 0 before the first.
    fn issue(&self) -> u8 {
        self.credential.as_ref().map_or(0, |credential| credential.issue)
    }

    fn first_mail_sent_and_recorded(&self, issue: u8) -> bool {
        self.issue() == issue
            && self.has_rank(item::SENT)
            && self.witness.mails_of(issue) == 1
            && self.messages.iter().all(|message| message.issue != issue || message.place == Place::Acknowledged)
    }

    fn has_rank(&self, rank: u8) -> bool {
        self.mail.as_ref().is_some_and(|mail| mail.rank == rank)
    }

    fn send_late(&mut self, request: Late) {
        self.late.push(request);
        self.late.sort_unstable();
    }

    /// Something waits for time to pass, and no worker must act or die before.
    fn time_can_pass(&self) -> bool {
        let lease = self.mail.as_ref().is_some_and(|mail| mail.lease.is_some());
        let hidden = self.messages.iter().any(|message| matches!(message.place, Place::Queue { hidden } if hidden > 0));
        let mut workers = self.messages.iter().filter_map(Message::worker).peekable();
        (lease || hidden || workers.peek().is_some()) && workers.all(|worker| worker.left > 0)
    }

    /// `length` is that of a lease.
    fn tick(&mut self, length: i8) {
        if let Some(mail) = &mut self.mail {
            // No request asks from longer ago than a lease lasts, so one that is over for so long is as good as none.
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
        // A take that arrives when its own lease would be over takes nothing: it is as good as lost.
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
