//! What files take on disk.

use std::fs::{self, Metadata};
use std::path::Path;

/// The bytes that a file takes on disk, without its holes; `None` where there is no such file.
pub(crate) fn bytes(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| allocated(&metadata))
}

#[cfg(unix)]
fn allocated(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // The unit of this figure, whatever the file system's block is.
    metadata.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
fn allocated(metadata: &Metadata) -> u64 {
    metadata.len()
}
