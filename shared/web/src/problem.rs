//! What goes wrong: a stable code and constant text for whoever called, the cause for whoever operates (RFC 9457).

use std::{error::Error, fmt};

use domain::PasswordRefusal;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::reply::{self, Reply};

/// What went wrong, as callers may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemCode {
    /// The request is not as the contract describes it.
    InvalidRequest,
    /// There is no valid ID token, or no valid session.
    NotSignedIn,
    /// User name and password do not belong together.
    InvalidCredentials,
    /// Known, and not allowed.
    Forbidden,
    /// Nothing there, or nothing that this caller may see: the two are not told apart.
    NotFound,
    /// The state does not allow it.
    Conflict,
    /// Another account has this name.
    UserNameTaken,
    /// The body is over [`LARGEST_BODY`](crate::request::LARGEST_BODY).
    PayloadTooLarge,
    /// A new password has too few characters.
    PasswordTooShort,
    /// A new password has too many characters.
    PasswordTooLong,
    /// A new password is among those that are guessed first.
    PasswordTooCommon,
    /// A new password is the old one.
    PasswordReused,
    /// Slow down.
    TooManyAttempts,
    /// A defect of ours.
    Internal,
    /// Something that we depend on does not answer, or asks us to wait.
    Unavailable,
}

/// One failure: what the caller is told, and what only the log is.
#[derive(Debug)]
pub struct Problem {
    code: ProblemCode,
    retry_after: Option<u32>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// Seconds after which an unavailable service may be asked again.
const RETRY_AFTER: u32 = 1;

impl ProblemCode {
    /// As it stands in `code`, and at the end of `type`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::NotSignedIn => "not-signed-in",
            Self::InvalidCredentials => "invalid-credentials",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::UserNameTaken => "user-name-taken",
            Self::PayloadTooLarge => "payload-too-large",
            Self::PasswordTooShort => "password-too-short",
            Self::PasswordTooLong => "password-too-long",
            Self::PasswordTooCommon => "password-too-common",
            Self::PasswordReused => "password-reused",
            Self::TooManyAttempts => "too-many-attempts",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    /// The status that goes with it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::NotSignedIn | Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict | Self::UserNameTaken => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PasswordTooShort | Self::PasswordTooLong | Self::PasswordTooCommon | Self::PasswordReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A few words.
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

    /// What to do about it. Constant: the caller's input is never repeated.
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
    /// A problem whose code says everything.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        let retry_after = (code == ProblemCode::Unavailable).then_some(RETRY_AFTER);
        Self { code, retry_after, cause: None }
    }

    /// A service behind us failed: `unavailable` where the same again may work, otherwise `internal`.
    #[must_use]
    pub fn failed(may_pass: bool, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(if may_pass { ProblemCode::Unavailable } else { ProblemCode::Internal }).because(cause)
    }

    /// With its cause, which is logged and never shown.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// With the number of seconds after which to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// What went wrong.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// Why, for the log: each error of the chain in its own words, the outermost first.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        self.cause.as_deref().map(|cause| in_words(cause))
    }

    /// The problem document.
    #[must_use]
    pub fn reply(&self, request_id: &str) -> Reply {
        let document = Document {
            r#type: format!("urn:firstkey:problem:{}", self.code.code()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.code.detail(),
            code: self.code.code(),
            request_id,
        };
        let mut reply = reply::document(self.code.status(), "application/problem+json", &document);
        if let Some(seconds) = self.retry_after {
            reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code == ProblemCode::NotSignedIn {
            // RFC 9110, 15.5.2: a 401 names a scheme. Browsers ask nobody for a bearer token.
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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.code())
    }
}

/// An error and its sources, the outermost first.
pub(crate) fn in_words(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
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

    const ALL: [ProblemCode; 15] = [
        ProblemCode::InvalidRequest,
        ProblemCode::NotSignedIn,
        ProblemCode::InvalidCredentials,
        ProblemCode::Forbidden,
        ProblemCode::NotFound,
        ProblemCode::Conflict,
        ProblemCode::UserNameTaken,
        ProblemCode::PayloadTooLarge,
        ProblemCode::PasswordTooShort,
        ProblemCode::PasswordTooLong,
        ProblemCode::PasswordTooCommon,
        ProblemCode::PasswordReused,
        ProblemCode::TooManyAttempts,
        ProblemCode::Internal,
        ProblemCode::Unavailable,
    ];

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
        let statuses = ALL.map(|code| (code.code(), code.status().as_u16()));
        let contract = [
            ("invalid-request", 400),
            ("not-signed-in", 401),
            ("invalid-credentials", 401),
            ("forbidden", 403),
            ("not-found", 404),
            ("conflict", 409),
            ("user-name-taken", 409),
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
        let documents = ALL.map(|code| document(&Problem::new(code).reply("8f2e0c1a")));
        insta::assert_snapshot!("problem_documents", serde_json::to_string_pretty(&documents).unwrap());
    }

    #[test]
    fn every_problem_helps_in_sentences() {
        for code in ALL {
            assert!(code.detail().ends_with('.') && !code.title().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn unavailable_always_says_when_to_come_back() {
        let after = |problem: Problem| problem.reply("").headers().get("retry-after").cloned();
        assert_eq!(after(ProblemCode::Unavailable.into()).unwrap(), "1");
        assert_eq!(after(Problem::new(ProblemCode::Unavailable).because("x").retry_after(30)).unwrap(), "30");
        assert_eq!(after(Problem::new(ProblemCode::TooManyAttempts).retry_after(600)).unwrap(), "600");
        assert_eq!(after(ProblemCode::Internal.into()), None);
    }

    #[test]
    fn a_401_for_want_of_a_token_names_the_scheme() {
        let scheme = |code| Problem::new(code).reply("").headers().get("www-authenticate").cloned();
        assert_eq!(scheme(ProblemCode::NotSignedIn).unwrap(), "Bearer");
        assert_eq!(scheme(ProblemCode::InvalidCredentials), None);
    }

    #[test]
    fn the_cause_is_told_with_its_sources_and_never_shown() {
        let cause = Layer("outer", Some(Box::new(Layer("middle", Some(Box::new(Layer("inner", None)))))));
        let problem = Problem::new(ProblemCode::Internal).because(cause);
        assert_eq!(problem.cause().as_deref(), Some("outer: middle: inner"));
        let shown = document(&problem.reply("")).to_string();
        assert!(!["outer", "middle", "inner"].iter().any(|word| shown.contains(word)), "{shown}");
    }
}
