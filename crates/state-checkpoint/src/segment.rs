//! Segments: the pieces of a thread's content log, and how they are compressed.
//!
//! A segment is one frame: a byte that says how the rest is written, then the rest. The low half
//! of the byte is the compression (0 none, 1 lz4, 2 zstd); its other bits are 0, kept for a
//! dictionary and for sealing. Compressed bytes are preceded by their raw length.

use std::borrow::Cow;

use bytes::Bytes;
use state_codec::{Compression, CompressionId};
use state_core::{Error, ErrorKind, Result};

use crate::wire::{Reader, Writer};

/// The most raw bytes of the segment at the end of the log, which is written to: 4 KiB.
pub const TAIL_BYTES_MAX: usize = 4 << 10;
/// The most raw bytes of any segment: 64 KiB.
pub const SEGMENT_BYTES_MAX: usize = 64 << 10;

/// The frame of a full segment: compressed where that saves something.
///
/// # Errors
/// Those of [`Compression::pack`].
pub fn seal_segment(raw: &[u8], compression: &Compression) -> Result<Bytes> {
    let (id, packed) = compression.pack(raw)?;
    let mut frame = Writer::default();
    frame.u8(id.number());
    if id != CompressionId::None {
        frame.count(raw.len());
    }
    frame.raw(&packed);
    Ok(frame.into_bytes())
}

/// The frame of a segment that is still written to: appending to it appends to the segment.
pub fn raw_segment(raw: &[u8]) -> Bytes {
    let mut frame = Writer::default();
    frame.u8(CompressionId::None.number());
    frame.raw(raw);
    frame.into_bytes()
}

/// The raw bytes of a segment.
///
/// # Errors
/// `Corrupt` for a damaged frame, `Unsupported` for one that only a later version can read.
pub fn open_segment(frame: &Bytes) -> Result<Bytes> {
    let mut reader = Reader::new(frame, "segment");
    let first = reader.u8()?;
    let id = CompressionId::from_number(first).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "a segment is written in a way of a later version")
    })?;
    if id == CompressionId::None {
        return Ok(frame.slice(1..));
    }
    let raw_len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    if raw_len > SEGMENT_BYTES_MAX {
        return Err(reader.damaged());
    }
    Ok(id.unpack(reader.rest(), raw_len)?.into())
}

/// Compresses `raw` into a frame for something that is not a segment, as small as it gets.
pub(crate) fn pack<'a>(
    raw: &'a [u8],
    compression: &Compression,
) -> Result<(CompressionId, Cow<'a, [u8]>)> {
    compression.pack(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "zstd")]
    fn zstd() -> Compression {
        Compression::new(CompressionId::Zstd).with_threshold_bytes(64)
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn text_shrinks_and_comes_back() {
        let raw = "a sentence that repeats itself; ".repeat(100);
        let frame = seal_segment(raw.as_bytes(), &zstd()).unwrap();
        assert!(frame.len() < raw.len() / 4);
        assert_eq!(open_segment(&frame).unwrap(), raw.as_bytes());
        for at in 0..frame.len() {
            assert!(open_segment(&frame.slice(..at)).map_or(true, |got| got != raw.as_bytes()));
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn what_does_not_shrink_is_stored_as_it_is() {
        let frame = seal_segment(b"short", &zstd()).unwrap();
        assert_eq!(frame, raw_segment(b"short"));
        assert_eq!(open_segment(&frame).unwrap(), b"short".as_slice());
    }

    #[test]
    fn a_later_frame_is_unsupported_and_a_lying_one_corrupt() {
        let kind = |frame: &'static [u8]| {
            open_segment(&Bytes::from_static(frame)).map_err(|error| error.kind())
        };
        assert_eq!(kind(&[0x12, 1]), Err(ErrorKind::Unsupported));
        assert_eq!(kind(&[2, 0xff, 0xff, 0xff, 0x7f, 0]), Err(ErrorKind::Corrupt));
        assert_eq!(kind(&[]), Err(ErrorKind::Corrupt));
    }
}
