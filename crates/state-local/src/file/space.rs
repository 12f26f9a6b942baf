//! One namespace of a file store, as the rules reach it.

use std::future::Future;
use std::sync::{Arc, Weak};

use futures_core::stream::BoxStream;
use state_core::{
    BackendInfo, Clock, Health, HealthStatus, MemoryUsage, Outcome, Result, SnapshotOptions,
    SnapshotRecord,
};

use super::answer::answer;
use super::guard::guarded;
use super::handle::Handle;
use super::namespace::Namespaced;
use super::shared::{Current, Published, Shared};
use super::snapshot;
use super::source::Source;
use super::view::NamespaceView;
use super::work::Ruled;
use crate::engine::{Tx, View};
use crate::space::{Now, Rules, Space};
use crate::watch::Watchers;

/// One namespace of a file store.
#[derive(Debug)]
pub(super) struct FileSpace {
    pub(super) namespace: Arc<Namespaced>,
    pub(super) shared: Arc<Shared>,
    rules: Rules,
    clock: Arc<dyn Clock>,
    cache_bytes: usize,
    /// What keeps the store open.
    handle: Weak<Handle>,
}

impl FileSpace {
    pub(super) fn new(handle: &Arc<Handle>, namespace: Arc<Namespaced>) -> Self {
        Self {
            namespace,
            shared: Arc::clone(&handle.shared),
            rules: handle.settings.rules(),
            clock: Arc::clone(&handle.settings.clock),
            cache_bytes: handle.settings.cache_bytes,
            handle: Arc::downgrade(handle),
        }
    }

    fn tables<'a>(&'a self, current: &'a Current) -> NamespaceView<'a> {
        let namespace = &self.namespace;
        current.view.namespace(&namespace.prefix, namespace.generation, namespace.events_max)
    }

    /// Reads what was committed last.
    fn look<R>(&self, work: impl FnOnce(&Current, &NamespaceView<'_>) -> Result<R>) -> Result<R> {
        let current = self.shared.current()?;
        read_guarded(&self.shared, &current, || work(&current, &self.tables(&current)))
    }
}

/// Runs a read; an engine that fails in it is opened again.
pub(super) fn read_guarded<R>(
    shared: &Shared,
    current: &Current,
    read: impl FnOnce() -> Result<R>,
) -> Result<R> {
    let mut ended = false;
    let result = guarded(&shared.place, || {
        let result = read();
        ended = true;
        result
    });
    if !ended || current.view.has_failed() {
        shared.queue.report_failure(current.session);
    }
    result
}

impl Space for FileSpace {
    fn info(&self) -> BackendInfo {
        BackendInfo::new("file", self.namespace.name.clone())
            .with_location(self.shared.place.to_string())
            .with_server(concat!("state-local ", env!("CARGO_PKG_VERSION"), ", redb 4"))
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn watchers(&self) -> &Watchers {
        &self.namespace.watchers
    }

    fn read<R>(&self, work: impl FnOnce(&View<'_>) -> Result<R>) -> Result<R> {
        let now = Now::new(&*self.clock);
        self.look(|_, tables| work(&View { tables, now: &now, rules: &self.rules }))
    }

    fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R> + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send {
        let (sender, receiver) = answer();
        let (namespace, clock) = (Arc::clone(&self.namespace), Arc::clone(&self.clock));
        let work = Box::new(Ruled::new(namespace, self.rules.clone(), clock, work, sender));
        async move {
            if self.shared.queue.push(work).await.is_err() {
                return Err(self.shared.place.closed());
            }
            let gone = || Err(self.shared.place.closed().with_outcome(Outcome::Unknown));
            receiver.await.unwrap_or_else(gone)
        }
    }

    fn snapshot(
        self: &Arc<Self>,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let current = self.shared.current()?;
        let reader = snapshot::Reader::new(
            // A snapshot keeps its store open, as a backend does.
            self.handle.upgrade(),
            Arc::clone(&self.shared),
            Arc::clone(&self.namespace),
            current,
            options,
            self.clock.wall(),
        );
        Ok(snapshot::stream(reader))
    }

    fn memory_usage(&self) -> Result<MemoryUsage> {
        let (entries, cache_bytes) =
            self.look(|current, tables| Ok((tables.counts()?.records, current.cache_bytes)))?;
        let disk_bytes = self.shared.origin.disk_bytes();
        let disk_bytes = disk_bytes.map_err(|error| self.shared.place.io(error))?;
        let limit = u64::try_from(self.cache_bytes).unwrap_or(u64::MAX);
        Ok(MemoryUsage::new(entries, cache_bytes)
            .with_memory_limit_bytes(limit)
            .with_disk_bytes(disk_bytes))
    }

    fn health(&self) -> Health {
        match self.shared.published() {
            Published::Current(current) if current.view.has_failed() => {
                Health::new(HealthStatus::Degraded, "the engine failed and is being opened again")
            }
            Published::Current(_) => Health::healthy(),
            Published::Busy => {
                Health::new(HealthStatus::Degraded, "the store is being compacted or verified")
            }
            Published::Down(failure) => Health::new(HealthStatus::Unhealthy, failure.message),
            Published::Closed => Health::new(HealthStatus::Unhealthy, "the store was closed"),
        }
    }
}
