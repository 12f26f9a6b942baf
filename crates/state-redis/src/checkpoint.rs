//! Threads of checkpoints natively on the server: a constant number of keys for each, all in one
//! slot, and one script for each operation. `docs/key-layout.md` shows the keys.

mod answer;
mod append;
mod ask;
mod copy;
mod deadline;
mod delete;
mod gone;
mod head;
mod index;
mod known;
mod load;
mod open;
mod page;
mod remember;
mod remove;
mod runs;
mod scripts;
mod sweep;
mod touch;
mod values;
mod watch;
mod writes;

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use state_checkpoint::{
    Append, AppendWrites, Appended, CheckpointOptions, CopyThread, Keep, Life, Load, Loaded,
    ReadPage, RecordPage, Remove, Removed, ThreadStore, Values, Want, WritesAppended, WritesPage,
};
use state_core::checkpoint::{
    CheckpointLimits, DeleteThread, ListThreads, ThreadEvent, ThreadId, ThreadSummary, TouchThread,
};
use state_core::{Acks, BackendInfo, BoxStream, Namespace, Page, Result};
use tokio::time::Instant;

pub use open::{ConnectCheckpointer, RedisCheckpointer};

use self::remember::Memory;
use crate::client::{Client, Offers};
use crate::config::RedisConfig;
use crate::keys::ThreadKeys;
use crate::pubsub::Channels;

/// The largest payload: all that is new in a put is one call, and one answer.
const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// The most writes of one call: it is one script, and the server does nothing else meanwhile.
const WRITES_MAX: usize = 12_000;

/// Threads of checkpoints in one namespace of a [`RedisStore`](crate::RedisStore).
///
/// Cloning is cheap; clones share connections and what they know of threads.
#[derive(Clone, Debug)]
pub struct RedisThreads {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    config: Arc<RedisConfig>,
    offers: Offers,
    namespace: Namespace,
    keys: ThreadKeys,
    channels: Channels,
    options: CheckpointOptions,
    memory: Memory,
}

impl RedisThreads {
    pub(crate) fn new(
        client: Client,
        config: Arc<RedisConfig>,
        offers: Offers,
        namespace: Namespace,
        options: CheckpointOptions,
    ) -> Result<Self> {
        if let Some(lifetime) = options.lifetime {
            state_core::Limits::check_lifetime(lifetime)?;
        }
        let keys = ThreadKeys::new(&config.key_prefix, &namespace);
        let channels = Channels::new(&config.key_prefix);
        let memory = Memory::default();
        let inner = Inner { client, config, offers, namespace, keys, channels, options, memory };
        Ok(Self { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl ThreadStore for RedisThreads {
    fn in_one<T>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
        deadline::until(Instant::now() + self.inner.config.call_timeout(), call)
    }

    fn info(&self) -> BackendInfo {
        let inner = &self.inner;
        BackendInfo::new("redis", inner.namespace.clone())
            .with_location(inner.config.redacted_url())
            .with_server(inner.offers.server.as_ref())
    }

    fn limits(&self) -> CheckpointLimits {
        let most = PAYLOAD_BYTES_MAX.min(self.inner.config.value_bytes_max);
        let mut limits = CheckpointLimits::DEFAULT.with_payload_bytes_max(most);
        limits.writes_max = WRITES_MAX;
        limits
    }

    fn check_acks(&self, acks: Acks) -> Result<()> {
        self.inner.acks(acks).map(drop)
    }

    fn check_expiry(&self) -> Result<()> {
        Ok(())
    }

    async fn load(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        self.inner.load_checkpoint(load).await
    }

    async fn values(&self, thread: &ThreadId, life: Life, want: &Want) -> Result<Option<Values>> {
        self.inner.read_values(thread, life, want).await
    }

    async fn append(&self, append: &Append) -> Result<Appended> {
        let appended = self.inner.append_checkpoint(append).await;
        self.clear_grown();
        appended
    }

    async fn append_writes(&self, writes: &AppendWrites) -> Result<WritesAppended> {
        let appended = self.inner.append_pending(writes).await;
        self.clear_grown();
        appended
    }

    async fn page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>> {
        self.inner.read_page(page).await
    }

    async fn writes(
        &self,
        thread: &ThreadId,
        life: Life,
        after: Option<Bytes>,
    ) -> Result<Option<WritesPage>> {
        self.inner.read_writes(thread, life, after).await
    }

    async fn remove(&self, remove: &Remove) -> Result<Option<Removed>> {
        self.inner.remove_records(remove).await
    }

    async fn sweep(&self, thread: &ThreadId, keep: &Keep) -> Result<bool> {
        self.inner.sweep_content(thread, keep).await
    }

    async fn copy(&self, copy: &CopyThread) -> Result<Option<u64>> {
        let copied = self.inner.copy_thread(copy).await;
        self.clear_grown();
        copied
    }

    async fn drop_empty(&self, thread: &ThreadId, acks: Acks) -> Result<()> {
        let delete = DeleteThread::new(thread.clone()).with_acks(acks);
        self.inner.delete_if(&delete, true).await.map(drop)
    }

    async fn touch(&self, touch: &TouchThread) -> Result<bool> {
        self.inner.touch_thread(touch).await
    }

    async fn delete(&self, delete: &DeleteThread) -> Result<Option<u64>> {
        self.inner.delete_thread(delete).await
    }

    async fn threads(&self, list: &ListThreads) -> Result<Page<ThreadSummary>> {
        self.inner.list_summaries(list).await
    }

    async fn threads_of_run(&self, run: &str) -> Result<Vec<ThreadId>> {
        self.inner.threads_of(run).await
    }

    async fn watch(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        Arc::clone(&self.inner).follow(thread).await
    }
}
