//! Adding writes beside a checkpoint, and reading them.
//!
//! The writes of a checkpoint are spread over 512 rows by task and index, so that a step's few
//! writes are a row or two, and many thousand of them neither rewrite each other nor need more
//! rows than a transaction takes.

use std::collections::BTreeMap;

use bytes::Bytes;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, Ownership, ThreadId, WriteIndex};
use state_core::{Consistency, Error, Key, ListOptions, Outcome, Result, Scope};

use super::edit::applied;
use super::keys::{Rows, WRITES};
use super::rows::{HEADER_BYTES, Head, read_writes, write_writes};
use super::{BackendThreads, Seen, TRIES, lost, too_busy};
use crate::digest::hash;
use crate::store::{AppendWrites, Life, NewWrite, Part, StoredWrite, WritesAppended, WritesPage};

const BUCKETS: u64 = 512;
/// Rows that are read at once; each may hold many writes.
const PAGE_ROWS: usize = 100;
/// Writes of one task with neighbouring indexes share a row: 16 of them.
const NEIGHBOURS_SHIFT: u32 = 4;

/// The row of a write among those of its checkpoint.
fn bucket_of(task: &str, index: WriteIndex) -> u16 {
    let neighbours = i64::from(index.get() >> NEIGHBOURS_SHIFT).cast_unsigned();
    u16::try_from(hash(neighbours, task.as_bytes()) % BUCKETS).unwrap_or_default()
}

impl BackendThreads {
    pub(super) async fn append_pending(&self, append: &AppendWrites) -> Result<WritesAppended> {
        let mut announced = false;
        let done = self.append_pending_as_seen(append, &mut announced).await;
        let refused = |error: &Error| error.outcome() == Outcome::NotApplied;
        if announced && done.as_ref().is_err_and(refused) {
            self.withdraw(&append.reference.thread, None).await;
        }
        done
    }

    /// Adds writes to a thread as it is; `announced` comes to say that it may be in the index.
    async fn append_pending_as_seen(
        &self,
        append: &AppendWrites,
        announced: &mut bool,
    ) -> Result<WritesAppended> {
        let thread = &append.reference.thread;
        let mut buckets: BTreeMap<u16, Vec<&NewWrite>> = BTreeMap::new();
        for write in &append.writes {
            buckets.entry(bucket_of(&write.task, write.index)).or_default().push(write);
        }
        for _ in 0..TRIES {
            let seen = self.see(thread).await?;
            let version = seen.version();
            let appended = self.try_append_pending(append, &buckets, seen, announced).await;
            if let Some(done) = self.unless_changed(thread, version, appended).await? {
                return Ok(done);
            }
        }
        Err(too_busy())
    }

    /// Adds writes to a thread as it was seen; `None`, and nothing done, when it changed.
    async fn try_append_pending(
        &self,
        append: &AppendWrites,
        buckets: &BTreeMap<u16, Vec<&NewWrite>>,
        seen: Seen,
        announced: &mut bool,
    ) -> Result<Option<WritesAppended>> {
        let reference = &append.reference;
        let thread = &reference.thread;
        let mut edit =
            self.begin(thread, seen, &append.ownership, append.lifetime, append.recreate)?;
        if append.ownership == Ownership::ParentIsLatest {
            let latest = self
                .latest(&edit.head, &edit.rows, &reference.namespace, Consistency::Strong)
                .await?;
            if latest.as_ref() != Some(&reference.id) {
                return Err(Error::conflict("the checkpoint is not the latest"));
            }
        }
        let keys: Vec<Key> = buckets
            .keys()
            .map(|bucket| edit.rows.writes(&reference.namespace, &reference.id, *bucket))
            .collect();
        let old = if edit.creates() {
            vec![None; keys.len()]
        } else {
            self.rows(&keys, Consistency::Strong).await?
        };
        // Where the content begins is known only once it is added, and whether it must be
        // only once the old writes are known; so a first look is taken without it.
        let mut rows = Vec::with_capacity(keys.len());
        let mut done = WritesAppended::default();
        for (old, new) in old.iter().zip(buckets.values()) {
            let mut row = old.as_deref().map(read_writes).transpose()?.unwrap_or_default();
            let taken = merge(&mut row, new, &mut done);
            rows.push((row, taken));
        }
        if done.written + done.replaced == 0 {
            if done.kept > 0 {
                // The call that wrote them may have been cut short.
                self.created(thread).await.map_err(applied)?;
            }
            return Ok(Some(done));
        }
        let bases = self.add_content(&mut edit, &append.content).await?;
        for ((key, old), (mut row, taken)) in keys.iter().zip(&old).zip(rows) {
            if taken.is_empty() {
                continue;
            }
            for at in taken {
                if let Some(write) = row.get_mut(at) {
                    write.part.bases = bases;
                }
            }
            let before = old.as_ref().map(|old| old.len() + HEADER_BYTES);
            edit.put(key, &write_writes(&row), before);
        }
        let creates = edit.creates();
        *announced |= creates;
        if creates {
            self.index_thread(thread).await?;
        }
        if !self.commit(edit, append.acks).await? {
            return Ok(None);
        }
        self.index_again(thread, creates, None).await.map_err(applied)?;
        Ok(Some(done))
    }

    /// The writes beside a checkpoint, and whether they were read in more than one step.
    pub(super) async fn writes_of(
        &self,
        rows: &Rows,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
        consistency: Consistency,
    ) -> Result<(Vec<StoredWrite>, bool)> {
        let prefix = rows.writes_prefix(namespace, id);
        let names = self.names(rows.partition(), &prefix, consistency).await?;
        if names.is_empty() {
            return Ok((Vec::new(), false));
        }
        let bodies = self.rows(&names, consistency).await?;
        let mut writes = Vec::new();
        for body in bodies.iter().flatten() {
            writes.extend(read_writes(body)?);
        }
        // One row is read whole; a row that went meanwhile is found out by the head.
        let torn = names.len() > 1 || bodies.iter().any(Option::is_none);
        Ok((writes, torn))
    }

    pub(super) async fn read_writes_page(
        &self,
        thread: &ThreadId,
        life: Life,
        after: Option<Bytes>,
    ) -> Result<Option<WritesPage>> {
        let rows = Rows::new(thread, life.generation);
        let options = ListOptions::new(rows.prefix(WRITES))
            .with_scope(Scope::Partition(rows.partition().clone()))
            .with_after(after)
            .with_limit(PAGE_ROWS);
        let page = self.backend.list_page(options).await?;
        let names: Vec<Key> = page.items.into_iter().map(|meta| meta.key).collect();
        let mut writes = Vec::new();
        let mut complete = true;
        for body in self.rows(&names, Consistency::Strong).await? {
            match body {
                Some(body) => writes.extend(read_writes(&body)?),
                None => complete = false,
            }
        }
        if !self.is_alive(thread, life).await? {
            return Ok(None);
        }
        let next = names.last().filter(|_| page.next.is_some());
        let next = next.map(|last| Bytes::copy_from_slice(last.name()));
        if complete { Ok(Some(WritesPage { writes, next })) } else { Err(lost("a row of writes")) }
    }

    /// Whether the thread has this life still.
    pub(super) async fn is_alive(&self, thread: &ThreadId, life: Life) -> Result<bool> {
        let head: Option<(Head, _)> = self.head(thread, Consistency::Strong).await?;
        Ok(head.is_some_and(|(head, _)| head.life == life))
    }
}

/// Adds new writes to a row and returns where those stand that were taken.
fn merge(row: &mut Vec<StoredWrite>, new: &[&NewWrite], done: &mut WritesAppended) -> Vec<usize> {
    let mut taken = Vec::new();
    let before = row.len();
    for write in new {
        let stored = StoredWrite {
            task: std::sync::Arc::clone(&write.task),
            index: write.index,
            part: Part { bases: crate::store::Bases::default(), body: write.body.clone() },
        };
        // Writes of one call have places of their own, so only older ones can be there.
        let old = row
            .iter_mut()
            .take(before)
            .enumerate()
            .find(|(_, old)| old.index == write.index && old.task == write.task);
        match old {
            None => {
                taken.push(row.len());
                row.push(stored);
                done.written += 1;
            }
            Some((at, old)) if write.index.is_special() => {
                *old = stored;
                taken.push(at);
                done.replaced += 1;
            }
            Some(_) => done.kept += 1,
        }
    }
    taken
}
