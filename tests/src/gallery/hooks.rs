//! What a defect does to the calls of an honest store.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use state_core::{
    AcquireOptions, Acquired, BackendInfo, BoxStream, Bytes, Capabilities, ClearOptions,
    Consistency, CountOptions, DeleteOptions, Deleted, Entry, FenceToken, GetOptions,
    HashPageOptions, HashState, HashWriteOptions, Health, IncrementOptions, Incremented, Key,
    LeaseGrant, LeaseState, ListOptions, ManualClock, MemoryUsage, Meta, Namespace, OwnerId, Page,
    PutOptions, Result, SnapshotOptions, SnapshotRecord, Stats, TouchOptions, Transaction,
    WatchEvent, WatchOptions, WriteOp, WriteOutcome, Written,
};
use state_local::{MemoryBackend, MemoryStore, MemoryStoreBuilder};

/// What a watch or a snapshot returns.
pub(super) type Events = BoxStream<'static, Result<WatchEvent>>;
pub(super) type Records = BoxStream<'static, Result<SnapshotRecord>>;

/// An instance of the honest store that a mutant spoils. It dereferences to the honest backend.
#[derive(Clone, Debug)]
pub(super) struct Honest {
    pub(super) backend: Arc<MemoryBackend>,
    /// The namespace that the mutant was opened with.
    pub(super) namespace: Namespace,
    /// Tells the instances of one fixture apart; the first is 0.
    pub(super) instance: usize,
    /// The store behind all instances of the fixture.
    pub(super) store: MemoryStore,
    pub(super) clock: ManualClock,
}

impl Deref for Honest {
    type Target = MemoryBackend;

    fn deref(&self) -> &MemoryBackend {
        &self.backend
    }
}

/// What a mutant says when it is asked for a role.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum RoleGiven {
    /// Itself.
    #[default]
    Own,
    /// The role of the store that it wraps, which goes around it.
    Inner,
    /// None.
    Nothing,
}

/// The roles that a mutant hands out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RolesGiven {
    pub(super) hash: RoleGiven,
    pub(super) transact: RoleGiven,
    pub(super) watch: RoleGiven,
    pub(super) lease: RoleGiven,
}

/// A change to an answer that no call waits for.
type Said<T> = Arc<dyn Fn(&Honest, T) -> T + Send + Sync>;

/// Which store is there after a restart.
type Restart = Arc<dyn Fn(&MemoryStore, &ManualClock) -> MemoryStore + Send + Sync>;

/// Declares one field per call and the method that sets it.
macro_rules! hooks {
    ($($(#[doc = $doc:literal])* $on:ident => $hook:ident($($type:ty),*) -> $output:ty;)+) => {
        /// The calls that a defect takes over; every other call goes to the honest store.
        ///
        /// The hooks are made once per fixture, so what they capture is shared by its instances.
        #[derive(Clone, Default)]
        pub(super) struct Hooks {
            pub(super) info: Option<Said<BackendInfo>>,
            pub(super) capabilities: Option<Said<Capabilities>>,
            pub(super) roles: RolesGiven,
            pub(super) key: Option<Arc<dyn Fn(&Honest, &Key) -> Key + Send + Sync>>,
            pub(super) namespace: Option<Arc<dyn Fn(&Namespace) -> Namespace + Send + Sync>>,
            pub(super) settings: Option<fn(MemoryStoreBuilder) -> MemoryStoreBuilder>,
            pub(super) restart: Option<Restart>,
            pub(super) room: Option<usize>,
            $(pub(super) $hook: Option<
                Arc<dyn Fn(Honest, $($type),*) -> BoxFuture<'static, Result<$output>> + Send + Sync>,
            >,)+
        }

        impl Hooks {
            $(
                $(#[doc = $doc])*
                pub(super) fn $on<F, Answering>(mut self, hook: F) -> Self
                where
                    F: Fn(Honest, $($type),*) -> Answering + Send + Sync + 'static,
                    Answering: Future<Output = Result<$output>> + Send + 'static,
                {
                    self.$hook = Some(hooks!(@boxed hook, $($type),*));
                    self
                }
            )+
        }
    };
    (@boxed $hook:ident, ) => { Arc::new(move |honest| Box::pin($hook(honest))) };
    (@boxed $hook:ident, $a:ty) => { Arc::new(move |honest, a| Box::pin($hook(honest, a))) };
    (@boxed $hook:ident, $a:ty, $b:ty) => {
        Arc::new(move |honest, a, b| Box::pin($hook(honest, a, b)))
    };
    (@boxed $hook:ident, $a:ty, $b:ty, $c:ty) => {
        Arc::new(move |honest, a, b, c| Box::pin($hook(honest, a, b, c)))
    };
    (@boxed $hook:ident, $a:ty, $b:ty, $c:ty, $d:ty) => {
        Arc::new(move |honest, a, b, c, d| Box::pin($hook(honest, a, b, c, d)))
    };
}

hooks! {
    on_get => get(Key, GetOptions) -> Option<Entry>;
    on_put => put(Key, Bytes, PutOptions) -> Written;
    on_delete => delete(Key, DeleteOptions) -> Deleted;
    on_increment => increment(Key, i64, IncrementOptions) -> Incremented;
    on_touch => touch(Key, TouchOptions) -> bool;
    on_list => list(ListOptions) -> Page<Meta>;
    on_count => count(CountOptions) -> u64;
    on_get_many => get_many(Vec<Key>, GetOptions) -> Vec<Result<Option<Entry>>>;
    on_write_many => write_many(Vec<WriteOp>) -> Vec<Result<WriteOutcome>>;
    on_clear => clear(ClearOptions) -> u64;
    on_snapshot => snapshot(SnapshotOptions) -> Records;
    on_ping => ping() -> ();
    on_stats => stats() -> Stats;
    on_health => health() -> Health;
    on_memory_usage => memory_usage() -> MemoryUsage;
    on_hash_set => hash_set(Key, Vec<(Bytes, Bytes)>, HashWriteOptions) -> u64;
    on_hash_get => hash_get(Key, Vec<Bytes>, Consistency) -> Vec<Option<Bytes>>;
    on_hash_delete => hash_delete(Key, Vec<Bytes>, HashWriteOptions) -> u64;
    on_hash_increment => hash_increment(Key, Bytes, i64, HashWriteOptions) -> i64;
    on_hash_page => hash_page(Key, HashPageOptions) -> Page<(Bytes, Bytes)>;
    on_hash_state => hash_state(Key, Consistency) -> Option<HashState>;
    on_hash_remove => hash_remove(Key, HashWriteOptions) -> bool;
    on_transact => transact(Transaction) -> Vec<WriteOutcome>;
    on_watch => watch(WatchOptions) -> Events;
    on_acquire => acquire(Key, AcquireOptions) -> Acquired;
    on_renew => renew(Key, FenceToken, AcquireOptions) -> LeaseGrant;
    on_release => release(Key, OwnerId, FenceToken) -> bool;
    on_read_lease => read_lease(Key) -> Option<LeaseState>;
}

impl Hooks {
    /// Changes what the mutant says about itself.
    pub(super) fn saying(
        mut self,
        info: impl Fn(&Honest, BackendInfo) -> BackendInfo + Send + Sync + 'static,
    ) -> Self {
        self.info = Some(Arc::new(info));
        self
    }

    /// Changes what the mutant declares.
    pub(super) fn declaring(
        mut self,
        capabilities: impl Fn(&Honest, Capabilities) -> Capabilities + Send + Sync + 'static,
    ) -> Self {
        self.capabilities = Some(Arc::new(capabilities));
        self
    }

    /// Changes which roles the mutant hands out.
    pub(super) fn giving(mut self, change: impl FnOnce(&mut RolesGiven)) -> Self {
        change(&mut self.roles);
        self
    }

    /// Puts everything at another key than the one that was named.
    pub(super) fn keyed(
        mut self,
        key: impl Fn(&Honest, &Key) -> Key + Send + Sync + 'static,
    ) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// Opens another namespace than the one that was named.
    pub(super) fn opening(
        mut self,
        namespace: impl Fn(&Namespace) -> Namespace + Send + Sync + 'static,
    ) -> Self {
        self.namespace = Some(Arc::new(namespace));
        self
    }

    /// Lets the suite restart the mutant, and says which store is there then.
    pub(super) fn restarting(
        mut self,
        restart: impl Fn(&MemoryStore, &ManualClock) -> MemoryStore + Send + Sync + 'static,
    ) -> Self {
        self.restart = Some(Arc::new(restart));
        self
    }

    /// Tells the suite how many entries there is room for.
    pub(super) fn with_room(mut self, entries: usize) -> Self {
        self.room = Some(entries);
        self
    }

    /// Changes the settings of the store behind the mutant.
    pub(super) fn with_store(
        mut self,
        settings: fn(MemoryStoreBuilder) -> MemoryStoreBuilder,
    ) -> Self {
        self.settings = Some(settings);
        self
    }
}
