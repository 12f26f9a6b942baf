//! zstd frames, into buffers of a known size: the size inside the frame is never believed.

use ::zstd::bulk;

/// The compressed bytes; `None` when they cannot be made.
pub(super) fn compress(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    bulk::compress(raw, level).ok()
}

/// The `raw_len` bytes that were compressed; `None` when these are not they.
pub(super) fn decompress(stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
    let mut raw = vec![0; raw_len];
    let len = bulk::decompress_to_buffer(stored, raw.as_mut_slice()).ok()?;
    (len == raw_len).then_some(raw)
}
