//! Where a snapshot is read from, twice.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// A source that can be read from its beginning again and again: a file, bytes in memory, a
/// [`Spool`](super::Spool) of what can be read only once.
pub trait SnapshotSource: Send + Sync {
    /// Begins at the beginning.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

impl SnapshotSource for Path {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(BufReader::with_capacity(64 << 10, File::open(self)?)))
    }
}

impl SnapshotSource for PathBuf {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.as_path().open()
    }
}

impl SnapshotSource for Bytes {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.clone())))
    }
}
