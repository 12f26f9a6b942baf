//! The memory store against a mutex around a `BTreeMap`.

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
    keys: Vec<Bytes>,
    map: Mutex<BTreeMap<Bytes, Bytes>>,
}

impl Side for Plain {
    async fn get(&self, index: usize) -> Outcome<usize> {
        let key = self.keys.get(index).ok_or("no key")?;
        Ok(self.map.lock().get(key).cloned().map_or(0, |value| value.len()))
    }

    async fn put(&self, index: usize, value: Bytes) -> Outcome<()> {
        let key = self.keys.get(index).ok_or("no key")?;
        self.map.lock().insert(key.clone(), value);
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
    let names: Vec<Bytes> = (0..KEYS).map(|i| Bytes::from(format!("user:{i:06}"))).collect();
    let plain = Plain { keys: names.clone(), map: Mutex::new(BTreeMap::new()) };
    let keys = names.into_iter().map(Key::from).collect();
    let store = Store { keys, backend: Arc::new(MemoryBackend::new()) };
    let (rounds, calls) = if quick { (5, 100_000) } else { (15, 500_000) };
    let mut figures = Vec::new();
    for (case, value_bytes) in [("100 B", 100), ("1 KiB", 1_024)] {
        let value = Bytes::from(vec![b'v'; value_bytes]);
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let put = (run(&store, calls, Some(&value))?, run(&plain, calls, Some(&value))?);
            puts.push(put);
            gets.push((run(&store, calls, None)?, run(&plain, calls, None)?));
        }
        for (name, rounds) in [("get", gets), ("put", puts)] {
            let case = format!("memory {name} {case}, {THREADS} threads");
            let figure = Figure::rates(case, "calls/s", "mutex around BTreeMap", &rounds);
            figures.push(figure.with_goal(0.7));
        }
    }
    Ok(figures)
}

/// Calls per second of all threads together; puts when there is a value, else gets.
fn run<S: Side>(side: &S, calls: usize, value: Option<&Bytes>) -> Outcome<f64> {
    let barrier = Barrier::new(THREADS);
    let worker = |seed: usize| -> Outcome<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        barrier.wait();
        let (took, ()) = timed(|| {
            runtime.block_on(async {
                let mut index = seed;
                for _ in 0..calls {
                    index = (index * 48_271 + 11) % KEYS;
                    match value {
                        Some(value) => side.put(index, value.clone()).await?,
                        None => drop(std::hint::black_box(side.get(index).await?)),
                    }
                }
                Ok(())
            })
        })?;
        Ok(took)
    };
    let slowest = std::thread::scope(|scope| -> Outcome<Duration> {
        let handles: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || worker(i + 1))).collect();
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
