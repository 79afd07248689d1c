//! The inbox: the mails that SES would have delivered.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::error::{Cause, Error};
use super::{file, lock};

/// A mail as it was sent to SES. Several addresses are joined by commas, as in a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The id that SES assigned, which later events about the mail carry.
    pub message_id: String,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text part, or an empty string.
    pub text: String,
    /// The HTML part, or an empty string.
    pub html: String,
    /// The address for replies, if it is not the sender's.
    pub reply_to: Option<String>,
    /// When SES accepted the mail, in RFC 3339.
    pub sent_at: String,
    /// The message tags.
    pub tags: BTreeMap<String, String>,
    /// The configuration set that publishes the mail's events.
    pub configuration_set: Option<String>,
}

impl Mail {
    /// Returns the addresses of the recipients.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &str> {
        self.to.split(", ")
    }
}

/// All mails, in memory and, if state is preserved, in a file with one JSON line for each mail.
pub(super) struct Inbox {
    mails: Mutex<Vec<Mail>>,
    file: Option<PathBuf>,
}

impl Inbox {
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, Error> {
        let mails = match &file {
            Some(path) if path.exists() => {
                let unreadable =
                    |source: Cause| Error::caused(format!("cannot read the inbox, {}", path.display()), source);
                let lines = fs::read_to_string(path).map_err(|error| unreadable(error.into()))?;
                lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| unreadable(e.into()))?
            }
            _ => Vec::new(),
        };
        Ok(Self { mails: Mutex::new(mails), file })
    }

    pub(super) fn add(&self, mail: Mail) -> std::io::Result<()> {
        let mut mails = lock(&self.mails);
        if let Some(path) = &self.file {
            let line = serde_json::to_string(&mail)?;
            writeln!(file::private().append(true).open(path)?, "{line}")?;
        }
        mails.push(mail);
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<Mail> {
        lock(&self.mails).clone()
    }

    /// Returns the mails with this value of the tag `subscription`.
    pub(super) fn for_subscription(&self, id: &str) -> Vec<Mail> {
        let mails = lock(&self.mails);
        mails.iter().filter(|mail| mail.tags.get("subscription").is_some_and(|own| own == id)).cloned().collect()
    }

    /// Returns the mail with this id, or the latest to this address.
    pub(super) fn find(&self, id_or_address: &str) -> Option<Mail> {
        let mails = lock(&self.mails);
        let is_it = |mail: &&Mail| {
            mail.message_id == id_or_address || mail.recipients().any(|to| to.eq_ignore_ascii_case(id_or_address))
        };
        mails.iter().rev().find(is_it).cloned()
    }

    /// Returns the mail at this index.
    pub(super) fn at(&self, place: usize) -> Option<Mail> {
        lock(&self.mails).get(place).cloned()
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.mails).len()
    }

    /// Returns the HTML part of the mail at this index.
    pub(super) fn html(&self, place: usize) -> Option<String> {
        lock(&self.mails).get(place).map(|mail| mail.html.clone())
    }
}
