//! Counters: decimal numbers that are added to in one atomic step.

use state_core::{Bytes, ErrorKind, IncrementOptions, Key, StateBackendExt};

use crate::Context;
use crate::expect::{present, refused, value_is};

pub(super) async fn creates(cx: Context) {
    assert_eq!(cx.a.increment("five", 5).await.unwrap(), 5);
    value_is(&*cx.b, "five", Some("5")).await;
    assert_eq!(cx.a.increment("zero", 0).await.unwrap(), 0);
    value_is(&*cx.b, "zero", Some("0")).await;
    assert_eq!(cx.a.increment("less", -3).await.unwrap(), -3);
    value_is(&*cx.b, "less", Some("-3")).await;
}

pub(super) async fn adds(cx: Context) {
    for (by, sum) in [(5, 5), (-7, -2), (2, 0), (0, 0), (1_000, 1_000)] {
        let store = if by % 2 == 0 { &cx.a } else { &cx.b };
        assert_eq!(store.increment("n", by).await.unwrap(), sum, "after adding {by}");
    }
}

pub(super) async fn decimal(cx: Context) {
    for (set, by, then) in [("41", 1, "42"), ("-1", 1, "0"), ("9", 1, "10"), ("0", -10, "-10")] {
        cx.a.put("n", set).await.unwrap();
        cx.b.increment("n", by).await.unwrap();
        value_is(&*cx.a, "n", Some(then)).await;
    }
}

pub(super) async fn exact(cx: Context) {
    let big = (1_i64 << 53) + 1;
    for start in [i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1, big, -big] {
        cx.a.delete("n").await.unwrap();
        assert_eq!(cx.a.increment("n", start).await.unwrap(), start);
        let toward_zero = -start.signum();
        let next = start + toward_zero;
        assert_eq!(cx.b.increment("n", toward_zero).await.unwrap(), next, "next to {start}");
        let stored = present(&*cx.a, "n").await.value;
        assert_eq!(stored, next.to_string(), "the stored number");
    }
}

pub(super) async fn overflow(cx: Context) {
    for (start, by) in [
        (i64::MAX, 1),
        (i64::MIN, -1),
        (1, i64::MAX),
        (-2, i64::MIN + 1),
        (i64::MAX, i64::MAX),
        (i64::MIN, i64::MIN),
    ] {
        let before = cx.a.put("n", start.to_string()).await.unwrap();
        refused(cx.b.increment("n", by).await, ErrorKind::Invalid, &format!("{start} + {by}"));
        let after = present(&*cx.a, "n").await;
        assert_eq!(after.value, start.to_string(), "the value after {start} + {by}");
        assert_eq!(after.version, before.version, "the version after {start} + {by}");
    }
}

/// What some parsers take for a number.
const NO_NUMBERS: &[&str] = &[
    "",
    " ",
    "-",
    "+",
    "five",
    "+5",
    "007",
    "00",
    "-0",
    "-01",
    " 5",
    "5 ",
    "5\n",
    "5\0",
    "--5",
    "0x10",
    "1e3",
    "1.0",
    "1_000",
    "1,000",
    "inf",
    "NaN",
    "٣",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999999999",
];

pub(super) async fn not_a_number(cx: Context) {
    for value in NO_NUMBERS.iter().map(|text| text.as_bytes()).chain([b"\xff5".as_slice()]) {
        let before = cx.a.put("n", Bytes::copy_from_slice(value)).await.unwrap();
        let shown = format!("adding to `{}`", value.escape_ascii());
        refused(cx.b.increment("n", 1).await, ErrorKind::Invalid, &shown);
        refused(cx.b.increment("n", 0).await, ErrorKind::Invalid, &shown);
        let after = present(&*cx.a, "n").await;
        assert_eq!(after.value, value, "{shown}");
        assert_eq!(after.version, before.version, "{shown}");
    }
}

pub(super) async fn version(cx: Context) {
    let key = Key::from("n");
    let mut last = cx.a.put("n", "1").await.unwrap().version;
    for by in [1, 0, -1] {
        let counted = cx.a.increment_opts(&key, by, IncrementOptions::new()).await.unwrap();
        assert_ne!(counted.version, last, "adding {by} kept the version");
        assert_eq!(present(&*cx.b, "n").await.version, counted.version, "after adding {by}");
        last = counted.version;
    }
}
