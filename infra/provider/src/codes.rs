//! Authorization codes. Each is valid once, for one minute, and only for the request that it answered.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::person::Person;

/// The lifetime of a code. RFC 6749 recommends a short one, ten minutes at most; a browser's redirect takes a second.
const LIFETIME: Duration = Duration::from_mins(1);

/// The request that a code was issued for, and the person who signed in.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) client_id: String,
    /// When the person signed in, in seconds since the epoch.
    pub(super) signed_in_at: u64,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    /// Whether the request asked for the address in the ID token.
    pub(super) wants_address: bool,
    pub(super) person: Person,
}

#[derive(Debug, Default)]
pub(super) struct Codes(HashMap<String, (Instant, Grant)>);

impl Codes {
    pub(super) fn insert(&mut self, code: String, grant: Grant, now: Instant) {
        self.0.retain(|_, (issued_at, _)| now.duration_since(*issued_at) < LIFETIME);
        self.0.insert(code, (now, grant));
    }

    /// Removes a code and returns its grant if it is still valid. The first attempt uses up the code, even if the rest of
    /// the request is invalid.
    pub(super) fn take(&mut self, code: &str, now: Instant) -> Option<Grant> {
        let (issued_at, grant) = self.0.remove(code)?;
        (now.duration_since(issued_at) < LIFETIME).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            client_id: "firstkey".to_owned(),
            signed_in_at: 0,
            redirect_uri: "http://localhost:9000/auth/callback".to_owned(),
            code_challenge: "challenge".to_owned(),
            nonce: None,
            wants_address: false,
            person: Person::with_email("dana@fabrikam.example"),
        }
    }

    #[test]
    fn a_code_works_once() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.insert("code".to_owned(), grant(), now);
        assert!(codes.take("code", now).is_some());
        assert!(codes.take("code", now).is_none());
    }

    #[test]
    fn a_code_expires_after_a_minute() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.insert("early".to_owned(), grant(), now);
        codes.insert("late".to_owned(), grant(), now);
        assert!(codes.take("early", now + Duration::from_secs(59)).is_some());
        assert!(codes.take("late", now + LIFETIME).is_none());
    }

    #[test]
    fn expired_codes_are_removed() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.insert("old".to_owned(), grant(), now);
        codes.insert("new".to_owned(), grant(), now + Duration::from_secs(61));
        assert_eq!(codes.0.len(), 1);
    }
}
