//! Fault injection: which faults the AWS endpoint injects, and into which calls.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::lock;
use super::put_events::PUT_EVENTS;
use super::service::{Caller, Service};

/// The default delay of a `delayed` call, far longer than any time-out of a function.
const DELAY: Duration = Duration::from_secs(10);

/// The DynamoDB operations that can conflict with a transaction. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>
const CONFLICTING: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "TransactGetItems"];

/// The effect of a fault on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The call is executed, then the connection is closed without an answer.
    LostResponse,
    /// The call is answered with 500 and not executed.
    Refused,
    /// The call is answered with the service's throttling error and not executed.
    Throttled,
    /// A write fails with `TransactionConflictException`; a transaction is cancelled with that reason. DynamoDB only.
    Conflict,
    /// The call is held and then executed, even if the caller has given up.
    Delayed,
    /// The call is executed twice and answered with the first result.
    Duplicated,
    /// The connection is closed before the call is read.
    Reset,
    /// `PutEvents` is executed, but its answer refuses every second entry with `ThrottlingException`, beginning with the second; these entries
    /// are not published. `count` counts requests, as for the other modes. EventBridge only.
    Partial,
}

const MODES: [(&str, Mode); 8] = [
    ("lost-response", Mode::LostResponse),
    ("refused", Mode::Refused),
    ("throttled", Mode::Throttled),
    ("conflict", Mode::Conflict),
    ("delayed", Mode::Delayed),
    ("duplicated", Mode::Duplicated),
    ("reset", Mode::Reset),
    ("partial", Mode::Partial),
];

/// A fault and the calls that it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The service whose calls it hits.
    pub service: Service,
    /// The name of the operation, such as `UpdateItem`, or `*` for every operation.
    pub operation: String,
    /// The effect on a call.
    pub mode: Mode,
    /// The number of calls to hit; 0 clears the fault.
    pub count: u32,
    /// Hits only this attempt of each call, counted from 1 as the SDK does.
    pub attempt: Option<u32>,
    /// The time that a `delayed` call is held.
    pub delay: Duration,
    /// Hits only calls that this function has signed.
    pub function: Option<String>,
    /// The number of matching calls to let through before the first hit.
    pub after: u32,
    /// Whether every attempt of a hit call is hit. `count` then counts calls instead of attempts.
    pub whole_calls: bool,
}

impl Fault {
    /// Creates a fault that hits the next `count` calls of an operation, or of any operation if it is `*`.
    #[must_use]
    pub fn new(service: Service, operation: &str, mode: Mode, count: u32) -> Self {
        let operation = operation.to_owned();
        let (attempt, delay, function) = (None, DELAY, None);
        Self { service, operation, mode, count, attempt, delay, function, after: 0, whole_calls: false }
    }

    /// Limits the fault to one attempt of each call, counted from 1.
    #[must_use]
    pub fn on_attempt(self, attempt: u32) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// Sets the time that a `delayed` call is held.
    #[must_use]
    pub fn held_for(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Limits the fault to the calls of one function.
    #[must_use]
    pub fn on_function(self, function: &str) -> Self {
        Self { function: Some(function.to_owned()), ..self }
    }

    /// Lets this many matching calls through before the first hit.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    /// Extends the fault to every attempt of each hit call.
    #[must_use]
    pub fn on_whole_calls(self) -> Self {
        Self { whole_calls: true, ..self }
    }

    /// Parses the body of `POST /faults`. The error names the invalid field.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let fields = json.as_object().ok_or("a fault is a JSON object")?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(format!("`{unknown}` is not a field of a fault; the fields are {}", FIELDS.join(", ")));
        }
        let service = text(json, "service")?;
        let service =
            Service::from_name(service).ok_or_else(|| format!("`service` must be one of {}", Service::names()))?;
        let operation = text(json, "operation")?;
        if operation != "*" && !operation.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("`operation` must be an operation's name, such as UpdateItem, or *".to_owned());
        }
        let mode = text(json, "mode")?;
        let mode = MODES.iter().find(|(name, _)| *name == mode).map(|(_, mode)| *mode).ok_or_else(mode_expected)?;
        if mode == Mode::Conflict && service != Service::DynamoDb {
            return Err("`mode` conflict is only possible for dynamodb".to_owned());
        }
        if mode == Mode::Conflict && operation != "*" && !CONFLICTING.contains(&operation) {
            return Err(format!("`operation` cannot conflict; only {} can", CONFLICTING.join(", ")));
        }
        if mode == Mode::Partial && (service != Service::Events || !["*", PUT_EVENTS].contains(&operation)) {
            return Err("`mode` partial is only possible for PutEvents of events".to_owned());
        }
        let count = number(json, "count")?.ok_or("`count` is missing")?;
        let attempt = number(json, "attempt")?;
        if attempt == Some(0) {
            return Err("`attempt` counts from 1".to_owned());
        }
        let delay = number(json, "delay_ms")?.map_or(DELAY, |millis| Duration::from_millis(millis.into()));
        Ok(Self { attempt, delay, ..Self::new(service, operation, mode, count) })
    }

    fn matches(&self, caller: &Caller, operation: &str) -> bool {
        self.service == caller.service
            && (self.operation == "*" || self.operation == operation)
            && self.attempt.is_none_or(|only| only == caller.attempt)
            && self.function.as_ref().is_none_or(|only| *only == caller.function)
            && (self.mode != Mode::Conflict || CONFLICTING.contains(&operation))
            && (self.mode != Mode::Partial || operation == PUT_EVENTS)
    }

    fn replaces(&self, other: &Self) -> bool {
        self.service == other.service
            && self.operation == other.operation
            && self.mode == other.mode
            && self.function == other.function
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

/// A fault that is set, with its progress.
struct Armed {
    fault: Fault,
    /// The calls that were let through, by the SDK's invocation id.
    passed: BTreeSet<String>,
    /// The calls that were hit, by the SDK's invocation id.
    hit: BTreeSet<String>,
    hits: u32,
}

impl Armed {
    /// Returns whether the fault hits this attempt, and counts the hit.
    fn strike(&mut self, caller: &Caller, operation: &str) -> bool {
        if !self.fault.matches(caller, operation) || self.passed.contains(&caller.invocation) {
            return false;
        }
        if self.fault.whole_calls && self.hit.contains(&caller.invocation) {
            return true;
        }
        if self.fault.count == 0 {
            return false;
        }
        if self.fault.after > 0 {
            self.fault.after -= 1;
            self.passed.insert(caller.invocation.clone());
            return false;
        }
        self.fault.count -= 1;
        self.hits += 1;
        self.hit.insert(caller.invocation.clone());
        true
    }

    fn is_over(&self) -> bool {
        self.fault.count == 0 && !self.fault.whole_calls
    }
}

#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    armed: Vec<Armed>,
    /// The number of hits of each ended fault that was limited to a function, with the function's name.
    ended: Vec<(String, u32)>,
}

impl State {
    fn end(&mut self, ends: impl Fn(&Armed) -> bool) {
        for Armed { fault, hits, .. } in self.armed.extract_if(.., |armed| ends(armed)) {
            self.ended.extend(fault.function.map(|function| (function, hits)));
        }
    }
}

impl Faults {
    pub(super) fn set(&self, fault: Fault) {
        let mut state = lock(&self.0);
        state.end(|other| fault.replaces(&other.fault));
        if fault.count > 0 {
            state.armed.push(Armed { fault, passed: BTreeSet::new(), hit: BTreeSet::new(), hits: 0 });
        }
    }

    /// Returns the fault that hits this call, if any, and counts the hit. The oldest matching fault wins.
    pub(super) fn take(&self, caller: &Caller, operation: &str) -> Option<Fault> {
        let mut state = lock(&self.0);
        let hit = state.armed.iter_mut().find_map(|armed| armed.strike(caller, operation).then(|| armed.fault.clone()));
        state.end(Armed::is_over);
        hit
    }

    /// Clears the faults of one function and returns how many of its calls they have hit.
    pub(super) fn clear(&self, function: &str) -> u32 {
        let mut state = lock(&self.0);
        state.end(|armed| armed.fault.function.as_deref() == Some(function));
        state.ended.extract_if(.., |(limited_to, _)| limited_to == function).map(|(_, hits)| hits).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(service: Service, invocation: &str, attempt: u32) -> Caller {
        Caller { service, function: "a function".to_owned(), attempt, invocation: invocation.to_owned() }
    }

    fn refusal(change: (&str, Value)) -> String {
        let mut fault = json!({"service": "dynamodb", "operation": "UpdateItem", "mode": "refused", "count": 1});
        fault[change.0] = change.1;
        Fault::from_json(&fault).expect_err("not a fault")
    }

    #[test]
    fn the_error_for_an_invalid_fault_names_the_field() {
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
    fn a_conflict_is_refused_for_operations_that_cannot_conflict() {
        let on = |service: &str, operation: &str| {
            Fault::from_json(&json!({"service": service, "operation": operation, "mode": "conflict", "count": 1}))
        };
        assert!(on("kms", "*").expect_err("no conflicts in KMS").contains("`mode`"));
        assert!(on("dynamodb", "Query").expect_err("a query never conflicts").contains("`operation`"));
        assert!(on("dynamodb", "*").is_ok());
    }

    #[test]
    fn a_fault_replaces_one_with_the_same_target_and_a_count_of_zero_clears_it() {
        let faults = Faults::default();
        let fault = |mode, count| Fault::new(Service::DynamoDb, "UpdateItem", mode, count);
        faults.set(fault(Mode::Refused, 5));
        faults.set(fault(Mode::Refused, 1));
        faults.set(fault(Mode::Throttled, 1));
        let hit = || faults.take(&call(Service::DynamoDb, "", 1), "UpdateItem").map(|fault| fault.mode);
        assert_eq!(hit(), Some(Mode::Refused));
        assert_eq!(hit(), Some(Mode::Throttled));
        assert_eq!(hit(), None);
        faults.set(fault(Mode::Refused, 5));
        faults.set(fault(Mode::Refused, 0));
        assert_eq!(hit(), None);
    }

    #[test]
    fn attempt_and_wildcard_operation_select_the_calls() {
        let faults = Faults::default();
        faults.set(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 2).on_attempt(1));
        faults.set(Fault::new(Service::DynamoDb, "*", Mode::Conflict, 1));
        let take =
            |service, operation, attempt| faults.take(&call(service, "", attempt), operation).map(|hit| hit.mode);
        assert_eq!(take(Service::Kms, "Decrypt", 1), None);
        assert_eq!(take(Service::DynamoDb, "Query", 2), None, "a query cannot conflict");
        assert_eq!(take(Service::DynamoDb, "PutItem", 2), Some(Mode::Conflict));
        assert_eq!(take(Service::DynamoDb, "Query", 1), Some(Mode::LostResponse));
    }

    #[test]
    fn a_fault_can_hit_all_attempts_of_one_call_of_one_function() {
        let faults = Faults::default();
        let fault = Fault::new(Service::DynamoDb, "GetItem", Mode::Refused, 1).on_function("aimed").after(1);
        faults.set(fault.on_whole_calls());
        let hit = |caller: &Caller| faults.take(caller, "GetItem").is_some();
        let named = |invocation: &str, attempt| Caller {
            function: "aimed".to_owned(),
            ..call(Service::DynamoDb, invocation, attempt)
        };
        assert!(!hit(&call(Service::DynamoDb, "of another", 1)));
        assert!(!hit(&named("first", 1)) && !hit(&named("first", 2)), "the first call passes with all its attempts");
        assert!(hit(&named("second", 1)) && hit(&named("second", 2)));
        assert!(!hit(&named("third", 1)));
        assert_eq!(
            (faults.clear("aimed"), faults.clear("aimed")),
            (1, 0),
            "one call was hit, and clearing resets the count"
        );
    }
}
