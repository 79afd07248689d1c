//! Gates hold calls until a test releases them, one by one and in the order that the test chooses.

use std::fmt;
use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::lock;
use super::serve::Closed;

/// A call that waits at a gate. If it is dropped, it is never executed, and its caller gets no answer.
pub struct HeldCall {
    /// The access key id that signed the call, which locally is the name of the function.
    pub function: String,
    /// The operation, such as `UpdateItem`.
    pub operation: String,
    /// The SDK's invocation id. All attempts of a call share it: a caller that waits too long for one sends another.
    pub invocation: String,
    /// The request body; null if it is not JSON.
    pub body: Value,
    pass: Option<oneshot::Sender<oneshot::Sender<()>>>,
}

impl HeldCall {
    /// Releases the call and returns when it has been executed.
    pub async fn release(mut self) {
        let (passage, executed) = oneshot::channel();
        if let Some(pass) = self.pass.take()
            && pass.send(passage).is_ok()
        {
            // Nothing is ever sent; the sender is dropped when the call has been executed.
            executed.await.ok();
        }
    }
}

impl fmt::Debug for HeldCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.operation, self.function)
    }
}

/// A gate where calls wait. Once it is dropped, later calls pass without waiting.
pub struct Gate(mpsc::UnboundedReceiver<HeldCall>);

impl Gate {
    /// Waits for the next call; returns `None` once the cloud has ended.
    pub async fn next(&mut self) -> Option<HeldCall> {
        self.0.recv().await
    }
}

type Holds = Box<dyn Fn(&HeldCall) -> bool + Send>;

#[derive(Default)]
pub(super) struct Gates(Mutex<Vec<(Holds, mpsc::UnboundedSender<HeldCall>)>>);

/// Held while a call is executed. Dropping it tells [`HeldCall::release`] that the call is done.
pub(super) struct Passage {
    _held: Option<oneshot::Sender<()>>,
}

impl Gates {
    pub(super) fn add(&self, holds: Holds) -> Gate {
        let (arrive, arrived) = mpsc::unbounded_channel();
        lock(&self.0).push((holds, arrive));
        Gate(arrived)
    }

    /// Waits at the first gate that holds this call. A call that no gate holds passes at once.
    pub(super) async fn pass(
        &self,
        function: &str,
        operation: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Passage, Closed> {
        match self.arrive(function, operation, headers, body) {
            Some(passed) => Ok(Passage { _held: Some(passed.await.map_err(|_| Closed)?) }),
            None => Ok(Passage { _held: None }),
        }
    }

    fn arrive(
        &self,
        function: &str,
        operation: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Option<oneshot::Receiver<oneshot::Sender<()>>> {
        let mut gates = lock(&self.0);
        gates.retain(|(_, arrive)| !arrive.is_closed());
        if gates.is_empty() {
            return None;
        }
        let invocation = headers.get("amz-sdk-invocation-id").and_then(|id| id.to_str().ok());
        let (pass, passed) = oneshot::channel();
        let call = HeldCall {
            function: function.to_owned(),
            operation: operation.to_owned(),
            invocation: invocation.unwrap_or_default().to_owned(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            pass: Some(pass),
        };
        let (_, arrive) = gates.iter().find(|(holds, _)| holds(&call))?;
        arrive.send(call).is_ok().then_some(passed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    fn call(gates: &Arc<Gates>, function: &'static str) -> JoinHandle<Result<Passage, Closed>> {
        let gates = Arc::clone(gates);
        let body = Bytes::from_static(b"{\"Key\":1}");
        tokio::spawn(async move { gates.pass(function, "GetItem", &HeaderMap::new(), &body).await })
    }

    async fn held(gate: &mut Gate) -> HeldCall {
        gate.next().await.expect("a call waits")
    }

    #[tokio::test]
    async fn held_calls_continue_in_the_order_of_their_release_and_others_do_not_wait() {
        let gates = Arc::<Gates>::default();
        let mut gate = gates.add(Box::new(|call| call.function != "free" && call.body["Key"] == 1));
        let first = call(&gates, "first");
        let first_held = held(&mut gate).await;
        let second = call(&gates, "second");
        let second_held = held(&mut gate).await;
        call(&gates, "free").await.expect("no panic").expect("not held");

        let release = tokio::spawn(second_held.release());
        let passage = second.await.expect("no panic").expect("passed");
        assert!(!first.is_finished() && !release.is_finished(), "release waits until the passage is dropped");
        drop(passage);
        release.await.expect("executed");
        tokio::join!(first_held.release(), async { drop(first.await.expect("no panic").expect("passed")) });
    }

    #[tokio::test]
    async fn dropping_a_held_call_closes_its_connection_and_dropping_a_gate_opens_it() {
        let gates = Arc::<Gates>::default();
        let mut gate = gates.add(Box::new(|_| true));
        let closed = call(&gates, "closed");
        drop(held(&mut gate).await);
        assert!(closed.await.expect("no panic").is_err());
        drop(gate);
        let passed = timeout(Duration::from_secs(5), call(&gates, "passed")).await;
        assert!(passed.expect("it does not wait").expect("no panic").is_ok());
    }
}
