//! The envelope: what is stored for a value, and says how it was written.

mod header;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::{Error, ErrorKind, Result};

use crate::codec::{self, Codec, CodecId};
use crate::compression::{self, Compression, CompressionId};
use crate::options::with_methods;
use crate::{checksum, field};
use header::{Claims, HEADER_LEN, Header, MAGIC, VERSION};

/// The largest value in bytes before compression: 64 MiB. Nothing larger is written, and nothing
/// is allocated for what claims to be larger.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// What encoding begins with, so that small values grow their buffer seldom.
const ENCODE_CAPACITY: usize = 256;

/// How a value is put into an envelope.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EnvelopeOptions {
    /// Whether and how it is compressed. Default: lz4 from 4 KiB on, where built in.
    pub compression: Compression,
    /// Which schema it has; 0, the default, says nothing.
    pub schema: u32,
}

impl EnvelopeOptions {
    /// The default compression and no schema.
    pub fn new() -> Self {
        Self::default()
    }
}

with_methods!(EnvelopeOptions {
    /// Sets whether and how it is compressed.
    with_compression => compression: Compression,
    /// Sets which schema it has.
    with_schema => schema: u32,
});

/// A stored value whose checksum has been verified, not decompressed and not decoded yet.
///
/// ```
/// use bytes::Bytes;
/// use state_codec::{CodecId, Envelope, EnvelopeOptions};
///
/// # fn main() -> state_core::Result<()> {
/// let stored = Envelope::wrap(CodecId::Raw, b"as it is", EnvelopeOptions::new())?;
/// let envelope = Envelope::open(stored)?;
/// assert_eq!(envelope.codec(), CodecId::Raw);
/// assert_eq!(envelope.unpack()?, Bytes::from_static(b"as it is"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Envelope {
    header: Header,
    stored: Bytes,
}

impl Envelope {
    /// The bytes that an envelope adds to a value.
    pub const OVERHEAD_BYTES: usize = HEADER_LEN + checksum::LEN;

    /// The envelope of `value` in the format `C`.
    ///
    /// # Errors
    /// `TooLarge` over [`VALUE_BYTES_MAX`]; `Invalid` when the value cannot be expressed in the
    /// format, nests deeper than [`DEPTH_MAX`](crate::DEPTH_MAX), or has more than 1,024 items
    /// beyond one per byte: what could not be read is not written.
    pub fn encode<C: Codec, T: Serialize + ?Sized>(
        value: &T,
        options: EnvelopeOptions,
    ) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(ENCODE_CAPACITY);
        bytes.resize(HEADER_LEN, 0);
        let bytes = codec::append::<C, T>(value, bytes, VALUE_BYTES_MAX)?;
        finish(C::ID, bytes, options)
    }

    /// The envelope of `body`, which is already in the format `codec`.
    ///
    /// # Errors
    /// `TooLarge` over [`VALUE_BYTES_MAX`].
    pub fn wrap(codec: CodecId, body: &[u8], options: EnvelopeOptions) -> Result<Bytes> {
        if body.len() > VALUE_BYTES_MAX {
            return Err(Error::too_large("value", body.len(), VALUE_BYTES_MAX));
        }
        let mut bytes = Vec::with_capacity(body.len() + Self::OVERHEAD_BYTES);
        bytes.resize(HEADER_LEN, 0);
        bytes.extend_from_slice(body);
        finish(codec, bytes, options)
    }

    /// Whether `stored` begins as an envelope does, of whichever version. No text, no JSON and
    /// no MessagePack does.
    pub fn is_likely(stored: &[u8]) -> bool {
        stored.starts_with(&MAGIC)
    }

    /// Verifies `stored` and reads what it says of itself. Costs one pass for the checksum and
    /// allocates nothing.
    ///
    /// # Errors
    /// `Corrupt`, with the position where it is known, for what is damaged, cut short, too long
    /// or no envelope; `Unsupported` for what a later version wrote and for a sealed value.
    pub fn open(stored: impl Into<Bytes>) -> Result<Self> {
        let stored = stored.into();
        let claims = Claims::read(&stored)?;
        let body_end = HEADER_LEN + claims.stored_len;
        let whole = stored.get(..body_end).unwrap_or_default();
        if field::u64_at(&stored, body_end) != Some(checksum::of(0, whole)) {
            return Err(Error::corrupt("the checksum of the value does not match"));
        }
        let header = claims.verified()?;
        Ok(Self { header, stored: stored.slice(HEADER_LEN..body_end) })
    }

    /// The format of the value.
    pub const fn codec(&self) -> CodecId {
        self.header.codec
    }

    /// How the value is compressed.
    pub const fn compression(&self) -> CompressionId {
        self.header.compression
    }

    /// The schema of the value; 0 says nothing.
    pub const fn schema(&self) -> u32 {
        self.header.schema
    }

    /// The version of the envelope format.
    pub const fn version(&self) -> u8 {
        VERSION
    }

    /// The bytes of the value before compression.
    pub const fn raw_len(&self) -> usize {
        self.header.raw_len
    }

    /// The bytes of the value as they are stored, without the envelope.
    pub const fn stored_len(&self) -> usize {
        self.header.stored_len
    }

    /// The bytes of the value, decompressed; not copied when they were not compressed.
    ///
    /// # Errors
    /// `Corrupt` when they do not decompress to their length, `Unsupported` when the compression
    /// is not built in.
    pub fn unpack(&self) -> Result<Bytes> {
        if self.header.compression == CompressionId::None {
            return Ok(self.stored.clone());
        }
        compression::unpack(self.header.compression, &self.stored, self.header.raw_len)
            .map(Bytes::from)
    }

    /// The value. Its schema is not looked at; [`Typed`](crate::Typed) does.
    ///
    /// # Errors
    /// As [`unpack`](Self::unpack); `Corrupt` when the bytes are not a `T`, nest too deep or
    /// have something behind them; `Unsupported` when the format is not built in, naming the
    /// feature.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        self.header.codec.decode(&self.unpack()?)
    }
}

/// Shows the header, which says how long the value is, never its bytes.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Compresses and checksums `bytes`, which begin with room for the header.
fn finish(codec: CodecId, bytes: Vec<u8>, options: EnvelopeOptions) -> Result<Bytes> {
    let raw = bytes.get(HEADER_LEN..).unwrap_or_default();
    let raw_len = raw.len();
    let (compression, packed) = options.compression.pack(raw)?;
    let mut bytes = match packed {
        std::borrow::Cow::Borrowed(_) => bytes,
        std::borrow::Cow::Owned(packed) => {
            let mut whole = Vec::with_capacity(packed.len() + Envelope::OVERHEAD_BYTES);
            whole.resize(HEADER_LEN, 0);
            whole.extend_from_slice(&packed);
            whole
        }
    };
    let stored_len = bytes.len() - HEADER_LEN;
    let header = Header { codec, compression, schema: options.schema, raw_len, stored_len };
    let written = header
        .to_bytes()
        .ok_or_else(|| Error::new(ErrorKind::TooLarge, "the value is too large for an envelope"))?;
    for (place, byte) in bytes.iter_mut().zip(written) {
        *place = byte;
    }
    let sum = checksum::of(0, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes.into())
}
