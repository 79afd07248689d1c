//! The trait that tells failures that may pass from failures that stay.

use std::sync::Arc;

/// An error of something that the product depends on: a service, the machine, a provider.
///
/// `web` turns such an error into a problem and `lambda` into a rejection, so that `?` is enough in a function.
pub trait Retryable {
    /// Returns whether the same operation may succeed when it is tried again.
    fn is_transient(&self) -> bool;
}

impl<T: Retryable + ?Sized> Retryable for Arc<T> {
    fn is_transient(&self) -> bool {
        (**self).is_transient()
    }
}
