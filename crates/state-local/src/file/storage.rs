//! Storage of a caller's own below the engine, for tests that cut the power.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use redb::StorageBackend;

/// What a store lies on: one array of bytes. For simulated storage in tests.
///
/// Behaves like a file: [`write`](Self::write) need not survive a power cut until
/// [`sync_data`](Self::sync_data) has returned. Nothing locks it: open it once at a time.
pub trait Storage: Debug + Send + Sync + 'static {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset` on; an error when there are fewer.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Cuts or extends to `len` bytes; new bytes are zero.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written before survive a power cut.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes bytes at `offset`, all within the length.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Whether nothing was ever stored.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// Bytes at the beginning of a store that was created; zero until its creation is complete.
const MAGIC_BYTES: usize = 9;

/// Hands a storage to the engine.
#[derive(Debug)]
pub(super) struct Adapter(Arc<dyn Storage>);

impl Adapter {
    /// Empties a storage whose creation was cut short: a file gets its name when its creation is
    /// complete, which a storage without a name cannot.
    pub(super) fn new(storage: Arc<dyn Storage>) -> io::Result<Self> {
        let len = storage.len()?;
        let mut magic = [0; MAGIC_BYTES];
        let there = usize::try_from(len).map_or(MAGIC_BYTES, |len| len.min(MAGIC_BYTES));
        if let Some(magic) = magic.get_mut(..there) {
            storage.read(0, magic)?;
        }
        if len > 0 && magic == [0; MAGIC_BYTES] {
            storage.set_len(0)?;
        }
        Ok(Self(storage))
    }
}

impl StorageBackend for Adapter {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
