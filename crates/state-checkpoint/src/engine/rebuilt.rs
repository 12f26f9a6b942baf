//! Which ancestors channels without a value are rebuilt from.
//!
//! Each ancestor is walked over once for each such channel, however many checkpoints descend from
//! it: what a walk has found out of the ancestors above is known to the next one.

use std::collections::{BTreeMap, HashMap};

use state_core::checkpoint::{CheckpointId, CheckpointNamespace};

/// Where a record is.
pub(super) type Place = (CheckpointNamespace, CheckpointId);

/// What is known of a channel at a record, beside its number.
pub(super) const WRITTEN: u32 = 1;
pub(super) const VALUE: u32 = 2;
const CHANNEL_SHIFT: u32 = 2;

/// What a walk has found out of a record and those above it, back to the nearest value.
const SEEN: u8 = 1;
/// Something was written to the channel.
const WRITES: u8 = 2;
/// There is a value.
const ENDS: u8 = 4;
/// All of it is needed.
const MARKED: u8 = 8;

/// Records by the parents that they name.
#[derive(Debug, Default)]
pub(super) struct Tree {
    numbers: HashMap<Place, u32>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    there: bool,
    parent: Option<u32>,
    /// Channels that matter, each with what is known of it.
    notes: Box<[u32]>,
}

impl Tree {
    /// The number of a record, whether or not it is there.
    pub(super) fn number(&mut self, place: &Place) -> u32 {
        if let Some(number) = self.numbers.get(place) {
            return *number;
        }
        // More than there are bytes of memory to hold them.
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        self.numbers.insert(place.clone(), number);
        number
    }

    /// Adds a record with what is known of its channels. Of two in one place the first counts.
    pub(super) fn add(
        &mut self,
        place: &Place,
        parent: Option<&CheckpointId>,
        notes: &BTreeMap<u32, u32>,
    ) {
        let number = self.number(place);
        let parent = parent.map(|parent| self.number(&(place.0.clone(), parent.clone())));
        let notes = notes.iter().map(|(channel, note)| channel << CHANNEL_SHIFT | note).collect();
        if let Some(node) = self.nodes.get_mut(number as usize).filter(|node| !node.there) {
            *node = Node { there: true, parent, notes };
        }
    }

    /// The records that others are rebuilt from: those are given by the channels that they have
    /// without a value. Of each channel, the ancestors back to the nearest value are needed, if
    /// anything was written to it since; where there is no value, back to the first write.
    pub(super) fn needed(&self, open: &BTreeMap<u32, Vec<u32>>) -> Marks<'_> {
        let mut walk =
            Walk { tree: self, channel: 0, known: vec![0; self.nodes.len()], touched: Vec::new() };
        let mut needed = vec![false; self.nodes.len()];
        for (channel, from) in open {
            walk.begin(*channel);
            for start in from {
                walk.from(*start, &mut needed);
            }
        }
        Marks { numbers: &self.numbers, needed }
    }

    fn parent(&self, number: u32) -> Option<u32> {
        let parent = self.nodes.get(number as usize)?.parent?;
        self.nodes.get(parent as usize).filter(|node| node.there).map(|_| parent)
    }

    fn note(&self, number: u32, channel: u32) -> u32 {
        let Some(node) = self.nodes.get(number as usize) else { return 0 };
        let at = node.notes.binary_search_by_key(&channel, |note| note >> CHANNEL_SHIFT);
        let known = at.ok().and_then(|at| node.notes.get(at));
        known.map_or(0, |note| note & (WRITTEN | VALUE))
    }
}

/// Which records are needed.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    numbers: &'a HashMap<Place, u32>,
    needed: Vec<bool>,
}

impl Marks<'_> {
    pub(super) fn has(&self, place: &Place) -> bool {
        let number = self.numbers.get(place);
        number.and_then(|number| self.needed.get(*number as usize)).is_some_and(|needed| *needed)
    }
}

/// The walks of one channel.
struct Walk<'a> {
    tree: &'a Tree,
    channel: u32,
    known: Vec<u8>,
    touched: Vec<u32>,
}

impl Walk<'_> {
    fn begin(&mut self, channel: u32) {
        self.channel = channel;
        for number in self.touched.drain(..) {
            if let Some(known) = self.known.get_mut(number as usize) {
                *known = 0;
            }
        }
    }

    fn known(&self, number: u32) -> u8 {
        self.known.get(number as usize).copied().unwrap_or_default()
    }

    fn set(&mut self, number: u32, state: u8) {
        if let Some(known) = self.known.get_mut(number as usize) {
            *known = state;
        }
    }

    /// Marks what the record `start` needs.
    fn from(&mut self, start: u32, needed: &mut [bool]) {
        let Some(first) = self.tree.parent(start) else { return };
        self.climb(first);
        if self.known(first) & WRITES == 0 {
            return;
        }
        let mut next = Some(first);
        while let Some(at) = next {
            let state = self.known(at);
            if state & MARKED != 0 || state & (ENDS | WRITES) == 0 {
                break;
            }
            self.set(at, state | MARKED);
            if let Some(needed) = needed.get_mut(at as usize) {
                *needed = true;
            }
            if self.tree.note(at, self.channel) & VALUE != 0 {
                break;
            }
            next = self.tree.parent(at);
        }
    }

    /// Finds out what is above `first` as far as it is not known.
    fn climb(&mut self, first: u32) {
        let before = self.touched.len();
        let (mut next, mut above) = (Some(first), 0);
        while let Some(at) = next {
            if self.known(at) != 0 {
                // Of what is its own ancestor, nothing is known so far, and so it ends here.
                above = self.known(at);
                break;
            }
            self.set(at, SEEN);
            self.touched.push(at);
            let ends = self.tree.note(at, self.channel) & VALUE != 0;
            next = if ends { None } else { self.tree.parent(at) };
        }
        let path = self.touched.get(before..).unwrap_or_default().to_vec();
        for at in path.into_iter().rev() {
            let note = self.tree.note(at, self.channel);
            let mut state = if note & VALUE == 0 { above & (ENDS | WRITES) } else { ENDS };
            if note & WRITTEN != 0 {
                state |= WRITES;
            }
            above = state | SEEN;
            self.set(at, above);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn place(number: usize) -> Place {
        ("".into(), number.to_string().into())
    }

    /// The rule itself, for one record and one channel.
    fn expected(parents: &[usize], notes: &[u32], start: usize) -> BTreeSet<usize> {
        let (mut path, mut far, mut at) = (Vec::new(), 0, start);
        while at > 0 {
            at = parents[at];
            path.push(at);
            if notes[at] & WRITTEN != 0 {
                far = path.len();
            }
            if notes[at] & VALUE != 0 {
                far = if far == 0 { 0 } else { path.len() };
                break;
            }
        }
        path.into_iter().take(far).collect()
    }

    proptest! {
        #[test]
        fn what_is_shared_is_what_each_needs(
            parents in proptest::collection::vec(any::<proptest::sample::Index>(), 1..60),
            notes in proptest::collection::vec(prop_oneof![4 => Just(0), 2 => 0_u32..2, 1 => 0_u32..4], 120),
            open in proptest::collection::vec((0_usize..60, 0_u32..2), 1..40),
        ) {
            let count = parents.len();
            // The parent of each but the first is one before it.
            let parents: Vec<usize> =
                parents.iter().enumerate().map(|(at, parent)| if at == 0 { 0 } else { parent.index(at) }).collect();
            let of = |channel: usize| notes[channel * 60..][..count].to_vec();
            let mut tree = Tree::default();
            for at in (0..count).rev() {
                let notes = (0..2).map(|channel| (channel, of(channel as usize)[at])).collect();
                let parent = (at > 0).then(|| place(parents[at]).1);
                tree.add(&place(at), parent.as_ref(), &notes);
            }
            let mut wanted = BTreeSet::new();
            let mut given: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (start, channel) in open {
                let start = start % count;
                wanted.extend(expected(&parents, &of(channel as usize), start));
                given.entry(channel).or_default().push(tree.number(&place(start)));
            }
            let marks = tree.needed(&given);
            let found: BTreeSet<usize> = (0..count).filter(|at| marks.has(&place(*at))).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_is_its_own_ancestor_comes_to_an_end() {
        let mut tree = Tree::default();
        let notes = BTreeMap::from([(0, WRITTEN)]);
        tree.add(&place(1), Some(&place(2).1), &notes);
        tree.add(&place(2), Some(&place(1).1), &notes);
        let start = tree.number(&place(1));
        let open = BTreeMap::from([(0, vec![start])]);
        assert!(tree.needed(&open).has(&place(2)));
    }
}
