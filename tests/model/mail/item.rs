//! The mail item and its conditional writes, the message that carries it, and the credential beside it.

use super::Variant;

/// A password is known by the delivery of the event that made it.
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
    /// Neither signed in, nor changed, nor expired.
    pub(crate) needed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MailItem {
    pub(crate) issue: u8,
    /// The status, by its rank.
    pub(crate) rank: u8,
    pub(crate) lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    /// Ticks until `lease_until`; below 0 it has been over for so long.
    pub(crate) left: i8,
    pub(crate) by: Owner,
}

/// The take as it was serialised: a later attempt, and one that is carried out late, asks with the same `:now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TakeRequest {
    pub(crate) by: Owner,
    /// Ticks since its `:now`.
    pub(crate) asked_ago: i8,
    /// The length of a lease.
    pub(crate) lease: i8,
}

/// One receive of one message: what a lease is taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) message: usize,
    pub(crate) receive: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Taken,
    /// Our own lease, from an attempt whose answer was lost.
    Own,
    /// Another's lease.
    Live,
    /// Sent, or another issue by now.
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

    /// The mail is sent, whoever records it. A refusal means that it is recorded already, or another issue by now.
    pub(crate) fn record(&mut self, variant: Variant, issue: u8, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if (self.issue == issue || variant == Variant::RecordWithoutIssue)
            && self.rank < SENT
            && (own || variant != Variant::RecordAsksForLease)
        {
            self.rank = SENT;
            self.lease = None;
        }
    }

    /// Gives back our own lease, after SES refused.
    pub(crate) fn release(&mut self, variant: Variant, issue: u8, by: Owner) {
        let own = self.lease.is_some_and(|lease| lease.by == by);
        if self.issue == issue && (own || variant == Variant::ReleaseAnyLease) {
            self.lease = None;
        }
    }

    /// What SES or the credential tells: a rank only rises.
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
    /// In the queue; received again when no ticks of its visibility time-out are left.
    Queue {
        hidden: u8,
    },
    /// A function works on it.
    Worked {
        hidden: u8,
        worker: Worker,
    },
    Acknowledged,
    DeadLetters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// Ticks until the function's time-out kills it.
    pub(crate) left: u8,
    pub(crate) step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// `asked_ago` counts from the first attempt.
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

/// A request under way that nobody waits for; the issue it is for is that of the owner's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Late {
    Take(TakeRequest),
    Send { issue: u8, password: Password },
    Release(Owner),
    Record(Owner),
}
