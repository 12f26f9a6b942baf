//! What the wire does to writes and answers, on a stream in memory.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, ready};

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

use super::*;
use crate::command::Command;

/// Counts the writes that reach the stream below and lets each take at most `chunk_bytes`.
struct Counted<S> {
    stream: S,
    writes: Arc<AtomicUsize>,
    chunk_bytes: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
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

impl Wire {
    /// Sends one command and waits for its answer.
    async fn one(&self, command: &Command) -> Result<Value, Trouble> {
        loop {
            if let Some(waiting) = self.begin(command, None)? {
                let answer = std::future::poll_fn(|cx| waiting.poll_answer(cx)).await?;
                let Answers::One(answer) = answer else { panic!("several answers: {answer:?}") };
                return Ok(answer);
            }
            self.room().await;
        }
    }

    /// Sends several, for which there is room, and waits for their answers.
    async fn many(&self, commands: &[Command]) -> Result<Vec<Value>, Trouble> {
        let waiting = self.begin_many(commands, None)?.unwrap();
        let answers = std::future::poll_fn(|cx| waiting.poll_answer(cx)).await?;
        let Answers::Many(answers) = answers else { panic!("one answer: {answers:?}") };
        Ok(answers)
    }
}

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn ping() -> Command {
    Command::new("PING")
}

/// A server that answers every `PING` with `+PONG`, `chunk_bytes` at a time.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, chunk_bytes: usize) {
    let mut buffer = [0; 4096];
    let mut received = 0;
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let answered = received / PING.len();
        received += count;
        let answers = b"+PONG\r\n".repeat(received / PING.len() - answered);
        for chunk in answers.chunks(chunk_bytes) {
            stream.write_all(chunk).await.unwrap();
        }
    }
}

/// Sends `rounds` pings from each of `tasks` tasks over `stream` and returns the number of writes it took.
async fn writes_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    tasks: usize,
    rounds: usize,
    chunk_bytes: usize,
) -> usize {
    let writes = Arc::new(AtomicUsize::new(0));
    let (wire, driver) = Wire::over(Counted { stream, writes: Arc::clone(&writes), chunk_bytes });
    let driver = tokio::spawn(driver);
    let callers = (0..tasks).map(|_| {
        let wire = wire.clone();
        tokio::spawn(async move {
            for _ in 0..rounds {
                let answer = wire.one(&ping()).await.unwrap();
                assert_eq!(answer, Value::SimpleString("PONG".to_owned()));
            }
        })
    });
    for joined in join_all(callers).await {
        joined.unwrap();
    }
    // The server sees the end of the stream.
    driver.abort();
    assert!(driver.await.is_err_and(|end| end.is_cancelled()));
    writes.load(Ordering::Relaxed)
}

/// The same with a server on the same runtime.
async fn writes_of(tasks: usize, rounds: usize, chunk_bytes: usize) -> usize {
    let (near, far) = duplex(1 << 20);
    tokio::spawn(answer(far, chunk_bytes));
    writes_over(near, tasks, rounds, chunk_bytes).await
}

/// The same with 64 tasks and a server that is elsewhere, as servers are: it answers while other tasks run.
async fn writes_to_a_socket(rounds: usize) -> usize {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = std::thread::spawn(move || {
        let (far, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            answer(tokio::net::TcpStream::from_std(far).unwrap(), usize::MAX).await;
        });
    });
    let writes = writes_over(stream, 64, rounds, usize::MAX).await;
    server.join().unwrap();
    writes
}

/// The fewest writes of several runs, up to the first that needs no more than `enough`: a machine
/// with other work takes the threads of a runtime off their core in mid burst, which parts it.
async fn fewest_writes(rounds: usize, enough: usize) -> usize {
    let mut fewest = usize::MAX;
    for _ in 0..50 {
        fewest = fewest.min(writes_to_a_socket(rounds).await);
        if fewest <= enough {
            break;
        }
    }
    fewest
}

#[tokio::test]
async fn tasks_of_a_current_thread_runtime_share_writes() {
    let enough = 64 * 20 / 40;
    let writes = fewest_writes(20, enough).await;
    assert!(writes <= enough, "{writes} writes for 1,280 commands");
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
    assert_eq!(writes_of(8, 5, 1).await, 8 * 5 * PING.len());
}

#[tokio::test]
async fn a_lone_task_needs_one_write_per_command() {
    assert_eq!(writes_of(1, 50, usize::MAX).await, 50);
}

#[tokio::test]
async fn large_and_small_requests_keep_their_order() {
    let (near, mut far) = duplex(1 << 16);
    let (wire, driver) = Wire::over(near);
    tokio::spawn(driver);
    let sizes = [1, APART_BYTES, 7, BURST_BYTES, 3, 5 * BURST_BYTES, 0, APART_BYTES, 2];
    let commands = sizes.map(|size| {
        let mut command = Command::new("ECHO");
        command.arg(vec![b'x'; size].as_slice());
        command
    });
    let wanted = Command::pack_all(&commands);
    let echo = tokio::spawn(async move {
        let mut received = vec![0; wanted.len()];
        far.read_exact(&mut received).await.unwrap();
        assert!(received == wanted, "in their order and whole");
        for size in sizes {
            let head = format!("${size}\r\n");
            far.write_all(&[head.as_bytes(), &vec![b'x'; size], b"\r\n"].concat()).await.unwrap();
        }
        far
    });
    let asked = commands.iter().map(|command| wire.one(command));
    for (size, answer) in sizes.into_iter().zip(join_all(asked).await) {
        assert_eq!(answer.unwrap(), Value::BulkString(vec![b'x'; size]));
    }
    echo.await.unwrap();
}

#[tokio::test]
async fn a_pipeline_has_all_its_answers_with_the_errors_among_them() {
    let (near, mut far) = duplex(1 << 16);
    let (wire, driver) = Wire::over(near);
    tokio::spawn(driver);
    let pipeline = [ping(), ping(), ping()];
    far.write_all(b"").await.unwrap();
    let get = Command::new("GET");
    let (asked, other) = (wire.many(&pipeline), wire.one(&get));
    let served = async {
        far.read_exact(&mut vec![0; 3 * PING.len()]).await.unwrap();
        far.write_all(b"+OK\r\n-ERR no\r\n*1\r\n:7\r\n$-1\r\n").await.unwrap();
    };
    let (answers, other, ()) = tokio::join!(asked, other, served);
    let answers = answers.unwrap();
    assert!(matches!(answers[1], Value::ServerError(_)), "{answers:?}");
    assert_eq!((&answers[0], &answers[2]), (&Value::Okay, &Value::Array(vec![Value::Int(7)])));
    assert_eq!(other.unwrap(), Value::Nil);
    assert_eq!(wire.many(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_said_before_the_first_request_is_its_answer() {
    let (near, mut far) = duplex(1 << 10);
    let (wire, driver) = Wire::over(near);
    let driver = tokio::spawn(driver);
    far.write_all(b"-ERR max number of clients reached\r\n").await.unwrap();
    tokio::task::yield_now().await;
    let answer = wire.one(&ping()).await.unwrap();
    assert!(matches!(answer, Value::ServerError(_)), "{answer:?}");
    // Later nothing comes unasked.
    far.write_all(b"+OK\r\n").await.unwrap();
    driver.await.unwrap();
    assert!(wire.one(&ping()).await.is_err());
}

fn is_sent(answer: &Result<Value, Trouble>) -> bool {
    answer.as_ref().is_err_and(|trouble| trouble.failure().may_still_apply())
}

#[tokio::test]
async fn a_request_that_was_not_written_is_known_to_have_had_no_effect() {
    let (near, far) = duplex(1 << 10);
    let (wire, driver) = Wire::over(near);
    // Nobody polls the driver: nothing is taken.
    let ping = ping();
    let (answer, ()) = tokio::join!(wire.one(&ping), async { drop(driver) });
    assert!(answer.is_err() && !is_sent(&answer), "{answer:?}");
    let answer = wire.one(&ping).await;
    assert!(answer.is_err() && !is_sent(&answer), "{answer:?}");
    drop(far);
}

#[tokio::test]
async fn a_request_that_was_written_may_have_had_an_effect() {
    for by_the_server in [true, false] {
        let (near, mut far) = duplex(1 << 10);
        let (wire, driver) = Wire::over(near);
        let driver = tokio::spawn(driver);
        let ping = ping();
        let cut = async {
            far.read_exact(&mut vec![0; PING.len()]).await.unwrap();
            if by_the_server {
                drop(far);
            } else {
                driver.abort();
            }
        };
        let told = async {
            let answer = wire.one(&ping).await;
            assert!(wire.has_ended(), "callers are told before others are kept away");
            answer
        };
        let (answer, ()) = tokio::join!(told, cut);
        assert!(is_sent(&answer), "{by_the_server}: {answer:?}");
    }
}

#[tokio::test]
async fn what_waits_behind_a_request_that_is_cut_was_not_written() {
    let (near, mut far) = duplex(1 << 10);
    let (wire, driver) = Wire::over(near);
    let driver = tokio::spawn(driver);
    let (mut large, ping) = (Command::new("SET"), ping());
    large.arg(vec![b'x'; BURST_BYTES].as_slice());
    let cut = async {
        far.read_exact(&mut [0; 100]).await.unwrap();
        driver.abort();
    };
    let (large, behind, ()) = tokio::join!(wire.one(&large), wire.one(&ping), cut);
    assert!(is_sent(&large), "{large:?}");
    assert!(behind.is_err() && !is_sent(&behind), "{behind:?}");
}

#[tokio::test]
async fn callers_wait_while_nothing_is_taken_and_lose_nothing() {
    const CALLERS: usize = 40;
    let (near, mut far) = duplex(1 << 12);
    let (wire, driver) = Wire::over(near);
    let value = vec![b'x'; BURST_BYTES];
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (wire, mut command) = (wire.clone(), Command::new("SET"));
            command.arg(value.as_slice());
            tokio::spawn(async move { wire.one(&command).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let waiting = wire.shared.queue.lock().bytes;
    assert!(waiting < WAITING_BYTES_MAX + 2 * BURST_BYTES, "{waiting} bytes");
    tokio::spawn(driver);
    let served = tokio::spawn(async move {
        let mut command = Command::new("SET");
        command.arg(value.as_slice());
        let mut received = Command::pack_all(&[command]);
        for _ in 0..CALLERS {
            far.read_exact(&mut received).await.unwrap();
            far.write_all(b"+OK\r\n").await.unwrap();
        }
        far
    });
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), Value::Okay);
    }
    served.await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_whole_command_and_an_answer_to_nobody() {
    let (near, far) = duplex(1 << 10);
    let (wire, driver) = Wire::over(near);
    {
        let ping = ping();
        let mut given_up = std::pin::pin!(wire.one(&ping));
        assert!(futures_util::poll!(given_up.as_mut()).is_pending());
    }
    tokio::spawn(driver);
    tokio::spawn(answer(far, usize::MAX));
    assert_eq!(wire.one(&ping()).await.unwrap(), Value::SimpleString("PONG".to_owned()));
}
