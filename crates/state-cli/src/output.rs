//! The only place that writes to standard output and standard error.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, BufRead, BufWriter, IsTerminal, Stdout, Write};
use std::path::Path;
use std::rc::Rc;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::{Exit, Failure};

/// The width of tables that do not go to a terminal, in columns.
const PIPED_WIDTH: u16 = 100;

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
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let stdout = io::stdout();
        let to_terminal = stdout.is_terminal();
        Self { json, quiet, to_terminal, stdout: Rc::new(RefCell::new(BufWriter::new(stdout))) }
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

    /// Writes a table that fits the terminal.
    pub(crate) fn table(&self, mut table: Table) -> Result<(), Failure> {
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
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

    /// How many characters a line may have.
    pub(crate) fn width() -> usize {
        bare_table().width().unwrap_or(PIPED_WIDTH).into()
    }

    /// Tells the person at the terminal something that is no result.
    pub(crate) fn note(&self, note: impl Display) {
        if !self.quiet && !self.json {
            // In the order in which it was said; a failure comes back with the next write.
            drop(self.flush());
            to_stderr(format_args!("note: {note}"));
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

/// Keeps these columns on one line where the output is wide enough, so that what stands there can
/// be copied.
pub(crate) fn unbroken(table: &mut Table, header: &[&str], columns: &[&str]) {
    const WIDE_ENOUGH: u16 = 90;
    if table.width().is_none_or(|width| width < WIDE_ENOUGH) {
        return;
    }
    for (column, name) in table.column_iter_mut().zip(header) {
        if columns.contains(name) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// An empty table with a header.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = bare_table();
    table.set_header(header);
    table
}

/// An empty table without a header.
pub(crate) fn bare_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(PIPED_WIDTH);
    }
    table
}

/// A number of things, whose name gets an `s` unless there is one.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", indicatif::HumanCount(number))
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
    }
}
