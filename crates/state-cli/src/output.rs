//! The only place that writes to standard output and standard error.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::{self, BufRead, BufWriter, IsTerminal, Stdout, Write};
use std::path::Path;
use std::rc::Rc;

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::prose;
use crate::table::{Rendered, Table};

/// Where results, notes and errors go. Clones share one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Whether results are JSON.
    pub(crate) json: bool,
    /// Whether notes and progress are left out.
    pub(crate) quiet: bool,
    /// Whether standard output is a terminal.
    pub(crate) to_terminal: bool,
    stdout: Rc<RefCell<BufWriter<Stdout>>>,
    /// Whether somebody was told that columns are left out.
    told_left_out: Rc<Cell<bool>>,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let stdout = io::stdout();
        let to_terminal = stdout.is_terminal();
        let stdout = Rc::new(RefCell::new(BufWriter::new(stdout)));
        Self { json, quiet, to_terminal, stdout, told_left_out: Rc::default() }
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.borrow_mut().write_all(bytes).map_err(|error| Failure::output(&error))
    }

    /// Writes text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes a line.
    pub(crate) fn line(&self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout.borrow_mut(), "{line}").map_err(|error| Failure::output(&error))
    }

    /// Writes one JSON document on one line.
    pub(crate) fn json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let mut stdout = self.stdout.borrow_mut();
        serde_json::to_writer(&mut *stdout, document)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(stdout))
            .map_err(|error| Failure::output(&error))
    }

    /// Writes text in lines that are not too long to be read; each keeps its indentation.
    pub(crate) fn prose(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.line(prose::wrap(text.as_ref(), prose::prose_width()))
    }

    /// Writes a table that keeps to the width of lines, and tells once of columns that are left out.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Failure> {
        let Rendered { lines, left_out } = table.render(prose::width());
        lines.iter().try_for_each(|line| self.line(line))?;
        if !left_out.is_empty() && !self.told_left_out.replace(true) {
            self.note(format_args!(
                "lines are too short for {}: --json shows everything",
                left_out.join(", ")
            ));
        }
        Ok(())
    }

    /// Writes one JSON document beside a result that standard output is taken by; nothing where JSON
    /// was not asked for.
    pub(crate) fn json_aside(&self, document: &impl Serialize) {
        if self.json {
            match serde_json::to_string(document) {
                Ok(document) => to_stderr(document),
                Err(error) => to_stderr(error),
            }
        }
    }

    /// Sends what is buffered.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        self.stdout.borrow_mut().flush().map_err(|error| Failure::output(&error))
    }

    /// Standard output as a sink of its own, for what is too large to be buffered here.
    pub(crate) fn raw() -> impl Write + Send + use<> {
        BufWriter::new(io::stdout())
    }

    /// Asks the person at the terminal, and fails with `next` as advice unless that one agrees.
    pub(crate) fn agree(&self, question: &str, next: &str) -> Result<(), Failure> {
        let stdin = io::stdin();
        if !self.json && stdin.is_terminal() {
            let mut stderr = io::stderr().lock();
            // Who cannot be asked has not agreed: the answer decides.
            drop(write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()));
            let mut answer = String::new();
            let read = stdin.lock().read_line(&mut answer);
            read.map_err(|error| Failure::file("reading", Path::new("standard input"), &error))?;
            let answer = answer.trim();
            if answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes") {
                return Ok(());
            }
        }
        let message = format!("not agreed to: {question} Nothing was changed");
        Err(Failure::conflict(message, next))
    }

    /// Tells the person at the terminal something that is no result.
    pub(crate) fn note(&self, note: impl Display) {
        if !self.quiet && !self.json {
            // In the order in which it was said; a failure comes back with the next write.
            drop(self.flush());
            to_stderr(format_args!("note: {note}"));
        }
    }

    /// Tells of something that is easily missed and may cost data, even where notes are left out.
    pub(crate) fn warn(&self, warning: impl Display) {
        drop(self.flush());
        if self.json {
            to_stderr(serde_json::json!({ "warning": warning.to_string() }));
        } else {
            to_stderr(format_args!("warning: {warning}"));
        }
    }

    /// Tells why the command failed; a reader that went away needs no explanation.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.exit() == Exit::ClosedPipe {
            return;
        }
        // What was shown comes first; the failure is what matters if that cannot be written.
        drop(self.flush());
        if self.json {
            match serde_json::to_string(&failure.document()) {
                Ok(document) => to_stderr(document),
                Err(_) => to_stderr(failure),
            }
        } else {
            to_stderr(failure);
        }
    }
}

/// A number of things: `1 file`, `2 files`, `3 entries`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let count = indicatif::HumanCount(number);
    if number == 1 {
        return format!("{count} {thing}");
    }
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ => format!("{count} {thing}s"),
    }
}

fn to_stderr(text: impl Display) {
    // When standard error cannot be written there is nobody left to tell.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_things() {
        let files = [0, 1, 2, 1_000].map(|number| counted(number, "file"));
        assert_eq!(files, ["0 files", "1 file", "2 files", "1,000 files"]);
        let others = ["entry", "key"].map(|thing| [1, 2].map(|number| counted(number, thing)));
        assert_eq!(others, [["1 entry", "2 entries"], ["1 key", "2 keys"]]);
    }
}
