//! Power cuts: images of a storage as they could be left are opened and compared with what was
//! acknowledged.

use std::sync::{Arc, Mutex, PoisonError};

use state_core::{Namespace, Result, StateBackend, StateBackendExt};
use state_local::{CommitMode, FileStore, Storage};

use crate::checks::{Checks, say};
use crate::workload::{self, Plan, TASKS};
use crate::{Failure, runtime};
use state_tests::counted;
use state_tests::seeded::Seeded;
use state_tests::simulated::Simulated;

/// Operations of each task in the recorded history.
const OPERATIONS: u64 = 60;
const CONTROL_IMAGES: usize = 60;

/// A store that was written to on a simulated storage.
struct History {
    storage: Arc<Simulated>,
    mode: CommitMode,
    seed: u64,
    /// Operations of the storage when the store had been created.
    created: usize,
    /// Operations of the storage when an operation of a task had been acknowledged.
    acknowledged: Vec<(usize, usize, u64)>,
    end: usize,
}

/// Cuts the power at `images` random places.
pub(crate) fn run(checks: &Checks, images: usize, seed: u64) -> Result<(), Failure> {
    if images == 0 {
        return Ok(());
    }
    let modes = [CommitMode::OnePhase, CommitMode::TwoPhase, CommitMode::QuickRepair];
    let mut histories = Vec::new();
    for (number, mode) in modes.into_iter().enumerate() {
        histories.push(History::record(mode, Seeded::of(seed, 100 + number as u64).number())?);
    }
    let syncs = histories.iter().map(|history| history.end).sum::<usize>();
    say(format_args!(
        "  {} recorded, for {}",
        counted(syncs, "storage operation"),
        counted(modes.len(), "commit mode")
    ));
    // Opening an image is mostly waiting for threads to hand over: two at a time.
    std::thread::scope(|scope| {
        for half in 0..2 {
            let histories = &histories;
            scope.spawn(move || {
                let runtime = runtime();
                for number in (half..images).step_by(2) {
                    let Some(history) = histories.get(number % histories.len()) else { continue };
                    let mut seeded = Seeded::of(seed, 1_000 + number as u64);
                    let found = runtime.block_on(history.cut(&mut seeded));
                    checks.check(found.is_ok(), || {
                        format!(
                            "image {number} ({:?}): {}",
                            history.mode,
                            found.err().unwrap_or_default()
                        )
                    });
                    if (number + 1) % 250 == 0 {
                        say(format_args!("  {}", counted(number + 1, "image")));
                    }
                }
            });
        }
    });
    let mut caught = 0;
    let runtime = runtime();
    for number in 0..CONTROL_IMAGES {
        let Some(history) = histories.first() else { break };
        let mut seeded = Seeded::of(seed, 9_000_000 + number as u64);
        let place = history.end;
        let image = storage_that_lies(history, place, &mut seeded);
        caught += usize::from(runtime.block_on(history.look(image, place)).is_err());
    }
    say(format_args!(
        "  control: {caught} of {CONTROL_IMAGES} images of a storage that ignores syncs were caught"
    ));
    checks.check(caught > 0, || "a storage that ignores syncs was not caught".to_owned());
    Ok(())
}

fn storage_that_lies(history: &History, place: usize, seeded: &mut Seeded) -> Vec<u8> {
    history.storage.image_after(place, Some(history.created), seeded)
}

async fn open(storage: Arc<dyn Storage>, mode: CommitMode) -> Result<FileStore> {
    FileStore::builder()
        .cross_partition_transactions(true)
        .commit_mode(mode)
        .open_storage(storage)
        .await
}

impl History {
    /// Lets all tasks write, and remembers when what was acknowledged.
    fn record(mode: CommitMode, seed: u64) -> Result<Self, Failure> {
        let storage = Arc::new(Simulated::recording());
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let created = runtime().block_on(async {
            let store = open(Arc::clone(&storage) as Arc<dyn Storage>, mode).await?;
            let created = storage.operations();
            let backend: Arc<dyn StateBackend> = Arc::new(store.open(Namespace::default())?);
            let tasks = (0..TASKS).map(|task| {
                let (backend, storage) = (Arc::clone(&backend), Arc::clone(&storage));
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(async move {
                    for number in 1..=OPERATIONS {
                        Plan { seed, task }.make(&*backend, number).await?;
                        let at = storage.operations();
                        let mut list = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                        list.push((at, task, number));
                    }
                    Result::<()>::Ok(())
                })
            });
            let tasks: Vec<_> = tasks.collect();
            for task in tasks {
                task.await??;
            }
            // The power may be cut while all of it is written anew, too.
            store.compact().await?;
            Result::<_, Failure>::Ok(created)
        })?;
        let end = storage.operations();
        let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { storage, mode, seed, created, acknowledged, end })
    }

    /// Operations of each task that were acknowledged before the power was cut.
    fn promised(&self, place: usize) -> Vec<u64> {
        let mut counts = vec![0; TASKS];
        for &(at, task, number) in &self.acknowledged {
            if let Some(count) = counts.get_mut(task).filter(|_| at <= place) {
                *count = number.max(*count);
            }
        }
        counts
    }

    /// Cuts the power somewhere.
    async fn cut(&self, seeded: &mut Seeded) -> Result<(), String> {
        // One in ten cuts hits the creation of the store.
        let place = if seeded.below(10) == 0 {
            seeded.below(self.created + 1)
        } else {
            self.created + seeded.below(self.end - self.created + 1)
        };
        let image = self.storage.image_after(place, None, seeded);
        let found = self.look(image, place).await;
        found.map_err(|error| format!("cut after {place} of {}: {error}", self.end))
    }

    /// Opens an image, compares it, and uses it.
    async fn look(&self, image: Vec<u8>, place: usize) -> Result<(), String> {
        let storage: Arc<dyn Storage> = Arc::new(Simulated::holding(image));
        let what = |error: state_core::Error| format!("refused: {error}");
        let store = open(storage, self.mode).await.map_err(what)?;
        let backend = store.open(Namespace::default()).map_err(what)?;
        let found = workload::verify(&backend, self.seed, &self.promised(place)).await;
        let found = found.map_err(|mismatch| mismatch.to_string())?;
        // The store goes on from there.
        for (task, count) in found.iter().enumerate().take(2) {
            let plan = Plan { seed: self.seed, task };
            plan.make(&backend, count + 1).await.map_err(what)?;
            plan.find(&backend, count + 1, 0).await.map_err(|mismatch| mismatch.to_string())?;
        }
        backend.get("total").await.map_err(what)?;
        store.close().await.map_err(what)
    }
}
