//! Which record of the file the n-th record that was handed on is.

use std::collections::VecDeque;

/// How far behind the stream a restore can be: far more than its largest batch.
const WINDOW: u64 = 100_000;

/// Counts records that were handed on and records that were left out between them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    handed_on: u64,
    left_out: u64,
    /// Runs of records left out: how many were handed on before, and how many had been left out
    /// when the run was over.
    runs: VecDeque<(u64, u64)>,
    /// What had been left out before the first run that is remembered.
    before: u64,
}

impl Ledger {
    pub(super) fn hand_on(&mut self) {
        self.handed_on += 1;
    }

    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
        match self.runs.back_mut() {
            Some((handed_on, left_out)) if *handed_on == self.handed_on => {
                *left_out = self.left_out;
            }
            _ => self.runs.push_back((self.handed_on, self.left_out)),
        }
        while let Some(&(handed_on, left_out)) = self.runs.front() {
            if handed_on + WINDOW >= self.handed_on {
                break;
            }
            self.before = left_out;
            self.runs.pop_front();
        }
    }

    /// How many records were left out.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many records of the file had been dealt with when `dealt` of those handed on had.
    /// None at all as long as `dealt` is 0, because nothing has been cleared yet.
    pub(super) fn in_file(&self, dealt: u64) -> u64 {
        if dealt == 0 {
            return 0;
        }
        let passed = self.runs.partition_point(|(handed_on, _)| *handed_on < dealt);
        let last = passed.checked_sub(1).and_then(|last| self.runs.get(last));
        dealt + last.map_or(self.before, |(_, left_out)| *left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_the_file_counts_what_was_left_out_before() {
        let mut ledger = Ledger::default();
        let mut file = Vec::new();
        for record in 0..300_000_u64 {
            if record % 3 == 0 || record % 7 == 0 {
                ledger.leave_out();
            } else {
                ledger.hand_on();
                file.push(record);
            }
        }
        assert_eq!(ledger.in_file(0), 0);
        for dealt in (file.len() - 90_000)..file.len() {
            let next = ledger.in_file(dealt as u64);
            assert!(next > file[dealt - 1] && next <= file[dealt], "{dealt}");
        }
        assert!(ledger.runs.len() < 150_000);
    }
}
