//! Compression of values and snapshot blocks: by a threshold, and only where it pays.

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(any(feature = "lz4", feature = "zstd"))]
mod sample;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;
use std::fmt;

use state_core::{Error, ErrorKind, Result};

use crate::options::with_methods;

/// The number that names a compression in envelopes and snapshot blocks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CompressionId {
    /// Not compressed.
    None,
    /// One lz4 block, without a size in front.
    Lz4,
    /// One zstd frame.
    Zstd,
}

impl CompressionId {
    /// All compressions, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::None, Self::Lz4, Self::Zstd];

    /// The number in the envelope; never reused.
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    /// The compression with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.number() == number)
    }

    /// The name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build can write and read it.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// Undoes the compression into a new buffer of exactly `raw_len` bytes, which the caller has
    /// compared with its limit.
    ///
    /// # Errors
    /// `Corrupt` when `stored` is not `raw_len` bytes compressed, `Unsupported` when the
    /// compression is not built in.
    pub fn unpack(self, stored: &[u8], raw_len: usize) -> Result<Vec<u8>> {
        unpack(self, stored, raw_len)
    }

    /// The most bytes that one stored byte can stand for; what claims more is not even tried.
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    const fn ratio_max(self) -> usize {
        match self {
            Self::None => 1,
            // A byte of match length stands for at most 255 bytes.
            Self::Lz4 => 255,
            // A block of 128 KiB takes at least four bytes.
            Self::Zstd => 1 << 15,
        }
    }
}

impl fmt::Display for CompressionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How and from which size on values are compressed. It concerns writers only: readers are told
/// by what is stored.
///
/// A result is kept only if it saves at least 10 %. From 64 KiB on, 16 KiB in four samples
/// are tried first, so that what does not shrink costs little; a value that repeats only over
/// longer distances than 4 KiB is then stored as it is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compression {
    /// Which compression. Default: lz4 where the feature is built in, else none.
    pub id: CompressionId,
    /// The smallest value that is compressed, in bytes. Default: 4 KiB.
    pub threshold_bytes: usize,
    /// How hard zstd tries, 1 to 19. Default: 3.
    pub zstd_level: i32,
}

impl Compression {
    /// The compression `id`, from 4 KiB on.
    pub const fn new(id: CompressionId) -> Self {
        Self { id, threshold_bytes: 4 << 10, zstd_level: 3 }
    }

    /// No compression.
    pub const fn none() -> Self {
        Self::new(CompressionId::None)
    }

    /// Refuses what this build cannot write.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.id.is_built_in() {
            return Err(unreadable(self.id));
        }
        if self.id == CompressionId::Zstd && !(1..=19).contains(&self.zstd_level) {
            return Err(Error::invalid("the level of zstd is not within 1 to 19"));
        }
        Ok(())
    }

    /// The bytes to store for `raw`, and how they are compressed.
    ///
    /// # Errors
    /// `Unsupported` for a compression that is not built in, `Invalid` for a bad level.
    pub fn pack<'a>(&self, raw: &'a [u8]) -> Result<(CompressionId, Cow<'a, [u8]>)> {
        self.check()?;
        let large = raw.len() >= self.threshold_bytes;
        if large && let Some(packed) = self.shrink(raw) {
            return Ok((self.id, Cow::Owned(packed)));
        }
        Ok((CompressionId::None, Cow::Borrowed(raw)))
    }

    /// The compressed bytes, if they save at least 10 %.
    fn shrink(&self, raw: &[u8]) -> Option<Vec<u8>> {
        match self.id {
            #[cfg(feature = "lz4")]
            CompressionId::Lz4 => sample::if_worth(raw, lz4::compress),
            #[cfg(feature = "zstd")]
            CompressionId::Zstd => {
                sample::if_worth(raw, |part| zstd::compress(part, self.zstd_level))
            }
            _ => {
                // Nothing to compress with.
                let _: &[u8] = raw;
                None
            }
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new(if cfg!(feature = "lz4") { CompressionId::Lz4 } else { CompressionId::None })
    }
}

with_methods!(Compression {
    /// Sets the smallest value that is compressed, in bytes.
    with_threshold_bytes => threshold_bytes: usize,
    /// Sets how hard zstd tries.
    with_zstd_level => zstd_level: i32,
});

/// Undoes `id` into a new buffer of exactly `raw_len` bytes, which the caller has compared with
/// its limit. `CompressionId::None` is the caller's.
///
/// # Errors
/// `Corrupt` when `stored` is not `raw_len` bytes compressed, `Unsupported` when the compression
/// is not built in.
pub(crate) fn unpack(id: CompressionId, stored: &[u8], raw_len: usize) -> Result<Vec<u8>> {
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    if raw_len > stored.len().saturating_mul(id.ratio_max()).saturating_add(64) {
        return Err(Error::corrupt(format!("no {id} data shrinks as far as this claims")));
    }
    let done = match id {
        #[cfg(feature = "lz4")]
        CompressionId::Lz4 => lz4::decompress(stored, raw_len),
        #[cfg(feature = "zstd")]
        CompressionId::Zstd => zstd::decompress(stored, raw_len),
        CompressionId::None if stored.len() == raw_len => Some(stored.to_vec()),
        CompressionId::None => None,
        #[cfg(not(all(feature = "lz4", feature = "zstd")))]
        other => return Err(unreadable(other)),
    };
    done.ok_or_else(|| Error::corrupt(format!("the {id} data is damaged")))
}

fn unreadable(id: CompressionId) -> Error {
    let message =
        format!("{id} compression is needed; state-codec must be built with the feature `{id}`");
    Error::new(ErrorKind::Unsupported, message)
}
