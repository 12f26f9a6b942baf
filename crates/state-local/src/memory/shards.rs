//! The tables of a namespace in shards, each behind a lock of its own.
//!
//! Work that touches one home locks one shard; other work locks what it touches, always in the
//! order of the shards, so that two pieces of work cannot wait for each other. The events of all
//! shards are numbered by one counter while the lock of their shard is held: whoever holds all
//! locks sees every number that was given out.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use state_core::{Change, Error, ErrorKind, FenceToken, Key, OpId, Result, Timestamp, Version};

use super::merge;
use super::tables::{self, MemoryTables};
use crate::reach::{HOMES, Reach, home};
use crate::tables::{
    Due, HashHead, Head, LeaseRecord, LogBounds, LoggedEvent, Read, Record, Remembered, ScanFrom,
    Step, Tables,
};

/// How often a writer looks for a free lock before it sleeps, and how long it pauses between:
/// about as long as a few writes take.
const SPINS: usize = 32;
const PAUSES_PER_SPIN: usize = 16;

/// Each time the change log has grown by this many events, one shard drops what it holds of the
/// log past its end: shards do that themselves, but only when they are written.
const EVENTS_PER_TRIM: u64 = 1_024;

/// A shard on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard(RwLock<MemoryTables>);

impl Shard {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, MemoryTables> {
        self.0.read()
    }

    /// Waits for the lock, at first without giving up the core: writes are so short that going
    /// to sleep for one costs more than the write.
    fn write(&self) -> RwLockWriteGuard<'_, MemoryTables> {
        for _ in 0..SPINS {
            if let Some(tables) = self.0.try_write() {
                return tables;
            }
            for _ in 0..PAUSES_PER_SPIN {
                std::hint::spin_loop();
            }
        }
        self.0.write()
    }
}

/// All shards of a namespace: one for each home, or a single one for all.
#[derive(Debug)]
pub(super) struct Shards(Box<[Shard]>);

impl Shards {
    pub(super) fn new(tables: impl IntoIterator<Item = MemoryTables>) -> Self {
        Self(tables.into_iter().map(|tables| Shard(RwLock::new(tables))).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter()
    }

    /// Runs `work` on what it reaches.
    pub(super) fn read<R>(&self, reach: Reach, work: impl FnOnce(&dyn Read) -> R) -> R {
        match self.only(reach) {
            Some(shard) => work(&*shard.read()),
            None => work(&self.several(reach, Shard::read)),
        }
    }

    /// Runs `work` alone on what it reaches; whether it has logged anything comes beside its
    /// result.
    pub(super) fn write<R>(
        &self,
        reach: Reach,
        work: impl FnOnce(&mut dyn Tables) -> R,
    ) -> (R, bool) {
        let (done, before, after) = if let Some(shard) = self.only(reach) {
            let mut tables = shard.write();
            let before = tables.own_events().last();
            let done = work(&mut *tables);
            let (after, discarded) = (tables.own_events().last(), tables.take_discarded());
            drop(tables);
            drop(discarded);
            (done, before, after)
        } else {
            let mut several = self.several(reach, Shard::write);
            let before = several.last_logged();
            let done = work(&mut several);
            (done, before, several.last_logged())
        };
        if before / EVENTS_PER_TRIM != after / EVENTS_PER_TRIM {
            self.trim(after / EVENTS_PER_TRIM);
        }
        (done, before != after)
    }

    /// Runs `work` on the tables of every shard, all of them locked together.
    pub(super) fn write_each<R>(&self, work: impl FnMut(&mut MemoryTables) -> R) -> Vec<R> {
        let mut locked: Vec<_> = self.iter().map(Shard::write).collect();
        locked.iter_mut().map(|tables| &mut **tables).map(work).collect()
    }

    fn only(&self, reach: Reach) -> Option<&Shard> {
        match &*self.0 {
            [shard] => Some(shard),
            shards => reach.only().and_then(|home| shards.get(home)),
        }
    }

    fn several<'a, G>(&'a self, reach: Reach, lock: impl Fn(&'a Shard) -> G) -> Several<G> {
        let mut shards = self.0.iter();
        Several(std::array::from_fn(|home| shards.next().filter(|_| reach.covers(home)).map(&lock)))
    }

    fn trim(&self, round: u64) {
        let shard = self.0.get(usize::try_from(round).unwrap_or(0) % self.0.len());
        if let Some(shard) = shard {
            shard.write().trim();
        }
    }
}

/// The locked ones of all shards, as one.
struct Several<G>([Option<G>; HOMES]);

impl<G: Deref<Target = MemoryTables>> Several<G> {
    fn of(&self, key: &Key) -> Result<&MemoryTables> {
        self.0.get(home(key)).and_then(Option::as_deref).ok_or_else(out_of_reach)
    }

    fn all(&self) -> Result<Vec<&MemoryTables>> {
        self.0.iter().map(|tables| tables.as_deref().ok_or_else(out_of_reach)).collect()
    }

    /// The number of the last event that any of the shards holds.
    fn last_logged(&self) -> u64 {
        self.0.iter().flatten().map(|tables| tables.own_events().last()).max().unwrap_or_default()
    }
}

impl<G: DerefMut<Target = MemoryTables>> Several<G> {
    fn of_mut(&mut self, key: &Key) -> Result<&mut MemoryTables> {
        self.0.get_mut(home(key)).and_then(Option::as_deref_mut).ok_or_else(out_of_reach)
    }

    fn first_mut(&mut self) -> Result<&mut MemoryTables> {
        self.0.iter_mut().flatten().next().map(|tables| &mut **tables).ok_or_else(out_of_reach)
    }
}

/// The error of work that touches what it did not say it would.
pub(super) fn out_of_reach() -> Error {
    Error::new(ErrorKind::Internal, "the work went beyond the records that it named")
}

impl<G: Deref<Target = MemoryTables>> Read for Several<G> {
    fn entry(&self, key: &Key) -> Result<Option<Record>> {
        self.of(key)?.entry(key)
    }

    fn head(&self, key: &Key) -> Result<Option<Head>> {
        self.of(key)?.head(key)
    }

    fn scan(&self, from: ScanFrom, visit: &mut dyn FnMut(&Key, Head) -> Step) -> Result<()> {
        let maps = self.all()?.into_iter().map(MemoryTables::entries);
        merge::scan(maps, &from, &mut |key, record| visit(key, tables::head(record)));
        Ok(())
    }

    fn hash_head(&self, key: &Key) -> Result<Option<HashHead>> {
        self.of(key)?.hash_head(key)
    }

    fn hash_field(&self, key: &Key, field: &Bytes) -> Result<Option<Bytes>> {
        self.of(key)?.hash_field(key, field)
    }

    fn hash_fields(
        &self,
        key: &Key,
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        self.of(key)?.hash_fields(key, after, limit)
    }

    fn scan_hashes(
        &self,
        from: ScanFrom,
        visit: &mut dyn FnMut(&Key, HashHead) -> Step,
    ) -> Result<()> {
        let maps = self.all()?.into_iter().map(MemoryTables::hashes);
        merge::scan(maps, &from, &mut |key, hash| visit(key, tables::hash_head(hash)));
        Ok(())
    }

    fn lease(&self, name: &Key) -> Result<Option<LeaseRecord>> {
        self.of(name)?.lease(name)
    }

    fn fence_mark(&self, lease: &Key) -> Result<Option<FenceToken>> {
        self.of(lease)?.fence_mark(lease)
    }

    fn remembered(&self, key: &Key, id: OpId) -> Result<Option<Remembered>> {
        self.of(key)?.remembered(key, id)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>> {
        let all = self.all()?;
        let mut due: Vec<_> = all.iter().flat_map(|tables| tables.own_due(now, limit)).collect();
        due.sort_by_key(|due| due.deadline);
        due.truncate(limit);
        Ok(due)
    }

    fn log_bounds(&self) -> Result<LogBounds> {
        let all = self.all()?;
        all.first().map(|tables| tables.own_events().bounds()).ok_or_else(out_of_reach)
    }

    fn events(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>> {
        let all = self.all()?;
        let each = all.iter().flat_map(|tables| {
            tables.own_events().range(from).take(limit).map(move |event| (*tables, event))
        });
        let mut events: Vec<_> = each.collect();
        events.sort_unstable_by_key(|(_, event)| event.sequence());
        events.truncate(limit);
        Ok(events.into_iter().map(|(tables, event)| tables.told(event)).collect())
    }
}

impl<G: DerefMut<Target = MemoryTables>> Tables for Several<G> {
    fn put_entry(
        &mut self,
        key: &Key,
        value: Bytes,
        deadline: Option<Timestamp>,
    ) -> Result<Version> {
        self.of_mut(key)?.put_entry(key, value, deadline)
    }

    fn set_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.of_mut(key)?.set_deadline(key, deadline)
    }

    fn remove_entry(&mut self, key: &Key) -> Result<()> {
        self.of_mut(key)?.remove_entry(key)
    }

    fn put_field(&mut self, key: &Key, field: &Bytes, value: Bytes) -> Result<bool> {
        self.of_mut(key)?.put_field(key, field, value)
    }

    fn remove_field(&mut self, key: &Key, field: &Bytes) -> Result<bool> {
        self.of_mut(key)?.remove_field(key, field)
    }

    fn set_hash_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.of_mut(key)?.set_hash_deadline(key, deadline)
    }

    fn remove_hash(&mut self, key: &Key) -> Result<()> {
        self.of_mut(key)?.remove_hash(key)
    }

    fn put_lease(&mut self, name: &Key, lease: LeaseRecord) -> Result<()> {
        self.of_mut(name)?.put_lease(name, lease)
    }

    fn put_fence_mark(&mut self, lease: &Key, token: FenceToken) -> Result<()> {
        self.of_mut(lease)?.put_fence_mark(lease, token)
    }

    fn remember(&mut self, key: &Key, id: OpId, operation: Remembered) -> Result<()> {
        self.of_mut(key)?.remember(key, id, operation)
    }

    fn forget(&mut self, key: &Key, id: OpId) -> Result<()> {
        self.of_mut(key)?.forget(key, id)
    }

    fn log(&mut self, change: Change) -> Result<()> {
        let tables = match change.key() {
            Some(key) => self.of_mut(key)?,
            None => self.first_mut()?,
        };
        tables.log(change)
    }
}
