//! lz4 blocks, into buffers of a known size: a size in front of the data is never believed.

use lz4_flex::block;

/// The compressed bytes; `None` when they cannot be made.
pub(super) fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    let mut packed = vec![0; block::get_maximum_output_size(raw.len())];
    let len = block::compress_into(raw, &mut packed).ok()?;
    packed.truncate(len);
    Some(packed)
}

/// The `raw_len` bytes that were compressed; `None` when these are not they.
pub(super) fn decompress(stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
    let mut raw = vec![0; raw_len];
    let len = block::decompress_into(stored, &mut raw).ok()?;
    (len == raw_len).then_some(raw)
}
