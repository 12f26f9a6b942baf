//! Counting what an instance does, without making its tasks wait for each other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use state_core::{Operation, OperationStats, Stats};

/// This many threads count on their own at a time; all others share a stripe.
const OWNERS: usize = u64::BITS as usize;

/// What one call did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Counters of one instance: a stripe for each thread that has counted.
#[derive(Debug)]
pub(crate) struct Counters {
    owned: [OnceLock<Box<Stripe>>; OWNERS],
    shared: OnceLock<Box<Stripe>>,
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

impl Default for Counters {
    fn default() -> Self {
        Self { owned: [const { OnceLock::new() }; OWNERS], shared: OnceLock::new() }
    }
}

impl Counters {
    /// Counts a call that came back: what it did, or that it failed.
    #[inline]
    pub(crate) fn count(&self, operation: Operation, call: Option<Call>) {
        // Nobody else writes to a stripe that this thread owns: no step must be atomic.
        let own = OWN.try_with(|own| own.0).ok().flatten().and_then(|index| self.owned.get(index));
        if let Some(stripe) = own {
            count(stripe, operation, call, |counter, by| {
                counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
            });
        } else {
            count(&self.shared, operation, call, |counter, by| {
                counter.fetch_add(by, Ordering::Relaxed);
            });
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let stripes = self.owned.iter().chain([&self.shared]).filter_map(OnceLock::get);
        Stats::new(Operation::ALL.into_iter().map(|operation| {
            let mut sum = OperationStats::default();
            let lines =
                stripes.clone().filter_map(|stripe| stripe.operations.get(operation as usize));
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

#[inline]
fn count(
    stripe: &OnceLock<Box<Stripe>>,
    operation: Operation,
    call: Option<Call>,
    add: impl Fn(&AtomicU64, u64),
) {
    let stripe = stripe.get_or_init(Box::default);
    let Some(line) = stripe.operations.get(operation as usize) else { return };
    add(&line.calls, 1);
    match call {
        None => add(&line.errors, 1),
        Some(call) => {
            for (counter, by) in [
                (&line.hits, call.hits),
                (&line.misses, call.misses),
                (&line.bytes_in, call.bytes_in),
                (&line.bytes_out, call.bytes_out),
            ] {
                if by > 0 {
                    add(counter, by);
                }
            }
        }
    }
}

thread_local! {
    static OWN: Own = Own::take();
}

/// The stripe that belongs to a thread as long as it lives, in every instance.
struct Own(Option<usize>);

/// A bit for each stripe that a thread owns. The thread that takes a stripe over sees all that
/// the one before has counted: it reads the bit that the other has given back.
static TAKEN: AtomicU64 = AtomicU64::new(0);

impl Own {
    fn take() -> Self {
        let free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let taken = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, free);
        Self(taken.ok().map(|taken| taken.trailing_ones() as usize))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(index) = self.0 {
            TAKEN.fetch_and(!(1 << index), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// More threads than can count on their own, twice, so that stripes change hands.
    #[test]
    fn counts_of_all_threads_add_up() {
        const THREADS: usize = OWNERS + 10;
        let counters = Counters::default();
        for _ in 0..2 {
            let together = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        counters.count(Operation::Get, None);
                        together.wait();
                        for _ in 0..100 {
                            let call = Call { hits: 1, bytes_out: 5, ..Call::default() };
                            counters.count(Operation::Get, Some(call));
                        }
                        together.wait();
                    });
                }
            });
        }
        assert!(counters.shared.get().is_some(), "all threads had stripes of their own");
        let stats = counters.stats();
        let (get, threads) = (stats.of(Operation::Get), 2 * THREADS as u64);
        assert_eq!(
            (get.calls, get.errors, get.hits, get.bytes_out),
            (threads * 101, threads, threads * 100, threads * 500)
        );
        assert_eq!(stats.operations.len(), 1);
    }
}
