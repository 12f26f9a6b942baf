//! Portable snapshot files: any backend's contents as a checksummed stream of bytes.
//!
//! The format is described in `docs/wire-format.md`. Reading and writing are blocking, in steps
//! of one block: call them where blocking is allowed.

mod block;
mod header;
mod ledger;
mod progress;
mod reader;
mod record;
mod restore;
mod source;
mod spool;
mod write;
mod writer;

pub use header::SnapshotInfo;
pub use progress::{SnapshotProgress, SnapshotStage, SnapshotSummary};
pub use reader::{SnapshotReader, verify_snapshot};
pub use restore::{RestoreFileOptions, restore_snapshot};
pub use source::SnapshotSource;
pub use spool::Spool;
pub use write::{write_records, write_snapshot};
pub use writer::{SnapshotFileOptions, SnapshotWriter};

use state_core::{Error, ErrorKind, Outcome};

/// A failed read or write of the file itself.
fn io_error(error: std::io::Error, what: &'static str) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::Invalid,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::Denied
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, what).with_outcome(Outcome::NotApplied).with_source(error)
}
