//! The call of another service that failed, as a link in an error's chain of sources.

use std::{error::Error, fmt};

/// The operation of another service that failed, such as `dynamodb UpdateItem`.
///
/// The crate that makes the call puts it into the sources of its error. The boundary, which knows no SDK, finds it there with
/// [`failed_service`] and logs the service as a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedCall(&'static str);

impl FailedCall {
    /// Creates the link. `operation` is the name of the service, a space, and the name of the operation.
    #[must_use]
    pub const fn new(operation: &'static str) -> Self {
        Self(operation)
    }

    /// Returns the name of the service, such as `dynamodb`. `None` for an operation that calls no service.
    #[must_use]
    pub fn service(self) -> Option<&'static str> {
        self.0.split_once(' ').map(|(service, _)| service)
    }
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for FailedCall {}

/// Returns the service whose call failed, if `error` or one of its sources is a [`FailedCall`].
#[must_use]
pub fn failed_service(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut chain = std::iter::successors(Some(error), |&error| error.source());
    chain.find_map(|error| error.downcast_ref::<FailedCall>()).and_then(|call| call.service())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(FailedCall);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_service_is_found_anywhere_in_the_chain() {
        let call = FailedCall::new("dynamodb UpdateItem (retrieve)");
        assert_eq!(failed_service(&call), Some("dynamodb"));
        assert_eq!(failed_service(&Outer(call)), Some("dynamodb"));
        assert_eq!(failed_service(&FailedCall::new("item")), None);
        assert_eq!(failed_service(&fmt::Error), None);
    }
}
