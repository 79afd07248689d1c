//! The response format of each service: XML for SES, JSON with `__type` for the others.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use uuid::Uuid;

use super::service::Service;

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const XML: HeaderValue = HeaderValue::from_static("text/xml");

/// The namespace of SES's query protocol, API version 2010-12-01.
pub(super) const SES_NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// A service's answer to a call.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    pub(super) consumed_capacity: Option<f64>,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: JSON, body: body.into(), consumed_capacity: None }
    }

    pub(super) fn consuming(self, units: Option<f64>) -> Self {
        Self { consumed_capacity: units, ..self }
    }

    pub(super) fn xml(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: XML, body: body.into(), consumed_capacity: None }
    }

    /// Creates an error with a code and a message in the format of the service.
    pub(super) fn error(service: Service, status: StatusCode, code: &str, message: &str) -> Self {
        let shape = match service {
            Service::Ses => return Self::xml(status, ses_error(status, code, message)),
            Service::DynamoDb => format!("com.amazonaws.dynamodb.v20120810#{code}"),
            Service::Events | Service::Kms | Service::SecretsManager => code.to_owned(),
            Service::Sqs => format!("com.amazonaws.sqs#{code}"),
        };
        Self::json(status, json!({"__type": shape, "message": message}).to_string())
    }

    /// Creates the error for a call that the caller's role does not allow.
    pub(super) fn denied(service: Service, message: &str) -> Self {
        let shape = match service {
            Service::Ses => return Self::error(service, StatusCode::FORBIDDEN, "AccessDenied", message),
            Service::DynamoDb => "com.amazon.coral.service#AccessDeniedException",
            Service::Events | Service::Kms | Service::SecretsManager => "AccessDeniedException",
            Service::Sqs => "com.amazonaws.sqs#AccessDeniedException",
        };
        let body = json!({"__type": shape, "Message": message});
        Self::json(StatusCode::BAD_REQUEST, body.to_string())
    }

    /// Creates the internal error of the service, for a call that was not executed.
    pub(super) fn refused(service: Service) -> Self {
        let code = match service {
            Service::DynamoDb => "InternalServerError",
            Service::Events => "InternalException",
            Service::Kms => "KMSInternalException",
            Service::SecretsManager => "InternalServiceError",
            Service::Ses | Service::Sqs => "InternalFailure",
        };
        Self::error(service, StatusCode::INTERNAL_SERVER_ERROR, code, "The local cloud refused this call.")
    }

    /// Creates the throttling error of the service.
    pub(super) fn throttled(service: Service) -> Self {
        let (code, message) = match service {
            Service::DynamoDb => (
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Service::Events | Service::Kms | Service::SecretsManager => ("ThrottlingException", "Rate exceeded"),
            Service::Ses => ("Throttling", "Maximum sending rate exceeded."),
            Service::Sqs => ("RequestThrottled", "Rate exceeded"),
        };
        Self::error(service, StatusCode::BAD_REQUEST, code, message)
    }

    /// Creates DynamoDB's error for a write or a transaction that conflicts with another transaction on an item.
    pub(super) fn conflict(operation: &str, body: &Bytes) -> Self {
        const CONFLICT: &str = "Transaction is ongoing for the item";
        if !operation.starts_with("Transact") {
            return Self::error(Service::DynamoDb, StatusCode::BAD_REQUEST, "TransactionConflictException", CONFLICT);
        }
        let items = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|call| call["TransactItems"].as_array().map(Vec::len))
            .unwrap_or(1);
        let mut reasons = vec![json!({"Code": "None"}); items.max(1)];
        reasons[0] = json!({"Code": "TransactionConflict", "Message": CONFLICT});
        let codes: Vec<_> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let body = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": message,
            "CancellationReasons": reasons,
        });
        Self::json(StatusCode::BAD_REQUEST, body.to_string())
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type);
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }
}

fn ses_error(status: StatusCode, code: &str, message: &str) -> String {
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    format!(
        "<ErrorResponse xmlns=\"{SES_NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        escaped(message),
        Uuid::new_v4(),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
