//! The cursor of the list of subscriptions: the last id of a page, in base64url.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::SubscriptionId;

/// Returns the cursor of the page that follows `last`.
#[must_use]
pub fn encode(last: &SubscriptionId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last.as_str())
}

/// Parses a cursor; `None` for text that [`encode`] never returns.
#[must_use]
pub fn decode(cursor: &str) -> Option<SubscriptionId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    SubscriptionId::parse(std::str::from_utf8(&bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_was_never_handed_out_is_refused() {
        for cursor in ["%", "YQ==", "//8", "I2E", "c3ViLTF"] {
            assert_eq!(decode(cursor), None, "{cursor}");
        }
        let id = SubscriptionId::parse("sub-1");
        assert_eq!(decode("c3ViLTE"), id);
        assert_eq!(id.map(|id| encode(&id)).as_deref(), Some("c3ViLTE"));
    }
}
