//! Files that were cut or changed while nobody had them open: an error or the right data, never
//! a panic, never wrong data.

use std::sync::Arc;

use state_core::{Error, ErrorKind, Namespace, Result};
use state_local::{FileStore, FileStoreBuilder, Storage};

use crate::checks::{Checks, say};
use crate::workload::{Mismatch, Plan};
use crate::{Failure, runtime};
use state_tests::counted;
use state_tests::seeded::Seeded;
use state_tests::simulated::Simulated;

const OPERATIONS: u64 = 150;

/// What became of damaged stores.
#[derive(Debug, Default)]
struct Seen {
    right: usize,
    refused: usize,
    /// Refused when a record was read.
    refused_later: usize,
}

/// Flips `trials` bits, one at a time, and cuts the file at `trials / 4` places.
pub(crate) fn run(checks: &Checks, trials: usize, seed: u64) -> Result<(), Failure> {
    let runtime = runtime();
    let plan = Plan { seed, task: 0 };
    let whole = runtime.block_on(closed_store(plan))?;
    let mut seeded = Seeded::of(seed, 30_000);
    let mut flips = Seen::default();
    let mut unverified = Vec::new();
    for _ in 0..trials {
        let mut bytes = whole.clone();
        let at = seeded.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << seeded.below(8);
        }
        let what = || format!("byte {at} changed");
        let found = look_unverified(checks, plan, bytes.clone(), what);
        unverified.push(runtime.block_on(found));
        runtime.block_on(look(checks, plan, bytes, &mut flips, || format!("byte {at} changed")));
    }
    say(format_args!(
        "  {} of a file of {} bytes: {flips:?}",
        counted(trials, "flipped bit"),
        whole.len()
    ));
    let count = |wanted| unverified.iter().filter(|found| **found == wanted).count();
    let (missing, wrong) = (count(Unverified::Missing), count(Unverified::Wrong));
    say(format_args!(
        "  the same files, opened without a check of the whole: {} right, {} refused, {missing} with \
         records missing, {wrong} with wrong ones",
        count(Unverified::Right),
        count(Unverified::Refused)
    ));
    checks.check(wrong == 0, || "wrong records were read".to_owned());
    checks.check(flips.refused + flips.refused_later > 0, || "no damage was noticed".to_owned());
    let mut cuts = Seen::default();
    for trial in 0..trials / 4 {
        // The shortest files are a class of their own.
        let length = if trial < 40 { trial * 3 } else { seeded.below(whole.len()) };
        let bytes = whole.get(..length).unwrap_or_default().to_vec();
        if bytes.is_empty() {
            continue;
        }
        runtime.block_on(look(checks, plan, bytes, &mut cuts, || format!("cut at {length}")));
    }
    say(format_args!("  {}: {cuts:?}", counted(trials / 4, "cut file")));
    Ok(())
}

/// The bytes of a store that was closed.
async fn closed_store(plan: Plan) -> Result<Vec<u8>> {
    let storage = Arc::new(Simulated::default());
    let store = open(&storage).await?;
    let backend = store.open(Namespace::default())?;
    for number in 1..=OPERATIONS {
        plan.make(&backend, number).await?;
    }
    store.close().await?;
    Ok(storage.bytes())
}

async fn open(storage: &Arc<Simulated>) -> Result<FileStore> {
    open_with(storage, FileStore::builder()).await
}

async fn open_with(storage: &Arc<Simulated>, builder: FileStoreBuilder) -> Result<FileStore> {
    let storage = Arc::clone(storage) as Arc<dyn Storage>;
    builder.cross_partition_transactions(true).open_storage(storage).await
}

/// A file too large to be checked when it is opened: records may be missing then, but none that
/// is read may be wrong.
async fn look_unverified(
    checks: &Checks,
    plan: Plan,
    bytes: Vec<u8>,
    what: impl Fn() -> String,
) -> Unverified {
    let storage = Arc::new(Simulated::holding(bytes));
    let store = match open_with(&storage, FileStore::builder().verify_bytes_max(0)).await {
        Ok(store) => store,
        Err(error) => {
            check_refusal(checks, &error, what);
            return Unverified::Refused;
        }
    };
    let found = match store.open(Namespace::default()) {
        Ok(backend) => plan.missing(&backend, OPERATIONS).await,
        Err(error) => Err(Mismatch::Unreadable(error.to_string())),
    };
    drop(store.close().await);
    match found {
        Ok(0) => Unverified::Right,
        Ok(_) => Unverified::Missing,
        Err(Mismatch::Unreadable(_)) => Unverified::Refused,
        Err(mismatch) => {
            checks.check(false, || format!("{} and not checked: {mismatch}", what()));
            Unverified::Wrong
        }
    }
}

/// What became of a damaged store that was not checked when it was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unverified {
    Right,
    Refused,
    Missing,
    Wrong,
}

async fn look(
    checks: &Checks,
    plan: Plan,
    bytes: Vec<u8>,
    seen: &mut Seen,
    what: impl Fn() -> String,
) {
    // A storage without a magic number was never created, and becomes an empty store.
    let never_created = bytes.iter().take(9).all(|byte| *byte == 0);
    let storage = Arc::new(Simulated::holding(bytes));
    match open(&storage).await {
        Err(error) => {
            seen.refused += 1;
            check_refusal(checks, &error, what);
        }
        Ok(store) => {
            let found = match store.open(Namespace::default()) {
                Ok(backend) => plan.find(&backend, OPERATIONS, 0).await.map(drop),
                Err(error) => Err(Mismatch::Unreadable(error.to_string())),
            };
            match found {
                Ok(()) => seen.right += 1,
                Err(Mismatch::Unreadable(_)) => seen.refused_later += 1,
                Err(_) if never_created => {}
                Err(mismatch) => {
                    checks.check(false, || format!("{}: {mismatch}", what()));
                    return;
                }
            }
            checks.check(true, String::new);
            // Closing must not panic either, whatever it says.
            drop(store.close().await);
        }
    }
}

fn check_refusal(checks: &Checks, error: &Error, what: impl Fn() -> String) {
    let is_typed = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
    checks.check(is_typed, || format!("{}: {} ({error})", what(), error.kind()));
}
