//! Models send-mail: the commit orders the mail, a queue message triggers the sending, and a lease keeps two workers from sending
//! at once.
//!
//! An event is delivered several times, and each delivery reads, generates a password and commits. A commit puts the mail item
//! and, as stream and pipe do, one or more messages into the queue. Each receive of a message runs a worker: take the lease,
//! unseal, send, record, acknowledge. SES reports what became of a mail in events of any order, each delivered several times. People
//! order the mail again, which starts its next round (`resend.rs`). The ten minutes between two resends are left out: here a resend may
//! follow at any moment, which is more than the protocol allows. A step that calls DynamoDB or SES may lose its answer (it was carried out), or its
//! request may be delayed (`LateRequest` carries it out at any later time, or never); a crash may follow any step.
//!
//! Time is counted in ticks, and the state holds only the time left of each time-out. The clock does not tick while a worker has no
//! time left: it must act first, or be killed (`Crash`). A message that is not acknowledged becomes visible again after its
//! visibility time-out, which runs from the receive.

mod item;
mod resend;
mod tests;
mod witness;
mod worker;

use stateright::{Model, Property};

use item::{Credential, Feedback, Late, Lease, MailItem, Message, Order, PENDING, Place};
use resend::Resend;
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
    /// The take does not compare the round.
    TakeWithoutRound,
    /// The record does not compare the round.
    RecordWithoutRound,
    /// A feedback event does not compare the round.
    FeedbackWithoutRound,
    /// A feedback event does not compare the rank.
    FeedbackWithoutRank,
    /// Of two events of one rank, the one that arrives first stays.
    FirstArrivalStays,
    /// The resend does not remove `tries`.
    ResendKeepsTries,
    /// A mail to an address that SES refused is ordered again.
    ResendToRefusedAddress,
    /// The transaction of the resend does not compare the status that was read.
    ResendRankNotCompared,
    /// The transaction of the resend does not compare the round that was read.
    ResendRoundNotCompared,
    /// A pending mail is ordered again during a live lease.
    ResendDuringLease,
    /// The resend looks at the lease when it reads, and its transaction does not.
    ResendLeaseReadOnly,
    /// The resend does not compare the round with the number of resends that are allowed.
    ResendsNotCounted,
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
    /// Whether SES refuses addresses.
    pub(crate) with_refusals: bool,
    /// The ticks for which a message is hidden at the quota of the day; 0 if the quota is never reached.
    pub(crate) quota_pause: u8,
    /// The events of SES, each of which may arrive once its order has been sent.
    pub(crate) feedback: Vec<Feedback>,
    /// The number of times that each event arrives.
    pub(crate) feedback_times: u8,
    /// The number of people who order the mail again, each once.
    pub(crate) resenders: usize,
    /// The largest number of resends of an issue.
    pub(crate) resends: u8,
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
    /// The number of times that each event of SES has arrived.
    feedback: Vec<u8>,
    resends: Vec<Resend>,
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
        /// The rank of the earlier issue's mail, which says whether the address is refused.
        rank: u8,
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
    SesQuotaReached(usize),
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
    ReadForResend(usize),
    Resent(usize),
    ResendAnswerLost(usize),
    ResendDelayed(usize),
    Close,
    Feedback(usize),
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
            feedback: vec![0; self.scope.feedback.len()],
            resends: vec![Resend::Waiting; self.scope.resenders],
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
        for (n, event) in self.scope.feedback.iter().enumerate() {
            if world.feedback[n] < self.scope.feedback_times && world.witness.was_sent(event.order) {
                actions.push(Action::Feedback(n));
            }
        }
        self.resend_actions(world, actions);
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
            Action::Feedback(n) => {
                world.feedback[n] += 1;
                world.mail.as_mut()?.apply(self.variant, self.scope.feedback[n]);
            }
            Action::ReadForResend(_) | Action::Resent(_) | Action::ResendAnswerLost(_) | Action::ResendDelayed(_) => {
                self.resend_step(&mut world, &action)?;
            }
            Action::Tick => world.tick(self.scope.lease),
            Action::Receive(m) => self.receive(&mut world, m),
            step => self.worker_step(&mut world, &step)?,
        }
        world.witness.compare(before.mail.as_ref(), world.mail.as_ref());
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
            Property::sometimes(SENT_AFTER_PAUSE, |_, world: &World| {
                world.witness.paused && world.is_mailed_once_and_recorded(1)
            }),
            Property::sometimes(SENT_AGAIN, |_, world: &World| {
                world.is_round(1) && world.has_rank(item::SENT) && world.witness.mail_count(1) == 2
            }),
            Property::sometimes(LOST_ORDER_SENT, |_, world: &World| {
                world.is_round(1) && world.has_rank(item::SENT) && world.witness.mail_count(1) == 1
            }),
            Property::sometimes(SECOND_ROUND_DELIVERED, |_, world: &World| {
                world.is_round(1) && world.has_rank(item::DELIVERED)
            }),
            Property::sometimes(NEXT_NOT_ORDERED, |_, world: &World| {
                world.issue() == 2 && world.has_rank(item::BOUNCED) && world.witness.mail_count(2) == 0
            }),
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
pub(crate) const SENT_AFTER_PAUSE: &str = "a mail that was given back at the quota is sent later";
pub(crate) const SENT_AGAIN: &str = "a mail is sent again";
pub(crate) const LOST_ORDER_SENT: &str = "a mail that was never sent is ordered again and sent";
pub(crate) const SECOND_ROUND_DELIVERED: &str = "the mail of the second round is delivered";
pub(crate) const NEXT_NOT_ORDERED: &str = "the next issue is not mailed to a refused address";
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
            world.witness.record_mail(Order { issue: event + 1, round: 0 }, d);
        }
        let rank = world.mail.as_ref().map_or(PENDING, |mail| mail.rank);
        world.deliveries[d].step = DeliveryStep::Prepared { attempt: 1, rank };
    }

    /// Commits credential and mail item in one transaction, if the issue is still the one that was read.
    fn commit(&self, world: &mut World, d: usize) {
        let Delivery { event, step } = world.deliveries[d];
        let DeliveryStep::Prepared { rank, .. } = step else { return };
        let pinned = self.variant != Variant::IssueNotCompared || event == 0;
        if pinned && world.issue() != event {
            return;
        }
        let issue = world.issue() + 1;
        world.credential = Some(Credential { issue, sealed: d, needed: true });
        let mail = MailItem::first_round(issue, rank);
        if mail.rank == PENDING {
            self.put_messages(world, mail.order);
        }
        world.mail = Some(mail);
        world.witness.record_issue(event, d);
    }

    /// Puts an order into the queue, as stream and pipe do after a commit.
    fn put_messages(&self, world: &mut World, order: Order) {
        let message = Message { order, receives: 0, place: Place::Queue { hidden: 0 } };
        world.messages.extend(std::iter::repeat_n(message, self.scope.messages));
    }

    fn retry_commit(&self, step: DeliveryStep) -> DeliveryStep {
        match step {
            DeliveryStep::Prepared { attempt, rank } if attempt < self.scope.attempts => {
                DeliveryStep::Prepared { attempt: attempt + 1, rank }
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
            && self.messages.iter().all(|message| message.order.issue != issue || message.place == Place::Acknowledged)
    }

    fn has_rank(&self, rank: u8) -> bool {
        self.mail.as_ref().is_some_and(|mail| mail.rank == rank)
    }

    fn is_round(&self, round: u8) -> bool {
        self.mail.as_ref().is_some_and(|mail| mail.order == Order { issue: 1, round })
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
            Late::Send { .. } | Late::Release(_) | Late::Record(_) | Late::Resend(_) => true,
        });
        self.late.sort_unstable();
    }
}
