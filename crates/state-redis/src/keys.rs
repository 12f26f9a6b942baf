//! Where things are stored: the only place that builds and reads keys of the server.
//!
//! `<prefix>:<namespace>:<kind>:{<tag>}<rest>`. Prefix and namespace are escaped so that they
//! hold no separator; the tag is what a cluster places the key by. An entry in a partition has
//! the partition as tag and its name as rest, byte for byte; one without has its name as tag and
//! no rest. `docs/key-layout.md` shows it with examples.

use bytes::{BufMut, Bytes, BytesMut};
use state_core::{Key, Namespace, Scope};

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
}

impl KeySpace {
    pub(crate) fn new(prefix: &str, namespace: &Namespace) -> Self {
        let mut base = BytesMut::new();
        escape_strict(prefix.as_bytes(), &mut base);
        base.put_u8(b':');
        escape_strict(namespace.as_bytes(), &mut base);
        base.put_u8(b':');
        Self { base: base.freeze() }
    }

    /// The key of an entry, a hash or a lease.
    pub(crate) fn key(&self, kind: Kind, key: &Key) -> Bytes {
        let mut built = self.begin(kind, key, key.name().len());
        if key.partition().is_some() {
            built.put_slice(key.name());
        }
        built.freeze()
    }

    /// The key of the fencing marks beside `key`: in its slot, one per partition.
    pub(crate) fn fence(&self, key: &Key) -> Bytes {
        self.begin(Kind::Fence, key, 0).freeze()
    }

    /// The key under which an operation on `key` is remembered: in its slot.
    pub(crate) fn operation(&self, key: &Key, id: &[u8; 16]) -> Bytes {
        let mut built = self.begin(Kind::Operation, key, 33 + key.name().len());
        let id = format!("{:032x}:", u128::from_be_bytes(*id));
        built.put_slice(id.as_bytes());
        if key.partition().is_some() {
            built.put_slice(key.name());
        }
        built.freeze()
    }

    fn begin(&self, kind: Kind, key: &Key, more: usize) -> BytesMut {
        let tag = key.partition().unwrap_or_else(|| key.name());
        let mut built = BytesMut::with_capacity(self.base.len() + tag.len() + more + 8);
        built.put_slice(&self.base);
        built.put_u8(kind.letter(key.partition().is_some()));
        built.put_slice(b":{");
        escape_tag(tag, &mut built);
        built.put_u8(b'}');
        built
    }

    /// The key that an entry or hash is stored under; `None` for keys of others.
    pub(crate) fn read(&self, kind: Kind, stored: &[u8]) -> Option<Key> {
        let rest = stored.strip_prefix(self.base.as_ref())?;
        let (letter, rest) = rest.split_first()?;
        let rest = rest.strip_prefix(b":{")?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let (tag, rest) = rest.split_at_checked(end)?;
        let name = rest.strip_prefix(b"}")?;
        let tag = unescape(tag)?;
        if *letter == kind.letter(true) && !name.is_empty() {
            return Some(Key::in_partition(tag, Bytes::copy_from_slice(name)));
        }
        (*letter == kind.letter(false) && name.is_empty()).then(|| Key::new(tag))
    }

    /// A pattern for `SCAN MATCH` that covers every key of the kind in the scope whose name begins
    /// with `prefix`, and perhaps others: what is found is read and compared again.
    pub(crate) fn pattern(&self, kind: Kind, prefix: &Bytes, scope: &Scope) -> Bytes {
        let mut tag = BytesMut::new();
        let mut literal = BytesMut::new();
        match scope {
            Scope::Unpartitioned => {
                tag.put_u8(b'{');
                escape_tag(prefix, &mut tag);
                escape_glob(&tag, &mut literal);
                self.glob(&[kind.letter(false)], &literal, b"")
            }
            Scope::Partition(partition) => {
                tag.put_u8(b'{');
                escape_tag(partition, &mut tag);
                tag.put_u8(b'}');
                escape_glob(&tag, &mut literal);
                self.glob(&[kind.letter(true)], &literal, prefix)
            }
            // Names without a partition are in the tag, escaped; those in one are behind it.
            _ => {
                let letters = [b'[', kind.letter(true), kind.letter(false), b']'];
                escape_tag(prefix, &mut tag);
                let same = tag.as_ref() == prefix.as_ref();
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

/// Escapes everything but letters, digits, `_`, `.` and `-`.
fn escape_strict(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => out.put_u8(*byte),
            _ => escaped(*byte, out),
        }
    }
}

/// Escapes only what would end the tag or be taken for an escape.
fn escape_tag(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        match byte {
            b'%' | b'{' | b'}' => escaped(*byte, out),
            _ => out.put_u8(*byte),
        }
    }
}

fn escaped(byte: u8, out: &mut BytesMut) {
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
fn escape_glob(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ODD: [&str; 14] =
        ["a", "b", "ab", ":", "a:b", "{", "}", "{a}", "%", "%7D", "*?[]", "\0", "\r\n", "V:{a}"];

    #[test]
    fn no_two_places_share_a_key_and_every_key_reads_back() {
        let mut seen = HashMap::new();
        for namespace in ODD {
            let space = KeySpace::new("state", &Namespace::new(namespace).unwrap());
            let mut keys: Vec<Key> = ODD.iter().map(|name| Key::from(*name)).collect();
            for partition in ODD {
                keys.extend(ODD.iter().map(|name| Key::in_partition(partition, *name)));
            }
            for key in keys {
                for kind in [Kind::Entry, Kind::Hash, Kind::Lease] {
                    let stored = space.key(kind, &key);
                    assert_eq!(space.read(kind, &stored).as_ref(), Some(&key), "{stored:?}");
                    let place = (namespace, format!("{kind:?}"), key.clone());
                    assert_eq!(seen.insert(stored, place), None);
                }
            }
        }
    }

    #[test]
    fn what_belongs_together_has_one_tag() {
        let space = KeySpace::new("state", &Namespace::default());
        let tag = |stored: Bytes| {
            let text = stored.escape_ascii().to_string();
            let start = text.find('{').unwrap();
            text.get(start..=text.find('}').unwrap()).unwrap().to_owned()
        };
        for key in [Key::from("a}b"), Key::in_partition("p}q", "n{x}")] {
            let tags = [
                tag(space.key(Kind::Entry, &key)),
                tag(space.key(Kind::Hash, &key)),
                tag(space.fence(&key)),
                tag(space.operation(&key, &[7; 16])),
            ];
            assert!(tags.iter().all(|other| *other == tags[0]), "{tags:?}");
        }
    }

    #[test]
    fn a_plain_key_stays_readable() {
        let space = KeySpace::new("state", &Namespace::new("shop").unwrap());
        assert_eq!(space.key(Kind::Entry, &"user:7".into()), "state:shop:V:{user:7}");
        let placed = Key::in_partition("user:7", "cart");
        assert_eq!(space.key(Kind::Entry, &placed), "state:shop:v:{user:7}cart");
    }
}
