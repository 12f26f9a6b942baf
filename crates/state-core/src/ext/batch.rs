//! Batches of plain reads and writes.

use bytes::Bytes;

use crate::{
    Error, ErrorKind, GetOptions, Key, Result, StateBackend, WriteOp, WriteOutcome, Written,
};

pub(super) async fn get<B: StateBackend + ?Sized>(
    backend: &B,
    keys: &[Key],
) -> Result<Vec<Option<Bytes>>> {
    let chunk = backend.capabilities().limits.batch_ops_max.max(1);
    let mut values = Vec::with_capacity(keys.len());
    for (start, keys) in (0..).step_by(chunk).zip(keys.chunks(chunk)) {
        let found = backend.get_many(keys, GetOptions::new()).await?;
        for (index, entry) in found.into_iter().enumerate() {
            let entry = entry.map_err(|error| error.with_index(start + index))?;
            values.push(entry.map(|entry| entry.value));
        }
    }
    Ok(values)
}

pub(super) async fn put<B: StateBackend + ?Sized>(
    backend: &B,
    items: Vec<(Key, Bytes)>,
) -> Result<Vec<Written>> {
    let ops = items.into_iter().map(|(key, value)| WriteOp::put(key, value)).collect();
    let outcomes = write(backend, ops).await?.into_iter().map(|outcome| match outcome {
        WriteOutcome::Written(written) => Ok(written),
        _ => Err(unlike()),
    });
    outcomes.collect()
}

pub(super) async fn delete<B: StateBackend + ?Sized>(backend: &B, keys: Vec<Key>) -> Result<u64> {
    let ops = keys.into_iter().map(WriteOp::delete).collect();
    let mut existed = 0;
    for outcome in write(backend, ops).await? {
        match outcome {
            WriteOutcome::Deleted(deleted) => existed += u64::from(deleted.existed),
            _ => return Err(unlike()),
        }
    }
    Ok(existed)
}

/// Makes all writes, in batches of what the backend takes, and only then fails with the first
/// write that did. A batch that fails as a whole ends it: the index is that of its first write
/// unless an earlier one had failed, and nothing after it is tried.
pub(super) async fn write<B: StateBackend + ?Sized>(
    backend: &B,
    ops: Vec<WriteOp>,
) -> Result<Vec<WriteOutcome>> {
    let chunk = backend.capabilities().limits.batch_ops_max.max(1);
    let mut outcomes = Vec::with_capacity(ops.len());
    let mut failed = None;
    let mut ops = ops.into_iter();
    loop {
        let start = outcomes.len();
        let batch: Vec<WriteOp> = ops.by_ref().take(chunk).collect();
        if batch.is_empty() {
            break;
        }
        let written = match backend.write_many(batch).await {
            Ok(written) => written,
            Err(error) if start == 0 => return Err(error),
            // Earlier batches were made: the error must not speak for all of them.
            Err(error) => return Err(failed.unwrap_or_else(|| error.with_index(start))),
        };
        for (index, outcome) in written.into_iter().enumerate() {
            match outcome {
                Ok(outcome) => outcomes.push(Some(outcome)),
                Err(error) => {
                    failed.get_or_insert(error.with_index(start + index));
                    outcomes.push(None);
                }
            }
        }
    }
    failed.map_or_else(|| Ok(outcomes.into_iter().flatten().collect()), Err)
}

fn unlike() -> Error {
    Error::new(ErrorKind::Internal, "the backend answered a write with another one's receipt")
}
