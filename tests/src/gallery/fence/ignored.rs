//! Calls that do not look at the token, or not in time.

use state_core::{
    Capability, Error, ErrorKind, HashStore, Outcome, StateBackend, StateBackendExt, Transact,
    WriteOp,
};

use crate::gallery::hooks::Hooks;

pub(super) fn secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Fence))
}

pub(super) fn get() -> Hooks {
    Hooks::default().on_get(|honest, key, mut options| async move {
        options.fence = None;
        honest.get_opts(&key, options).await
    })
}

pub(super) fn get_many() -> Hooks {
    Hooks::default().on_get_many(|honest, keys, mut options| async move {
        options.fence = None;
        honest.get_many(&keys, options).await
    })
}

pub(super) fn put() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        options.fence = None;
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn put_late() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let mut free = options.clone();
        free.fence = None;
        honest.put_opts(&key, value.clone(), free).await?;
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, mut options| async move {
        options.fence = None;
        honest.delete_opts(&key, options).await
    })
}

pub(super) fn increment() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, mut options| async move {
        options.fence = None;
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn touch() -> Hooks {
    Hooks::default().on_touch(|honest, key, mut options| async move {
        options.fence = None;
        honest.touch_opts(&key, options).await
    })
}

pub(super) fn write_many() -> Hooks {
    Hooks::default().on_write_many(|honest, mut ops| async move {
        for op in &mut ops {
            match op {
                WriteOp::Put { options, .. } => options.fence = None,
                WriteOp::Delete { options, .. } => options.fence = None,
                WriteOp::Increment { options, .. } => options.fence = None,
                _ => {}
            }
        }
        honest.write_many(ops).await
    })
}

pub(super) fn write_many_whole() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let mut receipts = Vec::new();
        for receipt in honest.write_many(ops).await? {
            match receipt {
                Err(error) if error.kind() == ErrorKind::Fenced => return Err(error),
                receipt => receipts.push(receipt),
            }
        }
        Ok(receipts)
    })
}

pub(super) fn clear() -> Hooks {
    Hooks::default().on_clear(|honest, mut options| async move {
        options.fence = None;
        honest.clear_opts(options).await
    })
}

pub(super) fn transact() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        transaction.fence = None;
        honest.transact(transaction).await
    })
}

pub(super) fn hash() -> Hooks {
    Hooks::default()
        .on_hash_set(|honest, key, fields, mut options| async move {
            options.fence = None;
            HashStore::hash_set(&*honest.backend, &key, fields, options).await
        })
        .on_hash_remove(|honest, key, mut options| async move {
            options.fence = None;
            honest.hash_remove(&key, options).await
        })
}

pub(super) fn number_first() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let held = honest.get(&key).await?;
        let number =
            |text: &str| text.parse::<i64>().is_ok_and(|sum| sum.checked_add(by).is_some());
        if held.is_some_and(|held| !std::str::from_utf8(&held).is_ok_and(number)) {
            return Err(Error::invalid("the value is no number"));
        }
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn unknown() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await;
        written.map_err(|error| match error.kind() {
            ErrorKind::Fenced => error.with_outcome(Outcome::Unknown),
            _ => error,
        })
    })
}
