//! What the demonstration shows at its end.

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::Place;
use super::follow::{Ended, Worker};
use super::job::{Counts, Job, Position, Skipped, Totals};
use super::proof::Pass;
use crate::context::Context;
use crate::demo::farewell;
use crate::duration;
use crate::failure::{Answer, Failure};
use crate::output::counted;
use crate::table::{Column, Table};

/// The most types of files in the table.
const KINDS_SHOWN_MAX: usize = 10;
const KIND_COLUMNS: [Column; 5] = [
    Column::whole("TYPE"),
    Column::whole("FILES").right(),
    Column::whole("LINES").right(),
    Column::whole("WORDS").right(),
    Column::wraps("UNINTERRUPTED PASS", 18),
];
/// The most changed files that a message names.
const CHANGED_NAMED_MAX: usize = 5;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) job: Job,
    pub(super) position: Position,
    /// What the store holds.
    pub(super) totals: Totals,
    pub(super) pass: Pass,
    pub(super) workers: Vec<Worker>,
    /// Workers that have ever begun, as the store has counted them.
    pub(super) workers_begun: u64,
    pub(super) late_writes_refused: bool,
    pub(super) store_bytes: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    root: &'a std::path::Path,
    store: String,
    namespace: &'a str,
    equal: bool,
    late_writes_refused: bool,
    files: u64,
    bytes: u64,
    skipped: Skipped,
    changed_files: &'a [String],
    lines: u64,
    words: u64,
    types: &'a Totals,
    uninterrupted: &'a Totals,
    transactions: u64,
    lines_per_transaction: u64,
    workers: Vec<WorkerDocument>,
    restarts: u64,
    lease_wait_ms: u64,
    working_ms: u64,
    lines_per_second: u64,
    store_bytes: u64,
}

#[derive(Serialize)]
struct WorkerDocument {
    process: u32,
    killed: bool,
    token: Option<u64>,
    waited_ms: u64,
    resumed_bytes: u64,
    committed_bytes: u64,
}

impl Report {
    pub(super) fn show(
        &self,
        place: &Place,
        removed: bool,
        context: &Context,
    ) -> Result<(), Failure> {
        let output = &context.output;
        if output.json {
            return output.json(&self.document(place));
        }
        output.line("")?;
        self.show_kinds(context)?;
        output.line("")?;
        self.show_figures(context)?;
        if !self.is_proven() || output.quiet {
            return Ok(());
        }
        farewell::say(WHAT_YOU_SAW, (!removed).then_some(&looks()), place, output)
    }

    /// Fails unless everything was proven.
    pub(super) fn verdict(&self) -> Result<Answer, Failure> {
        if !self.is_equal() {
            let changed = &self.pass.changed;
            if changed.is_empty() {
                return Err(Failure::unproven(
                    "the totals differ from an uninterrupted pass",
                    "please report it, with the output of `statectl demo stream --json`",
                ));
            }
            let mut names: Vec<&str> = changed.iter().map(String::as_str).collect();
            names.truncate(CHANGED_NAMED_MAX);
            let more = changed.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Err(Failure::unproven(
                format!("files changed while they were counted: {}{more}", names.join(", ")),
                "run it again while nothing writes there, or name another folder",
            ));
        }
        if !self.late_writes_refused {
            return Err(Failure::unproven(
                "a late write of a killed worker was not refused",
                "please report it, with the output of `statectl demo stream --json`",
            ));
        }
        Ok(Answer::Yes)
    }

    fn is_equal(&self) -> bool {
        self.totals == self.pass.totals
    }

    fn is_proven(&self) -> bool {
        self.is_equal() && self.late_writes_refused
    }

    fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.totals.values().for_each(|counts| sum.add(*counts));
        sum
    }

    fn working_ms(&self) -> u64 {
        self.workers.iter().map(|worker| duration::millis(worker.working)).sum()
    }

    /// Lines that this run has committed, by the time that its workers have worked.
    fn lines_per_second(&self) -> u64 {
        let before = self.workers.first().map_or(0, |worker| worker.resumed_lines);
        let lines = self.position.lines.saturating_sub(before);
        let lines = u128::from(lines) * 1_000 / u128::from(self.working_ms().max(1));
        u64::try_from(lines).unwrap_or(u64::MAX)
    }

    fn killed(&self) -> usize {
        self.workers.iter().filter(|worker| worker.ended == Ended::Killed).count()
    }

    fn show_kinds(&self, context: &Context) -> Result<(), Failure> {
        let mut kinds = Table::new(&KIND_COLUMNS);
        let mut sorted: Vec<(&String, &Counts)> = self.totals.iter().collect();
        sorted.sort_by_key(|(kind, counts)| (std::cmp::Reverse(counts.words), *kind));
        let mut others = (Counts::default(), Counts::default(), 0_u64);
        let mut add = |kind: &str, counts: Counts, expected: Counts| {
            let figures = [counts.files, counts.lines, counts.words];
            let figures = figures.map(|figure| HumanCount(figure).to_string());
            let verdict = if counts == expected {
                "the same".to_owned()
            } else {
                let Counts { files, lines, words } = expected;
                let [files, lines, words] = [(files, "file"), (lines, "line"), (words, "word")]
                    .map(|(number, thing)| counted(number, thing));
                format!("{files}, {lines}, {words}")
            };
            kinds.add(std::iter::once(kind.to_owned()).chain(figures).chain([verdict]));
        };
        for (at, (kind, counts)) in sorted.into_iter().enumerate() {
            let expected = self.pass.totals.get(kind).copied().unwrap_or_default();
            if at < KINDS_SHOWN_MAX {
                add(kind, *counts, expected);
            } else {
                others.0.add(*counts);
                others.1.add(expected);
                others.2 += 1;
            }
        }
        if others.2 > 0 {
            add(&counted(others.2, "other"), others.0, others.1);
        }
        let mut expected = Counts::default();
        self.pass.totals.values().for_each(|counts| expected.add(*counts));
        add("all", self.sum(), expected);
        context.output.table(&kinds)
    }

    fn show_figures(&self, context: &Context) -> Result<(), Failure> {
        let mut figures = Table::of_facts();
        let mut add = |name: &str, value: String| figures.add([name, &value]);
        let Skipped { folders, binaries, links, unreadable } = self.job.skipped;
        add(
            "read",
            format!("{} in {}", HumanBytes(self.job.bytes), counted(self.job.files, "file")),
        );
        add(
            "left out",
            format!(
                "{}, {}, {} (hidden, `target`), {unreadable} unreadable",
                counted(binaries, "binary"),
                counted(links, "link"),
                counted(folders, "folder")
            ),
        );
        let lines = HumanCount(self.position.lines);
        let every = counted(self.job.lines_per_transaction, "line");
        add("lines", lines.to_string());
        add(
            "transactions",
            format!(
                "{}, each with the position and the counters of up to {every}",
                HumanCount(self.position.transactions)
            ),
        );
        let restarts = self.workers_begun.saturating_sub(1);
        add("restarts", {
            let killed = self.killed();
            let workers = counted(self.workers.len() as u64, "worker");
            format!("{restarts}; {killed} of {workers} died by SIGKILL")
        });
        let waited: std::time::Duration = self.workers.iter().map(|worker| worker.waited).sum();
        add("waited", format!("{} for the leases of dead workers", duration::show(waited)));
        let speed = HumanCount(self.lines_per_second());
        add("speed", format!("{speed} lines/s, waiting for leases aside"));
        add("store", HumanBytes(self.store_bytes).to_string());
        let changed = self.position.changed_files;
        if changed > 0 {
            add(
                "changed",
                format!("{} vanished or shrank before being read", counted(changed, "file")),
            );
        }
        add("totals", verdict(self.is_equal(), "equal to an uninterrupted pass", "DIFFERENT"));
        add(
            "late writes",
            verdict(
                self.late_writes_refused,
                "refused: the store knows a newer fencing token",
                "TAKEN",
            ),
        );
        context.output.table(&figures)
    }

    fn document<'a>(&'a self, place: &'a Place) -> Document<'a> {
        let sum = self.sum();
        let workers = self.workers.iter().map(|worker| WorkerDocument {
            process: worker.process,
            killed: worker.ended == Ended::Killed,
            token: worker.token,
            waited_ms: duration::millis(worker.waited),
            resumed_bytes: worker.resumed_bytes,
            committed_bytes: worker.committed_bytes,
        });
        Document {
            root: &self.job.root,
            store: place.url.to_string(),
            namespace: &place.namespace,
            equal: self.is_equal(),
            late_writes_refused: self.late_writes_refused,
            files: self.job.files,
            bytes: self.job.bytes,
            skipped: self.job.skipped,
            changed_files: &self.pass.changed,
            lines: sum.lines,
            words: sum.words,
            types: &self.totals,
            uninterrupted: &self.pass.totals,
            transactions: self.position.transactions,
            lines_per_transaction: self.job.lines_per_transaction,
            workers: workers.collect(),
            restarts: self.workers_begun.saturating_sub(1),
            lease_wait_ms: self.workers.iter().map(|worker| duration::millis(worker.waited)).sum(),
            working_ms: self.working_ms(),
            lines_per_second: self.lines_per_second(),
            store_bytes: self.store_bytes,
        }
    }
}

const WHAT_YOU_SAW: &str = "What you saw: a process died in the middle of its work, without a chance to \
     clean up. The read position and the counters were always committed in one transaction, so the \
     next process knew exactly where to go on: no line was lost, none was counted twice. The lease \
     kept the two from working at the same time; its fencing token let the store refuse what came \
     too late.";

fn verdict(good: bool, yes: &str, no: &str) -> String {
    if good { yes } else { no }.to_owned()
}

/// What to look at in the store.
fn looks() -> [String; 5] {
    ["ls", "get -p job position", "ls -p job words/ --long", "watch", "info"].map(str::to_owned)
}
