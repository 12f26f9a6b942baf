//! A server that answers as a test wants.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use redis::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with one command.
pub(super) enum Act {
    /// Answers as a server would: `GET` with its key, `INCR` with how often it was called.
    Usual,
    /// Answers with these bytes.
    Say(String),
    /// Answers as usual, one byte at a time.
    Dribble,
    /// Reads on and never answers anything on this connection again.
    FallSilent,
    /// Answers as usual and never reads anything from this connection again.
    Freeze,
    /// Writes these bytes and hangs up.
    SayAndHangUp(&'static str),
}

/// What a server knows, and what it has seen.
#[derive(Default)]
pub(super) struct State {
    pub(super) connections: AtomicUsize,
    pub(super) increments: AtomicUsize,
    pub(super) scripts: Mutex<HashSet<String>>,
    seen: Mutex<Vec<String>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Connections that `CLIENT KILL` named.
    killed: Mutex<Vec<String>>,
}

type Acting = dyn Fn(&[String], &State) -> Act + Send + Sync;

pub(super) struct Mock {
    state: Arc<State>,
    port: u16,
}

/// The answer to `GET key`.
pub(super) fn ok(key: &str) -> Value {
    Value::BulkString(key.as_bytes().to_vec())
}

/// Knows scripts once they were loaded, and answers their last argument.
pub(super) fn scripts(command: &[String], state: &State) -> Act {
    match command.first().map(String::as_str) {
        Some("SCRIPT") => {
            let digest = redis::Script::new(&command[2]).get_hash().to_owned();
            let answer = bulk(&digest);
            state.scripts.lock().insert(digest);
            Act::Say(answer)
        }
        Some("EVALSHA") if state.scripts.lock().contains(&command[1]) => {
            Act::Say(bulk(command.last().unwrap()))
        }
        Some("EVALSHA") => Act::Say("-NOSCRIPT No matching script.\r\n".into()),
        _ => Act::Usual,
    }
}

impl Mock {
    pub(super) async fn start(
        act: impl Fn(&[String], &State) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let act: Arc<Acting> = Arc::new(act);
        let accepting = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let serving = serve(stream, Arc::clone(&act), Arc::clone(&accepting));
                accepting.tasks.lock().push(tokio::spawn(serving));
            }
        });
        state.tasks.lock().push(task);
        Self { state, port }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The commands so far, in their order.
    pub(super) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(super) fn increments(&self) -> usize {
        self.state.increments.load(Ordering::SeqCst)
    }

    pub(super) fn killed(&self) -> Vec<String> {
        self.state.killed.lock().clone()
    }

    pub(super) fn forget_scripts(&self) {
        self.state.scripts.lock().clear();
    }

    /// Closes all connections and refuses new ones.
    pub(super) fn stop(&self) {
        for task in self.state.tasks.lock().drain(..) {
            task.abort();
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(mut stream: TcpStream, act: Arc<Acting>, state: Arc<State>) {
    let id = state.connections.load(Ordering::SeqCst);
    let mut received = Vec::new();
    let mut silent = false;
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        while let Some((command, used)) = parse(&received) {
            received.drain(..used);
            state.seen.lock().push(command.join(" "));
            if silent {
                continue;
            }
            let (answer, chunk) = match act(&command, &state) {
                Act::Usual => (usual(&command, id, &state), usize::MAX),
                Act::Say(answer) => (answer, usize::MAX),
                Act::Dribble => (usual(&command, id, &state), 1),
                Act::Freeze => {
                    let answer = usual(&command, id, &state);
                    drop(stream.write_all(answer.as_bytes()).await);
                    std::future::pending().await
                }
                Act::FallSilent => {
                    silent = true;
                    continue;
                }
                Act::SayAndHangUp(bytes) => {
                    drop(stream.write_all(bytes.as_bytes()).await);
                    return;
                }
            };
            for bytes in answer.as_bytes().chunks(chunk) {
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
                if chunk == 1 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

fn usual(command: &[String], id: usize, state: &State) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["PING"] => "+PONG\r\n".into(),
        ["ROLE"] => "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n".into(),
        ["CLIENT", "ID"] => format!(":{id}\r\n"),
        ["CLIENT", "KILL", "ID", killed] => {
            state.killed.lock().push((*killed).to_owned());
            ":1\r\n".into()
        }
        ["CLIENT", "LIST", ..] => bulk("id=1 flags=N db=0\n"),
        ["INCR", _] => format!(":{}\r\n", state.increments.fetch_add(1, Ordering::SeqCst) + 1),
        ["GET", key] => bulk(key),
        ["PING", text] => bulk(text),
        _ => "+OK\r\n".into(),
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The first command and its length; `None` until it is complete.
fn parse(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = number(bytes, 0, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, start) = number(bytes, at, b'$')?;
        at = start + length + 2;
        bytes.get(..at)?;
        words.push(String::from_utf8_lossy(&bytes[start..start + length]).into_owned());
    }
    Some((words, at))
}

/// The number of the line at `at`, which begins with `mark`, and where the next line begins.
fn number(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let text = std::str::from_utf8(rest[..end].strip_prefix(&[mark])?).ok()?;
    Some((text.parse().ok()?, at + end + 2))
}
