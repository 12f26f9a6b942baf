//! Tests of stored keys: injective, readable, one slot for what belongs together.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::layout::{Layout, Partitioner, Placed};
use crate::topology::slot_of;

const ODD: [&str; 14] =
    ["a", "b", "ab", ":", "a:b", "{", "}", "{a}", "%", "%7D", "*?[]", "\0", "\r\n", "V:{a}"];

/// Tags with everything that could be taken for something else, and an empty one.
#[derive(Debug)]
struct OddTags;

impl Partitioner for OddTags {
    fn id(&self) -> &'static str {
        "odd"
    }

    fn tag(&self, placed: Placed<'_>) -> Bytes {
        let (Placed::Partition(name) | Placed::Key(name)) = placed;
        let tags = ["", "%", "}", "{", "a}b", ":", "V:{a}", "\0"];
        Bytes::from(tags[name.iter().map(|byte| usize::from(*byte)).sum::<usize>() % tags.len()])
    }
}

fn spaces(namespace: &str) -> [KeySpace; 4] {
    let namespace = Namespace::new(Bytes::copy_from_slice(namespace.as_bytes())).unwrap();
    let buckets = Layout { buckets: Some(16), ..Layout::default() };
    [
        Placement::Own,
        Placement::Rule(Arc::new(OddTags)),
        Placement::new(&buckets, None),
        Placement::new(&buckets, Some(Arc::new(OddTags))),
    ]
    .map(|placement| KeySpace::new("state", &namespace, placement))
}

/// Everything that is stored for `key`, by what it is.
fn stored(space: &KeySpace, key: &Key) -> Vec<(String, Bytes)> {
    let kinds = [Kind::Entry, Kind::Hash, Kind::Lease];
    let mut all: Vec<_> =
        kinds.iter().map(|kind| (format!("{kind:?}"), space.key(*kind, key))).collect();
    all.push(("fence".into(), space.fence(key)));
    for id in [[0; 16], [7; 16]] {
        all.push((format!("operation {id:?}"), space.operation(key, &id)));
    }
    all
}

/// A key of up to three odd pieces in its name and in its partition.
fn odd_key(seed: &mut u64) -> Key {
    let mut next = |below: u64| {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((*seed >> 33) % below).unwrap()
    };
    let mut word = || (0..=next(3)).map(|_| ODD[next(14)]).collect::<String>();
    let (partition, name) = (word(), word());
    if next(3) == 0 { Key::from(name) } else { Key::in_partition(partition, name) }
}

#[test]
fn no_two_of_many_places_share_a_key_and_every_key_reads_back() {
    for placement in 0..4 {
        let mut seen: HashMap<Bytes, (&str, String, Key)> = HashMap::new();
        let mut random = 1;
        let namespaces = ["a", "ab", "a:", "a%3A", "{a}"].map(|name| (name, spaces(name)));
        while seen.len() < 30_000 {
            let key = odd_key(&mut random);
            for (namespace, spaces) in &namespaces {
                let space = &spaces[placement];
                for (what, stored) in stored(space, &key) {
                    // The fencing marks of a partition are one for all of its keys.
                    let key = match key.partition() {
                        Some(partition) if what == "fence" => {
                            Key::in_partition(partition.clone(), "")
                        }
                        _ => key.clone(),
                    };
                    let place = (*namespace, what, key);
                    let other = seen.insert(stored, place.clone());
                    assert!(other.is_none_or(|other| other == place), "{place:?}");
                }
                for kind in [Kind::Entry, Kind::Hash] {
                    let stored = space.key(kind, &key);
                    assert_eq!(space.read(kind, &stored).as_ref(), Some(&key), "{stored:?}");
                    let other = if kind == Kind::Entry { Kind::Hash } else { Kind::Entry };
                    assert_eq!(space.read(other, &stored), None);
                }
            }
        }
    }
}

#[test]
fn what_belongs_together_is_in_one_slot() {
    let mut seed = 7;
    for _ in 0..1_000 {
        let key = odd_key(&mut seed);
        for space in spaces("shop") {
            let mut slots: Vec<u16> =
                stored(&space, &key).iter().map(|(_, stored)| slot_of(stored)).collect();
            if let Some(partition) = key.partition() {
                let other = Key::in_partition(partition.clone(), "other}{");
                slots.push(slot_of(&space.key(Kind::Entry, &other)));
            }
            slots.dedup();
            assert_eq!(slots.len(), 1, "{key:?}");
        }
    }
}

#[test]
fn a_plain_key_stays_readable() {
    let [own, _, buckets, _] = spaces("shop");
    let placed = Key::in_partition("user:7", "cart");
    assert_eq!(own.key(Kind::Entry, &"user:7".into()), "state:shop:V:{user:7}");
    assert_eq!(own.key(Kind::Entry, &placed), "state:shop:v:{user:7}cart");
    assert_eq!(buckets.key(Kind::Entry, &"user:7".into()), "state:shop:V:{60}user:7");
    assert_eq!(buckets.key(Kind::Entry, &placed), "state:shop:v:{61}user:7}cart");
    let record = KeySpace::layout("state", &Namespace::new("shop").unwrap());
    assert_eq!(record, "state:shop:y");
}

#[test]
fn watched_keys_are_recognised_and_no_other() {
    for (prefix, namespace) in [("state", "a"), ("", "a:b"), ("x:y", "%")] {
        let namespace = Namespace::new(namespace).unwrap();
        let space = KeySpace::new(prefix, &namespace, Placement::Own);
        let key = Key::in_partition("p:q", "n");
        let announced = space.announcement(7, &[9; 16]);
        assert_eq!(space.read_announcement(&announced), Some([9; 16]));
        assert_eq!(space.read_announcement(&space.key(Kind::Entry, &key)), None);
        for (stored, watched) in [
            (announced, true),
            (space.key(Kind::Entry, &key), true),
            (space.key(Kind::Hash, &"n".into()), true),
            (space.key(Kind::Lease, &key), false),
            (space.fence(&key), false),
            (space.operation(&key, &[1; 16]), false),
            (KeySpace::layout(prefix, &namespace), false),
        ] {
            assert_eq!(base_of(&stored), Some(space.base().as_ref()));
            let covering = space.watched().into_iter().filter(|p| stored.starts_with(p));
            assert_eq!(covering.count(), usize::from(watched), "{stored:?}");
        }
    }
}
