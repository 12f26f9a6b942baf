//! When entries that were told with a lifetime are due: no stream tells of their end.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use state_core::{Change, Key};

/// The most deadlines that a watch remembers; the latest beyond that are forgotten, and the end of
/// those lifetimes is not told.
const DEADLINES_MAX: usize = 65_536;

/// The deadlines of entries, or of whatever else has a name, as far as a watch was told of them.
#[derive(Debug)]
pub(crate) struct Deadlines<K = Key> {
    by_key: HashMap<K, u64>,
    by_time: BTreeSet<(u64, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_time: BTreeSet::new() }
    }
}

impl Deadlines {
    /// Takes note of a change.
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::Put { key, deadline, .. } | Change::Touched { key, deadline } => match deadline
            {
                Some(deadline) => self.remember(key.clone(), deadline.unix_ms()),
                None => self.forget(key),
            },
            Change::Deleted { key } => self.forget(key),
            Change::Cleared { prefix, scope } => {
                let cleared =
                    |key: &Key| key.name().starts_with(prefix) && scope.covers(key.partition());
                self.by_key.retain(|key, _| !cleared(key));
                self.by_time.retain(|(_, key)| !cleared(key));
            }
            _ => {}
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Deadlines<K> {
    pub(crate) fn remember(&mut self, key: K, deadline_ms: u64) {
        self.forget(&key);
        self.by_key.insert(key.clone(), deadline_ms);
        self.by_time.insert((deadline_ms, key));
        if self.by_time.len() > DEADLINES_MAX
            && let Some((_, key)) = self.by_time.pop_last()
        {
            self.by_key.remove(&key);
        }
    }

    pub(crate) fn forget(&mut self, key: &K) {
        if let Some((key, deadline_ms)) = self.by_key.remove_entry(key) {
            self.by_time.remove(&(deadline_ms, key));
        }
    }

    /// The first of them.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out up to `limit` that were due before `now_ms`.
    pub(crate) fn take_due(&mut self, now_ms: u64, limit: usize) -> Vec<K> {
        let mut due = Vec::new();
        while due.len() < limit && self.by_time.first().is_some_and(|(at, _)| *at < now_ms) {
            let Some((_, key)) = self.by_time.pop_first() else { break };
            self.by_key.remove(&key);
            due.push(key);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use state_core::{Scope, Timestamp};

    use super::*;

    #[test]
    fn only_the_last_word_on_a_key_counts() {
        let touched = |key: &str, at: Option<u64>| Change::Touched {
            key: key.into(),
            deadline: at.map(Timestamp::from_unix_ms),
        };
        let mut deadlines = Deadlines::default();
        for (key, at) in [("a", 10), ("b", 20), ("c", 30), ("d", 40), ("ab", 5)] {
            deadlines.note(&touched(key, Some(at)));
        }
        deadlines.note(&touched("a", Some(50)));
        deadlines.note(&touched("b", None));
        deadlines.note(&Change::Deleted { key: "c".into() });
        deadlines.note(&Change::Cleared { prefix: "ab".into(), scope: Scope::All });
        assert_eq!(deadlines.take_due(41, 10), ["d".into()]);
        assert_eq!(deadlines.take_due(100, 10), ["a".into()]);
        assert!(deadlines.by_key.is_empty() && deadlines.by_time.is_empty());
    }
}
