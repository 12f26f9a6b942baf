//! Counting what a backend does, and how long it takes.

mod latency;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use state_core::{Operation, OperationStats, Stats};

use crate::client::Tally;
use latency::{Added, Latencies};

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

/// Counters of one backend: a share for each of some threads, so that they do not slow each other down.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shares: [Share; SHARES],
}

/// One line per operation. Nobody waits: threads of one share add at the same time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Share {
    lines: [Line; Operation::ALL.len()],
}

#[derive(Debug, Default)]
struct Line {
    calls: AtomicU64,
    errors: AtomicU64,
    retries: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    commands: AtomicU64,
    pipelines: AtomicU64,
    /// Of operations that were called.
    latencies: OnceLock<Latencies>,
}

/// Gives each thread a number, and with it a share.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// Counts a call that came back: how long all of it took, and what it did, unless it failed.
    pub(crate) fn count(&self, operation: Operation, took: Duration, call: Option<Call>) {
        let Some(line) = self.line(operation) else { return };
        add(&line.calls, 1);
        match call {
            None => add(&line.errors, 1),
            Some(call) => {
                add(&line.hits, call.hits);
                add(&line.misses, call.misses);
                add(&line.bytes_in, call.bytes_in);
                add(&line.bytes_out, call.bytes_out);
            }
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        line.latencies.get_or_init(Latencies::default).record(us);
    }

    /// Counts what was sent for a call.
    pub(crate) fn sent(&self, operation: Operation, tally: Tally) {
        let Some(line) = self.line(operation) else { return };
        add(&line.commands, tally.commands);
        add(&line.pipelines, tally.pipelines);
        add(&line.retries, tally.retries);
    }

    /// Counts what a stream has told since its call came back.
    pub(crate) fn told(&self, operation: Operation, bytes_out: u64) {
        if let Some(line) = self.line(operation) {
            add(&line.bytes_out, bytes_out);
        }
    }

    /// Counts a stream that has failed since its call came back.
    pub(crate) fn failed(&self, operation: Operation) {
        if let Some(line) = self.line(operation) {
            add(&line.errors, 1);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::new(Operation::ALL.into_iter().map(|operation| (operation, self.sum(operation))))
    }

    /// What all shares have counted.
    fn sum(&self, operation: Operation) -> OperationStats {
        let mut sum = OperationStats::default();
        let mut latencies = Added::default();
        for line in self.shares.iter().filter_map(|share| share.lines.get(operation as usize)) {
            for (sum, counter) in [
                (&mut sum.calls, &line.calls),
                (&mut sum.errors, &line.errors),
                (&mut sum.retries, &line.retries),
                (&mut sum.hits, &line.hits),
                (&mut sum.misses, &line.misses),
                (&mut sum.bytes_in, &line.bytes_in),
                (&mut sum.bytes_out, &line.bytes_out),
                (&mut sum.commands, &line.commands),
                (&mut sum.pipelines, &line.pipelines),
            ] {
                *sum += counter.load(Ordering::Relaxed);
            }
            if let Some(more) = line.latencies.get() {
                latencies.add(more);
            }
        }
        sum.latency = latencies.summary();
        sum
    }

    fn line(&self, operation: Operation) -> Option<&Line> {
        // A thread that ends has no number any more.
        let thread = THREAD.try_with(|number| *number).unwrap_or_default();
        self.shares.get(thread % SHARES)?.lines.get(operation as usize)
    }
}

fn add(counter: &AtomicU64, by: u64) {
    if by > 0 {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(commands: u64, pipelines: u64, retries: u64) -> Tally {
        Tally { commands, pipelines, retries, gave_up: None }
    }

    #[test]
    fn calls_latencies_and_retries_add_up() {
        let counters = Counters::default();
        let us = Duration::from_micros;
        counters.count(Operation::Get, us(100), Some(Call { hits: 1, ..Call::default() }));
        counters.sent(Operation::Get, sent(1, 0, 0));
        counters.sent(Operation::Get, sent(3, 1, 3));
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
                    counters.sent(Operation::Put, sent(5, 6, 7));
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
