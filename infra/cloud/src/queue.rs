//! SQS queues, from which the event source mappings feed functions.
//!
//! A message is waiting or in flight to one function, never to two. A message that its function reports as failed, or the
//! whole batch if the function fails, is redelivered after the redelivery time, or later if its function has hidden it. After as many
//! failures as the template's `maxReceiveCount` it becomes a dead letter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use template::Template;

use super::roles::ACCOUNT;
use super::sqs::LONGEST;
use super::{Clock, Error, file, lock};

macro_rules! queues {
    ($($(#[$doc:meta])* $name:literal $variant:ident;)*) => {
        /// A queue of the deployment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Queue {
            $($(#[$doc])* $variant,)*
            /// Holds the records of the table's stream that `publish-events` has failed to handle. It feeds no function.
            PublishEvents,
        }

        impl Queue {
            /// Every queue that feeds a function.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the name of the queue, which is also the name of the function that it feeds, or whose failures it holds.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::PublishEvents => "publish-events" }
            }

            /// Returns the queue that feeds a function and has this name in the template.
            pub(super) fn from_logical_id(id: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|queue| queue.logical_id() == id)
            }

            /// Returns the name of the queue in the template.
            pub(super) const fn logical_id(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!(stringify!($variant), "Queue"),)*
                    Self::PublishEvents => "PublishEventsFailures",
                }
            }
        }
    };
}

queues! {
    /// Holds `SubscriptionStarted` events.
    "subscription-start" SubscriptionStart;
    /// Holds `SubscriptionEnded` events.
    "subscription-end" SubscriptionEnd;
    /// Holds the events for `mail-feedback`.
    "mail-feedback" MailFeedback;
    /// Holds the records of the table's stream that order a mail.
    "send-mail" SendMail;
}

impl Queue {
    /// Returns the URL of the queue in a local cloud with this AWS endpoint.
    #[must_use]
    pub fn url(self, endpoint: &str) -> String {
        format!("{endpoint}/{ACCOUNT}/{}", self.name())
    }

    pub(super) fn from_url(url: &str) -> Option<Self> {
        let name = url.rsplit('/').next()?;
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }
}

/// The `maxReceiveCount` of a queue that the template does not have yet.
const PLANNED_RECEIVES: u32 = 5;

/// Returns the `maxReceiveCount` of each queue that the template has.
fn deployed_receives() -> Result<BTreeMap<Queue, u32>, Error> {
    let template = Template::deployed().map_err(|error| Error::caused("cannot read the template", error))?;
    let receives = Queue::ALL.into_iter().filter_map(|queue| {
        let properties = &template.resource(queue.logical_id()).ok()?["Properties"];
        Some((queue, u32::try_from(properties["RedrivePolicy"]["maxReceiveCount"].as_u64()?).ok()?))
    });
    Ok(receives.collect())
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sent_at: u64,
    pub(super) first_received_at: Option<u64>,
    pub(super) receives: u32,
    #[serde(skip)]
    visibility: Visibility,
    /// Until when the function has hidden the message that it is handling.
    #[serde(skip)]
    hidden_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Visibility {
    /// Visible. Also the state after a restart, because a message that was in flight was lost with the process.
    #[default]
    Waiting,
    InFlight,
    From(Instant),
}

impl Message {
    fn new(body: String, clock: &Clock) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            body,
            sent_at: clock.epoch_millis(),
            first_received_at: None,
            receives: 0,
            visibility: Visibility::Waiting,
            hidden_until: None,
        }
    }

    fn receive(&mut self, clock: &Clock) -> Self {
        self.visibility = Visibility::InFlight;
        self.hidden_until = None;
        self.receives += 1;
        self.first_received_at.get_or_insert_with(|| clock.epoch_millis());
        self.clone()
    }

    /// Returns the handle of the latest delivery.
    pub(super) fn receipt_handle(&self) -> String {
        format!("{}-{}", self.id, self.receives)
    }
}

/// A message, or a record of the table's stream, that failed too often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The queue that held the message.
    pub queue: Queue,
    /// The id that SQS assigned to the message.
    pub message_id: String,
    /// The event or stream record in the message.
    pub body: Value,
    /// The number of deliveries.
    pub receives: u32,
    /// The reason of the last failure.
    pub reason: String,
    /// When the message became a dead letter, in RFC 3339.
    pub at: String,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    waiting: BTreeMap<Queue, Vec<Message>>,
    dead_letters: Vec<DeadLetter>,
    /// The Pipe's last sequence number.
    position: Option<String>,
    /// The last sequence number of the event source mapping of the stream.
    stream_position: Option<String>,
}

pub(super) struct Queues {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    redelivery: Duration,
    clock: Clock,
    /// How often a message is delivered until it becomes a dead letter.
    receives: BTreeMap<Queue, u32>,
    file: Option<PathBuf>,
}

impl Queues {
    pub(super) fn open(file: Option<PathBuf>, redelivery: Duration, clock: Clock) -> Result<Self, Error> {
        let state = file.as_deref().map(file::read).transpose()?.flatten();
        let (state, receives) = (Mutex::new(state.unwrap_or_default()), deployed_receives()?);
        Ok(Self { state, changed: watch::Sender::new(()), redelivery, clock, receives, file })
    }

    /// Adds messages from the Pipe and updates its position, in one step.
    pub(super) fn feed(&self, queue: Queue, bodies: impl Iterator<Item = String>, position: String) {
        self.change(|state| {
            state.waiting.entry(queue).or_default().extend(bodies.map(|body| Message::new(body, &self.clock)));
            state.position = Some(position);
        });
    }

    pub(super) fn position(&self) -> Option<String> {
        lock(&self.state).position.clone()
    }

    /// Returns the positions of the Pipe and of the event source mapping of the stream.
    pub(super) fn positions(&self) -> (Option<String>, Option<String>) {
        let state = lock(&self.state);
        (state.position.clone(), state.stream_position.clone())
    }

    pub(super) fn stream_position(&self) -> Option<String> {
        lock(&self.state).stream_position.clone()
    }

    /// Moves the position of the event source mapping of the stream.
    pub(super) fn pass(&self, position: String) {
        self.change(|state| state.stream_position = Some(position));
    }

    /// Makes a record of the stream a dead letter, and moves the position of the event source mapping, in one step.
    pub(super) fn give_up(&self, queue: Queue, record: Value, receives: u32, reason: String, position: String) {
        let (message_id, at) = (Uuid::new_v4().to_string(), self.clock.rfc3339());
        let letter = DeadLetter { queue, message_id, body: record, receives, reason, at };
        self.change(|state| {
            state.dead_letters.push(letter);
            state.stream_position = Some(position);
        });
    }

    /// Returns a receiver that sees every change of the queues and the positions.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn redelivery(&self) -> Duration {
        self.redelivery
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.state).dead_letters.clone()
    }

    /// Adds a message.
    pub(super) fn send(&self, queue: Queue, body: String) {
        let message = Message::new(body, &self.clock);
        self.change(|state| state.waiting.entry(queue).or_default().push(message));
    }

    /// Adds a message and receives it at once, for a caller that waits for the first delivery.
    pub(super) fn send_and_receive(self: &Arc<Self>, queue: Queue, body: String) -> Batch {
        let mut message = Message::new(body, &self.clock);
        let received = message.receive(&self.clock);
        self.change(|state| state.waiting.entry(queue).or_default().push(message));
        Batch { queues: Arc::clone(self), queue, messages: vec![received], settled: false }
    }

    /// Waits until there is something to receive.
    pub(super) async fn ready(&self, queue: Queue) {
        let mut changes = self.changed.subscribe();
        loop {
            let now = Instant::now();
            let next = self.next_visible(queue, now);
            if next.is_some_and(|next| next <= now) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    fn next_visible(&self, queue: Queue, now: Instant) -> Option<Instant> {
        let state = lock(&self.state);
        let messages = state.waiting.get(&queue).into_iter().flatten();
        let visible = messages.filter_map(|message| match message.visibility {
            Visibility::Waiting => Some(now),
            Visibility::From(at) => Some(at),
            Visibility::InFlight => None,
        });
        visible.min()
    }

    /// Receives up to `limit` visible messages, oldest first.
    pub(super) fn receive(self: &Arc<Self>, queue: Queue, limit: usize) -> Batch {
        let now = Instant::now();
        let visible = |message: &&mut Message| match message.visibility {
            Visibility::Waiting => true,
            Visibility::From(at) => at <= now,
            Visibility::InFlight => false,
        };
        let mut messages = Vec::new();
        self.change(|state| {
            let waiting = state.waiting.entry(queue).or_default();
            let visible = waiting.iter_mut().filter(visible).take(limit);
            messages.extend(visible.map(|message| message.receive(&self.clock)));
        });
        Batch { queues: Arc::clone(self), queue, messages, settled: false }
    }

    fn settle(&self, queue: Queue, messages: &[Message], failed: impl Fn(&str) -> Option<String>) {
        self.change(|state| {
            for Message { id, .. } in messages {
                let last = self.receives.get(&queue).copied().unwrap_or(PLANNED_RECEIVES);
                state.settle(queue, id, failed(id).map(|reason| (reason, self.clock.rfc3339())), last, self.redelivery);
            }
        });
    }

    /// Hides a message that a function is handling, for the case that the function reports it as failed.
    pub(super) fn hide(
        &self,
        queue: Queue,
        receipt_handle: &str,
        duration: Duration,
    ) -> Result<(), (&'static str, &'static str)> {
        let mut state = lock(&self.state);
        let mut messages = state.waiting.entry(queue).or_default().iter_mut();
        let Some(message) = messages.find(|message| message.receipt_handle() == receipt_handle) else {
            return Err(("ReceiptHandleIsInvalid", "The input receipt handle is invalid."));
        };
        if message.visibility != Visibility::InFlight {
            return Err(("MessageNotInflight", "The message is not in flight."));
        }
        if duration > LONGEST {
            return Err(("InvalidParameterValue", "VisibilityTimeout must be between 0 and 43200."));
        }
        message.hidden_until = Some(Instant::now() + duration);
        Ok(())
    }

    /// Shortens how long messages stay hidden, because the clock has moved forward.
    pub(super) fn advance(&self, moved: Duration) {
        let now = Instant::now();
        let earlier = |at: Instant| at.checked_sub(moved).unwrap_or(now);
        self.change(|state| {
            for message in state.waiting.values_mut().flatten() {
                message.hidden_until = message.hidden_until.map(earlier);
                if let Visibility::From(at) = message.visibility {
                    message.visibility = Visibility::From(earlier(at));
                }
            }
        });
    }

    /// Returns how long each hidden message of a queue stays hidden.
    pub(super) fn hidden(&self, queue: Queue) -> Vec<Duration> {
        let (state, now) = (lock(&self.state), Instant::now());
        let messages = state.waiting.get(&queue).into_iter().flatten();
        let hidden = messages.filter_map(|message| match message.visibility {
            Visibility::From(at) if at > now => Some(at - now),
            _ => None,
        });
        hidden.collect()
    }

    /// Waits until no queue holds a message, waiting or in flight.
    pub(super) async fn empty(&self) {
        let mut changes = self.changed.subscribe();
        while lock(&self.state).waiting.values().any(|messages| !messages.is_empty()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        if let Some(path) = &self.file
            && let Err(error) = file::write(path, &*state)
        {
            tracing::error!(%error, "cannot write the queues");
        }
        drop(state);
        self.changed.send_replace(());
    }
}

impl State {
    /// Ends a delivery, which failed for a reason at a time, or did not fail.
    fn settle(&mut self, queue: Queue, id: &str, failure: Option<(String, String)>, last: u32, redelivery: Duration) {
        let waiting = self.waiting.entry(queue).or_default();
        let Some(index) = waiting.iter().position(|message| message.id == id) else { return };
        match failure {
            Some(_) if waiting[index].receives < last => {
                let message = &mut waiting[index];
                message.visibility =
                    Visibility::From(message.hidden_until.unwrap_or_else(|| Instant::now() + redelivery));
            }
            Some((reason, at)) => {
                let Message { id, body, receives, .. } = waiting.remove(index);
                let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
                self.dead_letters.push(DeadLetter { queue, message_id: id, body, receives, reason, at });
            }
            None => drop(waiting.remove(index)),
        }
    }
}

/// Messages in flight. If the batch is dropped before it is settled, for example because its function panics, all messages
/// have failed.
pub(super) struct Batch {
    queues: Arc<Queues>,
    pub(super) queue: Queue,
    pub(super) messages: Vec<Message>,
    settled: bool,
}

impl Batch {
    /// Ends the delivery. `failed` returns the reason of failure for each message that failed.
    pub(super) fn settle(mut self, failed: impl Fn(&str) -> Option<String>) {
        self.settled = true;
        self.queues.settle(self.queue, &self.messages, failed);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.settled {
            self.queues.settle(self.queue, &self.messages, |_| Some("the delivery was interrupted".to_owned()));
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_message_is_visible_earlier_when_the_clock_moves() {
        let queues = Queues::open(None, Duration::from_secs(1), Clock::system()).expect("queues in memory");
        let queues = Arc::new(queues);
        for hidden in [4000, 8000] {
            let batch = queues.send_and_receive(Queue::SendMail, "{}".to_owned());
            let handle = batch.messages[0].receipt_handle();
            queues.hide(Queue::SendMail, &handle, Duration::from_secs(hidden)).expect("hidden");
            batch.settle(|_| Some("later".to_owned()));
        }
        queues.advance(Duration::from_hours(1));
        assert!(queues.receive(Queue::SendMail, 10).messages.is_empty());
        queues.advance(Duration::from_secs(400));
        assert_eq!(queues.hidden(Queue::SendMail).len(), 1);
        assert_eq!(queues.receive(Queue::SendMail, 10).messages.len(), 1);
    }
}
