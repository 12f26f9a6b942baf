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

use std::io;

use state_core::{Error, ErrorKind, Outcome};

/// A failed read or write of the file itself.
fn io_error(error: io::Error, what: &'static str) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotFound
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    let next = match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            ": its path is too long, or has a byte that no path may have; name another one"
        }
        io::ErrorKind::IsADirectory => ": it is a folder; name a file",
        io::ErrorKind::NotADirectory => ": its path leads through a file; name another one",
        _ => "",
    };
    Error::new(kind, format!("{what}{next}")).with_outcome(Outcome::NotApplied).with_source(error)
}
