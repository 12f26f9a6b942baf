//! Deleting a thread.

use bytes::Bytes;
use state_core::checkpoint::{DeleteThread, ThreadId, ThreadLifetime};
use state_core::{
    Acks, Consistency, Expiry, Precondition, PutOptions, Result, Transaction, WriteOp,
};

use super::edit::applied;
use super::keys::{self, Rows, WRITES};
use super::{BackendThreads, TRIES, too_busy};

impl BackendThreads {
    /// Takes the head away, and with it the thread; then everything else.
    pub(super) async fn delete_rows(&self, delete: &DeleteThread) -> Result<Option<u64>> {
        let thread = &delete.thread;
        for _ in 0..TRIES {
            let seen = self.see(thread).await?;
            let Some((head, version)) = seen.head.clone() else {
                if let Some(lifetime) = delete.tombstone {
                    let head = keys::head(thread);
                    let mut transaction = Transaction::new().with_acks(delete.acks);
                    transaction = transaction.check(head, Precondition::Absent);
                    if !self.transact(transaction.op(tombstone(thread, lifetime))).await? {
                        continue;
                    }
                }
                self.clean(thread).await?;
                return Ok(None);
            };
            // A stale holder is refused here.
            self.begin(thread, seen, &delete.ownership, ThreadLifetime::Keep, false)?;
            let mut transaction = Transaction::new()
                .with_acks(delete.acks)
                .check(keys::head(thread), version)
                .op(WriteOp::delete(keys::head(thread)));
            if let Some(lifetime) = delete.tombstone {
                transaction = transaction.op(tombstone(thread, lifetime));
            }
            if self.transact(transaction).await? {
                self.clean(thread).await.map_err(applied)?;
                return Ok(Some(head.checkpoints));
            }
        }
        Err(too_busy())
    }

    /// Deletes a thread that holds nothing any more, and what is left of one that is gone.
    pub(super) async fn delete_empty(&self, thread: &ThreadId, acks: Acks) -> Result<()> {
        let Some((head, version)) = self.head(thread, Consistency::Strong).await? else {
            return self.clean(thread).await;
        };
        let rows = Rows::new(thread, head.life.generation);
        let writes =
            self.names(rows.partition(), &rows.prefix(WRITES), Consistency::Strong).await?;
        if head.checkpoints > 0 || !writes.is_empty() {
            return Ok(());
        }
        let transaction = Transaction::new()
            .with_acks(acks)
            .check(keys::head(thread), version)
            .op(WriteOp::delete(keys::head(thread)));
        if self.transact(transaction).await? {
            self.clean(thread).await.map_err(applied)?;
        }
        Ok(())
    }
}

fn tombstone(thread: &ThreadId, lifetime: std::time::Duration) -> WriteOp {
    let options = PutOptions::new().with_expiry(Expiry::After(lifetime));
    WriteOp::put_opts(keys::tombstone(thread), Bytes::new(), options)
}
