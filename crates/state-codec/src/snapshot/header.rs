//! The beginning of a snapshot file.

use state_core::{Error, ErrorKind, Result, Timestamp};

use crate::{checksum, field};

/// C1 occurs in no text; the line ends and the end-of-file sign reveal a transfer as text.
const MAGIC: [u8; 8] = [0xC1, b'S', b'S', b'F', 0x0D, 0x0A, 0x1A, 0x0A];
/// The version that is written, and the only one so far.
const VERSION: u16 = 1;
/// The bytes of the header, checksum included.
pub(super) const HEADER_LEN: usize = 32;

const AT_VERSION: usize = 8;
const AT_FLAGS: usize = 10;
const AT_DICTIONARY: usize = 12;
const AT_CREATED: usize = 16;
const AT_CHECKSUM: usize = 24;

/// The blocks are encrypted.
const FLAG_SEALED: u16 = 1;
/// The records are the state at one point in time.
const FLAG_POINT_IN_TIME: u16 = 2;

/// What a snapshot file says of itself at its beginning.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotInfo {
    /// The version of the format.
    pub version: u16,
    /// When the writing began, on the writer's clock.
    pub created_at: Timestamp,
    /// Whether the records are the state at one point in time, or each at a point of its own.
    pub point_in_time: bool,
}

impl SnapshotInfo {
    pub(super) const fn new(created_at: Timestamp, point_in_time: bool) -> Self {
        Self { version: VERSION, created_at, point_in_time }
    }

    /// The bytes of the header, and its checksum, from which the blocks' checksums go on.
    pub(super) fn to_bytes(self) -> (Vec<u8>, u64) {
        let flags = if self.point_in_time { FLAG_POINT_IN_TIME } else { 0 };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.created_at.unix_ms().to_le_bytes());
        let sum = checksum::of(0, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        (bytes, sum)
    }

    /// What `bytes`, the first [`HEADER_LEN`] of a file or as many as there are, say; and their
    /// checksum.
    ///
    /// # Errors
    /// `Corrupt` with the position for another kind of file, a cut or damaged header;
    /// `Unsupported` for a later version and a sealed snapshot.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, u64)> {
        let position = bytes.iter().zip(MAGIC).take_while(|(byte, magic)| **byte == *magic).count();
        let at = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
        if position < MAGIC.len() && position < bytes.len() {
            return Err(Error::corrupt("this is not a snapshot").with_position(at(position)));
        }
        let cut = || Error::corrupt("the snapshot is cut short").with_position(at(bytes.len()));
        let version = field::u16_at(bytes, AT_VERSION).ok_or_else(cut)?;
        if version != VERSION {
            let message =
                format!("the snapshot has version {version}, this reader knows {VERSION}");
            let kind = if version == 0 { ErrorKind::Corrupt } else { ErrorKind::Unsupported };
            return Err(Error::new(kind, message).with_position(at(AT_VERSION)));
        }
        let sum = field::u64_at(bytes, AT_CHECKSUM).ok_or_else(cut)?;
        let checked = bytes.get(..AT_CHECKSUM).unwrap_or_default();
        if checksum::of(0, checked) != sum {
            let message = "the checksum of the snapshot's header does not match";
            return Err(Error::corrupt(message).with_position(0));
        }
        let flags = field::u16_at(bytes, AT_FLAGS).ok_or_else(cut)?;
        let unsupported =
            |message, at| Err(Error::new(ErrorKind::Unsupported, message).with_position(at));
        if flags & FLAG_SEALED != 0 {
            return unsupported("the snapshot is sealed, and this reader has no key", at(AT_FLAGS));
        }
        if flags & !FLAG_POINT_IN_TIME != 0 {
            let message = "the snapshot has flags that this reader does not know";
            return unsupported(message, at(AT_FLAGS));
        }
        if field::u32_at(bytes, AT_DICTIONARY) != Some(0) {
            return unsupported("the snapshot needs a dictionary", at(AT_DICTIONARY));
        }
        let created_at = field::u64_at(bytes, AT_CREATED).ok_or_else(cut)?;
        let info = Self::new(Timestamp::from_unix_ms(created_at), flags & FLAG_POINT_IN_TIME != 0);
        Ok((info, sum))
    }
}
