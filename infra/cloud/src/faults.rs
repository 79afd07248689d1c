//! Faults that the AWS endpoint is told to make, and which call they hit.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::lock;
use super::service::{Caller, Service};

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
    /// Only calls that this function has signed.
    pub function: Option<String>,
    /// How many of the calls that it could hit it lets by first.
    pub after: u32,
    /// Whether it hits every attempt of a call that it hits, and `count` is of calls.
    pub whole_calls: bool,
}

impl Fault {
    /// Hits the next `count` calls of an operation, or of every one for `*`.
    #[must_use]
    pub fn new(service: Service, operation: &str, mode: Mode, count: u32) -> Self {
        let operation = operation.to_owned();
        let (attempt, delay, function) = (None, DELAY, None);
        Self { service, operation, mode, count, attempt, delay, function, after: 0, whole_calls: false }
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

    /// Hits only calls of one function.
    #[must_use]
    pub fn of_function(self, function: &str) -> Self {
        Self { function: Some(function.to_owned()), ..self }
    }

    /// Lets so many calls by first.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    /// Hits every attempt of each call that it hits.
    #[must_use]
    pub fn on_whole_calls(self) -> Self {
        Self { whole_calls: true, ..self }
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
        Ok(Self { attempt, delay, ..Self::new(service, operation, mode, count) })
    }

    fn fits(&self, caller: &Caller, operation: &str) -> bool {
        self.service == caller.service
            && (self.operation == "*" || self.operation == operation)
            && self.attempt.is_none_or(|only| only == caller.attempt)
            && self.function.as_ref().is_none_or(|only| *only == caller.function)
            && (self.mode != Mode::Conflict || CONFLICTING.contains(&operation))
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

/// A fault that waits for its calls.
struct Armed {
    fault: Fault,
    /// Calls that it let by, and calls that it has hit, by the SDK's ids.
    passed: BTreeSet<String>,
    hit: BTreeSet<String>,
    hits: u32,
}

impl Armed {
    /// Whether it hits this attempt; it is spent by that.
    fn strike(&mut self, caller: &Caller, operation: &str) -> bool {
        if !self.fault.fits(caller, operation) || self.passed.contains(&caller.invocation) {
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
    /// How many calls of a function were hit by faults of its own that are over.
    over: Vec<(String, u32)>,
}

impl State {
    fn end(&mut self, ends: impl Fn(&Armed) -> bool) {
        for Armed { fault, hits, .. } in self.armed.extract_if(.., |armed| ends(armed)) {
            self.over.extend(fault.function.map(|function| (function, hits)));
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

    /// The fault that hits this call, if one does: the oldest of those that fit. It is spent by that.
    pub(super) fn take(&self, caller: &Caller, operation: &str) -> Option<Fault> {
        let mut state = lock(&self.0);
        let hit = state.armed.iter_mut().find_map(|armed| armed.strike(caller, operation).then(|| armed.fault.clone()));
        state.end(Armed::is_over);
        hit
    }

    /// Clears the faults of one function, and tells how many of its calls they have hit.
    pub(super) fn clear(&self, function: &str) -> u32 {
        let mut state = lock(&self.0);
        state.end(|armed| armed.fault.function.as_deref() == Some(function));
        state.over.extract_if(.., |(whose, _)| whose == function).map(|(_, hits)| hits).sum()
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
        let hit = || faults.take(&call(Service::DynamoDb, "", 1), "UpdateItem").map(|fault| fault.mode);
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
        let take =
            |service, operation, attempt| faults.take(&call(service, "", attempt), operation).map(|hit| hit.mode);
        assert_eq!(take(Service::Kms, "Decrypt", 1), None);
        assert_eq!(take(Service::DynamoDb, "Query", 2), None, "a query cannot conflict");
        assert_eq!(take(Service::DynamoDb, "PutItem", 2), Some(Mode::Conflict));
        assert_eq!(take(Service::DynamoDb, "Query", 1), Some(Mode::LostResponse));
    }

    #[test]
    fn one_call_of_one_function_is_aimed_at_with_all_its_attempts() {
        let faults = Faults::default();
        let fault = Fault::new(Service::DynamoDb, "GetItem", Mode::Refused, 1).of_function("aimed").after(1);
        faults.set(fault.on_whole_calls());
        let hit = |caller: &Caller| faults.take(caller, "GetItem").is_some();
        let named = |invocation: &str, attempt| Caller {
            function: "aimed".to_owned(),
            ..call(Service::DynamoDb, invocation, attempt)
        };
        assert!(!hit(&call(Service::DynamoDb, "of another", 1)));
        assert!(!hit(&named("first", 1)) && !hit(&named("first", 2)), "it is let by, and so is its next attempt");
        assert!(hit(&named("second", 1)) && hit(&named("second", 2)));
        assert!(!hit(&named("third", 1)));
        assert_eq!((faults.clear("aimed"), faults.clear("aimed")), (1, 0), "one call was hit");
    }
}
