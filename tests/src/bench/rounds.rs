//! Rounds in which two sides take turns, and what comes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Figure, Outcome, say};
use state_core::{Clock, SystemClock};
use tokio::task::JoinHandle;

/// How often a round may be measured again because a call failed: on a busy machine the other side's short timeouts strike.
const FAILURES_MAX: usize = 3;

/// What a task does again and again.
pub trait Caller: Sized + Send + 'static {
    /// The caller for the task with this number.
    #[must_use]
    fn for_task(&self, task: usize) -> Self;

    /// Makes one call; `number` says which of the keys it is about.
    fn call(&mut self, number: usize) -> impl Future<Output = Outcome<()>> + Send;
}

/// How many rounds there are, and how long each side has in one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Pace {
    /// Whether the run is to be short.
    pub quick: bool,
    /// How many rounds there are.
    pub rounds: usize,
    /// How long each side is measured in one.
    pub time: Duration,
}

impl Pace {
    /// The pace of a short run, or of a whole one.
    pub fn new(quick: bool) -> Self {
        let (rounds, ms) = if quick { (5, 120) } else { (15, 400) };
        Self { quick, rounds, time: Duration::from_millis(ms) }
    }

    /// The same with another time for each side.
    #[must_use]
    pub fn with_time_ms(mut self, quick_ms: u64, ms: u64) -> Self {
        self.time = Duration::from_millis(if self.quick { quick_ms } else { ms });
        self
    }

    /// The calls per second of both sides with so many tasks. The sides take turns in going first.
    ///
    /// # Errors
    /// That of a call that fails again and again.
    pub async fn rates(
        self,
        case: String,
        against: &str,
        tasks: usize,
        ours: &impl Caller,
        theirs: &impl Caller,
    ) -> Outcome<Figure> {
        let warm = self.time / 4;
        rate(tasks, warm, ours).await?;
        rate(tasks, warm, theirs).await?;
        let (mut rounds, mut failures) = (Vec::new(), 0);
        while rounds.len() < self.rounds {
            match self.round(rounds.len(), tasks, ours, theirs).await {
                Ok(pair) => rounds.push(pair),
                Err(error) if failures < FAILURES_MAX => {
                    failures += 1;
                    say(format_args!("a round of `{case}` is measured again: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Figure::rates(case, "calls/s", against, &rounds))
    }

    async fn round(
        self,
        round: usize,
        tasks: usize,
        ours: &impl Caller,
        theirs: &impl Caller,
    ) -> Outcome<(f64, f64)> {
        if round.is_multiple_of(2) {
            let first = rate(tasks, self.time, ours).await?;
            return Ok((first, rate(tasks, self.time, theirs).await?));
        }
        let first = rate(tasks, self.time, theirs).await?;
        Ok((rate(tasks, self.time, ours).await?, first))
    }
}

/// Calls per second of so many tasks together.
///
/// # Errors
/// That of a call.
pub async fn rate(tasks: usize, time: Duration, caller: &impl Caller) -> Outcome<f64> {
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..tasks).map(|task| spawn(caller, task, &stop)).collect();
    clock.sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for task in tasks {
        calls += task.await??;
    }
    Ok(number(calls) / clock.monotonic().saturating_sub(start).as_secs_f64())
}

/// Lets a task make calls until it is told to stop; it answers how many there were.
pub fn spawn(
    caller: &impl Caller,
    task: usize,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Outcome<usize>> {
    let (mut caller, stop) = (caller.for_task(task), Arc::clone(stop));
    tokio::spawn(async move {
        let mut calls = 0;
        while !stop.load(Ordering::Relaxed) {
            // Tasks begin at different keys, and each visits all of them.
            caller.call(task * 7_919 + calls).await?;
            calls += 1;
        }
        Ok(calls)
    })
}

/// The smallest value that this share of all values does not exceed; 0 for none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list, from a share between 0 and 1"
    )]
    let place = (number(values.len()) * share).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=1_000).rev().map(f64::from).collect();
        let at = |share: f64| quantile(values.clone(), share).to_string();
        assert_eq!(
            ["500", "990", "999", "1000"],
            [at(0.5), at(0.99), at(0.999), at(1.0)].each_ref().map(String::as_str)
        );
        assert_eq!(quantile(vec![3.0], 0.01).to_string(), "3");
        assert_eq!(quantile(Vec::new(), 0.5).to_string(), "0");
    }
}
