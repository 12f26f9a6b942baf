//! Snapshots of a point in time, without a copy of everything.
//!
//! A snapshot walks the live tables in key order. Before a record ahead of it changes for the
//! first time, its state at the time of the snapshot is put into the snapshot's overlay; what
//! the snapshot has passed already may change freely. Starting one costs nothing, and its
//! memory grows with what is changed while it is read.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use state_core::Key;

use super::ordered::Ordered;
use super::tables::{Hash, MemoryTables};
use crate::tables::Record;

/// What a snapshot has to remember.
#[derive(Debug, Default)]
pub(super) struct Overlay(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: Side<Record>,
    hashes: Side<Hash>,
}

#[derive(Debug)]
struct Side<T> {
    /// Everything up to and including this key has been read.
    read_to: Option<Key>,
    /// Nothing is left to be read.
    done: bool,
    /// What was there at the time of the snapshot, where it has changed since; `None` where
    /// there was nothing.
    changed: BTreeMap<Key, Option<T>>,
}

impl<T> Default for Side<T> {
    fn default() -> Self {
        Self { read_to: None, done: false, changed: BTreeMap::new() }
    }
}

impl<T: Clone> Side<T> {
    fn keep(&mut self, key: &Key, now: Option<&T>) {
        let ahead = !self.done && self.read_to.as_ref().is_none_or(|read_to| key > read_to);
        if ahead && !self.changed.contains_key(key) {
            self.changed.insert(key.clone(), now.cloned());
        }
    }

    /// The next record as it was, from the live map and what has changed in it.
    fn next(&mut self, live: &Ordered<T>) -> Option<(Key, T)> {
        loop {
            let from = self.read_to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let live = live.range(from).next();
            let first_changed = self.changed.first_key_value().map(|(key, _)| key);
            let (key, kept) = match (live, first_changed) {
                (None, None) => {
                    self.done = true;
                    return None;
                }
                (Some((key, record)), changed) if changed.is_none_or(|changed| key < changed) => {
                    (key.clone(), Some(record.clone()))
                }
                _ => self.changed.pop_first()?,
            };
            self.read_to = Some(key.clone());
            if let Some(record) = kept {
                return Some((key, record));
            }
        }
    }
}

impl Overlay {
    pub(super) fn next_entry(&self, tables: &MemoryTables) -> Option<(Key, Record)> {
        self.0.lock().entries.next(tables.entries())
    }

    pub(super) fn next_hash(&self, tables: &MemoryTables) -> Option<(Key, Hash)> {
        self.0.lock().hashes.next(tables.hashes())
    }
}

/// The snapshots that are being read.
#[derive(Debug, Default)]
pub(super) struct Overlays(Vec<Weak<Overlay>>);

impl Overlays {
    pub(super) fn start(&mut self) -> Arc<Overlay> {
        let overlay = Arc::new(Overlay::default());
        self.0.retain(|other| other.strong_count() > 0);
        self.0.push(Arc::downgrade(&overlay));
        overlay
    }

    /// Called before an entry changes, with what it is now.
    pub(super) fn keep_entry(&mut self, key: &Key, now: Option<&Record>) {
        self.each(|state| state.entries.keep(key, now));
    }

    /// Called before a hash changes, with what it is now.
    pub(super) fn keep_hash(&mut self, key: &Key, now: Option<&Hash>) {
        self.each(|state| state.hashes.keep(key, now));
    }

    fn each(&mut self, mut keep: impl FnMut(&mut State)) {
        if self.0.is_empty() {
            return;
        }
        self.0.retain(|overlay| match overlay.upgrade() {
            Some(overlay) => {
                keep(&mut overlay.0.lock());
                true
            }
            None => false,
        });
    }
}
