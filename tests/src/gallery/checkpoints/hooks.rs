//! What a defect does to the calls of an honest checkpointer.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use state_core::checkpoint::{
    ChannelHistories, CheckpointLimits, CheckpointTuple, Checkpointer, CopyOptions, DeleteRuns,
    DeleteThread, GetCheckpoint, HistoryOptions, ListCheckpoints, ListThreads, PruneOptions,
    PruneReport, PutCheckpoint, PutReceipt, PutWrites, ThreadEvent, ThreadId, ThreadSummary,
    TouchThread, WritesReceipt,
};
use state_core::{BackendInfo, BoxStream, Namespace, Page, Result};

use super::store::{Model, ModelStore};

/// What a watch returns.
pub(super) type Events = BoxStream<'static, Result<ThreadEvent>>;

/// A call of one argument.
type Hook<A, B> = Arc<dyn Fn(Model, A) -> BoxFuture<'static, Result<B>> + Send + Sync>;

/// Declares one field per call, the method that sets it, and nothing else.
macro_rules! hooks {
    ($($on:ident => $hook:ident($argument:ty) -> $output:ty;)+) => {
        /// The calls that a defect takes over; every other goes to the honest checkpointer.
        ///
        /// They are made once per fixture, so what they capture is shared by its instances.
        #[derive(Clone, Default)]
        pub(in crate::gallery) struct Hooks {
            pub(super) info: Option<fn(BackendInfo) -> BackendInfo>,
            pub(super) limits: Option<CheckpointLimits>,
            pub(super) place: Option<fn(Namespace) -> Namespace>,
            pub(super) restart: Option<fn(&ModelStore)>,
            $(pub(super) $hook: Option<Hook<$argument, $output>>,)+
        }

        impl Hooks {
            $(pub(super) fn $on<F, Answering>(mut self, hook: F) -> Self
            where
                F: Fn(Model, $argument) -> Answering + Send + Sync + 'static,
                Answering: Future<Output = Result<$output>> + Send + 'static,
            {
                self.$hook = Some(Arc::new(move |model, asked| Box::pin(hook(model, asked))));
                self
            })+
        }
    };
}

hooks! {
    on_put => put(PutCheckpoint) -> PutReceipt;
    on_writes => writes(PutWrites) -> WritesReceipt;
    on_get => get(GetCheckpoint) -> Option<CheckpointTuple>;
    on_list => list(ListCheckpoints) -> Page<CheckpointTuple>;
    on_threads => threads(ListThreads) -> Page<ThreadSummary>;
    on_touch => touch(TouchThread) -> bool;
    on_delete => delete(DeleteThread) -> bool;
    on_runs => runs(DeleteRuns) -> u64;
    on_copy => copy((ThreadId, ThreadId, CopyOptions)) -> u64;
    on_prune => prune((Vec<ThreadId>, PruneOptions)) -> PruneReport;
    on_history => history(HistoryOptions) -> ChannelHistories;
    on_watch => watch(Option<ThreadId>) -> Events;
}

/// Changes what is asked before the honest checkpointer is.
macro_rules! asking {
    ($($method:ident: $on:ident($argument:ty) => $call:ident;)+) => {
        impl Hooks {
            $(pub(super) fn $method(self, change: fn(&Model, &mut $argument)) -> Self {
                self.$on(move |model, mut asked| async move {
                    change(&model, &mut asked);
                    model.$call(asked).await
                })
            })+
        }
    };
}

asking! {
    putting: on_put(PutCheckpoint) => put_checkpoint;
    writing: on_writes(PutWrites) => put_writes;
    getting: on_get(GetCheckpoint) => get_checkpoint;
    listing: on_list(ListCheckpoints) => list_checkpoints;
    deleting: on_delete(DeleteThread) => delete_thread_opts;
    touching: on_touch(TouchThread) => touch_thread;
    rebuilding: on_history(HistoryOptions) => channel_history;
}

/// Does something to the store after a call that went well.
macro_rules! after {
    ($($method:ident: $on:ident($argument:ty) => $call:ident;)+) => {
        impl Hooks {
            $(pub(super) fn $method(self, then: fn(&Model, &$argument)) -> Self {
                self.$on(move |model, asked| async move {
                    let answer = model.$call(asked.clone()).await?;
                    then(&model, &asked);
                    Ok(answer)
                })
            })+
        }
    };
}

after! {
    after_put: on_put(PutCheckpoint) => put_checkpoint;
    after_delete: on_delete(DeleteThread) => delete_thread_opts;
}

impl Hooks {
    /// Changes what is read of checkpoints, one by one or listed.
    pub(super) fn telling(self, change: fn(&mut CheckpointTuple)) -> Self {
        let reading = self.on_get(move |model, asked| async move {
            let mut found = model.get_checkpoint(asked).await?;
            if let Some(tuple) = &mut found {
                change(tuple);
            }
            Ok(found)
        });
        reading.listed(move |_, tuples| tuples.iter_mut().for_each(change))
    }

    /// Changes what a page of a listing shows.
    pub(super) fn listed(
        self,
        change: impl Fn(&Model, &mut Vec<CheckpointTuple>) + Clone + Send + Sync + 'static,
    ) -> Self {
        self.on_list(move |model, asked| {
            let change = change.clone();
            async move {
                let mut page = model.list_checkpoints(asked).await?;
                change(&model, &mut page.items);
                Ok(page)
            }
        })
    }

    /// Changes what is told of threads.
    pub(super) fn summarising(self, change: fn(&Model, &mut Vec<ThreadSummary>)) -> Self {
        self.on_threads(move |model, asked| async move {
            let mut page = model.list_threads(asked).await?;
            change(&model, &mut page.items);
            Ok(page)
        })
    }

    /// Changes what the checkpointer says of itself.
    pub(super) fn saying(mut self, info: fn(BackendInfo) -> BackendInfo) -> Self {
        self.info = Some(info);
        self
    }

    /// Opens another namespace than the one that was named.
    pub(super) fn opening(mut self, place: fn(Namespace) -> Namespace) -> Self {
        self.place = Some(place);
        self
    }

    /// Does something to the store while it is restarted.
    pub(super) fn restarting(mut self, restart: fn(&ModelStore)) -> Self {
        self.restart = Some(restart);
        self
    }
}

/// An honest checkpointer with one defect.
#[derive(Clone)]
pub(super) struct Mutated {
    pub(super) model: Model,
    pub(super) namespace: Namespace,
    pub(super) hooks: Hooks,
}

impl fmt::Debug for Mutated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutated").field("model", &self.model).finish_non_exhaustive()
    }
}

/// Makes a call: by the hook if there is one, else by the honest checkpointer.
macro_rules! call {
    ($mutant:ident.$hook:ident($asked:expr) or $honest:expr) => {
        match &$mutant.hooks.$hook {
            Some(hook) => hook($mutant.model.clone(), $asked).await,
            None => $honest.await,
        }
    };
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Checkpointer for Mutated {
    fn info(&self) -> BackendInfo {
        let mut info = self.model.info();
        info.namespace = self.namespace.clone();
        self.hooks.info.map_or_else(|| info.clone(), |say| say(info.clone()))
    }

    fn limits(&self) -> CheckpointLimits {
        self.hooks.limits.unwrap_or_else(|| self.model.limits())
    }

    async fn put_checkpoint(&self, put: PutCheckpoint) -> Result<PutReceipt> {
        call!(self.put(put) or self.model.put_checkpoint(put))
    }

    async fn put_writes(&self, put: PutWrites) -> Result<WritesReceipt> {
        call!(self.writes(put) or self.model.put_writes(put))
    }

    async fn get_checkpoint(&self, get: GetCheckpoint) -> Result<Option<CheckpointTuple>> {
        call!(self.get(get) or self.model.get_checkpoint(get))
    }

    async fn list_checkpoints(&self, list: ListCheckpoints) -> Result<Page<CheckpointTuple>> {
        call!(self.list(list) or self.model.list_checkpoints(list))
    }

    async fn list_threads(&self, list: ListThreads) -> Result<Page<ThreadSummary>> {
        call!(self.threads(list) or self.model.list_threads(list))
    }

    async fn touch_thread(&self, touch: TouchThread) -> Result<bool> {
        call!(self.touch(touch) or self.model.touch_thread(touch))
    }

    async fn delete_thread_opts(&self, delete: DeleteThread) -> Result<bool> {
        call!(self.delete(delete) or self.model.delete_thread_opts(delete))
    }

    async fn delete_for_runs_opts(&self, delete: DeleteRuns) -> Result<u64> {
        call!(self.runs(delete) or self.model.delete_for_runs_opts(delete))
    }

    async fn copy_thread_opts(
        &self,
        from: &ThreadId,
        to: &ThreadId,
        options: CopyOptions,
    ) -> Result<u64> {
        let asked = (from.clone(), to.clone(), options.clone());
        call!(self.copy(asked) or self.model.copy_thread_opts(from, to, options))
    }

    async fn prune(&self, threads: &[ThreadId], options: PruneOptions) -> Result<PruneReport> {
        let asked = (threads.to_vec(), options.clone());
        call!(self.prune(asked) or self.model.prune(threads, options))
    }

    async fn channel_history(&self, history: HistoryOptions) -> Result<ChannelHistories> {
        call!(self.history(history) or self.model.channel_history(history))
    }

    async fn watch_threads(&self, thread: Option<ThreadId>) -> Result<Events> {
        call!(self.watch(thread) or self.model.watch_threads(thread))
    }
}
