//! The mails that SES would have delivered.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::error::{Cause, Error};
use super::{file, lock};

/// A mail as it was handed to SES. Several addresses are joined by a comma, as in a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// SES's id of it, which later events about it carry.
    pub message_id: String,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text part; empty where there is none.
    pub text: String,
    /// The HTML part; empty where there is none.
    pub html: String,
    /// Where answers go, if somewhere else than to the sender.
    pub reply_to: Option<String>,
    /// When SES took it, RFC 3339.
    pub sent_at: String,
    /// The message tags.
    pub tags: BTreeMap<String, String>,
    /// The configuration set that its events go through.
    pub configuration_set: Option<String>,
}

/// In memory, and in a file of one JSON line a mail where state is kept.
pub(super) struct Inbox {
    mails: Mutex<Vec<Mail>>,
    file: Option<PathBuf>,
}

impl Inbox {
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, Error> {
        let kept = match &file {
            Some(path) if path.exists() => {
                let unreadable =
                    |source: Cause| Error::caused(format!("cannot read the inbox, {}", path.display()), source);
                let lines = fs::read_to_string(path).map_err(|error| unreadable(error.into()))?;
                lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| unreadable(e.into()))?
            }
            _ => Vec::new(),
        };
        Ok(Self { mails: Mutex::new(kept), file })
    }

    pub(super) fn keep(&self, mail: Mail) -> std::io::Result<()> {
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

    pub(super) fn count(&self) -> usize {
        lock(&self.mails).len()
    }

    /// The HTML part of the mail in this place, from 0.
    pub(super) fn html(&self, place: usize) -> Option<String> {
        lock(&self.mails).get(place).map(|mail| mail.html.clone())
    }
}
