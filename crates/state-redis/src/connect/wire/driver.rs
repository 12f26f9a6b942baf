//! The driver of a wire: the task that owns the stream.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use redis::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::parse::Parser;
use super::{Asked, BURST_BYTES, Buffer, Chunk, Shared, unsent};
use crate::connect::Trouble;
use crate::errors::{Fault, Sent};

/// Room for what is read at a time.
const READ_BYTES: usize = 64 << 10;
/// Less room than this is not worth a call.
const READ_BYTES_MIN: usize = 4 << 10;

/// How often those who wait are woken to look whether that still makes sense.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Writes requests and hands out answers until the stream ends. Dropping it ends the connection.
#[derive(Debug)]
pub(in crate::connect) struct Driver<S> {
    shared: Arc<Shared>,
    stream: S,
    /// What was taken and is not written yet.
    buffers: VecDeque<Buffer>,
    /// How much of the first of them is written.
    written: usize,
    /// Whether the stream holds written bytes back.
    unflushed: bool,
    /// Who waits for answers to what was taken, in the order of the requests.
    asked: VecDeque<Asked>,
    /// Whether the burst that comes next has waited for its turn.
    waited: bool,
    /// How many requests were taken together the last time.
    last: usize,
    /// Whether anything was taken yet.
    began: bool,
    /// An answer from before the first request: what a server says that hangs up at once.
    early: Option<Value>,
    parser: Parser,
    input: BytesMut,
    /// Runs until those who wait are woken to look; nobody else has a timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Driver<S> {
    pub(super) fn new(shared: Arc<Shared>, stream: S) -> Self {
        Self {
            shared,
            stream,
            buffers: VecDeque::new(),
            written: 0,
            unflushed: false,
            asked: VecDeque::new(),
            waited: false,
            last: 0,
            began: false,
            early: None,
            parser: Parser::default(),
            input: BytesMut::new(),
            timer: None,
        }
    }

    /// Takes what callers have handed in; false when that is nothing, or when it waits for one turn.
    fn take(&mut self, cx: &Context<'_>) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.asked.is_empty() {
            return false;
        }
        // The first of several that were answered together is about to be followed by the others.
        let several = self.last > 1 || self.asked.len() + queue.asked.len() > 1;
        if several && !self.waited && queue.bytes < BURST_BYTES {
            self.waited = true;
            // It is woken here and now, so it comes back whether or not anyone else does.
            cx.waker().wake_by_ref();
            return false;
        }
        self.waited = false;
        self.began = true;
        self.last = queue.asked.len();
        std::mem::swap(&mut self.buffers, &mut queue.buffers);
        self.asked.append(&mut queue.asked);
        self.shared.taken.store(self.asked.len(), Ordering::SeqCst);
        queue.bytes = 0;
        let crowded = std::mem::take(&mut queue.crowded);
        drop(queue);
        if crowded {
            self.shared.room.notify_waiters();
        }
        if let Some(early) = self.early.take() {
            self.answer(early);
        }
        true
    }

    /// Hands an answer to whom it is due.
    fn answer(&mut self, value: Value) {
        match self.asked.pop_front() {
            Some(asked) => {
                if let Some(asked) = asked.answered(value) {
                    self.asked.push_front(asked);
                }
            }
            // Nobody asked: it says why the server will hang up.
            None => self.early = Some(value),
        }
    }

    /// Ends the connection for all callers; those whose requests were not written know that.
    fn end(&mut self, trouble: &Trouble) {
        let mut queue = self.shared.queue.lock();
        if queue.ended.is_some() {
            return;
        }
        queue.ended = Some(unsent(trouble));
        self.shared.ended.store(true, Ordering::SeqCst);
        let not_taken = std::mem::take(&mut queue.asked);
        queue.buffers.clear();
        drop(queue);
        self.shared.room.notify_waiters();
        // Of the first buffer a part may be written; what is behind it is not.
        let begun = usize::from(self.written > 0);
        let unwritten: usize = self.buffers.iter().skip(begun).map(|buffer| buffer.requests).sum();
        let mut asked = std::mem::take(&mut self.asked);
        let not_written = asked.split_off(asked.len().saturating_sub(unwritten));
        for asked in asked {
            asked.to.fill(Err(trouble.clone()));
        }
        for asked in not_written.into_iter().chain(not_taken) {
            asked.to.fill(Err(unsent(trouble)));
        }
        self.shared.taken.store(0, Ordering::SeqCst);
    }

    /// Wakes those who wait when the time of one of them is up, and from time to time.
    #[expect(clippy::disallowed_methods, reason = "sockets and their timers belong to one runtime")]
    fn look(&mut self, cx: &mut Context<'_>) {
        while let Some(at) = self.look_at() {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            let mut queue = self.shared.queue.lock();
            queue.look_at = None;
            for asked in self.asked.iter().chain(&queue.asked) {
                asked.to.look();
            }
        }
    }

    /// When those who wait are to be woken; `None` while nobody does.
    fn look_at(&self) -> Option<Instant> {
        let mut queue = self.shared.queue.lock();
        if queue.look_at.is_none() {
            if self.asked.is_empty() && queue.asked.is_empty() {
                return None;
            }
            let now = Instant::now();
            let ends = self.asked.iter().chain(&queue.asked).filter_map(|asked| asked.until);
            // Those whose time was up before have been woken.
            let soonest = ends.filter(|until| *until > now).min();
            let next = now + LOOK_AGAIN;
            queue.look_at = Some(soonest.map_or(next, |until| until.min(next)));
        }
        queue.look_at
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Writes until there is nothing more to write, or no room.
    fn write(&mut self, cx: &mut Context<'_>, held: &mut bool) -> io::Result<()> {
        loop {
            let Some(first) = self.buffers.front() else {
                if !*held && self.take(cx) {
                    continue;
                }
                *held |= self.waited;
                break;
            };
            let rest = first.bytes.as_slice().get(self.written..).unwrap_or_default();
            if !rest.is_empty() {
                match Pin::new(&mut self.stream).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(written) => self.written += written?,
                    Poll::Pending => break,
                }
                self.unflushed = true;
                continue;
            }
            self.written = 0;
            if let Some(Buffer { bytes: Chunk::Own(mut spent), .. }) = self.buffers.pop_front()
                && spent.capacity() <= 2 * BURST_BYTES
            {
                spent.clear();
                self.shared.queue.lock().spare = spent;
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(flushed) => {
                    flushed?;
                    self.unflushed = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Reads what has come and hands out the answers in it; false when nothing has.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        // What is in `input` belongs to a long string that began there, so that is empty then.
        let read = if let Some(long) = self.parser.long() {
            let (bytes, due) = long.place();
            if bytes.capacity() == bytes.len() {
                bytes.reserve(due.min(bytes.len().max(READ_BYTES)));
            }
            let mut into = bytes.limit(due);
            pin!(self.stream.read_buf(&mut into)).poll(cx)
        } else {
            if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
                self.input.reserve(READ_BYTES);
            }
            // Of a long string only the beginning comes here, from where it has to be copied.
            let room = if self.parser.expects_long() { READ_BYTES_MIN } else { usize::MAX };
            let mut into = (&mut self.input).limit(room);
            pin!(self.stream.read_buf(&mut into)).poll(cx)
        };
        match read {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(read) => drop(read?),
        }
        let mut input = std::mem::take(&mut self.input);
        let mut rest = input.as_ref();
        let answered = self.answer_all(&mut rest);
        let used = input.len() - rest.len();
        input.advance(used);
        self.input = input;
        answered.map(|()| true)
    }

    /// Hands out the answers in `input`.
    fn answer_all(&mut self, input: &mut &[u8]) -> io::Result<()> {
        while let Some(value) = self.parser.next(input)? {
            if self.asked.is_empty() && self.began {
                let message = "an answer to no request";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            self.answer(value);
        }
        Ok(())
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut held = false;
        loop {
            self.write(cx, &mut held)?;
            if !self.read(cx)? {
                return Ok(());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.driver.register(cx.waker());
        match self.drive(cx) {
            Ok(()) => {
                self.shared.taken.store(self.asked.len(), Ordering::SeqCst);
                self.look(cx);
                Poll::Pending
            }
            Err(error) => {
                self.end(&Trouble::Io(Arc::new(error), Sent::Maybe));
                Poll::Ready(())
            }
        }
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.end(&Fault::LostAfterSend.into());
    }
}
