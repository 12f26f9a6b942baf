//! How many repetitions all calls together may make.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long the least rate is saved up.
const SAVED_S: u64 = 10;
/// The share of how many calls is saved up.
const SAVED_CALLS: u64 = 1_000;
/// One token.
const TOKEN: u64 = 1_000;

/// A bucket of tokens: each call puts in a fraction of one, time puts in some, and each repetition
/// takes one out. It starts full.
///
/// When every try fails, requests grow by that fraction and not by the number of retries.
#[derive(Debug)]
pub(super) struct Budget {
    /// In thousandths of a token, as everything here.
    tokens: AtomicU64,
    most: u64,
    per_call: u64,
    per_s: u64,
    /// Up to when time has put in tokens, in milliseconds of the monotonic clock.
    filled_to_ms: AtomicU64,
}

impl Budget {
    /// `percent` of the calls and `min_per_s` per second may be repetitions.
    pub(super) fn new(percent: u32, min_per_s: u32, now: Duration) -> Self {
        let per_call = u64::from(percent) * TOKEN / 100;
        let per_s = u64::from(min_per_s) * TOKEN;
        let most = per_call * SAVED_CALLS + per_s * SAVED_S;
        Self {
            tokens: AtomicU64::new(most),
            most,
            per_call,
            per_s,
            filled_to_ms: AtomicU64::new(whole_ms(now)),
        }
    }

    /// Counts a call. Costs one load while the bucket is full.
    pub(super) fn deposit(&self) {
        self.add(self.per_call);
    }

    /// Takes a token for one repetition, where there is one.
    pub(super) fn withdraw(&self, now: Duration) -> bool {
        let now_ms = whole_ms(now);
        let before_ms = self.filled_to_ms.fetch_max(now_ms, Ordering::Relaxed);
        self.add(now_ms.saturating_sub(before_ms).saturating_mul(self.per_s) / 1_000);
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(TOKEN))
            .is_ok()
    }

    fn add(&self, tokens: u64) {
        if self.tokens.load(Ordering::Relaxed) >= self.most {
            return;
        }
        // Nothing else is ordered by this number, and the closure never declines.
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            Some(now.saturating_add(tokens).min(self.most))
        });
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(budget: &Budget, now: Duration) -> u32 {
        (0..1_000_000).take_while(|_| budget.withdraw(now)).map(|_| 1).sum()
    }

    #[test]
    fn it_starts_full_and_ends() {
        assert_eq!(drain(&Budget::new(10, 10, Duration::ZERO), Duration::ZERO), 200);
        assert_eq!(drain(&Budget::new(0, 1, Duration::ZERO), Duration::ZERO), 10);
        assert_eq!(drain(&Budget::new(0, 0, Duration::ZERO), Duration::from_secs(60)), 0);
    }

    #[test]
    fn calls_and_time_fill_it_up_to_its_size() {
        let budget = Budget::new(10, 10, Duration::ZERO);
        drain(&budget, Duration::ZERO);
        for _ in 0..95 {
            budget.deposit();
        }
        assert_eq!(drain(&budget, Duration::ZERO), 9, "a tenth of the calls");
        let mut now = Duration::from_secs(2);
        assert_eq!(drain(&budget, now), 20, "ten per second");
        now += Duration::from_secs(3_600);
        assert_eq!(drain(&budget, now), 200, "never more than its size");
        // A clock read by another task a little earlier takes nothing away and adds nothing.
        assert_eq!(drain(&budget, Duration::from_secs(60)), 0);
    }
}
