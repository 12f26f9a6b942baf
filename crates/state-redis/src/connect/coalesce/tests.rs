//! What the coalescing stream does to writes, counted on a stream in memory.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Counts the writes that reach the stream below and lets each take at most `chunk_bytes`.
struct Counted {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
    chunk_bytes: usize,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let chunk = &bytes[..bytes.len().min(self.chunk_bytes)];
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, chunk));
        self.writes.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A server that answers every `PING` with `+PONG`, `chunk_bytes` at a time.
async fn answer(mut stream: DuplexStream, chunk_bytes: usize) {
    const PING: usize = b"*1\r\n$4\r\nPING\r\n".len();
    let mut buffer = [0; 4096];
    let mut received = 0;
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let answered = received / PING;
        received += count;
        let answers = b"+PONG\r\n".repeat(received / PING - answered);
        for chunk in answers.chunks(chunk_bytes) {
            stream.write_all(chunk).await.unwrap();
        }
    }
}

/// Sends `rounds` pings from each of `tasks` tasks and returns the number of writes it took.
async fn writes_of(tasks: usize, rounds: usize, coalesce: bool, chunk_bytes: usize) -> usize {
    let (near, far) = duplex(1 << 20);
    tokio::spawn(answer(far, chunk_bytes));
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Counted { stream: near, writes: Arc::clone(&writes), chunk_bytes };
    // A write that is always large never waits: that is the plain client.
    let stream =
        Coalescing::new(stream, Arc::new(tasks.into()), if coalesce { 1 << 16 } else { 0 });
    let info = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = redis::AsyncConnectionConfig::new().set_pipeline_buffer_size(1024);
    let made = redis::aio::MultiplexedConnection::new_with_config(&info, stream, config).await;
    let (connection, driver) = made.unwrap();
    tokio::spawn(driver);
    let callers = (0..tasks).map(|_| {
        let mut connection = connection.clone();
        tokio::spawn(async move {
            for _ in 0..rounds {
                let answer = connection.send_packed_command(&redis::cmd("PING")).await;
                assert_eq!(answer.unwrap(), redis::Value::SimpleString("PONG".to_owned()));
            }
        })
    });
    for joined in join_all(callers).await {
        joined.unwrap();
    }
    writes.load(Ordering::Relaxed)
}

/// The fewest writes of several runs, up to the first that needs no more than `enough`: a machine with other work takes the
/// threads of a runtime off their core in mid burst, which parts it.
async fn fewest_writes(rounds: usize, enough: usize) -> usize {
    let mut fewest = usize::MAX;
    for _ in 0..50 {
        fewest = fewest.min(writes_of(64, rounds, true, usize::MAX).await);
        if fewest <= enough {
            break;
        }
    }
    fewest
}

#[tokio::test]
async fn tasks_of_a_current_thread_runtime_share_writes() {
    let writes = writes_of(64, 20, true, usize::MAX).await;
    assert!(writes <= 64 * 20 / 40, "{writes} writes for 1,280 commands");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_of_one_worker_share_writes() {
    let enough = 64 * 20 / 20;
    let writes = fewest_writes(20, enough).await;
    assert!(writes <= enough, "{writes} writes for 1,280 commands");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_two_workers_share_writes() {
    let enough = 64 * 50 / 4;
    let writes = fewest_writes(50, enough).await;
    assert!(writes <= enough, "{writes} writes for 3,200 commands");
}

#[tokio::test]
async fn answers_and_requests_survive_chunks_of_one_byte() {
    let writes = writes_of(8, 5, true, 1).await;
    assert_eq!(writes, 8 * 5 * b"*1\r\n$4\r\nPING\r\n".len());
}

#[tokio::test]
async fn a_lone_task_needs_one_write_per_command() {
    assert_eq!(writes_of(1, 50, true, usize::MAX).await, 50);
}

#[tokio::test]
async fn a_large_write_does_not_wait_and_a_small_one_waits_once() {
    let (near, mut far) = duplex(64);
    let callers = Arc::new(AtomicUsize::new(2));
    let mut stream = Coalescing::new(near, Arc::clone(&callers), 16);
    let mut polls = 0;
    let mut write = |bytes: &'static [u8]| {
        let waker = futures_util::task::noop_waker();
        let mut cx = Context::from_waker(&waker);
        polls += 1;
        Pin::new(&mut stream).poll_write(&mut cx, bytes)
    };
    assert!(matches!(write(&[1; 16]), Poll::Ready(Ok(16))));
    assert!(write(&[2; 3]).is_pending());
    assert!(matches!(write(&[2; 5]), Poll::Ready(Ok(5))));
    assert!(write(&[3; 1]).is_pending(), "the next burst waits again");
    // A large write in the place of the small one ends the wait.
    assert!(matches!(write(&[3; 43]), Poll::Ready(Ok(43))));
    // The pipe is full: the stream below wakes the writer, and what is left goes without a wait.
    assert!(write(&[4; 2]).is_pending());
    assert!(write(&[4; 2]).is_pending());
    let mut received = [0; 64];
    far.read_exact(&mut received).await.unwrap();
    let waker = futures_util::task::noop_waker();
    let mut cx = Context::from_waker(&waker);
    let written = Pin::new(&mut stream).poll_write(&mut cx, &[4; 2]);
    assert!(matches!(written, Poll::Ready(Ok(2))));
}

#[tokio::test]
async fn a_lone_caller_does_not_wait() {
    let (near, _far) = duplex(64);
    let mut stream = Coalescing::new(near, Arc::new(AtomicUsize::new(1)), 16);
    let waker = futures_util::task::noop_waker();
    let mut cx = Context::from_waker(&waker);
    let written = Pin::new(&mut stream).poll_write(&mut cx, &[1; 3]);
    assert!(matches!(written, Poll::Ready(Ok(3))));
}
