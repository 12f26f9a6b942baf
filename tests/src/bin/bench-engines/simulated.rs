//! The simulated storage as redb opens it.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;
use state_local::Storage;
use state_tests::simulated::Simulated;

/// One opening of a storage.
#[derive(Debug)]
pub(crate) struct Handle(Arc<Simulated>);

/// What the engine opens.
pub(crate) fn handle(storage: &Arc<Simulated>) -> Handle {
    Handle(Arc::clone(storage))
}

impl StorageBackend for Handle {
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
