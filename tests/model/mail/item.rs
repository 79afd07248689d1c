//! The mail item and its conditional writes, the message that orders the mail, and the credential.

use super::Variant;

/// A password, identified by the delivery of the event that generated it.
pub(crate) type Password = usize;

pub(crate) const PENDING: u8 = 10;
pub(crate) const SENT: u8 = 20;
pub(crate) const DELIVERED: u8 = 30;
pub(crate) const BOUNCED: u8 = 40;
pub(crate) const NOT_NEEDED: u8 = 60;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) sealed: Password,
    /// Whether the mail is still needed: no sign-in, no change, no expiry.
    pub(crate) needed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MailItem {
    pub(crate) issue: u8,
    /// The rank of the status.
    pub(crate) rank: u8,
    pub(crate) lease: Option<Lease>,
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
    pub(crate) fn pending(issue: u8) -> Self {
        Self { issue, rank: PENDING, lease: None }
    }

    pub(crate) fn take(&mut self, variant: Variant, issue: u8, request: TakeRequest) -> Take {
        if self.issue != issue || self.rank != PENDING {
            return Take::Done;
        }
        if let Some(lease) = self.lease.filter(|lease| lease.left > -request.asked_ago) {
            let own = lease.by == request.by && variant != Variant::OwnLeaseNotRecognised;
            return if own { Take::Own } else { Take::Live };
        }
        if variant != Variant::LeaseNotTaken {
            self.lease = Some(Lease { left: request.lease - request.asked_ago, by: request.by });
        }
        Take::Taken
    }

    /// Records that the mail is sent, whichever worker has the lease. A refusal means that it is already recorded, or that the item
    /// holds another issue by now.
    pub(crate) fn record(&mut self, variant: Variant, issue: u8, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if (self.issue == issue || variant == Variant::RecordWithoutIssue)
            && self.rank < SENT
            && (own || variant != Variant::RecordRequiresLease)
        {
            self.rank = SENT;
            self.lease = None;
        }
    }

    /// Releases the worker's own lease after SES refused.
    pub(crate) fn release(&mut self, variant: Variant, issue: u8, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if self.issue == issue && (own || variant == Variant::ReleaseAnyLease) {
            self.lease = None;
        }
    }

    /// Raises the rank after news from SES or the credential; a rank never falls.
    pub(crate) fn raise(&mut self, issue: u8, rank: u8) {
        if self.issue == issue && self.rank < rank {
            self.rank = rank;
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) issue: u8,
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
    Release,
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

/// An abandoned request that is still under way; its issue is that of the owner's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Late {
    Take(TakeRequest),
    Send { issue: u8, password: Password },
    Release(Owner),
    Record(Owner),
}
