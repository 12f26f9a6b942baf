//! The wire of a shared connection: the requests of many callers in one stream of bytes, and the answers to them.
//!
//! Callers write their commands into one buffer, behind each other, and wait. One driver takes the buffer as it is, writes
//! it, and hands out the answers in the order of the requests. Before it takes a buffer that belongs to several callers it
//! lets one turn of the scheduler pass: by then every task that was ready has handed in its command, and all of them leave in
//! the same write. Nothing waits for a timer, and a lone caller does not wait at all.
//!
//! A request that was handed in is written whole whatever becomes of its caller, so no half command is ever on the wire.

mod driver;
mod parse;
mod slot;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Trouble;
use crate::command::Command;
use crate::errors::{Fault, Sent};

pub(super) use driver::Driver;
use slot::Slot;
pub(super) use slot::Waiting;

/// Bytes from which the driver takes a buffer without waiting for more, and a request has a buffer of its own.
const BURST_BYTES: usize = 64 << 10;
/// Commands from this size on are put together outside the lock.
const APART_BYTES: usize = 4 << 10;
/// Bytes that may wait for the driver; callers wait from there on.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// The callers' end of a connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    driver: futures_util::task::AtomicWaker,
    /// Wakes callers when there is room again.
    room: Notify,
    /// Set before the first caller is told of the end, so that none of them tries the same connection again.
    ended: AtomicBool,
    /// Requests that the driver has taken and that are not answered.
    taken: AtomicUsize,
}

/// What the driver has not taken yet.
#[derive(Debug, Default)]
struct Queue {
    /// Packed commands, in the order in which they are to be written.
    buffers: VecDeque<Buffer>,
    bytes: usize,
    /// Who waits for the answers to them, in the same order.
    asked: VecDeque<Asked>,
    /// An empty buffer to use again.
    spare: Vec<u8>,
    /// Whether somebody waits for room.
    crowded: bool,
    /// When the driver wakes those who wait, so that they look at what there is beside their answers; nobody's time is
    /// up before.
    look_at: Option<Instant>,
    /// Why the connection has ended.
    ended: Option<Trouble>,
}

/// Packed commands that are written together.
#[derive(Debug)]
struct Buffer {
    bytes: Chunk,
    /// How many requests they belong to.
    requests: usize,
}

/// Bytes that are written.
#[derive(Debug)]
enum Chunk {
    /// Of as many requests as found room in it.
    Own(Vec<u8>),
    /// The parts of one large command, which its caller has as well.
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A caller, and the answers that have come so far.
#[derive(Debug)]
struct Asked {
    answers: Answers,
    /// How many are still to come.
    due: usize,
    to: Arc<Slot>,
    /// When the caller's time is up.
    until: Option<Instant>,
}

/// The answers to one request. An answer may be an error of the server.
#[derive(Debug)]
pub(super) enum Answers {
    One(Value),
    Many(Vec<Value>),
}

impl Wire {
    /// The two ends of a connection over `stream`. Nothing happens before the driver is polled.
    pub(super) fn over<S>(stream: S) -> (Self, Driver<S>) {
        let shared = Arc::new(Shared::default());
        (Self { shared: Arc::clone(&shared) }, Driver::new(shared, stream))
    }

    /// Whether the connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// Whether answers are due.
    pub(super) fn owes(&self) -> bool {
        let queue = self.shared.queue.lock();
        // What the driver takes it counts before it lets go of the queue.
        !queue.asked.is_empty() || self.shared.taken.load(Ordering::SeqCst) > 0
    }

    /// Hands in one command, of which the caller is woken at `until` at the latest; `None` where that has to wait for
    /// room.
    ///
    /// # Errors
    /// The connection is lost, and the command was not written.
    pub(super) fn begin(
        &self,
        command: &Command,
        until: Option<Instant>,
    ) -> Result<Option<Waiting>, Trouble> {
        let (answers, slot) = (Answers::One(Value::Nil), Arc::default());
        let asked = Asked { answers, due: 1, to: Arc::clone(&slot), until };
        let handed_in = if let Some(parts) = command.shared() {
            self.hand_in(asked, |queue| {
                queue.write(0, |buffer| command.pack_head(buffer));
                queue.push(Chunk::Shared(parts.clone()));
            })?
        } else if command.payload_bytes() >= APART_BYTES {
            let packed = Command::pack_all(std::slice::from_ref(command));
            self.hand_in(asked, |queue| queue.add(packed))?
        } else {
            self.hand_in(asked, |queue| queue.write(1, |buffer| command.pack(buffer)))?
        };
        Ok(handed_in.then(|| Waiting::new(slot)))
    }

    /// As [`begin`](Self::begin), for several commands.
    ///
    /// # Errors
    /// As there.
    pub(super) fn begin_many(
        &self,
        commands: &[Command],
        until: Option<Instant>,
    ) -> Result<Option<Waiting>, Trouble> {
        let (due, slot) = (commands.len(), Arc::<Slot>::default());
        let answers = Answers::Many(Vec::with_capacity(due));
        if due == 0 {
            slot.fill(Ok(answers));
            return Ok(Some(Waiting::new(slot)));
        }
        let packed = Command::pack_all(commands);
        let asked = Asked { answers, due, to: Arc::clone(&slot), until };
        let handed_in = self.hand_in(asked, |queue| queue.add(packed))?;
        Ok(handed_in.then(|| Waiting::new(slot)))
    }

    /// Returns when there may be room again, or the connection has ended.
    pub(super) async fn room(&self) {
        let room = self.shared.room.notified();
        if self.is_crowded() {
            room.await;
        }
    }

    /// Adds a request, whose bytes `add` adds; false when there is no room.
    fn hand_in(&self, asked: Asked, add: impl FnOnce(&mut Queue)) -> Result<bool, Trouble> {
        let mut queue = self.shared.queue.lock();
        if let Some(trouble) = &queue.ended {
            return Err(trouble.clone());
        }
        if queue.bytes >= WAITING_BYTES_MAX {
            queue.crowded = true;
            return Ok(false);
        }
        // One whose time is up before the driver looks has to be told to it.
        let sooner = match (queue.look_at, asked.until) {
            (Some(look_at), Some(until)) => until < look_at,
            _ => false,
        };
        if sooner {
            queue.look_at = asked.until;
        }
        let wake = sooner || queue.asked.is_empty();
        add(&mut queue);
        queue.asked.push_back(asked);
        drop(queue);
        if wake {
            self.shared.driver.wake();
        }
        Ok(true)
    }

    /// Whether callers have to wait for room.
    fn is_crowded(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.crowded && queue.ended.is_none()
    }
}

impl Queue {
    /// Adds what belongs to one request: as a buffer of its own where it is large.
    fn add(&mut self, packed: Vec<u8>) {
        if packed.len() >= BURST_BYTES {
            self.push(Chunk::Own(packed));
        } else {
            self.write(1, |buffer| buffer.extend_from_slice(&packed));
        }
    }

    /// Adds a buffer that belongs to one request.
    fn push(&mut self, bytes: Chunk) {
        self.bytes += bytes.as_slice().len();
        self.buffers.push_back(Buffer { bytes, requests: 1 });
    }

    /// Adds to the last buffer, or to a new one where that is large, what so many requests are complete with.
    fn write(&mut self, requests: usize, pack: impl FnOnce(&mut Vec<u8>)) {
        let has_room =
            |last: &Buffer| matches!(&last.bytes, Chunk::Own(bytes) if bytes.len() < BURST_BYTES);
        if !self.buffers.back().is_some_and(has_room) {
            let bytes = Chunk::Own(std::mem::take(&mut self.spare));
            self.buffers.push_back(Buffer { bytes, requests: 0 });
        }
        if let Some(Buffer { bytes: Chunk::Own(bytes), requests: of }) = self.buffers.back_mut() {
            let before = bytes.len();
            pack(bytes);
            self.bytes += bytes.len() - before;
            *of += requests;
        }
    }
}

impl Asked {
    /// Takes in an answer; the caller comes back until it has all.
    fn answered(mut self, value: Value) -> Option<Self> {
        self.due = self.due.saturating_sub(1);
        match &mut self.answers {
            Answers::One(answer) => *answer = value,
            Answers::Many(answers) => answers.push(value),
        }
        if self.due > 0 {
            return Some(self);
        }
        // Whoever went away needs no answer.
        self.to.fill(Ok(self.answers));
        None
    }
}

/// What becomes of a request that was not written when its connection ended.
fn unsent(trouble: &Trouble) -> Trouble {
    match trouble {
        Trouble::Io(error, _) => Trouble::Io(Arc::clone(error), Sent::No),
        _ => Fault::LostBeforeSend.into(),
    }
}

#[cfg(test)]
mod pieces;
#[cfg(test)]
mod tests;
