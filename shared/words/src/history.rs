//! The words for the entries of a history: on pages, at the support desk, and in notices.

use domain::{
    ActorRole, ApprovalOutcome, DeskAct, HistoryCode, HistoryEntry, MailDetail, MaskedAuthor, ShownAuthor, ShownEntry,
    history::WITHOUT_APPROVAL,
};

use crate::{Words, fill, mail_detail, person_first};

/// Returns the text of a code of the history, with a placeholder for an account where it is about one. A code of a later release is another
/// change.
#[must_use]
pub fn history_entry(words: &Words, what: &str) -> &'static str {
    let Some(code) = HistoryCode::parse(what) else { return words.entry_other };
    match code {
        HistoryCode::Issued => words.entry_issued,
        HistoryCode::Renewed => words.entry_renewed,
        HistoryCode::Reissued => words.entry_reissued,
        HistoryCode::Paid => words.entry_paid,
        HistoryCode::PortalUsersAdded => words.entry_portal_users_added,
        HistoryCode::PortalUserAdded => words.entry_portal_user_added,
        HistoryCode::PortalUserRemoved => words.entry_portal_user_removed,
        HistoryCode::Retrieved => words.entry_retrieved,
        HistoryCode::SignedIn => words.entry_signed_in,
        HistoryCode::PasswordChanged => words.entry_password_changed,
        HistoryCode::AdministratorCreated => words.entry_administrator_created,
        HistoryCode::AdministratorReset => words.entry_administrator_reset,
        HistoryCode::AdministratorRemoved => words.entry_administrator_removed,
        HistoryCode::AdministratorSignedIn => words.entry_administrator_signed_in,
        HistoryCode::ServiceAdministratorRetired => words.entry_service_administrator_retired,
        HistoryCode::AccountUnlocked => words.entry_account_unlocked,
        HistoryCode::ApprovalRequested => words.entry_approval_requested,
        HistoryCode::ApprovalDecided => words.entry_approval_decided,
        HistoryCode::SubscriptionEnded => words.entry_subscription_ended,
        HistoryCode::SupportRequested => words.entry_support_requested,
        HistoryCode::MailResent => words.entry_mail_resent,
        HistoryCode::MailUndelivered | HistoryCode::MailBounced | HistoryCode::MailSuppressed => {
            words.entry_mail_failed
        }
        HistoryCode::MailComplained => words.entry_mail_complained,
    }
}

/// Returns the sentence about the detail of an entry: why a mail failed, what an approval is about, or how it ended. `None` for a detail that
/// is no code, such as the name of an account.
#[must_use]
pub fn history_detail(words: &Words, what: &str, detail: &str) -> Option<&'static str> {
    match HistoryCode::parse(what)? {
        HistoryCode::ApprovalRequested => match detail {
            DeskAct::REISSUE => Some(words.approval_of_reissue),
            DeskAct::ADD_PORTAL_USER => Some(words.approval_of_portal_user),
            _ => None,
        },
        HistoryCode::ApprovalDecided => ApprovalOutcome::parse(detail).map(|outcome| match outcome {
            ApprovalOutcome::Approved => words.approval_approved,
            ApprovalOutcome::Rejected => words.approval_rejected,
            ApprovalOutcome::Overtaken => words.approval_overtaken,
        }),
        code if code.is_desk_act() => (detail == WITHOUT_APPROVAL).then_some(words.approval_none),
        // The vendor may give the reason of an end in their own words.
        HistoryCode::SubscriptionEnded => None,
        code if code.names_account() => None,
        _ => MailDetail::parse(detail).and_then(|detail| mail_detail(words, detail)),
    }
}

/// Returns the author of an entry of the history, as a cell of its own.
#[must_use]
pub fn history_author(words: &Words, shown: &ShownEntry, vendor: &str) -> String {
    let by = match &shown.by {
        ShownAuthor::Vendor => fill(words.history_vendor, &[("vendor", vendor)]),
        ShownAuthor::Support => fill(words.history_support, &[("vendor", vendor)]),
        ShownAuthor::Account(name) => (*name).to_owned(),
        ShownAuthor::Address(address) => address.clone(),
        ShownAuthor::Unconfirmed(label) => person_first(words, label),
    };
    if shown.you { fill(words.history_author, &[("by", &by)]) } else { by }
}

/// Returns the author of an entry of the history as operators see them: with their whole address, and operators with their name.
#[must_use]
pub fn unmasked_author(words: &Words, entry: &HistoryEntry, vendor: &str) -> String {
    match entry.actor().map(|actor| actor.role) {
        Some(ActorRole::Vendor) => fill(words.history_vendor, &[("vendor", vendor)]),
        Some(ActorRole::Customer) => person_first(words, &entry.by),
        Some(ActorRole::ServiceAdministrator | ActorRole::Administrator | ActorRole::Operator) | None => {
            entry.by.as_stored().to_owned()
        }
    }
}

/// The words of a notice.
pub struct NoticeWords {
    /// The subject, with a placeholder for the product.
    pub subject: &'static str,
    /// The sentences on what happened and what it means, with a placeholder for the product.
    pub happened: &'static str,
    /// A sentence on what else the recipient must know.
    pub note: Option<&'static str>,
    /// When to contact support. The address follows.
    pub unexpected: &'static str,
}

/// Returns the words of a notice about an entry of the history. A code of a later release is another change.
#[must_use]
pub fn notice(words: &Words, entry: &HistoryEntry) -> NoticeWords {
    let code = entry.code();
    let (subject, happened) = match code {
        Some(HistoryCode::Retrieved) => (words.notice_retrieved_subject, words.notice_retrieved),
        Some(HistoryCode::PortalUsersAdded) => {
            (words.notice_portal_users_added_subject, words.notice_portal_users_added)
        }
        Some(HistoryCode::SignedIn) => (words.notice_signed_in_subject, words.notice_signed_in),
        Some(HistoryCode::PasswordChanged) => (words.notice_password_changed_subject, words.notice_password_changed),
        Some(HistoryCode::AdministratorCreated) => {
            (words.notice_administrator_created_subject, administrator_created(words, entry))
        }
        Some(HistoryCode::AdministratorReset) => {
            (words.notice_administrator_reset_subject, words.notice_administrator_reset)
        }
        Some(HistoryCode::AdministratorRemoved) => {
            (words.notice_administrator_removed_subject, words.notice_administrator_removed)
        }
        Some(code) if code.is_desk_act() => desk_act(words, code, entry.detail.as_deref().unwrap_or_default()),
        _ => (words.notice_other_subject, words.notice_other),
    };
    let is_without_approval =
        code.is_some_and(HistoryCode::is_desk_act) && entry.detail.as_deref() == Some(WITHOUT_APPROVAL);
    let is_request = code == Some(HistoryCode::ApprovalRequested);
    NoticeWords {
        subject,
        happened,
        note: is_without_approval.then_some(words.approval_none),
        unexpected: if is_request { words.notice_unasked } else { words.notice_unexpected },
    }
}

/// Returns the sentences of a notice about a new account. The account that another administrator has added has a temporary password, and the
/// one that the service administrator creates for themselves has not.
fn administrator_created(words: &Words, entry: &HistoryEntry) -> &'static str {
    match entry.actor().map(|actor| actor.role) {
        Some(ActorRole::Administrator) => words.notice_administrator_waiting,
        Some(ActorRole::Vendor | ActorRole::Customer | ActorRole::ServiceAdministrator | ActorRole::Operator)
        | None => words.notice_administrator_created,
    }
}

/// Returns the subject and the sentences of a notice about an act of the support desk.
fn desk_act(words: &Words, code: HistoryCode, detail: &str) -> (&'static str, &'static str) {
    match (code, detail) {
        (HistoryCode::Reissued, _) => (words.notice_reissued_subject, words.notice_reissued),
        (HistoryCode::PortalUserAdded, _) => (words.notice_portal_user_added_subject, words.notice_portal_user_added),
        (HistoryCode::PortalUserRemoved, _) => {
            (words.notice_portal_user_removed_subject, words.notice_portal_user_removed)
        }
        (HistoryCode::AccountUnlocked, _) => (words.notice_account_unlocked_subject, words.notice_account_unlocked),
        (HistoryCode::ApprovalRequested, DeskAct::REISSUE) => {
            (words.notice_reissue_asked_subject, words.notice_reissue_asked)
        }
        (HistoryCode::ApprovalRequested, DeskAct::ADD_PORTAL_USER) => {
            (words.notice_access_asked_subject, words.notice_access_asked)
        }
        (HistoryCode::ApprovalDecided, outcome) => decided(words, ApprovalOutcome::parse(outcome)),
        (_, _) => (words.notice_other_subject, words.notice_other),
    }
}

fn decided(words: &Words, outcome: Option<ApprovalOutcome>) -> (&'static str, &'static str) {
    match outcome {
        Some(ApprovalOutcome::Approved) => (words.notice_approved_subject, words.notice_approved),
        Some(ApprovalOutcome::Rejected) => (words.notice_rejected_subject, words.notice_rejected),
        Some(ApprovalOutcome::Overtaken) => (words.notice_overtaken_subject, words.notice_overtaken),
        None => (words.notice_other_subject, words.notice_other),
    }
}

/// Returns the author of what a mail is about, on a line of their own.
#[must_use]
pub fn masked_author(words: &Words, author: MaskedAuthor, vendor: &str) -> String {
    match author {
        MaskedAuthor::Vendor => fill(words.history_vendor, &[("vendor", vendor)]),
        MaskedAuthor::Support => fill(words.history_support, &[("vendor", vendor)]),
        MaskedAuthor::Masked(name) => name,
        MaskedAuthor::Unconfirmed => words.notice_unconfirmed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{Actor, Caller, EmailAddress, Issue, Label, PersonId, Timestamp};

    use super::*;
    use crate::Language;

    fn customer(name: &str) -> Caller {
        let email = EmailAddress::parse(&format!("{name}@fabrikam.example"));
        Caller::new("https://issuer.example".into(), name.into(), email, Vec::new())
    }

    fn entry(what: &str, by: Label, who: Option<Actor>, detail: Option<&str>) -> HistoryEntry {
        let (at, issue) = (Timestamp::from_epoch_seconds(0), Issue::FIRST);
        HistoryEntry {
            seq: Some(1),
            at,
            what: what.into(),
            by,
            who,
            issue,
            detail: detail.map(str::to_owned),
            reason: None,
        }
    }

    fn by_operator(what: &str, detail: &str) -> HistoryEntry {
        let by = Label::from_stored("olivia@contoso.example".into(), Some(false));
        let who = Actor { role: ActorRole::Operator, id: Some(PersonId::from_account("olivia")) };
        entry(what, by, Some(who), Some(detail))
    }

    #[test]
    fn every_code_of_the_history_has_words_and_an_unknown_one_is_another_change() {
        for words in Language::ALL.map(Language::words) {
            for code in HistoryCode::ALL {
                assert_ne!(history_entry(words, code.as_str()), words.entry_other, "{code:?}");
            }
            assert_eq!(history_entry(words, "closed"), words.entry_other);
        }
    }

    #[test]
    fn only_a_detail_that_is_a_code_of_its_entry_has_a_sentence() {
        let words = Language::English.words();
        let detail = |what, detail| history_detail(words, what, detail);
        assert_eq!(detail("mail-bounced", "mailbox-full"), Some(words.undelivered_full));
        assert_eq!(detail("mail-bounced", "other"), None);
        assert_eq!(detail("approval-requested", "reissue"), Some(words.approval_of_reissue));
        assert_eq!(detail("approval-requested", "add-portal-user"), Some(words.approval_of_portal_user));
        assert_eq!(detail("approval-decided", "approved"), Some(words.approval_approved));
        assert_eq!(detail("approval-decided", "rejected"), Some(words.approval_rejected));
        assert_eq!(detail("approval-decided", "overtaken"), Some(words.approval_overtaken));
        for what in ["reissued", "portal-user-added"] {
            assert_eq!(detail(what, "without-approval"), Some(words.approval_none));
        }
        for what in HistoryCode::ALL.map(HistoryCode::as_str).into_iter().chain(["closed"]) {
            assert_eq!(detail(what, "a text that was typed"), None, "{what}");
        }
        for what in ["account-unlocked", "administrator-created", "administrator-removed", "subscription-ended"] {
            assert_eq!(detail(what, "blocked"), None, "{what}");
        }
    }

    #[test]
    fn each_act_of_the_desk_has_a_notice_of_its_own() {
        let acts = [
            ("reissued", ""),
            ("portal-user-added", ""),
            ("portal-user-removed", ""),
            ("account-unlocked", "lee@fabrikam"),
            ("approval-requested", "reissue"),
            ("approval-requested", "add-portal-user"),
            ("approval-decided", "approved"),
            ("approval-decided", "rejected"),
            ("approval-decided", "overtaken"),
        ];
        for words in Language::ALL.map(Language::words) {
            let all = acts.map(|(what, detail)| notice(words, &by_operator(what, detail)));
            let subjects: BTreeSet<_> = all.iter().map(|notice| notice.subject).collect();
            assert!(subjects.len() == acts.len() && !subjects.contains(words.notice_other_subject));
            let texts: BTreeSet<_> = all.iter().map(|notice| notice.happened).collect();
            assert!(texts.len() == acts.len() && !texts.contains(words.notice_other));
            assert!(all.iter().all(|notice| notice.note.is_none()));
            let asked = all.iter().filter(|notice| notice.unexpected == words.notice_unasked).count();
            assert_eq!(asked, 2, "only what is not done yet can still be stopped");
            let at_once = notice(words, &by_operator("reissued", "without-approval"));
            assert_eq!((at_once.subject, at_once.note), (words.notice_reissued_subject, Some(words.approval_none)));
        }
    }

    #[test]
    fn every_other_code_with_notices_has_its_own_words_and_an_unknown_one_is_another_change() {
        let subject = |words, what: &str| notice(words, &entry(what, customer("kim").label(), None, None)).subject;
        for words in Language::ALL.map(Language::words) {
            let codes = [
                "retrieved",
                "portal-users-added",
                "signed-in",
                "password-changed",
                "administrator-created",
                "administrator-reset",
                "administrator-removed",
            ];
            let subjects: BTreeSet<_> = codes.map(|code| subject(words, code)).into();
            assert!(subjects.len() == codes.len() && !subjects.contains(words.notice_other_subject));
            for code in ["closed", "approval-requested"] {
                assert_eq!(subject(words, code), words.notice_other_subject);
            }
        }
    }

    #[test]
    fn a_notice_of_an_account_that_an_administrator_added_says_that_it_waits() {
        let by = |role| Some(Actor { role, id: Some(PersonId::from_account("lee")) });
        for words in Language::ALL.map(Language::words) {
            let happened =
                |who| notice(words, &entry("administrator-created", customer("kim").label(), who, None)).happened;
            assert_eq!(happened(by(ActorRole::Administrator)), words.notice_administrator_waiting);
            assert_eq!(happened(by(ActorRole::ServiceAdministrator)), words.notice_administrator_created);
            assert_eq!(happened(None), words.notice_administrator_created, "of release 0.1.0");
        }
    }

    #[test]
    fn a_mail_names_its_author_in_the_language_of_the_reader() {
        let author = |language: Language, author| masked_author(language.words(), author, "Contoso");
        for (language, vendor, support) in [
            (Language::English, "Contoso (automatically)", "Contoso support"),
            (Language::German, "Contoso (automatisch)", "Support von Contoso"),
        ] {
            assert_eq!(author(language, MaskedAuthor::Vendor), vendor);
            assert_eq!(author(language, MaskedAuthor::Support), support);
            assert_eq!(author(language, MaskedAuthor::Masked("k•@fabrikam".into())), "k•@fabrikam");
            assert!(!author(language, MaskedAuthor::Unconfirmed).contains('@'));
        }
    }

    #[test]
    fn an_author_is_named_as_the_reader_may_see_them() {
        let (dana, english) = (customer("dana"), Language::English.words());
        let retrieved = entry("retrieved", dana.label(), Some((&dana).into()), None);
        let author = |entry: &HistoryEntry, reader: &Caller| {
            history_author(english, &entry.shown_to(reader.person()), "Contoso")
        };
        assert_eq!(author(&retrieved, &dana), "dana@fabrikam.example (you)");
        assert_eq!(author(&retrieved, &customer("kim")), "d•@fabrikam.example");
        let unknown = entry("closed", dana.label(), None, None);
        assert_eq!(author(&unknown, &dana), "Contoso support");
    }

    #[test]
    fn an_operator_sees_the_names_of_operators_and_whole_addresses() {
        let english = Language::English.words();
        let author = |entry: &HistoryEntry| unmasked_author(english, entry, "Contoso");
        let dana = customer("dana");
        assert_eq!(author(&entry("retrieved", dana.label(), Some((&dana).into()), None)), "dana@fabrikam.example");
        assert_eq!(author(&by_operator("reissued", "")), "olivia@contoso.example");
        let subject = Label::from_stored("ceo@fabrikam.example".into(), Some(false));
        let unconfirmed = author(&entry("retrieved", subject.clone(), Some((&dana).into()), None));
        assert_eq!(unconfirmed, "An account without a confirmed address (…xample)");
        assert_eq!(author(&entry("issued", subject.clone(), Some(Actor::VENDOR), None)), "Contoso (automatically)");
        assert_eq!(author(&entry("closed", subject, None, None)), "ceo@fabrikam.example", "of a later release");
    }
}
