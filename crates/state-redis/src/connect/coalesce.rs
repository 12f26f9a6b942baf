//! A stream that puts the commands of all tasks that are ready into one write.
//!
//! A client that writes as soon as it has one command pays a system call, and often a wake-up of
//! the server, per command. This stream lets the first write of a burst wait for one turn of the
//! scheduler: by then every task that was ready has handed in its command, and all of them leave
//! in the same write. Nothing waits for a timer, and a lone caller does not wait at all: on a
//! runtime with several workers even an empty turn can wake another one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Wraps a stream whose owner flushes bursts of small messages.
#[derive(Debug)]
pub(crate) struct Coalescing<S> {
    stream: S,
    /// How many callers have handed in something and wait for the answer.
    callers: Arc<AtomicUsize>,
    /// Writes of at least this many bytes never wait.
    large_bytes: usize,
    /// Whether the burst that is being written has waited for its turn.
    yielded: bool,
}

impl<S> Coalescing<S> {
    /// Coalesces writes to `stream` that are smaller than `large_bytes` while there are several
    /// `callers`.
    pub(crate) fn new(stream: S, callers: Arc<AtomicUsize>, large_bytes: usize) -> Self {
        Self { stream, callers, large_bytes, yielded: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalescing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalescing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let several = self.callers.load(Ordering::Relaxed) > 1;
        if several && !self.yielded && bytes.len() < self.large_bytes {
            self.yielded = true;
            // The writer is woken here and now, so it comes back whether or not anyone else does.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        // The rest of a burst that was written in part has waited already; an error ends it.
        self.yielded = matches!(&written, Ok(count) if *count < bytes.len());
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
