//! The mail item and its conditional writes, the message that orders the mail, and the credential.

use super::Variant;

/// A password, identified by the delivery of the event that generated it.
pub(crate) type Password = usize;

pub(crate) const PENDING: u8 = 10;
pub(crate) const SENT: u8 = 20;
pub(crate) const DELAYED: u8 = 25;
pub(crate) const UNDELIVERED: u8 = 27;
pub(crate) const DELIVERED: u8 = 30;
pub(crate) const BOUNCED: u8 = 40;
pub(crate) const SUPPRESSED: u8 = 45;
pub(crate) const COMPLAINED: u8 = 50;
pub(crate) const NOT_NEEDED: u8 = 60;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) sealed: Password,
    /// Whether the mail is still needed: no sign-in, no change, no expiry.
    pub(crate) needed: bool,
}

/// The content of a message: it orders the mail of an issue, in the first round or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Order {
    pub(crate) issue: u8,
    pub(crate) round: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MailItem {
    pub(crate) order: Order,
    /// The rank of the status.
    pub(crate) rank: u8,
    /// The time of the feedback event that set the status; 0 for a status that the protocol's own functions wrote.
    pub(crate) at: u8,
    /// Whether the item has `tries`: then the pipe drops a change of it.
    pub(crate) tries: bool,
    pub(crate) lease: Option<Lease>,
}

/// An event of SES about one sending of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Feedback {
    pub(crate) order: Order,
    pub(crate) rank: u8,
    pub(crate) at: u8,
}

/// The serialised transaction that orders the mail again: what its sender read. The SDK's retries and late copies are this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResendRequest {
    pub(crate) order: Order,
    pub(crate) rank: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    /// Ticks until `lease_until`; a negative number says how long the lease has been over.
    pub(crate) left: i8,
    pub(crate) by: Owner,
}

/// The serialised take. The SDK's retries and late copies carry the same `:now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TakeRequest {
    pub(crate) by: Owner,
    /// Ticks since its `:now`.
    pub(crate) asked_ago: i8,
    /// The length of a lease.
    pub(crate) lease: i8,
}

/// The owner of a lease: one receive of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) message: usize,
    pub(crate) receive: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Taken,
    /// The mail has this worker's own lease, from an attempt whose answer was lost.
    Own,
    /// The mail has another worker's lease.
    Live,
    /// The mail is sent, or the item holds another issue by now.
    Done,
}

impl MailItem {
    /// Builds the mail item of a next issue. To an address that SES refused for good, it is written with that status.
    pub(crate) fn first_round(issue: u8, earlier_rank: u8) -> Self {
        let rank = if (BOUNCED..=COMPLAINED).contains(&earlier_rank) { earlier_rank } else { PENDING };
        Self { order: Order { issue, round: 0 }, rank, at: 0, tries: false, lease: None }
    }

    pub(crate) fn take(&mut self, variant: Variant, order: Order, request: TakeRequest) -> Take {
        let same_round = self.order.round == order.round || variant == Variant::TakeWithoutRound;
        if self.order.issue != order.issue || !same_round || self.rank != PENDING {
            return Take::Done;
        }
        if let Some(lease) = self.lease.filter(|lease| lease.left > -request.asked_ago) {
            let own = lease.by == request.by && variant != Variant::OwnLeaseNotRecognised;
            return if own { Take::Own } else { Take::Live };
        }
        if variant != Variant::LeaseNotTaken {
            self.lease = Some(Lease { left: request.lease - request.asked_ago, by: request.by });
        }
        self.tries = true;
        Take::Taken
    }

    /// Records that the mail is sent, whichever worker has the lease. A refusal means that it is already recorded, or that the item
    /// holds another issue or round by now.
    pub(crate) fn record(&mut self, variant: Variant, order: Order, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if (self.order.issue == order.issue || variant == Variant::RecordWithoutIssue)
            && (self.order.round == order.round || variant == Variant::RecordWithoutRound)
            && self.rank < SENT
            && (own || variant != Variant::RecordRequiresLease)
        {
            self.rank = SENT;
            self.lease = None;
        }
    }

    /// Releases the worker's own lease after SES refused.
    pub(crate) fn release(&mut self, variant: Variant, order: Order, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if self.order.issue == order.issue && (own || variant == Variant::ReleaseAnyLease) {
            self.lease = None;
        }
    }

    /// Raises the rank after a refusal of SES or news from the credential; a rank never falls.
    pub(crate) fn raise(&mut self, order: Order, rank: u8) {
        if self.order == order && self.rank < rank {
            self.rank = rank;
            self.at = 0;
        }
    }

    /// Applies an event of SES. Of two events of one rank the earlier one stays.
    pub(crate) fn apply(&mut self, variant: Variant, event: Feedback) {
        let same_round = self.order.round == event.order.round || variant == Variant::FeedbackWithoutRound;
        let earlier = self.rank == event.rank && self.at > event.at && variant != Variant::FirstArrivalStays;
        let news = self.rank < event.rank || earlier || variant == Variant::FeedbackWithoutRank;
        if self.order.issue == event.order.issue && same_round && news {
            self.rank = event.rank;
            self.at = event.at;
        }
    }

    /// Returns whether the status lets a customer order the mail again.
    pub(crate) fn may_be_sent_again(&self, variant: Variant, resends: u8) -> bool {
        let live = self.lease.is_some_and(|lease| lease.left > 0) && variant != Variant::ResendDuringLease;
        let resendable = match self.rank {
            PENDING => !live,
            BOUNCED..=COMPLAINED => variant == Variant::ResendToRefusedAddress,
            rank => (SENT..=DELIVERED).contains(&rank),
        };
        resendable && (self.order.round < resends || variant == Variant::ResendsNotCounted)
    }

    /// Evaluates the conditions of the resend on the item.
    pub(crate) fn admits_resend(&self, variant: Variant, request: ResendRequest, resends: u8) -> bool {
        let same_round = self.order.round == request.order.round || variant == Variant::ResendRoundNotCompared;
        let same_rank = self.rank == request.rank || variant == Variant::ResendRankNotCompared;
        let read_only = matches!(variant, Variant::ResendLeaseReadOnly | Variant::ResendRankNotCompared);
        let unchanged = self.order.issue == request.order.issue && same_round && same_rank;
        unchanged && (read_only || self.may_be_sent_again(variant, resends))
    }

    /// Orders the mail again; returns whether the pipe forwards the change.
    pub(crate) fn order_again(&mut self, variant: Variant, request: ResendRequest) -> bool {
        self.order = Order { round: request.order.round + 1, ..self.order };
        self.rank = PENDING;
        self.at = 0;
        self.tries &= variant == Variant::ResendKeepsTries;
        self.lease = None;
        !self.tries
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) order: Order,
    pub(crate) receives: u8,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The message is in the queue and can be received when `hidden`, the rest of its visibility time-out, is 0.
    Queue {
        hidden: u8,
    },
    /// A worker has received it.
    Worked {
        hidden: u8,
        worker: Worker,
    },
    Acknowledged,
    DeadLetters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// The ticks until the function's time-out kills the worker.
    pub(crate) left: u8,
    pub(crate) step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Takes the lease; `asked_ago` counts from the first attempt.
    Take {
        attempt: u8,
        asked_ago: i8,
    },
    Unseal,
    Send {
        attempt: u8,
        password: Password,
    },
    /// Gives the lease back; at the quota of the day, also hides the message for longer.
    Release {
        at_quota: bool,
    },
    Record {
        attempt: u8,
    },
    Acknowledge,
}

impl Worker {
    pub(crate) fn tick(&mut self) {
        self.left -= 1;
        if let Step::Take { attempt: 2.., asked_ago } = &mut self.step {
            *asked_ago += 1;
        }
    }
}

impl Message {
    pub(crate) fn worker(&self) -> Option<Worker> {
        match self.place {
            Place::Worked { worker, .. } => Some(worker),
            Place::Queue { .. } | Place::Acknowledged | Place::DeadLetters => None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.place, Place::Acknowledged | Place::DeadLetters)
    }
}

/// An abandoned request that is still under way; its order is that of the owner's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Late {
    Take(TakeRequest),
    Send { order: Order, password: Password },
    Release(Owner),
    Record(Owner),
    Resend(ResendRequest),
}
