//! What stands for a key in an ordered index and in a change log.
//!
//! The letter of its kind, then for a key in a partition the partition with `00 ff` for each zero
//! byte and `00 00` behind it, then the name as it is. So members have the order of keys: those
//! without a partition first, then by partition, then by name, bytewise.

use bytes::{BufMut, Bytes, BytesMut};
use state_core::{Key, Scope};

use super::Kind;

/// A part of an index: from `start` on, and below `end`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MemberRange {
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
}

impl Kind {
    /// The member of `key`.
    pub(crate) fn member(self, key: &Key) -> Bytes {
        let mut member = self.begin(key.partition());
        member.put_slice(key.name());
        member.freeze()
    }

    /// The key of a member of this kind.
    pub(crate) fn read_member(self, member: &[u8]) -> Option<Key> {
        let (letter, mut rest) = member.split_first()?;
        if *letter == self.letter(false) {
            return Some(Key::new(Bytes::copy_from_slice(rest)));
        }
        if *letter != self.letter(true) {
            return None;
        }
        let mut partition = BytesMut::new();
        loop {
            match rest {
                [0, 0, name @ ..] => {
                    let name = Bytes::copy_from_slice(name);
                    return Some(Key::in_partition(partition.freeze(), name));
                }
                [0, 0xff, more @ ..] => {
                    partition.put_u8(0);
                    rest = more;
                }
                [0, ..] | [] => return None,
                [byte, more @ ..] => {
                    partition.put_u8(*byte);
                    rest = more;
                }
            }
        }
    }

    /// The parts of an index that hold every key of this kind in `scope` whose name begins with
    /// `prefix` and is greater than `after`, in key order, and perhaps others.
    pub(crate) fn ranges(
        self,
        prefix: &[u8],
        scope: &Scope,
        after: Option<&Bytes>,
    ) -> Vec<MemberRange> {
        let within = |partition: Option<&Bytes>| {
            let mut start = self.begin(partition);
            let behind = after.map(|after| after_member(&[start.as_ref(), after].concat()));
            start.put_slice(prefix);
            let range = beginning_with(start.freeze());
            MemberRange {
                start: behind.map_or(range.start.clone(), |b| b.max(range.start)),
                ..range
            }
        };
        match scope {
            Scope::Unpartitioned => vec![within(None)],
            Scope::Partition(partition) => vec![within(Some(partition))],
            // A name in a partition stands behind it, so all of them are looked at.
            _ => vec![within(None), beginning_with(Bytes::from(vec![self.letter(true)]))],
        }
    }

    fn begin(self, partition: Option<&Bytes>) -> BytesMut {
        let mut member = BytesMut::new();
        member.put_u8(self.letter(partition.is_some()));
        if let Some(partition) = partition {
            for byte in partition {
                member.put_u8(*byte);
                if *byte == 0 {
                    member.put_u8(0xff);
                }
            }
            member.put_slice(&[0, 0]);
        }
        member
    }
}

/// The smallest member above `member`.
pub(crate) fn after_member(member: &[u8]) -> Bytes {
    let mut next = BytesMut::from(member);
    next.put_u8(0);
    next.freeze()
}

/// All members that begin with `start`, which begins with a letter.
fn beginning_with(start: Bytes) -> MemberRange {
    let mut end = start.to_vec();
    while end.last() == Some(&0xff) {
        end.pop();
    }
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    MemberRange { start, end: end.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_the_order_of_keys_and_read_back() {
        let names: [&[u8]; 9] =
            [b"a", b"a\0", b"a\0\0", b"a\0\xff", b"\0", b"\xff", b"\xff\xff", b"ab", b"V"];
        let mut keys: Vec<Key> = names.iter().map(|name| Key::new(*name)).collect();
        for partition in names {
            keys.extend(names.iter().map(|name| Key::in_partition(partition, *name)));
        }
        keys.sort();
        for kind in [Kind::Entry, Kind::Hash] {
            let members: Vec<Bytes> = keys.iter().map(|key| kind.member(key)).collect();
            assert!(members.is_sorted());
            for (key, member) in keys.iter().zip(&members) {
                assert_eq!(kind.read_member(member).as_ref(), Some(key));
                assert_eq!(Kind::Lease.read_member(member), None);
            }
            let scopes = names.map(|name| Scope::Partition(Bytes::from_static(name)));
            for scope in scopes.into_iter().chain([Scope::All, Scope::Unpartitioned]) {
                for prefix in names.into_iter().chain([b"".as_slice()]) {
                    for after in [None, Some(Bytes::from_static(b"a\0")), Some(Bytes::new())] {
                        let ranges = kind.ranges(prefix, &scope, after.as_ref());
                        for (key, member) in keys.iter().zip(&members) {
                            let within = ranges
                                .iter()
                                .any(|range| *member >= range.start && *member < range.end);
                            let wanted = key.name().starts_with(prefix)
                                && scope.covers(key.partition())
                                && after.as_ref().is_none_or(|after| key.name() > after);
                            let what =
                                format!("{key:?} under {prefix:?} in {scope:?} after {after:?}");
                            assert!(!wanted || within, "{what}");
                            assert!(scope == Scope::All || wanted == within, "{what}");
                        }
                    }
                }
            }
        }
    }
}
