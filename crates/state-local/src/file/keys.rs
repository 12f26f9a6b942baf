//! Stored keys: injective, and in the order of the keys that they stand for.
//!
//! A stored key begins with the namespace, then says whether there is a partition, then which
//! one, then the name. Every part but the last is *terminated*: its zero bytes are written as
//! `00 FF` and it ends with `00 00`, so that no part can run into the next and a shorter part
//! sorts before a longer one that begins with it.

use bytes::Bytes;
use state_core::{Key, Namespace, OpId, Timestamp};

use crate::tables::{Due, DueKind, OpIdOrd};

const ESCAPED: [u8; 2] = [0x00, 0xFF];
const END: [u8; 2] = [0x00, 0x00];

const UNPARTITIONED: u8 = 0;
const PARTITIONED: u8 = 1;

const DUE_ENTRY: u8 = 0;
const DUE_HASH: u8 = 1;
const DUE_OPERATION: u8 = 2;

/// What every stored key of a namespace begins with.
pub(super) fn of_namespace(namespace: &Namespace) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(namespace.as_bytes().len() + END.len());
    push_terminated(&mut bytes, namespace.as_bytes());
    bytes
}

/// The namespace whose stored keys begin with these bytes, if any.
pub(super) fn namespace(stored: &[u8]) -> Option<Namespace> {
    let (name, rest) = split_terminated(stored)?;
    rest.is_empty().then(|| Namespace::new(name).ok()).flatten()
}

/// A key in the namespace whose keys begin with `prefix`.
pub(super) fn of_key(prefix: &[u8], key: &Key) -> Vec<u8> {
    let mut bytes = with_place(prefix, key);
    bytes.extend_from_slice(key.name());
    bytes
}

/// The key that was stored as a prefix followed by `stored`.
pub(super) fn key(stored: &[u8]) -> Option<Key> {
    let (partition, name) = split_place(stored)?;
    Some(Key::from_parts(partition, Bytes::copy_from_slice(name)))
}

/// What the stored keys of everything that belongs to `key` begin with.
pub(super) fn of_parts(prefix: &[u8], key: &Key) -> Vec<u8> {
    let mut bytes = with_place(prefix, key);
    push_terminated(&mut bytes, key.name());
    bytes
}

/// A field of the hash `key`.
pub(super) fn of_field(prefix: &[u8], key: &Key, field: &[u8]) -> Vec<u8> {
    let mut bytes = of_parts(prefix, key);
    bytes.extend_from_slice(field);
    bytes
}

/// An operation on `key` that is remembered.
pub(super) fn of_operation(prefix: &[u8], key: &Key, id: OpId) -> Vec<u8> {
    let mut bytes = of_parts(prefix, key);
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// A block of the change log that begins with the event `sequence`.
pub(super) fn of_event(prefix: &[u8], sequence: u64) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes
}

/// The number of the first event of the block that was stored as a prefix followed by `stored`.
pub(super) fn event(stored: &[u8]) -> Option<u64> {
    stored.try_into().ok().map(u64::from_be_bytes)
}

/// An entry of the index of deadlines, which is ordered by deadline first.
pub(super) fn of_due(prefix: &[u8], due: &Due) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    bytes.extend_from_slice(&due.deadline.unix_ms().to_be_bytes());
    match &due.kind {
        DueKind::Entry => bytes.push(DUE_ENTRY),
        DueKind::Hash => bytes.push(DUE_HASH),
        DueKind::Operation(id) => {
            bytes.push(DUE_OPERATION);
            bytes.extend_from_slice(&id.0);
        }
    }
    of_key(&bytes, &due.key)
}

/// The least stored key of the index of deadlines that is later than `now`; `None` at the end
/// of time.
pub(super) fn after_due(prefix: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let next = now.unix_ms().checked_add(1)?;
    let mut bytes = prefix.to_vec();
    bytes.extend_from_slice(&next.to_be_bytes());
    Some(bytes)
}

/// The entry of the index of deadlines that was stored as a prefix followed by `stored`.
pub(super) fn due(stored: &[u8]) -> Option<Due> {
    let (deadline, rest) = stored.split_first_chunk::<8>()?;
    let deadline = Timestamp::from_unix_ms(u64::from_be_bytes(*deadline));
    let (kind, rest) = rest.split_first()?;
    let (kind, rest) = match *kind {
        DUE_ENTRY => (DueKind::Entry, rest),
        DUE_HASH => (DueKind::Hash, rest),
        DUE_OPERATION => {
            let (id, rest) = rest.split_first_chunk::<16>()?;
            (DueKind::Operation(OpIdOrd(*id)), rest)
        }
        _ => return None,
    };
    Some(Due { deadline, kind, key: key(rest)? })
}

/// The least bytes after all that begin with `prefix`, which ends as every prefix here does.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // A prefix ends with a zero byte, so this never overflows.
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    end
}

/// Namespace and partition of a key, so that only the name is missing.
fn with_place(prefix: &[u8], key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(prefix.len() + key.len_bytes() + 24);
    bytes.extend_from_slice(prefix);
    match key.partition() {
        None => bytes.push(UNPARTITIONED),
        Some(partition) => {
            bytes.push(PARTITIONED);
            push_terminated(&mut bytes, partition);
        }
    }
    bytes
}

fn split_place(stored: &[u8]) -> Option<(Option<Bytes>, &[u8])> {
    match stored.split_first()? {
        (&UNPARTITIONED, name) => Some((None, name)),
        (&PARTITIONED, rest) => {
            let (partition, name) = split_terminated(rest)?;
            Some((Some(partition.into()), name))
        }
        _ => None,
    }
}

fn push_terminated(bytes: &mut Vec<u8>, part: &[u8]) {
    for &byte in part {
        if byte == 0 {
            bytes.extend_from_slice(&ESCAPED);
        } else {
            bytes.push(byte);
        }
    }
    bytes.extend_from_slice(&END);
}

fn split_terminated(stored: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut part = Vec::new();
    let mut rest = stored;
    loop {
        match rest {
            [0x00, 0x00, after @ ..] => return Some((part, after)),
            [0x00, 0xFF, after @ ..] => {
                part.push(0);
                rest = after;
            }
            [0x00, ..] | [] => return None,
            [byte, after @ ..] => {
                part.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    /// Bytes in which the ones that have a meaning here are frequent.
    fn bytes() -> impl Strategy<Value = Bytes> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(0xFF), Just(b'a'), any::<u8>()];
        vec(byte, 1..6).prop_map(Bytes::from)
    }

    fn keys() -> impl Strategy<Value = Key> {
        (option::of(bytes()), bytes())
            .prop_map(|(partition, name)| Key::from_parts(partition, name))
    }

    fn namespaces() -> impl Strategy<Value = Namespace> {
        bytes().prop_map(|name| Namespace::new(name).unwrap())
    }

    fn dues() -> impl Strategy<Value = Due> {
        let kind = prop_oneof![
            Just(DueKind::Entry),
            Just(DueKind::Hash),
            any::<[u8; 16]>().prop_map(|id| DueKind::Operation(OpIdOrd(id)))
        ];
        (any::<u64>(), kind, keys()).prop_map(|(ms, kind, key)| Due {
            deadline: Timestamp::from_unix_ms(ms),
            kind,
            key,
        })
    }

    /// All words of up to so many pieces that have a meaning here, or could have one.
    fn words(pieces: usize) -> Vec<Bytes> {
        const PIECES: [&[u8]; 8] =
            [b"a", b"\0", b"\x01", b"\xFF", b"\0\0", b"\0\x01", b"a\0", b"\xFF\0"];
        let mut all = std::collections::BTreeSet::from([Vec::new()]);
        for _ in 0..pieces {
            let longer = all.iter().flat_map(|word: &Vec<u8>| {
                PIECES.iter().map(move |piece| [word.as_slice(), piece].concat())
            });
            all = longer.collect::<Vec<_>>().into_iter().chain(all.iter().cloned()).collect();
        }
        all.into_iter().filter(|word| !word.is_empty()).map(Bytes::from).collect()
    }

    #[test]
    fn no_two_of_many_places_share_a_key() {
        let partitions = words(2).into_iter().map(Some).chain([None]);
        let keys: Vec<Key> = partitions
            .flat_map(|place| {
                words(3).into_iter().map(move |name| Key::from_parts(place.clone(), name))
            })
            .collect();
        let mut seen = std::collections::HashSet::new();
        let namespaces: [&'static [u8]; 4] = [b"a", b"a\0", b"a\0\x01", b"\0"];
        for name in namespaces {
            let prefix = of_namespace(&Namespace::new(Bytes::from_static(name)).unwrap());
            for key in &keys {
                assert!(seen.insert(of_key(&prefix, key)), "{key:?} in {:?}", name.escape_ascii());
            }
        }
        assert!(seen.len() > 50_000, "{} places", seen.len());
    }

    proptest! {
        #[test]
        fn stored_keys_follow_the_order_of_keys(
            left in (namespaces(), keys()),
            right in (namespaces(), keys()),
        ) {
            let stored = |(namespace, key): &(Namespace, Key)| {
                of_key(&of_namespace(namespace), key)
            };
            prop_assert_eq!(stored(&left).cmp(&stored(&right)), left.cmp(&right));
        }

        #[test]
        fn stored_keys_come_back(namespace in namespaces(), one in keys(), due_one in dues()) {
            let prefix = of_namespace(&namespace);
            prop_assert_eq!(super::namespace(&prefix), Some(namespace));
            let stored = of_key(&prefix, &one);
            prop_assert_eq!(key(&stored[prefix.len()..]), Some(one));
            let stored = of_due(&prefix, &due_one);
            prop_assert_eq!(due(&stored[prefix.len()..]), Some(due_one));
        }

        #[test]
        fn nothing_of_another_namespace_lies_within_a_prefix(
            one in namespaces(), other in namespaces(), within in keys(),
        ) {
            let prefix = of_namespace(&one);
            let stored = of_key(&of_namespace(&other), &within);
            let inside = prefix <= stored && stored < end_of(&prefix);
            prop_assert_eq!(inside, one == other);
        }

        #[test]
        fn a_seek_to_a_name_prefix_lands_before_all_that_begin_with_it(
            one in keys(), rest in vec(any::<u8>(), 0..4),
        ) {
            let longer: Vec<u8> = one.name().iter().copied().chain(rest).collect();
            let longer = Key::from_parts(one.partition().cloned(), longer.into());
            prop_assert!(of_key(b"n\0\0", &longer).starts_with(&of_key(b"n\0\0", &one)));
        }

        #[test]
        fn fields_of_different_hashes_never_meet(
            left in (keys(), bytes()), right in (keys(), bytes()),
        ) {
            let stored = |(hash, field): &(Key, Bytes)| of_field(b"n\0\0", hash, field);
            prop_assert_eq!(stored(&left) == stored(&right), left == right);
            let inside = stored(&left).starts_with(&of_parts(b"n\0\0", &right.0));
            prop_assert_eq!(inside, left.0 == right.0);
        }

        #[test]
        fn deadlines_sort_by_time(left in dues(), right in dues()) {
            let stored = of_due(b"n\0\0", &left).cmp(&of_due(b"n\0\0", &right));
            if left.deadline != right.deadline {
                prop_assert_eq!(stored, left.deadline.cmp(&right.deadline));
            }
            prop_assert_eq!(stored.is_eq(), left == right);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..40)) {
            if let Some(read) = key(&bytes) {
                prop_assert_eq!(of_key(&[], &read), bytes.clone());
            }
            if let Some(read) = due(&bytes) {
                prop_assert_eq!(of_due(&[], &read), bytes);
            }
        }
    }
}
