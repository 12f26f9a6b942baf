//! Writers that note what was acknowledged, and what they were told when it was not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libtest_mimic::Failed;
use parking_lot::Mutex;
use state_core::{
    Acks, Error, ErrorKind, IncrementOptions, Key, OpId, PutOptions, StateBackend, StateBackendExt,
};
use state_redis::RedisBackend;
use tokio::task::JoinHandle;

use crate::redis_stage::{shared, until_so};

const WRITERS: u8 = 8;

/// What a caller may be told while servers fail: `docs/guides/errors-and-retries.md`.
const DOCUMENTED: [ErrorKind; 4] =
    [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Overloaded, ErrorKind::Unacknowledged];

/// Eight tasks that write all the time.
#[derive(Debug)]
pub(super) struct Load {
    notes: Arc<Notes>,
    writers: Vec<JoinHandle<Result<(), Error>>>,
}

#[derive(Debug, Default)]
struct Notes {
    stop: AtomicBool,
    /// How many writes of each writer were acknowledged.
    acknowledged: [AtomicU64; WRITERS as usize],
    keys: Mutex<Vec<String>>,
    /// The highest acknowledged sum of each writer's counter.
    sums: Mutex<BTreeMap<u8, i64>>,
    told: Mutex<BTreeMap<&'static str, u64>>,
}

impl Load {
    /// Begins to write with these acknowledgements.
    pub(super) fn begin(store: &RedisBackend, acks: Acks) -> Self {
        let notes = Arc::new(Notes::default());
        let writers = (0..WRITERS).map(|writer| {
            let (store, notes) = (shared(store), Arc::clone(&notes));
            tokio::spawn(async move { write(&*store, &notes, writer, acks).await })
        });
        Self { writers: writers.collect(), notes }
    }

    /// Waits until every writer has been acknowledged `more` writes from now on.
    pub(super) async fn goes_on(&self, more: u64) -> Result<(), Failed> {
        let before: Vec<u64> = self.acknowledged().collect();
        let grown = || {
            let pairs = || self.acknowledged().zip(&before);
            pairs().all(|(now, before)| now >= before + more) || self.has_failed()
        };
        until_so("every writer goes on", grown).await.map_err(|error| {
            let told = format!("{}; told: {:?}", error.message().unwrap_or_default(), self.told());
            Failed::from(told)
        })
    }

    /// Ends the load. What the writers were told, by kind.
    pub(super) async fn end(&mut self) -> Result<BTreeMap<&'static str, u64>, Failed> {
        self.notes.stop.store(true, Ordering::SeqCst);
        for writer in self.writers.drain(..) {
            writer.await??;
        }
        Ok(self.told())
    }

    /// The keys of acknowledged writes that are not there, and counters that went back.
    pub(super) async fn lost(&self, store: &RedisBackend) -> Result<Vec<String>, Failed> {
        let keys = self.notes.keys.lock().clone();
        let mut lost = missing(store, &keys).await?;
        let sums = self.notes.sums.lock().clone();
        for (writer, sum) in sums {
            let found = store.increment(counter(writer), 0).await?;
            if found < sum {
                lost.push(format!("{:?}: {found} of {sum}", counter(writer)));
            }
        }
        Ok(lost)
    }

    fn acknowledged(&self) -> impl Iterator<Item = u64> {
        self.notes.acknowledged.iter().map(|count| count.load(Ordering::SeqCst))
    }

    fn told(&self) -> BTreeMap<&'static str, u64> {
        self.notes.told.lock().clone()
    }

    fn has_failed(&self) -> bool {
        self.writers.iter().any(JoinHandle::is_finished)
    }
}

/// Which of these keys are not there.
pub(super) async fn missing(store: &RedisBackend, keys: &[String]) -> Result<Vec<String>, Failed> {
    let mut lost = Vec::new();
    for keys in keys.chunks(500) {
        let found = store.batch_get(keys.to_vec()).await?;
        let pairs = keys.iter().zip(found);
        lost.extend(pairs.filter(|(_, found)| found.is_none()).map(|(key, _)| key.clone()));
    }
    Ok(lost)
}

fn counter(writer: u8) -> Key {
    Key::from(format!("counter:{writer}"))
}

/// Writes until told to stop. Every key is written once, so one that is not there was lost.
async fn write(
    store: &dyn StateBackend,
    notes: &Notes,
    writer: u8,
    acks: Acks,
) -> Result<(), Error> {
    for round in 0_u64.. {
        if notes.stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("written:{writer}:{round}");
        let put = PutOptions::new().with_acks(acks);
        let key = Key::from(name.clone());
        let written = store.put_opts(&key, round.to_string().into(), put).await;
        note(notes, writer, written.map(|_| notes.keys.lock().push(name)))?;
        let mut id = [writer; 16];
        for (place, byte) in id.iter_mut().zip(round.to_be_bytes()) {
            *place = byte;
        }
        let options = IncrementOptions::new().with_acks(acks).with_op_id(OpId::from_bytes(id));
        let added = store.increment_opts(&counter(writer), 1, options).await;
        let sum = |added: state_core::Incremented| {
            notes.sums.lock().insert(writer, added.value);
        };
        note(notes, writer, added.map(sum))?;
        // Whatever the answer, reading must not fail in a way that is not documented.
        note_error(notes, store.get(key).await.map(drop))?;
    }
    Ok(())
}

fn note(notes: &Notes, writer: u8, answer: Result<(), Error>) -> Result<(), Error> {
    if let (true, Some(count)) = (answer.is_ok(), notes.acknowledged.get(usize::from(writer))) {
        count.fetch_add(1, Ordering::SeqCst);
    }
    note_error(notes, answer)
}

/// # Errors
/// The error itself, if it is none that callers are prepared for.
fn note_error(notes: &Notes, answer: Result<(), Error>) -> Result<(), Error> {
    let Err(error) = answer else { return Ok(()) };
    if !DOCUMENTED.contains(&error.kind()) {
        return Err(error);
    }
    *notes.told.lock().entry(error.kind().name()).or_default() += 1;
    Ok(())
}
