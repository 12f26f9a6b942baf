//! Follows the workers of the stream job, and says what they tell.

use std::path::Path;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar};
use state_core::ErrorKind;

use super::Arguments;
use super::event::Event;
use crate::context::Context;
use crate::demo::place::Place;
use crate::demo::process::{Kill, Program, percent};
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
    program: Program,
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
        let mut options = vec![format!("--lease={}ms", duration::millis(arguments.lease))];
        options.extend(arguments.every.map(|every| format!("--every={every}")));
        let input = Some(root.to_owned());
        let program = Program::new(place, "demo-worker", options, input, context)?;
        let output = context.output.clone();
        let bar = progress::bytes(&output, "worker", 0);
        let supervisor = Self { program, output, bar };
        supervisor.say(format!("Counting words below {}", root.display()))?;
        Ok(supervisor)
    }

    /// Runs a worker until it has finished, or is killed.
    pub(super) fn work_until(&self, kill: Option<Kill>) -> Result<Worker, Failure> {
        let mut worker = Worker::new();
        let ending = self.program.run(kill, |process, event| {
            worker.process = process;
            worker.note(event);
            self.tell(event, &worker)
        })?;
        worker.ended = match ending.failure {
            None if ending.killed => Ended::Killed,
            None => Ended::Finished,
            Some(failure) if failure.kind() == ErrorKind::Fenced.name() => Ended::LostLease,
            Some(failure) => return Err(failure),
        };
        self.tell_the_end(&worker)?;
        Ok(worker)
    }

    pub(super) fn end_of_work(&self) {
        self.bar.finish_and_clear();
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
            self.output.prose(line)?;
            self.output.flush()
        })
    }
}

impl Worker {
    const fn new() -> Self {
        Self {
            process: 0,
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
