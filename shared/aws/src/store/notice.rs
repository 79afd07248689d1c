//! The item of a notice: its key, attributes and conversion.

use std::time::Duration;

use domain::{EmailAddress, MailKind, MailStatus, Notice, NoticeId, Principal, SubscriptionId, Timestamp};

use super::{
    history,
    item::{Attributes, Item, Reader, number, text, time},
    mail::{self, LOCALE, RANK, TO},
    names::{AT, SK, STATUS, TTL},
};
use crate::Failure;

/// The time of what the notice is about. [`AT`] is that of the mail's status.
const HAPPENED_AT: &str = "happened_at";

/// How long the table keeps a notice: longer than a transition may be published again with notices, so that none is sent twice.
const LIFETIME: Duration = Duration::from_hours(24 * 14);

/// Returns a notice as an item, including its key.
pub(super) fn to_item(subscription: &SubscriptionId, notice: &Notice) -> Attributes {
    let key = mail::key_for(subscription, &MailKind::Notice(notice.id.clone()), notice.issue);
    history::with_entry(Item::at(key), &notice.entry, HAPPENED_AT)
        .with(TO, text(&notice.to))
        .with_if(LOCALE, notice.locale.as_ref().map(text))
        .with(STATUS, text(notice.status.as_str()))
        .with(RANK, number(notice.status.rank()))
        .with(AT, time(notice.at))
        .with(TTL, time(notice.at.plus(LIFETIME)))
        .into_map()
}

fn parse_sort_key(key: &str) -> Option<NoticeId> {
    match mail::parse_sort_key(key)? {
        MailKind::Notice(id) => Some(id),
        MailKind::Welcome | MailKind::Reminder | MailKind::Support(_) => None,
    }
}

/// Reads what a notice is about and whom it goes to, and when it was ordered. `None` for an item that is no notice.
pub(super) fn recipient(item: &Attributes) -> Option<((String, Principal), Timestamp)> {
    let item = Reader(item);
    let what = item.text(history::WHAT).ok()?.to_owned();
    let to = item.parsed(TO, EmailAddress::parse).ok()?;
    // The status may have changed since, but the time to live has not.
    let kept_until = item.time(TTL).ok()?.epoch_seconds();
    let lifetime = i64::try_from(LIFETIME.as_secs()).ok()?;
    Some(((what, Principal::email(&to)), Timestamp::from_epoch_seconds(kept_until - lifetime)))
}

/// Reads a notice from an item.
pub(super) fn from_item(item: &Attributes) -> Result<Notice, Failure> {
    let item = Reader(item);
    let entry = history::entry(item, None, HAPPENED_AT)?;
    Ok(Notice {
        id: item.parsed(SK, parse_sort_key)?,
        issue: entry.issue,
        to: item.parsed(TO, EmailAddress::parse)?,
        locale: item.optional_text(LOCALE).map(str::to_owned),
        entry,
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
}

#[cfg(test)]
mod tests {
    use domain::{Caller, Issue, Retrieval, RetrievalId, Timestamp, Transition};

    use super::*;

    #[test]
    fn a_notice_is_read_as_it_was_written() {
        let subscription = SubscriptionId::parse("sub-1").unwrap();
        let address = EmailAddress::parse("kim@fabrikam.example").unwrap();
        let at = Timestamp::from_epoch_seconds;
        for (email, locale) in [(Some(address.clone()), Some("de".to_owned())), (None, None)] {
            let caller = Caller::new("https://issuer.example".into(), "kim@fabrikam.example".into(), email, Vec::new());
            let (click, retrieval) = (RetrievalId::from_click(&caller, "click"), Retrieval::new(&caller, at(5)));
            let transition = Transition::from_retrieval(&subscription, Issue::FIRST.next(), &click, &retrieval);
            let notice = Notice::new(&transition, &address, locale, at(9));
            let read = from_item(&to_item(&subscription, &notice)).unwrap();
            assert_eq!((&read.id, read.issue, &read.locale), (&notice.id, notice.issue, &notice.locale));
            assert_eq!((read.to.to_string(), &read.entry), (notice.to.to_string(), &notice.entry));
            assert_eq!((read.status, read.at), (MailStatus::Pending, at(9)));
        }
    }
}
