//! A network that swallows everything: how soon calls succeed once it is healed, and how well deadlines are kept in it.

use std::sync::Arc;
use std::time::Duration;

use state_core::{
    Clock, ErrorKind, GetOptions, Key, Namespace, PutOptions, StateBackend, SystemClock,
};
use state_redis::{RedisConfig, RedisStore};
use state_tests::bench::{Figure, Outcome, Pace, quantile};
use state_tests::proxy::{Fault, Proxy};
use state_tests::servers::{Running, Servers, Setup};
use tokio::task::JoinHandle;

use super::sides::value;

/// How long the hole lasts, and how soon calls must succeed behind it.
const HOLE: Duration = Duration::from_millis(700);
const HEALED_MS: f64 = 1_000.0;
const PAUSE: Duration = Duration::from_millis(1);
/// A thousand calls are enough to see p99.9.
const TASKS: usize = 250;
const CALLS: usize = 4;
const DEADLINE: Duration = Duration::from_millis(200);
const SHARE: f64 = 0.999;
/// As well as the timer, but for what two measurements of the same thing differ.
const KEPT: f64 = 0.95;
const TO_MS: f64 = 1e3;

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let servers = Servers::new(Setup::Standalone).with_proxies().run()?;
    let proxy = servers.node(0)?.proxy().ok_or("no proxy")?;
    Ok(vec![healed(&servers, proxy, pace).await?, deadlines(&servers, proxy, pace).await?])
}

async fn open(servers: &Running, call_timeout: Option<Duration>) -> Outcome<Arc<dyn StateBackend>> {
    let mut config = RedisConfig::from_url(servers.url())?;
    if let Some(timeout) = call_timeout {
        config.call_timeout_ms = timeout.as_millis().try_into()?;
    }
    let store = RedisStore::connect_with(config).await?;
    Ok(Arc::new(store.open(Namespace::new("state-bench")?).await?))
}

/// One caller that calls again as soon as it is answered, whatever the answer: the time from the healing to its success.
async fn healed(servers: &Running, proxy: &Proxy, pace: Pace) -> Outcome<Figure> {
    let clock = SystemClock::new();
    let backend = open(servers, None).await?;
    let key = Key::from("healed");
    backend.put_opts(&key, value(100), PutOptions::new()).await?;
    let mut rounds = Vec::new();
    for _ in 0..pace.rounds {
        backend.get_opts(&key, GetOptions::new()).await?;
        proxy.set(Fault::BlackHole);
        let calling: JoinHandle<Duration> = tokio::spawn({
            let (backend, key) = (Arc::clone(&backend), key.clone());
            async move {
                while backend.get_opts(&key, GetOptions::new()).await.is_err() {
                    clock.sleep(PAUSE).await;
                }
                clock.monotonic()
            }
        });
        clock.sleep(HOLE).await;
        let within = calling.is_finished();
        proxy.set(Fault::Pass);
        let start = clock.monotonic();
        let success = calling.await?;
        if within {
            return Err("a call succeeded within the hole".into());
        }
        rounds.push((success.saturating_sub(start).as_secs_f64() * TO_MS, HEALED_MS));
    }
    let case = "success after a black hole".to_owned();
    Ok(Figure::costs(case, "ms", "the goal", &rounds).with_goal(1.0))
}

/// Many callers in the hole, beside as many that wait for a timer alone, at the same time.
async fn deadlines(servers: &Running, proxy: &Proxy, pace: Pace) -> Outcome<Figure> {
    let backend = open(servers, Some(DEADLINE)).await?;
    proxy.set(Fault::BlackHole);
    let mut rounds = Vec::new();
    for _ in 0..pace.rounds {
        let calls: Vec<_> = (0..TASKS).map(|task| in_the_hole(&backend, task)).collect();
        let timers: Vec<_> = (0..TASKS).map(|_| bare_timer()).collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for calls in calls {
            ours.extend(calls.await??);
        }
        for timers in timers {
            theirs.extend(timers.await?);
        }
        rounds.push((quantile(ours, SHARE), quantile(theirs, SHARE)));
    }
    proxy.set(Fault::Pass);
    let case = format!("deadline of {} ms, p99.9, {TASKS} tasks", DEADLINE.as_millis());
    Ok(Figure::costs(case, "ms", "bare timer", &rounds).with_goal(KEPT))
}

/// The milliseconds of each call, which must end with its deadline.
fn in_the_hole(backend: &Arc<dyn StateBackend>, task: usize) -> JoinHandle<Outcome<Vec<f64>>> {
    let (backend, clock) = (Arc::clone(backend), SystemClock::new());
    tokio::spawn(async move {
        let key = Key::from(format!("deadline:{task}"));
        let mut took = Vec::new();
        for _ in 0..CALLS {
            let start = clock.monotonic();
            let answer = backend.get_opts(&key, GetOptions::new()).await;
            let elapsed = clock.monotonic().saturating_sub(start);
            match answer {
                Err(error) if error.kind() == ErrorKind::Timeout => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Err("a call succeeded within the hole".into()),
            }
            if elapsed < DEADLINE / 2 {
                return Err("a call gave up long before its deadline".into());
            }
            took.push(elapsed.as_secs_f64() * TO_MS);
        }
        Ok(took)
    })
}

fn bare_timer() -> JoinHandle<Vec<f64>> {
    let clock = SystemClock::new();
    tokio::spawn(async move {
        let mut took = Vec::new();
        for _ in 0..CALLS {
            let start = clock.monotonic();
            drop(tokio::time::timeout(DEADLINE, std::future::pending::<()>()).await);
            took.push(clock.monotonic().saturating_sub(start).as_secs_f64() * TO_MS);
        }
        took
    })
}
