//! The published events: what functions have put on the bus for published events, in order.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Cause, Error};
use super::{file, lock};

/// An event that EventBridge accepted on the bus for published events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// When EventBridge accepted the event, in RFC 3339.
    pub at: String,
    /// The type of the event, such as `CredentialsIssued`.
    pub detail_type: String,
    /// The source of the event.
    pub source: String,
    /// The content of the event, an object.
    pub detail: Value,
}

/// All published events, in memory and, if state is preserved, in a file with one JSON line for each event.
pub(super) struct PublishedEvents {
    events: Mutex<Vec<Published>>,
    file: Option<PathBuf>,
}

impl PublishedEvents {
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, Error> {
        let events = match &file {
            Some(path) if path.exists() => {
                let unreadable =
                    |source: Cause| Error::caused(format!("cannot read the events, {}", path.display()), source);
                let lines = fs::read_to_string(path).map_err(|error| unreadable(error.into()))?;
                lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| unreadable(e.into()))?
            }
            _ => Vec::new(),
        };
        Ok(Self { events: Mutex::new(events), file })
    }

    /// Adds the events of one request.
    pub(super) fn add(&self, events: Vec<Published>) -> std::io::Result<()> {
        let mut all = lock(&self.events);
        if let Some(path) = &self.file {
            let lines = events.iter().map(|event| Ok(serde_json::to_string(event)? + "\n"));
            let lines: String = lines.collect::<std::io::Result<_>>()?;
            file::private().append(true).open(path)?.write_all(lines.as_bytes())?;
        }
        all.extend(events);
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<Published> {
        lock(&self.events).clone()
    }

    /// Returns up to `limit` of the newest events, newest first, and the number of all events.
    pub(super) fn newest(&self, limit: usize) -> (Vec<Published>, usize) {
        let events = lock(&self.events);
        (events.iter().rev().take(limit).cloned().collect(), events.len())
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.events).len()
    }
}
