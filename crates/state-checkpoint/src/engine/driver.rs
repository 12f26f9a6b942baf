//! The driver face of the engine: limits first, then the rules.

use async_trait::async_trait;
use state_core::checkpoint::{
    ChannelHistories, CheckpointLimits, CheckpointTuple, Checkpointer, CopyOptions, DeleteRuns,
    DeleteThread, GetCheckpoint, HistoryOptions, ListCheckpoints, ListThreads, PruneOptions,
    PruneReport, PutCheckpoint, PutReceipt, PutWrites, ThreadEvent, ThreadId, ThreadSummary,
    TouchThread, WritesReceipt,
};
use state_core::{BackendInfo, BoxStream, Page, Result};

use super::Checkpoints;
use super::offered::offers_consistency;
use crate::store::ThreadStore;

#[async_trait]
impl<S: ThreadStore> Checkpointer for Checkpoints<S> {
    fn info(&self) -> BackendInfo {
        self.store.info()
    }

    fn limits(&self) -> CheckpointLimits {
        self.limits
    }

    async fn put_checkpoint(&self, put: PutCheckpoint) -> Result<PutReceipt> {
        let checked = self.limits.check_put(&put).and_then(|()| self.offers_put(&put));
        let done = async {
            checked?;
            // Two futures of moderate size cost less to allocate than a large one.
            Box::pin(self.put(&put)).await
        };
        self.store.in_one(done).await.map_err(|error| error.with_op("put_checkpoint"))
    }

    async fn put_writes(&self, put: PutWrites) -> Result<WritesReceipt> {
        let checked = self.limits.check_writes(&put).and_then(|()| self.offers_writes(&put));
        let done = async {
            checked?;
            self.write(&put).await
        };
        self.store.in_one(done).await.map_err(|error| error.with_op("put_writes"))
    }

    async fn get_checkpoint(&self, get: GetCheckpoint) -> Result<Option<CheckpointTuple>> {
        let checked = self.limits.check_get(&get).and(offers_consistency(get.consistency));
        let done = async {
            checked?;
            self.get(&get).await
        };
        self.store.in_one(done).await.map_err(|error| error.with_op("get_checkpoint"))
    }

    async fn list_checkpoints(&self, list: ListCheckpoints) -> Result<Page<CheckpointTuple>> {
        let checked = self.limits.check_list(&list);
        let done = async {
            let limit = checked?;
            offers_consistency(list.consistency)?;
            self.list_page(&list, limit).await
        };
        // A page of all threads takes as many steps as there are threads in it.
        let listed = if list.thread.is_some() { self.store.in_one(done).await } else { done.await };
        listed.map_err(|error| error.with_op("list_checkpoints"))
    }

    async fn list_threads(&self, mut list: ListThreads) -> Result<Page<ThreadSummary>> {
        let checked = self.limits.check_list_threads(&list);
        let done = async {
            list.limit = checked?;
            offers_consistency(list.consistency)?;
            self.store.threads(&list).await
        };
        self.store.in_one(done).await.map_err(|error| error.with_op("list_threads"))
    }

    async fn touch_thread(&self, touch: TouchThread) -> Result<bool> {
        let checked = self.limits.check_touch(&touch).and_then(|()| self.offers_touch(&touch));
        let done = async {
            checked?;
            self.store.touch(&touch).await
        };
        self.store.in_one(done).await.map_err(|error| error.with_op("touch_thread"))
    }

    async fn delete_thread_opts(&self, delete: DeleteThread) -> Result<bool> {
        let checked = self.limits.check_delete(&delete);
        let done = async {
            checked?;
            self.offers_delete(&delete)?;
            self.cache.forget(&delete.thread);
            self.store.delete(&delete).await.map(|deleted| deleted.is_some())
        };
        done.await.map_err(|error| error.with_op("delete_thread"))
    }

    async fn delete_for_runs_opts(&self, delete: DeleteRuns) -> Result<u64> {
        let checked = self.limits.check_runs(&delete).and_then(|()| self.offers_runs(&delete));
        let done = async {
            checked?;
            self.delete_runs(&delete).await
        };
        done.await.map_err(|error| error.with_op("delete_for_runs"))
    }

    async fn copy_thread_opts(
        &self,
        from: &ThreadId,
        to: &ThreadId,
        options: CopyOptions,
    ) -> Result<u64> {
        let checked = self.limits.check_copy(from, to, &options);
        let checked = checked.and_then(|()| self.offers_copy(&options));
        let done = async {
            checked?;
            self.copy(from, to, &options).await
        };
        done.await.map_err(|error| error.with_op("copy_thread"))
    }

    async fn prune(&self, threads: &[ThreadId], options: PruneOptions) -> Result<PruneReport> {
        let checked = self.limits.check_prune(threads, &options);
        let checked = checked.and_then(|()| self.offers_prune(&options));
        let done = async {
            checked?;
            self.prune_all(threads, &options).await
        };
        done.await.map_err(|error| error.with_op("prune"))
    }

    async fn channel_history(&self, history: HistoryOptions) -> Result<ChannelHistories> {
        let checked = self.limits.check_history(&history);
        let checked = checked.and(offers_consistency(history.consistency));
        let done = async {
            checked?;
            self.history(&history).await
        };
        done.await.map_err(|error| error.with_op("channel_history"))
    }

    async fn watch_threads(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        let checked = thread.as_ref().map_or(Ok(()), |thread| self.limits.check_thread(thread));
        let done = async {
            checked?;
            self.store.watch(thread).await
        };
        done.await.map_err(|error| error.with_op("watch_threads"))
    }
}
