//! The store of an episode, and what happens to it besides calls.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use state_core::{
    Clock, DeleteOptions, Key, ManualClock, Namespace, Result, StateBackend, Timestamp,
};
use state_local::{CommitMode, FileStore, MemoryStore, Storage};

use super::Subject;
use super::plan::{Place, Script};
use super::waiting::{poll_once, wait_for};
use crate::seeded::Seeded;
use crate::simulated::{Fault, Simulated};

/// Looks for the sweeper to have come to rest; each lets other threads have their turn.
const LOOKS_MAX: usize = 10_000_000;
/// So little that reads reach the storage.
const CACHE_BYTES: usize = 1 << 16;

/// The store of an episode.
#[derive(Debug)]
pub(super) struct Stage {
    clock: ManualClock,
    instances: usize,
    stores: Vec<Arc<dyn StateBackend>>,
    disk: Option<Disk>,
}

/// What a file store lies on.
#[derive(Debug)]
struct Disk {
    storage: Arc<Simulated>,
    store: Option<FileStore>,
    mode: CommitMode,
    /// Operations of the storage when the store had been created.
    created: usize,
    ignores_syncs: bool,
    takes_one_at_a_time: bool,
    has_failed: bool,
    chance: Seeded,
}

impl Stage {
    /// # Errors
    /// The store cannot be opened.
    pub(super) fn open(subject: Subject, script: &Script, seed: u64) -> Result<Self> {
        let (clock, instances) = (ManualClock::new(), script.instances);
        let mut stage = Self { clock, instances, stores: Vec::new(), disk: None };
        let mode = match (subject, script.place) {
            (Subject::Mutant(mutant), _) => {
                stage.stores = mutant.instances(&stage.clock, instances)?;
                stage.wait_for_sweeper();
                return Ok(stage);
            }
            (_, Place::Memory) => {
                let store = MemoryStore::builder().clock(stage.clock.clone()).build();
                for _ in 0..instances {
                    stage.stores.push(Arc::new(store.open(Namespace::default())?));
                }
                stage.wait_for_sweeper();
                return Ok(stage);
            }
            (_, Place::FileShared(mode) | Place::FileFailing(mode)) => mode,
        };
        stage.disk = Some(Disk {
            storage: Arc::new(Simulated::recording()),
            store: None,
            mode,
            created: 0,
            ignores_syncs: matches!(subject, Subject::IgnoredSyncs),
            takes_one_at_a_time: matches!(script.place, Place::FileFailing(_)),
            has_failed: false,
            chance: Seeded::of(seed, 1),
        });
        stage.open_file()?;
        if let Some(disk) = &mut stage.disk {
            disk.created = disk.storage.operations();
        }
        Ok(stage)
    }

    /// Opens the file store with a clock that goes on from the time of the one before.
    fn open_file(&mut self) -> Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let clock = ManualClock::new();
        clock.set_wall(self.clock.wall());
        self.clock = clock;
        let storage = Arc::clone(&disk.storage) as Arc<dyn Storage>;
        let opening = FileStore::builder()
            .clock(self.clock.clone())
            .commit_mode(disk.mode)
            .cache_bytes(CACHE_BYTES)
            .open_storage(storage);
        let store = wait_for(pin!(opening))?;
        for _ in 0..self.instances {
            self.stores.push(Arc::new(store.open(Namespace::default())?));
        }
        disk.store = Some(store);
        self.wait_for_sweeper();
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The instance that a client calls.
    pub(super) fn store(&self, client: usize) -> Option<Arc<dyn StateBackend>> {
        self.stores.iter().cycle().nth(client).cloned()
    }

    /// Whether it may say that it cannot serve.
    pub(super) fn may_fail(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.has_failed)
    }

    /// Lets time pass, and waits until what has expired is taken away.
    pub(super) fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.wait_for_sweeper();
    }

    /// The sweeper sleeps when there is nothing to take away.
    fn wait_for_sweeper(&self) {
        for _ in 0..LOOKS_MAX {
            if self.clock.sleepers() > 0 {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Lets a call in the store go on; what it gave, if it is done.
    pub(super) fn go_on<T>(&self, call: &mut BoxFuture<'static, T>, has_begun: bool) -> Option<T> {
        match &self.disk {
            Some(disk) if has_begun || disk.takes_one_at_a_time => Some(wait_for(call.as_mut())),
            _ => poll_once(call.as_mut()),
        }
    }

    /// Whether calls go on in the background once they have begun.
    pub(super) fn works_in_background(&self) -> bool {
        self.disk.is_some()
    }

    /// Waits until everything that was begun before is done, also what was dropped.
    pub(super) fn wait_for_writes(&self) {
        if let (Some(_), Some(store)) = (&self.disk, self.stores.first()) {
            // It finds nothing; what the storage makes of it is not asked here.
            drop(wait_for(store.delete_opts(&Key::from("nothing"), DeleteOptions::new()).as_mut()));
        }
    }

    pub(super) fn fail(&mut self, fault: Option<Fault>) {
        if let Some(disk) = &mut self.disk {
            disk.storage.set_fault(fault);
            disk.has_failed |= fault.is_some();
        }
    }

    /// Closes the store and opens it again.
    pub(super) fn reopen(&mut self) -> Result<()> {
        self.fail(None);
        let store = self.disk.as_mut().and_then(|disk| disk.store.take());
        if let Some(store) = store {
            let closed = wait_for(pin!(store.close()));
            // A store that has failed may say so when it is closed.
            if !self.may_fail() {
                closed?;
            }
        }
        self.stores.clear();
        self.open_file()
    }

    /// Operations of the storage so far.
    pub(super) fn operations(&self) -> usize {
        self.disk.as_ref().map_or(0, |disk| disk.storage.operations())
    }

    /// Cuts the power after some operation that came after the first `before`, and opens what is
    /// left.
    pub(super) fn cut_power(&mut self, before: usize) -> Result<()> {
        self.fail(None);
        let now = self.operations();
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let at = (before + disk.chance.below(now - before.min(now) + 1)).min(now);
        let safe = disk.ignores_syncs.then_some(disk.created);
        let image = disk.storage.image_after(at, safe, &mut disk.chance);
        disk.created = 0;
        disk.store = None;
        disk.storage = Arc::new(Simulated::recording_from(image));
        self.stores.clear();
        self.open_file()
    }
}
