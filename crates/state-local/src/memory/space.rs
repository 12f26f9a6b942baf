//! One namespace in memory: tables behind locks.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use state_core::{
    BackendInfo, Clock, Health, Key, MemoryUsage, Namespace, Result, SnapshotOptions,
    SnapshotRecord,
};

use super::evict::Eviction;
use super::log::Log;
use super::shards::Shards;
use super::snapshot::Walk;
use super::tables::{Capacity, MemoryTables};
use crate::engine::{Tx, View};
use crate::reach::{HOMES, Reach};
use crate::space::{Now, Rules, Space};
use crate::sweep::Sweeper;
use crate::watch::Watchers;

/// One namespace in memory.
#[derive(Debug)]
pub(super) struct MemorySpace {
    namespace: Namespace,
    rules: Rules,
    clock: Arc<dyn Clock>,
    shards: Arc<Shards>,
    watchers: Watchers,
    /// Sweeps while a space of the store lives, which may be longer than the store itself.
    _sweeper: Arc<Sweeper<Self>>,
}

impl MemorySpace {
    pub(super) fn start(
        namespace: Namespace,
        rules: Rules,
        clock: Arc<dyn Clock>,
        sweeper: &Arc<Sweeper<Self>>,
        log_max: usize,
        eviction: Option<Eviction>,
    ) -> Arc<Self> {
        let capacity = eviction.map(|eviction| Capacity {
            entries_max: eviction.entries_max.max(1),
            policy: Mutex::new(eviction.policy()),
        });
        let nonce = RandomState::new().hash_one(clock.wall());
        let log = Arc::new(Log::new(nonce, log_max));
        // What is evicted is picked among all entries of a namespace: one policy, one lock.
        let shards = if capacity.is_some() {
            Shards::new([MemoryTables::new(log, None, capacity)])
        } else {
            let tables = |home| MemoryTables::new(Arc::clone(&log), Some(home), None);
            Shards::new((0..HOMES).map(tables))
        };
        let space = Arc::new(Self {
            namespace,
            rules,
            clock,
            shards: Arc::new(shards),
            watchers: Watchers::default(),
            _sweeper: Arc::clone(sweeper),
        });
        sweeper.add(Arc::downgrade(&space));
        space
    }

    fn write_now<R>(&self, reach: Reach, work: impl FnOnce(&mut Tx<'_>) -> R) -> R {
        let now = Now::new(&*self.clock);
        let (done, logged) = self
            .shards
            .write(reach, |tables| work(&mut Tx { tables, now: &now, rules: &self.rules }));
        if logged {
            self.watchers.notify();
        }
        done
    }
}

impl Space for MemorySpace {
    fn info(&self) -> BackendInfo {
        BackendInfo::new("memory", self.namespace.clone())
            .with_server(concat!("state-local ", env!("CARGO_PKG_VERSION")))
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    fn read<R>(&self, work: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        self.read_within(Reach::ALL, work)
    }

    fn read_within<R>(&self, reach: Reach, work: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        let now = Now::new(&*self.clock);
        self.shards.read(reach, |tables| work(&View { tables, now: &now, rules: &self.rules }))
    }

    fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        std::future::ready(self.write_now(Reach::ALL, work))
    }

    fn write_within<R: Send + 'static>(
        &self,
        reach: Reach,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        std::future::ready(self.write_now(reach, work))
    }

    fn write_key<O: Clone + Send + Sync + 'static, R: Send + 'static>(
        &self,
        reach: Reach,
        key: &Key,
        options: &O,
        work: impl FnOnce(&mut Tx<'_>, &Key, &O) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        std::future::ready(self.write_now(reach, |tx| work(tx, key, options)))
    }

    fn snapshot(
        self: &Arc<Self>,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let walk = Walk::start(&self.shards, options, &*self.clock);
        Ok(stream::iter(walk.map(Ok)).boxed())
    }

    fn memory_usage(&self) -> Result<MemoryUsage> {
        let usage = self.shards.iter().map(|shard| {
            let tables = shard.read();
            ((tables.entries().len() + tables.hashes().len()) as u64, tables.memory_bytes())
        });
        let (records, bytes) = usage.fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1));
        Ok(MemoryUsage::new(records, bytes))
    }

    fn health(&self) -> Health {
        Health::healthy()
    }
}
