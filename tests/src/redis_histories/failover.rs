//! Histories with a failover in the middle. Every call, a read too, waits until both replicas have acknowledged what it
//! depends on: a plain read may show what is lost when another server takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libtest_mimic::Failed;
use state_conformance::linearizability::{Action, Answer, Call};
use state_core::{
    Acks, Error, ErrorKind, IncrementOptions, Key, Outcome, Precondition, PutOptions, Resend,
    StateBackend, Version,
};
use state_redis::RedisBackend;

use super::{CALLERS, judge, refused};
use crate::redis_stage::{Chance, Stage, effort, open, shared, until, until_so};

const HISTORIES: usize = 1;
const HISTORIES_SOAK: usize = 20;
/// Calls with a known answer before the failover, and after it.
const ENOUGH: u64 = 150;
/// What is there at first; later values are greater.
const FIRST: u64 = 1;
/// Whichever replica takes over has acknowledged the write.
const ACKS: Acks = Acks::Replicas(2);

pub(super) fn judged(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.patient()?;
        config.acks_timeout_ms = 500;
        let store = open(config).await?;
        let mut chance = Chance::new("histories across failovers")?;
        let mut rejected = 0;
        for number in 0..effort(HISTORIES, HISTORIES_SOAK) {
            let calls = record(stage, &store, number, &mut chance).await?;
            assert!(calls.len() as u64 >= 2 * ENOUGH, "only {} calls", calls.len());
            rejected += judge(number, &calls)?;
        }
        assert!(rejected > 0, "no wrong history was rejected");
        Ok(())
    })
}

async fn record(
    stage: &Stage,
    store: &RedisBackend,
    number: usize,
    chance: &mut Chance,
) -> Result<Vec<Call>, Failed> {
    let key = Key::from(format!("history:{number}"));
    acknowledged(&*shared(store)).await?;
    let options = PutOptions::new().with_acks(ACKS);
    store.put_opts(&key, FIRST.to_string().into(), options).await?;
    let mut calls = vec![Call::new(1, 2, Action::Put(FIRST), Answer::Done)];
    let (time, known) = (Arc::new(AtomicU64::new(3)), Arc::new(AtomicU64::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let callers = (0..CALLERS).map(|task| {
        let caller = Caller {
            store: shared(store),
            key: key.clone(),
            time: Arc::clone(&time),
            known: Arc::clone(&known),
            stop: Arc::clone(&stop),
            chance: chance.fork(),
            task,
            seen: None,
        };
        tokio::spawn(caller.calls())
    });
    let callers: Vec<_> = callers.collect();
    let ended = || callers.iter().any(tokio::task::JoinHandle::is_finished);
    let now = || known.load(Ordering::SeqCst);
    let go_on = || {
        let enough = now() + ENOUGH;
        until_so("calls are answered", move || now() >= enough || ended())
    };
    go_on().await?;
    stage.fail_over().await?;
    stage.servers.wait_until_settled()?;
    go_on().await?;
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        calls.extend(caller.await??);
    }
    Ok(calls)
}

/// Waits until both replicas acknowledge again, so that a failover leaves few answers unknown.
async fn acknowledged(store: &dyn StateBackend) -> Result<(), Failed> {
    until("both replicas acknowledge", || async {
        let options = PutOptions::new().with_acks(ACKS);
        store.put_opts(&Key::from("probe"), "1".into(), options).await.ok()
    })
    .await?;
    Ok(())
}

/// One of the callers, and what it has seen last.
struct Caller {
    store: Arc<dyn StateBackend>,
    key: Key,
    time: Arc<AtomicU64>,
    known: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    chance: Chance,
    task: u64,
    seen: Option<(u64, Version)>,
}

impl Caller {
    async fn calls(mut self) -> Result<Vec<Call>, Failed> {
        let mut calls = Vec::new();
        for round in 1_u64.. {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let value = FIRST + round * CALLERS + self.task;
            let action = match (self.chance.below(10), self.seen) {
                (0..=3, _) | (7.., None) => Action::Get,
                (4..=6, _) => Action::Put(value),
                (_, Some((seen, _))) => Action::CompareAndSet { seen, new: value },
            };
            let called = self.time.fetch_add(1, Ordering::SeqCst);
            let answer = self.make(action).await?;
            let returned = self.time.fetch_add(1, Ordering::SeqCst);
            match answer {
                Some(Answer::Unknown) => {
                    calls.push(Call::new(called, returned, action, Answer::Unknown));
                    acknowledged(&*self.store).await?;
                }
                Some(answer) => {
                    calls.push(Call::new(called, returned, action, answer));
                    self.known.fetch_add(1, Ordering::SeqCst);
                }
                // What has not happened, or is not known to last, says nothing.
                None => acknowledged(&*self.store).await?,
            }
        }
        Ok(calls)
    }

    async fn make(&mut self, action: Action) -> Result<Option<Answer>, Error> {
        let (value, precondition, done) = match action {
            Action::Put(value) => (value, Precondition::Always, Answer::Done),
            Action::CompareAndSet { new, .. } => {
                let version = self.seen.map_or(Precondition::Absent, |(_, seen)| seen.into());
                (new, version, Answer::Stored(true))
            }
            _ => return self.read().await,
        };
        let options = PutOptions::new()
            .with_precondition(precondition)
            .with_acks(ACKS)
            .with_resend(Resend::Never);
        match self.store.put_opts(&self.key, value.to_string().into(), options).await {
            Ok(written) => {
                self.seen = Some((value, written.version));
                Ok(Some(done))
            }
            // The version may be that of a read, and the value be there: that says nothing.
            Err(error) if refused(&error) => {
                self.seen = None;
                Ok(None)
            }
            Err(error) => left_open(error),
        }
    }

    /// What is there, by a write that changes nothing: it is acknowledged, and all that came before it.
    async fn read(&mut self) -> Result<Option<Answer>, Error> {
        let options = IncrementOptions::new().with_acks(ACKS).with_resend(Resend::Never);
        match self.store.increment_opts(&self.key, 0, options).await {
            Ok(read) => {
                let value = u64::try_from(read.value).unwrap_or(u64::MAX);
                self.seen = Some((value, read.version));
                Ok(Some(Answer::Value(Some(value))))
            }
            Err(error) => left_open(error).map(|_| None),
        }
    }
}

/// What a failed write says about its effect, if it may have had one: what its primary alone has may be lost.
fn left_open(error: Error) -> Result<Option<Answer>, Error> {
    use ErrorKind::{Overloaded, Timeout, Unacknowledged, Unavailable};
    match (error.kind(), error.outcome()) {
        (Unavailable | Timeout | Overloaded, Outcome::NotApplied) => Ok(None),
        (Unavailable | Timeout | Overloaded | Unacknowledged, _) | (_, Outcome::Unknown) => {
            Ok(Some(Answer::Unknown))
        }
        _ => Err(error),
    }
}
