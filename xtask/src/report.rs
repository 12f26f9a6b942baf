//! Steps that run one after another, and the table that tells how each of them ended.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// How a step ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything was checked; the text, which may be empty, says what.
    Passed(String),
    /// It could not be checked here, for the reason given. Shown, and not a failure.
    NotChecked(String),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) step: &'static str,
    pub(crate) result: Result<Verdict, Failure>,
    pub(crate) took: Duration,
}

/// Runs a step and measures how long it takes.
#[expect(clippy::disallowed_methods, reason = "the duration of a build step is real time")]
pub(crate) fn timed(step: &'static str, run: impl FnOnce() -> Result<Verdict, Failure>) -> Row {
    let start = Instant::now();
    let result = run();
    Row { step, result, took: start.elapsed() }
}

/// The table, its last line saying how many steps passed.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<12}{:<13}{:>8}   note\n", "step", "outcome", "time");
    let (mut passed, mut failed, mut unchecked) = (0, 0, 0);
    for row in rows {
        let (outcome, note) = match &row.result {
            Ok(Verdict::Passed(note)) => {
                passed += 1;
                ("passed", note.clone())
            }
            Ok(Verdict::NotChecked(why)) => {
                unchecked += 1;
                ("NOT CHECKED", why.clone())
            }
            Err(failure) => {
                failed += 1;
                ("FAILED", failure.to_string())
            }
        };
        let first = note.lines().next().unwrap_or_default();
        let took = format!("{:.1} s", row.took.as_secs_f64());
        let line = format!("{:<12}{outcome:<13}{took:>8}   {first}", row.step);
        writeln!(text, "{}", line.trim_end()).ok();
    }
    write!(text, "{} passed, {failed} failed", counted(passed, "step")).ok();
    if unchecked > 0 {
        write!(text, ", {unchecked} NOT CHECKED (see above)").ok();
    }
    text
}

/// A number of things: `1 step`, `2 steps`.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Ok if no step failed; else a failure that names those that did.
pub(crate) fn verdict(rows: &[Row]) -> Result<(), Failure> {
    let failed: Vec<_> =
        rows.iter().filter(|row| row.result.is_err()).map(|row| row.step).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!("failed: {}", failed.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            timed("fmt", || Ok(Verdict::Passed(String::new()))),
            timed("advisories", || Ok(Verdict::NotChecked("no network".to_owned()))),
            timed("tests", || Err(Failure::check("3 failed\nmore about it"))),
        ]
    }

    #[test]
    fn the_table_shows_every_step_and_what_was_not_checked() {
        let table = table(&rows());
        assert!(table.contains("fmt         passed"));
        assert!(table.contains("NOT CHECKED"), "{table}");
        assert!(table.contains("no network") && table.contains("3 failed"));
        assert!(!table.contains("more about it"));
        assert!(table.ends_with("1 step passed, 1 failed, 1 NOT CHECKED (see above)"));
    }

    #[test]
    fn one_failed_step_fails_the_whole_and_an_unchecked_one_does_not() {
        assert_eq!(verdict(&rows()), Err(Failure::check("failed: tests")));
        assert_eq!(verdict(&rows()[..2]), Ok(()));
    }
}
