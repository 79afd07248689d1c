//! What is left of an SDK error at the edge of this crate: a code and a request id, and whether waiting helps.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use domain::FailedCall;

/// Why AWS could not do what it was asked. It holds nothing of what was sent or kept, so it may be logged whole.
#[derive(Debug)]
pub enum Failure {
    /// Throttled, failing, out of reach or too slow: the same again may work, and a write may have been carried out.
    Unavailable(Inside),
    /// Not allowed, not configured, or an item that does not read: the same again will not work.
    Broken(Inside),
}

/// For the log alone.
#[derive(Debug)]
pub struct Inside {
    operation: FailedCall,
    code: String,
    request_id: Option<String>,
}

/// Answers of AWS that say: later. Server errors say it too, by their status.
const LATER: [&str; 12] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "TransactionCanceledException",
    "DisabledException",
    "KMSInvalidStateException",
];

impl Failure {
    pub(crate) fn of<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let (code, request_id, later) = match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or("no code").to_owned();
                let later = service.raw().status().is_server_error() || LATER.contains(&code.as_str());
                (code, service.err().meta().request_id().map(str::to_owned), later)
            }
            SdkError::TimeoutError(_) => ("time-out".to_owned(), None, true),
            SdkError::DispatchFailure(_) => ("no connection".to_owned(), None, true),
            SdkError::ResponseError(_) => ("no whole answer".to_owned(), None, true),
            _ => ("not sent".to_owned(), None, false),
        };
        let inside = Inside { operation: FailedCall::new(operation), code, request_id };
        if later { Self::Unavailable(inside) } else { Self::Broken(inside) }
    }

    pub(crate) fn too_long(operation: &'static str) -> Self {
        let operation = FailedCall::new(operation);
        Self::Unavailable(Inside { operation, code: "out of time".to_owned(), request_id: None })
    }

    /// `what` is constant text: the name of an attribute, or what a service left out.
    pub(crate) fn unreadable(operation: &'static str, what: &'static str) -> Self {
        let operation = FailedCall::new(operation);
        Self::Broken(Inside { operation, code: format!("unreadable: {what}"), request_id: None })
    }
}

impl Failure {
    /// Whether the same again may work.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Returns the service that failed, such as `dynamodb`. `None` if no call failed but a stored item is invalid.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        self.inside().operation.service()
    }

    fn inside(&self) -> &Inside {
        let (Self::Unavailable(inside) | Self::Broken(inside)) = self;
        inside
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inside = self.inside();
        let request_id = inside.request_id.as_deref().unwrap_or("none");
        write!(f, "{}: {} (AWS request {request_id})", inside.operation, inside.code)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.inside().operation)
    }
}
