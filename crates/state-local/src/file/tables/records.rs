//! What is written of entries, hashes, leases, fencing marks and operations.

use bytes::Bytes;
use state_core::{Change, FenceToken, Key, OpId, Result, Timestamp, Version};

use super::FileTables;
use crate::file::format::{self, Kind};
use crate::file::keys;
use crate::file::names::Name;
use crate::file::source::{self, Source, mark};
use crate::tables::{
    Due, DueKind, HashHead, LeaseRecord, OpIdOrd, Read, Record, Remembered, Tables, corrupt,
};

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
        self.changing(|tables| tables.push_event(&change))
    }
}

impl FileTables<'_> {
    fn next_version(&mut self) -> Result<Version> {
        let next =
            self.current.counts.version.checked_add(1).ok_or_else(|| corrupt("version number"))?;
        self.current.counts.version = next;
        Ok(Version::from_bytes(mark(self.session, next)))
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
        self.current.counts.records = self.current.counts.records.saturating_sub(1);
        Ok(())
    }
}
