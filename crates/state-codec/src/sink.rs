//! A buffer that grows up to a limit and refuses to grow further.

use std::io;

/// Where formats write to: a value that is too large ends with an error, not with the memory.
#[derive(Debug)]
pub(crate) struct Sink {
    bytes: Vec<u8>,
    /// What was there before the value.
    start: usize,
    limit: usize,
    full: bool,
}

impl Sink {
    /// Appends at most `limit` bytes to `bytes`.
    pub(crate) fn appending_to(bytes: Vec<u8>, limit: usize) -> Self {
        Self { start: bytes.len(), bytes, limit, full: false }
    }

    /// Whether more was written than fits.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// How many bytes were appended.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    #[cold]
    fn refuse(&mut self) -> io::Error {
        self.full = true;
        io::ErrorKind::FileTooLarge.into()
    }

    /// Everything, with what was there before.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Sink {
    #[inline]
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part)?;
        Ok(part.len())
    }

    // Formats write a few bytes at a time, from another crate.
    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        if part.len() > self.limit - self.len() {
            return Err(self.refuse());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
