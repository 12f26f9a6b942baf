//! Counting what an instance does, without making its tasks wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use state_core::{Operation, OperationStats, Stats};

/// Threads are spread over this many sets of counters.
const STRIPES: usize = 8;

/// What one call did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Counters of one instance.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    operations: [Line; Operation::ALL.len()],
}

#[derive(Debug, Default)]
struct Line {
    calls: AtomicU64,
    errors: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    /// Counts a call that came back: what it did, or that it failed.
    pub(crate) fn count(&self, operation: Operation, call: Option<Call>) {
        let stripe = self.stripes.get(stripe_of_thread());
        let Some(line) = stripe.and_then(|stripe| stripe.operations.get(operation as usize)) else {
            return;
        };
        let add = |counter: &AtomicU64, by| {
            if by > 0 {
                counter.fetch_add(by, Ordering::Relaxed);
            }
        };
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
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::new(Operation::ALL.into_iter().map(|operation| {
            let mut sum = OperationStats::default();
            let lines =
                self.stripes.iter().filter_map(|stripe| stripe.operations.get(operation as usize));
            for line in lines {
                sum.calls += line.calls.load(Ordering::Relaxed);
                sum.errors += line.errors.load(Ordering::Relaxed);
                sum.hits += line.hits.load(Ordering::Relaxed);
                sum.misses += line.misses.load(Ordering::Relaxed);
                sum.bytes_in += line.bytes_in.load(Ordering::Relaxed);
                sum.bytes_out += line.bytes_out.load(Ordering::Relaxed);
            }
            (operation, sum)
        }))
    }
}

fn stripe_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
    }
    STRIPE.with(Cell::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_add_up() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let call = Call { hits: 1, bytes_out: 5, ..Call::default() };
                    counters.count(Operation::Get, Some(call));
                    counters.count(Operation::Get, None);
                });
            }
        });
        let stats = counters.stats();
        let get = stats.of(Operation::Get);
        assert_eq!((get.calls, get.errors, get.hits, get.bytes_out), (20, 10, 10, 50));
        assert_eq!(stats.operations.len(), 1);
    }
}
