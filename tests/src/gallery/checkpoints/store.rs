//! The model as a checkpointer: each call is one step under one lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use state_core::checkpoint::{
    ChannelHistories, CheckpointLimits, CheckpointTuple, Checkpointer, CopyOptions, DeleteRuns,
    DeleteThread, GetCheckpoint, HistoryOptions, ListCheckpoints, ListThreads, Ownership,
    PruneOptions, PruneReport, PutCheckpoint, PutReceipt, PutWrites, Retention, ThreadEvent,
    ThreadId, ThreadSummary, TouchThread, WritesReceipt,
};
use state_core::{
    Acks, BackendInfo, BoxStream, Clock, Error, ErrorKind, ManualClock, Namespace, Page, Result,
    Timestamp,
};

use super::model::{Line, Record, Thread, World, tuple};
use super::token;

/// A store of all namespaces, and its time.
#[derive(Clone, Debug)]
pub(super) struct ModelStore {
    pub(super) clock: ManualClock,
    worlds: Arc<Mutex<BTreeMap<Namespace, World>>>,
    reachable: Arc<AtomicBool>,
}

impl ModelStore {
    pub(super) fn new(clock: ManualClock) -> Self {
        Self { clock, worlds: Arc::default(), reachable: Arc::new(AtomicBool::new(true)) }
    }

    pub(super) fn reach(&self, on: bool) {
        self.reachable.store(on, Ordering::Release);
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Acquire)
    }

    /// Does something to all namespaces.
    pub(super) fn each(&self, work: fn(&mut World)) {
        self.worlds.lock().values_mut().for_each(work);
    }

    pub(super) fn records(&self, namespace: &Namespace) -> u64 {
        self.worlds.lock().get(namespace).map_or(0, World::records)
    }

    pub(super) fn open(&self, namespace: Namespace) -> Model {
        Model { store: self.clone(), namespace }
    }
}

/// An instance.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) store: ModelStore,
    pub(super) namespace: Namespace,
}

pub(super) const LIMITS: CheckpointLimits =
    CheckpointLimits::DEFAULT.with_payload_bytes_max(4 << 20);

impl Model {
    /// Does something with all that is there now.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let now = self.store.clock.wall();
        let mut worlds = self.store.worlds.lock();
        let world = worlds.entry(self.namespace.clone()).or_default();
        world.sweep(now);
        work(world, now)
    }

    /// The same, where the store can be reached.
    fn step<T>(&self, work: impl FnOnce(&mut World, Timestamp) -> Result<T>) -> Result<T> {
        if !self.store.is_reachable() {
            return Err(Error::new(ErrorKind::Unavailable, "the model is out of reach"));
        }
        self.with(work)
    }
}

/// Refuses a level of safety that a map in memory cannot offer.
fn check_acks(acks: Acks) -> Result<()> {
    match acks {
        Acks::Primary | Acks::Strong | Acks::Replicas(0) => Ok(()),
        _ => Err(Error::unsupported("this level of safety")),
    }
}

/// Refuses a stale token.
pub(super) fn check_token(thread: Option<&Thread>, ownership: &Ownership) -> Result<()> {
    let Ownership::Holder(fence) = ownership else { return Ok(()) };
    let seen = thread.and_then(|thread| thread.tokens.get(&fence.lease));
    if seen.is_some_and(|seen| *seen > fence.token) {
        return Err(Error::new(ErrorKind::Fenced, "another holder has the thread now"));
    }
    Ok(())
}

/// Keeps the greatest token.
pub(super) fn raise_token(thread: &mut Thread, ownership: &Ownership) {
    if let Ownership::Holder(fence) = ownership {
        let seen = thread.tokens.entry(fence.lease.clone()).or_insert(fence.token);
        *seen = fence.token.max(*seen);
    }
}

/// Refuses what meets a mark that stands, unless it says `recreate`.
fn check_mark(world: &World, thread: &ThreadId, recreate: bool) -> Result<()> {
    if world.tombstones.contains_key(thread) && !recreate {
        return Err(Error::conflict("the thread was deleted"));
    }
    Ok(())
}

pub(super) fn put(world: &mut World, now: Timestamp, put: &PutCheckpoint) -> Result<PutReceipt> {
    check_mark(world, &put.thread, put.recreate)?;
    check_token(world.threads.get(&put.thread), &put.ownership)?;
    let empty = Line::default();
    let found = world.threads.get(&put.thread);
    let line = found.and_then(|thread| thread.lines.get(&put.namespace)).unwrap_or(&empty);
    let record = line.record(put);
    if let Some(there) = line.shown.get(&put.checkpoint.id) {
        let same = *there == record;
        let existed = PutReceipt::new(put.reference(), true);
        return same.then_some(existed).ok_or_else(|| Error::conflict("another has the id"));
    }
    let latest = line.shown.keys().next_back();
    if put.ownership == Ownership::ParentIsLatest && latest != put.parent.as_ref() {
        return Err(Error::conflict("the parent is not the latest"));
    }
    write(world, &put.thread, now, |thread| {
        raise_token(thread, &put.ownership);
        thread.live(put.lifetime, now);
        let line = thread.lines.entry(put.namespace.clone()).or_default();
        line.shown.insert(put.checkpoint.id.clone(), record);
    });
    world.tell(&put.thread, &ThreadEvent::Put(put.reference()));
    Ok(PutReceipt::new(put.reference(), false))
}

/// Writes to a thread, which is made where it is not there.
fn write<T>(
    world: &mut World,
    thread: &ThreadId,
    now: Timestamp,
    work: impl FnOnce(&mut Thread) -> T,
) -> T {
    world.tombstones.remove(thread);
    let thread = world.threads.entry(thread.clone()).or_insert_with(|| Thread::new(now));
    thread.last_write = now;
    work(thread)
}

pub(super) fn put_writes(
    world: &mut World,
    now: Timestamp,
    put: PutWrites,
) -> Result<WritesReceipt> {
    let place = put.reference;
    check_mark(world, &place.thread, put.recreate)?;
    let found = world.threads.get(&place.thread);
    check_token(found, &put.ownership)?;
    let line = found.and_then(|thread| thread.lines.get(&place.namespace));
    let latest = line.and_then(|line| line.shown.keys().next_back());
    if put.ownership == Ownership::ParentIsLatest && latest != Some(&place.id) {
        return Err(Error::conflict("the checkpoint is not the latest"));
    }
    let receipt = write(world, &place.thread, now, |thread| {
        raise_token(thread, &put.ownership);
        thread.live(put.lifetime, now);
        let line = thread.lines.entry(place.namespace.clone()).or_default();
        line.write(place.id.clone(), put.writes)
    });
    world.tell(&place.thread.clone(), &ThreadEvent::Writes(place));
    Ok(receipt)
}

pub(super) fn get(
    world: &mut World,
    now: Timestamp,
    get: &GetCheckpoint,
) -> Option<CheckpointTuple> {
    let thread = world.threads.get_mut(&get.thread)?;
    if get.refresh == Some(true) {
        thread.refresh(now);
    }
    let line = thread.lines.get(&get.namespace)?;
    let id = get.id.as_ref().or_else(|| line.shown.keys().next_back())?;
    tuple(&get.thread, &get.namespace, line, id)
}

/// Everything that a listing shows, on one page.
pub(super) fn list(world: &World, list: &ListCheckpoints) -> Result<Vec<CheckpointTuple>> {
    let mut all = Vec::new();
    for (thread_id, thread) in &world.threads {
        if list.thread.as_ref().is_some_and(|wanted| wanted != thread_id) {
            continue;
        }
        let mut shown: Vec<_> = thread
            .shown()
            .filter(|(namespace, ..)| list.namespace.as_ref().is_none_or(|n| n == *namespace))
            .filter(|(.., id)| list.id.as_ref().is_none_or(|wanted| wanted == *id))
            .filter(|(.., id)| list.before.as_ref().is_none_or(|before| *id < before))
            .collect();
        shown.sort_by(|(a_space, _, a), (b_space, _, b)| b.cmp(a).then(a_space.cmp(b_space)));
        for (namespace, line, id) in shown {
            let Some(mut tuple) = tuple(thread_id, namespace, line, id) else { continue };
            if !list.values {
                tuple.values.clear();
                tuple.pending_writes.clear();
            }
            if tuple.metadata.matches(&list.filter)? {
                all.push(tuple);
            }
        }
    }
    Ok(all)
}

pub(super) fn touch(world: &mut World, now: Timestamp, touch: &TouchThread) -> Result<bool> {
    check_token(world.threads.get(&touch.thread), &touch.ownership)?;
    let Some(thread) = world.threads.get_mut(&touch.thread) else { return Ok(false) };
    raise_token(thread, &touch.ownership);
    thread.live(touch.lifetime, now);
    Ok(true)
}

pub(super) fn delete(world: &mut World, now: Timestamp, delete: &DeleteThread) -> Result<bool> {
    check_token(world.threads.get(&delete.thread), &delete.ownership)?;
    let existed = world.threads.remove(&delete.thread).is_some();
    if let Some(until) = delete.tombstone.and_then(|life| now.checked_add(life)) {
        world.tombstones.insert(delete.thread.clone(), until);
    }
    if existed {
        world.tell(&delete.thread, &ThreadEvent::Deleted(delete.thread.clone()));
    }
    Ok(existed)
}

pub(super) fn delete_runs(world: &mut World, asked: &DeleteRuns) -> Result<u64> {
    let mut count = 0;
    for thread in world.threads.values_mut() {
        let of_run = |run: &str| asked.runs.iter().any(|wanted| wanted == run);
        let of_runs = |record: &Record| record.metadata.run_id().is_some_and(of_run);
        if !thread.lines.values().any(|line| line.shown.values().any(of_runs)) {
            continue;
        }
        check_token(Some(thread), &asked.ownership)?;
        raise_token(thread, &asked.ownership);
        for line in thread.lines.values_mut() {
            let gone = line.retain(|_, record| !of_runs(record));
            count += gone.removed + gone.hidden;
        }
    }
    world.threads.retain(|_, thread| !thread.lines.values().all(Line::is_empty));
    Ok(count)
}

pub(super) fn copy(
    world: &mut World,
    now: Timestamp,
    from: &ThreadId,
    to: &ThreadId,
    options: &CopyOptions,
) -> Result<u64> {
    if world.threads.contains_key(to) || world.tombstones.contains_key(to) {
        return Err(Error::conflict("the other thread exists"));
    }
    let Some(source) = world.threads.get(from) else { return Ok(0) };
    let mut thread = Thread::new(now);
    thread.lines.clone_from(&source.lines);
    if let Some((namespace, id)) = &options.up_to {
        let Some(line) = source.lines.get(namespace) else { return Ok(0) };
        if !line.shown.contains_key(id) {
            return Ok(0);
        }
        let mut path: Vec<_> = line.ancestors(id).into_iter().map(|(id, _)| id).collect();
        path.push(id.clone());
        let mut part = line.clone();
        part.shown.retain(|id, _| path.contains(id));
        part.hidden.retain(|id, _| path.contains(id));
        part.writes.retain(|id, _| path.contains(id));
        thread.lines = BTreeMap::from([(namespace.clone(), part)]);
    }
    thread.live(options.lifetime, now);
    let count = thread.shown().count() as u64;
    world.threads.insert(to.clone(), thread);
    world.tell(to, &ThreadEvent::Changed(to.clone()));
    Ok(count)
}

pub(super) fn prune(
    world: &mut World,
    now: Timestamp,
    threads: &[ThreadId],
    options: &PruneOptions,
) -> Result<PruneReport> {
    let mut report = PruneReport::new(0, 0);
    for id in threads {
        let Some(thread) = world.threads.get_mut(id) else { continue };
        check_token(Some(thread), &options.ownership)?;
        raise_token(thread, &options.ownership);
        let shown = thread.shown().count() as u64;
        if options.retention == Retention::Delete {
            report.removed += shown;
            delete(world, now, &DeleteThread::new(id.clone()))?;
            continue;
        }
        let mut changed = false;
        for line in thread.lines.values_mut() {
            let of_line = line.prune(options.retention, now);
            report.removed += of_line.removed;
            report.hidden += of_line.hidden;
            changed |= of_line != PruneReport::new(0, 0);
        }
        if changed {
            world.tell(id, &ThreadEvent::Changed(id.clone()));
        }
    }
    Ok(report)
}

pub(super) fn history(world: &World, history: &HistoryOptions) -> ChannelHistories {
    let place = &history.reference;
    let thread = world.threads.get(&place.thread);
    let empty = Line::default();
    let line = thread.and_then(|thread| thread.lines.get(&place.namespace)).unwrap_or(&empty);
    let of = |channel: &Arc<str>| (Arc::clone(channel), line.history(&place.id, channel));
    history.channels.iter().map(of).collect()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Checkpointer for Model {
    fn info(&self) -> BackendInfo {
        BackendInfo::new("model", self.namespace.clone())
    }

    fn limits(&self) -> CheckpointLimits {
        LIMITS
    }

    async fn put_checkpoint(&self, asked: PutCheckpoint) -> Result<PutReceipt> {
        LIMITS.check_put(&asked)?;
        check_acks(asked.acks)?;
        self.step(|world, now| put(world, now, &asked))
    }

    async fn put_writes(&self, asked: PutWrites) -> Result<WritesReceipt> {
        LIMITS.check_writes(&asked)?;
        check_acks(asked.acks)?;
        self.step(|world, now| put_writes(world, now, asked))
    }

    async fn get_checkpoint(&self, asked: GetCheckpoint) -> Result<Option<CheckpointTuple>> {
        LIMITS.check_get(&asked)?;
        self.step(|world, now| Ok(get(world, now, &asked)))
    }

    async fn list_checkpoints(&self, asked: ListCheckpoints) -> Result<Page<CheckpointTuple>> {
        let limit = LIMITS.check_list(&asked)?;
        let all = self.step(|world, _| list(world, &asked))?;
        token::page(all, &asked, limit)
    }

    async fn list_threads(&self, asked: ListThreads) -> Result<Page<ThreadSummary>> {
        let limit = LIMITS.check_list_threads(&asked)?;
        let all = self.step(|world, now| {
            Ok(world.threads.iter().map(|(id, thread)| thread.summary(id, now)).collect())
        })?;
        token::page_of_threads(all, &asked, limit)
    }

    async fn touch_thread(&self, asked: TouchThread) -> Result<bool> {
        LIMITS.check_touch(&asked)?;
        check_acks(asked.acks)?;
        self.step(|world, now| touch(world, now, &asked))
    }

    async fn delete_thread_opts(&self, asked: DeleteThread) -> Result<bool> {
        LIMITS.check_delete(&asked)?;
        check_acks(asked.acks)?;
        self.step(|world, now| delete(world, now, &asked))
    }

    async fn delete_for_runs_opts(&self, asked: DeleteRuns) -> Result<u64> {
        LIMITS.check_runs(&asked)?;
        check_acks(asked.acks)?;
        self.step(|world, _| delete_runs(world, &asked))
    }

    async fn copy_thread_opts(
        &self,
        from: &ThreadId,
        to: &ThreadId,
        options: CopyOptions,
    ) -> Result<u64> {
        LIMITS.check_copy(from, to, &options)?;
        check_acks(options.acks)?;
        self.step(|world, now| copy(world, now, from, to, &options))
    }

    async fn prune(&self, threads: &[ThreadId], options: PruneOptions) -> Result<PruneReport> {
        LIMITS.check_prune(threads, &options)?;
        check_acks(options.acks)?;
        self.step(|world, now| prune(world, now, threads, &options))
    }

    async fn channel_history(&self, asked: HistoryOptions) -> Result<ChannelHistories> {
        LIMITS.check_history(&asked)?;
        self.step(|world, _| Ok(history(world, &asked)))
    }

    async fn watch_threads(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        self.step(|world, _| {
            let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
            world.watchers.push((thread, sender));
            let next = |mut receiver: tokio::sync::mpsc::UnboundedReceiver<_>| async move {
                receiver.recv().await.map(|event| (event, receiver))
            };
            Ok(stream::unfold(receiver, next).boxed())
        })
    }
}
