//! Reading stored records: the same for a read transaction and for the one that writes.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use redb::ReadableTable;
use state_core::{FenceToken, Key, OpId, Result, Timestamp};

use super::format::{self, Counts, Events, Kind};
use super::keys;
use super::names::{Name, Raw};
use super::place::Place;
use crate::tables::{
    Due, DueKind, HashHead, Head, LeaseRecord, LogBounds, LoggedEvent, Read, Record, Remembered,
    ScanFrom, Step, corrupt,
};

/// The tables of one namespace in some transaction.
pub(super) trait Source {
    type Table: ReadableTable<Raw, Raw>;

    fn table(&self, name: Name) -> Result<&Self::Table>;
    fn place(&self) -> &Place;
    /// What the stored keys of the namespace begin with.
    fn prefix(&self) -> &[u8];
    fn generation(&self) -> u64;
    fn counts(&self) -> Result<Counts>;
    /// Events that are retained.
    fn events_max(&self) -> u64;
    /// Events that are not stored yet and follow those that are, as a block and its first
    /// number.
    fn unwritten(&self) -> Option<(u64, Events)>;
    /// Told of every error of the engine.
    fn failed(&self);

    /// An error of the engine, told to the source.
    fn failure(&self, error: redb::StorageError) -> state_core::Error {
        self.failed();
        self.place().storage(error)
    }
}

/// Reads what lies at `key` of a table.
pub(super) fn get<S: Source, T>(
    source: &S,
    name: Name,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> Option<T>,
    what: &'static str,
) -> Result<Option<T>> {
    let table = source.table(name)?;
    let found = ReadableTable::get(table, key).map_err(|error| source.failure(error))?;
    found.map(|record| read(record.value()).ok_or_else(|| corrupt(what))).transpose()
}

/// Visits the stored keys and records from `from` on and before `end`.
pub(super) fn walk<S: Source>(
    source: &S,
    name: Name,
    from: Bound<&[u8]>,
    end: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    // The engine does not take a range that ends before it begins.
    if matches!(from, Bound::Included(first) | Bound::Excluded(first) if first >= end) {
        return Ok(());
    }
    let table = source.table(name)?;
    let bounds = (from, Bound::Excluded(end));
    let range = ReadableTable::range::<&[u8]>(table, bounds);
    for item in range.map_err(|error| source.failure(error))? {
        let (key, record) = item.map_err(|error| source.failure(error))?;
        if visit(key.value(), record.value())?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The number of the first event of the block that holds the event `sequence`, if it is stored.
pub(super) fn block_of<S: Source>(source: &S, sequence: u64) -> Result<Option<u64>> {
    let prefix = source.prefix();
    let (first, last) = (keys::of_event(prefix, 0), keys::of_event(prefix, sequence));
    let table = source.table(Name::Events)?;
    let range = ReadableTable::range::<&[u8]>(table, first.as_slice()..=last.as_slice());
    let block = range.map_err(|error| source.failure(error))?.next_back();
    let Some(block) = block.transpose().map_err(|error| source.failure(error))? else {
        return Ok(None);
    };
    let first = block.0.value().get(prefix.len()..).and_then(keys::event);
    first.map(Some).ok_or_else(|| corrupt("event"))
}

/// Visits keys and records of a table that is ordered by key, as far as `visit` wants.
pub(super) fn scan<S: Source>(
    source: &S,
    name: Name,
    from: &ScanFrom,
    mut visit: impl FnMut(&Key, &[u8], &[u8]) -> Result<Step>,
) -> Result<()> {
    let prefix = source.prefix();
    let end = keys::end_of(prefix);
    let mut start = keys::of_key(prefix, &from.key);
    let mut inclusive = from.inclusive;
    loop {
        let mut seek = None;
        let bound = if inclusive {
            Bound::Included(start.as_slice())
        } else {
            Bound::Excluded(start.as_slice())
        };
        walk(source, name, bound, &end, |stored, record| {
            let key =
                stored.get(prefix.len()..).and_then(keys::key).ok_or_else(|| corrupt("key"))?;
            Ok(match visit(&key, stored, record)? {
                Step::Next => ControlFlow::Continue(()),
                Step::Seek(next) => {
                    seek = Some(next);
                    ControlFlow::Break(())
                }
                Step::Stop => ControlFlow::Break(()),
            })
        })?;
        let Some(next) = seek else { return Ok(()) };
        start = keys::of_key(prefix, &next);
        inclusive = true;
    }
}

impl<S: Source> Read for S {
    fn entry(&self, key: &Key) -> Result<Option<Record>> {
        let key = keys::of_key(self.prefix(), key);
        get(self, Name::Entries, &key, |record| format::entry(&key, record), "entry")
    }

    fn head(&self, key: &Key) -> Result<Option<Head>> {
        let key = keys::of_key(self.prefix(), key);
        get(self, Name::Entries, &key, |record| format::head(&key, record), "entry")
    }

    fn scan(&self, from: ScanFrom, visit: &mut dyn FnMut(&Key, Head) -> Step) -> Result<()> {
        scan(self, Name::Entries, &from, |key, stored, record| {
            let head = format::head(stored, record).ok_or_else(|| corrupt("entry"))?;
            Ok(visit(key, head))
        })
    }

    fn hash_head(&self, key: &Key) -> Result<Option<HashHead>> {
        let key = keys::of_key(self.prefix(), key);
        get(self, Name::Hashes, &key, |record| format::hash_head(&key, record), "hash")
    }

    fn hash_field(&self, key: &Key, field: &Bytes) -> Result<Option<Bytes>> {
        let key = keys::of_field(self.prefix(), key, field);
        let read =
            |record: &[u8]| format::unseal(Kind::Field, &key, record).map(Bytes::copy_from_slice);
        get(self, Name::Fields, &key, read, "hash field")
    }

    fn hash_fields(
        &self,
        key: &Key,
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let mut fields = Vec::new();
        if limit == 0 {
            return Ok(fields);
        }
        let prefix = keys::of_parts(self.prefix(), key);
        let after = after.map(|field| keys::of_field(self.prefix(), key, field));
        let from = after.as_deref().map_or(Bound::Included(prefix.as_slice()), Bound::Excluded);
        walk(self, Name::Fields, from, &keys::end_of(&prefix), |stored, record| {
            let value = format::unseal(Kind::Field, stored, record);
            let field = stored.get(prefix.len()..);
            let (Some(field), Some(value)) = (field, value) else {
                return Err(corrupt("hash field"));
            };
            fields.push((Bytes::copy_from_slice(field), Bytes::copy_from_slice(value)));
            Ok(if fields.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(fields)
    }

    fn scan_hashes(
        &self,
        from: ScanFrom,
        visit: &mut dyn FnMut(&Key, HashHead) -> Step,
    ) -> Result<()> {
        scan(self, Name::Hashes, &from, |key, stored, record| {
            let head = format::hash_head(stored, record).ok_or_else(|| corrupt("hash"))?;
            Ok(visit(key, head))
        })
    }

    fn lease(&self, name: &Key) -> Result<Option<LeaseRecord>> {
        let key = keys::of_key(self.prefix(), name);
        get(self, Name::Leases, &key, |record| format::lease(&key, record), "lease")
    }

    fn fence_mark(&self, lease: &Key) -> Result<Option<FenceToken>> {
        let key = keys::of_key(self.prefix(), lease);
        let read = |record: &[u8]| format::number(Kind::Fence, &key, record).map(FenceToken::new);
        get(self, Name::Fences, &key, read, "fencing mark")
    }

    fn remembered(&self, key: &Key, id: OpId) -> Result<Option<Remembered>> {
        let key = keys::of_operation(self.prefix(), key, id);
        get(self, Name::Operations, &key, |record| format::remembered(&key, record), "operation")
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>> {
        let mut due = Vec::new();
        if limit == 0 {
            return Ok(due);
        }
        let prefix = self.prefix();
        let end = keys::after_due(prefix, now).unwrap_or_else(|| keys::end_of(prefix));
        walk(self, Name::Deadlines, Bound::Included(prefix), &end, |stored, record| {
            let item = stored.get(prefix.len()..).and_then(keys::due);
            let item = item.filter(|_| format::unseal(Kind::Due, stored, record).is_some());
            let item = item.ok_or_else(|| corrupt("deadline"))?;
            due.push(item);
            Ok(if due.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        for item in &due {
            self.check_due(item)?;
        }
        Ok(due)
    }

    fn log_bounds(&self) -> Result<LogBounds> {
        let counts = self.counts()?;
        let oldest = counts.next_event.saturating_sub(self.events_max()).max(counts.first_event);
        Ok(LogBounds { generation: self.generation(), oldest, next: counts.next_event })
    }

    fn events(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>> {
        let bounds = self.log_bounds()?;
        let events = Vec::new();
        if limit == 0 || from >= bounds.next {
            return Ok(events);
        }
        let prefix = self.prefix();
        let mut told = Told { next: from.max(bounds.oldest), limit, events };
        let unwritten = self.unwritten();
        let stored_end = unwritten.as_ref().map_or(bounds.next, |(first, _)| *first);
        if told.next < stored_end
            && let Some(first) = block_of(self, told.next)?
        {
            let start = keys::of_event(prefix, first);
            let end = keys::of_event(prefix, stored_end);
            walk(self, Name::Events, Bound::Included(&start), &end, |stored, record| {
                let first = stored.get(prefix.len()..).and_then(keys::event);
                let (Some(first), Some(block)) = (first, format::events(stored, record)) else {
                    return Err(corrupt("event"));
                };
                told.add(first, block)
            })?;
        }
        if let Some((first, block)) = unwritten
            && told.events.len() < limit
        {
            let _full = told.add(first, block)?;
        }
        if told.events.len() < limit && told.next < bounds.next {
            return Err(corrupt("change log"));
        }
        Ok(told.events)
    }
}

/// Events that are being read.
struct Told {
    /// The number of the event that comes next.
    next: u64,
    limit: usize,
    events: Vec<LoggedEvent>,
}

impl Told {
    /// Takes those of a block that are wanted, and says whether to go on.
    fn add(&mut self, first: u64, block: Events) -> Result<ControlFlow<()>> {
        let skipped = self.next.checked_sub(first).and_then(|skip| usize::try_from(skip).ok());
        let skipped = skipped.filter(|skip| *skip == 0 || self.events.is_empty());
        let skipped = skipped.filter(|skip| *skip < block.changes.len());
        let skipped = skipped.ok_or_else(|| corrupt("change log"))?;
        let room = self.limit.saturating_sub(self.events.len());
        for change in block.changes.into_iter().skip(skipped).take(room) {
            let nonce = mark(block.session, self.next);
            self.events.push(LoggedEvent { sequence: self.next, nonce, change });
            self.next = self.next.saturating_add(1);
        }
        let is_full = self.events.len() >= self.limit;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// What index and record must agree on before anything is taken away because of the index.
trait CheckDue: Read {
    fn check_due(&self, due: &Due) -> Result<()> {
        let deadline = match due.kind {
            DueKind::Entry => self.head(&due.key)?.and_then(|head| head.deadline),
            DueKind::Hash => self.hash_head(&due.key)?.and_then(|head| head.deadline),
            DueKind::Operation(id) => {
                let id = OpId::from_bytes(id.0);
                self.remembered(&due.key, id)?.map(|operation| operation.deadline)
            }
        };
        if deadline == Some(due.deadline) { Ok(()) } else { Err(corrupt("deadline")) }
    }
}

impl<S: Read> CheckDue for S {}

/// Sixteen bytes that no other session and no other number of this one give.
pub(super) fn mark(session: u64, number: u64) -> [u8; 16] {
    (u128::from(session) << 64 | u128::from(number)).to_be_bytes()
}
