//! The transactions that start the next issue: the support desk's reissue, a portal user's renewal, and the paid event.

use super::process::Run;
use super::table::{Credential, Outcome, SERVICE, Status, Temporary, Time, Write};
use super::witness::Breach;
use super::{AccountModel, Variant, World};

/// The time for which a renewal is recognised, ten minutes, in ticks. It is at most the lifetime of a password.
const RECOGNISED_FOR: Time = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cause {
    Reissue,
    Renewal,
    Paid,
}

/// The numbers in the conditions: how many retrievals an issue has, and how many renewals a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Limits {
    pub(crate) retrievals: u8,
    pub(crate) renewals: u8,
}

/// The serialised transaction, with what its invocation read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NextIssue {
    pub(crate) cause: Cause,
    pub(crate) issue: u8,
    pub(crate) version: u8,
    pub(crate) seq: u8,
    pub(crate) retrievals: u8,
    pub(crate) asked_at: Time,
    pub(crate) limits: Limits,
}

impl Credential {
    fn is_expired_and_unchanged(&self, variant: Variant, now: Time) -> bool {
        self.expires_at <= now && (!self.changed || variant == Variant::RenewalAfterChange)
    }

    /// Evaluates the conditions of a renewal on the credential.
    fn is_renewable(&self, variant: Variant, now: Time, limits: Limits) -> bool {
        self.is_expired_and_unchanged(variant, now)
            && (!self.handed_over || variant == Variant::RenewalAfterHandOver)
            && (self.retrievals < limits.retrievals || variant == Variant::RenewalAfterThreeRetrievals)
            && (self.renewals < limits.renewals || variant == Variant::RenewalsNotCounted)
    }

    /// Returns whether a paid event starts the next issue.
    fn is_replaced_when_paid(&self, now: Time, limits: Limits) -> bool {
        let used_up = self.retrievals >= limits.retrievals && !self.signed_in && !self.changed;
        !self.handed_over && (used_up || self.is_expired_and_unchanged(Variant::Design, now))
    }

    /// Returns whether a renewal of the last ten minutes started this issue. A renewal after `now` counts, since clocks differ.
    fn was_just_renewed(&self, variant: Variant, now: Time) -> bool {
        let young = |at: Time| now.saturating_sub(at) < RECOGNISED_FOR;
        self.renewed_at.is_some_and(young) && variant != Variant::RenewalNotRecognised
    }

    /// Builds the next issue; what belongs to the subscription stays.
    fn renew(&self, variant: Variant, request: NextIssue) -> Self {
        let renewal = request.cause == Cause::Renewal;
        let kept = if variant == Variant::PaidKeepsRenewedAt { self.renewed_at } else { None };
        Self {
            handed_over: self.handed_over,
            renewals: self.renewals + u8::from(renewal),
            renewed_at: if renewal { Some(request.asked_at) } else { kept },
            ..Self::issued(request.issue + 1, request.seq, request.asked_at)
        }
    }
}

impl NextIssue {
    /// Evaluates what each cause adds to the condition on what was read.
    fn is_admitted(self, variant: Variant, credential: &Credential, paid: bool) -> bool {
        match self.cause {
            Cause::Reissue => true,
            Cause::Renewal => credential.is_renewable(variant, self.asked_at, self.limits),
            Cause::Paid => !credential.handed_over && (!paid || variant == Variant::PaidNotMarked),
        }
    }

    /// Evaluates the comparison with what was read: issue, the account's version, and the number of the last history entry.
    fn is_current(self, variant: Variant, world: &World) -> bool {
        let renewal = self.cause == Cause::Renewal;
        let nothing = renewal && variant == Variant::RenewalComparesNothing;
        let skips = |mutant: Variant| nothing || (renewal && variant == mutant);
        let issue = world.table.credential.issue == self.issue || skips(Variant::RenewalIssueNotCompared);
        let version = world.table.service().version == self.version || skips(Variant::RenewalVersionNotCompared);
        let next = world.table.is_next_in_history(variant, self.seq) || skips(Variant::RenewalSeqNotCompared);
        issue && version && next
    }
}

impl World {
    /// Carries out the transaction. Every refusal counts as a lost race: the invocation reads again, and then sees what has changed.
    pub(crate) fn start_next_issue(&mut self, variant: Variant, request: NextIssue) -> Outcome {
        let credential = self.table.credential;
        let all_moved = variant == Variant::SizeNotCompared || credential.retrievals == request.retrievals;
        let admitted = request.is_admitted(variant, &credential, self.table.paid);
        if !admitted || !all_moved || !request.is_current(variant, self) {
            return Outcome::LostRace;
        }
        self.observe_next_issue(request);
        self.table.credential = credential.renew(variant, request);
        self.table.paid |= request.cause == Cause::Paid;
        let mut service = self.table.service();
        let expires_at = self.table.credential.expires_at;
        service.temporary = Some(Temporary { issue: request.issue + 1, expires_at });
        service.status = Status::Active;
        service.record_change();
        if variant == Variant::ReissueKeepsVersion {
            service.version = request.version;
        }
        self.table.accounts[SERVICE] = Some(service);
        let to_move = if credential.signed_in { 0 } else { request.retrievals };
        self.write_history(request.seq, to_move + 1);
        Outcome::Done
    }

    /// Records the start of an issue, with the credential as it was before.
    fn observe_next_issue(&mut self, request: NextIssue) {
        let credential = self.table.credential;
        self.witness.record_moved(credential, request.retrievals);
        self.witness.started.push((request.cause, request.asked_at));
        if request.cause == Cause::Reissue {
            self.witness.reopened |= self.table.has_first_sign_in();
        } else if self.table.accounts[SERVICE + 1..].iter().any(Option::is_some) {
            self.witness.record_breach(Breach::StartedAfterHandOver);
        }
        let unused = credential.retrievals < request.limits.retrievals;
        let justified = credential.expires_at <= self.now && !credential.changed && unused;
        if request.cause == Cause::Renewal && !justified {
            self.witness.record_breach(Breach::RenewedWithoutReason);
        }
    }

    /// Records that a renewal was answered with the current issue: one that began since the request did, or that a renewal of the last
    /// ten minutes started.
    fn observe_renewed(&mut self, run: &Run) {
        let began_since = self.table.credential.issue > run.began_in;
        if !began_since && !self.was_renewed_recently(run.asked_at) {
            self.witness.record_breach(Breach::AnsweredWithAnothersIssue);
        }
    }

    /// Answers a renewal with the current issue.
    pub(crate) fn answer_renewal(&mut self, p: usize) -> Option<()> {
        let run = self.people[p].run.take()?;
        self.observe_renewed(&run);
        self.people[p].give_up();
        Some(())
    }

    fn was_renewed_recently(&self, asked_at: Time) -> bool {
        let renewed_at = |&(cause, at): &(Cause, Time)| (cause == Cause::Renewal).then_some(at);
        self.witness.started.last().and_then(renewed_at).is_some_and(|at| asked_at.saturating_sub(at) < RECOGNISED_FOR)
    }
}

impl AccountModel {
    pub(crate) fn limits(&self) -> Limits {
        Limits { retrievals: self.scope.retrievals, renewals: self.scope.renewals }
    }

    /// Decides on a renewal once the credential was read: an answer, or the transaction.
    pub(crate) fn decide_renewal(&self, world: &mut World, p: usize) -> Option<()> {
        let credential = world.table.credential;
        let run = world.people[p].run.as_mut()?;
        let first = *run.first_read.get_or_insert(credential.issue);
        if credential.issue != first || credential.was_just_renewed(self.variant, run.asked_at) {
            return world.answer_renewal(p);
        }
        if !credential.is_renewable(self.variant, run.asked_at, self.limits()) {
            let asked_at = run.asked_at;
            if world.was_renewed_recently(asked_at) {
                world.witness.record_breach(Breach::FalseRefusal);
            }
            world.witness.renewal_refused = true;
            world.people[p].give_up();
        }
        Some(())
    }

    /// Decides on the paid event once the credential was read.
    pub(crate) fn decide_paid(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_ref()?;
        let handled = world.table.paid && self.variant != Variant::PaidNotMarked;
        if handled || !world.table.credential.is_replaced_when_paid(run.asked_at, self.limits()) {
            world.people[p].give_up();
        }
        Some(())
    }

    /// Derives the transaction from what the invocation read.
    pub(crate) fn derive_next_issue(&self, run: &Run, cause: Cause) -> Option<Write> {
        let Credential { issue, seq, retrievals, .. } = run.credential?;
        let (version, asked_at, limits) = (run.account?.version, run.asked_at, self.limits());
        Some(Write::NextIssue(NextIssue { cause, issue, version, seq, retrievals, asked_at, limits }))
    }
}
