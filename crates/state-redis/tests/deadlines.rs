//! One call of a user has one deadline and leaves one line at error level, however many requests it takes. Alone in its
//! file: the subscriber is the process's.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[expect(unreachable_pub, reason = "shared by tests")]
mod log;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::Log;
use state_core::{ClearOptions, Namespace, Outcome, StateBackend, StateBackendExt, WriteOp};
use state_redis::{RedisBackend, RedisConfig, RedisStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_millis(500);
/// A machine may be slow; this is less than two deadlines in a row.
const SOON: Duration = Duration::from_millis(980);

/// Serves one connection until it is to swallow whatever comes.
async fn serve(mut stream: TcpStream, swallows: Arc<AtomicBool>) {
    let mut read = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(buffer.get(..count).unwrap()),
            _ => return,
        }
        if swallows.load(Ordering::SeqCst) {
            read.clear();
            continue;
        }
        while let Some((command, length)) = command(&read) {
            read.drain(..length);
            if stream.write_all(answer(&command)).await.is_err() {
                return;
            }
        }
    }
}

/// The first word of the first whole command, and the bytes that it takes.
fn command(read: &[u8]) -> Option<(String, usize)> {
    let mut at = 0;
    let mut line = |letter: u8| {
        let rest = read.get(at..)?;
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        assert_eq!(rest.first(), Some(&letter));
        let number: usize = std::str::from_utf8(rest.get(1..end)?).ok()?.parse().ok()?;
        let begin = at + end + 2;
        at = if letter == b'$' { begin + number + 2 } else { begin };
        (at <= read.len()).then_some((number, begin))
    };
    let (words, _) = line(b'*')?;
    let mut first = None;
    for _ in 0..words {
        let (length, begin) = line(b'$')?;
        let word = read.get(begin..begin + length)?;
        first.get_or_insert_with(|| String::from_utf8_lossy(word).into_owned());
    }
    first.map(|first| (first, at))
}

fn answer(command: &str) -> &'static [u8] {
    match command {
        "PING" => b"+PONG\r\n",
        "ROLE" => b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
        "GET" => b"$57\r\nlayout1 log=none index=none buckets=none partitioner=none\r\n",
        "CLIENT" | "WAIT" | "PUBLISH" => b":0\r\n",
        _ => b"+OK\r\n",
    }
}

struct Hole {
    store: RedisStore,
    backend: RedisBackend,
    log: Log,
}

impl Hole {
    /// A store whose server answers nothing any more.
    async fn open(log: Log, change: impl FnOnce(&mut RedisConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let swallows = Arc::clone(&swallows);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&swallows)));
                }
            }
        });
        let mut config = RedisConfig::from_url(&format!("redis://{address}")).unwrap();
        config.call_timeout_ms = DEADLINE.as_millis().try_into().unwrap();
        change(&mut config);
        let store = RedisStore::connect_with(config).await.unwrap();
        let backend = store.open(Namespace::new("deadlines").unwrap()).await.unwrap();
        swallows.store(true, Ordering::SeqCst);
        Self { store, backend, log }
    }

    /// Makes a call, which must fail by its deadline and be told once.
    async fn call<T>(&self, op: &str, call: impl Future<Output = state_core::Result<T>>) {
        self.log.clear();
        let began = Instant::now();
        let failed = call.await.is_err();
        let took = began.elapsed();
        assert!(failed, "{op}: it was answered");
        assert!(took < SOON, "{op}: after {took:?}");
        let errors = self.log.errors();
        assert_eq!(errors.len(), 1, "{op}: {errors:?}");
        let line = errors.concat();
        assert!(line.contains("Redis connection failed after") && line.contains(op), "{line}");
    }

    async fn all_calls(&self) {
        let (store, large) = (&self.backend, vec![b'x'; 2_000]);
        self.call("put", store.put("k", "v")).await;
        let each = async |writes: Vec<WriteOp>| {
            let answers = store.write_many(writes).await?;
            for answer in &answers {
                let outcome =
                    answer.as_ref().map_or_else(state_core::Error::outcome, |_| Outcome::Applied);
                assert_ne!(outcome, Outcome::Applied, "nothing was answered");
            }
            answers.into_iter().try_for_each(|answer| answer.map(drop))
        };
        let puts = || (0..1_000).map(|number| WriteOp::put(format!("k{number}"), large.clone()));
        self.call("write_many", each(puts().collect())).await;
        // In chunks one behind the other, because they share keys.
        let twice = puts().chain(puts()).take(1_000 - 1).chain([WriteOp::put("k0", "2")]);
        self.call("write_many", each(twice.collect())).await;
        let increments = (0..1_000).map(|number| WriteOp::increment(format!("k{number}"), 1));
        self.call("write_many", each(increments.collect())).await;
        self.call("get_many", async {
            let found = store.batch_get((0..1_000).map(|number| format!("k{number}"))).await;
            found.map(drop)
        })
        .await;
        self.call("count", store.count("")).await;
        self.call("list", store.list_keys("")).await;
        self.call("clear", store.clear_opts(ClearOptions::new(""))).await;
        self.call("open", self.store.open(Namespace::new("other").unwrap())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_has_one_deadline_and_one_line_in_the_log() {
    let log = Log::install();
    // One try takes all the time that there is, or there is time for many and for what comes behind them.
    Hole::open(log.clone(), |_| ()).await.all_calls().await;
    let hasty = |config: &mut RedisConfig| {
        config.read_timeout_ms = 80;
        config.write_timeout_ms = 80;
        config.batch_keys_max = 100;
        config.retries = 2;
        config.retry_base_delay_ms = 1;
    };
    let hole = Hole::open(log.clone(), hasty).await;
    hole.all_calls().await;
    hole.call("publish", hole.store.publish("channel", "message")).await;
    let spans = log.spans().join("\n");
    for op in ["open", "publish", "put", "write_many"] {
        assert!(spans.contains(&format!("op=\"{op}\"")), "no span for {op}: {spans}");
    }
}
