//! Opening and creating the file of a store.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableError};
use state_core::{Error, ErrorKind, OwnerId, Result};

use super::format::{self, Kind};
use super::names::Name;
use super::place::{NO_FOLDER, Place};
use super::queue::Queue;
use super::settings::Settings;
use super::unfinished;

/// The version of the file's layout as a whole.
const FORMAT: u32 = 1;

/// Where the store lies.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Path(PathBuf),
    #[cfg(feature = "simulation")]
    Storage(Arc<dyn super::storage::Storage>),
}

/// A store that was opened.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) file: Option<FileIdentity>,
    pub(super) identity: Identity,
}

/// What a store says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    pub(super) store_id: [u8; 16],
    /// The number of its last commit.
    pub(super) commit: u64,
    /// How many bytes were in use when the file was made small last; 0 if it never was.
    pub(super) compacted: u64,
}

/// Tells a file from another that took its path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileIdentity(u64, u64);

/// What opening needs to know.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    pub(super) origin: &'a Origin,
    pub(super) place: &'a Place,
    pub(super) settings: &'a Settings,
    /// Closed when nobody waits for the store any more.
    pub(super) queue: &'a Arc<Queue>,
}

impl Origin {
    /// Bytes that the store takes on disk.
    pub(super) fn disk_bytes(&self) -> io::Result<u64> {
        match self {
            Self::Path(path) => disk_bytes(path),
            #[cfg(feature = "simulation")]
            Self::Storage(storage) => storage.len(),
        }
    }

    /// Whether the path still leads to the file that was opened.
    pub(super) fn leads_to(&self, file: Option<FileIdentity>) -> bool {
        match self {
            Self::Path(path) => {
                let found = fs::metadata(path).ok().and_then(|metadata| identity(&metadata));
                file.is_none() || found == file
            }
            #[cfg(feature = "simulation")]
            Self::Storage(_) => true,
        }
    }
}

impl Opening<'_> {
    /// Opens the store, or creates it where `create` says so and there is none.
    pub(super) fn open(&self, create: bool) -> Result<Opened> {
        match self.origin {
            Origin::Path(path) => self.open_path(path, create),
            #[cfg(feature = "simulation")]
            Origin::Storage(storage) => {
                let adapter = super::storage::Adapter::new(Arc::clone(storage));
                let adapter = adapter.map_err(|error| self.place.io(error))?;
                let unclean = Arc::new(AtomicBool::new(false));
                let database = self.builder(&unclean).create_with_backend(adapter);
                let database = database.map_err(|error| self.place.opening(error))?;
                let len = storage.len().map_err(|error| self.place.io(error))?;
                self.prepare(database, None, len, &unclean)
            }
        }
    }

    fn open_path(&self, path: &Path, create: bool) -> Result<Opened> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(self
                .place
                .error(ErrorKind::Invalid, format_args!("is a folder; name a file in it"))),
            Ok(metadata) if !metadata.is_file() => {
                let what = "is not an ordinary file; name another path";
                Err(self.place.error(ErrorKind::Invalid, format_args!("{what}")))
            }
            Ok(metadata) if metadata.len() > 0 => self.open_existing(path),
            Ok(_) if create => self.create(path),
            Ok(_) => Err(self.place.damaged()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => self.create(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.gone()),
            Err(error) => Err(self.place.io(error)),
        }
    }

    /// The error of a store that is open and whose file has gone.
    pub(super) fn gone(&self) -> Error {
        self.place.error(
            ErrorKind::Unavailable,
            format_args!(
                "was deleted, moved or replaced while it was open; put it back, or close it"
            ),
        )
    }

    fn no_folder(&self) -> Error {
        self.place.error(ErrorKind::Invalid, format_args!("{NO_FOLDER}"))
    }

    fn open_existing(&self, path: &Path) -> Result<Opened> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| self.place.io(error))?;
        let metadata = file.metadata().map_err(|error| self.place.io(error))?;
        let unclean = Arc::new(AtomicBool::new(false));
        let database = self.builder(&unclean).create_file(file);
        let database = database.map_err(|error| self.place.opening(error))?;
        self.prepare(database, identity(&metadata), metadata.len(), &unclean)
    }

    /// Creates the store under a name of its own making, and gives it its own when it is complete
    /// and on disk: a crash leaves a whole store or none, and no other file is touched.
    fn create(&self, path: &Path) -> Result<Opened> {
        let (Some(folder), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(self.place.error(ErrorKind::Invalid, format_args!("has no name")));
        };
        let lock = match File::open(folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.no_folder()),
            Err(error) => return Err(self.place.io(error)),
        };
        // Two processes that create the same store take turns. Where a folder cannot be locked,
        // the engine's lock on the file keeps the second one out a little later.
        let locked = lock.lock();
        if let Err(error) = &locked {
            tracing::debug!(%error, "the folder of the store cannot be locked");
        }
        if fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
            return self.open_existing(path);
        }
        if locked.is_ok() {
            unfinished::sweep(folder);
        }
        let made = unfinished::create_in(folder);
        let (file, unfinished) = made.map_err(|error| self.place.io(error))?;
        let created = self.create_in(file).and_then(|opened| {
            let named = fs::rename(&unfinished, path).and_then(|()| lock.sync_all());
            match named {
                Ok(()) => Ok(opened),
                Err(error) => Err(self.place.io(error)),
            }
        });
        if created.is_err() {
            // Gone already where it has got its name.
            let removed = fs::remove_file(&unfinished);
            if let Err(error) = removed {
                tracing::debug!(%error, "an unfinished store cannot be removed");
            }
        }
        created
    }

    fn create_in(&self, file: File) -> Result<Opened> {
        let metadata = file.metadata().map_err(|error| self.place.io(error))?;
        let unclean = Arc::new(AtomicBool::new(true));
        let database = self.builder(&unclean).create_file(file);
        let database = database.map_err(|error| self.place.opening(error))?;
        self.prepare(database, identity(&metadata), 0, &unclean)
    }

    fn builder(&self, unclean: &Arc<AtomicBool>) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.settings.cache_bytes);
        let (unclean, queue) = (Arc::clone(unclean), Arc::clone(self.queue));
        builder.set_repair_callback(move |session| {
            unclean.store(true, Ordering::Relaxed);
            if queue.is_closed() {
                session.abort();
            }
        });
        builder
    }

    /// Checks what was opened, and makes the tables of a store that is new.
    fn prepare(
        &self,
        mut database: Database,
        file: Option<FileIdentity>,
        len: u64,
        unclean: &AtomicBool,
    ) -> Result<Opened> {
        if unclean.load(Ordering::Relaxed) {
            tracing::info!(store = %self.place, "the store was not closed and has been checked");
        } else if len <= self.settings.verify_bytes_max {
            verify(&mut database, self.place)?;
        }
        let identity = match self.read_identity(&database)? {
            Some(identity) => identity,
            None => self.initialise(&database)?,
        };
        Ok(Opened { database, file, identity })
    }

    /// `None` for a database without any table.
    fn read_identity(&self, database: &Database) -> Result<Option<Identity>> {
        let place = self.place;
        let transaction = database.begin_read().map_err(|error| place.transaction(error))?;
        let meta = match transaction.open_table(Name::Meta.definition()) {
            Ok(meta) => meta,
            Err(TableError::Storage(error)) => return Err(place.storage(error)),
            Err(TableError::TableDoesNotExist(_)) => {
                let mut tables = transaction.list_tables().map_err(|error| place.storage(error))?;
                return if tables.next().is_none() { Ok(None) } else { Err(place.foreign()) };
            }
            Err(_) => return Err(place.foreign()),
        };
        let read = |key: &[u8]| {
            let found = ReadableTable::get(&meta, key).map_err(|error| place.storage(error))?;
            Ok(found.map(|record| record.value().to_vec()))
        };
        let record = read(format::STORE_KEY)?.ok_or_else(|| place.foreign())?;
        let body = format::unseal(Kind::Store, format::STORE_KEY, &record);
        let (version, rest) =
            body.and_then(<[u8]>::split_first_chunk::<4>).ok_or_else(|| place.damaged())?;
        let version = u32::from_le_bytes(*version);
        if version != FORMAT {
            return Err(place.error(
                ErrorKind::Unsupported,
                format_args!(
                    "has format {version}, and this version of the library reads format {FORMAT}; \
                     use a newer one"
                ),
            ));
        }
        let store_id = rest.try_into().map_err(|_| place.damaged())?;
        let record = read(format::COMMIT_KEY)?.ok_or_else(|| place.damaged())?;
        let commit = format::number(Kind::Store, format::COMMIT_KEY, &record);
        let commit = commit.ok_or_else(|| place.damaged())?;
        let compacted = match read(format::COMPACTED_KEY)? {
            None => 0,
            Some(record) => format::number(Kind::Store, format::COMPACTED_KEY, &record)
                .ok_or_else(|| place.damaged())?,
        };
        for table in Name::ALL {
            transaction.open_table(table.definition()).map_err(|error| place.table(error))?;
        }
        Ok(Some(Identity { store_id, commit, compacted }))
    }

    fn initialise(&self, database: &Database) -> Result<Identity> {
        let place = self.place;
        let transaction = database.begin_write().map_err(|error| place.transaction(error))?;
        let store_id = *OwnerId::random().as_bytes();
        let identity = Identity { store_id, commit: 0, compacted: 0 };
        for name in Name::ALL {
            let table = transaction.open_table(name.definition());
            let mut table = table.map_err(|error| place.table(error))?;
            if name != Name::Meta {
                continue;
            }
            let body = [FORMAT.to_le_bytes().as_slice(), &identity.store_id].concat();
            for (key, record) in [
                (format::STORE_KEY, format::seal(Kind::Store, format::STORE_KEY, &body)),
                (format::COMMIT_KEY, format::of_number(Kind::Store, format::COMMIT_KEY, 0)),
            ] {
                let inserted = table.insert(key, record.as_slice()).map(drop);
                inserted.map_err(|error| place.storage(error))?;
            }
        }
        transaction.commit().map_err(|error| place.commit(error))?;
        Ok(identity)
    }
}

/// Looks at every page.
pub(super) fn verify(database: &mut Database, place: &Place) -> Result<()> {
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => {
            tracing::warn!(store = %place, "the store was damaged where no record lies, and mended");
            Ok(())
        }
        Err(error) => Err(place.opening(error)),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity(metadata: &fs::Metadata) -> Option<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    Some(FileIdentity(metadata.dev(), metadata.ino()))
}

/// Where open files cannot be deleted or replaced, there is nothing to tell apart.
#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Option<FileIdentity> {
    None
}

/// The bytes that the file of a store takes on disk, its holes not counted where the system tells
/// them; whether or not the store is open.
///
/// # Errors
/// Those of the file system.
pub fn disk_bytes(path: impl AsRef<Path>) -> io::Result<u64> {
    fs::metadata(path).map(|metadata| allocated(&metadata))
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // The unit of this figure, whatever the file system's block is.
    metadata.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
