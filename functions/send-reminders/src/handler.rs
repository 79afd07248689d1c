//! `send-reminders`: logs how late the schedule invokes it, and changes nothing.
//!
//! **Source**: a schedule.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use lambda::{Clock, Rejection, Settings, Tick};
use tracing::info;

/// The permissions of the function: it may do nothing but read the time.
pub struct App {
    clock: Clock,
}

impl App {
    /// Reads no settings.
    pub fn new(_settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        Ok(Self { clock })
    }
}

/// Handles one invocation by the schedule.
#[expect(clippy::unused_async, reason = "every handler is async, and this one waits for nothing yet")]
pub async fn handle(app: Arc<App>, tick: Tick) -> Result<(), Rejection> {
    info!(outcome = "invoked", late_seconds = tick.lateness(app.clock.now()).as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_function_starts_without_settings() {
        assert!(App::new(&Settings::given(HashMap::new()), Clock::System).is_ok());
    }
}
