//! Where a store lies, and the errors that its engine gives there.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::{
    CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError,
};
use state_core::{Error, ErrorKind, Outcome};

/// The name of a store in messages.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<str>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    pub(super) fn of_path(path: &Path) -> Self {
        if path.as_os_str().is_empty() {
            return Self("(without a name)".into());
        }
        Self(path.display().to_string().into())
    }

    #[cfg_attr(
        not(feature = "simulation"),
        expect(dead_code, reason = "simulated storage has no path")
    )]
    pub(super) fn simulated() -> Self {
        Self("(simulated storage)".into())
    }

    /// An error that has had no effect.
    pub(super) fn error(&self, kind: ErrorKind, what: fmt::Arguments<'_>) -> Error {
        Error::new(kind, format!("the store file {self} {what}")).with_outcome(Outcome::NotApplied)
    }

    /// A call of the operating system failed that names a path.
    pub(super) fn io(&self, error: io::Error) -> Error {
        let what = match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
                "cannot lie at this path: it is empty, too long, or has a byte that no path may have; \
                 name another one"
            }
            io::ErrorKind::IsADirectory => {
                "cannot be made: a folder has its name; name another path"
            }
            io::ErrorKind::NotADirectory => NO_FOLDER,
            _ => return self.io_of_open(error),
        };
        self.error(ErrorKind::Invalid, format_args!("{what}")).with_source(error)
    }

    /// A call of the operating system failed for a file that is open.
    fn io_of_open(&self, error: io::Error) -> Error {
        let (kind, what) = match error.kind() {
            io::ErrorKind::PermissionDenied => (
                ErrorKind::Denied,
                "may not be read and written; its permissions and those of its folder must allow it",
            ),
            io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::Denied, "lies on a file system that is read-only")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                ErrorKind::Unavailable,
                "cannot grow: the disk is full; free some space and try again",
            ),
            io::ErrorKind::FileTooLarge => (
                ErrorKind::Unavailable,
                "cannot grow: a file may not be larger here; raise the limit and try again",
            ),
            io::ErrorKind::InvalidData => (ErrorKind::Corrupt, FOREIGN),
            io::ErrorKind::UnexpectedEof => (ErrorKind::Corrupt, CUT),
            _ => (ErrorKind::Unavailable, "cannot be read or written"),
        };
        self.error(kind, format_args!("{what}")).with_source(error)
    }

    /// The engine failed.
    pub(super) fn storage(&self, error: StorageError) -> Error {
        match error {
            StorageError::Io(error) => self.io_of_open(error),
            StorageError::PreviousIo => self.error(
                ErrorKind::Unavailable,
                format_args!("failed in an earlier call and is being opened again"),
            ),
            StorageError::DatabaseClosed => self.error(
                ErrorKind::Unavailable,
                format_args!("was opened again or closed while this call was reading"),
            ),
            StorageError::ValueTooLarge(_) => self
                .error(ErrorKind::TooLarge, format_args!("cannot hold a record of this size"))
                .with_source(error),
            StorageError::LockPoisoned(_) => self.gave_up().with_source(error),
            StorageError::Corrupted(_) => {
                self.error(ErrorKind::Corrupt, format_args!("{DAMAGED}")).with_source(error)
            }
            error => self
                .error(ErrorKind::Internal, format_args!("met an error that nobody foresaw"))
                .with_source(error),
        }
    }

    /// The store could not be opened.
    pub(super) fn opening(&self, error: DatabaseError) -> Error {
        match error {
            DatabaseError::DatabaseAlreadyOpen => self.error(
                ErrorKind::Unavailable,
                format_args!(
                    "is open in another process, or a second time in this one; \
                     only one process at a time can use it"
                ),
            ),
            DatabaseError::RepairAborted => {
                self.error(ErrorKind::Closed, format_args!("was closed while it was being opened"))
            }
            DatabaseError::UpgradeRequired(_) => self
                .error(ErrorKind::Unsupported, format_args!("has an engine format of another age"))
                .with_source(error),
            DatabaseError::Storage(error) => self.storage(error),
            error => self
                .error(ErrorKind::Internal, format_args!("met an error that nobody foresaw"))
                .with_source(error),
        }
    }

    pub(super) fn table(&self, error: TableError) -> Error {
        match error {
            TableError::Storage(error) => self.storage(error),
            error => self.error(ErrorKind::Corrupt, format_args!("{DAMAGED}")).with_source(error),
        }
    }

    pub(super) fn transaction(&self, error: TransactionError) -> Error {
        match error {
            TransactionError::Storage(error) => self.storage(error),
            error => self.in_use().with_source(error),
        }
    }

    pub(super) fn commit(&self, error: CommitError) -> Error {
        match error {
            CommitError::Storage(error) => self.storage(error),
            error => self
                .error(ErrorKind::Unavailable, format_args!("could not be written"))
                .with_source(error),
        }
    }

    pub(super) fn compaction(&self, error: CompactionError) -> Error {
        match error {
            CompactionError::Storage(error) => self.storage(error),
            error => self.in_use().with_source(error),
        }
    }

    /// A record of the store's own is not what was written.
    pub(super) fn damaged(&self) -> Error {
        self.error(ErrorKind::Corrupt, format_args!("{DAMAGED}"))
    }

    pub(super) fn foreign(&self) -> Error {
        self.error(ErrorKind::Corrupt, format_args!("{FOREIGN}"))
    }

    /// The engine gave up on what it found, which it does by a panic.
    pub(super) fn gave_up(&self) -> Error {
        self.error(ErrorKind::Corrupt, format_args!("made the engine give up and {DAMAGED}"))
    }

    /// As [`gave_up`](Self::gave_up), with what was caught.
    pub(super) fn panicked(&self, caught: &(dyn Any + Send)) -> Error {
        let said = caught.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| caught.downcast_ref::<String>().cloned());
        self.gave_up().with_source(said.unwrap_or_default())
    }

    pub(super) fn closed(&self) -> Error {
        self.error(ErrorKind::Closed, format_args!("was closed"))
    }

    pub(super) fn in_use(&self) -> Error {
        self.error(
            ErrorKind::Unavailable,
            format_args!("is being read, for example by a snapshot that has not ended"),
        )
    }
}

pub(super) const NO_FOLDER: &str = "lies in no folder; create its folder first";
const DAMAGED: &str = "is damaged; restore it from a snapshot or a copy";
const CUT: &str = "ends too early; restore it from a snapshot or a copy";
const FOREIGN: &str = "is not a store of this library, or its beginning is damaged; \
                       name another path, or restore it from a snapshot or a copy";
