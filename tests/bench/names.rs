//! The names that follow from the id of a subscription in the benches that have many of them. Each has a company of its own.

/// Returns the id of the company.
pub(crate) fn company(subscription: &str) -> String {
    format!("co-{subscription}")
}

/// Returns the address of the one portal user.
pub(crate) fn address(subscription: &str) -> String {
    format!("dana@{}.example", company(subscription))
}

/// Returns the user name of the service administrator.
pub(crate) fn user_name(subscription: &str) -> String {
    format!("admin@{}", company(subscription))
}
