//! The tables of the transaction that writes.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Table, WriteTransaction};
use state_core::{Change, FenceToken, Key, OpId, Result, Timestamp, Version};

use super::format::{self, Counts, EventBlock, Events, Kind};
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
/// Events of one block, of which one may lie in the file past those and half out of date.
const BLOCK_EVENTS_MAX: u64 = 256;

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
    current: Entered,
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
    fn new(namespace: Arc<Namespaced>) -> Self {
        Self { namespace, counts: Counts::NEW, block: None, logged: false }
    }
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
            current: Entered::new(namespace),
            left: BTreeMap::new(),
            buffer: Vec::new(),
            written_bytes: 0,
            changed: false,
            changed_data: false,
            spoiled: Cell::new(false),
            engine_failed: Cell::new(false),
        };
        tables.current.counts = tables.stored_counts()?;
        Ok(tables)
    }

    /// Goes to a namespace and begins a piece of work.
    pub(super) fn enter(&mut self, namespace: &Arc<Namespaced>) -> Result<()> {
        self.changed_data = false;
        if Arc::ptr_eq(&self.current.namespace, namespace) {
            return Ok(());
        }
        let known = self.left.remove(&namespace.prefix);
        let is_known = known.is_some();
        let entered = known.unwrap_or_else(|| Entered::new(Arc::clone(namespace)));
        let left = std::mem::replace(&mut self.current, entered);
        self.left.insert(left.namespace.prefix.clone(), left);
        if !is_known {
            self.current.counts = self.stored_counts()?;
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

    /// Events past those that are retained which may lie in the file, besides a part of a block.
    fn events_slack(&self) -> u64 {
        (self.events_max() / 8).clamp(1, EVENTS_SLACK_MAX)
    }

    /// Stores the events that are not stored yet.
    fn write_block(&mut self) -> Result<()> {
        let Some(block) = self.current.block.take() else { return Ok(()) };
        let key = keys::of_event(self.prefix(), block.first());
        // Counted event by event so far, and now as a whole.
        self.written_bytes = self.written_bytes.saturating_sub(block.len_bytes());
        let record = block.seal(&key);
        self.insert(Name::Events, &key, &record)
    }

    /// Drops the blocks that hold no event which is retained, when they have become many.
    fn drop_old_events(&mut self) -> Result<()> {
        let Counts { first_event, next_event, .. } = self.current.counts;
        let retained = self.events_max();
        let stored = next_event.saturating_sub(first_event);
        if stored <= retained.saturating_add(self.events_slack()) {
            return Ok(());
        }
        let oldest = next_event.saturating_sub(retained);
        let first = source::block_of(self, oldest)?.unwrap_or(oldest);
        if first <= first_event {
            return Ok(());
        }
        let (start, end) =
            (keys::of_event(self.prefix(), first_event), keys::of_event(self.prefix(), first));
        self.remove_range(Name::Events, &start, &end)?;
        self.current.counts.first_event = first;
        Ok(())
    }

    fn stored_counts(&self) -> Result<Counts> {
        let key = format::counts_key(self.prefix());
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

    /// Moves something in the index of deadlines.
    fn next_version(&mut self) -> Result<Version> {
        let next =
            self.current.counts.version.checked_add(1).ok_or_else(|| corrupt("version number"))?;
        self.current.counts.version = next;
        Ok(Version::from_bytes(mark(self.session, next)))
    }

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
        self.current.counts.records = self.current.counts.records.saturating_sub(1);
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

impl Tables for FileTables<'_> {
    fn put_entry(
        &mut self,
        key: &Key,
        value: Bytes,
        deadline: Option<Timestamp>,
    ) -> Result<Version> {
        let version = self.next_version()?;
        let record = Record { value, version, deadline };
        self.changing(|tables| {
            let stored = keys::of_key(tables.prefix(), key);
            let mut bytes = std::mem::take(&mut tables.buffer);
            format::write_entry(&mut bytes, &stored, &record);
            let read = |old: &[u8]| format::head(&stored, old);
            let old = tables.replace(Name::Entries, &stored, &bytes, read, "entry")?;
            tables.buffer = bytes;
            let from = old.and_then(|head| head.deadline);
            tables.move_due(DueKind::Entry, key, from, deadline)?;
            tables.current.counts.records += u64::from(old.is_none());
            Ok(())
        })?;
        self.log(Change::Put { key: key.clone(), version, deadline })?;
        Ok(version)
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
            tables.current.counts.records = tables.current.counts.records.saturating_sub(1);
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
                tables.current.counts.records += u64::from(head.is_none());
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

    fn log(&mut self, change: Change) -> Result<()> {
        let events_max = self.events_slack().min(BLOCK_EVENTS_MAX);
        self.changing(|tables| {
            let sequence = tables.current.counts.next_event;
            let session = tables.session;
            let before = tables.current.block.as_ref().map_or(0, EventBlock::len_bytes);
            let block =
                tables.current.block.get_or_insert_with(|| EventBlock::new(sequence, session));
            block.push(&change)?;
            let (bytes, full) = (block.len_bytes() - before, block.is_full(events_max));
            tables.written_bytes = tables.written_bytes.saturating_add(bytes);
            tables.current.counts.next_event = sequence.saturating_add(1);
            tables.current.logged = true;
            tables.changed = true;
            if full {
                tables.write_block()?;
            }
            Ok(())
        })
    }
}
