//! A map that finds a record by its key in one step, and visits records in key order.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Bound;

use hashbrown::HashTable;
use state_core::Key;

/// Records in slots, found by the hash of their key, and in an index in key order.
///
/// A tree alone compares as many keys as it is deep, which costs a read or an overwrite more
/// than all the rest. Here only what comes and goes touches the order.
#[derive(Clone)]
pub(super) struct Ordered<T> {
    hashing: RandomState,
    /// Slots by the hash of their key.
    found: HashTable<usize>,
    order: BTreeMap<Key, usize>,
    slots: Vec<Option<Slot<T>>>,
    /// Slots that are empty.
    free: Vec<usize>,
}

/// A record and its key, on as few cache lines as they fill.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Slot<T> {
    key: Key,
    /// `None` when the record was taken out and the key is still referred to.
    record: Option<T>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self {
            hashing: RandomState::new(),
            found: HashTable::new(),
            order: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Ordered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.range(Bound::Unbounded)).finish()
    }
}

impl<T> Ordered<T> {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&T> {
        let index = self.find(key)?;
        self.slot(index)?.record.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        self.locate(key).map(|(_, record)| record)
    }

    /// The slot of `key`, and the record in it.
    pub(super) fn locate(&mut self, key: &Key) -> Option<(usize, &mut T)> {
        let index = self.find(key)?;
        let slot = self.slots.get_mut(index)?.as_mut()?;
        Some((index, slot.record.as_mut()?))
    }

    /// The key in a slot; also of a record that was taken out, until the slot is released.
    pub(super) fn key_at(&self, index: usize) -> Option<&Key> {
        self.slot(index).map(|slot| &slot.key)
    }

    /// Stores `record` at `key`, where there is none, and returns its slot.
    pub(super) fn add(&mut self, key: &Key, record: T) -> usize {
        let slot = Some(Slot { key: key.clone(), record: Some(record) });
        let index = if let Some(index) = self.free.pop() {
            if let Some(empty) = self.slots.get_mut(index) {
                *empty = slot;
            }
            index
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        self.order.insert(key.clone(), index);
        let (hashing, slots) = (&self.hashing, &self.slots);
        let hash_of = |index: &usize| hash_at(hashing, slots, *index);
        self.found.insert_unique(hash(hashing, key), index, hash_of);
        index
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<T> {
        let (index, record) = self.take(key)?;
        self.release(index);
        Some(record)
    }

    /// Takes a record out of its slot, which keeps the key until it is released.
    pub(super) fn take(&mut self, key: &Key) -> Option<(usize, T)> {
        let slots = &self.slots;
        let same = |index: &usize| is_at(slots, *index, key);
        let entry = self.found.find_entry(hash(&self.hashing, key), same).ok()?;
        let (index, _) = entry.remove();
        self.order.remove(key);
        let record = self.slots.get_mut(index)?.as_mut()?.record.take()?;
        Some((index, record))
    }

    /// Lets another record have the slot of one that was taken out.
    pub(super) fn release(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = None;
            self.free.push(index);
        }
        if self.free.len() == self.slots.len() {
            // The room of many records is not kept for none.
            *self = Self::default();
        }
    }

    /// Records in key order from `from` on.
    pub(super) fn range(&self, from: Bound<&Key>) -> Range<'_, T> {
        Range { slots: &self.slots, order: self.order.range::<Key, _>((from, Bound::Unbounded)) }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().filter_map(|slot| slot.record.as_ref())
    }

    fn find(&self, key: &Key) -> Option<usize> {
        let found =
            self.found.find(hash(&self.hashing, key), |index| is_at(&self.slots, *index, key));
        found.copied()
    }

    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        self.slots.get(index)?.as_ref()
    }
}

impl<T: Default> Ordered<T> {
    /// The record at `key`, which is made if there is none.
    pub(super) fn get_or_default(&mut self, key: &Key) -> Option<&mut T> {
        if self.find(key).is_none() {
            self.add(key, T::default());
        }
        self.get_mut(key)
    }
}

/// Records in key order.
#[derive(Debug)]
pub(super) struct Range<'a, T> {
    slots: &'a [Option<Slot<T>>],
    order: btree_map::Range<'a, Key, usize>,
}

impl<'a, T> Iterator for Range<'a, T> {
    type Item = (&'a Key, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, index) = self.order.next()?;
        let slot = self.slots.get(*index)?.as_ref()?;
        Some((key, slot.record.as_ref()?))
    }
}

fn is_at<T>(slots: &[Option<Slot<T>>], index: usize, key: &Key) -> bool {
    slots.get(index).and_then(Option::as_ref).is_some_and(|slot| slot.key == *key)
}

fn hash_at<T>(hashing: &RandomState, slots: &[Option<Slot<T>>], index: usize) -> u64 {
    let slot = slots.get(index).and_then(Option::as_ref);
    slot.map_or(0, |slot| hash(hashing, &slot.key))
}

/// Seeded at random, so that nobody can choose names that meet in one place.
fn hash(hashing: &RandomState, key: &Key) -> u64 {
    let mut hasher = hashing.build_hasher();
    if let Some(partition) = key.partition() {
        hasher.write_usize(partition.len());
        hasher.write(partition);
    }
    hasher.write(key.name());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn key(byte: u8) -> Key {
        match byte % 3 {
            0 => Key::from(vec![byte]),
            1 => Key::in_partition("p", vec![byte]),
            _ => Key::in_partition(vec![byte], "n"),
        }
    }

    proptest! {
        #[test]
        fn is_as_good_as_a_tree(
            steps in proptest::collection::vec((any::<bool>(), 1..60_u8, any::<u32>()), 0..300),
        ) {
            let (mut ordered, mut tree) = (Ordered::default(), BTreeMap::new());
            for (remove, byte, record) in steps {
                let key = key(byte);
                let before = ordered.get(&key).copied();
                prop_assert_eq!(before, tree.get(&key).copied());
                if remove {
                    prop_assert_eq!(ordered.remove(&key), tree.remove(&key));
                } else {
                    tree.insert(key.clone(), record);
                    match ordered.get_mut(&key) {
                        Some(held) => *held = record,
                        None => drop(ordered.add(&key, record)),
                    }
                }
                prop_assert_eq!(ordered.len(), tree.len());
                prop_assert_eq!(ordered.get(&key), tree.get(&key));
                let from = Bound::Excluded(&key);
                let ahead = tree.range::<Key, _>((from, Bound::Unbounded));
                prop_assert_eq!(ordered.range(from).collect::<Vec<_>>(), ahead.collect::<Vec<_>>());
            }
            for (key, record) in &mut tree {
                prop_assert_eq!(ordered.get_mut(key), Some(&mut *record));
            }
            prop_assert_eq!(ordered.values().count(), tree.len());
        }
    }

    #[test]
    fn the_key_of_a_record_that_was_taken_stays_until_its_slot_is_released() {
        let mut ordered = Ordered::default();
        let (a, b) = (Key::from("a"), Key::from("b"));
        let first = ordered.add(&a, 1);
        assert_eq!(ordered.take(&a), Some((first, 1)));
        assert_eq!((ordered.get(&a), ordered.len(), ordered.key_at(first)), (None, 0, Some(&a)));
        let second = ordered.add(&a, 2);
        assert_ne!(first, second);
        ordered.release(first);
        assert_eq!((ordered.key_at(first), ordered.get(&a)), (None, Some(&2)));
        assert_eq!((ordered.add(&b, 3), ordered.key_at(first)), (first, Some(&b)));
    }

    #[test]
    fn the_last_one_to_go_takes_the_room_along() {
        let mut ordered = Ordered::default();
        for round in 0..3_u8 {
            for byte in 1..=100 {
                *ordered.get_or_default(&key(byte)).unwrap() = round;
            }
            assert_eq!((ordered.len(), ordered.slots.len()), (100, 100));
            assert!((1..=100).all(|byte| ordered.remove(&key(byte)) == Some(round)));
            assert_eq!((ordered.slots.capacity(), ordered.free.capacity()), (0, 0));
        }
    }
}
