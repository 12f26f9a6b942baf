//! How long calls took, counted by many threads at once: exact up to 255 µs, and to one part in 128 beyond.

use std::sync::atomic::{AtomicU64, Ordering};

use state_core::LatencySummary;

/// The longest time that is told apart from longer ones, in microseconds: a minute.
const MAX_US: u32 = 60_000_000;
/// Below this each microsecond has a bucket of its own; beyond, each doubling has half as many.
const EXACT: u32 = 256;
const BUCKETS: usize = bucket(MAX_US) + 1;

/// Counts by buckets of times.
#[derive(Debug)]
pub(super) struct Latencies {
    buckets: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

/// What several of them have counted.
#[derive(Debug)]
pub(super) struct Added {
    buckets: Vec<u64>,
    sum_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let buckets = std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect();
        Self { buckets, sum_us: AtomicU64::default() }
    }
}

impl Latencies {
    pub(super) fn record(&self, us: u64) {
        let us = u32::try_from(us).unwrap_or(MAX_US).min(MAX_US);
        if let Some(count) = self.buckets.get(bucket(us)) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum_us.fetch_add(us.into(), Ordering::Relaxed);
        }
    }
}

impl Default for Added {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], sum_us: 0 }
    }
}

impl Added {
    pub(super) fn add(&mut self, more: &Latencies) {
        for (sum, count) in self.buckets.iter_mut().zip(&more.buckets) {
            *sum += count.load(Ordering::Relaxed);
        }
        self.sum_us += more.sum_us.load(Ordering::Relaxed);
    }

    pub(super) fn summary(&self) -> Option<LatencySummary> {
        let count: u64 = self.buckets.iter().sum();
        if count == 0 {
            return None;
        }
        let mut summary = LatencySummary::default();
        summary.count = count;
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 52 bits")]
        {
            summary.mean_us = self.sum_us as f64 / count as f64;
        }
        summary.p50_us = self.quantile(count.div_ceil(2));
        summary.p99_us = self.quantile(count - count / 100);
        Some(summary)
    }

    /// The time within which so many of the calls came back.
    fn quantile(&self, calls: u64) -> u64 {
        let mut counted = 0;
        let reached = self.buckets.iter().position(|count| {
            counted += count;
            counted >= calls
        });
        reached.map_or(MAX_US.into(), longest)
    }
}

/// The bucket of a time.
const fn bucket(us: u32) -> usize {
    if us < EXACT {
        return us as usize;
    }
    let doublings = us.ilog2() - EXACT.ilog2() + 1;
    let place = (us >> doublings) - EXACT / 2;
    (EXACT + (doublings - 1) * (EXACT / 2) + place) as usize
}

/// The longest time of a bucket.
fn longest(bucket: usize) -> u64 {
    let (bucket, exact) = (bucket as u64, u64::from(EXACT));
    if bucket < exact {
        return bucket;
    }
    let (doublings, place) = ((bucket - exact) / (exact / 2) + 1, (bucket - exact) % (exact / 2));
    ((place + exact / 2 + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_one_part_in_128() {
        let mut us = 0;
        while us <= MAX_US {
            let (time, longest) = (u64::from(us), longest(bucket(us)));
            assert!(longest >= time && longest - time <= time / 128, "{us}: {longest}");
            us += 1 + us / 100;
        }
        let next = u32::try_from(longest(BUCKETS - 2) + 1).unwrap();
        assert_eq!(bucket(next), BUCKETS - 1, "no bucket is left out");
    }

    #[test]
    fn quantiles_are_those_of_all_that_was_counted() {
        let (one, other) = (Latencies::default(), Latencies::default());
        for us in 1..=100 {
            if us % 2 == 0 { &one } else { &other }.record(us);
        }
        let mut added = Added::default();
        assert_eq!(added.summary(), None);
        added.add(&one);
        added.add(&other);
        let summary = added.summary().unwrap();
        assert_eq!((summary.count, summary.p50_us, summary.p99_us), (100, 50, 99));
        assert!((summary.mean_us - 50.5).abs() < 0.01, "{summary:?}");
        one.record(u64::MAX);
        let mut added = Added::default();
        added.add(&one);
        assert!(added.summary().unwrap().p99_us >= MAX_US.into());
    }
}
