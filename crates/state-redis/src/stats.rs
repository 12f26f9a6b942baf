//! Counting what a backend does, and how long it takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use state_core::{LatencySummary, Operation, OperationStats, Stats};

use crate::client::Tally;

/// The longest time that histograms tell apart from longer ones, in microseconds: a minute.
const LATENCY_MAX_US: u64 = 60_000_000;

/// What one call did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// So many threads count without meeting each other.
const SHARES: usize = 8;

/// Counters of one backend: a share for each of some threads, so that they do not wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shares: [Share; SHARES],
}

/// One line per operation, each behind a lock of its own that is held for some additions.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Share {
    lines: [Mutex<Line>; Operation::ALL.len()],
}

#[derive(Debug, Default)]
struct Line {
    stats: OperationStats,
    latency_us: Option<Histogram<u64>>,
}

/// Gives each thread a number, and with it a share.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// Counts a call that came back: how long all of it took, and what it did, unless it failed.
    pub(crate) fn count(&self, operation: Operation, took: Duration, call: Option<Call>) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).clamp(1, LATENCY_MAX_US);
        self.with(operation, |line| {
            line.stats.calls += 1;
            line.stats.errors += u64::from(call.is_none());
            let call = call.unwrap_or_default();
            line.stats.hits += call.hits;
            line.stats.misses += call.misses;
            line.stats.bytes_in += call.bytes_in;
            line.stats.bytes_out += call.bytes_out;
            if line.latency_us.is_none() {
                line.latency_us = Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).ok();
            }
            if let Some(histogram) = &mut line.latency_us {
                histogram.saturating_record(us);
            }
        });
    }

    /// Counts what was sent for a call.
    pub(crate) fn sent(&self, operation: Operation, tally: Tally) {
        self.with(operation, |line| {
            line.stats.commands += tally.commands;
            line.stats.pipelines += tally.pipelines;
            line.stats.retries += tally.retries;
        });
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::new(Operation::ALL.into_iter().map(|operation| (operation, self.sum(operation))))
    }

    /// What all shares have counted.
    fn sum(&self, operation: Operation) -> OperationStats {
        let mut sum = OperationStats::default();
        let mut latency_us: Option<Histogram<u64>> = None;
        for line in self.shares.iter().filter_map(|share| share.lines.get(operation as usize)) {
            let line = line.lock();
            sum.add(&line.stats);
            match (&mut latency_us, &line.latency_us) {
                // All have the same bounds, so none of it is left out.
                (Some(all), Some(more)) => drop(all.add(more)),
                (all @ None, more) => all.clone_from(more),
                (Some(_), None) => {}
            }
        }
        sum.latency = latency_us.map(|histogram| {
            let mut summary = LatencySummary::default();
            summary.count = histogram.len();
            summary.mean_us = histogram.mean();
            summary.p50_us = histogram.value_at_quantile(0.5);
            summary.p99_us = histogram.value_at_quantile(0.99);
            summary
        });
        sum
    }

    fn with(&self, operation: Operation, work: impl FnOnce(&mut Line)) {
        // A thread that ends has no number any more.
        let thread = THREAD.try_with(|number| *number).unwrap_or_default();
        let share = self.shares.get(thread % SHARES);
        if let Some(line) = share.and_then(|share| share.lines.get(operation as usize)) {
            work(&mut line.lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_latencies_and_retries_add_up() {
        let counters = Counters::default();
        let us = Duration::from_micros;
        counters.count(Operation::Get, us(100), Some(Call { hits: 1, ..Call::default() }));
        counters.sent(Operation::Get, Tally { commands: 1, pipelines: 0, retries: 0 });
        counters.sent(Operation::Get, Tally { commands: 3, pipelines: 1, retries: 3 });
        counters.count(Operation::Get, us(300), None);
        let stats = counters.stats();
        let get = stats.of(Operation::Get);
        assert_eq!((get.calls, get.errors, get.retries, get.hits), (2, 1, 3, 1));
        assert_eq!((get.commands, get.pipelines), (4, 1));
        let latency = get.latency.unwrap();
        assert_eq!(latency.count, 2);
        assert!((199.0..=202.0).contains(&latency.mean_us), "{latency:?}");
    }

    #[test]
    fn what_many_threads_have_counted_is_added_up() {
        let counters = Counters::default();
        let call = Call { hits: 1, misses: 2, bytes_in: 3, bytes_out: 4 };
        std::thread::scope(|scope| {
            for number in 1..=20 {
                let counters = &counters;
                scope.spawn(move || {
                    counters.count(Operation::Put, Duration::from_micros(number), Some(call));
                    counters.sent(Operation::Put, Tally { commands: 5, pipelines: 6, retries: 7 });
                });
            }
        });
        let stats = counters.stats();
        let put = stats.of(Operation::Put);
        assert_eq!(
            (put.calls, put.hits, put.misses, put.bytes_in, put.bytes_out),
            (20, 20, 40, 60, 80)
        );
        assert_eq!((put.commands, put.pipelines, put.retries), (100, 120, 140));
        let latency = put.latency.unwrap();
        assert_eq!((latency.count, latency.p50_us), (20, 10));
        assert_eq!(stats.of(Operation::Get).calls, 0);
    }
}
