//! The memory store against a mutex around a `BTreeMap`.
//!
//! Both sides hold their keys ready, get each value as bytes of its own, and find each of the
//! keys as likely as any other. The plain side is written with care: what can be done outside of
//! its lock is, which is the copy of the key and the drop of the old value.
//!
//! Two threads and one mutex meet now more and now less often, for many calls on end. So rounds
//! are short and many, and the sides take turns in going first.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use state_core::{GetOptions, Key, PutOptions, StateBackend};
use state_local::MemoryBackend;
use state_tests::bench::{Figure, Outcome, timed};

const KEYS: usize = 10_000;
const THREADS: usize = 2;

/// One side: reads or writes the key with this index.
trait Side: Sync {
    fn get(&self, index: usize) -> impl Future<Output = Outcome<usize>>;
    fn put(&self, index: usize, value: Bytes) -> impl Future<Output = Outcome<()>>;
}

struct Plain {
    keys: Vec<String>,
    map: Mutex<BTreeMap<String, Bytes>>,
}

impl Side for Plain {
    async fn get(&self, index: usize) -> Outcome<usize> {
        let key = self.keys.get(index).ok_or("no key")?;
        Ok(self.map.lock().get(key).cloned().map_or(0, |value| value.len()))
    }

    async fn put(&self, index: usize, value: Bytes) -> Outcome<()> {
        let key = self.keys.get(index).ok_or("no key")?;
        let key = key.clone();
        let old = self.map.lock().insert(key, value);
        drop(old);
        Ok(())
    }
}

struct Store {
    keys: Vec<Key>,
    backend: Arc<dyn StateBackend>,
}

impl Side for Store {
    async fn get(&self, index: usize) -> Outcome<usize> {
        let key = self.keys.get(index).ok_or("no key")?;
        let entry = self.backend.get_opts(key, GetOptions::new()).await?;
        Ok(entry.map_or(0, |entry| entry.value.len()))
    }

    async fn put(&self, index: usize, value: Bytes) -> Outcome<()> {
        let key = self.keys.get(index).ok_or("no key")?;
        self.backend.put_opts(key, value, PutOptions::new()).await?;
        Ok(())
    }
}

/// Gets and puts at two threads.
pub(crate) fn figures(quick: bool) -> Outcome<Vec<Figure>> {
    let names: Vec<String> = (0..KEYS).map(|i| format!("user:{i:06}")).collect();
    let keys = names.iter().map(Key::from).collect();
    let plain = Plain { keys: names, map: Mutex::new(BTreeMap::new()) };
    let store = Store { keys, backend: Arc::new(MemoryBackend::new()) };
    let (rounds, calls) = if quick { (41, 50_000) } else { (81, 200_000) };
    let mut figures = Vec::new();
    for (case, value_bytes) in [("100 B", 100), ("1 KiB", 1_024)] {
        let value = vec![b'v'; value_bytes];
        fill(&store, &value)?;
        fill(&plain, &value)?;
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            puts.push(pair(&store, &plain, round, calls, Some(&value))?);
            gets.push(pair(&store, &plain, round, calls, None)?);
        }
        for (name, rounds) in [("get", gets), ("put", puts)] {
            let case = format!("memory {name} {case}, {THREADS} threads");
            let figure = Figure::rates(case, "calls/s", "mutex around BTreeMap", &rounds);
            figures.push(figure.with_goal(0.7));
        }
    }
    Ok(figures)
}

fn fill<S: Side>(side: &S, value: &[u8]) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        for index in 0..KEYS {
            side.put(index, Bytes::copy_from_slice(value)).await?;
        }
        Ok(())
    })
}

/// The rates of both sides, one right after the other.
fn pair(
    store: &Store,
    plain: &Plain,
    round: usize,
    calls: usize,
    value: Option<&[u8]>,
) -> Outcome<(f64, f64)> {
    if round.is_multiple_of(2) {
        let ours = run(store, calls, value)?;
        Ok((ours, run(plain, calls, value)?))
    } else {
        let theirs = run(plain, calls, value)?;
        Ok((run(store, calls, value)?, theirs))
    }
}

/// Indexes of keys without an end, each as likely as any other, the same ones for the same seed.
fn indexes(seed: u64) -> impl Iterator<Item = usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize % KEYS
    })
}

/// Calls per second of all threads together; puts when there is a value, else gets.
fn run<S: Side>(side: &S, calls: usize, value: Option<&[u8]>) -> Outcome<f64> {
    let barrier = Barrier::new(THREADS);
    let worker = |seed: u64| -> Outcome<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        barrier.wait();
        let (took, ()) = timed(|| {
            runtime.block_on(async {
                for index in indexes(seed).take(calls) {
                    match value {
                        Some(value) => side.put(index, Bytes::copy_from_slice(value)).await?,
                        None => drop(std::hint::black_box(side.get(index).await?)),
                    }
                }
                Ok(())
            })
        })?;
        Ok(took)
    };
    let slowest = std::thread::scope(|scope| -> Outcome<Duration> {
        let handles: Vec<_> =
            (1..=THREADS as u64).map(|seed| scope.spawn(move || worker(seed))).collect();
        let mut slowest = Duration::ZERO;
        for handle in handles {
            let took = handle.join().map_err(|_| "a worker panicked")??;
            slowest = slowest.max(took);
        }
        Ok(slowest)
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    let total = (calls * THREADS) as f64;
    Ok(total / slowest.as_secs_f64())
}
