//! How a store of checkpoints is opened.

use std::sync::Arc;
use std::time::Duration;

use state_codec::{Compression, CompressionId};
use state_core::{Clock, SystemClock};

/// Where segments begin to be compressed, in bytes.
const COMPRESSED_FROM: usize = 128;

/// How a store of checkpoints is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckpointOptions {
    /// How long a thread lives after it was last written to. Default: it has no end.
    pub lifetime: Option<Duration>,
    /// Whether reading a checkpoint begins the lifetime of its thread anew. Default: no.
    pub refresh_on_read: bool,
    /// How stored content is compressed. Default: zstd where that is built in, else not. Records of checkpoints (ids, versions,
    /// metadata) are compressed from 512 bytes on, whatever threshold is set here.
    pub compression: Compression,
    /// The most bytes of values and records that are kept at hand. Default: 64 MiB.
    pub cache_bytes_max: usize,
    /// Where time comes from. Default: the system.
    pub clock: Arc<dyn Clock>,
}

impl CheckpointOptions {
    /// The defaults.
    pub fn new() -> Self {
        let zstd = cfg!(feature = "zstd");
        let id = if zstd { CompressionId::Zstd } else { CompressionId::None };
        Self {
            lifetime: None,
            refresh_on_read: false,
            compression: Compression::new(id).with_threshold_bytes(COMPRESSED_FROM),
            cache_bytes_max: 64 << 20,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Sets how long a thread lives after it was last written to, 1 ms to 10 years.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.lifetime = lifetime.into();
        self
    }

    /// Sets whether reading a checkpoint begins the lifetime of its thread anew.
    #[must_use]
    pub const fn with_refresh_on_read(mut self, refresh_on_read: bool) -> Self {
        self.refresh_on_read = refresh_on_read;
        self
    }

    /// Sets how stored content is compressed.
    #[must_use]
    pub const fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Sets the most bytes of values and records that are kept at hand; 0 for none.
    #[must_use]
    pub const fn with_cache_bytes_max(mut self, cache_bytes_max: usize) -> Self {
        self.cache_bytes_max = cache_bytes_max;
        self
    }

    /// Sets where time comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self::new()
    }
}
