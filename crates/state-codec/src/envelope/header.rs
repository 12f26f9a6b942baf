//! The header of an envelope, byte by byte.

use state_core::{Error, ErrorKind, Result};

use super::VALUE_BYTES_MAX;
use crate::codec::CodecId;
use crate::compression::CompressionId;
use crate::{checksum, field};

/// Neither UTF-8 nor MessagePack knows the byte C1, so neither can be taken for an envelope.
pub(super) const MAGIC: [u8; 4] = [0xC1, b'S', b'V', b'E'];
/// The version that is written, and the only one so far.
pub(super) const VERSION: u8 = 1;
/// The bytes of the header.
pub(super) const HEADER_LEN: usize = 24;

const AT_VERSION: usize = 4;
const AT_FLAGS: usize = 5;
const AT_CODEC: usize = 6;
const AT_COMPRESSION: usize = 7;
const AT_SCHEMA: usize = 8;
const AT_DICTIONARY: usize = 12;
const AT_RAW_LEN: usize = 16;
const AT_STORED_LEN: usize = 20;

/// The body is encrypted.
const FLAG_SEALED: u8 = 1;

/// What an envelope says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) codec: CodecId,
    pub(super) compression: CompressionId,
    pub(super) schema: u32,
    pub(super) raw_len: usize,
    pub(super) stored_len: usize,
}

/// What is read before the checksum is known to match: numbers, and nothing believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    flags: u8,
    codec: u8,
    compression: u8,
    schema: u32,
    dictionary: u32,
    raw_len: usize,
    pub(super) stored_len: usize,
}

impl Header {
    /// The bytes; `None` when a length does not fit.
    pub(super) fn to_bytes(self) -> Option<[u8; HEADER_LEN]> {
        let raw_len = u32::try_from(self.raw_len).ok()?.to_le_bytes();
        let stored_len = u32::try_from(self.stored_len).ok()?.to_le_bytes();
        let kinds = [VERSION, 0, self.codec.number(), self.compression.number()];
        let no_dictionary = [0; 4];
        let parts = [MAGIC, kinds, self.schema.to_le_bytes(), no_dictionary, raw_len, stored_len];
        let mut bytes = [0; HEADER_LEN];
        for (place, byte) in bytes.iter_mut().zip(parts.as_flattened()) {
            *place = *byte;
        }
        Some(bytes)
    }
}

impl Claims {
    /// Reads the header of `envelope`, whose length must be the one it claims.
    ///
    /// # Errors
    /// `Corrupt` for what is no envelope, cut short or too long; `Unsupported` for a later
    /// version.
    pub(super) fn read(envelope: &[u8]) -> Result<Self> {
        if !envelope.starts_with(&MAGIC) {
            let same = envelope.iter().zip(MAGIC).take_while(|(byte, magic)| **byte == *magic);
            let position = same.count();
            let message = if position == envelope.len() {
                "the envelope is cut short"
            } else {
                "the value is not in an envelope"
            };
            return Err(corrupt_at(message, position));
        }
        match envelope.get(AT_VERSION) {
            Some(&VERSION) => {}
            Some(0) => return Err(corrupt_at("there is no envelope version 0", AT_VERSION)),
            Some(version) => {
                let message =
                    format!("the envelope has version {version}, this reader knows {VERSION}");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            None => return Err(cut_short(envelope)),
        }
        let claims = Self::fields(envelope).ok_or_else(|| cut_short(envelope))?;
        let len = HEADER_LEN.saturating_add(claims.stored_len).saturating_add(checksum::LEN);
        if envelope.len() < len {
            return Err(cut_short(envelope));
        }
        if envelope.len() > len {
            return Err(corrupt_at("bytes are left over behind the envelope", len));
        }
        Ok(claims)
    }

    fn fields(envelope: &[u8]) -> Option<Self> {
        let len_at = |at| usize::try_from(field::u32_at(envelope, at)?).ok();
        Some(Self {
            flags: *envelope.get(AT_FLAGS)?,
            codec: *envelope.get(AT_CODEC)?,
            compression: *envelope.get(AT_COMPRESSION)?,
            schema: field::u32_at(envelope, AT_SCHEMA)?,
            dictionary: field::u32_at(envelope, AT_DICTIONARY)?,
            raw_len: len_at(AT_RAW_LEN)?,
            stored_len: len_at(AT_STORED_LEN)?,
        })
    }

    /// What the claims mean, once the checksum has vouched for them.
    ///
    /// # Errors
    /// `Unsupported` for what this version cannot read, `Corrupt` for what no version writes.
    pub(super) fn verified(self) -> Result<Header> {
        let unsupported = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
        if self.flags & FLAG_SEALED != 0 {
            return unsupported("the value is sealed, and this reader has no key".to_owned());
        }
        if self.flags != 0 {
            return unsupported("the envelope has flags that this reader does not know".to_owned());
        }
        if self.dictionary != 0 {
            return unsupported(format!("the value needs dictionary {}", self.dictionary));
        }
        let Some(codec) = CodecId::from_number(self.codec) else {
            return unsupported(format!("this reader does not know format {}", self.codec));
        };
        let Some(compression) = CompressionId::from_number(self.compression) else {
            return unsupported(format!(
                "this reader does not know compression {}",
                self.compression
            ));
        };
        if self.raw_len > VALUE_BYTES_MAX {
            return unsupported(format!("the value unpacks to over {VALUE_BYTES_MAX} bytes"));
        }
        if compression == CompressionId::None && self.raw_len != self.stored_len {
            return Err(corrupt_at(
                "the lengths in the envelope contradict each other",
                AT_RAW_LEN,
            ));
        }
        let Self { schema, raw_len, stored_len, .. } = self;
        Ok(Header { codec, compression, schema, raw_len, stored_len })
    }
}

fn cut_short(envelope: &[u8]) -> Error {
    corrupt_at("the envelope is cut short", envelope.len())
}

fn corrupt_at(message: &'static str, position: usize) -> Error {
    Error::corrupt(message).with_position(u64::try_from(position).unwrap_or(u64::MAX))
}
