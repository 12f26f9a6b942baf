//! Single-key histories of several callers on real servers, with resets injected or another server taking over, judged for
//! linearizability.

mod failover;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::{Failed, Trial};
use state_conformance::linearizability::{Action, Answer, Call, Verdict, check};
use state_core::{
    DeleteOptions, Error, ErrorKind, GetOptions, Key, Outcome, Precondition, PutOptions, Resend,
    StateBackend, Version,
};
use state_redis::RedisBackend;

use crate::proxy::{Cut, Ending, Moment, Proxy};
use crate::redis_stage::{Chance, Stage, effort, open, shared, trial, until};
use crate::servers::Setup;

const CALLERS: u64 = 4;
/// What a history never needs, unless it is far from linearizable.
const CONFIGURATIONS_MAX: usize = 1_000_000;
/// The same for one that is wrong: all orders would have to be tried, which are many where answers are unknown.
const WRONG_MAX: usize = 20_000;

/// What is recorded: how many histories, in everyday runs and in long ones; how many calls each caller makes in one, and
/// how often connections are reset meanwhile.
#[derive(Clone, Copy, Debug)]
struct Plan {
    histories: usize,
    histories_soak: usize,
    rounds: u64,
    cuts: u64,
}

/// 28 calls.
const SHORT: Plan = Plan { histories: 300, histories_soak: 5_000, rounds: 7, cuts: 1 };
/// 1,000 calls.
const LONG: Plan = Plan { histories: 3, histories_soak: 50, rounds: 250, cuts: 4 };

/// 200 histories.
const LONG_PARTS_SOAK: usize = 4;

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    if setup == Setup::Sentinel {
        let name = "history::calls_on_one_key_are_linearizable_across_a_failover";
        return vec![trial(name, setup, failover::judged)];
    }
    let short = "history::calls_on_one_key_are_linearizable_across_resets";
    let mut trials = vec![trial(short, setup, |stage| judged(stage, SHORT))];
    let long = "history::a_thousand_calls_on_one_key_are_linearizable";
    let everyday = usize::from(setup.is_one_server());
    if effort(everyday, 1) == 1 {
        trials.push(trial(long, setup, |stage| judged(stage, LONG)));
    }
    // As many again as one test has time for.
    for part in 2..=effort(1, LONG_PARTS_SOAK) {
        trials.push(trial(&format!("{long}, part {part}"), setup, |stage| judged(stage, LONG)));
    }
    trials
}

fn cuts_done(stage: &Stage) -> u64 {
    stage.proxies().map(Proxy::cuts_done).sum()
}

fn judged(stage: &Stage, plan: Plan) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.patient()?;
        config.retry_base_delay_ms = 1;
        let store = open(config).await?;
        let mut chance = Chance::new("histories")?;
        let (mut cuts, mut unknown, mut rejected) = (0, 0, 0);
        for number in 0..effort(plan.histories, plan.histories_soak) {
            let before = cuts_done(stage);
            let calls = record(stage, &store, plan, number, &mut chance).await?;
            cuts += cuts_done(stage) - before;
            unknown += calls.iter().filter(|call| call.answer == Answer::Unknown).count();
            rejected += judge(number, &calls)?;
        }
        assert!(cuts > 0 && unknown > 0, "{cuts} resets and {unknown} unknown answers");
        assert!(rejected > 0, "no history was made wrong");
        Ok(())
    })
}

/// The history must be linearizable, and what is made wrong of it must not. How many wrong ones were rejected: where many
/// answers are unknown, the search may be given up before all is tried.
fn judge(number: usize, calls: &[Call]) -> Result<u64, Failed> {
    match check(calls, CONFIGURATIONS_MAX) {
        Verdict::Linearizable => {}
        other => return Err(format!("history {number}: {other:?}\n{calls:#?}").into()),
    }
    let verdicts = wrong_histories(calls).into_iter().map(|wrong| check(&wrong, WRONG_MAX));
    let mut rejected = 0;
    for verdict in verdicts {
        assert_ne!(verdict, Verdict::Linearizable, "a wrong history");
        rejected += u64::from(matches!(verdict, Verdict::Violation(_)));
    }
    Ok(rejected)
}

fn any_cut(plan: Plan, chance: &mut Chance) -> Cut {
    let moment = chance.pick(&Moment::ALL).unwrap_or(Moment::BeforeReply);
    let ending = chance.pick(&[Ending::Reset, Ending::Close]).unwrap_or(Ending::Reset);
    Cut::reset(1 + chance.below(CALLERS * plan.rounds / plan.cuts), moment).with_ending(ending)
}

/// Several callers of one new key, all at once, while connections are reset.
async fn record(
    stage: &Stage,
    store: &RedisBackend,
    plan: Plan,
    number: usize,
    chance: &mut Chance,
) -> Result<Vec<Call>, Failed> {
    let arm = |chance: &mut Chance| {
        for proxy in stage.proxies() {
            proxy.cut(any_cut(plan, chance));
        }
    };
    arm(chance);
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
        tokio::spawn(caller.calls(plan.rounds))
    });
    let callers: Vec<_> = callers.collect();
    let (mut met, mut left) = (cuts_done(stage), plan.cuts - 1);
    until("all callers are done", || {
        let done = cuts_done(stage);
        if done > met && left > 0 {
            (met, left) = (done, left - 1);
            arm(chance);
        }
        let ended = callers.iter().all(tokio::task::JoinHandle::is_finished).then_some(());
        async move { ended }
    })
    .await?;
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
    async fn calls(mut self, rounds: u64) -> Result<Vec<Call>, Error> {
        let mut calls = Vec::new();
        for round in 0..rounds {
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
