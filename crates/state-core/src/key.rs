//! The key of an entry: literal bytes, with an optional partition.

use std::fmt;

use bytes::Bytes;

/// Names one entry of a namespace: a name and, optionally, the partition it lives in.
///
/// Both are literal bytes: no glob, separator, brace or encoding has a meaning. Entries of one
/// partition live on one node, which is what makes a transaction over several keys possible
/// (see [`Transact`](crate::Transact)). The same name in two partitions, or with and without a
/// partition, names different entries.
///
/// A key is only checked when it meets a backend ([`Limits::check_key`](crate::Limits)): the
/// name and a given partition must not be empty, and both together hold at most 1 KiB.
///
/// Keys order by partition first (no partition before any), then by name, bytewise.
///
/// ```
/// use state_core::Key;
///
/// let plain = Key::from("user:7");
/// let placed = Key::in_partition("user:7", "cart");
/// assert_ne!(plain, Key::in_partition("p", "user:7"));
/// assert_eq!(placed.partition().map(|p| p.as_ref()), Some(b"user:7".as_slice()));
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    partition: Option<Bytes>,
    name: Bytes,
}

impl Key {
    /// A key without a partition.
    pub fn new(name: impl Into<Bytes>) -> Self {
        Self { partition: None, name: name.into() }
    }

    /// A key in the partition `partition`.
    pub fn in_partition(partition: impl Into<Bytes>, name: impl Into<Bytes>) -> Self {
        Self { partition: Some(partition.into()), name: name.into() }
    }

    /// A key from its two parts.
    pub fn from_parts(partition: Option<Bytes>, name: Bytes) -> Self {
        Self { partition, name }
    }

    /// The name, without the partition.
    #[inline]
    pub fn name(&self) -> &Bytes {
        &self.name
    }

    /// The partition, if the key has one.
    #[inline]
    pub fn partition(&self) -> Option<&Bytes> {
        self.partition.as_ref()
    }

    /// The bytes that count against the limit: name and partition together.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.name.len() + self.partition.as_ref().map_or(0, Bytes::len)
    }
}

/// Shows the key with everything but printable ASCII escaped.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(partition) = &self.partition {
            write!(f, "[{}] ", partition.escape_ascii())?;
        }
        write!(f, "{}", self.name.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

macro_rules! key_from {
    ($($from:ty: $value:ident => $bytes:expr),+ $(,)?) => {
        $(impl From<$from> for Key {
            fn from($value: $from) -> Self {
                Self::new($bytes)
            }
        })+
    };
}

key_from! {
    Bytes: name => name,
    String: name => name,
    Vec<u8>: name => name,
    &str: name => Bytes::copy_from_slice(name.as_bytes()),
    &String: name => Bytes::copy_from_slice(name.as_bytes()),
    &[u8]: name => Bytes::copy_from_slice(name),
    &Bytes: name => name.clone(),
}

impl<const N: usize> From<&[u8; N]> for Key {
    fn from(name: &[u8; N]) -> Self {
        Self::new(Bytes::copy_from_slice(name))
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}
