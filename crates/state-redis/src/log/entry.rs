//! One entry of a stream.

use bytes::Bytes;
use redis::Value;
use state_core::{Change, Error, Key, Result, Scope, Timestamp, Version};

use super::Position;
use crate::keys::Kind;
use crate::scripts::{bytes, number, unlike};

/// An entry as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Behind it.
    pub(crate) position: Position,
    /// The time of the server, in microseconds; never smaller than that of the entry before.
    pub(crate) at_us: u64,
    pub(crate) logged: Logged,
}

/// What an entry tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Logged {
    Change(Change),
    /// A clear, which is noted in several buckets.
    Cleared {
        id: u64,
        buckets: usize,
        change: Change,
    },
    /// That the log begins, or what this version does not know.
    Nothing,
}

impl Entry {
    /// Reads what `XRANGE` replies for one entry.
    ///
    /// # Errors
    /// `Corrupt` for what no script of this driver has written.
    pub(crate) fn read(reply: Value) -> Result<Self> {
        let Value::Array(parts) = reply else { return Err(unlike()) };
        let [id, fields] = <[Value; 2]>::try_from(parts).map_err(|_| unlike())?;
        let id = bytes(id)?;
        let Value::Array(fields) = fields else { return Err(unlike()) };
        let fields = fields.into_iter().map(bytes).collect::<Result<Vec<_>>>()?;
        Self::from_parts(&id, &Fields(&fields)).ok_or_else(|| {
            Error::corrupt("the change log holds what was not written by this driver")
        })
    }

    fn from_parts(id: &[u8], fields: &Fields<'_>) -> Option<Self> {
        let position = Position::from_id(id, fields.get(b"g")?)?;
        let at_us = number(fields.get(b"t")?).ok()?;
        Some(Self { position, at_us, logged: fields.logged()? })
    }
}

/// Names and values in turn.
struct Fields<'a>(&'a [Bytes]);

impl Fields<'_> {
    fn get(&self, name: &[u8]) -> Option<&Bytes> {
        let mut pairs = self.0.chunks_exact(2);
        pairs.find_map(|pair| if let [n, v] = pair { (*n == name).then_some(v) } else { None })
    }

    fn logged(&self) -> Option<Logged> {
        let key = |kind: Kind| -> Option<Key> { kind.read_member(self.get(b"k")?) };
        Some(match self.get(b"e")?.as_ref() {
            b"put" => {
                let version = Version::from_bytes(self.get(b"v")?.as_ref().try_into().ok()?);
                let (key, deadline) = (key(Kind::Entry)?, deadline(self.get(b"d")?));
                Logged::Change(Change::Put { key, version, deadline })
            }
            b"touch" => {
                let (key, deadline) = (key(Kind::Entry)?, deadline(self.get(b"d")?));
                Logged::Change(Change::Touched { key, deadline })
            }
            // What a clear removed after it was noted may be a hash.
            b"delete" => match key(Kind::Entry) {
                Some(key) => Logged::Change(Change::Deleted { key }),
                None => Logged::Change(Change::HashChanged { key: key(Kind::Hash)? }),
            },
            b"hash" => Logged::Change(Change::HashChanged { key: key(Kind::Hash)? }),
            b"gap" => Logged::Change(Change::Gap),
            b"clear" => Logged::Cleared {
                id: number(self.get(b"i")?).ok()?,
                buckets: number(self.get(b"n")?).ok()?,
                change: Change::Cleared {
                    prefix: self.get(b"p")?.clone(),
                    scope: read_scope(self.get(b"s")?)?,
                },
            },
            _ => Logged::Nothing,
        })
    }
}

/// What `PEXPIRETIME` said, which is negative without a lifetime.
fn deadline(text: &[u8]) -> Option<Timestamp> {
    number(text).ok().map(Timestamp::from_unix_ms)
}

/// A scope as entries tell it.
pub(crate) fn scope_text(scope: &Scope) -> Result<Bytes> {
    Ok(match scope {
        Scope::All => Bytes::from_static(b"a"),
        Scope::Unpartitioned => Bytes::from_static(b"u"),
        Scope::Partition(name) => [b"p", name.as_ref()].concat().into(),
        _ => return Err(Error::unsupported("this scope")),
    })
}

fn read_scope(text: &Bytes) -> Option<Scope> {
    match text.split_first()? {
        (b'a', []) => Some(Scope::All),
        (b'u', []) => Some(Scope::Unpartitioned),
        (b'p', _) => Some(Scope::Partition(text.slice(1..))),
        _ => None,
    }
}
