//! Faults that the AWS endpoint is told to make, and which call they hit.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::lock;
use super::service::Service;

/// How long a `delayed` call is held unless the fault says otherwise: well past every time-out of a function.
const DELAY: Duration = Duration::from_secs(10);

/// DynamoDB operations that a transaction can get in the way of. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>
const CONFLICTING: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "TransactGetItems"];

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Carried out, then the connection is closed without an answer.
    LostResponse,
    /// 500, not carried out.
    Refused,
    /// The service's own throttling error, not carried out.
    Throttled,
    /// `TransactionConflictException`; a transaction is cancelled with that reason. DynamoDB only.
    Conflict,
    /// Held, then carried out, whether or not the caller still waits.
    Delayed,
    /// Carried out twice; the first answer is given.
    Duplicated,
    /// The connection is closed before the call is read.
    Reset,
}

const MODES: [(&str, Mode); 7] = [
    ("lost-response", Mode::LostResponse),
    ("refused", Mode::Refused),
    ("throttled", Mode::Throttled),
    ("conflict", Mode::Conflict),
    ("delayed", Mode::Delayed),
    ("duplicated", Mode::Duplicated),
    ("reset", Mode::Reset),
];

/// A fault, and the calls that it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The service whose calls it hits.
    pub service: Service,
    /// The operation's own name, such as `UpdateItem`, or `*` for every one.
    pub operation: String,
    /// What goes wrong.
    pub mode: Mode,
    /// How many calls it hits; 0 clears it.
    pub count: u32,
    /// Only the attempt of this number of each call, as the SDK counts them from 1.
    pub attempt: Option<u32>,
    /// How long a `delayed` call is held.
    pub delay: Duration,
}

impl Fault {
    /// Hits the next `count` calls of an operation, or of every one for `*`.
    #[must_use]
    pub fn new(service: Service, operation: &str, mode: Mode, count: u32) -> Self {
        Self { service, operation: operation.to_owned(), mode, count, attempt: None, delay: DELAY }
    }

    /// Hits only this attempt of each call: 1 is the first.
    #[must_use]
    pub fn on_attempt(self, attempt: u32) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// Holds a `delayed` call for so long.
    #[must_use]
    pub fn held_for(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Reads the body of `POST /faults`; the error names the field that is wrong.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let fields = json.as_object().ok_or("a fault is a JSON object")?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(format!("`{unknown}` is no field of a fault; its fields are {}", FIELDS.join(", ")));
        }
        let service = text(json, "service")?;
        let service = Service::named(service).ok_or("`service` must be dynamodb, kms or ses")?;
        let operation = text(json, "operation")?;
        if operation != "*" && !operation.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("`operation` must be an operation's name, such as UpdateItem, or *".to_owned());
        }
        let mode = text(json, "mode")?;
        let mode = MODES.iter().find(|(name, _)| *name == mode).map(|(_, mode)| *mode).ok_or_else(mode_expected)?;
        if mode == Mode::Conflict && service != Service::DynamoDb {
            return Err("`mode` conflict is DynamoDB's alone".to_owned());
        }
        if mode == Mode::Conflict && operation != "*" && !CONFLICTING.contains(&operation) {
            return Err(format!("`operation` cannot conflict: only {} can", CONFLICTING.join(", ")));
        }
        let count = number(json, "count")?.ok_or("`count` is missing")?;
        let attempt = number(json, "attempt")?;
        if attempt == Some(0) {
            return Err("`attempt` counts from 1".to_owned());
        }
        let delay = number(json, "delay_ms")?.map_or(DELAY, |millis| Duration::from_millis(millis.into()));
        Ok(Self { service, operation: operation.to_owned(), mode, count, attempt, delay })
    }

    fn hits(&self, service: Service, operation: &str, attempt: u32) -> bool {
        self.count > 0
            && self.service == service
            && (self.operation == "*" || self.operation == operation)
            && self.attempt.is_none_or(|only| only == attempt)
            && (self.mode != Mode::Conflict || CONFLICTING.contains(&operation))
    }

    fn replaces(&self, other: &Self) -> bool {
        self.service == other.service && self.operation == other.operation && self.mode == other.mode
    }
}

const FIELDS: [&str; 6] = ["service", "operation", "mode", "count", "attempt", "delay_ms"];

fn text<'a>(json: &'a Value, field: &str) -> Result<&'a str, String> {
    match &json[field] {
        Value::Null => Err(format!("`{field}` is missing")),
        Value::String(text) => Ok(text),
        _ => Err(format!("`{field}` must be a string")),
    }
}

fn number(json: &Value, field: &str) -> Result<Option<u32>, String> {
    match &json[field] {
        Value::Null => Ok(None),
        given => given
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| format!("`{field}` must be a whole number from 0 to {}", u32::MAX)),
    }
}

fn mode_expected() -> String {
    let names: Vec<_> = MODES.iter().map(|(name, _)| *name).collect();
    format!("`mode` must be one of {}", names.join(", "))
}

#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn set(&self, fault: Fault) {
        let mut faults = lock(&self.0);
        faults.retain(|other| !fault.replaces(other));
        if fault.count > 0 {
            faults.push(fault);
        }
    }

    /// The fault that hits this call, if one does: the oldest of those that fit. It is spent by that.
    pub(super) fn take(&self, service: Service, operation: &str, attempt: u32) -> Option<Fault> {
        let mut faults = lock(&self.0);
        let fault = faults.iter_mut().find(|fault| fault.hits(service, operation, attempt))?;
        fault.count -= 1;
        let hit = fault.clone();
        faults.retain(|fault| fault.count > 0);
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(change: (&str, Value)) -> String {
        let mut fault = json!({"service": "dynamodb", "operation": "UpdateItem", "mode": "refused", "count": 1});
        fault[change.0] = change.1;
        Fault::from_json(&fault).expect_err("not a fault")
    }

    #[test]
    fn a_wrong_fault_is_refused_by_the_name_of_its_field() {
        for (change, field) in [
            (("service", json!("s3")), "service"),
            (("service", Value::Null), "service"),
            (("operation", json!(7)), "operation"),
            (("operation", json!("Update Item")), "operation"),
            (("mode", json!("slow")), "mode"),
            (("count", Value::Null), "count"),
            (("count", json!(-1)), "count"),
            (("count", json!("1")), "count"),
            (("attempt", json!(0)), "attempt"),
            (("delay_ms", json!(1.5)), "delay_ms"),
            (("delay", json!(1)), "delay"),
        ] {
            let shown = format!("{change:?}");
            assert!(refusal(change).contains(&format!("`{field}`")), "{shown}");
        }
    }

    #[test]
    fn what_cannot_conflict_is_told_so() {
        let on = |service: &str, operation: &str| {
            Fault::from_json(&json!({"service": service, "operation": operation, "mode": "conflict", "count": 1}))
        };
        assert!(on("kms", "*").expect_err("no conflicts in KMS").contains("`mode`"));
        assert!(on("dynamodb", "Query").expect_err("a query never conflicts").contains("`operation`"));
        assert!(on("dynamodb", "*").is_ok());
    }

    #[test]
    fn a_fault_replaces_its_like_and_zero_clears_it() {
        let faults = Faults::default();
        let fault = |mode, count| Fault::new(Service::DynamoDb, "UpdateItem", mode, count);
        faults.set(fault(Mode::Refused, 5));
        faults.set(fault(Mode::Refused, 1));
        faults.set(fault(Mode::Throttled, 1));
        let hit = || faults.take(Service::DynamoDb, "UpdateItem", 1).map(|fault| fault.mode);
        assert_eq!(hit(), Some(Mode::Refused));
        assert_eq!(hit(), Some(Mode::Throttled));
        assert_eq!(hit(), None);
        faults.set(fault(Mode::Refused, 5));
        faults.set(fault(Mode::Refused, 0));
        assert_eq!(hit(), None);
    }

    #[test]
    fn an_attempt_and_a_star_choose_the_calls() {
        let faults = Faults::default();
        faults.set(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 2).on_attempt(1));
        faults.set(Fault::new(Service::DynamoDb, "*", Mode::Conflict, 1));
        assert!(faults.take(Service::Kms, "Decrypt", 1).is_none());
        assert!(faults.take(Service::DynamoDb, "Query", 2).is_none(), "a query cannot conflict");
        assert_eq!(faults.take(Service::DynamoDb, "PutItem", 2).map(|fault| fault.mode), Some(Mode::Conflict));
        assert_eq!(faults.take(Service::DynamoDb, "Query", 1).map(|fault| fault.mode), Some(Mode::LostResponse));
    }
}
