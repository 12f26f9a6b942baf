//! One change of a thread: checked and written with its head in one transaction.

use std::time::Duration;

use bytes::Bytes;
use state_core::checkpoint::{
    CheckpointId, CheckpointNamespace, Ownership, ThreadId, ThreadLifetime,
};
use state_core::{
    Acks, Consistency, Error, ErrorKind, Expiry, Fence, Key, Outcome, Precondition, PutOptions,
    Result, Transaction, Version, WriteOp,
};

use super::keys::Rows;
use super::rows::{self, Head};
use super::{BackendThreads, Seen, keys};
use crate::engine::unknown_ownership;
use crate::segment::{TAIL_BYTES_MAX, open_segment, raw_segment, seal_segment};
use crate::store::{Bases, Content};

/// The most leases whose tokens a thread remembers.
const FENCES_MAX: usize = 64;

/// A change that is being put together.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) thread: ThreadId,
    pub(super) head: Head,
    pub(super) rows: Rows,
    /// The version of the head that was read; `None` where the change makes the thread.
    version: Option<Version>,
    /// Whether a tombstone must not stand, or is removed.
    tombstone: bool,
    expiry: Expiry,
    ops: Vec<WriteOp>,
    grown: i64,
}

impl Edit {
    pub(super) const fn creates(&self) -> bool {
        self.version.is_none()
    }

    pub(super) fn ops(&self) -> usize {
        self.ops.len()
    }

    /// Writes a row; `before` is the value that it had.
    pub(super) fn put(&mut self, key: &Key, body: &[u8], before: Option<usize>) {
        self.put_raw(key, rows::seal(key, body), before);
    }

    /// Writes a row whose value needs no header.
    pub(super) fn put_raw(&mut self, key: &Key, value: Bytes, before: Option<usize>) {
        let size = |len: usize| i64::try_from(key.len_bytes() + len).unwrap_or(i64::MAX);
        self.grown += size(value.len()) - before.map_or(0, size);
        let options = PutOptions::new().with_expiry(Expiry::Never);
        self.ops.push(WriteOp::put_opts(key, value, options));
    }

    /// Removes a row whose value has this length.
    pub(super) fn remove(&mut self, key: &Key, before: usize) {
        let size = i64::try_from(key.len_bytes() + before).unwrap_or(i64::MAX);
        self.grown -= size;
        self.ops.push(WriteOp::delete(key));
    }

    /// What the change does to the lifetime of the thread.
    fn live(&mut self, wish: ThreadLifetime, configured: Option<Duration>) {
        let ms = |lifetime: Duration| u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let wish = match wish {
            ThreadLifetime::Keep if self.creates() => ThreadLifetime::Default,
            other => other,
        };
        self.expiry = match wish {
            ThreadLifetime::Keep => Expiry::Keep,
            ThreadLifetime::Default if self.head.pinned => Expiry::Never,
            ThreadLifetime::Pinned => {
                (self.head.pinned, self.head.lifetime_ms) = (true, None);
                Expiry::Never
            }
            ThreadLifetime::After(lifetime) => {
                (self.head.pinned, self.head.lifetime_ms) = (false, Some(ms(lifetime)));
                Expiry::After(lifetime)
            }
            _ => {
                self.head.lifetime_ms = configured.map(ms);
                configured.map_or(Expiry::Never, Expiry::After)
            }
        };
    }
}

impl BackendThreads {
    /// Begins a change of a thread as it was seen.
    ///
    /// # Errors
    /// `Conflict` where a tombstone stands, `Fenced` for a stale token.
    pub(super) fn begin(
        &self,
        thread: &ThreadId,
        seen: Seen,
        ownership: &Ownership,
        lifetime: ThreadLifetime,
        recreate: bool,
    ) -> Result<Edit> {
        let (head, version) = match seen.head {
            Some((head, version)) => (head, Some(version)),
            None if seen.tombstone && !recreate => {
                return Err(Error::conflict("the thread was deleted a short while ago"));
            }
            None => (Head::new(random()?), None),
        };
        let mut edit = Edit {
            thread: thread.clone(),
            rows: Rows::new(thread, head.life.generation),
            head,
            version,
            tombstone: seen.tombstone,
            expiry: Expiry::Keep,
            ops: Vec::new(),
            grown: 0,
        };
        match ownership {
            Ownership::Anyone | Ownership::ParentIsLatest => {}
            Ownership::Holder(fence) => raise(&mut edit.head.fences, fence)?,
            _ => return Err(unknown_ownership()),
        }
        edit.live(lifetime, self.options.lifetime);
        Ok(edit)
    }

    /// Makes the change; `false`, and nothing done, when another was faster.
    pub(super) async fn commit(&self, mut edit: Edit, acks: Acks) -> Result<bool> {
        let head = &mut edit.head;
        head.serial = head.serial.wrapping_add(1);
        head.last_write = self.options.clock.wall();
        head.bytes = head.bytes.saturating_add_signed(edit.grown);
        let key = keys::head(&edit.thread);
        let value = rows::seal(&key, &head.encode());
        let precondition = edit.version.map_or(Precondition::Absent, Precondition::Matches);
        let options = PutOptions::new().with_precondition(precondition).with_expiry(edit.expiry);
        let mut transaction = Transaction::new().with_acks(acks);
        if edit.version.is_none() {
            let tombstone = keys::tombstone(&edit.thread);
            if edit.tombstone {
                transaction = transaction.op(WriteOp::delete(tombstone));
            } else {
                transaction = transaction.check(tombstone, Precondition::Absent);
            }
        }
        transaction = transaction.op(WriteOp::put_opts(key, value, options));
        transaction.ops.extend(edit.ops);
        self.transact(transaction).await
    }

    /// What a try at a change came to; `None` where the thread has changed since it was seen.
    ///
    /// Rows that a change reads beside the head are gone when the thread was deleted meanwhile,
    /// which is damage only if the head is still the one that named them.
    pub(super) async fn unless_changed<T>(
        &self,
        thread: &ThreadId,
        seen: Option<Version>,
        tried: Result<Option<T>>,
    ) -> Result<Option<T>> {
        match tried {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                if self.see(thread).await?.version() == seen { Err(error) } else { Ok(None) }
            }
            other => other,
        }
    }

    /// Makes a transaction; `false` when one of its checks failed.
    pub(super) async fn transact(&self, transaction: Transaction) -> Result<bool> {
        let Some(transact) = self.backend.as_transact() else {
            return Err(Error::unsupported("a transaction"));
        };
        match transact.transact(transaction).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The latest checkpoint of a namespace.
    pub(super) async fn latest(
        &self,
        head: &Head,
        rows: &Rows,
        namespace: &CheckpointNamespace,
        consistency: Consistency,
    ) -> Result<Option<CheckpointId>> {
        if namespace.is_root() {
            return Ok(head.latest.clone());
        }
        let row = self.rows(&[rows.namespace(namespace)], consistency).await?.pop().flatten();
        row.map(|row| read_latest(&row)).transpose()
    }

    /// Adds content to the log, and says where it begins.
    pub(super) async fn add_content(&self, edit: &mut Edit, content: &Content) -> Result<Bases> {
        let version = edit.head.next_version;
        if !content.frames.is_empty() {
            let segment = edit.head.next_segment;
            for (number, frame) in (segment..).zip(&content.frames) {
                edit.put(&edit.rows.segment(number), frame, None);
            }
            edit.head.next_segment += content.frames.len() as u64;
            return Ok(Bases { version, segment, offset: 0 });
        }
        let (tail, written) = (edit.head.tail, edit.head.tail_bytes);
        if content.raw.is_empty() {
            return Ok(Bases { version, segment: tail, offset: written });
        }
        let len = content.raw.len() as u64;
        let key = edit.rows.segment(tail);
        let old = if written == 0 {
            None
        } else {
            let row =
                self.rows(std::slice::from_ref(&key), Consistency::Strong).await?.pop().flatten();
            Some(row.ok_or_else(|| super::lost("the end"))?)
        };
        let before = old.as_ref().map(|old| old.len() + rows::HEADER_BYTES);
        let Some(old) = old else {
            edit.put(&key, &raw_segment(&content.raw), before);
            edit.head.tail_bytes = len;
            return Ok(Bases { version, segment: tail, offset: 0 });
        };
        if written + len <= TAIL_BYTES_MAX as u64 {
            edit.put(&key, &[&*old, &*content.raw].concat(), before);
            edit.head.tail_bytes = written + len;
            return Ok(Bases { version, segment: tail, offset: written });
        }
        let full = seal_segment(&open_segment(&old)?, &self.options.compression)?;
        edit.put(&key, &full, before);
        let segment = edit.head.next_segment;
        edit.put(&edit.rows.segment(segment), &raw_segment(&content.raw), None);
        (edit.head.tail, edit.head.tail_bytes) = (segment, len);
        edit.head.next_segment += 1;
        Ok(Bases { version, segment, offset: 0 })
    }
}

/// Refuses a stale token, and remembers any other.
fn raise(marks: &mut Vec<Fence>, fence: &Fence) -> Result<()> {
    let full = marks.len() >= FENCES_MAX;
    match marks.iter_mut().find(|mark| mark.lease == fence.lease) {
        Some(mark) if mark.token > fence.token => {
            let message = "another holder of the lease has written to the thread";
            return Err(Error::new(ErrorKind::Fenced, message));
        }
        Some(mark) => mark.token = fence.token,
        None if full => {
            return Err(Error::too_large("number of leases", FENCES_MAX + 1, FENCES_MAX));
        }
        None => marks.push(fence.clone()),
    }
    Ok(())
}

/// The id in the row of a namespace.
pub(super) fn read_latest(row: &[u8]) -> Result<CheckpointId> {
    let text = std::str::from_utf8(row).map_err(|_| Error::corrupt("a row is damaged"))?;
    Ok(CheckpointId::new(text))
}

/// An error after a change that was made.
pub(super) fn applied(error: Error) -> Error {
    error.with_outcome(Outcome::Applied)
}

pub(super) fn random() -> Result<u64> {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(ErrorKind::Internal, "the system has no random bits").with_source(error)
    })?;
    Ok(u64::from_le_bytes(bits))
}
