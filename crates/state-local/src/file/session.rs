//! The engine from an opening to its end or failure, and the transactions on it.

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use state_core::{Error, ErrorKind, Result};

use super::format::{self, Kind};
use super::guard::guarded;
use super::names::{Name, Raw};
use super::namespace::Namespaced;
use super::opening::{FileIdentity, verify};
use super::place::Place;
use super::queue::Group;
use super::settings::{CommitMode, Settings};
use super::tables::FileTables;
use super::work::Work;

/// Rounds of a compaction; each moves what the one before could not.
const COMPACTIONS_MAX: u32 = 64;
/// A table while it is written anew; it is never committed under this name.
const REWRITTEN: TableDefinition<'static, Raw, Raw> = TableDefinition::new("rewritten");

/// The engine from an opening to its end or failure.
pub(super) struct Session {
    pub(super) database: Database,
    pub(super) file: Option<FileIdentity>,
    /// Differs from that of every other session of every store.
    pub(super) number: u64,
    /// The number of the last commit.
    pub(super) commit: u64,
    /// How many bytes were in use when the file was made small last.
    pub(super) compacted: u64,
}

/// A transaction that was committed.
pub(super) struct Committed {
    /// The namespaces whose change log has grown.
    pub(super) logged: Vec<Arc<Namespaced>>,
    /// How long the commit took.
    pub(super) took: Duration,
}

/// What became of a transaction.
pub(super) enum Trouble {
    /// It was not committed.
    NotApplied(Error),
    /// Committing it failed, and it may have been.
    InDoubt(Error),
}

/// A transaction that must not be committed.
struct Spoiled {
    error: Error,
    engine_failed: bool,
}

impl Session {
    /// Does works in one transaction; `None` when nothing was written.
    pub(super) fn transact(
        &mut self,
        place: &Place,
        settings: &Settings,
        group: &mut Group<'_>,
        done: &mut Vec<Box<dyn Work>>,
        engine_failed: &mut bool,
    ) -> std::result::Result<Option<Committed>, Trouble> {
        let Some(first) = group.first() else { return Ok(None) };
        let namespace = Arc::clone(first.namespace());
        let begun = begin(&self.database, settings.commit_mode, place);
        let transaction = begun.map_err(|error| {
            *engine_failed = true;
            Trouble::NotApplied(error)
        })?;
        let written = self.write(place, settings, &transaction, namespace, group, done);
        match written {
            Ok(Some(logged)) => {
                let before = settings.clock.monotonic();
                let committed = transaction.commit();
                committed.map_err(|error| Trouble::InDoubt(place.commit(error)))?;
                let took = settings.clock.monotonic().saturating_sub(before);
                Ok(Some(Committed { logged, took }))
            }
            Ok(None) => {
                abort(transaction, place, engine_failed);
                Ok(None)
            }
            Err(spoiled) => {
                *engine_failed = spoiled.engine_failed;
                abort(transaction, place, engine_failed);
                Err(Trouble::NotApplied(spoiled.error))
            }
        }
    }

    /// Does works in `transaction` until it is large enough, or nobody else is expected: the
    /// namespaces whose change log has grown, or `None` when nothing was written.
    fn write(
        &self,
        place: &Place,
        settings: &Settings,
        transaction: &WriteTransaction,
        namespace: Arc<Namespaced>,
        group: &mut Group<'_>,
        done: &mut Vec<Box<dyn Work>>,
    ) -> std::result::Result<Option<Vec<Arc<Namespaced>>>, Spoiled> {
        let engine_failed = |error| Spoiled { error, engine_failed: true };
        let mut tables = FileTables::new(place, transaction, self.number, namespace);
        while let Some(mut work) = group.take() {
            work.run(&mut tables);
            done.push(work);
            if tables.is_spoiled() {
                let what = format_args!(
                    "could not take this write, which was grouped with one that failed; it can be sent again"
                );
                return Err(Spoiled {
                    error: place.error(ErrorKind::Unavailable, what),
                    engine_failed: tables.has_engine_failed(),
                });
            }
            if done.len() >= settings.group_ops_max
                || tables.written_bytes() >= settings.group_bytes_max
            {
                break;
            }
        }
        if !tables.has_changed() {
            return Ok(None);
        }
        tables.finish(self.commit + 1).map(Some).map_err(engine_failed)
    }

    /// Closes the engine, which writes.
    pub(super) fn close(self, place: &Place) {
        let dropped = guarded(place, || {
            drop(self);
            Ok(())
        });
        if let Err(error) = dropped {
            tracing::warn!(store = %place, %error, "the store was not closed cleanly");
        }
    }
}

/// Begins a transaction that is committed like this.
fn begin(database: &Database, mode: CommitMode, place: &Place) -> Result<WriteTransaction> {
    let mut transaction = database.begin_write().map_err(|error| place.transaction(error))?;
    match mode {
        CommitMode::OnePhase => {}
        CommitMode::TwoPhase => transaction.set_two_phase_commit(true),
        CommitMode::QuickRepair => transaction.set_quick_repair(true),
    }
    Ok(transaction)
}

fn abort(transaction: WriteTransaction, place: &Place, engine_failed: &mut bool) {
    if let Err(error) = transaction.abort() {
        tracing::debug!(store = %place, %error, "a transaction could not be taken back");
        *engine_failed = true;
    }
}

/// Makes the file as small as it can be, and returns how many bytes are in use then.
///
/// Every page is checked before: what is damaged must not be written anew as if it were whole.
///
/// The engine's own compaction moves pages and leaves them as full as they are. Those that grew
/// in the middle of a table are half empty, so each table is written anew first, in key order,
/// which fills its pages.
pub(super) fn compact(database: &mut Database, mode: CommitMode, place: &Place) -> Result<u64> {
    verify(database, place)?;
    for name in Name::ALL {
        rewrite(database, mode, place, name)?;
    }
    give_back(database, place)?;
    let used = used_bytes(database, place)?;
    note(database, mode, used, place)?;
    // The engine lets a full file grow to twice its length before it writes, and writes at its end.
    give_back(database, place)?;
    Ok(used)
}

/// Moves pages to the front, and gives back what is behind them.
fn give_back(database: &mut Database, place: &Place) -> Result<()> {
    for _ in 0..COMPACTIONS_MAX {
        if !database.compact().map_err(|error| place.compaction(error))? {
            break;
        }
    }
    Ok(())
}

/// Commits nothing: what the last commit has freed is in use until the next one.
pub(super) fn settle(database: &Database, mode: CommitMode, place: &Place) -> Result<()> {
    begin(database, mode, place)?.commit().map_err(|error| place.commit(error))
}

/// The bytes of all pages that are in use, full or not. Reads all of them.
pub(super) fn used_bytes(database: &Database, place: &Place) -> Result<u64> {
    let transaction = database.begin_write().map_err(|error| place.transaction(error))?;
    let stats = transaction.stats().map_err(|error| place.storage(error))?;
    transaction.abort().map_err(|error| place.storage(error))?;
    Ok(stats.allocated_pages().saturating_mul(stats.page_size() as u64))
}

/// Notes how many bytes are in use in a file that was made small.
fn note(database: &Database, mode: CommitMode, bytes: u64, place: &Place) -> Result<()> {
    let transaction = begin(database, mode, place)?;
    {
        let table = transaction.open_table(Name::Meta.definition());
        let record = format::of_number(Kind::Store, format::COMPACTED_KEY, bytes);
        let mut table = table.map_err(|error| place.table(error))?;
        let noted = table.insert(format::COMPACTED_KEY, record.as_slice()).map(drop);
        noted.map_err(|error| place.storage(error))?;
    }
    transaction.commit().map_err(|error| place.commit(error))
}

/// Writes a table anew, in one transaction: either all of it takes the place of the old one, or
/// nothing happens.
fn rewrite(database: &Database, mode: CommitMode, place: &Place, name: Name) -> Result<()> {
    let transaction = begin(database, mode, place)?;
    {
        let old = transaction.open_table(name.definition()).map_err(|error| place.table(error))?;
        if old.is_empty().map_err(|error| place.storage(error))? {
            drop(old);
            return transaction.abort().map_err(|error| place.storage(error));
        }
        let mut new = transaction.open_table(REWRITTEN).map_err(|error| place.table(error))?;
        for pair in old.iter().map_err(|error| place.storage(error))? {
            let (key, value) = pair.map_err(|error| place.storage(error))?;
            new.insert(key.value(), value.value()).map_err(|error| place.storage(error))?;
        }
    }
    transaction.delete_table(name.definition()).map_err(|error| place.table(error))?;
    let renamed = transaction.rename_table(REWRITTEN, name.definition());
    renamed.map_err(|error| place.table(error))?;
    transaction.commit().map_err(|error| place.commit(error))
}
