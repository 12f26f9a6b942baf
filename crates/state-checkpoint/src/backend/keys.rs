//! The keys of a thread's rows, and of the indexes.
//!
//! All rows of a thread lie in one partition, `t` and the thread's id. The *head* is `h`, a
//! tombstone `x`, the mark of an unfinished copy `p` and its generation. All other rows belong
//! to a generation: `g`, 8 bytes, and
//!
//! | name | row |
//! |---|---|
//! | `c` id↓ namespace | record of a checkpoint |
//! | `k` id↓ namespace | record that is out of sight |
//! | `w` id↓ namespace `ff` bucket | some of the writes beside a checkpoint |
//! | `n` namespace | latest checkpoint of a namespace other than the root |
//! | `r` run | this thread is in the index of the run |
//! | `s` number | segment of the content log |
//! | `d` number | 64 descriptions of versions |
//! | `v` level bucket | some versions by place |
//!
//! id↓ is written so that greater ids come first: each byte b of the id as ff − b, those of 00
//! and 01 as `fe fe` and `fe 01`, then `ff`. No text contains `ff`, so nothing is ambiguous.

use bytes::Bytes;
use state_core::Key;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, ThreadId};

/// The partition of the index of threads.
const THREADS: &[u8] = b"i";
/// The partition of the index of runs.
const RUNS: &[u8] = b"r";

pub(super) const RECORD: u8 = b'c';
pub(super) const HIDDEN: u8 = b'k';
pub(super) const WRITES: u8 = b'w';
pub(super) const NAMESPACE: u8 = b'n';
pub(super) const RUN: u8 = b'r';
pub(super) const SEGMENT: u8 = b's';
pub(super) const BLOCK: u8 = b'd';
pub(super) const PLACES: u8 = b'v';

/// The partition of a thread.
pub(super) fn partition(thread: &ThreadId) -> Bytes {
    [b"t", thread.as_str().as_bytes()].concat().into()
}

/// The thread whose partition this is.
pub(super) fn thread_of(partition: &[u8]) -> Option<ThreadId> {
    let text = std::str::from_utf8(partition.strip_prefix(b"t")?).ok()?;
    Some(ThreadId::new(text))
}

pub(super) fn head(thread: &ThreadId) -> Key {
    Key::in_partition(partition(thread), Bytes::from_static(b"h"))
}

pub(super) fn is_head(name: &[u8]) -> bool {
    name == b"h"
}

pub(super) fn tombstone(thread: &ThreadId) -> Key {
    Key::in_partition(partition(thread), Bytes::from_static(b"x"))
}

/// The mark of a copy that is not complete.
pub(super) fn unfinished(thread: &ThreadId, generation: u64) -> Key {
    let name = [b"p".as_slice(), &generation.to_be_bytes()].concat();
    Key::in_partition(partition(thread), name)
}

pub(super) fn is_unfinished(name: &[u8]) -> bool {
    name.first() == Some(&b'p')
}

/// The beginning of all names of a generation.
pub(super) fn generation(generation: u64) -> Vec<u8> {
    [b"g".as_slice(), &generation.to_be_bytes()].concat()
}

/// The generation, the kind and the rest of a name.
pub(super) fn parse(name: &[u8]) -> Option<(u64, u8, &[u8])> {
    let (generation, rest) = name.strip_prefix(b"g")?.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    Some((u64::from_be_bytes(*generation), *kind, rest))
}

pub(super) fn thread_index(thread: &ThreadId) -> Key {
    Key::in_partition(THREADS, Bytes::copy_from_slice(thread.as_str().as_bytes()))
}

pub(super) fn thread_index_partition() -> Bytes {
    Bytes::from_static(THREADS)
}

pub(super) fn run_index(run: &str, thread: &ThreadId) -> Key {
    let name = [run_index_prefix(run).as_slice(), thread.as_str().as_bytes()].concat();
    Key::in_partition(RUNS, name)
}

pub(super) fn run_index_prefix(run: &str) -> Vec<u8> {
    [run.as_bytes(), b"\xff"].concat()
}

pub(super) fn run_index_partition() -> Bytes {
    Bytes::from_static(RUNS)
}

/// The keys of one generation of a thread.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    partition: Bytes,
    generation: u64,
}

impl Rows {
    pub(super) fn new(thread: &ThreadId, generation: u64) -> Self {
        Self { partition: partition(thread), generation }
    }

    pub(super) fn partition(&self) -> &Bytes {
        &self.partition
    }

    /// The beginning of all names of `kind`.
    pub(super) fn prefix(&self, kind: u8) -> Vec<u8> {
        let mut name = generation(self.generation);
        name.push(kind);
        name
    }

    fn key(&self, kind: u8, rest: &[u8]) -> Key {
        let mut name = self.prefix(kind);
        name.extend_from_slice(rest);
        Key::in_partition(self.partition.clone(), name)
    }

    /// The row of this generation whose name ends like this.
    pub(super) fn same(&self, kind: u8, rest: &[u8]) -> Key {
        self.key(kind, rest)
    }

    pub(super) fn record(
        &self,
        kind: u8,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) -> Key {
        self.key(kind, &place(namespace, id))
    }

    /// The beginning of the names of the rows with the writes of a checkpoint.
    pub(super) fn writes_prefix(
        &self,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) -> Vec<u8> {
        let mut name = self.prefix(WRITES);
        name.extend_from_slice(&place(namespace, id));
        name.push(0xff);
        name
    }

    pub(super) fn writes(
        &self,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
        bucket: u16,
    ) -> Key {
        let mut name = self.writes_prefix(namespace, id);
        name.extend_from_slice(&bucket.to_be_bytes());
        Key::in_partition(self.partition.clone(), name)
    }

    pub(super) fn namespace(&self, namespace: &CheckpointNamespace) -> Key {
        self.key(NAMESPACE, namespace.as_str().as_bytes())
    }

    pub(super) fn run(&self, run: &str) -> Key {
        self.key(RUN, run.as_bytes())
    }

    pub(super) fn segment(&self, number: u64) -> Key {
        self.key(SEGMENT, short(&number.to_be_bytes()))
    }

    pub(super) fn block(&self, number: u64) -> Key {
        self.key(BLOCK, short(&number.to_be_bytes()))
    }

    pub(super) fn places(&self, level: u8, bucket: u64) -> Key {
        let mut rest = vec![level];
        rest.extend_from_slice(short(&bucket.to_be_bytes()));
        self.key(PLACES, &rest)
    }
}

/// The number at the end of the name of a segment or a block.
pub(super) fn number_of(rest: &[u8]) -> Option<u64> {
    if rest.len() > 8 {
        return None;
    }
    Some(rest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A number without the zeros in front.
fn short(bytes: &[u8; 8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The end of a record's name.
fn place(namespace: &CheckpointNamespace, id: &CheckpointId) -> Vec<u8> {
    let mut place = falling(id);
    place.extend_from_slice(namespace.as_str().as_bytes());
    place
}

/// An id so that greater ones come first.
pub(super) fn falling(id: &CheckpointId) -> Vec<u8> {
    let mut text = Vec::with_capacity(id.as_str().len() + 1);
    for byte in id.as_str().bytes() {
        match byte {
            0 => text.extend_from_slice(&[0xfe, 0xfe]),
            1 => text.extend_from_slice(&[0xfe, 0x01]),
            other => text.push(0xff - other),
        }
    }
    text.push(0xff);
    text
}

/// The checkpoint that a record's name ends with.
pub(super) fn checkpoint_of(rest: &[u8]) -> Option<(CheckpointNamespace, CheckpointId)> {
    let end = rest.iter().position(|byte| *byte == 0xff)?;
    let (id, namespace) = rest.split_at_checked(end)?;
    let mut text = Vec::with_capacity(id.len());
    let mut bytes = id.iter();
    while let Some(&byte) = bytes.next() {
        text.push(match byte {
            0xfe => match bytes.next()? {
                0xfe => 0,
                0x01 => 1,
                _ => return None,
            },
            other => 0xff - other,
        });
    }
    let id = CheckpointId::new(String::from_utf8(text).ok()?);
    let namespace = std::str::from_utf8(namespace.get(1..)?).ok()?;
    Some((CheckpointNamespace::new(namespace), id))
}

/// The checkpoint that the name of a row with writes ends with.
pub(super) fn writes_of(rest: &[u8]) -> Option<(CheckpointNamespace, CheckpointId)> {
    let (place, _) = rest.split_at_checked(rest.len().checked_sub(3)?)?;
    checkpoint_of(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_order_ids_from_the_greatest_and_come_back(
            a in "[\\x00-\\x03a-c\u{e9}\u{10ffff}]{1,6}", b in "[\\x00-\\x03a-c\u{e9}\u{10ffff}]{1,6}", ns in ".{0,5}",
        ) {
            let rows = Rows::new(&"t".into(), 7);
            let (namespace, one, other) = (CheckpointNamespace::new(&ns), CheckpointId::new(&a), CheckpointId::new(&b));
            let name = rows.record(RECORD, &namespace, &one);
            let against = rows.record(RECORD, &namespace, &other);
            prop_assert_eq!(name.name().cmp(against.name()), b.cmp(&a));
            let (generation, kind, rest) = parse(name.name()).unwrap();
            prop_assert_eq!((generation, kind), (7, RECORD));
            prop_assert_eq!(checkpoint_of(rest), Some((namespace.clone(), one.clone())));
            let writes = rows.writes(&namespace, &one, 300);
            let (_, _, rest) = parse(writes.name()).unwrap();
            prop_assert_eq!(writes_of(rest), Some((namespace, one)));
        }
    }

    #[test]
    fn the_longest_ids_make_a_legal_key() {
        let worst = "\0".repeat(super::super::ID_BYTES_MAX);
        let rows = Rows::new(&ThreadId::new(&worst), 0);
        let key = rows.writes(&CheckpointNamespace::new(&worst), &CheckpointId::new(&worst), 1);
        assert!(
            key.len_bytes() <= state_core::Limits::DEFAULT.key_bytes_max,
            "{}",
            key.len_bytes()
        );
    }
}
