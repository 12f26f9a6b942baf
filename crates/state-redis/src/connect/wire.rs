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

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use redis::Value;
use tokio::sync::{Notify, oneshot};

use super::Trouble;
use crate::errors::{Fault, Sent};

pub(super) use driver::Driver;

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
    /// Why the connection has ended.
    ended: Option<Trouble>,
}

/// Packed commands that are written together.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// How many requests they belong to.
    requests: usize,
}

/// A caller, and the answers that have come so far.
#[derive(Debug)]
struct Asked {
    answers: Answers,
    /// How many are still to come.
    due: usize,
    to: oneshot::Sender<Result<Answers, Trouble>>,
}

/// The answers to one request. An answer may be an error of the server.
#[derive(Debug)]
enum Answers {
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

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// The connection is lost, and whether the command was written before.
    pub(super) async fn one(&self, command: &redis::Cmd) -> Result<Value, Trouble> {
        let size = command.args_iter().map(|arg| size(&arg)).sum::<usize>();
        let packed = (size >= APART_BYTES).then(|| command.get_packed_command());
        let pack = |buffer: &mut Vec<u8>| command.write_packed_command(buffer);
        match self.ask(packed, pack, Answers::One(Value::Nil), 1).await? {
            Answers::One(value) => Ok(value),
            Answers::Many(_) => Err(Fault::Unexpected.into()),
        }
    }

    /// Sends several commands behind each other and waits for all answers.
    ///
    /// # Errors
    /// As [`one`](Self::one).
    pub(super) async fn many(&self, commands: &redis::Pipeline) -> Result<Vec<Value>, Trouble> {
        let count = commands.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let packed = Some(commands.get_packed_pipeline());
        let answers = Answers::Many(Vec::with_capacity(count));
        match self.ask(packed, |_| {}, answers, count).await? {
            Answers::Many(values) => Ok(values),
            Answers::One(_) => Err(Fault::Unexpected.into()),
        }
    }

    /// Hands in a request: what is packed already, or what `pack` writes.
    async fn ask(
        &self,
        mut packed: Option<Vec<u8>>,
        pack: impl Fn(&mut Vec<u8>),
        answers: Answers,
        due: usize,
    ) -> Result<Answers, Trouble> {
        let (to, answered) = oneshot::channel();
        let mut asked = Some(Asked { answers, due, to });
        while let Some(next) = self.hand_in(&mut packed, &pack, asked.take())? {
            asked = Some(next);
            let room = self.shared.room.notified();
            if self.is_crowded() {
                room.await;
            }
        }
        // A driver that is dropped lets go of those whose requests it has taken.
        answered.await.unwrap_or_else(|_| Err(Fault::LostAfterSend.into()))
    }

    /// Gives the caller back when there is no room.
    fn hand_in(
        &self,
        packed: &mut Option<Vec<u8>>,
        pack: impl Fn(&mut Vec<u8>),
        asked: Option<Asked>,
    ) -> Result<Option<Asked>, Trouble> {
        let Some(asked) = asked else { return Ok(None) };
        let mut queue = self.shared.queue.lock();
        if let Some(trouble) = &queue.ended {
            return Err(trouble.clone());
        }
        if queue.bytes >= WAITING_BYTES_MAX {
            queue.crowded = true;
            return Ok(Some(asked));
        }
        let idle = queue.asked.is_empty();
        match packed.take() {
            Some(packed) if packed.len() >= BURST_BYTES => {
                queue.bytes += packed.len();
                queue.buffers.push_back(Buffer { bytes: packed, requests: 1 });
            }
            Some(packed) => queue.write(|buffer| buffer.extend_from_slice(&packed)),
            None => queue.write(pack),
        }
        queue.asked.push_back(asked);
        drop(queue);
        if idle {
            self.shared.driver.wake();
        }
        Ok(None)
    }

    /// Whether callers have to wait for room.
    fn is_crowded(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.crowded && queue.ended.is_none()
    }
}

impl Queue {
    /// Adds to the last buffer, or to a new one where that is large.
    fn write(&mut self, pack: impl FnOnce(&mut Vec<u8>)) {
        if self.buffers.back().is_none_or(|last| last.bytes.len() >= BURST_BYTES) {
            let bytes = std::mem::take(&mut self.spare);
            self.buffers.push_back(Buffer { bytes, requests: 0 });
        }
        if let Some(last) = self.buffers.back_mut() {
            let before = last.bytes.len();
            pack(&mut last.bytes);
            self.bytes += last.bytes.len() - before;
            last.requests += 1;
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
        drop(self.to.send(Ok(self.answers)));
        None
    }
}

fn size(arg: &redis::Arg<&[u8]>) -> usize {
    if let redis::Arg::Simple(bytes) = arg { bytes.len() } else { 0 }
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
