//! Notices: mails that say what another person did. They hold no secret and no text that a customer typed, not even the name of their
//! company, and no link in them acts.

use askama::Template;
use domain::{Credential, Notice, name::defused};
use words::{Language, Words};
use zeroize::Zeroizing;

use super::{Letter, RenderingFailed};

/// The vendor and the addresses that a notice refers to.
pub(crate) struct NoticeContext<'a> {
    pub(crate) vendor: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) support_url: &'a str,
}

impl Letter {
    /// Writes a notice in the language of the issue's mails.
    pub(crate) fn notice(
        notice: &Notice,
        credential: &Credential,
        context: &NoticeContext,
    ) -> Result<Self, RenderingFailed> {
        let language = Language::preferred(notice.locale.as_deref().unwrap_or_default());
        Self::notice_in(language, notice, credential, context)
    }

    fn notice_in(
        language: Language,
        notice: &Notice,
        credential: &Credential,
        context: &NoticeContext,
    ) -> Result<Self, RenderingFailed> {
        let w = language.words();
        let names = [("product", &*defused(&credential.product))];
        let of_notice = words::notice(w, &notice.entry);
        let subject = words::fill(of_notice.subject, &names);
        let letter = &NoticeLetter {
            w,
            language: language.code(),
            subject: &subject,
            happened: &words::fill(of_notice.happened, &names),
            note: of_notice.note,
            facts: facts(w, notice, context.vendor),
            unexpected: of_notice.unexpected,
            support_url: context.support_url,
            portal_url: context.origin,
        };
        let (text, html) = (NoticeText { letter }.render()?, NoticeHtml { letter }.render()?);
        Ok(Self { subject, text: Zeroizing::new(text), html: Zeroizing::new(html) })
    }
}

/// Returns the lines that say whom it is about, who did it, and when. A domain that is not the recipient's own becomes no link.
fn facts(w: &'static Words, notice: &Notice, vendor: &str) -> Vec<Fact> {
    let masked = notice.entry.masked();
    let is_own = |text: &str| text.rsplit_once('@').is_some_and(|(_, domain)| domain == notice.to.domain());
    let shown = |text: String| if is_own(&text) { text } else { defused(&text) };
    let account = masked.account.map(|account| Fact { name: w.user_name, value: shown(account) });
    let by = Fact { name: w.history_who, value: shown(words::masked_author(w, masked.by, vendor)) };
    let at = Fact { name: w.history_when, value: words::date(w, notice.entry.at) };
    account.into_iter().chain([by, at]).collect()
}

/// One line of what is known about the act.
struct Fact {
    name: &'static str,
    value: String,
}

/// The content of a notice, for both of its bodies.
struct NoticeLetter<'a> {
    w: &'static Words,
    language: &'static str,
    subject: &'a str,
    happened: &'a str,
    note: Option<&'static str>,
    facts: Vec<Fact>,
    unexpected: &'static str,
    support_url: &'a str,
    portal_url: &'a str,
}

#[derive(Template)]
#[template(path = "notice.txt", escape = "none")]
struct NoticeText<'a> {
    letter: &'a NoticeLetter<'a>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeHtml<'a> {
    letter: &'a NoticeLetter<'a>,
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use domain::{
        Actor, Company, CompanyId, EmailAddress, HistoryEntry, Issue, Kind, Label, MailStatus, NoticeId,
        SubscriptionId, Timestamp, UserName,
    };

    use super::*;

    fn credential() -> Credential {
        let at = Timestamp::from_epoch_seconds;
        Credential {
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            product: "Suite".into(),
            company: Company { id: CompanyId::parse("fabrikam").unwrap(), name: "Fabrikam".into() },
            kind: Kind::Trial,
            user_name: UserName::parse("admin@fabrikam").unwrap(),
            portal_users: BTreeSet::new(),
            issue: Issue::FIRST,
            sealed_password: None,
            retrievals: BTreeMap::new(),
            started_at: at(1),
            issued_at: at(1),
            expires_at: at(2),
            signed_in_at: None,
            changed_at: None,
            handed_over_at: None,
            ended_at: None,
            closed_at: None,
            purging_until: None,
            renewals: 0,
            renewed_at: None,
            seq: 1,
        }
    }

    fn notice(what: &str) -> Notice {
        let at = Timestamp::from_epoch_seconds(1_794_303_000);
        let by = Label::from_stored("vendor".into(), Some(false));
        let (what, who) = (what.to_owned(), Some(Actor::VENDOR));
        Notice {
            id: NoticeId::parse("AAAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAAAA").unwrap(),
            issue: Issue::FIRST,
            to: EmailAddress::parse("it@fabrikam.example").unwrap(),
            locale: None,
            entry: HistoryEntry {
                seq: Some(1),
                at,
                what,
                by,
                who,
                issue: Issue::FIRST,
                detail: Some("m@fabrikam".into()),
                reason: None,
            },
            status: MailStatus::Pending,
            at,
        }
    }

    #[test]
    fn no_text_of_a_notice_is_untranslated() {
        let context =
            NoticeContext { vendor: "Contoso", origin: "https://portal.example", support_url: "https://help.example" };
        let codes = [
            "retrieved",
            "portal-users-added",
            "signed-in",
            "password-changed",
            "administrator-created",
            "administrator-reset",
            "administrator-removed",
            "?",
        ];
        for what in codes {
            let letter = Letter::notice_in(Language::Pseudo, &notice(what), &credential(), &context).unwrap();
            assert!(letter.subject.starts_with('[') && letter.html.contains("<html lang=\"qps\" dir=\"rtl\">"));
            for line in letter.text.lines().filter(|line| !line.is_empty() && !line.starts_with("https://")) {
                let is_fact = line.starts_with('[') && line.contains("]: ");
                assert!(is_fact || line.starts_with('[') && line.ends_with(']'), "{line:?} is not translated");
            }
        }
    }
}
