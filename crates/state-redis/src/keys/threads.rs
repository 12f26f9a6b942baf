//! The keys of threads of checkpoints, and the names inside them.
//!
//! All keys of a thread have its id as tag. Inside them ids and namespaces stand as they are, but
//! for the bytes 0 and 1, which are written as `01 01` and `01 02`: so a 0 can end each of them, no
//! two run together alike, and ids keep their order.

use bytes::{BufMut, Bytes, BytesMut};
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, ThreadId};
use state_core::{Key, Namespace};

use super::{Buckets, base, escape_tag, unescape, until_brace};

/// Over how many keys the index of threads is spread, and that of runs.
pub(crate) const INDEXES: u16 = 16;
/// What the keys of a thread hold.
const PARTS: [&str; 4] = [HISTORY, "order", "writes", "deleted"];
const HISTORY: &str = "history";

/// Builds the keys of the threads of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct ThreadKeys {
    /// `<prefix>:<namespace>:`, escaped.
    base: Bytes,
    /// How long the prefix is, with its separator.
    prefix: usize,
    buckets: Buckets,
}

impl ThreadKeys {
    pub(crate) fn new(prefix: &str, namespace: &Namespace) -> Self {
        let base = base(prefix, namespace);
        let prefix = base.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        Self { base, prefix, buckets: Buckets::new(INDEXES) }
    }

    /// The keys of a thread: history, order, writes, tombstone.
    pub(crate) fn of(&self, thread: &ThreadId) -> Vec<Bytes> {
        PARTS.map(|part| self.part(thread, part)).to_vec()
    }

    /// The keys that putting a checkpoint changes: all but the tombstone.
    pub(crate) fn changed(&self, thread: &ThreadId) -> Vec<Bytes> {
        let [history, order, writes, _] = PARTS;
        [history, order, writes].map(|part| self.part(thread, part)).to_vec()
    }

    /// The first of them.
    pub(crate) fn history(&self, thread: &ThreadId) -> Bytes {
        self.part(thread, HISTORY)
    }

    /// The keys of a thread that a copy is staged under; the last is never used.
    pub(crate) fn staged(&self, thread: &ThreadId, generation: &str) -> Vec<Bytes> {
        PARTS.map(|part| self.part(thread, &format!("copy:{generation}:{part}"))).to_vec()
    }

    fn part(&self, thread: &ThreadId, part: &str) -> Bytes {
        self.tagged(b't', thread.as_str().as_bytes(), part)
    }

    fn tagged(&self, letter: u8, tag: &[u8], rest: &str) -> Bytes {
        // Just as many, unless something is escaped.
        let mut built = Vec::with_capacity(self.base.len() + tag.len() + rest.len() + 4);
        built.extend_from_slice(&self.base);
        built.extend_from_slice(&[letter, b':', b'{']);
        escape_tag(tag, &mut built);
        built.push(b'}');
        built.extend_from_slice(rest.as_bytes());
        built.into()
    }

    /// Which of the [`INDEXES`] of threads a thread is in.
    pub(crate) fn index_of(&self, thread: &ThreadId) -> usize {
        self.buckets.of(&Key::new(Bytes::copy_from_slice(thread.as_str().as_bytes())))
    }

    /// The key of an index of threads.
    pub(crate) fn index(&self, number: usize) -> Bytes {
        self.tagged(b'i', self.buckets.tag(number), "")
    }

    /// Which of the [`INDEXES`] of runs a run is in.
    pub(crate) fn index_of_run(&self, run: &str) -> usize {
        self.buckets.of(&Key::new(Bytes::copy_from_slice(run.as_bytes())))
    }

    /// The key of an index of runs.
    pub(crate) fn runs(&self, number: usize) -> Bytes {
        self.tagged(b'r', self.buckets.tag(number), "")
    }

    /// The channel of a thread, without the prefix: what the names of its keys begin with.
    pub(crate) fn channel(&self, thread: &ThreadId) -> Bytes {
        let whole = self.tagged(b't', thread.as_str().as_bytes(), "");
        whole.slice(self.prefix.min(whole.len())..)
    }

    /// What the channels of all threads begin with, without the prefix.
    pub(crate) fn channels(&self) -> Bytes {
        let mut built = BytesMut::from(self.base.as_ref());
        built.put_slice(b"t:{");
        built.freeze().slice(self.prefix.min(self.base.len())..)
    }

    /// A channel that nobody else uses, with the prefix and without it.
    pub(crate) fn marker(&self, number: u64) -> (Bytes, Bytes) {
        let mut built = BytesMut::from(self.base.as_ref());
        built.put_slice(format!("w:{number:016x}").as_bytes());
        let whole = built.freeze();
        (whole.clone(), whole.slice(self.prefix.min(whole.len())..))
    }

    /// The thread whose channel this is, named without the prefix.
    pub(crate) fn thread_of(&self, channel: &[u8]) -> Option<ThreadId> {
        let (tag, _) = until_brace(channel.strip_prefix(self.channels().as_ref())?)?;
        Some(ThreadId::new(std::str::from_utf8(&unescape(tag)?).ok()?))
    }
}

/// A text as it stands in the keys of a thread.
pub(crate) fn inner(text: &str) -> Bytes {
    if !text.bytes().any(|byte| byte <= 1) {
        return Bytes::copy_from_slice(text.as_bytes());
    }
    let mut out = BytesMut::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0 | 1 => out.put_slice(&[1, byte + 1]),
            _ => out.put_u8(byte),
        }
    }
    out.freeze()
}

/// The text that stands like this in the keys of a thread.
pub(crate) fn read_inner(bytes: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            0 => return None,
            1 => rest.next()?.checked_sub(1).filter(|byte| *byte <= 1)?,
            other => *other,
        });
    }
    String::from_utf8(out).ok()
}

/// A checkpoint inside its thread: id, 0, namespace.
pub(crate) fn place(namespace: &CheckpointNamespace, id: &CheckpointId) -> Bytes {
    [inner(id.as_str()).as_ref(), &[0], inner(namespace.as_str()).as_ref()].concat().into()
}

/// The field of a history that names the latest checkpoint of a namespace.
pub(crate) fn latest_field(namespace: &CheckpointNamespace) -> Bytes {
    [b"latest:", inner(namespace.as_str()).as_ref()].concat().into()
}

/// The checkpoint at a place.
pub(crate) fn read_place(place: &[u8]) -> Option<(CheckpointNamespace, CheckpointId)> {
    let (id, namespace) = split(place)?;
    Some((CheckpointNamespace::new(read_inner(namespace)?), CheckpointId::new(read_inner(id)?)))
}

/// What stands before the first 0 and behind it.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// The id and namespace of a write, its task, its index and the rest.
pub(crate) fn split_write(member: &[u8]) -> Option<(&[u8], String, i32, &[u8])> {
    let member = member.strip_prefix(b"w")?;
    let (id, rest) = split(member)?;
    let (namespace, rest) = split(rest)?;
    let (task, rest) = split(rest)?;
    let (index, rest) = split(rest)?;
    let place = member.get(..id.len() + namespace.len() + 1)?;
    let index = std::str::from_utf8(index).ok()?.parse().ok()?;
    Some((place, read_inner(task)?, index, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [&str; 12] =
        ["a", "b", "a\0", "a\0\0", "a\u{1}", "\0a", "a}", "{a", "%7D", "a:b", "é", "a\u{1}\u{1}"];

    #[test]
    fn no_two_threads_share_a_key_and_each_is_in_one_slot() {
        let keys = ThreadKeys::new("state", &Namespace::new("n").unwrap());
        let mut all = std::collections::HashSet::new();
        for thread in ODD.map(ThreadId::new) {
            let mut own = keys.of(&thread);
            own.extend(keys.staged(&thread, "0"));
            let slot = crate::topology::slot_of(&own[0]);
            assert!(own.iter().all(|key| crate::topology::slot_of(key) == slot));
            for key in own {
                assert!(all.insert(key));
            }
            assert_eq!(keys.thread_of(&keys.channel(&thread)), Some(thread));
        }
        let key = keys.of(&ThreadId::new("chat 1")).swap_remove(0);
        assert_eq!(key, "state:n:t:{chat 1}history");
    }

    #[test]
    fn places_come_back_and_order_ids_as_text() {
        for one in ODD {
            for other in ODD {
                let (namespace, id) = (CheckpointNamespace::new(other), CheckpointId::new(one));
                assert_eq!(read_place(&place(&namespace, &id)), Some((namespace, id)));
                let end = |text: &str| [inner(text).as_ref(), b"\0"].concat();
                assert_eq!(end(one).cmp(&end(other)), one.cmp(other), "{one:?} {other:?}");
            }
        }
    }
}
