//! Writing the records of a snapshot, in batches, resumably.

use std::pin::pin;

use futures_core::stream::Stream;
use futures_util::StreamExt;

use super::hash_of;
use crate::{
    Capability, ClearOptions, Clock, Error, ErrorKind, Expiry, HashWriteOptions, Key, Limits,
    PutOptions, RestoreMode, RestoreOptions, RestoreReport, Result, SnapshotRecord, StateBackend,
    SystemClock, Timestamp, WriteOp,
};

/// The most records of one batch.
const BATCH_RECORDS_MAX: usize = 1_000;
/// The most bytes of values of one batch, give or take one record.
const BATCH_BYTES_MAX: usize = 4 << 20;

pub(super) async fn restore<B, S>(
    backend: &B,
    records: S,
    options: RestoreOptions,
) -> Result<RestoreReport>
where
    B: StateBackend + ?Sized,
    S: Stream<Item = Result<SnapshotRecord>> + Send,
{
    let mut records = pin!(records);
    let report = RestoreReport::default();
    let mut restore = Restore { backend, report, pending: Vec::new(), as_of: options.as_of };
    let batch_max = BATCH_RECORDS_MAX.min(backend.capabilities().limits.batch_ops_max.max(1));
    let mut pending_bytes = 0;
    let mut hash_begun: Option<Key> = None;
    let mut cleared = options.resume_after_records > 0 || options.mode == RestoreMode::Merge;
    while let Some(record) = records.next().await {
        let record = restore.at_record(record)?;
        let goes_on = matches!(&record, SnapshotRecord::HashFields { key, .. }
            if hash_begun.as_ref() == Some(key));
        if matches!(record, SnapshotRecord::HashFields { .. }) {
            hash_begun = Some(record.key().clone());
        }
        if restore.report.records < options.resume_after_records {
            restore.report.records += 1;
            continue;
        }
        restore.check(&record)?;
        if !cleared {
            let removed = backend.clear_opts(ClearOptions::default()).await;
            restore.report.cleared = restore.at_record(removed)?;
            cleared = true;
        }
        match record {
            SnapshotRecord::Entry { key, value, deadline } => {
                pending_bytes += value.len();
                let options = PutOptions::new().with_expiry(expiry(deadline));
                restore.pending.push(WriteOp::put_opts(key, value, options));
                if restore.pending.len() >= batch_max || pending_bytes >= BATCH_BYTES_MAX {
                    restore.flush().await?;
                    pending_bytes = 0;
                }
            }
            SnapshotRecord::HashFields { key, fields, deadline } => {
                restore.flush().await?;
                pending_bytes = 0;
                let hash = hash_of(backend)?;
                let options = HashWriteOptions::new().with_expiry(expiry(deadline));
                if !goes_on {
                    // A deadline may have passed: what is there is only removed once the store
                    // has taken the new one.
                    if deadline.is_some() {
                        let tried = hash.hash_set(&key, fields.clone(), options.clone()).await;
                        if tried.is_err() {
                            restore.count(tried.map(drop), deadline)?;
                            continue;
                        }
                    }
                    let removed = hash.hash_remove(&key, HashWriteOptions::new()).await;
                    restore.at_record(removed)?;
                }
                let written = hash.hash_set(&key, fields, options).await;
                restore.count(written.map(drop), deadline)?;
            }
        }
    }
    if !cleared {
        let removed = backend.clear_opts(ClearOptions::default()).await;
        restore.report.cleared = restore.at_record(removed)?;
    }
    restore.flush().await?;
    Ok(restore.report)
}

struct Restore<'a, B: ?Sized> {
    backend: &'a B,
    report: RestoreReport,
    pending: Vec<WriteOp>,
    as_of: Option<Timestamp>,
}

impl<B: StateBackend + ?Sized> Restore<'_, B> {
    async fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let ops = std::mem::take(&mut self.pending);
        let deadlines: Vec<Option<Timestamp>> = ops.iter().map(deadline_of).collect();
        let outcomes = self.backend.write_many(ops).await;
        for (outcome, deadline) in self.at_record(outcomes)?.into_iter().zip(deadlines) {
            self.count(outcome.map(drop), deadline)?;
        }
        Ok(())
    }

    /// Refuses what the backend cannot hold before it is sent.
    fn check(&self, record: &SnapshotRecord) -> Result<()> {
        let offered = self.backend.capabilities();
        let limits = offered.limits;
        let checked = limits.check_key(record.key()).and_then(|()| match record {
            SnapshotRecord::Entry { value, .. } => limits.check_value(value),
            SnapshotRecord::HashFields { fields, .. } => {
                hash_of(self.backend)?;
                fields.iter().try_for_each(|(field, value)| {
                    limits.check_field(field)?;
                    limits.check_value(value)
                })
            }
        });
        let checked = checked.and_then(|()| match (record.deadline(), self.as_of) {
            (Some(_), _) if !offered.has(Capability::Expiry) => {
                Err(Error::unsupported("a lifetime"))
            }
            (Some(deadline), Some(now)) if deadline > now => {
                Limits::check_lifetime(deadline.saturating_since(now))
            }
            _ => Ok(()),
        });
        self.at_record(checked)
    }

    /// Counts a record that was written, or whose lifetime turned out to have ended.
    fn count(&mut self, written: Result<()>, deadline: Option<Timestamp>) -> Result<()> {
        match written {
            Ok(()) => self.report.applied += 1,
            // Everything else has been checked: what is left to be invalid is the deadline.
            Err(error)
                if error.kind() == ErrorKind::Invalid
                    && deadline.is_some_and(|deadline| self.has_passed(deadline)) =>
            {
                self.report.expired += 1;
            }
            Err(error) => return self.at_record(Err(error)),
        }
        self.report.records += 1;
        Ok(())
    }

    /// Why the store has refused a deadline: it has passed, or it lies too far ahead.
    ///
    /// The store goes by its own time, which nobody else knows, and these two are the longest
    /// lifetime apart: any clock that is right to within half of it can tell.
    fn has_passed(&self, deadline: Timestamp) -> bool {
        let now = self.as_of.unwrap_or_else(|| SystemClock::new().wall());
        deadline.saturating_since(now) <= Limits::LIFETIME_MAX / 2
    }

    /// Adds to an error how many records had been dealt with before.
    fn at_record<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error: Error| {
            error.with_index(usize::try_from(self.report.records).unwrap_or(usize::MAX))
        })
    }
}

fn deadline_of(op: &WriteOp) -> Option<Timestamp> {
    match op {
        WriteOp::Put { options, .. } => match options.expiry {
            Expiry::At(deadline) => Some(deadline),
            _ => None,
        },
        _ => None,
    }
}

fn expiry(deadline: Option<Timestamp>) -> Expiry {
    deadline.map_or(Expiry::Never, Expiry::At)
}
