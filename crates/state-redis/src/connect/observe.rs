//! A stream that shows signs of life.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts the signs that the peer of one connection is alive, and knows when it was given up.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: AtomicU64,
    given_up: AtomicBool,
}

impl Pulse {
    /// A number that has grown whenever the peer showed a sign of life.
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the peer took nothing of what was written for too long.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// Whether the connection ended because of that.
    pub(super) fn was_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }
}

/// Wraps the stream of one connection.
#[derive(Debug)]
pub(crate) struct Observed<S> {
    stream: S,
    pulse: Arc<Pulse>,
    /// Whether the last write found the socket full.
    blocked: bool,
}

impl<S> Observed<S> {
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, blocked: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.pulse.beat();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, bytes) else {
            self.blocked = true;
            return Poll::Pending;
        };
        // A full socket takes more only after the peer has taken some: a large value that is on its
        // way over a slow link is not silence.
        if written.is_ok() && std::mem::take(&mut self.blocked) {
            self.pulse.beat();
        }
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
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn answers_and_room_for_more_are_signs_of_life_and_plain_writes_are_not() {
        let (near, mut far) = duplex(8);
        let pulse = Arc::new(Pulse::default());
        let mut stream = Observed::new(near, Arc::clone(&pulse));
        stream.write_all(&[0; 8]).await.unwrap();
        assert_eq!(pulse.beats(), 0, "a write");
        // The pipe is full now: writing on succeeds only because the peer reads.
        let mut taken = [0; 8];
        let (written, read) = tokio::join!(stream.write_all(&[0; 4]), far.read_exact(&mut taken));
        written.unwrap();
        read.unwrap();
        assert_eq!(pulse.beats(), 1, "room for more");
        far.write_all(b"+OK").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(pulse.beats(), 2, "an answer");
    }
}
