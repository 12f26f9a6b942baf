//! The keys that have changed and were not looked at yet, in the order in which that was told.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;

/// Keys that wait at most; more of them, and they give way to a gap.
const KEYS_MAX: usize = 65_536;

/// When a change was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) number: u64,
    pub(super) at: Instant,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    Nothing,
    /// These keys are to be looked at, with what the last change of each was told as.
    Look(Vec<(Bytes, Told)>),
    /// Everything that this announcement of the end of a clear comes after has been looked at.
    Finish(Bytes, Told),
}

#[derive(Debug)]
enum Work {
    Key(Bytes),
    Finish(Bytes, Told),
}

/// Too many keys wait.
#[derive(Debug)]
pub(super) struct Overflow;

#[derive(Debug, Default)]
pub(super) struct Dirty {
    order: VecDeque<Work>,
    keys: HashMap<Bytes, Told>,
}

impl Dirty {
    /// Notes that a key has changed; one that waits already keeps its place.
    pub(super) fn changed(&mut self, stored: Bytes, told: Told) -> Result<(), Overflow> {
        if let Some(waiting) = self.keys.get_mut(&stored) {
            if waiting.number < told.number {
                *waiting = told;
            }
            return Ok(());
        }
        if self.keys.len() >= KEYS_MAX {
            return Err(Overflow);
        }
        self.order.push_back(Work::Key(stored.clone()));
        self.keys.insert(stored, told);
        Ok(())
    }

    /// Puts the end of a clear behind what waits now.
    pub(super) fn finish(&mut self, announced_by: Bytes, told: Told) {
        self.order.push_back(Work::Finish(announced_by, told));
    }

    /// Takes what is to be done next: at most so many keys.
    pub(super) fn take(&mut self, max: usize) -> Next {
        let mut keys = Vec::new();
        while keys.len() < max {
            match self.order.pop_front() {
                Some(Work::Key(stored)) => {
                    if let Some(told) = self.keys.remove(&stored) {
                        keys.push((stored, told));
                    }
                }
                Some(Work::Finish(announced_by, told)) if keys.is_empty() => {
                    return Next::Finish(announced_by, told);
                }
                Some(finish) => {
                    self.order.push_front(finish);
                    break;
                }
                None => break,
            }
        }
        if keys.is_empty() { Next::Nothing } else { Next::Look(keys) }
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u64) -> Told {
        Told { number, at: Instant::now() }
    }

    #[test]
    fn keys_are_taken_once_in_the_order_of_their_first_change() {
        let mut dirty = Dirty::default();
        for (number, key) in (1..).zip(["b", "a", "b"]) {
            dirty.changed(key.into(), told(number)).unwrap();
        }
        dirty.finish("clear".into(), told(4));
        dirty.changed("c".into(), told(5)).unwrap();
        let Next::Look(keys) = dirty.take(10) else { panic!("keys wait") };
        let keys: Vec<_> = keys.iter().map(|(key, told)| (key.as_ref(), told.number)).collect();
        assert_eq!(keys, [(b"b".as_slice(), 3), (b"a", 2)]);
        assert!(matches!(dirty.take(10), Next::Finish(..)));
        assert!(matches!(dirty.take(10), Next::Look(_)));
        assert!(matches!(dirty.take(10), Next::Nothing));
    }

    #[test]
    fn no_more_than_so_many_keys_wait() {
        let mut dirty = Dirty::default();
        let key = |number: usize| Bytes::from(number.to_string());
        for number in 0..KEYS_MAX {
            dirty.changed(key(number), told(1)).unwrap();
        }
        dirty.changed(key(1), told(2)).unwrap();
        assert!(dirty.changed(key(KEYS_MAX), told(3)).is_err());
    }
}
