//! The change log of a namespace: numbered for all shards together, kept by each of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use state_core::{Change, Key, Timestamp, Version};

use crate::tables::{LogBounds, LoggedEvent};

/// The change log of a namespace, of which every shard holds its own events.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Log {
    /// Tells versions and events of this namespace from those of another store.
    nonce: u64,
    /// How many events are retained.
    events_max: u64,
    /// The number that the next event gets. It is given out under the lock of a shard, whose
    /// order is therefore all the order that it needs.
    next: AtomicU64,
}

impl Log {
    pub(super) fn new(nonce: u64, events_max: usize) -> Self {
        let events_max = u64::try_from(events_max.max(1)).unwrap_or(u64::MAX);
        Self { nonce, events_max, next: AtomicU64::new(1) }
    }

    /// The oldest number that is retained when `next` is the next one.
    fn oldest(&self, next: u64) -> u64 {
        next.saturating_sub(self.events_max).max(1)
    }

    fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// The version of the entry that was written with event number `sequence`.
    fn version(&self, sequence: u64) -> Version {
        Version::from_bytes((u128::from(self.nonce) << 64 | u128::from(sequence)).to_be_bytes())
    }
}

/// An event in memory. One history per store that never restarts: the number alone tells events
/// apart, and versions are the numbers of the events that tell of them.
#[derive(Debug)]
pub(super) struct MemoryEvent {
    sequence: u64,
    what: What,
}

impl MemoryEvent {
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }
}

#[derive(Debug)]
enum What {
    /// By far the most frequent one, so it is small and owns nothing: the key is that of the
    /// slot, which keeps it as long as there is the event.
    Put {
        slot: usize,
        deadline: Option<Timestamp>,
    },
    Other(Box<Change>),
}

/// The events of a namespace that lie in one shard.
#[derive(Debug)]
pub(super) struct Events {
    log: Arc<Log>,
    held: VecDeque<MemoryEvent>,
    last: u64,
    /// Slots whose entry has gone while an event still tells of it, each with the last event
    /// that may.
    buried: VecDeque<(u64, usize)>,
}

impl Events {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log, held: VecDeque::new(), last: 0, buried: VecDeque::new() }
    }

    /// The number of the last event that was logged here.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Which events all shards of the namespace hold together; true while all are locked.
    pub(super) fn bounds(&self) -> LogBounds {
        let next = self.log.next();
        LogBounds { generation: self.log.nonce, oldest: self.log.oldest(next), next }
    }

    /// The events that lie here, from number `from` on.
    pub(super) fn range(&self, from: u64) -> impl Iterator<Item = &MemoryEvent> {
        let from = from.max(self.bounds().oldest);
        self.held.range(self.held.partition_point(|event| event.sequence < from)..)
    }

    /// The event as it is told; `key_of` knows the keys of slots.
    pub(super) fn told<'k>(
        &self,
        event: &MemoryEvent,
        key_of: impl FnOnce(usize) -> Option<&'k Key>,
    ) -> LoggedEvent {
        let sequence = event.sequence;
        let change = match &event.what {
            What::Put { slot, deadline } => key_of(*slot).map_or(Change::Gap, |key| Change::Put {
                key: key.clone(),
                version: self.log.version(sequence),
                deadline: *deadline,
            }),
            What::Other(change) => Change::clone(change),
        };
        LoggedEvent { sequence, nonce: u128::from(sequence).to_be_bytes(), change }
    }

    /// Begins to log that an entry is written: the number of the event, which is the next one to
    /// be logged here, and the version of the entry.
    #[inline]
    pub(super) fn begin_put(&self) -> (u64, Version) {
        let sequence = self.log.next.fetch_add(1, Ordering::Relaxed);
        (sequence, self.log.version(sequence))
    }

    /// Logs what was begun: the entry lies in `slot`.
    #[inline]
    pub(super) fn end_put(&mut self, sequence: u64, slot: usize, deadline: Option<Timestamp>) {
        self.push(MemoryEvent { sequence, what: What::Put { slot, deadline } });
    }

    pub(super) fn add(&mut self, change: Change) {
        let sequence = self.log.next.fetch_add(1, Ordering::Relaxed);
        self.push(MemoryEvent { sequence, what: What::Other(Box::new(change)) });
    }

    #[inline]
    fn push(&mut self, event: MemoryEvent) {
        self.last = event.sequence;
        self.trim_to(self.log.oldest(event.sequence + 1));
        self.held.push_back(event);
    }

    /// Drops events that are no longer retained.
    pub(super) fn trim(&mut self) {
        self.trim_to(self.bounds().oldest);
    }

    #[inline]
    fn trim_to(&mut self, oldest: u64) {
        while self.held.front().is_some_and(|event| event.sequence < oldest) {
            self.held.pop_front();
        }
    }

    /// Whether an event that is retained may tell of the entry that was last written as
    /// `version`; its slot is then kept until [`unearth`](Self::unearth) names it.
    pub(super) fn bury(&mut self, slot: usize, version: Version) -> bool {
        let oldest = self.log.version(self.bounds().oldest);
        let told = version.as_bytes() >= oldest.as_bytes();
        if told {
            // Later than it must be, so that the order is that of the events.
            self.buried.push_back((self.log.next(), slot));
        }
        told
    }

    /// A slot of which no event tells any more.
    #[inline]
    pub(super) fn unearth(&mut self) -> Option<usize> {
        let (last, slot) = *self.buried.front()?;
        if self.held.front().is_some_and(|event| event.sequence <= last) {
            return None;
        }
        self.buried.pop_front();
        Some(slot)
    }
}
