//! The steps of a person who orders the mail again, which is one invocation of resend-mail: read, then one transaction.

use super::item::{Late, ResendRequest};
use super::{Action, MailModel, World};

/// One request to order the mail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resend {
    Waiting,
    /// Mail and credential were read, and the mail may be ordered again.
    Read {
        request: ResendRequest,
        attempt: u8,
    },
    Done,
}

impl MailModel {
    pub(crate) fn resend_actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (p, resend) in world.resends.iter().enumerate() {
            match resend {
                // The people are interchangeable, so they begin in order.
                Resend::Waiting if p == 0 || world.resends[p - 1] != Resend::Waiting => {
                    if self.may_resend(world) {
                        actions.push(Action::ReadForResend(p));
                    }
                }
                Resend::Read { .. } => {
                    actions.extend([Action::Resent(p), Action::ResendAnswerLost(p)]);
                    if world.late.len() < self.scope.late_requests {
                        actions.push(Action::ResendDelayed(p));
                    }
                }
                Resend::Waiting | Resend::Done => {}
            }
        }
    }

    pub(crate) fn resend_step(&self, world: &mut World, action: &Action) -> Option<()> {
        match *action {
            Action::ReadForResend(p) => {
                let mail = world.mail.as_ref()?;
                let request = ResendRequest { order: mail.order, rank: mail.rank };
                world.resends[p] = Resend::Read { request, attempt: 1 };
            }
            Action::Resent(p) => {
                let Resend::Read { request, .. } = world.resends[p] else { return None };
                self.resend(world, request);
                world.resends[p] = Resend::Done;
            }
            Action::ResendAnswerLost(p) | Action::ResendDelayed(p) => {
                let Resend::Read { request, attempt } = world.resends[p] else { return None };
                if *action == Action::ResendDelayed(p) {
                    world.send_late(Late::Resend(request));
                } else {
                    self.resend(world, request);
                }
                let again = Resend::Read { request, attempt: attempt + 1 };
                world.resends[p] = if attempt < self.scope.attempts { again } else { Resend::Done };
            }
            _ => return None,
        }
        Some(())
    }

    /// Returns whether the mail may be ordered again, as far as mail and credential say.
    fn may_resend(&self, world: &World) -> bool {
        let Some((mail, credential)) = world.mail.as_ref().zip(world.credential.as_ref()) else { return false };
        credential.needed
            && credential.issue == mail.order.issue
            && mail.may_be_sent_again(self.variant, self.scope.resends)
    }

    /// Carries out the transaction: the next round of the mail, if mail and credential are still as they were read.
    pub(crate) fn resend(&self, world: &mut World, request: ResendRequest) {
        let Some((mail, credential)) = world.mail.as_mut().zip(world.credential.as_ref()) else { return };
        let disclosable = credential.needed && credential.issue == mail.order.issue;
        if !disclosable || !mail.admits_resend(self.variant, request, self.scope.resends) {
            return;
        }
        world.witness.record_resend(mail);
        let forwarded = mail.order_again(self.variant, request);
        let order = mail.order;
        if forwarded {
            self.put_messages(world, order);
        }
    }
}
