//! What users of a checkpoint store call.

use std::future::Future;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Checkpoint, CheckpointDiff, CheckpointId, CheckpointNamespace, CheckpointRef, CheckpointTuple,
    Checkpointer, CopyOptions, DeleteRuns, DeleteThread, GetCheckpoint, ListCheckpoints,
    ListThreads, PruneOptions, PruneReport, PutCheckpoint, Retention, ThreadId, ThreadSummary,
};
use crate::{BoxStream, Error, Page, PageToken, Result};

/// What users call, implemented for every [`Checkpointer`].
///
/// [`save`](Self::save), [`load`](Self::load) and [`list_of`](Self::list_of) are enough where a
/// thread has one state after the other. Errors are those of the driver method behind each, unless
/// it says otherwise.
pub trait CheckpointerExt: Checkpointer {
    /// Reads the latest checkpoint of the root namespace of `thread`; `None` when there is none.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn latest(
        &self,
        thread: impl Into<ThreadId> + Send,
    ) -> impl Future<Output = Result<Option<CheckpointTuple>>> + Send {
        async move { self.get_checkpoint(GetCheckpoint::latest(thread)).await }
    }

    /// Reads one checkpoint; `None` when it is absent.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn at(
        &self,
        reference: &CheckpointRef,
    ) -> impl Future<Output = Result<Option<CheckpointTuple>>> + Send {
        async move {
            let get = GetCheckpoint::at(reference.thread.clone(), reference.id.clone());
            self.get_checkpoint(get.with_namespace(reference.namespace.clone())).await
        }
    }

    /// Saves a checkpoint in the root namespace of `thread`, after the latest one, and returns
    /// where it is. Its id must be greater than that of the latest; its state is its body, and
    /// channels that it names keep the values that they have.
    ///
    /// Reads the latest checkpoint and puts: two round trips, where the store needs one for each.
    /// Two who save at once make two branches, as two puts do. A checkpoint that is saved twice is
    /// there once.
    ///
    /// # Errors
    /// `Conflict` when a later checkpoint is there, or another one under this id; otherwise those
    /// of [`get_checkpoint`](Checkpointer::get_checkpoint) and
    /// [`put_checkpoint`](Checkpointer::put_checkpoint).
    ///
    /// # Cancellation
    /// Dropping the future takes nothing back: the checkpoint is there whole, or not at all.
    fn save(
        &self,
        thread: impl Into<ThreadId> + Send,
        checkpoint: Checkpoint,
    ) -> impl Future<Output = Result<CheckpointRef>> + Send {
        async move {
            let thread = thread.into();
            let id = &checkpoint.id;
            let parent = match self.latest(thread.clone()).await? {
                Some(latest) if latest.reference.id < *id => Some(latest.reference.id),
                Some(latest) if latest.reference.id == *id => latest.parent,
                // Perhaps it was saved before the later ones.
                Some(_) => match self.at(&CheckpointRef::new(thread.clone(), id.clone())).await? {
                    Some(saved) => saved.parent,
                    None => {
                        return Err(Error::conflict("a later checkpoint is there").with_op("save"));
                    }
                },
                None => None,
            };
            let put = PutCheckpoint::new(thread, checkpoint).with_parent(parent);
            Ok(self.put_checkpoint(put).await?.reference)
        }
    }

    /// Reads the latest checkpoint of the root namespace of `thread` without what belongs to it;
    /// `None` when there is none. [`latest`](Self::latest) tells values, metadata and writes too.
    ///
    /// One read of the latest checkpoint; its errors are those of
    /// [`get_checkpoint`](Checkpointer::get_checkpoint). Dropping the future has no effect.
    fn load(
        &self,
        thread: impl Into<ThreadId> + Send,
    ) -> impl Future<Output = Result<Option<Checkpoint>>> + Send {
        async move { Ok(self.latest(thread).await?.map(|latest| latest.checkpoint)) }
    }

    /// Lists all checkpoints of the root namespace of `thread` as a stream, newest first, with
    /// what belongs to each. Pages are read as the stream is, 100 checkpoints at most; dropping it
    /// has no effect. The stream ends with the first error, one of
    /// [`list_checkpoints`](Checkpointer::list_checkpoints).
    fn list_of(&self, thread: impl Into<ThreadId>) -> BoxStream<'_, Result<CheckpointTuple>> {
        let root = CheckpointNamespace::root();
        let list = ListCheckpoints::of(thread).with_namespace(Some(root));
        self.list(list.with_limit(usize::MAX))
    }

    /// Lists checkpoints as a stream, newest first: `list.limit` of them, or all where
    /// `usize::MAX` is given. Pages are read as the stream is.
    ///
    /// Cancellation: dropping the stream ends the listing and has no effect on the store.
    fn list(&self, list: ListCheckpoints) -> BoxStream<'_, Result<CheckpointTuple>> {
        let limit = list.limit;
        if limit == 0 {
            return refused("the limit of a listing is 0");
        }
        pages(move |token| {
            let page = list.clone().with_token(token).with_limit(limit.min(100));
            async move { self.list_checkpoints(page).await }
        })
        .take(limit)
        .boxed()
    }

    /// Lists all threads as a stream, in the order of
    /// [`list_threads`](Checkpointer::list_threads).
    ///
    /// Cancellation: dropping the stream ends the listing and has no effect on the store.
    fn threads(&self) -> BoxStream<'_, Result<ThreadSummary>> {
        pages(move |token| async move {
            self.list_threads(ListThreads::new().with_token(token)).await
        })
        .boxed()
    }

    /// Deletes a thread with everything that belongs to it and returns whether there was one.
    ///
    /// Cancellation: dropping the future does not take it back; the thread is deleted whole or not at
    /// all, and what it held may stay in the store, out of sight.
    fn delete_thread(
        &self,
        thread: impl Into<ThreadId> + Send,
    ) -> impl Future<Output = Result<bool>> + Send {
        async move { self.delete_thread_opts(DeleteThread::new(thread)).await }
    }

    /// Deletes the checkpoints of runs in all threads, with their writes, and returns how many there
    /// were.
    ///
    /// Cancellation: dropping the future leaves any of the steps made or not, each of them whole.
    fn delete_for_runs(&self, runs: &[String]) -> impl Future<Output = Result<u64>> + Send {
        let delete = DeleteRuns::new(runs);
        async move { self.delete_for_runs_opts(delete).await }
    }

    /// Copies a thread under another name and returns how many checkpoints the copy has.
    ///
    /// Cancellation: dropping the future leaves the whole copy or none; a part of it may stay in the
    /// store, out of sight.
    fn copy_thread(
        &self,
        from: impl Into<ThreadId> + Send,
        to: impl Into<ThreadId> + Send,
    ) -> impl Future<Output = Result<u64>> + Send {
        async move { self.copy_thread_opts(&from.into(), &to.into(), CopyOptions::new()).await }
    }

    /// Makes the thread `to` of one checkpoint and what it descends from, and returns how many
    /// checkpoints that are.
    ///
    /// Cancellation: as of [`copy_thread`](Self::copy_thread).
    fn fork(
        &self,
        from: &CheckpointRef,
        to: impl Into<ThreadId> + Send,
    ) -> impl Future<Output = Result<u64>> + Send {
        async move {
            let part: (CheckpointNamespace, CheckpointId) =
                (from.namespace.clone(), from.id.clone());
            let options = CopyOptions::new().with_up_to(Some(part));
            self.copy_thread_opts(&from.thread, &to.into(), options).await
        }
    }

    /// Tells what changed from the checkpoint `a` to the checkpoint `b`, of one thread or two.
    ///
    /// # Errors
    /// `Invalid` when one of them is absent.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    fn diff(
        &self,
        a: &CheckpointRef,
        b: &CheckpointRef,
    ) -> impl Future<Output = Result<CheckpointDiff>> + Send {
        async move {
            let absent =
                || Error::invalid("a checkpoint to compare does not exist").with_op("diff");
            let from = self.at(a).await?.ok_or_else(absent)?;
            let to = self.at(b).await?.ok_or_else(absent)?;
            Ok(CheckpointDiff::between(&from, &to))
        }
    }

    /// Prunes one thread by `retention`.
    ///
    /// Cancellation: dropping the future leaves any of the steps made or not, each of them whole.
    fn prune_thread(
        &self,
        thread: impl Into<ThreadId> + Send,
        retention: Retention,
    ) -> impl Future<Output = Result<PruneReport>> + Send {
        async move { self.prune(&[thread.into()], PruneOptions::new(retention)).await }
    }
}

impl<C: Checkpointer + ?Sized> CheckpointerExt for C {}

/// The items of all pages that `read` gives.
fn pages<'a, T, Reading>(
    read: impl FnMut(Option<PageToken>) -> Reading + Send + 'a,
) -> BoxStream<'a, Result<T>>
where
    T: Send + 'a,
    Reading: Future<Output = Result<Page<T>>> + Send + 'a,
{
    stream::try_unfold(Some((None, read)), |state| async move {
        let Some((token, mut read)) = state else { return Ok::<_, Error>(None) };
        let page = read(token).await?;
        let next = page.next.map(|token| (Some(token), read));
        Ok(Some((stream::iter(page.items).map(Ok), next)))
    })
    .try_flatten()
    .boxed()
}

fn refused<T: Send + 'static>(why: &'static str) -> BoxStream<'static, Result<T>> {
    stream::once(async move { Err(Error::invalid(why).with_op("list")) }).boxed()
}
