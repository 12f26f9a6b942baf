//! Which tag a key has, and with it which slot of a cluster.

use std::sync::Arc;

use bytes::Bytes;
use state_core::Key;

use crate::layout::{Layout, Partitioner, Placed};
use crate::topology::{SLOTS, slot_of};

/// How the keys of a namespace are placed.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// Each partition, and each key without one, has itself as tag.
    Own,
    /// A rule of the user's gives the tag.
    Rule(Arc<dyn Partitioner>),
    /// One of a few tags, by a hash of the partition or key, or of the tag that a rule gives.
    Buckets(Buckets),
}

/// The tags of a namespace that is placed in buckets.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    tags: Arc<[Bytes]>,
    rule: Option<Arc<dyn Partitioner>>,
}

impl Placement {
    pub(crate) fn new(layout: &Layout, rule: Option<Arc<dyn Partitioner>>) -> Self {
        match (layout.buckets, rule) {
            (Some(count), rule) => Self::Buckets(Buckets { tags: spread(count), rule }),
            (None, Some(rule)) => Self::Rule(rule),
            (None, None) => Self::Own,
        }
    }

    /// The tag of `key`; `None` where it is the partition, or the name of a key without one.
    pub(super) fn tag(&self, key: &Key) -> Option<Bytes> {
        match self {
            Self::Own => None,
            Self::Rule(rule) => Some(rule.tag(placed(key))),
            Self::Buckets(buckets) => Some(buckets.tag(buckets.of(key)).clone()),
        }
    }
}

impl Buckets {
    /// So many buckets, by a hash of the key.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn new(count: u16) -> Self {
        Self { tags: spread(count), rule: None }
    }

    pub(crate) fn count(&self) -> usize {
        self.tags.len()
    }

    /// The bucket of `key`.
    pub(crate) fn of(&self, key: &Key) -> usize {
        let hash = match (&self.rule, placed(key)) {
            (Some(rule), placed) => hash(b"t", &rule.tag(placed)),
            (None, Placed::Partition(name)) => hash(b"p", name),
            (None, Placed::Key(name)) => hash(b"k", name),
        };
        let count = u64::try_from(self.tags.len().max(1)).unwrap_or(1);
        usize::try_from(hash % count).unwrap_or(0)
    }

    pub(super) fn tag(&self, bucket: usize) -> &Bytes {
        static NONE: Bytes = Bytes::from_static(b"0");
        self.tags.get(bucket).unwrap_or(&NONE)
    }
}

fn placed(key: &Key) -> Placed<'_> {
    key.partition().map_or_else(|| Placed::Key(key.name()), |name| Placed::Partition(name))
}

/// The tags of `count` buckets: for each an equal share of the slots in their order, and in it the
/// smallest number whose slot it is. So the buckets lie on all nodes of a cluster alike.
fn spread(count: u16) -> Arc<[Bytes]> {
    let count = usize::from(count.max(1));
    let mut tags = vec![None; count];
    let mut missing = count;
    for number in 0_u32.. {
        let tag = Bytes::from(number.to_string());
        let share = usize::from(slot_of(&tag)) * count / usize::from(SLOTS);
        if let Some(place @ None) = tags.get_mut(share) {
            *place = Some(tag);
            missing -= 1;
        }
        if missing == 0 {
            break;
        }
    }
    tags.into_iter().flatten().collect()
}

/// FNV-1a over `kind` and `bytes`, mixed so that every bit of the result depends on all of them.
/// It decides where keys are, so it can never change.
fn hash(kind: &[u8], bytes: &[u8]) -> u64 {
    let hash = kind.iter().chain(bytes).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_share_the_slots_and_the_keys_evenly() {
        for count in [1_u16, 2, 3, 16, 100, 128] {
            let layout = Layout { buckets: Some(count), ..Layout::default() };
            let Placement::Buckets(buckets) = Placement::new(&layout, None) else { panic!() };
            assert_eq!(buckets.count(), usize::from(count));
            for bucket in 0..buckets.count() {
                let slot = usize::from(slot_of(buckets.tag(bucket)));
                assert_eq!(slot * buckets.count() / usize::from(SLOTS), bucket);
            }
            let mut keys = vec![0_u32; buckets.count()];
            for number in 0..20_000 {
                keys[buckets.of(&Key::from(format!("key-{number}")))] += 1;
            }
            let mean = 20_000 / u32::from(count);
            assert!(keys.iter().all(|held| held.abs_diff(mean) < mean), "{keys:?}");
        }
    }

    #[test]
    fn where_keys_are_never_changes() {
        let layout = Layout { buckets: Some(16), ..Layout::default() };
        let Placement::Buckets(buckets) = Placement::new(&layout, None) else { panic!() };
        let places = ["a", "b", "user:7"].map(|name| {
            (buckets.of(&Key::from(name)), buckets.of(&Key::in_partition(name, "any")))
        });
        assert_eq!(places, [(11, 10), (13, 14), (6, 2)]);
        let tags: Vec<_> = buckets.tags.iter().map(|tag| str::from_utf8(tag).unwrap()).collect();
        assert_eq!(tags.join(" "), "10 3 61 43 11 2 60 42 12 1 63 41 13 0 62 40");
    }
}
