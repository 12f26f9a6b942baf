//! Where things are stored: the only place that builds and reads keys of the server.
//!
//! `<prefix>:<namespace>:<kind>:{<tag>}<rest>`. Prefix and namespace are escaped so that they
//! hold no separator; the tag is what a cluster places the key by. An entry in a partition has
//! the partition as tag and its name as rest, byte for byte; one without has its name as tag and
//! no rest. Where the layout of the namespace gives the tag, the rest tells partition and name.
//! `docs/key-layout.md` shows it with examples.

mod member;
mod placement;
#[cfg(feature = "checkpoint")]
mod threads;

use bytes::{BufMut, Bytes, BytesMut};
use state_core::{Key, Namespace, Scope};

pub(crate) use member::{MemberRange, after_member};
pub(crate) use placement::{Buckets, Placement};
#[cfg(feature = "checkpoint")]
pub(crate) use threads::{
    INDEXES, ThreadKeys, inner, latest_field, place, read_inner, read_place, split, split_write,
};

/// What is stored under a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An entry: a string that holds a frame.
    Entry,
    /// A hash with its fields.
    Hash,
    /// A lease: a hash of owner, token and deadline.
    Lease,
    /// The fencing marks of a partition, or of a key without one: a hash from lease to token.
    Fence,
    /// A remembered operation.
    Operation,
}

impl Kind {
    /// Kinds of a key without a partition are in capitals, so that a partition and a name that
    /// are spelled alike never share a key.
    const fn letter(self, partitioned: bool) -> u8 {
        match (self, partitioned) {
            (Self::Entry, true) => b'v',
            (Self::Entry, false) => b'V',
            (Self::Hash, true) => b'h',
            (Self::Hash, false) => b'H',
            (Self::Lease, true) => b'l',
            (Self::Lease, false) => b'L',
            (Self::Fence, true) => b'f',
            (Self::Fence, false) => b'F',
            (Self::Operation, true) => b'o',
            (Self::Operation, false) => b'O',
        }
    }
}

/// Builds the keys of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct KeySpace {
    /// `<prefix>:<namespace>:`, escaped.
    base: Bytes,
    placement: Placement,
}

impl KeySpace {
    pub(crate) fn new(prefix: &str, namespace: &Namespace, placement: Placement) -> Self {
        Self { base: base(prefix, namespace), placement }
    }

    /// The key under which the layout of a namespace is recorded.
    pub(crate) fn layout(prefix: &str, namespace: &Namespace) -> Bytes {
        let mut built = BytesMut::from(base(prefix, namespace).as_ref());
        built.put_u8(b'y');
        built.freeze()
    }

    /// The buckets, where keys are placed in some.
    pub(crate) fn buckets(&self) -> Option<&Buckets> {
        match &self.placement {
            Placement::Buckets(buckets) => Some(buckets),
            _ => None,
        }
    }

    /// The key of the ordered index of a bucket.
    pub(crate) fn index(&self, buckets: &Buckets, bucket: usize) -> Bytes {
        self.beside(b'z', buckets.tag(bucket))
    }

    /// The key of the change log of a bucket.
    pub(crate) fn log(&self, buckets: &Buckets, bucket: usize) -> Bytes {
        self.beside(b'x', buckets.tag(bucket))
    }

    fn beside(&self, letter: u8, tag: &[u8]) -> Bytes {
        let mut built = BytesMut::with_capacity(self.base.len() + tag.len() + 4);
        built.put_slice(&self.base);
        built.put_u8(letter);
        built.put_slice(b":{");
        built.put_slice(tag);
        built.put_u8(b'}');
        built.freeze()
    }

    /// The key of an entry, a hash or a lease.
    pub(crate) fn key(&self, kind: Kind, key: &Key) -> Bytes {
        self.build(kind, key, b"", key.name())
    }

    /// The key of the fencing marks beside `key`: in its slot, one per partition.
    pub(crate) fn fence(&self, key: &Key) -> Bytes {
        let name = if key.partition().is_none() { key.name().as_ref() } else { b"" };
        self.build(Kind::Fence, key, b"", name)
    }

    /// The key under which a clear is announced to watchers; `place` chooses its slot.
    pub(crate) fn announcement(&self, place: u32, id: &[u8; 16]) -> Bytes {
        let mut built = BytesMut::with_capacity(self.base.len() + 48);
        built.put_slice(&self.base);
        built.put_slice(format!("c:{{{place}}}{:032x}", u128::from_be_bytes(*id)).as_bytes());
        built.freeze()
    }

    /// The number of the clear that is announced under a key; `None` for other keys.
    pub(crate) fn read_announcement(&self, stored: &[u8]) -> Option<[u8; 16]> {
        let rest = stored.strip_prefix(self.base.as_ref())?.strip_prefix(b"c:{")?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let id = std::str::from_utf8(rest.get(end + 1..)?).ok().filter(|id| id.len() == 32)?;
        u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)
    }

    /// What every key of the namespace begins with.
    pub(crate) fn base(&self) -> &Bytes {
        &self.base
    }

    /// What the keys begin with whose changes watchers are told: entries, hashes and announcements.
    /// None of them is the beginning of another.
    pub(crate) fn watched(&self) -> [Bytes; 5] {
        let letters = [
            Kind::Entry.letter(true),
            Kind::Entry.letter(false),
            Kind::Hash.letter(true),
            Kind::Hash.letter(false),
            b'c',
        ];
        letters.map(|letter| {
            let mut prefix = BytesMut::from(self.base.as_ref());
            prefix.put_slice(&[letter, b':']);
            prefix.freeze()
        })
    }

    /// The key under which an operation on `key` is remembered: in its slot.
    pub(crate) fn operation(&self, key: &Key, id: &[u8; 16]) -> Bytes {
        let id = format!("{:032x}:", u128::from_be_bytes(*id));
        self.build(Kind::Operation, key, id.as_bytes(), key.name())
    }

    /// A key in the slot of `key`: the tag, a partition that it does not tell, `id`, and `name`
    /// unless the tag is that.
    fn build(&self, kind: Kind, key: &Key, id: &[u8], name: &[u8]) -> Bytes {
        let placed = self.placement.tag(key);
        let (tag, partition, name) = match (&placed, key.partition()) {
            // An empty tag is none at all; no escaped tag is this.
            (Some(tag), partition) if tag.is_empty() => (None, partition, name),
            (Some(tag), partition) => (Some(tag), partition, name),
            (None, Some(partition)) => (Some(partition), None, name),
            (None, None) => (Some(key.name()), None, b"".as_slice()),
        };
        let size = self.base.len() + 4 + tag.map_or(1, Bytes::len);
        let size = size + partition.map_or(0, |partition| partition.len() + 1);
        // Just as many, unless something is escaped: bytes with room to spare cost one allocation more.
        let mut built = Vec::with_capacity(size + id.len() + name.len());
        built.extend_from_slice(&self.base);
        built.extend_from_slice(&[kind.letter(key.partition().is_some()), b':', b'{']);
        match tag {
            Some(tag) => escape_tag(tag, &mut built),
            None => built.push(b'%'),
        }
        built.push(b'}');
        if let Some(partition) = partition {
            escape_tag(partition, &mut built);
            built.push(b'}');
        }
        built.extend_from_slice(id);
        built.extend_from_slice(name);
        built.into()
    }

    /// The key that an entry or hash is stored under; `None` for keys of others.
    pub(crate) fn read(&self, kind: Kind, stored: &[u8]) -> Option<Key> {
        let rest = stored.strip_prefix(self.base.as_ref())?;
        let (letter, rest) = rest.split_first()?;
        let rest = rest.strip_prefix(b":{")?;
        let (tag, rest) = until_brace(rest)?;
        let partitioned = *letter == kind.letter(true);
        if !partitioned && *letter != kind.letter(false) {
            return None;
        }
        let (partition, name) = match (&self.placement, partitioned) {
            (Placement::Own, true) => (Some(unescape(tag)?), rest),
            (Placement::Own, false) => return rest.is_empty().then_some(Key::new(unescape(tag)?)),
            (_, true) => {
                let (partition, name) = until_brace(rest)?;
                (Some(unescape(partition)?), name)
            }
            (_, false) => (None, rest),
        };
        (!name.is_empty()).then(|| Key::from_parts(partition, Bytes::copy_from_slice(name)))
    }

    /// A pattern for `SCAN MATCH` that covers every key of the kind in the scope whose name begins
    /// with `prefix`, and perhaps others: what is found is read and compared again.
    pub(crate) fn pattern(&self, kind: Kind, prefix: &Bytes, scope: &Scope) -> Bytes {
        let own = matches!(self.placement, Placement::Own);
        let mut tag = BytesMut::new();
        let mut literal = BytesMut::new();
        match scope {
            Scope::Unpartitioned if own => {
                tag.put_u8(b'{');
                escape_tag(prefix, &mut tag);
                escape_glob(&tag, &mut literal);
                self.glob(&[kind.letter(false)], &literal, b"")
            }
            Scope::Unpartitioned => self.glob(&[kind.letter(false)], b"{*}", prefix),
            Scope::Partition(partition) => {
                tag.put_slice(if own { b"{" } else { b"}" });
                escape_tag(partition, &mut tag);
                tag.put_u8(b'}');
                if !own {
                    literal.put_slice(b"{*");
                }
                escape_glob(&tag, &mut literal);
                self.glob(&[kind.letter(true)], &literal, prefix)
            }
            // Names without a partition may be in the tag, escaped; those in one are behind it.
            _ => {
                let letters = [b'[', kind.letter(true), kind.letter(false), b']'];
                escape_tag(prefix, &mut tag);
                let same = !own || tag.as_ref() == prefix.as_ref();
                self.glob(&letters, b"{*", if same { prefix } else { b"" })
            }
        }
    }

    /// A pattern from an escaped tag and a literal beginning of the rest.
    fn glob(&self, letter: &[u8], tag: &[u8], rest: &[u8]) -> Bytes {
        let mut pattern = BytesMut::new();
        escape_glob(&self.base, &mut pattern);
        pattern.put_slice(letter);
        pattern.put_u8(b':');
        pattern.put_slice(tag);
        escape_glob(rest, &mut pattern);
        pattern.put_u8(b'*');
        pattern.freeze()
    }
}

/// What the key of any namespace begins with, up to where its kind is named; `None` for keys that
/// are none of this driver's.
pub(crate) fn base_of(stored: &[u8]) -> Option<&[u8]> {
    let mut separators = stored.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let (second, _) = separators.nth(1)?;
    stored.get(..=second)
}

/// Escapes everything but letters, digits, `_`, `.` and `-`.
pub(crate) fn escape_strict(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => out.put_u8(*byte),
            _ => escaped(*byte, out),
        }
    }
}

/// Escapes only what would end the tag or be taken for an escape.
fn escape_tag(bytes: &[u8], out: &mut impl BufMut) {
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'{' | b'}')) {
        return out.put_slice(bytes);
    }
    for byte in bytes {
        match byte {
            b'%' | b'{' | b'}' => escaped(*byte, out),
            _ => out.put_u8(*byte),
        }
    }
}

/// `<prefix>:<namespace>:`, escaped.
fn base(prefix: &str, namespace: &Namespace) -> Bytes {
    let mut base = BytesMut::new();
    escape_strict(prefix.as_bytes(), &mut base);
    base.put_u8(b':');
    escape_strict(namespace.as_bytes(), &mut base);
    base.put_u8(b':');
    base.freeze()
}

/// What stands before the first closing brace, and what stands behind it.
fn until_brace(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'}')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn escaped(byte: u8, out: &mut impl BufMut) {
    out.put_slice(format!("%{byte:02X}").as_bytes());
}

fn unescape(tag: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(tag.len());
    let mut rest = tag.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            out.put_u8(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.put_u8(*byte);
        }
    }
    Some(out.freeze())
}

/// Escapes what has a meaning in a pattern.
pub(crate) fn escape_glob(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
}

#[cfg(test)]
mod tests;
