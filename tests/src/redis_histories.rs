//! Single-key histories of several callers on real servers, with resets injected, judged for linearizability.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::{Failed, Trial};
use state_conformance::linearizability::{Action, Answer, Call, Verdict, check};
use state_core::{
    DeleteOptions, Error, ErrorKind, GetOptions, Key, Outcome, Precondition, PutOptions, Resend,
    StateBackend, Version,
};
use state_redis::RedisBackend;

use crate::proxy::{Cut, Ending, Moment};
use crate::redis_stage::{Chance, Stage, effort, open, shared, trial};
use crate::servers::Setup;

const HISTORIES: usize = 300;
const HISTORIES_SOAK: usize = 5_000;
const CALLERS: u64 = 4;
const ROUNDS: u64 = 7;
/// What a history of this size never needs, unless it is far from linearizable.
const CONFIGURATIONS_MAX: usize = 1_000_000;

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    vec![trial("history::calls_on_one_key_are_linearizable_across_resets", setup, judged)]
}

fn judged(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.patient()?;
        config.retry_base_delay_ms = 1;
        let store = open(config).await?;
        let mut chance = Chance::new("histories")?;
        let (mut cuts, mut unknown, mut rejected) = (0, 0, 0);
        for number in 0..effort(HISTORIES, HISTORIES_SOAK) {
            let before: u64 = stage.proxies().map(crate::proxy::Proxy::cuts_done).sum();
            for proxy in stage.proxies() {
                proxy.cut(any_cut(&mut chance));
            }
            let calls = record(&store, number, &mut chance).await?;
            cuts += stage.proxies().map(crate::proxy::Proxy::cuts_done).sum::<u64>() - before;
            unknown += calls.iter().filter(|call| call.answer == Answer::Unknown).count();
            match check(&calls, CONFIGURATIONS_MAX) {
                Verdict::Linearizable => {}
                other => return Err(format!("history {number}: {other:?}\n{calls:#?}").into()),
            }
            for wrong in wrong_histories(&calls) {
                rejected += 1;
                let verdict = check(&wrong, CONFIGURATIONS_MAX);
                assert!(matches!(verdict, Verdict::Violation(_)), "a wrong history: {verdict:?}");
            }
        }
        assert!(cuts > 0 && unknown > 0, "{cuts} resets and {unknown} unknown answers");
        assert!(rejected > 0, "no history was made wrong");
        Ok(())
    })
}

fn any_cut(chance: &mut Chance) -> Cut {
    let moment = chance.pick(&Moment::ALL).unwrap_or(Moment::BeforeReply);
    let ending = chance.pick(&[Ending::Reset, Ending::Close]).unwrap_or(Ending::Reset);
    Cut::reset(1 + chance.below(CALLERS * ROUNDS), moment).with_ending(ending)
}

/// Several callers of one new key, all at once.
async fn record(
    store: &RedisBackend,
    number: usize,
    chance: &mut Chance,
) -> Result<Vec<Call>, Failed> {
    let time = Arc::new(AtomicU64::new(1));
    let callers = (0..CALLERS).map(|task| {
        let caller = Caller {
            store: shared(store),
            key: Key::from(format!("history:{number}")),
            time: Arc::clone(&time),
            chance: chance.fork(),
            task,
            seen: None,
        };
        tokio::spawn(caller.calls())
    });
    let callers: Vec<_> = callers.collect();
    let mut calls = Vec::new();
    for caller in callers {
        calls.extend(caller.await??);
    }
    Ok(calls)
}

/// The history with one answer that nothing explains: a value that nobody wrote, and one that was overwritten.
fn wrong_histories(calls: &[Call]) -> Vec<Vec<Call>> {
    let mut wrong = Vec::new();
    let read = |call: &Call| matches!(call.answer, Answer::Value(Some(_)));
    if let Some(place) = calls.iter().position(read) {
        let mut phantom = calls.to_vec();
        if let Some(call) = phantom.get_mut(place) {
            call.answer = Answer::Value(Some(u64::MAX));
        }
        wrong.push(phantom);
    }
    let end = calls.iter().map(|call| call.returned.max(call.called)).max().unwrap_or(0);
    let stale = [
        Call::new(end + 1, end + 2, Action::Put(u64::MAX - 1), Answer::Done),
        Call::new(end + 3, end + 4, Action::Put(u64::MAX), Answer::Done),
        Call::new(end + 5, end + 6, Action::Get, Answer::Value(Some(u64::MAX - 1))),
    ];
    wrong.push(calls.iter().copied().chain(stale).collect());
    wrong
}

/// One of the callers, and what it has seen last.
struct Caller {
    store: Arc<dyn StateBackend>,
    key: Key,
    time: Arc<AtomicU64>,
    chance: Chance,
    task: u64,
    seen: Option<(u64, Version)>,
}

impl Caller {
    async fn calls(mut self) -> Result<Vec<Call>, Error> {
        let mut calls = Vec::new();
        for round in 0..ROUNDS {
            let value = 1 + round * CALLERS + self.task;
            let action = match (self.chance.below(10), self.seen) {
                (0..=2, _) => Action::Get,
                (3..=4, _) => Action::Put(value),
                (5, _) => Action::Delete,
                (6, _) => Action::Create(value),
                (_, Some((seen, _))) => Action::CompareAndSet { seen, new: value },
                (_, None) => Action::Get,
            };
            let called = self.time.fetch_add(1, Ordering::SeqCst);
            let answer = self.make(action).await?;
            let returned = self.time.fetch_add(1, Ordering::SeqCst);
            // What is known not to have happened is no part of the history.
            calls.extend(answer.map(|answer| Call::new(called, returned, action, answer)));
        }
        Ok(calls)
    }

    async fn make(&mut self, action: Action) -> Result<Option<Answer>, Error> {
        let (value, precondition, done) = match action {
            Action::Put(value) => (value, Precondition::Always, Answer::Done),
            Action::Create(value) => (value, Precondition::Absent, Answer::Stored(true)),
            Action::CompareAndSet { new, .. } => {
                let version = self.seen.map_or(Precondition::Absent, |(_, seen)| seen.into());
                (new, version, Answer::Stored(true))
            }
            Action::Delete => {
                let options = DeleteOptions::new().with_resend(Resend::Never);
                let deleted = self.store.delete_opts(&self.key, options).await;
                return deleted
                    .map(|deleted| Some(Answer::Existed(deleted.existed)))
                    .or_else(left_open);
            }
            _ => {
                let entry = self.store.get_opts(&self.key, GetOptions::new()).await?;
                self.seen = entry.map(|entry| (number(&entry.value), entry.version));
                return Ok(Some(Answer::Value(self.seen.map(|(value, _)| value))));
            }
        };
        let options = PutOptions::new().with_precondition(precondition).with_resend(Resend::Never);
        match self.store.put_opts(&self.key, value.to_string().into(), options).await {
            Ok(written) => {
                self.seen = Some((value, written.version));
                Ok(Some(done))
            }
            Err(error) if refused(&error) => Ok(Some(Answer::Stored(false))),
            Err(error) => left_open(error),
        }
    }
}

fn refused(error: &Error) -> bool {
    error.kind() == ErrorKind::Conflict && error.outcome() == Outcome::NotApplied
}

/// What a failed write says about its effect, if it may have had one.
fn left_open(error: Error) -> Result<Option<Answer>, Error> {
    match (error.kind(), error.outcome()) {
        (_, Outcome::Unknown) => Ok(Some(Answer::Unknown)),
        (ErrorKind::Unavailable, Outcome::NotApplied) => Ok(None),
        _ => Err(error),
    }
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
}
