//! Mutants of the family `cancel`: calls that are made in steps, and wait between them.

use state_core::{
    Expiry, HashStore, StateBackend, StateBackendExt, TouchOptions, WriteOp, WriteOutcome,
};

use super::gallery;
use super::hooks::{Honest, Hooks};

gallery! {
    /// A put writes the value first and the lifetime a little later.
    "cancel.put.in-steps" rejected by ["cancel.put"] => put_in_steps;
    /// A batch writes each value first and its lifetime a little later.
    "cancel.batch.in-steps" rejected by ["cancel.batch"] => batch_in_steps;
    /// A transaction makes one write after the other, and waits in between.
    "cancel.transaction.in-steps" rejected by ["cancel.transaction"] => transaction_in_steps;
    /// A write of fields writes one after the other, and waits in between.
    "cancel.hash.in-steps" rejected by ["cancel.hash"] => hash_in_steps;
}

/// Lets others have a turn, which is where a call that is dropped ends.
async fn wait() {
    tokio::task::yield_now().await;
}

fn put_in_steps() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let expiry = std::mem::replace(&mut options.expiry, Expiry::Never);
        let written = honest.put_opts(&key, value, options).await?;
        wait().await;
        if expiry != Expiry::Never {
            honest.touch_opts(&key, TouchOptions::new(expiry)).await?;
        }
        Ok(written)
    })
}

async fn in_steps(honest: &Honest, op: WriteOp) -> state_core::Result<WriteOutcome> {
    let WriteOp::Put { key, value, mut options } = op else {
        let mut receipts = honest.write_many(vec![op]).await?;
        return receipts.remove(0);
    };
    let expiry = std::mem::replace(&mut options.expiry, Expiry::Never);
    let written = honest.put_opts(&key, value, options).await?;
    wait().await;
    if expiry != Expiry::Never {
        honest.touch(key, expiry).await?;
    }
    Ok(WriteOutcome::Written(written))
}

fn batch_in_steps() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let mut receipts = Vec::new();
        for op in ops {
            receipts.push(in_steps(&honest, op).await);
        }
        Ok(receipts)
    })
}

fn transaction_in_steps() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        let mut outcomes = Vec::new();
        for op in transaction.ops {
            for outcome in honest.write_many(vec![op]).await? {
                outcomes.push(outcome?);
            }
            wait().await;
        }
        Ok(outcomes)
    })
}

fn hash_in_steps() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, fields, options| async move {
        let mut created = 0;
        for field in fields {
            created += honest.hash_set(&key, vec![field], options.clone()).await?;
            wait().await;
        }
        Ok(created)
    })
}
