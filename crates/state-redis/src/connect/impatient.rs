//! A stream that gives up when its peer takes nothing of what is written to it.
//!
//! It lies below TLS, so a large message on its way over a slow link is written piece by piece and
//! each piece counts; only a peer that takes none for the whole write timeout is given up.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::observe::Pulse;

/// Wraps the socket of one connection.
#[derive(Debug)]
pub(crate) struct Impatient<S> {
    stream: S,
    pulse: Arc<Pulse>,
    patience: Duration,
    /// Runs since the socket was found full.
    full: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// Fails the write, and notes that in `pulse`, when nothing was taken for `patience`.
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

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                self.full = None;
                Poll::Ready(written)
            }
            Poll::Pending => self.wait(cx).map(Err),
        }
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(8);
        let pulse = Arc::new(Pulse::default());
        let mut stream = Impatient::new(near, Arc::clone(&pulse), Duration::from_millis(10));
        let error = stream.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(pulse.was_given_up());
    }

    #[tokio::test]
    async fn patience_begins_anew_with_each_piece_that_is_taken() {
        let (near, mut far) = duplex(8);
        let mut stream = Impatient::new(near, Arc::default(), Duration::from_secs(3_600));
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
