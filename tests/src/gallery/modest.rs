//! An honest store with every role and few options: what it does not offer, it refuses.

use state_core::{
    Capability, Error, Expiry, HashStore, Key, OpId, Result, StateBackend, Transact, Watch,
    WatchStart, WriteOp,
};

use super::hooks::{Honest, Hooks};

/// What it goes without.
const NOT_OFFERED: [Capability; 4] =
    [Capability::Expiry, Capability::OpId, Capability::OrderedList, Capability::WatchLog];

/// Refuses lifetimes, operation ids, listings after a name, and watches that resume.
pub(super) fn modest() -> Hooks {
    let declared = Hooks::default().declaring(|_, honest| {
        NOT_OFFERED.into_iter().fold(honest, state_core::Capabilities::without)
    });
    let hooks = batches(hashes(single(declared)));
    hooks
        .on_list(|honest, options| async move {
            if options.after.is_some() {
                return Err(Error::unsupported("a listing after a name"));
            }
            honest.list_page(options).await
        })
        .on_watch(|honest, options| async move {
            if options.start != WatchStart::Now {
                return Err(Error::unsupported("a watch of earlier changes"));
            }
            honest.watch(options).await
        })
}

/// The calls about one entry.
fn single(hooks: Hooks) -> Hooks {
    hooks
        .on_get(|honest, key, options| async move {
            allow(&honest, &key, options.touch, None)?;
            honest.get_opts(&key, options).await
        })
        .on_put(|honest, key, value, options| async move {
            if honest.capabilities().limits.check_value(&value).is_ok() {
                allow(&honest, &key, Some(options.expiry), options.op_id)?;
            }
            honest.put_opts(&key, value, options).await
        })
        .on_delete(|honest, key, options| async move {
            allow(&honest, &key, None, options.op_id)?;
            honest.delete_opts(&key, options).await
        })
        .on_increment(|honest, key, by, options| async move {
            allow(&honest, &key, Some(options.expiry), options.op_id)?;
            honest.increment_opts(&key, by, options).await
        })
        .on_touch(|honest, key, options| async move {
            allow(&honest, &key, Some(options.expiry), None)?;
            honest.touch_opts(&key, options).await
        })
}

/// The calls about hashes that name a lifetime.
fn hashes(hooks: Hooks) -> Hooks {
    hooks
        .on_hash_set(|honest, key, fields, options| async move {
            allow(&honest, &key, Some(options.expiry), None)?;
            honest.hash_set(&key, fields, options).await
        })
        .on_hash_increment(|honest, key, field, by, options| async move {
            allow(&honest, &key, Some(options.expiry), None)?;
            honest.hash_increment(&key, &field, by, options).await
        })
}

/// The calls about several entries: a batch is refused write by write, a transaction whole.
fn batches(hooks: Hooks) -> Hooks {
    hooks
        .on_get_many(|honest, keys, options| async move {
            if let Some(key) = keys.first() {
                allow(&honest, key, options.touch, None)?;
            }
            honest.get_many(&keys, options).await
        })
        .on_write_many(|honest, ops| async move {
            if honest.capabilities().limits.check_batch(ops.len()).is_err() {
                return honest.write_many(ops).await;
            }
            let mut allowed = Vec::new();
            let mut refused = Vec::new();
            for op in ops {
                match allow_op(&honest, &op) {
                    Ok(()) => {
                        allowed.push(op);
                        refused.push(None);
                    }
                    Err(error) => refused.push(Some(error)),
                }
            }
            let mut receipts = honest.write_many(allowed).await?.into_iter();
            let receipt = |refused: Option<_>| {
                refused.map_or_else(|| receipts.next(), |error| Some(Err(error)))
            };
            Ok(refused.into_iter().filter_map(receipt).collect())
        })
        .on_transact(|honest, transaction| async move {
            transaction.ops.iter().try_for_each(|op| allow_op(&honest, op))?;
            if transaction.op_id.is_some() {
                return Err(Error::unsupported("an operation id"));
            }
            honest.transact(transaction).await
        })
}

fn allow_op(honest: &Honest, op: &WriteOp) -> Result<()> {
    match op {
        _ if honest.capabilities().limits.check_op(op).is_err() => Ok(()),
        WriteOp::Put { key, options, .. } => {
            allow(honest, key, Some(options.expiry), options.op_id)
        }
        WriteOp::Delete { key, options } => allow(honest, key, None, options.op_id),
        WriteOp::Increment { key, options, .. } => {
            allow(honest, key, Some(options.expiry), options.op_id)
        }
        _ => Err(Error::unsupported("this write")),
    }
}

/// Refuses a lifetime and an operation id. What is over a limit, the store behind refuses.
fn allow(honest: &Honest, key: &Key, expiry: Option<Expiry>, op_id: Option<OpId>) -> Result<()> {
    if honest.capabilities().limits.check_key(key).is_err() {
        return Ok(());
    }
    if matches!(expiry, Some(Expiry::After(_) | Expiry::At(_))) {
        return Err(Error::unsupported("a lifetime"));
    }
    if op_id.is_some() {
        return Err(Error::unsupported("an operation id"));
    }
    Ok(())
}
