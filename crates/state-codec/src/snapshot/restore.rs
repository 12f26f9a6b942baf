//! Restoring a snapshot file into a backend: verified whole, then applied.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream;
use state_core::{
    Capability, Clock, Error, ErrorKind, Limits, Outcome, RestoreOptions, RestoreReport, Result,
    SnapshotRecord, StateBackend, StateBackendExt, Timestamp,
};

use super::ledger::Ledger;
use super::reader::{self, SnapshotReader};
use super::{SnapshotProgress, SnapshotSource, SnapshotStage, SnapshotSummary, io_error};
use crate::options::with_methods;

/// How a snapshot file is restored.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RestoreFileOptions {
    /// Merge or replace, and where to resume. Default: merge, from the beginning.
    pub restore: RestoreOptions,
    /// Says which records have expired by now, and which lifetimes are too long. It also stands
    /// for the time of day of `restore`.
    pub clock: Arc<dyn Clock>,
}

impl RestoreFileOptions {
    /// Merges into what is there, by the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { restore: RestoreOptions::default(), clock }
    }
}

with_methods!(RestoreFileOptions {
    /// Sets merge or replace, and where to resume.
    with_restore => restore: RestoreOptions,
});

/// Restores a snapshot file into `backend`: reads all of it first and changes nothing, then
/// reads it again and applies it. Deadlines are absolute, versions are fresh.
///
/// The first reading also makes sure that the backend can hold every record: its size, hashes at
/// all, and its lifetime, unless that has ended. Records whose lifetime has ended are left out and
/// counted. Reading blocks for one block at a time, so call it where blocking is allowed; memory
/// holds one block and one batch of the backend. What can be read only once goes through a
/// [`Spool`](super::Spool).
///
/// # Errors
/// With nothing applied and the outcome *not applied*: `Corrupt` or `Unsupported` with the
/// position of what is wrong with the file; `TooLarge`, `Invalid` or `Unsupported` with position
/// and index of a record that the backend cannot hold, so `Unsupported` for a lifetime without the
/// capability `Expiry`, and `Invalid` for one that ends over 10 years ahead; `Invalid` for resuming
/// past the end; `Conflict` when the source is another one at the second reading.
///
/// While it is applied: any error, with an `index` that says how many records had been
/// dealt with. A restore with that number in
/// [`with_resume_after_records`](RestoreOptions::with_resume_after_records) goes on there.
///
/// # Cancellation
/// What was applied stays.
pub async fn restore_snapshot<B, S>(
    backend: &B,
    source: &S,
    options: RestoreFileOptions,
    mut progress: impl FnMut(SnapshotProgress) + Send,
) -> Result<RestoreReport>
where
    B: StateBackend + ?Sized,
    S: SnapshotSource + ?Sized,
{
    let begun_at = options.clock.wall();
    let mut first = open(source)?;
    let begun = first.info();
    let whole = reader::verify(&mut first, &mut progress, |index, record| {
        check(backend, record, begun_at)
            .map_err(|error| error.with_index(usize::try_from(index).unwrap_or(usize::MAX)))
    });
    let whole =
        whole.map_err(|error| error.with_op("restore").with_outcome(Outcome::NotApplied))?;
    drop(first);
    if options.restore.resume_after_records > whole.records {
        let message = "the snapshot has fewer records than are to be skipped";
        return Err(Error::invalid(message).with_op("restore"));
    }
    let again = open(source)?;
    if again.info() != begun {
        return Err(changed().with_op("restore"));
    }

    let ledger = Mutex::new(Ledger::default());
    let records = Applying {
        reader: again,
        whole,
        skipped: options.restore.resume_after_records,
        clock: options.clock,
        begun_at,
        ledger: &ledger,
        read: 0,
        told: 0,
        progress: &mut progress,
    };
    let restore = options.restore.with_as_of(begun_at);
    let applied = backend.restore(stream::iter(records), restore).await;
    let ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
    match applied {
        Ok(mut report) => {
            report.records = whole.records;
            report.expired += ledger.left_out();
            Ok(report)
        }
        Err(error) => {
            let dealt = u64::try_from(error.index().unwrap_or(0)).unwrap_or(u64::MAX);
            let index = usize::try_from(ledger.in_file(dealt)).unwrap_or(usize::MAX);
            Err(error.with_op("restore").with_index(index))
        }
    }
}

fn open<S: SnapshotSource + ?Sized>(source: &S) -> Result<SnapshotReader<Box<dyn Read + Send>>> {
    let opened = source.open().map_err(|error| io_error(error, "the snapshot cannot be opened"));
    opened.and_then(SnapshotReader::new).map_err(|error| error.with_op("restore"))
}

fn changed() -> Error {
    Error::new(ErrorKind::Conflict, "the snapshot changed between its two readings")
}

/// Whether `backend` can hold `record` at all, at `now`.
fn check<B: StateBackend + ?Sized>(
    backend: &B,
    record: &SnapshotRecord,
    now: Timestamp,
) -> Result<()> {
    let offered = backend.capabilities();
    let limits = offered.limits;
    limits.check_key(record.key())?;
    if let Some(deadline) = record.deadline().filter(|deadline| *deadline > now) {
        if !offered.has(Capability::Expiry) {
            return Err(Error::unsupported("a lifetime"));
        }
        Limits::check_lifetime(deadline.saturating_since(now))?;
    }
    match record {
        SnapshotRecord::Entry { value, .. } => limits.check_value(value),
        SnapshotRecord::HashFields { fields, .. } => {
            if backend.as_hash().is_none() {
                return Err(Error::unsupported("a hash"));
            }
            fields.iter().try_for_each(|(name, value)| {
                limits.check_field(name)?;
                limits.check_value(value)
            })
        }
        _ => Err(Error::unsupported("this kind of record")),
    }
}

/// The records of the second reading, without those that have expired.
struct Applying<'a, R, P> {
    reader: SnapshotReader<R>,
    whole: SnapshotSummary,
    /// So many were dealt with by an earlier restore. They go through all the same: the backend's
    /// restore skips them and learns from them which hash has begun.
    skipped: u64,
    clock: Arc<dyn Clock>,
    /// The time by which the records were checked: none that had expired then is alive again.
    begun_at: Timestamp,
    ledger: &'a Mutex<Ledger>,
    read: u64,
    told: u64,
    progress: &'a mut P,
}

impl<R: Read, P: FnMut(SnapshotProgress)> Applying<'_, R, P> {
    /// Tells how far it has come, once for each block.
    fn tell(&mut self) {
        if self.reader.position() != self.told {
            self.told = self.reader.position();
            let now = SnapshotProgress::new(SnapshotStage::Apply, self.read, self.told);
            (self.progress)(now.of(&self.whole));
        }
    }
}

impl<R: Read, P: FnMut(SnapshotProgress)> Iterator for Applying<'_, R, P> {
    type Item = Result<SnapshotRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.reader.next() {
                Some(Ok(record)) => record,
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    let same = self.reader.summary().is_none_or(|again| *again == self.whole);
                    self.tell();
                    return (!same).then(|| Err(changed()));
                }
            };
            self.read += 1;
            self.tell();
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.wall().max(self.begun_at);
            let expired = record.deadline().is_some_and(|deadline| deadline <= now);
            if expired && self.read > self.skipped {
                ledger.leave_out();
            } else {
                ledger.hand_on();
                return Some(Ok(record));
            }
        }
    }
}
