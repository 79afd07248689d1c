//! The actions that a portal user can take on a subscription.

use crate::{Credential, RenewalDecision, Timestamp, WelcomeMail, text_enum};

text_enum! {
    /// An action that a portal user can take on a subscription. An action is added here when its function is built.
    pub enum CustomerAction {
        /// Possible in every state: where there is no password to show, the answer says why.
        GetCredentials = "get-credentials",
        /// Possible while the password could be shown and the address takes mail, until the mail was sent again three times.
        ResendMail = "resend-mail",
        /// Possible after the password has expired, while the company may start another issue.
        RenewCredentials = "renew-credentials",
        /// Possible in every state.
        ContactSupport = "contact-support",
    }
}

impl CustomerAction {
    /// Returns the actions that would do something now.
    #[must_use]
    pub fn possible(credential: &Credential, mail: &WelcomeMail, now: Timestamp) -> Vec<Self> {
        let is_possible = |action: &Self| match action {
            Self::GetCredentials | Self::ContactSupport => true,
            Self::ResendMail => mail.offers_resend(credential, now),
            Self::RenewCredentials => credential.judge_renewal(now) == RenewalDecision::Renew,
        };
        Self::ALL.into_iter().filter(is_possible).collect()
    }
}
