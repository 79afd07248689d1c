//! Dates, lists and sentences that are made of the codes and times of `domain`.

use domain::{BlankReason, Label, MailDetail, PersonId, ReasonCode, Retrieval, Timestamp};

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

#[cfg(test)]
mod tests {
    use domain::{Caller, EmailAddress};

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
