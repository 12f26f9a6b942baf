//! Runs one clause: a fixture, a runtime and a thread of its own, and a deadline.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use state_core::{BoxFuture, Clock, Result, SystemClock};
use tokio::runtime::{Builder, Runtime};

use crate::clause::Declared;
use crate::model_runs::ModelRuns;
use crate::{Clause, Status, SubjectKind, ToldBy, Verdict};

/// What clauses are run on.
pub(crate) trait Bench: Send + Sync {
    /// Which clauses can be run.
    fn kind(&self) -> SubjectKind;

    /// Makes a clause ready, on a store of its own.
    fn prepare(
        &self,
        clause: &'static Clause,
        model_runs: ModelRuns,
    ) -> BoxFuture<'static, Result<Prepared>>;

    /// Finds out with a store of its own what decides which clauses apply.
    fn declared(&self) -> BoxFuture<'static, Result<Declared>>;
}

/// A clause that can be run.
pub(crate) struct Prepared {
    /// Decides the clause.
    pub(crate) decided: BoxFuture<'static, ()>,
    /// Removes what is there afterwards and tells what is left.
    pub(crate) cleaned: BoxFuture<'static, Option<String>>,
}

/// The most that a thread which blocks gets on top of the deadline before it is given up.
const GRACE_MAX: Duration = Duration::from_secs(5);

/// Runs a clause that applies, on a thread of its own, so that even a backend that blocks is
/// given up after the deadline.
pub(crate) fn run(
    bench: &Arc<dyn Bench>,
    clause: &'static Clause,
    deadline: Duration,
    model_runs: ModelRuns,
) -> Verdict {
    let clock = SystemClock::new();
    let started = clock.monotonic();
    let (sender, receiver) = mpsc::sync_channel(1);
    let bench = Arc::clone(bench);
    // A clause that waits is ended by its runtime; only one that blocks is given up from here.
    let patience = deadline.saturating_add(deadline.min(GRACE_MAX));
    let spawned = thread::Builder::new().name(clause.id.to_owned()).spawn(move || {
        let ran = quietly(|| run_here(&*bench, clause, deadline, model_runs));
        // The receiver is gone when the deadline has passed: nobody wants to know any more.
        drop(sender.send(ran.unwrap_or_else(|message| (Err((ToldBy::Setup, message)), None))));
    });
    let (result, leftovers) = match spawned.map(|_| receiver.recv_timeout(patience)) {
        Ok(Ok(ran)) => ran,
        Ok(Err(RecvTimeoutError::Timeout)) => (Err(too_late(deadline)), None),
        Ok(Err(RecvTimeoutError::Disconnected)) => (Err(unready("its thread ended")), None),
        Err(error) => (Err(unready(format!("no thread can be started: {error}"))), None),
    };
    let (status, told_by) = match result {
        Ok(()) if clause.unless.is_empty() => (Status::Passed, None),
        Ok(()) => (Status::Refused, None),
        Err((told_by, message)) => (Status::Failed(message), Some(told_by)),
    };
    let duration = clock.monotonic().saturating_sub(started);
    Verdict { clause, status, told_by, leftovers, duration }
}

/// What decides which clauses apply, found out on a runtime of its own.
pub(crate) fn declared(bench: &dyn Bench) -> Result<Declared, String> {
    let runtime = runtime(false)?;
    let declared = runtime.block_on(bench.declared());
    runtime.shutdown_background();
    declared.map_err(|error| format!("the store cannot be opened: {error}"))
}

/// The verdict, or what told that the clause is broken and what it said; and what is left over.
type Ran = (Result<(), (ToldBy, String)>, Option<String>);

fn run_here(
    bench: &dyn Bench,
    clause: &'static Clause,
    deadline: Duration,
    model_runs: ModelRuns,
) -> Ran {
    let runtime = match runtime(clause.threads) {
        Ok(runtime) => runtime,
        Err(message) => return (Err(unready(message)), None),
    };
    let ran = runtime.block_on(async {
        let preparing = bench.prepare(clause, model_runs);
        let prepared = match tokio::time::timeout(deadline, preparing).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                return (Err(unready(format!("the fixture failed: {error}"))), None);
            }
            Err(_elapsed) => return (Err(unready(late(deadline))), None),
        };
        let decided = AssertUnwindSafe(prepared.decided).catch_unwind();
        let result = match tokio::time::timeout(deadline, decided).await {
            Ok(result) => result.map_err(|panic| (ToldBy::Clause, message_of(&*panic))),
            Err(_elapsed) => Err(too_late(deadline)),
        };
        let cleaned = AssertUnwindSafe(prepared.cleaned).catch_unwind();
        let leftovers = match tokio::time::timeout(deadline, cleaned).await {
            Ok(leftovers) => leftovers.unwrap_or_else(|panic| Some(message_of(&*panic))),
            Err(_elapsed) => Some("cleaning up did not end".to_owned()),
        };
        (result, leftovers)
    });
    runtime.shutdown_background();
    ran
}

fn runtime(threads: bool) -> Result<Runtime, String> {
    let mut builder =
        if threads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let builder = builder.worker_threads(4).enable_all().on_thread_start(be_quiet);
    builder.build().map_err(|error| format!("no runtime can be built: {error}"))
}

fn unready(message: impl Into<String>) -> (ToldBy, String) {
    (ToldBy::Setup, message.into())
}

fn too_late(deadline: Duration) -> (ToldBy, String) {
    (ToldBy::Deadline, late(deadline))
}

fn late(deadline: Duration) -> String {
    format!("did not end within {} s", deadline.as_secs_f32())
}

thread_local! {
    /// Whether panics of this thread are verdicts, to be kept instead of printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics of this thread be kept instead of printed.
fn be_quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                PANICKED_AT.set(info.location().map(Location::to_string));
            } else {
                earlier(info);
            }
        }));
    });
    QUIET.set(true);
}

fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    be_quiet();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message_of(&*panic))
}

/// What a panic said, and where where that is known.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    let said = said.unwrap_or_else(|| "panicked without a message".to_owned());
    match PANICKED_AT.take() {
        Some(place) => format!("{said}\n  at {place}"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fixture;
    use crate::subject::Made;
    use state_core::StateBackend;
    use std::future::pending;

    fn verdict_on(
        make: impl Fn() -> BoxFuture<'static, Result<Fixture>> + Send + Sync + 'static,
    ) -> (Option<ToldBy>, String) {
        let bench: Arc<dyn Bench> = Arc::new(Made::<dyn StateBackend>(Arc::new(make)));
        let clause = crate::all().next().unwrap();
        let verdict = run(&bench, clause, Duration::from_millis(100), ModelRuns::DEFAULT);
        match verdict.status {
            Status::Failed(message) => (verdict.told_by, message),
            other => panic!("expected a failure, got {other}"),
        }
    }

    #[test]
    fn what_waits_for_ever_is_ended_at_the_deadline() {
        let late = (Some(ToldBy::Setup), "did not end within 0.1 s".to_owned());
        assert_eq!(verdict_on(|| Box::pin(pending())), late);
    }

    #[test]
    fn what_blocks_for_ever_is_given_up_after_the_deadline() {
        let blocks = || -> BoxFuture<'static, Result<Fixture>> {
            let (sender, receiver) = mpsc::channel::<()>();
            Box::pin(async move {
                // Nothing is ever sent, and the sender lives as long as the wait.
                assert!(receiver.recv().is_ok(), "the sender is gone");
                drop(sender);
                pending().await
            })
        };
        let late = (Some(ToldBy::Deadline), "did not end within 0.1 s".to_owned());
        assert_eq!(verdict_on(blocks), late);
    }

    #[test]
    fn a_panic_is_the_message_with_its_place() {
        let (told_by, message) = verdict_on(|| Box::pin(async { panic!("expected 1, got 2") }));
        assert_eq!(told_by, Some(ToldBy::Setup), "the clause has not begun");
        let (said, place) = message.split_once("\n  at ").unwrap();
        assert_eq!(said, "expected 1, got 2");
        assert!(place.contains("runner.rs:"), "{place}");
    }

    #[test]
    fn a_fixture_that_fails_is_a_failure() {
        let failed =
            verdict_on(|| Box::pin(async { Err(state_core::Error::invalid("no server")) }));
        assert_eq!(failed, (Some(ToldBy::Setup), "the fixture failed: no server".to_owned()));
    }
}
