//! Threads as plain maps of whole copies: what a checkpointer means, with no thought for cost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use state_core::checkpoint::{
    ChannelHistory, ChannelValue, ChannelVersion, Checkpoint, CheckpointId, CheckpointNamespace,
    CheckpointRef, CheckpointTuple, Metadata, Payload, PendingWrite, PruneReport, PutCheckpoint,
    Retention, ThreadEvent, ThreadId, ThreadLifetime, ThreadSummary, WriteIndex, WritesReceipt,
};
use state_core::{Expires, FenceToken, Key, Result, Timestamp};
use tokio::sync::mpsc::UnboundedSender;

/// A checkpoint with everything that its put gave it, each value in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) checkpoint: Checkpoint,
    pub(super) metadata: Metadata,
    pub(super) parent: Option<CheckpointId>,
    pub(super) values: BTreeMap<Arc<str>, ChannelValue>,
}

/// The writes beside one checkpoint.
pub(super) type Writes = BTreeMap<(Arc<str>, WriteIndex), PendingWrite>;

/// One namespace of a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The checkpoints that are shown.
    pub(super) shown: BTreeMap<CheckpointId, Record>,
    /// Those that stay only because others are rebuilt from them.
    pub(super) hidden: BTreeMap<CheckpointId, Record>,
    /// Writes, also beside checkpoints that were never put.
    pub(super) writes: BTreeMap<CheckpointId, Writes>,
}

/// A thread.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) lines: BTreeMap<CheckpointNamespace, Line>,
    pub(super) lifetime: Option<Duration>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) pinned: bool,
    pub(super) tokens: BTreeMap<Key, FenceToken>,
    pub(super) last_write: Timestamp,
}

/// All threads of a namespace of the store.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    /// Until when the mark of a deleted thread stands.
    pub(super) tombstones: BTreeMap<ThreadId, Timestamp>,
    pub(super) watchers: Vec<(Option<ThreadId>, UnboundedSender<Result<ThreadEvent>>)>,
}

/// What tells versions apart: their kind, and their bits.
fn version_key(version: &ChannelVersion) -> (u8, Vec<u8>) {
    match version {
        ChannelVersion::Int(number) => (0, number.to_be_bytes().to_vec()),
        ChannelVersion::Float(number) => (1, number.to_bits().to_be_bytes().to_vec()),
        ChannelVersion::Text(text) => (2, text.as_bytes().to_vec()),
    }
}

impl Line {
    /// A checkpoint, shown or hidden.
    pub(super) fn any(&self, id: &CheckpointId) -> Option<&Record> {
        self.shown.get(id).or_else(|| self.hidden.get(id))
    }

    /// The checkpoint that `put` makes here.
    pub(super) fn record(&self, put: &PutCheckpoint) -> Record {
        let mut values = put.values.clone();
        for (channel, version) in &put.checkpoint.channel_versions {
            let found = || self.value_at(channel, version);
            if !values.contains_key(channel)
                && let Some(value) = found()
            {
                values.insert(Arc::clone(channel), value);
            }
        }
        let (checkpoint, metadata) = (put.checkpoint.clone(), put.metadata.clone());
        Record { checkpoint, metadata, parent: put.parent.clone(), values }
    }

    /// The value that any checkpoint has of `channel` at `version`.
    fn value_at(&self, channel: &Arc<str>, version: &ChannelVersion) -> Option<ChannelValue> {
        let wanted = version_key(version);
        let at_version = |record: &&Record| {
            let named = record.checkpoint.channel_versions.get(channel);
            named.is_some_and(|named| version_key(named) == wanted)
        };
        let mut records = self.shown.values().chain(self.hidden.values());
        records.rfind(at_version).and_then(|record| record.values.get(channel).cloned())
    }

    /// The writes beside a checkpoint, in the order in which they are read.
    pub(super) fn writes_at(&self, id: &CheckpointId) -> Vec<PendingWrite> {
        let mut writes: Vec<_> =
            self.writes.get(id).into_iter().flat_map(|writes| writes.values().cloned()).collect();
        writes.sort_by(|a, b| {
            (&a.task_path, &a.task, a.index).cmp(&(&b.task_path, &b.task, b.index))
        });
        writes
    }

    /// Adds writes beside a checkpoint.
    pub(super) fn write(&mut self, id: CheckpointId, writes: Vec<PendingWrite>) -> WritesReceipt {
        let there = self.writes.entry(id).or_default();
        let mut receipt = WritesReceipt::new(0, 0, 0);
        for write in writes {
            let place = (Arc::clone(&write.task), write.index);
            match (there.contains_key(&place), write.index.is_special()) {
                (true, false) => {
                    receipt.kept += 1;
                    continue;
                }
                (true, true) => receipt.replaced += 1,
                (false, _) => receipt.written += 1,
            }
            there.insert(place, write);
        }
        receipt
    }

    /// The ancestors of a checkpoint, nearest first.
    pub(super) fn ancestors(&self, id: &CheckpointId) -> Vec<(CheckpointId, &Record)> {
        let mut ancestors: Vec<(CheckpointId, &Record)> = Vec::new();
        let mut next = self.any(id).and_then(|record| record.parent.clone());
        while let Some(id) = next.take_if(|id| ancestors.iter().all(|(seen, _)| seen != id)) {
            let Some(record) = self.any(&id) else { break };
            next.clone_from(&record.parent);
            ancestors.push((id, record));
        }
        ancestors
    }

    /// The history of a channel up to a checkpoint.
    pub(super) fn history(&self, id: &CheckpointId, channel: &str) -> ChannelHistory {
        let (mut seed, mut writes) = (None, Vec::new());
        for (ancestor, record) in self.ancestors(id) {
            let mut beside = self.writes_at(&ancestor);
            beside.retain(|write| &*write.channel == channel);
            writes.splice(0..0, beside);
            seed = record.values.get(channel).and_then(ChannelValue::payload).cloned();
            if seed.is_some() {
                break;
            }
        }
        ChannelHistory::new(seed, writes)
    }

    /// The ancestors that a checkpoint is rebuilt from.
    fn needed_by(&self, id: &CheckpointId, record: &Record) -> BTreeSet<CheckpointId> {
        let stored = |record: &Record, channel: &str| {
            record.values.get(channel).is_some_and(|value| value.payload().is_some())
        };
        let mut needed = BTreeSet::new();
        for channel in record.checkpoint.channel_versions.keys() {
            if stored(record, channel) {
                continue;
            }
            for (ancestor, record) in self.ancestors(id) {
                needed.insert(ancestor);
                if stored(record, channel) {
                    break;
                }
            }
        }
        needed
    }

    /// Keeps the checkpoints that `keeps` says yes to, and what they are rebuilt from.
    pub(super) fn retain(&mut self, keeps: impl Fn(&CheckpointId, &Record) -> bool) -> PruneReport {
        let mut kept = BTreeSet::new();
        let mut needed = BTreeSet::new();
        for (id, record) in &self.shown {
            if keeps(id, record) {
                kept.insert(id.clone());
                needed.extend(self.needed_by(id, record));
            }
        }
        let mut report = PruneReport::new(0, 0);
        for (id, record) in std::mem::take(&mut self.shown) {
            if kept.contains(&id) {
                self.shown.insert(id, record);
            } else if needed.contains(&id) {
                report.hidden += 1;
                self.hidden.insert(id, record);
            } else {
                report.removed += 1;
                self.writes.remove(&id);
            }
        }
        let gone: Vec<_> = self.hidden.keys().filter(|id| !needed.contains(*id)).cloned().collect();
        for id in gone {
            self.hidden.remove(&id);
            self.writes.remove(&id);
        }
        report
    }

    /// Applies a retention.
    pub(super) fn prune(&mut self, retention: Retention, now: Timestamp) -> PruneReport {
        let newest: Vec<CheckpointId> = self.shown.keys().rev().cloned().collect();
        let last = |count: usize| newest.iter().take(count).cloned().collect::<BTreeSet<_>>();
        let (kept, age) = match retention {
            Retention::KeepLatest => (last(1), None),
            Retention::KeepLast(count) => (last(count), None),
            Retention::MaxAge(age) => (last(1), Some(age)),
            _ => (BTreeSet::new(), None),
        };
        self.retain(|id, record| {
            let young = |age| now.saturating_since(record.checkpoint.time) <= age;
            kept.contains(id) || age.is_some_and(young)
        })
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.hidden.is_empty() && self.writes.is_empty()
    }
}

impl Thread {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            lines: BTreeMap::new(),
            lifetime: None,
            deadline: None,
            pinned: false,
            tokens: BTreeMap::new(),
            last_write: now,
        }
    }

    /// What a call does to the lifetime.
    pub(super) fn live(&mut self, lifetime: ThreadLifetime, now: Timestamp) {
        match lifetime {
            ThreadLifetime::After(life) => {
                (self.pinned, self.lifetime) = (false, Some(life));
                self.refresh(now);
            }
            ThreadLifetime::Pinned => {
                (self.pinned, self.lifetime, self.deadline) = (true, None, None);
            }
            ThreadLifetime::Default => (self.lifetime, self.deadline) = (None, None),
            _ => {}
        }
    }

    /// Begins the lifetime anew.
    pub(super) fn refresh(&mut self, now: Timestamp) {
        if let Some(life) = self.lifetime {
            self.deadline = now.checked_add(life);
        }
    }

    /// The checkpoints that are shown, with the ids of their namespaces.
    pub(super) fn shown(
        &self,
    ) -> impl Iterator<Item = (&CheckpointNamespace, &Line, &CheckpointId)> {
        self.lines
            .iter()
            .flat_map(|(namespace, line)| line.shown.keys().map(move |id| (namespace, line, id)))
    }

    /// What is told of the thread.
    pub(super) fn summary(&self, thread: &ThreadId, now: Timestamp) -> ThreadSummary {
        let mut summary = ThreadSummary::new(thread.clone(), self.last_write);
        summary.checkpoints = self.shown().count() as u64;
        summary.expires = Expires::of(self.deadline, now);
        summary.pinned = self.pinned;
        for line in self.lines.values() {
            for record in line.shown.values().chain(line.hidden.values()) {
                let values = record.values.values().filter_map(ChannelValue::payload);
                let bytes: usize = values.map(Payload::len_bytes).sum();
                summary.bytes += 100 + bytes as u64;
            }
        }
        summary
    }
}

/// What is read of a checkpoint that is shown.
pub(super) fn tuple(
    thread: &ThreadId,
    namespace: &CheckpointNamespace,
    line: &Line,
    id: &CheckpointId,
) -> Option<CheckpointTuple> {
    let record = line.shown.get(id)?;
    let place = CheckpointRef::new(thread.clone(), id.clone()).with_namespace(namespace.clone());
    let (checkpoint, metadata) = (record.checkpoint.clone(), record.metadata.clone());
    let mut tuple = CheckpointTuple::new(place, checkpoint, metadata);
    tuple.parent.clone_from(&record.parent);
    tuple.values.clone_from(&record.values);
    tuple.pending_writes = line.writes_at(id);
    Some(tuple)
}

impl World {
    /// Takes away what has expired by `now`.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let expired = |thread: &Thread| thread.deadline.is_some_and(|deadline| deadline <= now);
        let threads = self.threads.iter().filter(|(_, thread)| expired(thread));
        let gone: Vec<ThreadId> = threads.map(|(id, _)| id.clone()).collect();
        for thread in gone {
            self.threads.remove(&thread);
            self.tell(&thread, &ThreadEvent::Deleted(thread.clone()));
        }
        self.tombstones.retain(|_, until| *until > now);
    }

    /// Tells those who follow the thread.
    pub(super) fn tell(&mut self, thread: &ThreadId, event: &ThreadEvent) {
        self.watchers.retain(|(wanted, watcher)| {
            let follows = wanted.as_ref().is_none_or(|wanted| wanted == thread);
            !follows || watcher.send(Ok(event.clone())).is_ok()
        });
    }

    /// How many things are stored.
    pub(super) fn records(&self) -> u64 {
        let in_line = |line: &Line| {
            line.shown.len()
                + line.hidden.len()
                + line.writes.values().map(BTreeMap::len).sum::<usize>()
        };
        let in_thread = |thread: &Thread| 1 + thread.lines.values().map(in_line).sum::<usize>();
        let threads: usize = self.threads.values().map(in_thread).sum();
        (threads + self.tombstones.len()) as u64
    }
}
