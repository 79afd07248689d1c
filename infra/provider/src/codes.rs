//! Authorization codes: each works once, for a minute, for the request that it answered.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::person::Person;

/// RFC 6749 allows ten minutes and asks for short; a browser's redirect takes a second.
const LIFETIME: Duration = Duration::from_mins(1);

/// What a code was given for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) person: Person,
}

#[derive(Debug, Default)]
pub(super) struct Codes(HashMap<String, (Instant, Grant)>);

impl Codes {
    pub(super) fn put(&mut self, code: String, grant: Grant, now: Instant) {
        self.0.retain(|_, (given, _)| now.duration_since(*given) < LIFETIME);
        self.0.insert(code, (now, grant));
    }

    /// A code is spent by the first attempt, whether or not the rest of it is right.
    pub(super) fn take(&mut self, code: &str, now: Instant) -> Option<Grant> {
        let (given, grant) = self.0.remove(code)?;
        (now.duration_since(given) < LIFETIME).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            redirect_uri: "http://localhost:9000/auth/callback".to_owned(),
            code_challenge: "challenge".to_owned(),
            nonce: None,
            person: Person::with_email("dana@fabrikam.example"),
        }
    }

    #[test]
    fn a_code_works_once() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.put("code".to_owned(), grant(), now);
        assert!(codes.take("code", now).is_some());
        assert!(codes.take("code", now).is_none());
    }

    #[test]
    fn a_code_lasts_a_minute_and_no_longer() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.put("early".to_owned(), grant(), now);
        codes.put("late".to_owned(), grant(), now);
        assert!(codes.take("early", now + Duration::from_secs(59)).is_some());
        assert!(codes.take("late", now + LIFETIME).is_none());
    }

    #[test]
    fn codes_that_nobody_redeemed_are_forgotten() {
        let (mut codes, now) = (Codes::default(), Instant::now());
        codes.put("old".to_owned(), grant(), now);
        codes.put("new".to_owned(), grant(), now + Duration::from_secs(61));
        assert_eq!(codes.0.len(), 1);
    }
}
