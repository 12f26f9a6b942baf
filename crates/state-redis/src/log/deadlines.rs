//! When entries that were told with a lifetime are due: no stream tells of their end.

use std::collections::{BTreeSet, HashMap};

use state_core::{Change, Key};

/// The most deadlines that a watch remembers; the latest beyond that are forgotten, and the end of
/// those lifetimes is not told.
const DEADLINES_MAX: usize = 65_536;

/// The deadlines of entries, as far as a watch was told of them.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_key: HashMap<Key, u64>,
    by_time: BTreeSet<(u64, Key)>,
}

impl Deadlines {
    /// Takes note of a change.
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::Put { key, deadline, .. } | Change::Touched { key, deadline } => {
                self.forget(key);
                if let Some(deadline) = deadline {
                    self.remember(key.clone(), deadline.unix_ms());
                }
            }
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

    pub(crate) fn remember(&mut self, key: Key, deadline_ms: u64) {
        self.by_key.insert(key.clone(), deadline_ms);
        self.by_time.insert((deadline_ms, key));
        if self.by_time.len() > DEADLINES_MAX
            && let Some((_, key)) = self.by_time.pop_last()
        {
            self.by_key.remove(&key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some((key, deadline_ms)) = self.by_key.remove_entry(key) {
            self.by_time.remove(&(deadline_ms, key));
        }
    }

    /// Takes out up to `limit` that were due before `now_ms`.
    pub(crate) fn take_due(&mut self, now_ms: u64, limit: usize) -> Vec<Key> {
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
