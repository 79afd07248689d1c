//! Dates, lists and sentences that are made of the codes and times of `domain`.

use domain::{
    BlankReason, Label, MailDetail, MaskedAuthor, PersonId, ReasonCode, Retrieval, ShownAuthor, ShownEntry, Timestamp,
};

use crate::{Words, fill};

/// Returns a time as the language writes it, such as `17 November 2026, 10:04 UTC`.
#[must_use]
pub fn date(words: &Words, at: Timestamp) -> String {
    // 2026-11-17T10:04:00Z
    let text = at.to_string();
    let [year, month, day, time] = [0..4, 5..7, 8..10, 11..16].map(|range| text.get(range).unwrap_or_default());
    let month = month.parse::<usize>().ok().and_then(|month| words.months.split(' ').nth(month.checked_sub(1)?));
    let day = day.trim_start_matches('0');
    fill(words.date, &[("day", day), ("month", month.unwrap_or_default()), ("year", year), ("time", time)])
}

/// Returns the name of a person within a sentence: the confirmed address, or the words for an account without one.
#[must_use]
pub fn person(words: &Words, label: &Label) -> String {
    named(words.unconfirmed_account, label)
}

/// Returns the same as [`person`] for the beginning of a sentence.
#[must_use]
pub fn person_first(words: &Words, label: &Label) -> String {
    named(words.unconfirmed_account_first, label)
}

fn named(unconfirmed: &str, label: &Label) -> String {
    let end = label.subject_end().unwrap_or_default();
    label.shown_address().map_or_else(|| fill(unconfirmed, &[("end", &end)]), ToOwned::to_owned)
}

/// Returns the retrievals as a list that says when each was and by whom, with `reader` as "you".
fn retrieval_list(words: &Words, retrievals: &[Retrieval], reader: PersonId) -> String {
    let one = |retrieval: &Retrieval| {
        let text = if retrieval.who == reader { words.list_you } else { words.list_other };
        fill(text, &[("at", &date(words, retrieval.at)), ("by", &person(words, &retrieval.by))])
    };
    retrievals.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns the sentence that tells `reader` why the password is blank.
#[must_use]
pub fn blank_reason(words: &Words, reason: &BlankReason, reader: PersonId) -> String {
    let text = match reason.code {
        ReasonCode::AdministratorSignedIn => words.reason_signed_in_only,
        ReasonCode::AdministratorChangedPassword => words.reason_changed,
        ReasonCode::RetrievedThreeTimes => words.reason_retrieved_company_over,
        ReasonCode::RetrievedBySomeoneElse => words.reason_retrieved_others,
        ReasonCode::Expired => words.reason_expired,
        ReasonCode::SubscriptionEnded => words.reason_ended,
    };
    let list = retrieval_list(words, &reason.retrievals, reader);
    fill(text, &[("at", &date(words, reason.at)), ("list", &list)])
}

/// Returns why a mail was not delivered, as a sentence. `None` where there is no more to say.
#[must_use]
pub fn mail_detail(words: &Words, detail: MailDetail) -> Option<&'static str> {
    match detail {
        MailDetail::MailboxFull => Some(words.undelivered_full),
        MailDetail::NoSuchMailbox => Some(words.undelivered_no_mailbox),
        MailDetail::DomainUnknown => Some(words.undelivered_domain),
        MailDetail::Blocked => Some(words.undelivered_blocked),
        MailDetail::Suppressed => Some(words.undelivered_suppressed),
        MailDetail::Other => None,
    }
}

/// Returns the text of a code of the history, with a placeholder for an account where it is about one. A code of a later release is another
/// change.
#[must_use]
pub fn history_entry(words: &Words, what: &str) -> &'static str {
    match what {
        "issued" => words.entry_issued,
        "paid" => words.entry_paid,
        "portal-users-added" => words.entry_portal_users_added,
        "retrieved" => words.entry_retrieved,
        "signed-in" => words.entry_signed_in,
        "password-changed" => words.entry_password_changed,
        "administrator-created" => words.entry_administrator_created,
        "administrator-signed-in" => words.entry_administrator_signed_in,
        "service-administrator-retired" => words.entry_service_administrator_retired,
        "support-requested" => words.entry_support_requested,
        "mail-resent" => words.entry_mail_resent,
        "renewed" => words.entry_renewed,
        "mail-undelivered" | "mail-bounced" | "mail-suppressed" => words.entry_mail_failed,
        "mail-complained" => words.entry_mail_complained,
        _ => words.entry_other,
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

/// Returns the subject and the sentence of a notice about a code of the history. A code of a later release is another change.
#[must_use]
pub fn notice(words: &Words, what: &str) -> (&'static str, &'static str) {
    match what {
        "retrieved" => (words.notice_retrieved_subject, words.notice_retrieved),
        "portal-users-added" => (words.notice_portal_users_added_subject, words.notice_portal_users_added),
        "signed-in" => (words.notice_signed_in_subject, words.notice_signed_in),
        "password-changed" => (words.notice_password_changed_subject, words.notice_password_changed),
        "administrator-created" => (words.notice_administrator_created_subject, words.notice_administrator_created),
        _ => (words.notice_other_subject, words.notice_other),
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
    use domain::{Caller, EmailAddress, HistoryEntry};

    use super::*;
    use crate::Language;

    fn customer(name: &str) -> Caller {
        let email = EmailAddress::parse(&format!("{name}@fabrikam.example"));
        Caller::new("https://issuer.example".into(), name.into(), email, Vec::new())
    }

    fn reason(code: ReasonCode, retrievals: &[(&str, &str)]) -> BlankReason {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let one = |(name, time): &(&str, &str)| Retrieval::new(&customer(name), at(time));
        let retrievals: Vec<Retrieval> = retrievals.iter().map(one).collect();
        let last = retrievals.last().map_or_else(|| at("2026-11-10T10:30:00Z"), |retrieval| retrieval.at);
        BlankReason { code, at: last, retrievals }
    }

    fn sentence(language: Language, reason: &BlankReason) -> String {
        blank_reason(language.words(), reason, customer("dana").person())
    }

    #[test]
    fn a_date_is_written_as_the_language_has_it() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let date = |language: Language| date(language.words(), at("2026-01-07T09:04:00Z"));
        assert_eq!(date(Language::English), "7 January 2026, 09:04 UTC");
        assert_eq!(date(Language::German), "7. Januar 2026, 09:04 UTC");
        let last = super::date(Language::English.words(), at("2026-12-30T23:59:59Z"));
        assert_eq!(last, "30 December 2026, 23:59 UTC");
    }

    #[test]
    fn every_reason_has_its_sentence_with_its_time_in_every_language() {
        for language in Language::ALL {
            let sentences: Vec<String> =
                ReasonCode::ALL.iter().map(|code| sentence(language, &reason(*code, &[]))).collect();
            for (code, sentence) in ReasonCode::ALL.iter().zip(&sentences) {
                assert!(sentence.ends_with('.') && !sentence.contains('{'), "{sentence}");
                let is_about_retrievals =
                    matches!(code, ReasonCode::RetrievedThreeTimes | ReasonCode::RetrievedBySomeoneElse);
                assert_eq!(sentence.contains("2026, 10:30 UTC"), !is_about_retrievals, "{sentence}");
            }
        }
        assert_eq!(
            sentence(Language::English, &reason(ReasonCode::AdministratorSignedIn, &[])),
            "Your service administrator signed in on 10 November 2026, 10:30 UTC."
        );
    }

    #[test]
    fn retrievals_are_listed_with_who_and_when() {
        let retrievals = [("dana", "2026-11-07T09:04:00Z"), ("kim", "2026-11-08T10:00:00Z")];
        let three = sentence(Language::English, &reason(ReasonCode::RetrievedThreeTimes, &retrievals));
        let list = "7 November 2026, 09:04 UTC by you, 8 November 2026, 10:00 UTC by kim@fabrikam.example";
        assert!(three.ends_with(&format!("{list}.")), "{three}");
        let others = sentence(Language::English, &reason(ReasonCode::RetrievedBySomeoneElse, &retrievals[1..]));
        assert!(
            others.ends_with("8 November 2026, 10:00 UTC by kim@fabrikam.example.") && !others.contains("you"),
            "{others}"
        );
        let german = sentence(Language::German, &reason(ReasonCode::RetrievedBySomeoneElse, &retrievals[1..]));
        assert!(german.contains("8. November 2026, 10:00 UTC") && german.contains("kim"), "{german}");
    }

    #[test]
    fn every_code_of_the_history_has_words_and_an_unknown_one_is_another_change() {
        let codes = "issued paid portal-users-added retrieved signed-in password-changed administrator-created \
                     administrator-signed-in service-administrator-retired support-requested mail-resent renewed \
                     mail-undelivered mail-bounced mail-suppressed mail-complained";
        for words in Language::ALL.map(Language::words) {
            for code in codes.split(' ') {
                assert_ne!(history_entry(words, code), words.entry_other, "{code}");
            }
            assert_eq!(history_entry(words, "closed"), words.entry_other);
        }
    }

    #[test]
    fn every_code_with_notices_has_its_own_words_and_an_unknown_one_is_another_change() {
        for words in Language::ALL.map(Language::words) {
            let codes = ["retrieved", "portal-users-added", "signed-in", "password-changed", "administrator-created"];
            let subjects: std::collections::BTreeSet<_> = codes.map(|code| notice(words, code).0).into();
            assert!(subjects.len() == codes.len() && !subjects.contains(words.notice_other_subject));
            assert_eq!(notice(words, "reissued"), (words.notice_other_subject, words.notice_other));
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
        let mut entry = HistoryEntry {
            seq: Some(1),
            at: Timestamp::from_epoch_seconds(0),
            what: "retrieved".to_owned(),
            by: dana.label(),
            who: Some((&dana).into()),
            issue: domain::Issue::FIRST,
            detail: None,
            reason: None,
        };
        let author = |reader: &Caller| history_author(english, &entry.shown_to(reader.person()), "Contoso");
        assert_eq!([&dana, &customer("kim")].map(author), ["dana@fabrikam.example (you)", "d•@fabrikam.example"]);
        entry.who = None;
        entry.what = "reissued".to_owned();
        let author = history_author(english, &entry.shown_to(dana.person()), "Contoso");
        assert_eq!(author, "Contoso support");
    }

    #[test]
    fn a_subject_that_looks_like_an_address_is_never_shown_as_one() {
        let subject = Caller::new("https://issuer.example".into(), "ceo@fabrikam.example".into(), None, Vec::new());
        for (language, within, first) in [
            (Language::English, "an account without a confirmed address (…xample)", "An account without"),
            (Language::German, "ein Konto ohne bestätigte Adresse (…xample)", "Ein Konto ohne"),
        ] {
            let words = language.words();
            assert_eq!(super::person(words, &subject.label()), within);
            assert!(person_first(words, &subject.label()).starts_with(first));
            let at = Timestamp::parse_rfc3339("2026-11-07T09:04:00Z").unwrap();
            let retrievals = vec![Retrieval::new(&subject, at)];
            let reason = BlankReason { code: ReasonCode::RetrievedBySomeoneElse, at, retrievals };
            let sentence = sentence(language, &reason);
            assert!(sentence.contains(within) && !sentence.contains('@'), "{sentence}");
        }
    }
}
