//! Adding a checkpoint.

use std::collections::BTreeMap;

use state_core::checkpoint::Ownership;
use state_core::{Consistency, Error, Key, Outcome, Result};

use super::edit::{Edit, applied, read_latest};
use super::rows::{HEADER_BYTES, Place, append_part, append_place, place_of};
use super::{BackendThreads, Seen, TRIES, keys, lost, too_busy};
use crate::record::record_digest;
use crate::store::{Append, Appended, Bases, Part};
use crate::wire::{Reader, Writer};

/// Descriptions in one row.
pub(super) const BLOCK_ITEMS: u64 = 64;

impl BackendThreads {
    pub(super) async fn append_checkpoint(&self, append: &Append) -> Result<Appended> {
        let mut announced = false;
        let done = self.append_as_seen(append, &mut announced).await;
        let nothing = match &done {
            Ok(appended) => *appended == Appended::Stale,
            Err(error) => error.outcome() == Outcome::NotApplied,
        };
        if announced && nothing {
            self.withdraw(&append.reference.thread, append.run.as_deref()).await;
        }
        done
    }

    /// Adds a checkpoint to a thread as it is; `announced` comes to say that it may be in indexes.
    async fn append_as_seen(&self, append: &Append, announced: &mut bool) -> Result<Appended> {
        let thread = &append.reference.thread;
        for _ in 0..TRIES {
            let seen = self.see(thread).await?;
            let version = seen.version();
            let appended = self.try_append(append, seen, announced).await;
            match self.unless_changed(thread, version, appended).await? {
                None => {}
                Some(Appended::Existed) => {
                    // The call that put it may have been cut short.
                    let found = async {
                        self.created(thread).await?;
                        match &append.run {
                            Some(run) => self.reindex_run(run, thread).await,
                            None => Ok(()),
                        }
                    };
                    found.await.map_err(applied)?;
                    return Ok(Appended::Existed);
                }
                Some(done) => return Ok(done),
            }
        }
        Err(too_busy())
    }

    /// Adds a checkpoint to a thread as it was seen; `None`, and nothing done, when it changed.
    async fn try_append(
        &self,
        append: &Append,
        seen: Seen,
        announced: &mut bool,
    ) -> Result<Option<Appended>> {
        let thread = &append.reference.thread;
        if append
            .basis
            .is_some_and(|basis| seen.head.as_ref().is_none_or(|(head, _)| head.life != basis))
        {
            return Ok(Some(Appended::Stale));
        }
        let mut edit =
            self.begin(thread, seen, &append.ownership, append.lifetime, append.recreate)?;
        if self.is_there(&edit, append).await? {
            return Ok(Some(Appended::Existed));
        }
        self.check_parent(&mut edit, append).await?;
        let bases = self.fill(&mut edit, append).await?;
        let (life, creates) = (edit.head.life, edit.creates());
        *announced |= creates || append.run.is_some();
        if creates {
            self.index_thread(thread).await?;
        }
        let mut reindex = false;
        if let Some(run) = &append.run {
            reindex = self.index_run(&mut edit, run).await?;
        }
        if !self.commit(edit, append.acks).await? {
            return Ok(None);
        }
        let run = append.run.as_deref();
        self.index_again(thread, creates, run.filter(|_| reindex)).await.map_err(applied)?;
        if let Some(run) = run {
            self.indexed.remember(life.generation, run);
        }
        Ok(Some(Appended::Put { life, bases }))
    }

    /// Whether the same checkpoint has been put before.
    async fn is_there(&self, edit: &Edit, append: &Append) -> Result<bool> {
        if edit.creates() {
            return Ok(false);
        }
        let reference = &append.reference;
        let key = edit.rows.record(keys::RECORD, &reference.namespace, &reference.id);
        let row = self.raw_rows(&[key], Consistency::Strong).await?.pop().flatten();
        let Some(row) = row else { return Ok(false) };
        if record_digest(&read_record(&row)?.body)? == append.digest {
            return Ok(true);
        }
        Err(Error::conflict("another checkpoint has this id"))
    }

    /// Checks that the parent is the latest, if asked, and makes this one the latest if it is.
    async fn check_parent(&self, edit: &mut Edit, append: &Append) -> Result<()> {
        let reference = &append.reference;
        let row = edit.rows.namespace(&reference.namespace);
        let (latest, before) = if reference.namespace.is_root() {
            (edit.head.latest.clone(), None)
        } else if edit.creates() {
            (None, None)
        } else {
            let row =
                self.rows(std::slice::from_ref(&row), Consistency::Strong).await?.pop().flatten();
            let before = row.as_ref().map(|row| row.len() + HEADER_BYTES);
            (row.map(|row| read_latest(&row)).transpose()?, before)
        };
        if append.ownership == Ownership::ParentIsLatest && latest != append.parent {
            return Err(Error::conflict("the parent is not the latest checkpoint"));
        }
        if latest.is_none_or(|latest| latest < reference.id) {
            if reference.namespace.is_root() {
                edit.head.latest = Some(reference.id.clone());
            } else {
                edit.put(&row, reference.id.as_str().as_bytes(), before);
            }
        }
        Ok(())
    }

    /// Adds all rows of the checkpoint.
    async fn fill(&self, edit: &mut Edit, append: &Append) -> Result<Bases> {
        let bases = self.add_content(edit, &append.content).await?;
        self.add_versions(edit, append, bases).await?;
        let reference = &append.reference;
        let key = edit.rows.record(keys::RECORD, &reference.namespace, &reference.id);
        let part = Part { bases, body: append.record.clone() };
        edit.put_raw(&key, write_record(&part), None);
        edit.head.checkpoints += 1;
        Ok(bases)
    }

    /// Adds the descriptions of new versions, and where they are found by their places.
    async fn add_versions(&self, edit: &mut Edit, append: &Append, bases: Bases) -> Result<()> {
        let first = bases.version;
        let mut blocks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut places: BTreeMap<Place, Vec<(u64, Option<u64>)>> = BTreeMap::new();
        for (number, (place, body)) in (first..).zip(&append.versions) {
            let block = blocks.entry(number / BLOCK_ITEMS).or_default();
            append_part(block, &Part { bases, body: body.clone() });
            if let Some(place) = place {
                places.entry(place_of(first, *place)).or_default().push((*place, Some(number)));
            }
        }
        for place in &append.empty {
            places.entry(place_of(first, *place)).or_default().push((*place, None));
        }
        edit.head.next_version += append.versions.len() as u64;

        let mut rows: Vec<(Key, Vec<u8>, bool)> = Vec::new();
        for (number, added) in blocks {
            let begun = number * BLOCK_ITEMS < first;
            rows.push((edit.rows.block(number), added, begun));
        }
        for (place, added) in places {
            let mut row = Vec::new();
            for (place, number) in added {
                append_place(&mut row, place, number);
            }
            rows.push((edit.rows.places(place.level, place.bucket), row, false));
        }
        let keys: Vec<Key> = rows.iter().map(|(key, ..)| key.clone()).collect();
        let old = if edit.creates() {
            vec![None; keys.len()]
        } else {
            self.rows(&keys, Consistency::Strong).await?
        };
        for ((key, added, begun), old) in rows.into_iter().zip(old) {
            if begun && old.is_none() {
                return Err(lost("a description"));
            }
            let before = old.as_ref().map(|old| old.len() + HEADER_BYTES);
            let row = [old.as_deref().unwrap_or_default(), &*added].concat();
            edit.put(&key, &row, before);
        }
        Ok(())
    }
}

/// The value of a record's row: its base, then the record, which has its own checksum.
pub(super) fn write_record(part: &Part) -> bytes::Bytes {
    let mut writer = Writer::default();
    writer.varint(part.bases.version);
    writer.raw(&part.body);
    writer.into_bytes()
}

pub(super) fn read_record(row: &bytes::Bytes) -> Result<Part> {
    let mut reader = Reader::new(row, "record of a checkpoint");
    let bases = Bases { version: reader.varint()?, ..Bases::default() };
    Ok(Part { bases, body: row.slice_ref(reader.rest()) })
}
