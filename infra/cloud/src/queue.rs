//! SQS queues, from which the event source mappings feed functions.
//!
//! A message is waiting or in flight to one function, never to two. A message that its function reports as failed, or the
//! whole batch if the function fails, is redelivered after the redelivery time. After the fifth failure it becomes a dead
//! letter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Error, clock, file, lock};

/// The `maxReceiveCount` of every queue.
pub(super) const RECEIVES: u32 = 5;

macro_rules! queues {
    ($($(#[$doc:meta])* $name:literal $variant:ident;)*) => {
        /// A queue of the deployment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Queue {
            $($(#[$doc])* $variant,)*
        }

        impl Queue {
            /// Every queue.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the name of the queue, which is also the name of the function that it feeds.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the queue with this name in the template.
            pub(super) fn from_logical_id(id: &str) -> Option<Self> {
                match id.strip_suffix("Queue")? {
                    $(stringify!($variant) => Some(Self::$variant),)*
                    _ => None,
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
    /// Holds the records of the table's stream that order a mail.
    "send-mail" SendMail;
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
    fn new(body: String) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            body,
            sent_at: clock::epoch_millis(),
            first_received_at: None,
            receives: 0,
            visibility: Visibility::Waiting,
        }
    }

    fn receive(&mut self) -> Self {
        self.visibility = Visibility::InFlight;
        self.receives += 1;
        self.first_received_at.get_or_insert_with(clock::epoch_millis);
        self.clone()
    }
}

/// A message that failed five times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The queue that held the message.
    pub queue: Queue,
    /// The id that SQS assigned.
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
}

pub(super) struct Queues {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    redelivery: Duration,
    file: Option<PathBuf>,
}

impl Queues {
    pub(super) fn open(file: Option<PathBuf>, redelivery: Duration) -> Result<Self, Error> {
        let state = file.as_deref().map(file::read).transpose()?.flatten();
        Ok(Self { state: Mutex::new(state.unwrap_or_default()), changed: watch::Sender::new(()), redelivery, file })
    }

    /// Adds messages from the Pipe and updates its position, in one step.
    pub(super) fn feed(&self, queue: Queue, bodies: impl Iterator<Item = String>, position: String) {
        self.change(|state| {
            state.waiting.entry(queue).or_default().extend(bodies.map(Message::new));
            state.position = Some(position);
        });
    }

    pub(super) fn position(&self) -> Option<String> {
        lock(&self.state).position.clone()
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.state).dead_letters.clone()
    }

    /// Adds a message and receives it at once, for a caller that waits for the first delivery.
    pub(super) fn send_and_receive(self: &Arc<Self>, queue: Queue, body: String) -> Batch {
        let mut message = Message::new(body);
        let received = message.receive();
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
            messages.extend(waiting.iter_mut().filter(visible).take(limit).map(Message::receive));
        });
        Batch { queues: Arc::clone(self), queue, messages, settled: false }
    }

    fn settle(&self, queue: Queue, messages: &[Message], failed: impl Fn(&str) -> Option<String>) {
        self.change(|state| {
            for Message { id, .. } in messages {
                state.settle(queue, id, failed(id), self.redelivery);
            }
        });
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
    fn settle(&mut self, queue: Queue, id: &str, failure: Option<String>, redelivery: Duration) {
        let waiting = self.waiting.entry(queue).or_default();
        let Some(index) = waiting.iter().position(|message| message.id == id) else { return };
        match failure {
            Some(_) if waiting[index].receives < RECEIVES => {
                waiting[index].visibility = Visibility::From(Instant::now() + redelivery);
            }
            Some(reason) => {
                let Message { id, body, receives, .. } = waiting.remove(index);
                let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
                let at = clock::rfc3339();
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
