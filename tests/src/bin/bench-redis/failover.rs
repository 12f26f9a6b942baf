//! How soon a store writes again when the sentinels have put another server in the place of a primary that was killed.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use state_core::{Clock, Key, Namespace, PutOptions, StateBackend, SystemClock};
use state_redis::{RedisConfig, RedisStore};
use state_tests::bench::{Figure, Outcome, Pace};
use state_tests::servers::{Running, Servers, Setup};
use tokio::task::JoinHandle;

use super::sides::value;

/// How soon a write must be acknowledged once the first sentinel has announced the new primary.
const WRITES_MS: f64 = 1_000.0;
/// An election takes its time.
const ROUNDS_MAX: usize = 5;
const PAUSE: Duration = Duration::from_millis(1);
/// A sentinel that announces nothing for so long never will.
const PATIENCE: Duration = Duration::from_secs(60);
const TO_MS: f64 = 1e3;
/// The store may be sooner than the announcement, because it asks the sentinels itself.
const LEAST_MS: f64 = 1.0;

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let servers = Servers::new(Setup::Sentinel).run()?;
    let store = RedisStore::connect_with(RedisConfig::from_url(servers.url())?).await?;
    let backend: Arc<dyn StateBackend> =
        Arc::new(store.open(Namespace::new("state-bench")?).await?);
    let mut rounds = Vec::new();
    for _ in 0..pace.rounds.min(ROUNDS_MAX) {
        rounds.push((writes_again(&servers, &backend).await?, WRITES_MS));
    }
    let case = "write after `+switch-master`".to_owned();
    Ok(vec![Figure::costs(case, "ms", "the goal", &rounds).with_goal(1.0)])
}

/// Kills the primary under one caller that writes all the time; the milliseconds from the first announcement of another
/// one to the first write that is acknowledged.
async fn writes_again(servers: &Running, backend: &Arc<dyn StateBackend>) -> Outcome<f64> {
    let clock = SystemClock::new();
    write(backend).await?;
    let killed = *servers.primaries().first().ok_or("no primary")?;
    let (announce, announced) = mpsc::channel();
    for sentinel in servers.sentinels() {
        listen(servers.node(sentinel)?.direct_address(), clock, announce.clone())?;
    }
    servers.kill(killed)?;
    let writing: JoinHandle<Duration> = tokio::spawn({
        let backend = Arc::clone(backend);
        async move {
            while write(&backend).await.is_err() {
                clock.sleep(PAUSE).await;
            }
            clock.monotonic()
        }
    });
    let announced = tokio::task::spawn_blocking(move || announced.recv_timeout(PATIENCE)).await??;
    let written = writing.await?;
    servers.restart(killed)?;
    servers.wait_until_settled()?;
    if servers.primaries().contains(&killed) {
        return Err("no other server has taken over".into());
    }
    Ok((written.saturating_sub(announced).as_secs_f64() * TO_MS).max(LEAST_MS))
}

async fn write(backend: &Arc<dyn StateBackend>) -> Outcome<()> {
    backend.put_opts(&Key::from("failover"), value(100), PutOptions::new()).await?;
    Ok(())
}

/// Subscribes to a sentinel, and tells when it announces another primary.
fn listen(
    sentinel: SocketAddr,
    clock: SystemClock,
    announce: mpsc::Sender<Duration>,
) -> Outcome<()> {
    let mut stream = TcpStream::connect(sentinel)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"SUBSCRIBE +switch-master\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    // The answer to the subscription is of six lines; each message has the word in front.
    for _ in 0..6 {
        lines.next().ok_or("a sentinel has hung up")??;
    }
    std::thread::spawn(move || {
        let told = lines.map_while(Result::ok).find(|line| line == "message");
        if told.is_some() {
            // Nobody listens any more when another sentinel was first.
            announce.send(clock.monotonic()).ok();
        }
    });
    Ok(())
}
