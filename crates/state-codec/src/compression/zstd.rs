//! zstd frames, into buffers of a known size: the size inside the frame is never believed.

use std::cell::RefCell;

use ::zstd::bulk::{self, Compressor, Decompressor};

/// Up to this size the memory that zstd works in is kept for the next time: for small values, making
/// it anew takes longer than compressing. It is about as large as what was compressed in it.
const KEPT_UP_TO: usize = 64 << 10;

thread_local! {
    /// With its level.
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The compressed bytes; `None` when they cannot be made.
pub(super) fn compress(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    if raw.len() > KEPT_UP_TO {
        return bulk::compress(raw, level).ok();
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let (_, mut compressor) = match kept.take().filter(|(of, _)| *of == level) {
            Some(kept) => kept,
            None => (level, Compressor::new(level).ok()?),
        };
        let packed = compressor.compress(raw).ok()?;
        *kept = Some((level, compressor));
        Some(packed)
    })
}

/// The `raw_len` bytes that were compressed; `None` when these are not they.
pub(super) fn decompress(stored: &[u8], raw_len: usize) -> Option<Vec<u8>> {
    let mut raw = vec![0; raw_len];
    let len = DECOMPRESSOR.with_borrow_mut(|kept| {
        let mut decompressor = match kept.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new().ok()?,
        };
        let len = decompressor.decompress_to_buffer(stored, raw.as_mut_slice()).ok()?;
        *kept = Some(decompressor);
        Some(len)
    })?;
    (len == raw_len).then_some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_serves_other_levels_and_recovers_from_damage() {
        let raw: Vec<u8> = (0..4_000_u32).map(|n| u8::try_from(n * n % 7).unwrap()).collect();
        for level in [1, 3, 3, 19, 1] {
            let packed = compress(&raw, level).unwrap();
            assert_eq!(Some(&packed), bulk::compress(&raw, level).ok().as_ref(), "level {level}");
            assert_eq!(decompress(&packed, raw.len()).as_ref(), Some(&raw));
            assert_eq!(decompress(&packed[..packed.len() / 2], raw.len()), None);
            assert_eq!(decompress(&packed, raw.len()).as_ref(), Some(&raw));
        }
        let large = raw.repeat(20);
        assert_eq!(decompress(&compress(&large, 3).unwrap(), large.len()), Some(large));
    }
}
