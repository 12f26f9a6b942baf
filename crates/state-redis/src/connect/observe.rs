//! A stream that shows signs of life of its peer, and gives up on a peer that takes nothing of what is written to it.
//!
//! It lies right on the socket, below TLS, so a large message on its way over a slow link is written piece by piece and each
//! piece counts; only a peer that takes none for the whole write timeout is given up.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

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

/// Wraps the socket of one connection.
#[derive(Debug)]
pub(crate) struct Observed<S> {
    stream: S,
    pulse: Arc<Pulse>,
    patience: Duration,
    /// Runs since the socket was found full.
    full: Option<Pin<Box<Sleep>>>,
}

impl<S> Observed<S> {
    /// Tells `pulse` what the peer does; fails the write, and notes that there, when nothing was taken for `patience`.
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>, patience: Duration) -> Self {
        Self { stream, pulse, patience, full: None }
    }

    #[expect(clippy::disallowed_methods, reason = "sockets and their timers belong to one runtime")]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience;
        let full = self.full.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        full.as_mut().poll(cx).map(|()| {
            self.pulse.give_up();
            io::ErrorKind::TimedOut.into()
        })
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
            return self.wait(cx).map(Err);
        };
        // A full socket takes more only after the peer has taken some: a large value that is on its
        // way over a slow link is not silence.
        if self.full.take().is_some() && written.is_ok() {
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
        let mut stream = Observed::new(near, Arc::clone(&pulse), Duration::from_secs(3_600));
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

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(8);
        let pulse = Arc::new(Pulse::default());
        let mut stream = Observed::new(near, Arc::clone(&pulse), Duration::from_millis(10));
        let error = stream.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(pulse.was_given_up());
    }

    #[tokio::test]
    async fn patience_begins_anew_with_each_piece_that_is_taken() {
        let (near, mut far) = duplex(8);
        let mut stream = Observed::new(near, Arc::default(), Duration::from_secs(3_600));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..3 {
            stream.write_all(&[0; 8]).await.unwrap();
            assert!(stream.full.is_none(), "there was room");
            assert!(Pin::new(&mut stream).poll_write(&mut cx, &[0]).is_pending());
            assert!(stream.full.is_some(), "there is none");
            far.read_exact(&mut [0; 8]).await.unwrap();
        }
    }
}
