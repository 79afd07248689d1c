//! Cursors of lists, in base64url: of the list of subscriptions the last id of a page, and of a history the last number.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{HistoryCursor, SubscriptionId};

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

/// Returns the text of a cursor of a history.
#[must_use]
pub fn encode_history(cursor: HistoryCursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(cursor.seq().to_string())
}

/// Parses a cursor of a history; `None` for text that [`encode_history`] never returns.
#[must_use]
pub fn decode_history(cursor: &str) -> Option<HistoryCursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let seq: u64 = text.parse().ok()?;
    HistoryCursor::after(seq).filter(|_| seq.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_a_history_is_one_number_in_one_spelling() {
        let cursor = HistoryCursor::after(51).unwrap();
        assert_eq!(encode_history(cursor), "NTE");
        assert_eq!(decode_history("NTE"), Some(cursor));
        for text in ["", "0", "1", "+51", "051", "-1", "51 ", "5e1", "10000000000", "99999999999999999999", "x"] {
            assert_eq!(decode_history(&BASE64_URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
        for cursor in ["%", "NTE=", "NTF", "51"] {
            assert_eq!(decode_history(cursor), None, "{cursor}");
        }
    }

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
