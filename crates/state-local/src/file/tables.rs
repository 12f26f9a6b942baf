//! The tables of the transaction that writes.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Table, WriteTransaction};
use state_core::{Change, FenceToken, Key, OpId, Result, Timestamp, Version};

use super::format::{self, Counts, Kind};
use super::keys;
use super::names::{ByName, Name, Once, Raw};
use super::namespace::Namespaced;
use super::place::Place;
use super::source::{self, Source, mark};
use crate::tables::{
    Due, DueKind, HashHead, LeaseRecord, OpIdOrd, Read, Record, Remembered, Tables, corrupt,
};

/// Events past those that are retained which may lie in the file, so that not every commit
/// has to touch the old end of the change log too.
const EVENTS_SLACK_MAX: u64 = 1_024;

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
    namespace: Arc<Namespaced>,
    counts: Counts,
    /// Namespaces that were written before the current one, and what is counted of them.
    left: BTreeMap<Vec<u8>, Counts>,
    /// Namespaces whose watchers are to be woken.
    logged: Vec<Arc<Namespaced>>,
    /// What the transaction wrote, in bytes.
    written_bytes: usize,
    /// Whether anything was written; the second only tells of what a failed work must not.
    changed: bool,
    changed_data: bool,
    spoiled: Cell<bool>,
    /// Whether the engine itself has failed.
    engine_failed: Cell<bool>,
}

impl<'txn> FileTables<'txn> {
    pub(super) fn new(
        place: &'txn Place,
        transaction: &'txn WriteTransaction,
        session: u64,
        namespace: Arc<Namespaced>,
    ) -> Result<Self> {
        let mut tables = Self {
            place,
            transaction,
            open: ByName::default(),
            session,
            namespace,
            counts: Counts::NEW,
            left: BTreeMap::new(),
            logged: Vec::new(),
            written_bytes: 0,
            changed: false,
            changed_data: false,
            spoiled: Cell::new(false),
            engine_failed: Cell::new(false),
        };
        tables.counts = tables.stored_counts()?;
        Ok(tables)
    }

    /// Goes to a namespace and begins a piece of work.
    pub(super) fn enter(&mut self, namespace: &Arc<Namespaced>) -> Result<()> {
        self.changed_data = false;
        if Arc::ptr_eq(&self.namespace, namespace) {
            return Ok(());
        }
        self.left.insert(self.namespace.prefix.clone(), self.counts);
        self.namespace = Arc::clone(namespace);
        self.counts = match self.left.remove(&namespace.prefix) {
            Some(counts) => counts,
            None => self.stored_counts()?,
        };
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
        let mut all = std::mem::take(&mut self.left);
        all.insert(self.namespace.prefix.clone(), self.counts);
        for (prefix, mut counts) in all {
            if counts == Counts::NEW {
                continue;
            }
            self.drop_old_events(&prefix, &mut counts)?;
            let key = format::counts_key(&prefix);
            let record = format::of_counts(&key, counts);
            self.insert(Name::Meta, &key, &record)?;
        }
        let record = format::of_number(Kind::Store, format::COMMIT_KEY, commit);
        self.insert(Name::Meta, format::COMMIT_KEY, &record)?;
        Ok(self.logged)
    }

    fn drop_old_events(&mut self, prefix: &[u8], counts: &mut Counts) -> Result<()> {
        let max = self.namespace.events_max;
        let slack = (max / 8).clamp(1, EVENTS_SLACK_MAX);
        let stored = counts.next_event.saturating_sub(counts.first_event);
        if stored <= max.saturating_add(slack) {
            return Ok(());
        }
        let first = counts.next_event.saturating_sub(max);
        let range = keys::of_event(prefix, counts.first_event)..keys::of_event(prefix, first);
        self.remove_range(Name::Events, &range.start, &range.end)?;
        counts.first_event = first;
        Ok(())
    }

    fn stored_counts(&self) -> Result<Counts> {
        let key = format::counts_key(&self.namespace.prefix);
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

    /// Moves something in the index of deadlines.
    fn move_due(
        &mut self,
        kind: DueKind,
        key: &Key,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<()> {
        if from == to {
            return Ok(());
        }
        if let Some(deadline) = from {
            let due = Due { deadline, kind, key: key.clone() };
            self.remove(Name::Deadlines, &keys::of_due(self.prefix(), &due))?;
        }
        if let Some(deadline) = to {
            let due = Due { deadline, kind, key: key.clone() };
            let stored = keys::of_due(self.prefix(), &due);
            let record = format::seal(Kind::Due, &stored, &[]);
            self.insert(Name::Deadlines, &stored, &record)?;
        }
        Ok(())
    }

    fn put_hash_head(&mut self, key: &Key, head: HashHead) -> Result<()> {
        let stored = keys::of_key(self.prefix(), key);
        let record = format::of_hash_head(&stored, head);
        self.insert(Name::Hashes, &stored, &record)
    }

    fn remove_hash_head(&mut self, key: &Key, head: HashHead) -> Result<()> {
        self.remove(Name::Hashes, &keys::of_key(self.prefix(), key))?;
        self.move_due(DueKind::Hash, key, head.deadline, None)?;
        self.counts.records = self.counts.records.saturating_sub(1);
        Ok(())
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
        &self.namespace.prefix
    }

    fn generation(&self) -> u64 {
        self.namespace.generation
    }

    fn counts(&self) -> Result<Counts> {
        Ok(self.counts)
    }

    fn events_max(&self) -> u64 {
        self.namespace.events_max
    }

    fn failed(&self) {
        self.engine_failed.set(true);
        self.spoil();
    }
}

impl Tables for FileTables<'_> {
    fn put_entry(&mut self, key: &Key, record: Record) -> Result<()> {
        self.changing(|tables| {
            let old = tables.head(key)?;
            let stored = keys::of_key(tables.prefix(), key);
            tables.insert(Name::Entries, &stored, &format::of_entry(&stored, &record))?;
            let from = old.and_then(|head| head.deadline);
            tables.move_due(DueKind::Entry, key, from, record.deadline)?;
            tables.counts.records += u64::from(old.is_none());
            Ok(())
        })
    }

    fn set_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.changing(|tables| {
            let stored = keys::of_key(tables.prefix(), key);
            let moved = |record: &[u8]| {
                let from = format::head(&stored, record)?.deadline;
                Some((format::of_moved_entry(&stored, record, deadline)?, from))
            };
            let found = source::get(tables, Name::Entries, &stored, moved, "entry")?;
            let Some((record, from)) = found else { return Ok(()) };
            tables.insert(Name::Entries, &stored, &record)?;
            tables.move_due(DueKind::Entry, key, from, deadline)
        })
    }

    fn remove_entry(&mut self, key: &Key) -> Result<()> {
        self.changing(|tables| {
            let Some(head) = tables.head(key)? else { return Ok(()) };
            tables.remove(Name::Entries, &keys::of_key(tables.prefix(), key))?;
            tables.move_due(DueKind::Entry, key, head.deadline, None)?;
            tables.counts.records = tables.counts.records.saturating_sub(1);
            Ok(())
        })
    }

    fn put_field(&mut self, key: &Key, field: &Bytes, value: Bytes) -> Result<bool> {
        self.changing(|tables| {
            let head = tables.hash_head(key)?;
            let is_new = tables.hash_field(key, field)?.is_none();
            let stored = keys::of_field(tables.prefix(), key, field);
            tables.insert(Name::Fields, &stored, &format::seal(Kind::Field, &stored, &value))?;
            if is_new {
                tables.counts.records += u64::from(head.is_none());
                let mut head = head.unwrap_or(HashHead { fields: 0, deadline: None });
                head.fields = head.fields.saturating_add(1);
                tables.put_hash_head(key, head)?;
            }
            Ok(is_new)
        })
    }

    fn remove_field(&mut self, key: &Key, field: &Bytes) -> Result<bool> {
        self.changing(|tables| {
            let Some(mut head) = tables.hash_head(key)? else { return Ok(false) };
            if tables.hash_field(key, field)?.is_none() {
                return Ok(false);
            }
            let stored = keys::of_field(tables.prefix(), key, field);
            tables.remove(Name::Fields, &stored)?;
            head.fields = head.fields.saturating_sub(1);
            if head.fields == 0 {
                tables.remove_hash_head(key, head)?;
            } else {
                tables.put_hash_head(key, head)?;
            }
            Ok(true)
        })
    }

    fn set_hash_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.changing(|tables| {
            let Some(head) = tables.hash_head(key)? else { return Ok(()) };
            if head.deadline == deadline {
                return Ok(());
            }
            tables.put_hash_head(key, HashHead { deadline, ..head })?;
            tables.move_due(DueKind::Hash, key, head.deadline, deadline)
        })
    }

    fn remove_hash(&mut self, key: &Key) -> Result<()> {
        self.changing(|tables| {
            let Some(head) = tables.hash_head(key)? else { return Ok(()) };
            let prefix = keys::of_parts(tables.prefix(), key);
            tables.remove_range(Name::Fields, &prefix, &keys::end_of(&prefix))?;
            tables.remove_hash_head(key, head)
        })
    }

    fn put_lease(&mut self, name: &Key, lease: LeaseRecord) -> Result<()> {
        self.changing(|tables| {
            let stored = keys::of_key(tables.prefix(), name);
            tables.insert(Name::Leases, &stored, &format::of_lease(&stored, lease))
        })
    }

    fn put_fence_mark(&mut self, lease: &Key, token: FenceToken) -> Result<()> {
        let stored = keys::of_key(self.prefix(), lease);
        let record = format::of_number(Kind::Fence, &stored, token.get());
        let result = self.insert(Name::Fences, &stored, &record);
        result.inspect_err(|_| self.spoil())
    }

    fn remember(&mut self, key: &Key, id: OpId, operation: Remembered) -> Result<()> {
        self.changing(|tables| {
            let old = tables.remembered(key, id)?.map(|old| old.deadline);
            let stored = keys::of_operation(tables.prefix(), key, id);
            let record = format::of_remembered(&stored, &operation);
            tables.insert(Name::Operations, &stored, &record)?;
            let kind = DueKind::Operation(OpIdOrd::from(id));
            tables.move_due(kind, key, old, Some(operation.deadline))
        })
    }

    fn forget(&mut self, key: &Key, id: OpId) -> Result<()> {
        self.changing(|tables| {
            let Some(operation) = tables.remembered(key, id)? else { return Ok(()) };
            tables.remove(Name::Operations, &keys::of_operation(tables.prefix(), key, id))?;
            let kind = DueKind::Operation(OpIdOrd::from(id));
            tables.move_due(kind, key, Some(operation.deadline), None)
        })
    }

    fn next_version(&mut self) -> Result<Version> {
        let next = self.counts.version.checked_add(1).ok_or_else(|| corrupt("version number"))?;
        self.counts.version = next;
        Ok(Version::from_bytes(mark(self.session, next)))
    }

    fn log(&mut self, change: Change) -> Result<()> {
        self.changing(|tables| {
            let sequence = tables.counts.next_event;
            let stored = keys::of_event(tables.prefix(), sequence);
            let record = format::of_event(&stored, tables.session, &change)?;
            tables.insert(Name::Events, &stored, &record)?;
            tables.counts.next_event = sequence.saturating_add(1);
            let namespace = &tables.namespace;
            if !tables.logged.iter().any(|other| Arc::ptr_eq(other, namespace)) {
                tables.logged.push(Arc::clone(namespace));
            }
            Ok(())
        })
    }
}
