//! Visiting several ordered maps as one.

use std::cmp::Ordering;
use std::collections::binary_heap::{BinaryHeap, PeekMut};
use std::ops::Bound;

use state_core::Key;

use super::ordered::{Ordered, Range};
use crate::tables::{ScanFrom, Step};

/// The next record of one map; the greatest is the one with the least key, which is what a heap
/// gives first.
struct Head<'a, T> {
    key: &'a Key,
    record: &'a T,
    map: &'a Ordered<T>,
    rest: Range<'a, T>,
}

impl<'a, T> Head<'a, T> {
    fn at(map: &'a Ordered<T>, from: Bound<&Key>) -> Option<Self> {
        let mut rest = map.range(from);
        let (key, record) = rest.next()?;
        Some(Self { key, record, map, rest })
    }
}

impl<T> Ord for Head<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(self.key)
    }
}

impl<T> PartialOrd for Head<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Head<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Head<'_, T> {}

/// Visits maps that share no key, in key order over all of them.
pub(super) fn scan<'a, T: 'a>(
    maps: impl IntoIterator<Item = &'a Ordered<T>>,
    from: &ScanFrom,
    visit: &mut dyn FnMut(&Key, &T) -> Step,
) {
    let bound =
        if from.inclusive { Bound::Included(&from.key) } else { Bound::Excluded(&from.key) };
    let mut heads: BinaryHeap<_> =
        maps.into_iter().filter_map(|map| Head::at(map, bound)).collect();
    loop {
        let Some(head) = heads.peek_mut() else { return };
        match visit(head.key, head.record) {
            Step::Stop => return,
            Step::Next => advance(head),
            Step::Seek(key) => {
                drop(head);
                seek(&mut heads, &key);
            }
        }
    }
}

fn advance<T>(mut head: PeekMut<'_, Head<'_, T>>) {
    if let Some((key, record)) = head.rest.next() {
        head.key = key;
        head.record = record;
    } else {
        PeekMut::pop(head);
    }
}

/// Moves only the maps that are behind `key`.
fn seek<T>(heads: &mut BinaryHeap<Head<'_, T>>, key: &Key) {
    while let Some(mut head) = heads.peek_mut()
        && head.key < key
    {
        match Head::at(head.map, Bound::Included(key)) {
            Some(ahead) => *head = ahead,
            None => drop(PeekMut::pop(head)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

    use super::*;

    /// Runs a scan with these steps and returns the keys that it visited.
    fn visited(maps: &[Ordered<u8>], from: &ScanFrom, steps: &[Option<u8>]) -> Vec<Key> {
        let mut visited = Vec::new();
        scan(maps, from, &mut |key, _| {
            visited.push(key.clone());
            match steps.get(visited.len() - 1).copied().flatten() {
                Some(255) => Step::Stop,
                Some(by) => Step::Seek(Key::from(vec![key.name()[0].saturating_add(by).max(1)])),
                None => Step::Next,
            }
        });
        visited
    }

    fn ahead(by: Option<u8>) -> Option<u8> {
        by.map(|by| by.max(1))
    }

    proptest! {
        #[test]
        fn many_maps_are_visited_as_one(
            keys in proptest::collection::btree_map(1..250_u8, 0..4_usize, 0..80),
            steps in proptest::collection::vec(
                any::<Option<u8>>().prop_map(ahead), 0..40,
            ),
            from in 1..250_u8,
            inclusive: bool,
        ) {
            let mut maps = vec![Ordered::default(); 4];
            let mut whole = Ordered::default();
            for (byte, map) in keys {
                maps[map].add(&Key::from(vec![byte]), byte);
                whole.add(&Key::from(vec![byte]), byte);
            }
            let from = ScanFrom { key: Key::from(vec![from]), inclusive };
            // The end of the range of names cannot be moved past.
            let steps: Vec<_> = steps.into_iter().map(|step| step.filter(|by| *by < 5 || *by == 255)).collect();
            prop_assert_eq!(visited(&maps, &from, &steps), visited(&[whole], &from, &steps));
        }
    }
}
