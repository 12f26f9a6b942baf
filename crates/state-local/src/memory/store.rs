//! The memory store, its builder, and the backend that it opens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::{Capability, Clock, Limits, Namespace, Result, SystemClock};

use super::evict::{Eviction, EvictionPolicy};
use super::space::MemorySpace;
use crate::backend::{Local, backend_faces};
use crate::space::Rules;
use crate::sweep::Sweeper;

/// A store in memory, shared by its clones and by the backends that it opens.
///
/// Everything is kept in key order; nothing is kept on disk. Namespaces know nothing of each
/// other, not even a lock. Reads and overwrites cost `O(1)`; what is new, and what goes, costs
/// `O(log n)` of the entries in the namespace.
///
/// ```
/// # use state_local::MemoryStore;
/// # use state_core::{Namespace, StateBackendExt};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let carts = store.open(Namespace::new("carts")?)?;
/// carts.put("user:7", "3 apples").await?;
/// assert_eq!(carts.get("user:7").await?.as_deref(), Some(b"3 apples".as_slice()));
/// # Ok::<(), state_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    settings: MemoryStoreBuilder,
    spaces: Mutex<BTreeMap<Namespace, Arc<MemorySpace>>>,
    sweeper: Arc<Sweeper<MemorySpace>>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("settings", &self.shared.settings).finish()
    }
}

impl MemoryStore {
    /// A store with default settings.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with settings of your own.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    /// Opens `namespace`, empty at first; every opening of it sees the same entries.
    ///
    /// # Errors
    /// None today; a store may come to limit its namespaces.
    pub fn open(&self, namespace: Namespace) -> Result<MemoryBackend> {
        let mut spaces = self.shared.spaces.lock();
        let space = spaces.entry(namespace.clone()).or_insert_with(|| {
            let settings = &self.shared.settings;
            MemorySpace::start(
                namespace,
                settings.rules(),
                Arc::clone(&settings.clock),
                &self.shared.sweeper,
                settings.change_log_events_max,
                settings.eviction.clone(),
            )
        });
        Ok(MemoryBackend { inner: Local::new(Arc::clone(space)) })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The settings of a [`MemoryStore`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct MemoryStoreBuilder {
    clock: Arc<dyn Clock>,
    limits: Limits,
    default_ttl: Option<Duration>,
    cross_partition: bool,
    change_log_events_max: usize,
    eviction: Option<Eviction>,
}

impl fmt::Debug for MemoryStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStoreBuilder")
            .field("clock", &self.clock)
            .field("limits", &self.limits)
            .field("default_ttl", &self.default_ttl)
            .field("cross_partition", &self.cross_partition)
            .field("change_log_events_max", &self.change_log_events_max)
            .field("evicts", &self.eviction.is_some())
            .finish()
    }
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            limits: Limits::DEFAULT,
            default_ttl: None,
            cross_partition: false,
            change_log_events_max: 10_000,
            eviction: None,
        }
    }
}

impl MemoryStoreBuilder {
    /// Takes the time from `clock`. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the limits. Default: [`Limits::DEFAULT`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the lifetime that a write gets which names none: 1 ms to 10 years, or writes are
    /// refused. Default: none.
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.default_ttl = Some(default_ttl);
        self
    }

    /// Lets transactions span partitions, which stores of several nodes cannot do.
    pub fn cross_partition_transactions(mut self, allowed: bool) -> Self {
        self.cross_partition = allowed;
        self
    }

    /// Sets how many changes each namespace retains for watchers. Default: 10,000.
    pub fn change_log_events_max(mut self, events: usize) -> Self {
        self.change_log_events_max = events;
        self
    }

    /// Lets each namespace hold at most `entries_max` entries and evicts, when a new one would
    /// be one too many, what the policy made by `policy` picks. Default: no limit.
    ///
    /// Hashes, leases and fencing marks do not count and are never evicted.
    pub fn evict<P: EvictionPolicy>(
        mut self,
        entries_max: usize,
        policy: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        self.eviction = Some(Eviction::new(entries_max, move || Box::new(policy())));
        self
    }

    /// Builds the store.
    pub fn build(self) -> MemoryStore {
        let sweeper = Arc::new(Sweeper::new(Arc::clone(&self.clock)));
        let shared = Shared { settings: self, spaces: Mutex::default(), sweeper };
        MemoryStore { shared: Arc::new(shared) }
    }

    fn rules(&self) -> Rules {
        let rules = Rules::of_both(self.limits, self.cross_partition, self.default_ttl);
        if self.eviction.is_some() { rules.with(Capability::Eviction) } else { rules }
    }
}

/// One namespace of a [`MemoryStore`].
pub struct MemoryBackend {
    inner: Local<MemorySpace>,
}

impl MemoryBackend {
    /// The default namespace of a store of its own, with default settings.
    pub fn new() -> Self {
        let settings = MemoryStoreBuilder::default();
        let space = MemorySpace::start(
            Namespace::default(),
            settings.rules(),
            Arc::clone(&settings.clock),
            &Arc::new(Sweeper::new(settings.clock)),
            settings.change_log_events_max,
            None,
        );
        Self { inner: Local::new(space) }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

backend_faces!(MemoryBackend);
