//! Threads over any backend that offers transactions and ordered listings.
//!
//! All rows of a thread lie in one partition, and every change of a thread is one transaction
//! that checks and rewrites its head. So changes of a thread happen one after the other, and
//! whatever was read beside a head is of one time with it as long as that has not changed.

mod append;
mod copy;
mod delete;
mod edit;
mod index;
mod keys;
mod load;
mod page;
mod remove;
mod rows;
mod sweep;
mod threads;
mod touch;
mod values;
mod watch;
mod writes;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use state_core::checkpoint::{
    CheckpointLimits, DeleteThread, ListThreads, ThreadEvent, ThreadId, ThreadSummary, TouchThread,
};
use state_core::{
    Acks, BackendInfo, BoxStream, Capability, Consistency, Error, ErrorKind, GetOptions, Key,
    ListOptions, Outcome, Page, Result, Scope, StateBackend, Version,
};

use self::index::Indexed;
use self::rows::Head;
use crate::options::CheckpointOptions;
use crate::store::{
    Append, AppendWrites, Appended, CopyThread, Keep, Life, Load, Loaded, ReadPage, RecordPage,
    Remove, Removed, ThreadStore, Values, Want, WritesAppended, WritesPage,
};

/// Longer ids would not fit into keys.
const ID_BYTES_MAX: usize = 240;
/// The content of a put must fit into one transaction, as rows of 64 KiB.
const PAYLOAD_BYTES_MAX: usize = 32 << 20;
/// How often a change is tried while others change the same thread, and a read while it changes.
const TRIES: usize = 1_000;
/// Rows read in one call.
const ROWS_PER_CALL: usize = 1_000;

/// Threads in a backend.
///
/// Cloning is cheap; clones share the backend.
#[derive(Clone, Debug)]
pub struct BackendThreads {
    backend: Arc<dyn StateBackend>,
    options: CheckpointOptions,
    indexed: Arc<Indexed>,
}

/// The head of a thread and what was read with it.
#[derive(Clone, Debug)]
struct Seen {
    head: Option<(Head, Version)>,
    tombstone: bool,
}

impl Seen {
    fn version(&self) -> Option<Version> {
        self.head.as_ref().map(|(_, version)| *version)
    }
}

impl BackendThreads {
    /// Threads in `backend`, whose namespace they should have for themselves. No round trip.
    ///
    /// # Errors
    /// `Unsupported` where the backend offers no transactions or no ordered listings, where it may
    /// evict entries, and where a lifetime is configured and it offers none; `Invalid` for a bad
    /// lifetime.
    pub fn new(backend: Arc<dyn StateBackend>, options: CheckpointOptions) -> Result<Self> {
        let capabilities = backend.capabilities();
        if backend.as_transact().is_none() || !capabilities.has(Capability::Transact) {
            return Err(Error::unsupported("a thread, which needs transactions,"));
        }
        if !capabilities.has(Capability::OrderedList) {
            return Err(Error::unsupported("a thread, which needs ordered listings,"));
        }
        if capabilities.has(Capability::Eviction) {
            // A row that is evicted is not told from one that was removed.
            return Err(Error::unsupported("a thread, which must not lose parts to an eviction,"));
        }
        if let Some(lifetime) = options.lifetime {
            state_core::Limits::check_lifetime(lifetime)?;
            if !capabilities.has(Capability::Expiry) {
                return Err(Error::unsupported("a lifetime"));
            }
        }
        Ok(Self { backend, options, indexed: Arc::default() })
    }

    /// The head of a thread, and whether a tombstone stands where it is absent.
    async fn see(&self, thread: &ThreadId) -> Result<Seen> {
        let keys = [keys::head(thread), keys::tombstone(thread)];
        let mut entries = self.backend.get_many(&keys, GetOptions::new()).await?.into_iter();
        let mut next = || entries.next().unwrap_or_else(|| Err(short_answer()));
        let head = match next()? {
            Some(entry) => {
                let body = rows::open(&keys[0], &entry.value)?;
                Some((Head::decode(&body)?, entry.version))
            }
            None => None,
        };
        Ok(Seen { head, tombstone: next()?.is_some() })
    }

    /// The head of a thread alone.
    async fn head(
        &self,
        thread: &ThreadId,
        consistency: Consistency,
    ) -> Result<Option<(Head, Version)>> {
        let key = keys::head(thread);
        let options = GetOptions::new().with_consistency(consistency);
        let Some(entry) = self.backend.get_opts(&key, options).await? else { return Ok(None) };
        let body = rows::open(&key, &entry.value)?;
        Ok(Some((Head::decode(&body)?, entry.version)))
    }

    /// The values of rows as they are stored; `None` for one that is absent.
    async fn raw_rows(&self, keys: &[Key], consistency: Consistency) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ROWS_PER_CALL) {
            let options = GetOptions::new().with_consistency(consistency);
            let entries = self.backend.get_many(keys, options).await?;
            if entries.len() != keys.len() {
                return Err(short_answer());
            }
            for entry in entries {
                values.push(entry?.map(|entry| entry.value));
            }
        }
        Ok(values)
    }

    /// The bodies of rows; `None` for one that is absent.
    async fn rows(&self, keys: &[Key], consistency: Consistency) -> Result<Vec<Option<Bytes>>> {
        let values = self.raw_rows(keys, consistency).await?;
        let opened = keys
            .iter()
            .zip(values)
            .map(|(key, value)| value.map(|value| rows::open(key, &value)).transpose());
        opened.collect()
    }

    /// All names of a partition that begin with `prefix`, in order.
    async fn names(
        &self,
        partition: &Bytes,
        prefix: &[u8],
        consistency: Consistency,
    ) -> Result<Vec<Key>> {
        let mut options = ListOptions::new(Bytes::copy_from_slice(prefix))
            .with_scope(Scope::Partition(partition.clone()))
            .with_consistency(consistency);
        let mut names = Vec::new();
        loop {
            let page = self.backend.list_page(options.clone()).await?;
            names.extend(page.items.into_iter().map(|meta| meta.key));
            match page.next {
                Some(token) => options.token = Some(token),
                None => return Ok(names),
            }
        }
    }
}

fn short_answer() -> Error {
    Error::new(ErrorKind::Internal, "the backend answered for fewer keys than it was asked for")
}

/// Others changed the thread each time.
fn too_busy() -> Error {
    Error::new(ErrorKind::Overloaded, "too many write to the thread at once")
        .with_outcome(Outcome::NotApplied)
}

fn lost(what: &'static str) -> Error {
    Error::corrupt(format!("{what} of a thread is missing"))
}

#[async_trait]
impl ThreadStore for BackendThreads {
    fn in_one<T>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
        call
    }

    fn info(&self) -> BackendInfo {
        self.backend.info()
    }

    fn limits(&self) -> CheckpointLimits {
        CheckpointLimits::DEFAULT
            .with_id_bytes_max(ID_BYTES_MAX)
            .with_payload_bytes_max(PAYLOAD_BYTES_MAX)
    }

    fn check_acks(&self, acks: Acks) -> Result<()> {
        let offered = |capability| self.backend.capabilities().has(capability);
        match acks {
            Acks::Primary | Acks::Strong | Acks::Replicas(0) => Ok(()),
            Acks::Replicas(_) if offered(Capability::AckReplicas) => Ok(()),
            Acks::Replicas(_) => Err(Error::unsupported("waiting for replicas")),
            Acks::Fsynced if offered(Capability::AckFsync) => Ok(()),
            Acks::Fsynced => Err(Error::unsupported("waiting for the disk")),
            _ => Err(Error::unsupported("this level of safety")),
        }
    }

    fn check_expiry(&self) -> Result<()> {
        let offered = self.backend.capabilities().has(Capability::Expiry);
        if offered { Ok(()) } else { Err(Error::unsupported("a lifetime")) }
    }

    async fn load(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        self.load_checkpoint(load).await
    }

    async fn values(&self, thread: &ThreadId, life: Life, want: &Want) -> Result<Option<Values>> {
        self.read_values(thread, life, want).await
    }

    async fn append(&self, append: &Append) -> Result<Appended> {
        self.append_checkpoint(append).await
    }

    async fn append_writes(&self, writes: &AppendWrites) -> Result<WritesAppended> {
        self.append_pending(writes).await
    }

    async fn page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>> {
        self.read_page(page).await
    }

    async fn writes(
        &self,
        thread: &ThreadId,
        life: Life,
        after: Option<Bytes>,
    ) -> Result<Option<WritesPage>> {
        self.read_writes_page(thread, life, after).await
    }

    async fn remove(&self, remove: &Remove) -> Result<Option<Removed>> {
        self.remove_records(remove).await
    }

    async fn sweep(&self, thread: &ThreadId, keep: &Keep) -> Result<bool> {
        self.sweep_content(thread, keep).await
    }

    async fn copy(&self, copy: &CopyThread) -> Result<Option<u64>> {
        self.copy_rows(copy).await
    }

    async fn drop_empty(&self, thread: &ThreadId, acks: Acks) -> Result<()> {
        self.delete_empty(thread, acks).await
    }

    async fn touch(&self, touch: &TouchThread) -> Result<bool> {
        self.touch_head(touch).await
    }

    async fn delete(&self, delete: &DeleteThread) -> Result<Option<u64>> {
        self.delete_rows(delete).await
    }

    async fn threads(&self, list: &ListThreads) -> Result<Page<ThreadSummary>> {
        self.list_summaries(list).await
    }

    async fn threads_of_run(&self, run: &str) -> Result<Vec<ThreadId>> {
        self.indexed_threads(run).await
    }

    async fn watch(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        self.watch_rows(thread).await
    }
}
