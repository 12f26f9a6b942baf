//! A temporary copy of what can be read only once.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use state_core::{Error, Result};

use super::{SnapshotSource, io_error};

/// A copy of a pipe or a socket on disk, so that it can be read twice.
///
/// The file has no name and is gone when the spool and all its readers are dropped, even when
/// the process is killed.
#[derive(Clone)]
pub struct Spool {
    file: Arc<Mutex<File>>,
    bytes: u64,
}

impl Spool {
    /// Copies `source` to its end into a temporary file, in `folder` or where the system keeps
    /// such files. Blocking.
    ///
    /// # Errors
    /// `TooLarge` when the source has more than `bytes_max`, `Unavailable` or `Denied` when it
    /// cannot be read or the file cannot be written, `Invalid` when there is no such folder.
    pub fn copy(source: impl Read, folder: Option<&Path>, bytes_max: u64) -> Result<Self> {
        let file = folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in);
        let mut file = file.map_err(|error| io_error(error, "no temporary file can be made"))?;
        let mut limited = source.take(bytes_max.saturating_add(1));
        let bytes = io::copy(&mut limited, &mut file).map_err(|error| {
            io_error(error, "the snapshot cannot be copied to a temporary file")
        })?;
        if bytes > bytes_max {
            return Err(Error::too_large(
                "snapshot",
                usize::try_from(bytes).unwrap_or(usize::MAX),
                usize::try_from(bytes_max).unwrap_or(usize::MAX),
            ));
        }
        Ok(Self { file: Arc::new(Mutex::new(file)), bytes })
    }

    /// How many bytes were copied.
    pub const fn len_bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spool({} bytes)", self.bytes)
    }
}

impl SnapshotSource for Spool {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let reader = SpoolReader { file: Arc::clone(&self.file), position: 0 };
        Ok(Box::new(io::BufReader::with_capacity(64 << 10, reader)))
    }
}

/// Readers share the file, which has one position, so each keeps its own.
struct SpoolReader {
    file: Arc<Mutex<File>>,
    position: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read(buffer)?;
        self.position = self.position.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}
