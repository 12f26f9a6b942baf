//! Counts tests from what test programs print, so that nothing that failed or never ran goes unnoticed.

use std::process::ExitStatus;

use crate::{failure::Failure, report::counted};

/// How many tests passed, failed and were ignored.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    failures: Vec<String>,
    unchecked: Vec<String>,
    repeated: Vec<String>,
    /// Those of the run that is being watched.
    programs: Programs,
    /// Test programs that did not get to their end.
    lost: u64,
}

/// How many test programs began and ended, as cargo and they themselves tell it.
#[derive(Debug, Default)]
struct Programs {
    /// Cargo: `Running tests/x.rs (…)`.
    started: u64,
    /// They themselves: `running 3 tests`.
    began: u64,
    /// They themselves: `test result: …`.
    ended: u64,
    /// Of these, `test result: FAILED…`.
    ended_failed: u64,
    /// Cargo: `error: test failed, to rerun pass …`, whatever the reason.
    exited_badly: u64,
}

impl Programs {
    fn see(&mut self, line: &str) {
        let words = line.trim_start();
        if let Some(totals) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.ended_failed += u64::from(totals.starts_with("FAILED"));
        } else if words.starts_with("Running ") && words.ends_with(')') {
            self.started += 1;
        } else if line.starts_with("running ")
            && (line.ends_with(" tests") || line.ends_with(" test"))
        {
            self.began += 1;
        } else if line.starts_with("error: ") && line.contains("test failed, to rerun pass ") {
            self.exited_badly += 1;
        }
    }

    /// Those that began and told no totals, or exited badly though their totals were good.
    fn lost(&self) -> u64 {
        let without_totals = self.started.max(self.began).saturating_sub(self.ended);
        without_totals.max(self.exited_badly.saturating_sub(self.ended_failed))
    }
}

impl Tally {
    /// One failed test, which stands for all that could not be run.
    pub(crate) fn of_failure(what: String) -> Self {
        Self { failed: 1, failures: vec![what], ..Self::default() }
    }

    /// Takes in one line of cargo or of a libtest program: a total (`test result: …`), a test that failed, or a program
    /// that began or ended.
    pub(crate) fn see_test_line(&mut self, line: &str) {
        self.programs.see(line);
        if let Some(totals) = line.strip_prefix("test result: ") {
            self.passed += count(totals, "passed");
            self.failed += count(totals, "failed");
            self.ignored += count(totals, "ignored");
        } else if let Some(name) = failed_test(line) {
            self.failures.push(name.to_owned());
        }
    }

    /// Takes in one line of a program that ends with `N passed, N failed`, the last such line of which counts, and says
    /// `NOT CHECKED: …` of what it could not check.
    pub(crate) fn see_total_line(&mut self, line: &str) {
        if let Some(what) = line.strip_prefix("NOT CHECKED: ") {
            self.not_checked(what);
        }
        let is_total = line.starts_with(|first: char| first.is_ascii_digit())
            && line.contains(" passed, ")
            && line.ends_with(" failed");
        if is_total {
            self.passed = count(line, "passed");
            self.failed = count(line, "failed");
        }
    }

    /// Each test program that did not get to its end (it aborted, or it was killed) counts as a test that failed, and so
    /// does a run that ended badly without telling of a failed test (something did not compile).
    pub(crate) fn close(&mut self, program: &str, status: ExitStatus) {
        let lost = std::mem::take(&mut self.programs).lost();
        if lost > 0 {
            self.lost += lost;
            self.failed += lost;
            let programs = counted(usize::try_from(lost).unwrap_or(usize::MAX), "test program");
            self.failures.push(format!("{program} ({status}): {programs} did not get to the end"));
        } else if !status.success() && self.failed == 0 {
            self.failed = 1;
            self.failures.push(format!("{program} ({status})"));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend(other.failures);
        self.unchecked.extend(other.unchecked);
        self.repeated.extend(other.repeated);
        self.lost += other.lost;
    }

    /// Whether a test program did not get to its end, so that nobody knows how its tests would have gone.
    pub(crate) fn has_lost_programs(&self) -> bool {
        self.lost > 0
    }

    /// Counts a failed test, in as many programs as it failed in, as one that passed on a second try.
    pub(crate) fn excuse(&mut self, name: &str) {
        let before = self.failures.len();
        self.failures.retain(|failure| failure != name);
        let times = (before - self.failures.len()) as u64;
        self.failed = self.failed.saturating_sub(times);
        self.passed += times;
        self.repeated.push(name.to_owned());
    }

    /// The tests that passed only on a second try.
    pub(crate) fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// Notes what could not be tested here, and why.
    pub(crate) fn not_checked(&mut self, what: impl Into<String>) {
        self.unchecked.push(what.into());
    }

    /// What could not be tested here.
    pub(crate) fn unchecked(&self) -> &[String] {
        &self.unchecked
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// The names of the tests that failed, as far as they were told.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The totals, `N passed, N failed`.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }

    /// The totals with what was not applicable; for people.
    pub(crate) fn note(&self) -> String {
        if self.ignored == 0 {
            return self.line();
        }
        format!("{}, {} not applicable", self.line(), self.ignored)
    }

    /// Fails if a test failed, and if there was none.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if self.failed > 0 {
            return Err(Failure::check(self.line()));
        }
        if self.passed == 0 {
            return Err(Failure::check("no test ran"));
        }
        Ok(())
    }
}

/// The number in front of `word` in `12 passed; 0 failed; …`; 0 when there is none.
fn count(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || ",;.".contains(character))
        .filter(|part| !part.is_empty())
        .collect();
    let place = words.iter().position(|part| *part == word);
    let number = place.and_then(|place| words.get(place.checked_sub(1)?));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn status(code: i32) -> ExitStatus {
        std::os::unix::process::ExitStatusExt::from_raw(code << 8)
    }

    #[test]
    fn totals_of_all_programs_are_added() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test b ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 40 passed; 0 failed; 5 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ] {
            tally.see_test_line(line);
        }
        assert_eq!(tally.line(), "42 passed, 1 failed");
        assert_eq!(tally.note(), "42 passed, 1 failed, 5 not applicable");
        assert_eq!(tally.failures(), ["b"]);
        assert_eq!(tally.verdict().unwrap_err().exit_code(), 1);
    }

    #[test]
    fn the_last_total_line_counts() {
        let mut tally = Tally::default();
        tally.see_total_line("10 passed, 2 failed");
        tally.see_total_line("of 1200 cases all passed, none failed");
        tally.see_total_line("NOT CHECKED: a full disk");
        tally.see_total_line("1203 passed, 0 failed");
        assert_eq!(tally.line(), "1203 passed, 0 failed");
        assert_eq!(tally.unchecked(), ["a full disk"]);
        assert_eq!(tally.verdict(), Ok(()));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_dies_without_a_word_counts_as_failed() {
        let mut tally = Tally::default();
        tally.see_test_line("test result: ok. 7 passed; 0 failed; 0 ignored");
        tally.close("`cargo test`", status(101));
        assert_eq!(tally.line(), "7 passed, 1 failed");
        assert!(tally.failures()[0].contains("`cargo test`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_failed_test_is_not_counted_twice() {
        let mut tally = Tally::default();
        tally.see_test_line("test result: FAILED. 7 passed; 1 failed; 0 ignored");
        tally.close("`cargo test`", status(101));
        assert_eq!(tally.line(), "7 passed, 1 failed");
    }

    const RUNNING: [&str; 2] = [
        "     Running tests/a.rs (target/debug/deps/a-effe6e871fc0c7ad)",
        "     Running tests/b.rs (target/debug/deps/b-73020fc5b5c24f4b)",
    ];
    const ONE_FAILED: [&str; 4] = [
        "running 8 tests",
        "test a ... FAILED",
        "test result: FAILED. 7 passed; 1 failed; 0 ignored",
        "error: test failed, to rerun pass `--test a`",
    ];

    #[cfg(unix)]
    fn closed(lines: &[&str], code: i32) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.see_test_line(line);
        }
        tally.close("`cargo test`", status(code));
        tally
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_dies_beside_a_failed_test_counts_as_failed_too() {
        let aborted_in_a_test = ["running 3 tests", "error: test failed, to rerun pass `--test b`"];
        let aborted_at_once = &aborted_in_a_test[1..];
        let aborted_at_its_end = [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed",
            "error: test failed, to rerun pass `--test b`",
        ];
        let exited_as_if_well = ["running 3 tests"];
        for (lines, total) in [
            (&aborted_in_a_test[..], "7 passed, 2 failed"),
            (aborted_at_once, "7 passed, 2 failed"),
            (&aborted_at_its_end, "10 passed, 2 failed"),
            (&exited_as_if_well, "7 passed, 2 failed"),
        ] {
            let tally = closed(&[&RUNNING[..], &ONE_FAILED, lines].concat(), 101);
            assert_eq!(tally.line(), total, "{lines:?}");
            assert!(tally.has_lost_programs(), "{lines:?}");
            assert!(tally.failures()[1].contains("1 test program did not"), "{tally:?}");
        }
        let whole = closed(&[&RUNNING[..1], &ONE_FAILED].concat(), 101);
        assert!(!whole.has_lost_programs());
        assert_eq!(whole.line(), "7 passed, 1 failed");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_exits_well_in_the_middle_of_its_tests_counts_as_failed() {
        let tally = closed(&[RUNNING[0], "running 3 tests"], 0);
        assert_eq!(
            (tally.line(), tally.has_lost_programs()),
            ("0 passed, 1 failed".to_owned(), true)
        );
        let mut total = Tally::default();
        total.add(tally);
        assert!(total.has_lost_programs());
    }

    #[cfg(unix)]
    #[test]
    fn what_cargo_builds_and_runs_besides_is_no_test_program() {
        let lines = [
            "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.02s",
            "     Running `target/debug/crash --kills 3`",
            "   Doc-tests state_core",
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed",
            "running 1 test",
            "test result: ok. 1 passed; 0 failed",
            "error: 2 targets failed:",
        ];
        assert_eq!(closed(&lines, 0).line(), "3 passed, 0 failed");
    }

    #[test]
    fn a_test_that_passed_on_a_second_try_is_counted_and_named() {
        let mut tally = Tally::default();
        for line in [
            "test a ... FAILED",
            "test b ... FAILED",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored",
            "test a ... FAILED",
            "test result: FAILED. 4 passed; 1 failed; 0 ignored",
        ] {
            tally.see_test_line(line);
        }
        tally.excuse("a");
        assert_eq!(tally.line(), "9 passed, 1 failed");
        assert_eq!(
            (tally.failures(), tally.repeated()),
            (&["b".to_owned()][..], &["a".to_owned()][..])
        );
        assert!(tally.has_failed());
        tally.excuse("b");
        assert_eq!(tally.verdict(), Ok(()));
    }

    #[test]
    fn no_test_at_all_is_a_failure() {
        let mut tally = Tally::default();
        tally.see_test_line("test result: ok. 0 passed; 0 failed; 0 ignored");
        assert_eq!(tally.verdict(), Err(Failure::check("no test ran")));
    }
}
