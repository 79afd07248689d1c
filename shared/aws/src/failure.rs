//! The error type of this crate. It reduces an SDK error to a code, a request id, and whether a retry helps.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use domain::{FailedCall, Retryable};

/// Why AWS did not carry out a request. It holds nothing that was sent or stored, so it may be logged whole.
#[derive(Clone, Debug)]
pub enum Failure {
    /// AWS throttled the request, failed, could not be reached or was too slow. A retry may succeed, and a write may have been carried
    /// out already.
    Unavailable(Inside),
    /// The request is not allowed or not configured, or an item cannot be read. A retry does not help.
    Broken(Inside),
}

/// The details of a failure, for the log alone.
#[derive(Clone, Debug)]
pub struct Inside {
    operation: FailedCall,
    code: String,
    request_id: Option<String>,
}

/// The error codes of AWS that ask for a later retry. A status of a server error asks for it too.
const TRANSIENT: [&str; 14] = [
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
    "InternalFailure",
    "InternalException",
];

/// How the codes begin of items and answers that cannot be read.
const UNREADABLE: &str = "unreadable: ";

impl Failure {
    /// Classifies an error of the SDK.
    pub(crate) fn from_sdk<E: ProvideErrorMetadata>(
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let (code, request_id, transient) = match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or("no code").to_owned();
                let transient = service.raw().status().is_server_error() || TRANSIENT.contains(&code.as_str());
                (code, service.err().meta().request_id().map(str::to_owned), transient)
            }
            SdkError::TimeoutError(_) => ("time-out".to_owned(), None, true),
            SdkError::DispatchFailure(_) => ("no connection".to_owned(), None, true),
            SdkError::ResponseError(_) => ("no whole answer".to_owned(), None, true),
            _ => ("not sent".to_owned(), None, false),
        };
        let inside = Inside { operation: FailedCall::new(operation), code, request_id };
        if transient { Self::Unavailable(inside) } else { Self::Broken(inside) }
    }

    /// Returns the failure of one part of a request whose other parts may have succeeded, by the code in the answer.
    pub(crate) fn from_code(operation: &'static str, code: &str) -> Self {
        let inside = Inside { operation: FailedCall::new(operation), code: code.to_owned(), request_id: None };
        if TRANSIENT.contains(&code) { Self::Unavailable(inside) } else { Self::Broken(inside) }
    }

    /// Returns the failure of an operation that used up its time.
    pub(crate) fn timed_out(operation: &'static str) -> Self {
        let operation = FailedCall::new(operation);
        Self::Unavailable(Inside { operation, code: "out of time".to_owned(), request_id: None })
    }

    /// Returns the failure of an item or answer that cannot be read. `what` is constant text: the name of the missing or invalid part.
    pub(crate) fn unreadable(operation: &'static str, what: &'static str) -> Self {
        let operation = FailedCall::new(operation);
        Self::Broken(Inside { operation, code: format!("{UNREADABLE}{what}"), request_id: None })
    }
}

impl Retryable for Failure {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl Failure {
    /// Returns whether a stored item, or an answer, cannot be read. Then no later call will help.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.inside().code.starts_with(UNREADABLE)
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
