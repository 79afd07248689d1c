//! The queue that feeds a function, for a message that has to wait longer than usual.

use std::time::Duration;

use aws_sdk_sqs::{Client, config::Config};
use aws_types::SdkConfig;

use crate::{Failure, connection::no_bucket};

/// A queue of the deployment.
pub struct WorkQueue {
    client: Client,
    url: String,
}

const OPERATION: &str = "sqs ChangeMessageVisibility";

impl WorkQueue {
    /// Returns the queue with this URL.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), url }
    }

    /// Hides a received message from now on for `duration`, 12 hours after it was received at most. Its function must then report it as
    /// failed, or the queue deletes it.
    pub async fn hide(&self, receipt_handle: &str, duration: Duration) -> Result<(), Failure> {
        let seconds = i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        let request = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(receipt_handle);
        match request.visibility_timeout(seconds).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::from_sdk(OPERATION, &error)),
        }
    }
}
