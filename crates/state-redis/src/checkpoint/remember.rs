//! What is remembered of threads between calls: bounded, and only ever a saving of calls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use state_checkpoint::Life;
use state_core::checkpoint::ThreadId;

use super::gone::Grown;
use super::known::Known;

/// The most threads, and the most runs, that are remembered.
const THREADS_MAX: usize = 10_000;
const RUNS_MAX: usize = 100_000;
/// The most calls in a row that do without what is known of a thread.
const PENALTY_MAX: u8 = 64;
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
    /// What is known of threads since they were written to or read last.
    known: Mutex<HashMap<ThreadId, Expected>>,
    /// Indexes that have grown since they were cleared last.
    grown: Mutex<HashSet<Grown>>,
}

/// What is known of a thread, and how often that was wrong lately.
#[derive(Debug, Default)]
struct Expected {
    known: Option<Known>,
    /// How many calls still do without what is known.
    rests: u8,
    /// How many it will be when it is wrong the next time.
    penalty: u8,
}

impl Expected {
    /// What is known, unless that was wrong too often.
    fn ask(&mut self) -> Option<&Known> {
        if self.rests > 0 {
            self.rests -= 1;
            return None;
        }
        self.known.as_ref()
    }

    /// An older answer may come after a newer one, and who has read knows less than who has written.
    fn keep(&mut self, known: Known) {
        let is_newer = self.known.as_ref().is_none_or(|old| {
            old.head.life().generation != known.head.life().generation
                || old.head.serial < known.head.serial
                || (old.head.serial == known.head.serial && known.writer.is_some())
        });
        if is_newer {
            self.known = Some(known);
        }
    }
}

impl Memory {
    /// What is known of a thread, for one who changes it: until that is done nobody else goes by it.
    pub(super) fn take_known(&self, thread: &ThreadId) -> Option<Known> {
        let mut all = self.known.lock();
        let expected = all.get_mut(thread)?;
        expected.ask()?;
        expected.known.take()
    }

    /// What is known of a thread.
    pub(super) fn known(&self, thread: &ThreadId) -> Option<Known> {
        self.known.lock().get(thread)?.known.clone()
    }

    /// Whether this process was the last to write to the thread, as far as it knows, in this life, and
    /// there are no writes where those are wanted.
    pub(super) fn expects(&self, thread: &ThreadId, life: Life, writes: bool) -> bool {
        let mut all = self.known.lock();
        let known = all.get_mut(thread).and_then(Expected::ask);
        known.is_some_and(|known| {
            known.writer.is_some()
                && known.head.life() == life
                && (known.head.pending == 0 || !writes)
        })
    }

    pub(super) fn keep_known(&self, thread: &ThreadId, known: Known) {
        let mut all = self.known.lock();
        if all.len() >= THREADS_MAX && !all.contains_key(thread) {
            all.clear();
        }
        all.entry(thread.clone()).or_default().keep(known);
    }

    /// What was known was right, and this is known now.
    pub(super) fn was_known(&self, thread: &ThreadId, known: Known) {
        let mut all = self.known.lock();
        if let Some(expected) = all.get_mut(thread) {
            expected.penalty /= 2;
            expected.keep(known);
        }
    }

    /// What was known was wrong: somebody else changes the thread as well. Each time that it was, more
    /// calls do without, so that few of them ask twice.
    pub(super) fn was_other(&self, thread: &ThreadId) {
        let mut all = self.known.lock();
        if let Some(expected) = all.get_mut(thread) {
            expected.known = None;
            expected.penalty = (expected.penalty * 2).clamp(1, PENALTY_MAX);
            expected.rests = expected.penalty;
        }
    }

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

    pub(super) fn has_sealed(&self, thread: &ThreadId) -> bool {
        self.sealed.lock().contains_key(thread)
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
        self.known.lock().remove(thread);
    }
}
