//! Problems (RFC 9457): a stable code and constant text for the caller, and the cause for the log.

use std::{error::Error, fmt};

use domain::{FailedCall, PasswordRefusal, Retryable};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    identity::TokenRefusal,
    reply::{self, Reply},
};

domain::text_enum! {
    /// The stable code of a problem, which callers may rely on.
    pub enum ProblemCode {
        /// The request does not match the contract.
        InvalidRequest = "invalid-request",
        /// There is no valid ID token or no valid session.
        NotSignedIn = "not-signed-in",
        /// User name and password do not match.
        InvalidCredentials = "invalid-credentials",
        /// The caller is known but may not do this.
        Forbidden = "forbidden",
        /// The resource does not exist or the caller may not see it. The two are not distinguished.
        NotFound = "not-found",
        /// The current state does not allow the request.
        Conflict = "conflict",
        /// Another account has this name.
        UserNameTaken = "user-name-taken",
        /// The last administrator cannot be removed.
        LastAdministrator = "last-administrator",
        /// The body is over [`LARGEST_BODY`](crate::request::LARGEST_BODY).
        PayloadTooLarge = "payload-too-large",
        /// A new password has too few characters.
        PasswordTooShort = "password-too-short",
        /// A new password has too many characters.
        PasswordTooLong = "password-too-long",
        /// An attacker would guess the new password early.
        PasswordTooCommon = "password-too-common",
        /// The new password is the current one.
        PasswordReused = "password-reused",
        /// A rate limit is exceeded.
        TooManyAttempts = "too-many-attempts",
        /// The function has a defect or is misconfigured.
        Internal = "internal",
        /// A service that the function depends on is unavailable or throttles.
        Unavailable = "unavailable",
    }
}

/// A failed request: the code that the caller gets, and the cause that only the log gets.
#[derive(Debug)]
pub struct Problem {
    code: ProblemCode,
    retry_after: Option<u32>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The seconds after which the caller may retry when a service is unavailable.
const RETRY_AFTER: u32 = 1;

impl ProblemCode {
    /// Returns the HTTP status of this code.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::NotSignedIn | Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict | Self::UserNameTaken | Self::LastAdministrator => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PasswordTooShort | Self::PasswordTooLong | Self::PasswordTooCommon | Self::PasswordReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the title: a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Invalid request",
            Self::NotSignedIn => "Not signed in",
            Self::InvalidCredentials => "Incorrect user name or password",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::Conflict => "Not possible in this state",
            Self::UserNameTaken => "User name taken",
            Self::LastAdministrator => "Last administrator",
            Self::PayloadTooLarge => "Request too large",
            Self::PasswordTooShort => "Password too short",
            Self::PasswordTooLong => "Password too long",
            Self::PasswordTooCommon => "Password too common",
            Self::PasswordReused => "Password reused",
            Self::TooManyAttempts => "Too many attempts",
            Self::Internal => "Internal error",
            Self::Unavailable => "Temporarily unavailable",
        }
    }

    /// Returns what the caller can do about it. The text is constant, so that it never repeats the caller's input.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "The request does not match the API description. Bodies are JSON, declared as application/json, with \
                 exactly the described fields."
            }
            Self::NotSignedIn => "Sign in and try again. Sessions expire after some time.",
            Self::InvalidCredentials => "Check the user name and the password, and try again.",
            Self::Forbidden => "This request came from another site, or you don't have permission to make it.",
            Self::NotFound => "It does not exist, or you don't have access to it.",
            Self::Conflict => "The current state does not allow this. Reload it to see what is possible.",
            Self::UserNameTaken => "Choose another user name.",
            Self::LastAdministrator => "Add another administrator first.",
            Self::PayloadTooLarge => "A request body can be at most 16 KB.",
            Self::PasswordTooShort => "Choose a longer password, such as a sentence.",
            Self::PasswordTooLong => "Choose a shorter password.",
            Self::PasswordTooCommon => "This password is too easy to guess. Choose another.",
            Self::PasswordReused => "Choose a password that differs from your current one.",
            Self::TooManyAttempts => "Wait for the number of seconds in Retry-After, then try again.",
            Self::Internal => {
                "Something went wrong on our side. Try again; if it keeps happening, contact support with the request id."
            }
            Self::Unavailable => "Wait for the number of seconds in Retry-After, then send the same request again.",
        }
    }
}

impl From<PasswordRefusal> for ProblemCode {
    fn from(refusal: PasswordRefusal) -> Self {
        match refusal {
            PasswordRefusal::TooShort => Self::PasswordTooShort,
            PasswordRefusal::TooLong => Self::PasswordTooLong,
            PasswordRefusal::TooCommon => Self::PasswordTooCommon,
        }
    }
}

impl Problem {
    /// Creates a problem without a cause.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        let retry_after = (code == ProblemCode::Unavailable).then_some(RETRY_AFTER);
        Self { code, retry_after, cause: None }
    }

    /// Returns the problem of a caller who has to wait for `seconds`.
    #[must_use]
    pub fn too_many_attempts(seconds: u32) -> Self {
        Self::new(ProblemCode::TooManyAttempts).retry_after(seconds)
    }

    /// Returns the problem of a caller whose transaction lost every race against other writes to its subscription.
    #[must_use]
    pub fn lost_races() -> Self {
        Self::new(ProblemCode::Unavailable).because("other writes to this subscription kept winning")
    }

    /// Adds the cause, which is logged and never sent to the caller.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Returns the problem with another code and the same cause.
    #[must_use]
    pub(crate) fn with_code(self, code: ProblemCode) -> Self {
        Self { code, ..self }
    }

    /// Sets the number of seconds after which the caller may retry.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Returns the number of seconds after which the caller may retry.
    pub(crate) fn wait(&self) -> Option<u32> {
        self.retry_after
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// Returns the cause for the log: the messages of the error and its sources, the outermost first.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        self.cause.as_deref().map(|cause| error_chain(cause))
    }

    /// Returns why the request's ID token was refused, if that is the cause.
    #[must_use]
    pub fn token_refusal(&self) -> Option<TokenRefusal> {
        self.cause.as_deref()?.downcast_ref().copied()
    }

    /// Returns the service whose failed call is the cause, such as `dynamodb`, for the log.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        domain::failed_service(self.cause.as_deref()?)
    }

    /// Returns the problem document.
    #[must_use]
    pub fn reply(&self, request_id: &str) -> Reply {
        let document = Document {
            r#type: format!("urn:firstkey:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.code.detail(),
            code: self.code.as_str(),
            request_id,
        };
        let mut reply = reply::document(self.code.status(), "application/problem+json", &document);
        if let Some(seconds) = self.retry_after {
            reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code == ProblemCode::NotSignedIn {
            // RFC 9110, 15.5.2: a 401 names a scheme. Browsers show no dialog for this one.
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }
}

impl From<ProblemCode> for Problem {
    fn from(code: ProblemCode) -> Self {
        Self::new(code)
    }
}

/// A failure of a service is `unavailable` where a retry may succeed, and otherwise `internal`. The failure is the cause.
impl<E: Retryable + Error + Send + Sync + 'static> From<E> for Problem {
    fn from(failure: E) -> Self {
        let code = if failure.is_transient() { ProblemCode::Unavailable } else { ProblemCode::Internal };
        Self::new(code).because(failure)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

/// Returns the messages of an error and its sources, the outermost first. A [`FailedCall`] is left out, since the error above it names the
/// operation.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.filter(|error| !error.is::<FailedCall>()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
    request_id: &'a str,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as &(dyn Error + 'static))
        }
    }

    fn document(reply: &Reply) -> Value {
        serde_json::from_slice(reply.body()).unwrap()
    }

    #[test]
    fn a_problem_document_has_exactly_the_fields_of_the_contract() {
        let reply = Problem::new(ProblemCode::NotFound).reply("r-1");
        let expected = json!({
            "type": "urn:firstkey:problem:not-found", "title": "Not found", "status": 404,
            "detail": "It does not exist, or you don't have access to it.", "code": "not-found", "request_id": "r-1",
        });
        assert_eq!((reply.status(), document(&reply)), (StatusCode::NOT_FOUND, expected));
        let headers = ["content-type", "cache-control", "x-content-type-options"].map(|name| &reply.headers()[name]);
        assert_eq!(headers, ["application/problem+json", "no-store", "nosniff"]);
    }

    #[test]
    fn the_codes_have_the_statuses_of_the_contract() {
        let statuses = ProblemCode::ALL.map(|code| (code.as_str(), code.status().as_u16()));
        let contract = [
            ("invalid-request", 400),
            ("not-signed-in", 401),
            ("invalid-credentials", 401),
            ("forbidden", 403),
            ("not-found", 404),
            ("conflict", 409),
            ("user-name-taken", 409),
            ("last-administrator", 409),
            ("payload-too-large", 413),
            ("password-too-short", 422),
            ("password-too-long", 422),
            ("password-too-common", 422),
            ("password-reused", 422),
            ("too-many-attempts", 429),
            ("internal", 500),
            ("unavailable", 503),
        ];
        assert_eq!(statuses, contract);
    }

    #[test]
    fn the_problem_documents_read_well() {
        let documents = ProblemCode::ALL.map(|code| document(&Problem::new(code).reply("8f2e0c1a")));
        insta::assert_snapshot!("problem_documents", serde_json::to_string_pretty(&documents).unwrap());
    }

    #[test]
    fn every_detail_is_a_sentence_and_no_title_is() {
        for code in ProblemCode::ALL {
            assert!(code.detail().ends_with('.') && !code.title().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn unavailable_always_says_when_to_retry() {
        let after = |problem: Problem| problem.reply("").headers().get("retry-after").cloned();
        assert_eq!(after(ProblemCode::Unavailable.into()).unwrap(), "1");
        assert_eq!(after(Problem::new(ProblemCode::Unavailable).because("x").retry_after(30)).unwrap(), "30");
        assert_eq!(after(Problem::new(ProblemCode::TooManyAttempts).retry_after(600)).unwrap(), "600");
        assert_eq!(after(ProblemCode::Internal.into()), None);
    }

    #[test]
    fn a_401_without_a_token_names_the_scheme() {
        let scheme = |code| Problem::new(code).reply("").headers().get("www-authenticate").cloned();
        assert_eq!(scheme(ProblemCode::NotSignedIn).unwrap(), "Bearer");
        assert_eq!(scheme(ProblemCode::InvalidCredentials), None);
    }

    #[test]
    fn a_failure_that_may_pass_is_unavailable_and_any_other_internal() {
        #[derive(Debug)]
        struct Failure(bool);

        impl fmt::Display for Failure {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the table is away")
            }
        }

        impl Error for Failure {}

        impl Retryable for Failure {
            fn is_transient(&self) -> bool {
                self.0
            }
        }

        let [passing, lasting] = [true, false].map(|transient| Problem::from(Failure(transient)));
        assert_eq!((passing.code(), lasting.code()), (ProblemCode::Unavailable, ProblemCode::Internal));
        assert_eq!(lasting.cause().as_deref(), Some("the table is away"));
    }

    #[test]
    fn the_cause_has_its_sources_and_is_never_sent() {
        let cause = Layer("outer", Some(Box::new(Layer("middle", Some(Box::new(Layer("inner", None)))))));
        let problem = Problem::new(ProblemCode::Internal).because(cause);
        assert_eq!(problem.cause().as_deref(), Some("outer: middle: inner"));
        let shown = document(&problem.reply("")).to_string();
        assert!(!["outer", "middle", "inner"].iter().any(|word| shown.contains(word)), "{shown}");
    }
}
