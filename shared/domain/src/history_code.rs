//! The codes of the history: what an entry says happened.

use crate::text_enum;

text_enum! {
    /// The code of what happened, in an entry of the history. A later release has more codes, so an entry keeps the text.
    #[derive(PartialOrd, Ord)]
    pub enum HistoryCode {
        /// An issue of credentials began with an event of the vendor.
        Issued = "issued",
        /// A portal user started the next issue after expiry.
        Renewed = "renewed",
        /// The support desk started the next issue.
        Reissued = "reissued",
        /// A trial became a paid subscription.
        Paid = "paid",
        /// An event of the vendor added portal users.
        PortalUsersAdded = "portal-users-added",
        /// The support desk added a portal user.
        PortalUserAdded = "portal-user-added",
        /// The support desk removed a portal user.
        PortalUserRemoved = "portal-user-removed",
        /// A portal user retrieved the credentials.
        Retrieved = "retrieved",
        /// The service administrator signed in with an issue for the first time.
        SignedIn = "signed-in",
        /// The owner of an account chose a password.
        PasswordChanged = "password-changed",
        /// An administrator was created.
        AdministratorCreated = "administrator-created",
        /// An administrator gave another one a temporary password.
        AdministratorReset = "administrator-reset",
        /// An administrator closed the account of another one.
        AdministratorRemoved = "administrator-removed",
        /// An administrator signed in for the first time.
        AdministratorSignedIn = "administrator-signed-in",
        /// The service administrator's account was retired.
        ServiceAdministratorRetired = "service-administrator-retired",
        /// The support desk unlocked an account that wrong passwords had closed.
        AccountUnlocked = "account-unlocked",
        /// An operator asked for the approval of a sensitive act.
        ApprovalRequested = "approval-requested",
        /// A second operator decided an approval, or it was overtaken.
        ApprovalDecided = "approval-decided",
        /// An event of the vendor ended the subscription.
        SubscriptionEnded = "subscription-ended",
        /// A portal user contacted support.
        SupportRequested = "support-requested",
        /// A portal user had the welcome mail sent again.
        MailResent = "mail-resent",
        /// SES gave the welcome mail up.
        MailUndelivered = "mail-undelivered",
        /// The welcome mail bounced.
        MailBounced = "mail-bounced",
        /// The address of the welcome mail is on a suppression list.
        MailSuppressed = "mail-suppressed",
        /// The recipient reported the welcome mail as unwanted.
        MailComplained = "mail-complained",
    }
}

impl HistoryCode {
    /// Returns whether it is an act of the support desk, or a step towards one. People always get a notice of these.
    #[must_use]
    pub fn is_desk_act(self) -> bool {
        match self {
            Self::Reissued
            | Self::PortalUserAdded
            | Self::PortalUserRemoved
            | Self::AccountUnlocked
            | Self::ApprovalRequested
            | Self::ApprovalDecided => true,
            Self::Issued
            | Self::Renewed
            | Self::Paid
            | Self::PortalUsersAdded
            | Self::Retrieved
            | Self::SignedIn
            | Self::PasswordChanged
            | Self::AdministratorCreated
            | Self::AdministratorReset
            | Self::AdministratorRemoved
            | Self::AdministratorSignedIn
            | Self::ServiceAdministratorRetired
            | Self::SubscriptionEnded
            | Self::SupportRequested
            | Self::MailResent
            | Self::MailUndelivered
            | Self::MailBounced
            | Self::MailSuppressed
            | Self::MailComplained => false,
        }
    }

    /// Returns whether the detail of an entry is the user name of an account that another person changed.
    #[must_use]
    pub fn names_account(self) -> bool {
        matches!(
            self,
            Self::AdministratorCreated
                | Self::AdministratorReset
                | Self::AdministratorRemoved
                | Self::ServiceAdministratorRetired
                | Self::AccountUnlocked
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pins the codes, which the table and the vendor's consumers keep.
    #[test]
    fn the_codes_are_those_that_are_stored_and_parse_to_themselves() {
        let expected = "issued renewed reissued paid portal-users-added portal-user-added portal-user-removed retrieved signed-in \
                        password-changed administrator-created administrator-reset administrator-removed \
                        administrator-signed-in service-administrator-retired account-unlocked approval-requested \
                        approval-decided subscription-ended support-requested mail-resent \
                        mail-undelivered mail-bounced mail-suppressed mail-complained";
        assert_eq!(HistoryCode::ALL.map(HistoryCode::as_str).to_vec(), expected.split_whitespace().collect::<Vec<_>>());
        for code in HistoryCode::ALL {
            assert_eq!(HistoryCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(["", "Issued", "closed"].map(HistoryCode::parse), [None; 3]);
    }
}
