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

/// A duration for people: its two greatest units, and fractions of a second only under 10 s.
pub(crate) fn show(duration: Duration) -> String {
    let (seconds, ms) = (duration.as_secs(), u64::from(duration.subsec_millis()));
    let days = seconds / 86_400;
    let parts = [
        (days, if days == 1 { " day" } else { " days" }),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (if seconds < 10 { ms } else { 0 }, "ms"),
    ];
    let greatest = parts.iter().position(|(number, _)| *number > 0);
    let shown = parts.iter().skip(greatest.unwrap_or(parts.len() - 1)).take(2);
    let shown = shown.filter(|(number, _)| greatest.is_none() || *number > 0);
    shown.map(|(number, unit)| format!("{number}{unit}")).collect::<Vec<_>>().join(" ")
}

/// A point in time as RFC 3339 in UTC, with milliseconds.
pub(crate) fn show_timestamp(timestamp: Timestamp) -> String {
    show_time(timestamp, |time| humantime::format_rfc3339_millis(time).to_string())
}

/// The same in whole seconds, for tables.
pub(crate) fn show_second(timestamp: Timestamp) -> String {
    show_time(timestamp, |time| humantime::format_rfc3339_seconds(time).to_string())
}

fn show_time(timestamp: Timestamp, show: impl FnOnce(SystemTime) -> String) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(timestamp.unix_ms()));
    // Not from the year 10000 on, which it cannot show.
    let time = time.filter(|_| timestamp.unix_ms() < 253_402_300_800_000);
    time.map_or_else(|| timestamp.to_string(), show)
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
        for (ms, shown) in [
            (0, "0ms"),
            (7, "7ms"),
            (1_500, "1s 500ms"),
            (12_345, "12s"),
            (299_600, "4m 59s"),
            (3_600_000, "1h"),
            (86_399_999, "23h 59m"),
            (86_400_000, "1 day"),
            (29 * 86_400_000 + 86_340_000, "29 days 23h"),
            (400 * 86_400_000, "400 days"),
        ] {
            assert_eq!(show(Duration::from_millis(ms)), shown);
            assert!(parse(shown).is_ok(), "{shown}");
        }
        assert_eq!(show_timestamp(Timestamp::from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(show_second(Timestamp::from_unix_ms(1_999)), "1970-01-01T00:00:01Z");
        assert!(show_timestamp(Timestamp::from_unix_ms(u64::MAX)).ends_with("ms"));
    }
}
