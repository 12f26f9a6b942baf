//! The records of the comparison: keys like `p07/order:000123` and realistic JSON, from a fixed seed.

use crate::engine::Pair;
use state_tests::seeded::Seeded;

/// Cache given to each engine, in bytes.
pub(crate) const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Records per partition.
pub(crate) const PARTITION: usize = 1_000;

const CITIES: [&str; 8] =
    ["Oslo", "Lisboa", "Kraków", "Nagoya", "Quito", "Tartu", "Accra", "Perth"];
const STATES: [&str; 5] = ["received", "paid", "packed", "shipped", "returned"];

fn pick(seeded: &mut Seeded, of: &[&'static str]) -> &'static str {
    of.get(seeded.below(of.len())).copied().unwrap_or_default()
}

/// The key of a record.
pub(crate) fn key(index: usize) -> Vec<u8> {
    format!("p{:02}/order:{index:06}", index / PARTITION).into_bytes()
}

/// The prefix that all keys of a partition share.
pub(crate) fn prefix(partition: usize) -> Vec<u8> {
    format!("p{partition:02}/").into_bytes()
}

/// JSON of exactly `bytes` bytes (at least 60): an order with as many lines as fit.
pub(crate) fn value(seeded: &mut Seeded, bytes: usize) -> Vec<u8> {
    let mut text = format!(
        r#"{{"id":{},"state":"{}","city":"{}","lines":["#,
        seeded.below(1_000_000),
        pick(seeded, &STATES),
        pick(seeded, &CITIES)
    );
    let mut separator = "";
    loop {
        let line = format!(
            r#"{separator}{{"sku":"{:06x}-{:04x}","qty":{},"cents":{},"at":"2026-{:02}-{:02}T{:02}:{:02}:{:02}Z"}}"#,
            seeded.below(1 << 24),
            seeded.below(1 << 16),
            1 + seeded.below(9),
            seeded.below(99_999),
            1 + seeded.below(12),
            1 + seeded.below(28),
            seeded.below(24),
            seeded.below(60),
            seeded.below(60)
        );
        if text.len() + line.len() + 12 > bytes {
            break;
        }
        text.push_str(&line);
        separator = ",";
    }
    text.push_str(r#"],"note":""#);
    while text.len() + 2 < bytes {
        text.push(char::from(b'a' + u8::try_from(seeded.below(26)).unwrap_or(0)));
    }
    text.push_str("\"}");
    text.into_bytes()
}

/// Pairs `first..first + count` with fresh values.
pub(crate) fn pairs(seeded: &mut Seeded, first: usize, count: usize, bytes: usize) -> Vec<Pair> {
    (first..first + count).map(|index| (key(index), value(seeded, bytes))).collect()
}
