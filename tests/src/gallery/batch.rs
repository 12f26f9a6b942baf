//! Mutants of the family `batch`: many reads and writes in one call.

use std::collections::HashSet;

use state_core::{
    AcksReached, Deleted, Entry, Error, IncrementOptions, Key, Result, StateBackend, WriteOp,
    WriteOutcome, Written,
};

use super::gallery;
use super::hooks::Hooks;

gallery! {
    /// A batch of reads is answered in key order.
    "batch.get.sorted" rejected by ["batch.get.order"] => get_sorted;
    /// A key that is asked for twice is answered once.
    "batch.get.distinct" rejected by ["batch.get.order"] => get_distinct;
    /// Absent keys get no answer.
    "batch.get.only-found" rejected by ["batch.get.order"] => get_only_found;
    /// The answers of a batch of reads are in the reverse order.
    "batch.get.reversed" rejected by ["batch.get.order", "list.entries"] => get_reversed;
    /// A batch of heads answers values.
    "batch.get.full-heads" rejected by ["batch.get.entries"] => get_full_heads;
    /// A batch of reads does not tell lifetimes.
    "batch.get.no-lifetimes" rejected by ["list.entries.expires"] => get_no_lifetimes;
    /// An empty batch is refused.
    "batch.empty-refused" rejected by ["batch.empty"] => empty_refused;
    /// A bad key fails the whole batch of reads.
    "batch.get.all-or-nothing" rejected by ["batch.get.bad-key"] => get_all_or_nothing;
    /// A key that is bad is answered as absent.
    "batch.get.absent-for-error" rejected by ["batch.get.bad-key"] => get_absent_for_error;
    /// Receipts come in the reverse order.
    "batch.write.reversed" rejected by ["batch.write.order"] => write_reversed;
    /// Every receipt is that of a put.
    "batch.write.alike" rejected by ["batch.write.order"] => write_alike;
    /// All receipts name the version of the first write.
    "batch.write.one-version" rejected by ["batch.write.versions"] => write_one_version;
    /// Writes of one key are made last to first.
    "batch.write.backwards" rejected by ["batch.write.same-key", "model.batches", "race.batch.order"] => write_backwards;
    /// A batch ends with the first write that fails.
    "batch.write.stops" rejected by ["batch.write.partial", "batch.put.index"] => write_stops;
    /// One write that fails undoes the whole batch.
    "batch.write.transaction" rejected by ["batch.write.partial"] => write_transaction;
    /// Preconditions of the writes of a batch are ignored.
    "batch.write.unconditional" rejected by ["batch.write.failed"] => write_unconditional;
    /// A delete in a batch does not return what it removed.
    "batch.write.mute-delete" rejected by ["batch.write.delete-value"] => write_mute_delete;
    /// The limit of a batch is one lower than it is said to be.
    "batch.limit.early" rejected by ["batch.limit.reached"] => limit_early;
    /// Batches over the limit are made in parts.
    "batch.limit.none" rejected by ["batch.limit.exceeded"] => limit_none;
    /// Batches of a thousand operations and more are refused, whatever the limit is said to be.
    "batch.limit.secret" rejected by ["batch.limit.chunks", "batch.limit.reached"] => limit_secret;
    /// Deletes in a batch never find anything.
    "batch.delete.finds-nothing" rejected by ["batch.delete.count"] => delete_finds_nothing;
    /// Writes of a batch drop their operation ids.
    "batch.op-id.dropped" rejected by ["batch.op-id"] => op_id_dropped;
}

type Answers = Vec<Result<Option<Entry>>>;
type Receipts = Vec<Result<WriteOutcome>>;

/// Changes the answers to batches of reads.
fn answering(change: fn(&[Key], Answers) -> Result<Answers>) -> Hooks {
    Hooks::default().on_get_many(move |honest, keys, options| async move {
        let answers = honest.get_many(&keys, options).await?;
        change(&keys, answers)
    })
}

fn get_sorted() -> Hooks {
    answering(|keys, answers| {
        let mut pairs: Vec<_> = keys.iter().zip(answers).collect();
        pairs.sort_by_key(|(key, _)| *key);
        Ok(pairs.into_iter().map(|(_, answer)| answer).collect())
    })
}

fn get_distinct() -> Hooks {
    answering(|keys, answers| {
        let mut seen = HashSet::new();
        let first = keys.iter().zip(answers).filter(|(key, _)| seen.insert(*key));
        Ok(first.map(|(_, answer)| answer).collect())
    })
}

fn get_only_found() -> Hooks {
    answering(|_, answers| {
        Ok(answers.into_iter().filter(|answer| !matches!(answer, Ok(None))).collect())
    })
}

fn get_reversed() -> Hooks {
    answering(|_, answers| Ok(answers.into_iter().rev().collect()))
}

fn get_full_heads() -> Hooks {
    Hooks::default().on_get_many(|honest, keys, options| async move {
        honest.get_many(&keys, options.with_head(false)).await
    })
}

fn get_no_lifetimes() -> Hooks {
    Hooks::default().on_get_many(|honest, keys, options| async move {
        honest.get_many(&keys, options.with_expiry(false)).await
    })
}

fn empty_refused() -> Hooks {
    answering(
        |keys, answers| {
            if keys.is_empty() { Err(Error::invalid("the batch is empty")) } else { Ok(answers) }
        },
    )
}

fn get_all_or_nothing() -> Hooks {
    answering(|_, answers| answers.into_iter().map(|answer| answer.map(Ok)).collect())
}

fn get_absent_for_error() -> Hooks {
    answering(|_, answers| {
        Ok(answers.into_iter().map(|answer| Ok(answer.ok().flatten())).collect())
    })
}

/// Changes the receipts of batches of writes.
fn receipts(change: fn(Receipts) -> Receipts) -> Hooks {
    Hooks::default()
        .on_write_many(move |honest, ops| async move { Ok(change(honest.write_many(ops).await?)) })
}

/// Changes the writes of batches.
fn writing(change: fn(&mut WriteOp)) -> Hooks {
    Hooks::default().on_write_many(move |honest, mut ops| async move {
        ops.iter_mut().for_each(change);
        honest.write_many(ops).await
    })
}

fn write_reversed() -> Hooks {
    receipts(|receipts| receipts.into_iter().rev().collect())
}

fn write_alike() -> Hooks {
    receipts(|receipts| {
        let alike = |outcome| match outcome {
            WriteOutcome::Incremented(done) => {
                WriteOutcome::Written(Written::new(done.version, done.acks))
            }
            other => other,
        };
        receipts.into_iter().map(|receipt| receipt.map(alike)).collect()
    })
}

fn write_one_version() -> Hooks {
    receipts(|mut receipts| {
        let mut first = None;
        for receipt in &mut receipts {
            if let Ok(WriteOutcome::Written(written)) = receipt {
                written.version = *first.get_or_insert(written.version);
            }
        }
        receipts
    })
}

fn write_backwards() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let receipts = honest.write_many(ops.into_iter().rev().collect()).await?;
        Ok(receipts.into_iter().rev().collect())
    })
}

fn write_stops() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        honest.capabilities().limits.check_batch(ops.len())?;
        let mut receipts = Receipts::new();
        for op in ops {
            let stopped = receipts.last().is_some_and(Result::is_err);
            let receipt = if stopped {
                vec![Err(Error::invalid("an earlier write has failed"))]
            } else {
                honest.write_many(vec![op]).await?
            };
            receipts.extend(receipt);
        }
        Ok(receipts)
    })
}

fn write_transaction() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let limits = honest.capabilities().limits;
        limits.check_batch(ops.len())?;
        if let Some(error) = ops.iter().find_map(|op| limits.check_op(op).err()) {
            let failed = ops.iter().map(|_| Err(Error::invalid("another write is bad")));
            drop(error);
            return Ok(failed.collect());
        }
        honest.write_many(ops).await
    })
}

fn write_unconditional() -> Hooks {
    writing(|op| match op {
        WriteOp::Put { options, .. } => options.precondition = state_core::Precondition::Always,
        WriteOp::Delete { options, .. } => options.precondition = state_core::Precondition::Always,
        _ => {}
    })
}

fn write_mute_delete() -> Hooks {
    writing(|op| {
        if let WriteOp::Delete { options, .. } = op {
            options.return_value = false;
        }
    })
}

fn limit_early() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        honest.capabilities().limits.check_batch(ops.len() + 1)?;
        honest.write_many(ops).await
    })
}

fn limit_none() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let most = honest.capabilities().limits.batch_ops_max;
        let mut receipts = Receipts::new();
        for part in ops.chunks(most) {
            receipts.extend(honest.write_many(part.to_vec()).await?);
        }
        Ok(receipts)
    })
}

fn limit_secret() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        if ops.len() >= 1_000 {
            return Err(Error::too_large("batch", ops.len(), 999));
        }
        honest.write_many(ops).await
    })
}

fn delete_finds_nothing() -> Hooks {
    receipts(|receipts| {
        let nothing = |outcome| match outcome {
            WriteOutcome::Deleted(deleted) => {
                WriteOutcome::Deleted(Deleted::new(false, deleted.previous, AcksReached::PRIMARY))
            }
            other => other,
        };
        receipts.into_iter().map(|receipt| receipt.map(nothing)).collect()
    })
}

fn op_id_dropped() -> Hooks {
    writing(|op| match op {
        WriteOp::Put { options, .. } => options.op_id = None,
        WriteOp::Delete { options, .. } => options.op_id = None,
        WriteOp::Increment { options, .. } => {
            *options = IncrementOptions::new().with_expiry(options.expiry);
        }
        _ => {}
    })
}
