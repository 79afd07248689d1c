//! The local cloud's clock: the one place of this crate that reads the time of day.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[expect(clippy::disallowed_methods, reason = "the local cloud stands for AWS, which has a clock of its own")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Milliseconds since the epoch, as SQS writes its timestamps.
pub(super) fn epoch_millis() -> u64 {
    u64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn rfc3339() -> String {
    let now = now();
    let whole = now.replace_millisecond(now.millisecond()).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}
