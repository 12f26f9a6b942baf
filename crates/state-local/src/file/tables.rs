//! The tables of the transaction that writes.

mod log;
mod records;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use redb::{Table, WriteTransaction};
use state_core::Result;

use super::format::{self, Counts, EventBlock, Events, Kind};
use super::names::{ByName, Name, Once, Raw};
use super::namespace::Namespaced;
use super::place::Place;
use super::source::{self, Source};
use crate::tables::corrupt;

/// The tables of the transaction that writes, in the namespace that was entered last.
///
/// A method that fails leaves the tables *spoiled*: part of what it was to do may be done, and
/// the transaction must not be committed.
pub(super) struct FileTables<'txn> {
    place: &'txn Place,
    transaction: &'txn WriteTransaction,
    open: ByName<OnceCell<Table<'txn, Raw, Raw>>>,
    /// Makes versions and events of this session differ from those of every other.
    session: u64,
    /// Before any was entered, a namespace of which nothing is known.
    current: Entered,
    entered_any: bool,
    /// Namespaces that were entered before the current one.
    left: BTreeMap<Vec<u8>, Entered>,
    /// Where records are put together.
    buffer: Vec<u8>,
    /// What the transaction wrote, in bytes.
    written_bytes: usize,
    /// Whether anything was written; the second only tells of what a failed work must not.
    changed: bool,
    changed_data: bool,
    spoiled: Cell<bool>,
    /// Whether the engine itself has failed.
    engine_failed: Cell<bool>,
}

/// A namespace that the transaction has entered.
struct Entered {
    namespace: Arc<Namespaced>,
    counts: Counts,
    /// Events that are not stored yet.
    block: Option<EventBlock>,
    /// Whether its change log has grown, so that its watchers are to be woken.
    logged: bool,
}

impl Entered {
    fn new(namespace: Arc<Namespaced>, counts: Counts) -> Self {
        Self { namespace, counts, block: None, logged: false }
    }
}

impl<'txn> FileTables<'txn> {
    /// Tables of the first `namespace`, which has to be entered like any other.
    pub(super) fn new(
        place: &'txn Place,
        transaction: &'txn WriteTransaction,
        session: u64,
        namespace: Arc<Namespaced>,
    ) -> Self {
        Self {
            place,
            transaction,
            open: ByName::default(),
            session,
            current: Entered::new(namespace, Counts::NEW),
            entered_any: false,
            left: BTreeMap::new(),
            buffer: Vec::new(),
            written_bytes: 0,
            changed: false,
            changed_data: false,
            spoiled: Cell::new(false),
            engine_failed: Cell::new(false),
        }
    }

    /// Goes to a namespace and begins a piece of work; stays where it was when the counts of the
    /// namespace cannot be read, so that no other work goes on with wrong ones.
    pub(super) fn enter(&mut self, namespace: &Arc<Namespaced>) -> Result<()> {
        self.changed_data = false;
        if self.entered_any && Arc::ptr_eq(&self.current.namespace, namespace) {
            return Ok(());
        }
        let entered = match self.left.remove(&namespace.prefix) {
            Some(known) => known,
            None => Entered::new(Arc::clone(namespace), self.stored_counts(&namespace.prefix)?),
        };
        let left = std::mem::replace(&mut self.current, entered);
        if std::mem::replace(&mut self.entered_any, true) {
            self.left.insert(left.namespace.prefix.clone(), left);
        }
        Ok(())
    }

    /// Whether the piece of work that was begun last has written anything but fencing marks.
    pub(super) fn has_changed_data(&self) -> bool {
        self.changed_data
    }

    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    pub(super) fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled.get()
    }

    pub(super) fn has_engine_failed(&self) -> bool {
        self.engine_failed.get()
    }

    pub(super) fn spoil(&self) {
        self.spoiled.set(true);
    }

    /// Writes what is counted, and returns the namespaces whose change log has grown.
    pub(super) fn finish(mut self, commit: u64) -> Result<Vec<Arc<Namespaced>>> {
        let mut logged = Vec::new();
        loop {
            if self.current.counts != Counts::NEW {
                self.write_block()?;
                self.drop_old_events()?;
                let key = format::counts_key(self.prefix());
                let record = format::of_counts(&key, self.current.counts);
                self.insert(Name::Meta, &key, &record)?;
            }
            if self.current.logged {
                logged.push(Arc::clone(&self.current.namespace));
            }
            let Some((_, next)) = self.left.pop_first() else { break };
            self.current = next;
        }
        let record = format::of_number(Kind::Store, format::COMMIT_KEY, commit);
        self.insert(Name::Meta, format::COMMIT_KEY, &record)?;
        Ok(logged)
    }

    fn stored_counts(&self, prefix: &[u8]) -> Result<Counts> {
        let key = format::counts_key(prefix);
        let read = |record: &[u8]| format::counts(&key, record);
        Ok(source::get(self, Name::Meta, &key, read, "count")?.unwrap_or(Counts::NEW))
    }

    fn table_mut(&mut self, name: Name) -> Result<&mut Table<'txn, Raw, Raw>> {
        self.table(name)?;
        let table = self.open.get_mut(name).get_mut();
        table.ok_or_else(|| self.place.damaged())
    }

    fn insert(&mut self, name: Name, key: &[u8], record: &[u8]) -> Result<()> {
        let result = self.table_mut(name)?.insert(key, record).map(drop);
        result.map_err(|error| self.failure(error))?;
        self.written_bytes = self.written_bytes.saturating_add(key.len() + record.len());
        self.changed = true;
        Ok(())
    }

    /// As [`insert`](Self::insert), and reads what lay there before.
    fn replace<T>(
        &mut self,
        name: Name,
        key: &[u8],
        record: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
        what: &'static str,
    ) -> Result<Option<T>> {
        let replaced = self.table_mut(name)?.insert(key, record);
        let replaced = replaced.map(|old| old.map(|old| read(old.value())));
        let replaced = replaced.map_err(|error| self.failure(error))?;
        self.written_bytes = self.written_bytes.saturating_add(key.len() + record.len());
        self.changed = true;
        replaced.map(|old| old.ok_or_else(|| corrupt(what))).transpose()
    }

    fn remove(&mut self, name: Name, key: &[u8]) -> Result<()> {
        let result = self.table_mut(name)?.remove(key).map(drop);
        result.map_err(|error| self.failure(error))?;
        self.written_bytes = self.written_bytes.saturating_add(key.len());
        self.changed = true;
        Ok(())
    }

    fn remove_range(&mut self, name: Name, start: &[u8], end: &[u8]) -> Result<()> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        let result = self.table_mut(name)?.retain_in::<&[u8], _>(range, |_, _| false);
        result.map_err(|error| self.failure(error))?;
        self.changed = true;
        Ok(())
    }

    /// Runs a method that changes data; an error in it spoils the tables.
    fn changing<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.changed_data = true;
        let result = change(self);
        if result.is_err() {
            self.spoil();
        }
        result
    }
}

impl<'txn> Source for FileTables<'txn> {
    type Table = Table<'txn, Raw, Raw>;

    fn table(&self, name: Name) -> Result<&Self::Table> {
        self.open.get(name).get_or_make(|| {
            self.transaction.open_table(name.definition()).map_err(|error| {
                self.failed();
                self.place.table(error)
            })
        })
    }

    fn place(&self) -> &Place {
        self.place
    }

    fn prefix(&self) -> &[u8] {
        &self.current.namespace.prefix
    }

    fn generation(&self) -> u64 {
        self.current.namespace.generation
    }

    fn counts(&self) -> Result<Counts> {
        Ok(self.current.counts)
    }

    fn events_max(&self) -> u64 {
        self.current.namespace.events_max
    }

    fn unwritten(&self) -> Option<(u64, Events)> {
        self.current.block.as_ref().and_then(EventBlock::events)
    }

    fn failed(&self) {
        self.engine_failed.set(true);
        self.spoil();
    }
}
