//! The advice on a subscription: what an operator can do next, in one sentence with one button.

use aws::DeskSubscription;
use domain::{Approval, CredentialState, MailStatus, PersonId, RenewalDecision, Timestamp};
use page::Filled;

use super::Frame;

/// The action that fits the state of a subscription.
pub(super) struct Advice {
    pub(super) sentence: Filled,
    pub(super) button: &'static str,
    /// The part of the page, or the page, that the button leads to.
    pub(super) href: String,
}

/// The best action in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing { ended_at: Timestamp },
    Wait { until: Timestamp },
    Decide { until: Timestamp },
    Unlock { user_name: String },
    ReissueElsewhere,
    ReissueUsedUp,
    Retrieve { until: Timestamp },
    Renew { expired_at: Timestamp },
    ReissueExpired { expired_at: Timestamp },
    ReissueSignedIn { at: Timestamp },
    ReissueChanged { at: Timestamp },
    ReissueHandedOver,
}

impl Step {
    /// Returns the step for a subscription. `approval` is the one that is to be decided, if there is one.
    pub(super) fn next(
        found: &DeskSubscription,
        approval: Option<&Approval>,
        reader: PersonId,
        now: Timestamp,
    ) -> Self {
        let credential = &found.credential;
        if let Some(ended_at) = credential.ended_at {
            return Self::Nothing { ended_at };
        }
        if let Some(approval) = approval {
            let until = approval.expires_at;
            return if approval.asked_by.person == reader { Self::Wait { until } } else { Self::Decide { until } };
        }
        let administrators = found.administrators.iter().map(|one| &one.account);
        let mut accounts = std::iter::once(&found.service_administrator).chain(administrators);
        if let Some(closed) = accounts.find(|account| account.closed) {
            return Self::Unlock { user_name: closed.user_name.to_string() };
        }
        let (signed_in_at, changed_at) = (credential.signed_in_at, credential.changed_at);
        match credential.state(now) {
            CredentialState::Issued if credential.retrievals_remaining() == 0 => Self::ReissueUsedUp,
            CredentialState::Issued if failed(found.mail.status) => Self::ReissueElsewhere,
            CredentialState::Issued => Self::Retrieve { until: credential.expires_at },
            CredentialState::Expired if credential.judge_renewal(now) == RenewalDecision::Renew => {
                Self::Renew { expired_at: credential.expires_at }
            }
            CredentialState::Expired => Self::ReissueExpired { expired_at: credential.expires_at },
            CredentialState::SignedIn => Self::ReissueSignedIn { at: signed_in_at.unwrap_or(now) },
            CredentialState::Changed => Self::ReissueChanged { at: changed_at.unwrap_or(now) },
            CredentialState::HandedOver => Self::ReissueHandedOver,
            CredentialState::Ended => Self::Nothing { ended_at: now },
        }
    }
}

/// Returns whether the welcome mail has not reached its reader.
fn failed(status: MailStatus) -> bool {
    status == MailStatus::Undelivered || status.rules_address_out()
}

impl Advice {
    pub(super) fn new(step: &Step, f: &Frame) -> Self {
        let w = f.w;
        let reissue = |sentence| (sentence, w.desk_reissue, "#reissue");
        let (sentence, button, href) = match step {
            Step::Nothing { ended_at } => (f.at(w.desk_next_ended, ended_at), w.desk_see_history, "#history"),
            Step::Wait { until } => (f.at(w.desk_next_wait, until), w.desk_see_approval, "/desk/approvals"),
            Step::Decide { until } => (f.at(w.desk_next_decide, until), w.desk_see_approval, "/desk/approvals"),
            Step::Unlock { user_name } => {
                (f.literally(w.desk_next_unlock, user_name), w.desk_unlock, "#administrators")
            }
            Step::ReissueElsewhere => reissue(f.literally(w.desk_next_mail, "")),
            Step::ReissueUsedUp => reissue(f.literally(w.desk_next_used_up, "")),
            Step::Retrieve { until } => (f.at(w.desk_next_retrieve, until), w.desk_see_history, "#history"),
            Step::Renew { expired_at } => reissue(f.at(w.desk_next_renew, expired_at)),
            Step::ReissueExpired { expired_at } => reissue(f.at(w.desk_next_expired, expired_at)),
            Step::ReissueSignedIn { at } => reissue(f.at(w.desk_next_signed_in, at)),
            Step::ReissueChanged { at } => reissue(f.at(w.desk_next_changed, at)),
            Step::ReissueHandedOver => reissue(f.literally(w.desk_next_handed_over, "")),
        };
        Self { sentence, button, href: href.to_owned() }
    }
}
