//! Input and output that fails, through the simulated storage.

use std::io;
use std::sync::Arc;

use state_core::{Error, ErrorKind, Namespace, Outcome, Result, StateBackend};
use state_local::{FileStore, Storage};

use crate::checks::{Checks, say};
use crate::runtime;
use crate::workload::{Plan, may_be_applied};
use state_tests::counted;
use state_tests::seeded::Seeded;
use state_tests::simulated::{Call, Fault, Simulated};

/// Operations before the fault, around it, and after it.
const BEFORE: u64 = 20;
const AROUND: u64 = 12;
const AFTER: u64 = 6;
/// The n-th call fails, for every n up to this.
const CALLS: usize = 24;
/// Calls that a store may need to work again once the disk does.
const RECOVERY_CALLS: usize = 2;

/// Makes the n-th call of each kind fail.
pub(crate) fn run(checks: &Checks, seed: u64) {
    let runtime = runtime();
    let mut struck = 0;
    let mut number = 0;
    let mut unknown = 0;
    for call in [Call::Read, Call::Write, Call::SetLen, Call::Sync] {
        for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
            for lasting in [false, true] {
                for after in 0..CALLS {
                    let fault = Fault::of_next(call, kind).after(after).lasting(lasting);
                    let seed = Seeded::of(seed, 20_000 + number).number();
                    number += 1;
                    let trial = Trial { fault, plan: Plan { seed, task: 0 } };
                    match runtime.block_on(trial.run(checks)) {
                        Ok(outcome) => {
                            struck += usize::from(outcome.struck);
                            unknown += outcome.unknown;
                        }
                        Err(error) => {
                            checks.check(false, || format!("{fault:?}: {error}"));
                        }
                    }
                }
            }
        }
    }
    compactions(checks, seed);
    let unknown = counted(unknown, "write");
    say(format_args!(
        "  {number} faults set, {struck} struck; {unknown} ended with an unknown outcome"
    ));
    checks.check(struck > 0, || "no fault has struck".to_owned());
}

/// Makes the n-th call of each kind of a compaction fail.
fn compactions(checks: &Checks, seed: u64) {
    let runtime = runtime();
    let mut failed = 0;
    for call in [Call::Read, Call::Write, Call::SetLen, Call::Sync] {
        for lasting in [false, true] {
            for after in 0..CALLS {
                let fault =
                    Fault::of_next(call, io::ErrorKind::StorageFull).after(after).lasting(lasting);
                let trial = Trial { fault, plan: Plan { seed, task: 0 } };
                match runtime.block_on(trial.compact(checks)) {
                    Ok(has_failed) => failed += usize::from(has_failed),
                    Err(error) => {
                        checks.check(false, || format!("compaction, {fault:?}: {error}"));
                    }
                }
            }
        }
    }
    checks.check(failed > 0, || "no compaction has failed".to_owned());
}

/// A store whose storage fails once or for a while.
struct Trial {
    fault: Fault,
    plan: Plan,
}

/// What a trial came to.
struct Seen {
    struck: bool,
    unknown: usize,
}

impl Trial {
    async fn open(storage: &Arc<Simulated>) -> Result<FileStore> {
        FileStore::builder()
            .cross_partition_transactions(true)
            // So little that reads reach the storage.
            .cache_bytes(1 << 16)
            .open_storage(Arc::clone(storage) as Arc<dyn Storage>)
            .await
    }

    async fn run(&self, checks: &Checks) -> Result<Seen, String> {
        let storage = Arc::new(Simulated::default());
        let what = |error: Error| format!("without a fault: {error}");
        let store = Self::open(&storage).await.map_err(what)?;
        let backend = store.open(Namespace::default()).map_err(what)?;
        let mut count = 0;
        while count < BEFORE {
            count += 1;
            self.plan.make(&backend, count).await.map_err(what)?;
        }
        storage.set_fault(Some(self.fault));
        let mut unknown = 0;
        for _ in 0..AROUND {
            let made = self.plan.make(&backend, count + 1).await;
            match made {
                Ok(()) => count += 1,
                Err(error) => {
                    self.check_error(checks, &error);
                    if self.fault.lasting {
                        storage.set_fault(None);
                    }
                    unknown += usize::from(may_be_applied(error.outcome()));
                    count = self.settle(checks, &backend, count, error.outcome()).await;
                    if self.fault.lasting {
                        storage.set_fault(Some(self.fault.after(0)));
                    }
                }
            }
        }
        storage.set_fault(None);
        let struck = storage.struck() > 0;
        // The first call after the fault may still meet its traces, the later ones not.
        let mut failed = 0;
        let mut made = 0;
        while made < AFTER && failed <= RECOVERY_CALLS {
            match self.plan.make(&backend, count + 1).await {
                Ok(()) => {
                    count += 1;
                    made += 1;
                }
                Err(error) => {
                    failed += 1;
                    count = self.settle(checks, &backend, count, error.outcome()).await;
                }
            }
        }
        checks.check(made == AFTER, || format!("{:?}: the store did not work again", self.fault));
        let found = self.plan.find(&backend, count, 0).await;
        checks.check(found.is_ok(), || format!("{:?}: {}", self.fault, wrong(&found)));
        // A store that failed may say so when it is closed; the next one must be whole.
        drop(store.close().await);
        drop((backend, store));
        let store = Self::open(&storage).await.map_err(|error| format!("reopening: {error}"))?;
        let backend = store.open(Namespace::default()).map_err(what)?;
        let found = self.plan.find(&backend, count, 0).await;
        checks.check(found.is_ok(), || format!("{:?}, reopened: {}", self.fault, wrong(&found)));
        Ok(Seen { struck, unknown })
    }

    /// Compacts while the storage fails: nothing may be lost, whatever came of it.
    async fn compact(&self, checks: &Checks) -> Result<bool, String> {
        let storage = Arc::new(Simulated::default());
        let what = |error: Error| format!("without a fault: {error}");
        let store = Self::open(&storage).await.map_err(what)?;
        let backend = store.open(Namespace::default()).map_err(what)?;
        for number in 1..=BEFORE {
            self.plan.make(&backend, number).await.map_err(what)?;
        }
        storage.set_fault(Some(self.fault));
        let compacted = store.compact().await;
        storage.set_fault(None);
        if let Err(error) = &compacted {
            self.check_error(checks, error);
        }
        let count = self.settle(checks, &backend, BEFORE, Outcome::NotApplied).await;
        let mut made = self.plan.make(&backend, count + 1).await;
        if made.is_err() {
            made = self.plan.make(&backend, count + 1).await;
        }
        checks.check(made.is_ok(), || format!("{:?}: no write after a compaction", self.fault));
        drop(store.close().await);
        drop((backend, store));
        let store = Self::open(&storage).await.map_err(|error| format!("reopening: {error}"))?;
        let backend = store.open(Namespace::default()).map_err(what)?;
        let found = self.plan.find(&backend, count + 1, 0).await;
        checks.check(found.is_ok(), || {
            format!("{:?}, compacted and reopened: {}", self.fault, wrong(&found))
        });
        Ok(compacted.is_err())
    }

    fn check_error(&self, checks: &Checks, error: &Error) {
        let is_typed = matches!(error.kind(), ErrorKind::Unavailable);
        checks.check(is_typed, || format!("{:?}: {} ({error})", self.fault, error.kind()));
        let outcome = error.outcome();
        checks.check(outcome != Outcome::Applied, || format!("{:?}: {outcome}", self.fault));
    }

    /// Finds out whether an operation that failed is there: never when it said that it is not.
    async fn settle(
        &self,
        checks: &Checks,
        backend: &dyn StateBackend,
        count: u64,
        outcome: Outcome,
    ) -> u64 {
        let slack = u64::from(may_be_applied(outcome));
        let mut found = self.plan.find(backend, count, slack).await;
        for _ in 0..RECOVERY_CALLS {
            if found.is_ok() {
                break;
            }
            // A write makes the store open itself again, and this one changes nothing.
            drop(backend.delete_opts(&"nothing".into(), state_core::DeleteOptions::new()).await);
            found = self.plan.find(backend, count, slack).await;
        }
        checks.check(found.is_ok(), || {
            format!("{:?}: after an error with outcome {outcome}: {}", self.fault, wrong(&found))
        });
        found.map_or(count, |(count, _)| count)
    }
}

fn wrong<T>(found: &Result<T, crate::workload::Mismatch>) -> String {
    found.as_ref().err().map(ToString::to_string).unwrap_or_default()
}
