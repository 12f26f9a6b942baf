//! An honest store that says that its writes are synced, as one on a disk would.

use state_core::{
    Acks, AcksReached, Capability, HashStore, StateBackend, Transact, WriteOp, WriteOutcome,
};

use super::hooks::Hooks;

/// Takes every wait for the disk, and says that it is over.
pub(super) fn synced() -> Hooks {
    let declared = Hooks::default().declaring(|_, honest| honest.with(Capability::AckFsync));
    batches(hashes(single(declared)))
}

/// Takes the wait for the disk out of what is asked, and says whether there was one.
fn asked(acks: &mut Acks) -> bool {
    let asked = *acks == Acks::Fsynced;
    if asked {
        *acks = Acks::Primary;
    }
    asked
}

/// Says that it is over.
fn told(reached: &mut AcksReached, asked: bool) {
    reached.fsynced |= asked;
}

fn single(hooks: Hooks) -> Hooks {
    hooks
        .on_put(|honest, key, value, mut options| async move {
            let asked = asked(&mut options.acks);
            let mut written = honest.put_opts(&key, value, options).await?;
            told(&mut written.acks, asked);
            Ok(written)
        })
        .on_delete(|honest, key, mut options| async move {
            let asked = asked(&mut options.acks);
            let mut deleted = honest.delete_opts(&key, options).await?;
            told(&mut deleted.acks, asked);
            Ok(deleted)
        })
        .on_increment(|honest, key, by, mut options| async move {
            let asked = asked(&mut options.acks);
            let mut counted = honest.increment_opts(&key, by, options).await?;
            told(&mut counted.acks, asked);
            Ok(counted)
        })
        .on_touch(|honest, key, mut options| async move {
            asked(&mut options.acks);
            honest.touch_opts(&key, options).await
        })
        .on_clear(|honest, mut options| async move {
            asked(&mut options.acks);
            honest.clear_opts(options).await
        })
}

fn hashes(hooks: Hooks) -> Hooks {
    hooks
        .on_hash_set(|honest, key, fields, mut options| async move {
            asked(&mut options.acks);
            honest.hash_set(&key, fields, options).await
        })
        .on_hash_delete(|honest, key, fields, mut options| async move {
            asked(&mut options.acks);
            honest.hash_delete(&key, &fields, options).await
        })
        .on_hash_increment(|honest, key, field, by, mut options| async move {
            asked(&mut options.acks);
            honest.hash_increment(&key, &field, by, options).await
        })
        .on_hash_remove(|honest, key, mut options| async move {
            asked(&mut options.acks);
            honest.hash_remove(&key, options).await
        })
}

fn batches(hooks: Hooks) -> Hooks {
    hooks
        .on_write_many(|honest, mut ops| async move {
            let asked: Vec<bool> = ops.iter_mut().map(|op| acks(op).is_some_and(asked)).collect();
            let mut receipts = honest.write_many(ops).await?;
            for (receipt, asked) in receipts.iter_mut().zip(asked) {
                if let Ok(receipt) = receipt {
                    told_of(receipt, asked);
                }
            }
            Ok(receipts)
        })
        .on_transact(|honest, mut transaction| async move {
            let asked = asked(&mut transaction.acks);
            let mut receipts = honest.transact(transaction).await?;
            for receipt in &mut receipts {
                told_of(receipt, asked);
            }
            Ok(receipts)
        })
}

fn acks(op: &mut WriteOp) -> Option<&mut Acks> {
    match op {
        WriteOp::Put { options, .. } => Some(&mut options.acks),
        WriteOp::Delete { options, .. } => Some(&mut options.acks),
        WriteOp::Increment { options, .. } => Some(&mut options.acks),
        _ => None,
    }
}

fn told_of(receipt: &mut WriteOutcome, asked: bool) {
    match receipt {
        WriteOutcome::Written(written) => told(&mut written.acks, asked),
        WriteOutcome::Deleted(deleted) => told(&mut deleted.acks, asked),
        WriteOutcome::Incremented(counted) => told(&mut counted.acks, asked),
        _ => {}
    }
}
