//! Counting checks, and saying what they found.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Failures that are told in full; the rest is only counted.
const TOLD_MAX: usize = 20;

/// How many checks have passed and failed.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    passed: AtomicUsize,
    failed: AtomicUsize,
    unchecked: Mutex<Vec<String>>,
}

impl Checks {
    /// Counts a check, and says what failed.
    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) -> bool {
        if holds {
            self.passed.fetch_add(1, Ordering::Relaxed);
        } else if self.failed.fetch_add(1, Ordering::Relaxed) < TOLD_MAX {
            say(format_args!("FAILED: {}", what()));
        }
        holds
    }

    /// Counts a check that holds when `result` is there, and gives it on.
    pub(crate) fn expect<T, E: fmt::Display>(
        &self,
        result: Result<T, E>,
        what: impl FnOnce() -> String,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.check(true, String::new);
                Some(value)
            }
            Err(error) => {
                self.check(false, || format!("{}: {error}", what()));
                None
            }
        }
    }

    /// Notes what could not be checked here, and why.
    pub(crate) fn not_checked(&self, what: impl Into<String>) {
        self.unchecked.lock().push(what.into());
    }

    /// What could not be checked here.
    pub(crate) fn unchecked(&self) -> Vec<String> {
        self.unchecked.lock().clone()
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Prints a line at once.
pub(crate) fn say(line: impl fmt::Display) {
    let mut out = io::stdout().lock();
    // Without a reader there is nobody to tell.
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(written);
}
