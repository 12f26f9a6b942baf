//! What a store keeps without looking into it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Bytes, and a word of their maker's that says how to read them.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Payload {
    kind: Arc<str>,
    bytes: Bytes,
}

impl Payload {
    /// `bytes` that are of the kind `kind`, a word such as `json` or `msgpack`.
    pub fn new(kind: impl AsRef<str>, bytes: impl Into<Bytes>) -> Self {
        Self { kind: Arc::from(kind.as_ref()), bytes: bytes.into() }
    }

    /// How the bytes are to be read.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes that count against limits: kind and bytes together.
    pub fn len_bytes(&self) -> usize {
        self.kind.len() + self.bytes.len()
    }
}

/// Shows kind and size, never the bytes.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// What a channel holds at one of its versions.
#[expect(clippy::exhaustive_enums, reason = "a store must be able to keep every kind")]
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ChannelValue {
    /// A value.
    Stored(Payload),
    /// The channel has a version and no value: it was consumed, or cleared.
    Empty,
}

impl ChannelValue {
    /// The payload; `None` where the channel is empty.
    pub const fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Stored(payload) => Some(payload),
            Self::Empty => None,
        }
    }
}

impl From<Payload> for ChannelValue {
    fn from(payload: Payload) -> Self {
        Self::Stored(payload)
    }
}
