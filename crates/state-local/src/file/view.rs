//! What was committed last, as readers see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase};
use state_core::Result;

use super::format::{self, Counts, Events};
use super::names::{ByName, Name, Once, Raw};
use super::place::Place;
use super::source::{self, Source};

/// A read transaction and the tables opened in it so far.
pub(super) struct View {
    place: Place,
    tables: ByName<OnceLock<ReadOnlyTable<Raw, Raw>>>,
    transaction: ReadTransaction,
    failed: AtomicBool,
    /// One for each view there is; goes after the transaction has ended.
    _alive: Arc<()>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("place", &self.place).finish_non_exhaustive()
    }
}

impl View {
    pub(super) fn of(database: &Database, place: &Place, alive: &Arc<()>) -> Result<Self> {
        let transaction = database.begin_read().map_err(|error| place.transaction(error))?;
        Ok(Self {
            place: place.clone(),
            tables: ByName::default(),
            transaction,
            failed: AtomicBool::new(false),
            _alive: Arc::clone(alive),
        })
    }

    /// Whether the engine has failed a reader, and must be opened again.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn namespace<'a>(
        &'a self,
        prefix: &'a [u8],
        generation: u64,
        events_max: u64,
    ) -> NamespaceView<'a> {
        NamespaceView { view: self, prefix, generation, events_max }
    }
}

/// One namespace of a view.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamespaceView<'a> {
    view: &'a View,
    prefix: &'a [u8],
    generation: u64,
    events_max: u64,
}

impl Source for NamespaceView<'_> {
    type Table = ReadOnlyTable<Raw, Raw>;

    fn table(&self, name: Name) -> Result<&Self::Table> {
        let view = self.view;
        view.tables.get(name).get_or_make(|| {
            view.transaction.open_table(name.definition()).map_err(|error| {
                self.failed();
                view.place.table(error)
            })
        })
    }

    fn place(&self) -> &Place {
        &self.view.place
    }

    fn prefix(&self) -> &[u8] {
        self.prefix
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn counts(&self) -> Result<Counts> {
        let key = format::counts_key(self.prefix);
        let read = |record: &[u8]| format::counts(&key, record);
        let counts = source::get(self, Name::Meta, &key, read, "count")?;
        Ok(counts.unwrap_or(Counts::NEW))
    }

    fn events_max(&self) -> u64 {
        self.events_max
    }

    fn unwritten(&self) -> Option<(u64, Events)> {
        None
    }

    fn failed(&self) {
        self.view.failed.store(true, Ordering::Relaxed);
    }
}
