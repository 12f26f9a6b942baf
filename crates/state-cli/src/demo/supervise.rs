//! Starts worker processes, follows what they tell, and kills them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar};
use state_core::ErrorKind;

use super::event::Event;
use super::{Arguments, Place};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, counted};
use crate::{duration, progress};

/// How a worker process has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    Finished,
    Killed,
    /// It was too slow to renew its lease, and stopped.
    LostLease,
}

/// One worker process, looked back at.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) process: u32,
    pub(super) ended: Ended,
    /// The fencing token of its lease.
    pub(super) token: Option<u64>,
    /// How long it waited for the lease.
    pub(super) waited: Duration,
    /// Where it began.
    pub(super) resumed_bytes: u64,
    pub(super) resumed_lines: u64,
    /// What it said was committed, of `all_bytes`.
    pub(super) committed_bytes: u64,
    pub(super) all_bytes: u64,
    pub(super) transactions: u64,
    /// How long it worked, without the wait.
    pub(super) working: Duration,
}

#[derive(Debug)]
pub(super) struct Supervisor {
    program: PathBuf,
    arguments: Vec<String>,
    root: PathBuf,
    output: Output,
    bar: ProgressBar,
}

impl Supervisor {
    pub(super) fn new(
        place: &Place,
        root: &Path,
        arguments: &Arguments,
        context: &Context,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::system("the path of this program is unknown", &error))?;
        let mut passed = vec!["--json".to_owned(), "--store".to_owned(), place.url.to_string()];
        passed.extend(["--namespace".to_owned(), place.namespace.clone()]);
        if context.global.raw_keys {
            passed.push("--raw-keys".to_owned());
        }
        passed.push("demo-worker".to_owned());
        passed.push(format!("--lease={}ms", duration::millis(arguments.lease)));
        if let Some(every) = arguments.every {
            passed.push(format!("--every={every}"));
        }
        let output = context.output.clone();
        let bar = progress::bytes(&output, "worker", 0);
        let supervisor = Self { program, arguments: passed, root: root.to_owned(), output, bar };
        supervisor.say(format!("Counting words below {}", root.display()))?;
        Ok(supervisor)
    }

    /// Runs a worker until it has finished, or is killed because it committed the first of the
    /// two percentages. Half-way to the second one, and 25 % later at most, it holds by itself,
    /// so that it is in the middle of its work whenever the signal comes.
    pub(super) fn work_until(&self, kill: Option<(u64, u64)>) -> Result<Worker, Failure> {
        let hold_at = kill.map(|(kill_at, next)| kill_at + ((next - kill_at) / 2).min(25));
        let mut child = self.start(hold_at)?;
        let mut worker = Worker::new(child.id());
        let followed = self.follow(&mut child, &mut worker, kill.map(|kill| kill.0), hold_at);
        if followed.is_err() {
            // Whatever went wrong here, no worker is left behind.
            drop(child.kill());
        }
        let said = read_errors(&mut child);
        let status = child.wait();
        let status =
            status.map_err(|error| Failure::system("the worker cannot be waited for", &error))?;
        followed?;
        if worker.ended == Ended::Finished && !status.success() {
            let failure = Failure::relayed(&said);
            if failure.kind() != ErrorKind::Fenced.name() {
                return Err(failure);
            }
            worker.ended = Ended::LostLease;
        }
        self.tell_the_end(&worker)?;
        Ok(worker)
    }

    pub(super) fn end_of_work(&self) {
        self.bar.finish_and_clear();
    }

    fn start(&self, hold_at: Option<u64>) -> Result<Child, Failure> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(hold_at.map(|percent| format!("--hold-at={percent}")));
        command.arg("--").arg(&self.root);
        command.env_remove("STATE_STORE").env_remove("STATE_NAMESPACE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| Failure::system("the worker cannot be started", &error))
    }

    /// Reads events until the worker's standard output ends, and kills it on the way. Nothing
    /// else goes on in this process meanwhile, so it may block.
    fn follow(
        &self,
        child: &mut Child,
        worker: &mut Worker,
        kill_at: Option<u64>,
        hold_at: Option<u64>,
    ) -> Result<(), Failure> {
        // Kept open: when it closes, a worker that holds knows that this process is gone.
        let _alive = child.stdin.take();
        let stdout = child.stdout.take();
        for event in events(stdout) {
            let event = event?;
            worker.note(&event);
            self.tell(&event, worker)?;
            let beyond = |bytes: u64, percent: Option<u64>| {
                percent.is_some_and(|percent| is_beyond(bytes, worker.all_bytes, percent))
            };
            let kill = match event {
                Event::Committed { bytes, .. } => beyond(bytes, kill_at),
                Event::Ready { bytes } => beyond(bytes, hold_at),
                _ => false,
            };
            if kill && worker.ended == Ended::Finished {
                child.kill().map_err(|error| Failure::system("the worker lives on", &error))?;
                worker.ended = Ended::Killed;
            }
        }
        Ok(())
    }

    fn tell(&self, event: &Event, worker: &Worker) -> Result<(), Failure> {
        let process = worker.process;
        match event {
            Event::Waiting { remaining_ms } => {
                self.bar.set_message("waiting for the lease");
                let left = duration::show(Duration::from_millis(*remaining_ms));
                self.say(format!(
                    "  process {process} waits: the lease of the dead worker lasts {left} more"
                ))
            }
            Event::Acquired { token, .. } => {
                self.bar.set_message("worker");
                self.say(format!(
                    "  process {process} holds the lease; its fencing token is {token}"
                ))
            }
            Event::Begun { files, bytes, resumed_bytes, frozen_now, .. } => {
                self.bar.set_length(*bytes);
                self.bar.set_position(*resumed_bytes);
                let size = HumanBytes(*bytes);
                self.say(if *frozen_now {
                    let files = counted(*files, "file");
                    format!("  froze the list of {files} ({size}) in the first transaction")
                } else {
                    let percent = percent(*resumed_bytes, *bytes);
                    format!("  resumes at {percent} % of {size}, where the last transaction ended")
                })
            }
            Event::Committed { bytes, .. } => {
                self.bar.set_position(*bytes);
                Ok(())
            }
            Event::Ready { .. } | Event::Finished { .. } => Ok(()),
        }
    }

    fn tell_the_end(&self, worker: &Worker) -> Result<(), Failure> {
        let Worker { process, transactions, .. } = worker;
        self.say(match worker.ended {
            Ended::Killed => format!(
                "  killed process {process} (SIGKILL) with {} % committed, after transaction \
                 {transactions}",
                percent(worker.committed_bytes, worker.all_bytes)
            ),
            Ended::LostLease => {
                format!("  process {process} was too slow to renew its lease, and stopped")
            }
            Ended::Finished => {
                format!("  process {process} finished with transaction {transactions}")
            }
        })
    }

    fn say(&self, line: String) -> Result<(), Failure> {
        if self.output.json || self.output.quiet {
            return Ok(());
        }
        self.bar.suspend(|| {
            self.output.line(line)?;
            self.output.flush()
        })
    }
}

impl Worker {
    fn new(process: u32) -> Self {
        Self {
            process,
            ended: Ended::Finished,
            token: None,
            waited: Duration::ZERO,
            resumed_bytes: 0,
            resumed_lines: 0,
            committed_bytes: 0,
            all_bytes: 0,
            transactions: 0,
            working: Duration::ZERO,
        }
    }

    fn note(&mut self, event: &Event) {
        match *event {
            Event::Acquired { token, waited_ms } => {
                self.token = Some(token);
                self.waited = Duration::from_millis(waited_ms);
            }
            Event::Begun { bytes, resumed_bytes, resumed_lines, .. } => {
                self.resumed_lines = resumed_lines;
                self.all_bytes = bytes;
                self.resumed_bytes = resumed_bytes;
                self.committed_bytes = resumed_bytes;
            }
            Event::Committed { bytes, transactions, working_ms, .. } => {
                self.committed_bytes = bytes;
                self.transactions = transactions;
                self.working = Duration::from_millis(working_ms);
            }
            Event::Finished { working_ms } => self.working = Duration::from_millis(working_ms),
            Event::Waiting { .. } | Event::Ready { .. } => {}
        }
    }
}

/// Whether `bytes` are more than `percent` of `all`, or just as many.
pub(super) fn is_beyond(bytes: u64, all: u64, percent: u64) -> bool {
    u128::from(bytes) * 100 >= u128::from(all) * u128::from(percent)
}

/// Whole percent of `all`.
pub(super) fn percent(bytes: u64, all: u64) -> u64 {
    let percent = u128::from(bytes) * 100 / u128::from(all.max(1));
    u64::try_from(percent).unwrap_or(100)
}

/// The events of a worker; a line that was cut by its death is left out.
fn events(stdout: Option<ChildStdout>) -> impl Iterator<Item = Result<Event, Failure>> {
    let lines = stdout.map(BufReader::new).into_iter().flat_map(BufRead::lines);
    lines.filter_map(|line| match line {
        Ok(line) => serde_json::from_str(&line).ok().map(Ok),
        Err(error) => Some(Err(Failure::system("the worker cannot be heard", &error))),
    })
}

/// What the worker has said on standard error; it is short, and complete when its output ended.
fn read_errors(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr
        && stderr.read_to_string(&mut said).is_err()
    {
        said.push_str("(what it said is not text)");
    }
    said
}
