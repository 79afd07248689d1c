//! The AWS endpoint. It serves every service on one port; the credential scope of the signature names the service.
//!
//! Each call runs in its own task, because AWS completes a call even if the caller disconnects.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::sync::watch;

use super::Clock;
use super::dynamo::Dynamo;
use super::faults::{Fault, Faults, Mode};
use super::gate::Gates;
use super::kms::Kms;
use super::published::PublishedEvents;
use super::queue::Queues;
use super::requests::{self, Requests};
use super::roles::Roles;
use super::secrets::Secrets;
use super::serve::{Closed, names_this_machine};
use super::service::{Caller, Service};
use super::ses::{self, Ses};
use super::wire::Answer;
use super::{put_events, sqs};

/// The largest request body of any of the services, which is a DynamoDB batch.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

pub(super) struct Endpoint {
    pub(super) dynamo: Arc<Dynamo>,
    pub(super) kms: Kms,
    pub(super) secrets: Arc<Secrets>,
    pub(super) ses: Arc<Ses>,
    pub(super) queues: Arc<Queues>,
    pub(super) published: Arc<PublishedEvents>,
    pub(super) faults: Arc<Faults>,
    pub(super) gates: Arc<Gates>,
    pub(super) requests: Arc<Requests>,
    pub(super) roles: Arc<Roles>,
    pub(super) clock: Clock,
    /// Closed when the cloud is dropped, which ends the calls that are still held.
    pub(super) alive: watch::Receiver<()>,
}

struct Call {
    caller: Caller,
    operation: String,
    headers: HeaderMap,
    body: Bytes,
    fault: Option<Fault>,
}

impl Endpoint {
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        let (head, body) = request.into_parts();
        if !names_this_machine(&head.headers) {
            return Ok(plain(
                StatusCode::FORBIDDEN,
                "the local cloud only answers requests whose Host is a name of this machine",
            ));
        }
        let caller = match Caller::read(&head.headers) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(plain(StatusCode::BAD_REQUEST, refusal)),
        };
        let call = self.read(caller, head.headers, body).await?;
        let mut alive = self.alive.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                answer = self.gated(&call) => answer,
                _ = alive.changed() => Err(Closed),
            }
        });
        Ok(task.await.map_err(|_| Closed)??.into_response())
    }

    /// Reads a call and decides which fault hits it. SES names the operation in the body, the other services in a header,
    /// so only an SES body is read before a `reset` fault closes the connection.
    async fn read(&self, caller: Caller, headers: HeaderMap, body: Incoming) -> Result<Call, Closed> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let named = target.and_then(|target| target.rsplit('.').next()).map(str::to_owned);
        if let Some(operation) = named {
            let fault = self.fault(&caller, &operation)?;
            let body = collected(body).await?;
            return Ok(Call { caller, operation, headers, body, fault });
        }
        let body = collected(body).await?;
        let operation = ses::action(&body);
        let fault = self.fault(&caller, &operation)?;
        Ok(Call { caller, operation, headers, body, fault })
    }

    fn fault(&self, caller: &Caller, operation: &str) -> Result<Option<Fault>, Closed> {
        let fault = self.faults.take(caller, operation);
        if fault.as_ref().is_some_and(|fault| fault.mode == Mode::Reset) {
            self.record(caller, operation, None);
            return Err(Closed);
        }
        Ok(fault)
    }

    async fn gated(&self, call: &Call) -> Result<Answer, Closed> {
        let _passage = self.gates.pass(&call.caller.function, &call.operation, &call.headers, &call.body).await?;
        self.answer_or_fail(call).await
    }

    async fn answer_or_fail(&self, call: &Call) -> Result<Answer, Closed> {
        let service = call.caller.service;
        let Some(fault) = &call.fault else { return Ok(self.execute(call).await) };
        match fault.mode {
            Mode::LostResponse => {
                self.execute(call).await;
                Err(Closed)
            }
            Mode::Refused => Ok(self.reject(call, Answer::refused(service))),
            Mode::Throttled => Ok(self.reject(call, Answer::throttled(service))),
            Mode::Conflict => Ok(self.reject(call, Answer::conflict(&call.operation, &call.body))),
            Mode::Delayed => {
                tokio::time::sleep(fault.delay).await;
                Ok(self.execute(call).await)
            }
            Mode::Duplicated => {
                let first = self.execute(call).await;
                self.execute(call).await;
                Ok(first)
            }
            Mode::Partial => Ok(self.execute(call).await),
            Mode::Reset => Err(Closed),
        }
    }

    /// Executes the call if the caller's role allows it.
    async fn execute(&self, call: &Call) -> Answer {
        if let Err(denied) = self.roles.admit(&call.caller, &call.operation, &call.body) {
            return self.reject(call, Answer::denied(call.caller.service, &denied.to_string()));
        }
        let body = call.body.clone();
        let answer = match call.caller.service {
            Service::DynamoDb => self.dynamo.call(&call.operation, &call.headers, body).await,
            Service::Events => {
                let fails_partly = call.fault.as_ref().is_some_and(|fault| fault.mode == Mode::Partial);
                put_events::call(&self.published, &self.clock, &call.operation, &body, fails_partly)
            }
            Service::Kms => self.kms.call(&call.operation, &call.headers, body).await,
            Service::SecretsManager => self.secrets.call(&call.operation, &body),
            Service::Ses => self.ses.call(&body),
            Service::Sqs => sqs::call(&self.queues, &call.operation, &body),
        };
        self.record(&call.caller, &call.operation, Some(&answer));
        answer
    }

    /// Records and returns the answer to a call that is not executed.
    fn reject(&self, call: &Call, answer: Answer) -> Answer {
        self.record(&call.caller, &call.operation, Some(&answer));
        answer
    }

    fn record(&self, caller: &Caller, operation: &str, answer: Option<&Answer>) {
        self.requests.record(requests::Request {
            at: self.clock.rfc3339(),
            function: caller.function.clone(),
            service: caller.service.name(),
            operation: operation.to_owned(),
            attempt: caller.attempt,
            status: answer.map(|answer| answer.status.as_u16()),
            consumed_capacity: answer.and_then(|answer| answer.consumed_capacity),
        });
    }
}

/// Reads the whole body. A caller that disconnects while sending, or exceeds [`BODY_LIMIT`], gets no answer.
async fn collected(body: Incoming) -> Result<Bytes, Closed> {
    Ok(Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Closed)?.to_bytes())
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}
