//! The file store, its builder, and the backend that it opens.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::ReadableTable;
use state_core::{Clock, Limits, Namespace, Result};

use super::answer::answer;
use super::format;
use super::handle::Handle;
use super::keys;
use super::names::Name;
use super::opening::Origin;
use super::place::Place;
use super::settings::{CommitMode, Settings};
use super::shared::Shared;
use super::source::Source;
use super::space::{FileSpace, read_guarded};
use super::work::Task;
use crate::backend::{Local, backend_faces};

/// A durable store in one file, shared by its clones and by the backends that it opens.
///
/// # Promise
/// A write that was acknowledged survives the end of the process, however it ends, and a power
/// cut. Writes that wait at the same time share one commit and one sync, so that many tasks
/// write much faster together than one alone. Reads see what is committed and wait for nobody.
///
/// # One at a time
/// One process at a time can open a file, and once. A second opening is `Unavailable` and says
/// so. The store is closed when the last of its clones, backends and snapshots goes, or by
/// [`close`](Self::close); the file can be opened again after that. Dropping the last one waits
/// for the writer thread to close the file, which makes it smaller first where that is due
/// ([`compact_bytes_max`](FileStoreBuilder::compact_bytes_max)); `close` waits without blocking a
/// thread.
///
/// # When the disk fails
/// A write gets an error that says whether it was applied, and the file is opened again: calls
/// succeed when the disk does. A damaged file is `Corrupt` and never read as if nothing had
/// happened: each record has a checksum, and files up to
/// [`verify_bytes_max`](FileStoreBuilder::verify_bytes_max), 256 MiB by default, are checked when they
/// are opened. In a larger file that is damaged a key may read as absent, and listings may end early,
/// until [`verify`](Self::verify) is called; no read returns another value than was written. The
/// program `statectl` sets 16 MiB, and reads everything with `statectl info --verify`. A file that is deleted or replaced while it is open fails writes until it is back.
///
/// # Cost
/// Reads and writes cost `O(log n)` of the records in the file. A snapshot that is not read to
/// its end keeps the pages that it can still see, so that the file grows while others write.
///
/// ```
/// # use state_local::FileStore;
/// # use state_core::{Namespace, StateBackendExt};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("shop.state");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = FileStore::at(&path).await?;
/// let carts = store.open(Namespace::new("carts")?)?;
/// carts.put("user:7", "3 apples").await?;
/// store.close().await?;
///
/// let carts = FileStore::at(&path).await?.open(Namespace::new("carts")?)?;
/// assert_eq!(carts.get("user:7").await?.as_deref(), Some(b"3 apples".as_slice()));
/// # state_core::Result::<()>::Ok(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileStore {
    handle: Arc<Handle>,
}

/// Shows where the store lies; what waits to be written is nobody's business.
impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format_args!("{}", self.handle.shared.place);
        f.debug_struct("FileStore").field("place", &place).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the store in the file `path`, or creates it, with default settings. Its folder must
    /// exist.
    ///
    /// # Errors
    /// As [`FileStoreBuilder::open`].
    ///
    /// Cancellation: dropping the future closes the store again.
    pub async fn at(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path).await
    }

    /// A store with settings of your own.
    pub fn builder() -> FileStoreBuilder {
        FileStoreBuilder::default()
    }

    /// Opens `namespace`, empty at first; every opening of it sees the same entries.
    ///
    /// # Errors
    /// None today; a store may come to limit its namespaces.
    pub fn open(&self, namespace: Namespace) -> Result<FileBackend> {
        let space = self.handle.space(namespace);
        Ok(FileBackend { inner: Local::new(space), store: self.clone() })
    }

    /// The namespaces that hold something or have held it, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Closed` or `Corrupt` when the file cannot be read.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        let shared = &self.handle.shared;
        let current = shared.current()?;
        let tables = current.view.namespace(&[], 0, 0);
        let (start, end) = ([format::NAMESPACES], [format::NAMESPACES + 1]);
        read_guarded(shared, &current, || {
            let meta = tables.table(Name::Meta)?;
            let range = ReadableTable::range::<&[u8]>(meta, start.as_slice()..end.as_slice());
            let mut names = Vec::new();
            for item in range.map_err(|error| tables.failure(error))? {
                let (key, record) = item.map_err(|error| tables.failure(error))?;
                let counted = format::counts(key.value(), record.value());
                let name = key.value().get(1..).and_then(keys::namespace);
                names.push(
                    name.filter(|_| counted.is_some()).ok_or_else(|| shared.place.damaged())?,
                );
            }
            names.sort();
            Ok(names)
        })
    }

    /// The number of commits made since the store was opened. Less than the number of writes,
    /// because those that wait together share one.
    pub fn commits(&self) -> u64 {
        self.handle.shared.commits()
    }

    /// Makes the file as small as it can be, and returns whether it shrank. Space that is freed
    /// is used again without it; a store that has grown in many places at once, as threads of
    /// checkpoints do, has pages that are half empty, and those only this fills. It is done by
    /// itself when a store of moderate size is closed
    /// ([`compact_bytes_max`](FileStoreBuilder::compact_bytes_max)).
    ///
    /// Checks every page, and then writes the whole file anew, table by table and each in one transaction, so the file is
    /// larger meanwhile, at most by the largest table. Writes wait until it is done, and reads are
    /// `Unavailable` meanwhile.
    ///
    /// # Errors
    /// `Unavailable` while a snapshot is being read; `Closed`; `Corrupt`.
    ///
    /// Cancellation: dropping the future does not stop it; the file is made smaller all the same.
    pub async fn compact(&self) -> Result<bool> {
        self.task(Task::Compact).await
    }

    /// Reads the whole file and checks every page of it. Writes wait until it is done, and reads
    /// are `Unavailable` meanwhile.
    ///
    /// # Errors
    /// `Corrupt` when the file is damaged; `Unavailable` while a snapshot is being read;
    /// `Closed`.
    ///
    /// Cancellation: dropping the future does not stop it; writes wait until the file is read.
    pub async fn verify(&self) -> Result<()> {
        self.task(Task::Verify).await
    }

    /// Finishes the writes that wait, closes the file, and waits until that is done. Every call
    /// made later, through any backend of the store, is `Closed`.
    ///
    /// # Errors
    /// What kept the store from working, if it did not work when it was closed.
    ///
    /// Cancellation: dropping the future does not take it back; the store is closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.handle.shared.queue.close();
        self.handle.shared.finished().await
    }

    #[cfg(test)]
    pub(super) fn space_of(&self, namespace: Namespace) -> Arc<FileSpace> {
        self.handle.space(namespace)
    }

    async fn task<T>(
        &self,
        task: impl FnOnce(super::answer::Sender<Result<T>>) -> Task,
    ) -> Result<T> {
        let shared = &self.handle.shared;
        let (sender, receiver) = answer();
        if !shared.queue.push_task(task(sender)) {
            return Err(shared.place.closed());
        }
        receiver.await.unwrap_or_else(|| Err(shared.place.closed()))
    }
}

/// The settings of a [`FileStore`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct FileStoreBuilder {
    settings: Settings,
}

impl FileStoreBuilder {
    /// Takes the time from `clock`. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Sets the limits. Default: [`Limits::DEFAULT`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets the lifetime that a write gets which names none: 1 ms to 10 years, or opening is
    /// refused. Default: none.
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.settings.default_ttl = Some(default_ttl);
        self
    }

    /// Lets transactions span partitions, which stores of several nodes cannot do.
    pub fn cross_partition_transactions(mut self, allowed: bool) -> Self {
        self.settings.cross_partition = allowed;
        self
    }

    /// Sets how many changes each namespace retains for watchers, at least 1. Default: 10,000.
    pub fn change_log_events_max(mut self, events: usize) -> Self {
        self.settings.change_log_events_max = events;
        self
    }

    /// Sets how many bytes of the file may be kept in memory, read or about to be written.
    /// Default: 64 MiB.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.settings.cache_bytes = bytes;
        self
    }

    /// Sets how many writes one commit may hold. Default: 4,096.
    pub fn group_ops_max(mut self, ops: usize) -> Self {
        self.settings.group_ops_max = ops;
        self
    }

    /// Sets after how many written bytes a commit takes no further writes. Default: 16 MiB.
    pub fn group_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.group_bytes_max = bytes;
        self
    }

    /// Sets how many writes may wait for their commit; further ones wait for room first.
    /// Default: 16,384.
    pub fn waiting_ops_max(mut self, ops: usize) -> Self {
        self.settings.waiting_ops_max = ops;
        self
    }

    /// Sets up to which size in bytes a file is checked as a whole when it is opened, which
    /// reads all of it; larger ones are checked record by record as they are read, and by
    /// [`verify`](FileStore::verify). 0 for never. Default: 256 MiB.
    pub fn verify_bytes_max(mut self, bytes: u64) -> Self {
        self.settings.verify_bytes_max = bytes;
        self
    }

    /// Sets how a commit reaches the disk. Default: [`CommitMode::OnePhase`].
    pub fn commit_mode(mut self, mode: CommitMode) -> Self {
        self.settings.commit_mode = mode;
        self
    }

    /// Sets up to how many bytes in use a file is made as small as it can be when the store is
    /// closed, as [`compact`](FileStore::compact) does it: where something was written, and what is
    /// in use has grown by a quarter since that was done last, or is less than a third of the file.
    /// A file below 256 KiB stays as it is, and so does one that a snapshot is being read from.
    /// Closing reads what is in use to find that out, and writes all of it where it is due; in the
    /// long run that is in proportion to the pages by which the file has grown. 0 for never.
    /// Default: 64 MiB.
    pub fn compact_bytes_max(mut self, bytes: u64) -> Self {
        self.settings.compact_bytes_max = bytes;
        self
    }

    /// Opens the store in the file `path`, or creates it. Its folder must exist.
    ///
    /// After an unclean end the whole file is checked, which takes time in proportion to it,
    /// except with [`CommitMode::QuickRepair`].
    ///
    /// # Cancellation
    /// Dropping the future closes the store again, and waits for that; a store that was being made is there whole, and empty,
    /// or not at all.
    ///
    /// # Errors
    /// `Unavailable` when another process has the file open, or this one; `Denied` without the
    /// permissions; `Invalid` for a folder, a path in no folder or that no file can have, and for
    /// settings that are out of range; `Corrupt` for a damaged file and one of another kind; `Unsupported` for the
    /// format of a newer version of this library.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<FileStore> {
        // The store stays where it is when the process goes to another folder.
        let path = std::path::absolute(path.as_ref())
            .map_err(|error| Place::of_path(path.as_ref()).io(error))?;
        let place = Place::of_path(&path);
        self.open_origin(Origin::Path(path), place).await
    }

    /// Opens the store on a storage of your own, or creates it there. For tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Cancellation
    /// As [`open`](Self::open), except that an empty storage may be left with the beginning of a store.
    #[cfg(feature = "simulation")]
    pub async fn open_storage(
        self,
        storage: Arc<dyn super::storage::Storage>,
    ) -> Result<FileStore> {
        self.open_origin(Origin::Storage(storage), Place::simulated()).await
    }

    async fn open_origin(self, origin: Origin, place: Place) -> Result<FileStore> {
        self.settings.check()?;
        let shared = Shared::new(origin, place, self.settings.waiting_ops_max);
        Ok(FileStore { handle: Handle::open(shared, self.settings).await? })
    }
}

/// One namespace of a [`FileStore`], which it keeps open.
pub struct FileBackend {
    inner: Local<FileSpace>,
    store: FileStore,
}

impl FileBackend {
    /// Opens the default namespace of the store in the file `path`, or creates the store, with
    /// default settings.
    ///
    /// # Errors
    /// As [`FileStoreBuilder::open`].
    ///
    /// # Cancellation
    /// As [`FileStoreBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        FileStore::at(path).await?.open(Namespace::default())
    }

    /// The store of this namespace.
    pub fn store(&self) -> &FileStore {
        &self.store
    }
}

backend_faces!(FileBackend);
