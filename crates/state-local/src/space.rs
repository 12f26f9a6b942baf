//! One namespace of a store: how its tables are reached.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use state_core::{
    BackendInfo, Capabilities, Capability, Clock, Health, Key, Limits, MemoryUsage, Result,
    SnapshotOptions, SnapshotRecord, Timestamp,
};

use crate::engine::{Tx, View};
use crate::reach::Reach;
use crate::watch::Watchers;

/// One namespace of a store.
///
/// Everything the two stores do differently is behind this trait; everything else is written
/// once over it.
pub(crate) trait Space: Debug + Send + Sync + 'static {
    fn info(&self) -> BackendInfo;
    fn rules(&self) -> &Rules;
    fn watchers(&self) -> &Watchers;

    /// Runs `work` on what is committed now. Must not wait for anything but a short lock or a
    /// disk read.
    fn read<R>(&self, work: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R>;

    /// Runs `work` alone and resolves when what it wrote is as safe as the store promises. Work
    /// that fails has written nothing but fencing marks: the rules check before they write.
    fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send;

    /// As [`read`](Self::read), for work that looks at nothing beyond `reach`.
    fn read_within<R>(
        &self,
        _reach: Reach,
        work: impl FnOnce(&View<'_>) -> Result<R>,
    ) -> Result<R> {
        self.read(work)
    }

    /// As [`write`](Self::write), for work that touches nothing beyond `reach`.
    fn write_within<R: Send + 'static>(
        &self,
        _reach: Reach,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        self.write(work)
    }

    /// As [`write_within`](Self::write_within); hands `key` and `options` on to the work, which
    /// saves copies of them where the work is done at once.
    fn write_key<O: Clone + Send + Sync + 'static, R: Send + 'static>(
        &self,
        _reach: Reach,
        key: &Key,
        options: &O,
        work: impl FnOnce(&mut Tx<'_>, &Key, &O) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        let (key, options) = (key.clone(), options.clone());
        self.write(move |tx| work(tx, &key, &options))
    }

    /// Streams what is committed now; later writes do not show.
    fn snapshot(
        self: &Arc<Self>,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>>;

    fn memory_usage(&self) -> Result<MemoryUsage>;
    fn health(&self) -> Health;
}

/// What the rules are set to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) capabilities: Capabilities,
    /// The lifetime of `Expiry::Default`.
    pub(crate) default_lifetime: Option<Duration>,
}

impl Rules {
    /// What both stores offer.
    pub(crate) fn of_both(
        limits: Limits,
        cross_partition: bool,
        default_lifetime: Option<Duration>,
    ) -> Self {
        let capabilities = [
            Capability::Expiry,
            Capability::OrderedList,
            Capability::OrderedFields,
            Capability::Hash,
            Capability::Transact,
            Capability::Watch,
            Capability::WatchLog,
            Capability::Lease,
            Capability::Fence,
            Capability::OpId,
            Capability::PointInTimeSnapshot,
        ]
        .into_iter()
        .fold(Capabilities::none(), Capabilities::with)
        .with_limits(limits);
        let rules = Self { capabilities, default_lifetime };
        if cross_partition { rules.with(Capability::CrossPartition) } else { rules }
    }

    pub(crate) fn with(mut self, capability: Capability) -> Self {
        self.capabilities = self.capabilities.with(capability);
        self
    }
}

/// The time of one operation, asked from the clock at most once and only when it matters.
#[derive(Debug)]
pub(crate) struct Now<'a> {
    clock: &'a dyn Clock,
    asked: Cell<Option<Timestamp>>,
}

impl<'a> Now<'a> {
    pub(crate) fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, asked: Cell::new(None) }
    }

    pub(crate) fn get(&self) -> Timestamp {
        if let Some(now) = self.asked.get() {
            return now;
        }
        let now = self.clock.wall();
        self.asked.set(Some(now));
        now
    }

    /// Whether `deadline` has passed; no deadline never does.
    pub(crate) fn is_past(&self, deadline: Option<Timestamp>) -> bool {
        deadline.is_some_and(|deadline| deadline <= self.get())
    }
}
