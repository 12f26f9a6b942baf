//! Durations as they are typed and shown: `30s`, `5m`, `1h 30m`.

use std::time::{Duration, SystemTime};

use state_core::Timestamp;

/// Reads a duration; for clap, so the error is a plain sentence.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("a unit is missing: write {text}s for seconds, {text}m for minutes"));
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}; write for example 30s or 5m"))
}

/// A duration for people: whole seconds from 10 s on.
pub(crate) fn show(duration: Duration) -> String {
    let rounded = if duration >= Duration::from_secs(10) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    };
    humantime::format_duration(rounded).to_string()
}

/// A point in time as RFC 3339 in UTC.
pub(crate) fn show_timestamp(timestamp: Timestamp) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(timestamp.unix_ms()));
    let shown = time
        .filter(|_| timestamp.unix_ms() < 253_402_300_800_000) // the year 10000, which it cannot show
        .map(|time| humantime::format_rfc3339_millis(time).to_string());
    shown.unwrap_or_else(|| timestamp.to_string())
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
        assert!(parse("30").unwrap_err().contains("30s"));
        assert!(parse("soon").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn what_is_shown() {
        assert_eq!(show(Duration::from_millis(299_600)), "4m 59s");
        assert_eq!(show(Duration::from_millis(1_500)), "1s 500ms");
        assert_eq!(show_timestamp(Timestamp::from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
        assert!(show_timestamp(Timestamp::from_unix_ms(u64::MAX)).ends_with("ms"));
    }
}
