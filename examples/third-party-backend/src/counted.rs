//! Counts calls and bytes per operation, for `stats`.

use std::sync::{Mutex, PoisonError};

use state_core::{Operation, OperationStats, Result, Stats};

/// What an instance has done since it was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Vec<(Operation, OperationStats)>>);

impl Counters {
    /// Counts a call and what `describe` says about a good answer.
    pub(crate) fn count<T>(
        &self,
        operation: Operation,
        answer: Result<T>,
        describe: impl FnOnce(&T, &mut OperationStats),
    ) -> Result<T> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = lines.iter().position(|(name, _)| *name == operation).unwrap_or_else(|| {
            lines.push((operation, OperationStats::default()));
            lines.len() - 1
        });
        if let Some((_, line)) = lines.get_mut(at) {
            line.calls += 1;
            match &answer {
                Ok(answer) => describe(answer, line),
                Err(_) => line.errors += 1,
            }
        }
        drop(lines);
        answer.map_err(|error| error.with_op(operation.name()))
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied())
    }
}
