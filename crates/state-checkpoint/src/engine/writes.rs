//! Putting writes beside a checkpoint.

use state_core::Result;
use state_core::checkpoint::{PutWrites, WritesReceipt};

use super::Checkpoints;
use crate::pending;
use crate::store::{AppendWrites, NewWrite, ThreadStore};

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn write(&self, put: &PutWrites) -> Result<WritesReceipt> {
        let mut fresh = Vec::new();
        let writes = put
            .writes
            .iter()
            .map(|write| NewWrite {
                task: std::sync::Arc::clone(&write.task),
                index: write.index,
                body: pending::encode(write, &mut fresh),
            })
            .collect();
        let append = AppendWrites {
            reference: put.reference.clone(),
            writes,
            content: self.content(fresh.into())?,
            ownership: put.ownership.clone(),
            lifetime: put.lifetime,
            recreate: put.recreate,
            acks: put.acks,
        };
        let done = self.store.append_writes(&append).await?;
        Ok(WritesReceipt::new(done.written, done.replaced, done.kept))
    }
}
