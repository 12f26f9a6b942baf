//! What many callers see of one key, recorded and judged as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use state_core::{
    DeleteOptions, ErrorKind, GetOptions, Key, Outcome, Precondition, PutOptions, Result,
    StateBackend, Version, Written,
};

use super::at_once;
use crate::Context;
use crate::linearizability::{Action, Answer, Call, Verdict, check};

const TASKS: u64 = 6;
const ROUNDS: u64 = 30;
/// What a history of this size never needs, unless it is far from linearizable.
const CONFIGURATIONS_MAX: usize = 500_000;

pub(super) async fn linearizable(cx: Context) {
    let time = Arc::new(AtomicU64::new(1));
    for history in 0..4 {
        let key = Key::from(format!("k{history}"));
        let calls = at_once(&cx, TASKS, |store, task| {
            let caller =
                Caller { store, key: key.clone(), time: Arc::clone(&time), task, seen: None };
            caller.calls()
        });
        let calls = calls.await.concat();
        match check(&calls, CONFIGURATIONS_MAX) {
            Verdict::Linearizable => {}
            Verdict::Violation(violation) => panic!("no order explains the answers: {violation}"),
            other => panic!("the history of {} calls was not judged: {other:?}", calls.len()),
        }
    }
}

/// One of the callers, and what it has seen last.
struct Caller {
    store: Arc<dyn StateBackend>,
    key: Key,
    time: Arc<AtomicU64>,
    task: u64,
    seen: Option<(u64, Version)>,
}

impl Caller {
    /// Makes calls of all kinds, one after another, and records them.
    async fn calls(mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for round in 0..ROUNDS {
            let value = 1 + round * TASKS + self.task;
            let action = match ((round * 7 + self.task * 3) % 10, self.seen) {
                (0..=2, _) => Action::Get,
                (3..=4, _) => Action::Put(value),
                (5, _) => Action::Delete,
                (6, _) => Action::Create(value),
                (_, Some((seen, _))) => Action::CompareAndSet { seen, new: value },
                (_, None) => Action::Get,
            };
            let called = self.time.fetch_add(1, Ordering::SeqCst);
            let answer = self.make(action).await;
            let returned = self.time.fetch_add(1, Ordering::SeqCst);
            calls.push(Call::new(called, returned, action, answer));
        }
        calls
    }

    async fn make(&mut self, action: Action) -> Answer {
        match action {
            Action::Get => {
                let entry = self.store.get_opts(&self.key, GetOptions::new()).await.unwrap();
                self.seen = entry.map(|entry| (number(&entry.value), entry.version));
                Answer::Value(self.seen.map(|(value, _)| value))
            }
            Action::Delete => match self.store.delete_opts(&self.key, DeleteOptions::new()).await {
                Ok(deleted) => Answer::Existed(deleted.existed),
                Err(error) => unknown(&error),
            },
            Action::Put(value) => {
                let written = self.put(value, Precondition::Always).await;
                self.stored(written, value, Answer::Done)
            }
            Action::Create(value) => {
                let written = self.put(value, Precondition::Absent).await;
                self.stored(written, value, Answer::Stored(true))
            }
            Action::CompareAndSet { new, .. } => {
                let version = self.seen.map_or(Precondition::Absent, |(_, seen)| seen.into());
                let written = self.put(new, version).await;
                self.stored(written, new, Answer::Stored(true))
            }
        }
    }

    async fn put(&self, value: u64, precondition: Precondition) -> Result<Written> {
        let options = PutOptions::new().with_precondition(precondition);
        self.store.put_opts(&self.key, value.to_string().into(), options).await
    }

    fn stored(&mut self, written: Result<Written>, value: u64, answer: Answer) -> Answer {
        match written {
            Ok(written) => {
                self.seen = Some((value, written.version));
                answer
            }
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && error.outcome() == Outcome::NotApplied =>
            {
                Answer::Stored(false)
            }
            Err(error) => unknown(&error),
        }
    }
}

/// The answer of a write that failed without saying whether it was applied.
fn unknown(error: &state_core::Error) -> Answer {
    assert_eq!(error.outcome(), Outcome::Unknown, "a write that nothing speaks against: {error}");
    Answer::Unknown
}

fn number(value: &[u8]) -> u64 {
    String::from_utf8_lossy(value).parse().unwrap()
}
