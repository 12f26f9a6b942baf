//! What is evicted when a namespace is full.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use state_core::{Key, Timestamp};

/// Picks what is evicted when a namespace is full.
///
/// The store tells the policy of everything that happens to entries, in order and under the
/// lock of the namespace, so be quick. A policy that names no victim, or one that is not there,
/// lets the namespace grow past its capacity.
pub trait EvictionPolicy: fmt::Debug + Send + 'static {
    /// An entry was written; `deadline` is the end of its lifetime, if it has one.
    fn written(&mut self, key: &Key, deadline: Option<Timestamp>);

    /// An entry was read.
    fn read(&mut self, key: &Key);

    /// An entry has gone.
    fn removed(&mut self, key: &Key);

    /// The entry to evict next; it is told as removed afterwards.
    fn victim(&mut self) -> Option<Key>;
}

/// How a store makes its policies.
#[derive(Clone)]
pub(super) struct Eviction {
    pub(super) entries_max: usize,
    make: Arc<dyn Fn() -> Box<dyn EvictionPolicy> + Send + Sync>,
}

impl Eviction {
    pub(super) fn new(
        entries_max: usize,
        make: impl Fn() -> Box<dyn EvictionPolicy> + Send + Sync + 'static,
    ) -> Self {
        Self { entries_max, make: Arc::new(make) }
    }

    pub(super) fn policy(&self) -> Box<dyn EvictionPolicy> {
        (self.make)()
    }
}

/// Keys ordered by a rank that changes.
#[derive(Debug)]
struct Ranking<R> {
    ranks: HashMap<Key, R>,
    order: BTreeSet<(R, Key)>,
}

impl<R> Default for Ranking<R> {
    fn default() -> Self {
        Self { ranks: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<R: Copy + Ord> Ranking<R> {
    fn set(&mut self, key: &Key, rank: R) {
        if let Some(old) = self.ranks.insert(key.clone(), rank) {
            self.order.remove(&(old, key.clone()));
        }
        self.order.insert((rank, key.clone()));
    }

    fn of(&self, key: &Key) -> Option<R> {
        self.ranks.get(key).copied()
    }

    fn remove(&mut self, key: &Key) {
        if let Some(rank) = self.ranks.remove(key) {
            self.order.remove(&(rank, key.clone()));
        }
    }

    fn first(&self) -> Option<Key> {
        self.order.first().map(|(_, key)| key.clone())
    }
}

/// Evicts what was read or written the longest time ago. Each use costs `O(log n)`.
#[derive(Debug, Default)]
pub struct LeastRecentlyUsed {
    uses: u64,
    ranking: Ranking<u64>,
}

impl LeastRecentlyUsed {
    /// A policy that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl EvictionPolicy for LeastRecentlyUsed {
    fn written(&mut self, key: &Key, _deadline: Option<Timestamp>) {
        self.uses += 1;
        self.ranking.set(key, self.uses);
    }

    fn read(&mut self, key: &Key) {
        self.written(key, None);
    }

    fn removed(&mut self, key: &Key) {
        self.ranking.remove(key);
    }

    fn victim(&mut self) -> Option<Key> {
        self.ranking.first()
    }
}

/// Evicts what was read or written the fewest times since it came; among equals what was used
/// the longest time ago. Each use costs `O(log n)`.
#[derive(Debug, Default)]
pub struct LeastFrequentlyUsed {
    uses: u64,
    ranking: Ranking<(u64, u64)>,
}

impl LeastFrequentlyUsed {
    /// A policy that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl EvictionPolicy for LeastFrequentlyUsed {
    fn written(&mut self, key: &Key, _deadline: Option<Timestamp>) {
        self.uses += 1;
        let count = self.ranking.of(key).map_or(0, |(count, _)| count);
        self.ranking.set(key, (count + 1, self.uses));
    }

    fn read(&mut self, key: &Key) {
        self.written(key, None);
    }

    fn removed(&mut self, key: &Key) {
        self.ranking.remove(key);
    }

    fn victim(&mut self) -> Option<Key> {
        self.ranking.first()
    }
}

/// Evicts what would expire first; entries without a lifetime only when there are no others,
/// those written the longest time ago first. Each write costs `O(log n)`.
#[derive(Debug, Default)]
pub struct OldestExpiry {
    writes: u64,
    ranking: Ranking<(u64, u64)>,
}

impl OldestExpiry {
    /// A policy that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl EvictionPolicy for OldestExpiry {
    fn written(&mut self, key: &Key, deadline: Option<Timestamp>) {
        self.writes += 1;
        let deadline = deadline.map_or(u64::MAX, Timestamp::unix_ms);
        self.ranking.set(key, (deadline, self.writes));
    }

    fn read(&mut self, _key: &Key) {}

    fn removed(&mut self, key: &Key) {
        self.ranking.remove(key);
    }

    fn victim(&mut self) -> Option<Key> {
        self.ranking.first()
    }
}
