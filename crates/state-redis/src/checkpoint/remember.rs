//! What is remembered of threads between calls: bounded, and only ever a saving of calls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use state_core::checkpoint::ThreadId;

use super::gone::Grown;

/// The most threads, and the most runs, that are remembered.
const THREADS_MAX: usize = 10_000;
const RUNS_MAX: usize = 100_000;
/// The most segments that wait to be sent, of 4 KiB at most each.
const SEALED_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Threads that are in the index.
    threads: Mutex<HashSet<ThreadId>>,
    /// Runs that are in the index, by the generation of their thread.
    runs: Mutex<HashSet<(u64, Arc<str>)>>,
    /// Compressed segments for the places of raw ones, as scripts take them; each goes with the next
    /// change of its thread.
    sealed: Mutex<HashMap<ThreadId, Bytes>>,
    /// Indexes that have grown since they were cleared last.
    grown: Mutex<HashSet<Grown>>,
}

impl Memory {
    pub(super) fn has_thread(&self, thread: &ThreadId) -> bool {
        self.threads.lock().contains(thread)
    }

    pub(super) fn keep_thread(&self, thread: &ThreadId) {
        let mut threads = self.threads.lock();
        if threads.len() >= THREADS_MAX {
            threads.clear();
        }
        threads.insert(thread.clone());
    }

    pub(super) fn has_run(&self, generation: u64, run: &Arc<str>) -> bool {
        self.runs.lock().contains(&(generation, Arc::clone(run)))
    }

    pub(super) fn keep_run(&self, generation: u64, run: &Arc<str>) {
        let mut runs = self.runs.lock();
        if runs.len() >= RUNS_MAX {
            runs.clear();
        }
        runs.insert((generation, Arc::clone(run)));
    }

    pub(super) fn keep_sealed(&self, thread: &ThreadId, sealed: Bytes) {
        let mut all = self.sealed.lock();
        if all.len() >= SEALED_MAX {
            all.clear();
        }
        all.insert(thread.clone(), sealed);
    }

    pub(super) fn take_sealed(&self, thread: &ThreadId) -> Bytes {
        self.sealed.lock().remove(thread).unwrap_or_default()
    }

    pub(super) fn keep_grown(&self, index: Grown) {
        self.grown.lock().insert(index);
    }

    pub(super) fn take_grown(&self) -> HashSet<Grown> {
        std::mem::take(&mut *self.grown.lock())
    }

    pub(super) fn forget(&self, thread: &ThreadId) {
        self.threads.lock().remove(thread);
        self.sealed.lock().remove(thread);
    }
}
