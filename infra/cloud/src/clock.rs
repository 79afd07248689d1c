//! The local cloud's clock, the only place in the local cloud that reads the time of day.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[expect(clippy::disallowed_methods, reason = "the local cloud emulates AWS, which has its own clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns the current time in milliseconds since the Unix epoch, the form of SQS timestamps.
pub(super) fn epoch_millis() -> u64 {
    u64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Returns the current time in RFC 3339 and UTC, with milliseconds.
pub(super) fn rfc3339() -> String {
    let now = now();
    let whole = now.replace_millisecond(now.millisecond()).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}
