//! Growing waits with full jitter.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Waits whose bound doubles from one to the next; each is random between zero and its bound.
///
/// The whole range is random, and not only its upper part, so that clients that failed at the same
/// moment do not come back at the same moment.
pub(crate) struct Backoff {
    bounds: ExponentialBackoff,
    max: Duration,
    random: fn() -> u64,
}

impl Backoff {
    /// Bounds of `base`, twice that, and so on up to `max`, without end.
    pub(crate) fn new(base: Duration, max: Duration) -> Self {
        let bounds = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(base.min(max))
            .with_max_delay(max)
            .without_max_times()
            .build();
        Self { bounds, max, random }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.bounds.next().unwrap_or(self.max).min(self.max);
        full_jitter(bound, (self.random)())
    }

    #[cfg(test)]
    pub(super) fn with_random(mut self, random: fn() -> u64) -> Self {
        self.random = random;
        self
    }
}

impl std::fmt::Debug for Backoff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backoff").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// `bound × random / 2^64`.
fn full_jitter(bound: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let scaled = (u128::from(nanos) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
}

fn random() -> u64 {
    // Without randomness the wait is as long as it may be.
    getrandom::u64().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(25);
    const MAX: Duration = Duration::from_secs(1);

    #[test]
    fn the_bound_doubles_up_to_the_greatest_and_stays() {
        let mut backoff = Backoff::new(BASE, MAX).with_random(|| u64::MAX);
        let waits_ms: Vec<u128> =
            (0..9).map(|_| (backoff.next().as_micros() + 500) / 1_000).collect();
        assert_eq!(waits_ms, [25, 50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
        let mut none = Backoff::new(BASE, MAX).with_random(|| 0);
        assert_eq!(none.next(), Duration::ZERO);
    }

    #[test]
    fn waits_fill_the_whole_range() {
        let mut below_half = 0;
        for _ in 0..1_000 {
            let wait = Backoff::new(MAX, MAX).next();
            assert!(wait < MAX);
            below_half += u32::from(wait < MAX / 2);
        }
        // A fair coin stays within these bounds but for one run in 10^20.
        assert!((350..650).contains(&below_half), "{below_half}");
    }

    #[test]
    fn a_base_over_the_greatest_wait_is_the_greatest() {
        let mut backoff = Backoff::new(MAX, BASE).with_random(|| u64::MAX);
        assert!(backoff.next() <= BASE);
        assert!(full_jitter(Duration::MAX, u64::MAX) > MAX);
    }
}
