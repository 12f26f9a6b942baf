//! How long small gets take while values of 1 MiB stream, beside two plain connections that do the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use state_core::{Clock, SystemClock};
use state_tests::bench::{Caller, Figure, Outcome, quantile, spawn};

use super::ground::Ground;
use super::sides::{Keys, Ours, Plain, Work};

const SMALL_BYTES: usize = 100;
const LARGE_BYTES: usize = 1_048_576;
/// Within 1.3 times.
const GOAL: f64 = 1.0 / 1.3;
const SHARE: f64 = 0.99;
const TO_US: f64 = 1e6;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, small_lane) = (ground.backend().await?, ground.plain().await?);
    let large_lane = ground.plain().await?;
    let (small, large) = (Keys::new(SMALL_BYTES, 1_000), Keys::new(LARGE_BYTES, 8));
    small.fill(&*backend, small_lane.clone(), SMALL_BYTES).await?;
    large.fill(&*backend, small_lane.clone(), LARGE_BYTES).await?;
    let pace = ground.pace.with_time_ms(400, 1_000);
    let our_small = Ours { backend: Arc::clone(&backend), keys: small.clone(), work: Work::Get };
    let plain_small = Plain { connection: small_lane, keys: small, work: Work::Get };
    let mut figures = Vec::new();
    for (name, work) in Work::both(LARGE_BYTES) {
        let ours = Ours { backend: Arc::clone(&backend), keys: large.clone(), work: work.clone() };
        let plain = Plain { connection: large_lane.clone(), keys: large.clone(), work };
        let mut rounds = Vec::new();
        for round in 0..pace.rounds {
            let pair = if round % 2 == 0 {
                let first = behind(&our_small, &ours, pace.time).await?;
                (first, behind(&plain_small, &plain, pace.time).await?)
            } else {
                let first = behind(&plain_small, &plain, pace.time).await?;
                (behind(&our_small, &ours, pace.time).await?, first)
            };
            rounds.push(pair);
        }
        let case = format!("small get, p99, beside a stream of 1 MiB {name}s");
        figures.push(Figure::costs(case, "us", "two connections", &rounds).with_goal(GOAL));
    }
    Ok(figures)
}

/// The p99 of small calls in microseconds, while another task makes large ones.
async fn behind(small: &impl Caller, large: &impl Caller, time: Duration) -> Outcome<f64> {
    let clock = SystemClock::new();
    let stop = Arc::new(AtomicBool::new(false));
    let streaming = spawn(large, 0, &stop);
    let mut caller = small.for_task(0);
    let asking = tokio::spawn(async move {
        let (end, mut took) = (clock.monotonic() + time, Vec::new());
        while clock.monotonic() < end {
            let start = clock.monotonic();
            caller.call(took.len()).await?;
            took.push(clock.monotonic().saturating_sub(start).as_secs_f64() * TO_US);
        }
        Outcome::Ok(took)
    });
    let took = asking.await?;
    stop.store(true, Ordering::Relaxed);
    if streaming.await?? == 0 {
        return Err("no large value has passed".into());
    }
    Ok(quantile(took?, SHARE))
}
