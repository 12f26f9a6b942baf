//! Worker processes: started, followed by what they tell, held in the middle, and killed.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use super::place::{Address, Place};
use crate::context::Context;
use crate::failure::Failure;

/// What an event says about the progress of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// There is so much to do.
    All(u64),
    /// So much would be committed next.
    Ready(u64),
    /// So much is committed.
    Committed(u64),
    Nothing,
}

/// What a worker tells: one JSON document per line of its standard output.
pub(super) trait Told: DeserializeOwned {
    fn progress(&self) -> Progress;
}

/// When a worker is killed: at the first percentage. Half-way to the second one, and 25 % later
/// at most, it holds by itself, so that it is in the middle of its work whenever the signal
/// comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    at: u64,
    hold_at: u64,
}

impl Kill {
    /// One for each percentage.
    pub(super) fn at_each(percentages: &[u64]) -> Vec<Self> {
        let kills: BTreeSet<u64> = percentages.iter().copied().collect();
        let nexts = kills.iter().copied().skip(1).chain([100]);
        let kill = |(at, next): (u64, u64)| Self { at, hold_at: at + ((next - at) / 2).min(25) };
        kills.iter().copied().zip(nexts).map(kill).collect()
    }
}

/// A program that is run as a worker.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    store: Address,
    options: Vec<String>,
    input: Option<PathBuf>,
}

/// How a worker process has ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) killed: bool,
    /// Why it ended by itself without having finished.
    pub(super) failure: Option<Failure>,
}

impl Program {
    /// This program with the hidden `command`, its `options`, and what it reads.
    pub(super) fn new(
        place: &Place,
        command: &str,
        options: Vec<String>,
        input: Option<PathBuf>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let path = std::env::current_exe()
            .map_err(|error| Failure::system("the path of this program is unknown", &error))?;
        let mut passed = vec!["--json".to_owned(), "--namespace".to_owned()];
        passed.push(place.namespace.clone());
        if context.global.raw_keys {
            passed.push("--raw-keys".to_owned());
        }
        passed.push(command.to_owned());
        passed.extend(options);
        let store = Address(place.address.0.clone());
        Ok(Self { path, store, options: passed, input })
    }

    /// Runs it until it has ended, or is killed; tells of its number and of each event.
    pub(super) fn run<E: Told>(
        &self,
        kill: Option<Kill>,
        mut tell: impl FnMut(u32, &E) -> Result<(), Failure>,
    ) -> Result<Ending, Failure> {
        let mut child = self.start(kill)?;
        let followed = follow(&mut child, kill, &mut tell);
        if followed.is_err() {
            // Whatever went wrong here, no worker is left behind.
            drop(child.kill());
        }
        let said = read_errors(&mut child);
        let status = child.wait();
        let status =
            status.map_err(|error| Failure::system("the worker cannot be waited for", &error))?;
        let killed = followed?;
        let failed = !killed && !status.success();
        Ok(Ending { killed, failure: failed.then(|| Failure::relayed(&said)) })
    }

    fn start(&self, kill: Option<Kill>) -> Result<Child, Failure> {
        let mut command = Command::new(&self.path);
        command.args(&self.options).args(kill.map(|kill| format!("--hold-at={}", kill.hold_at)));
        if let Some(input) = &self.input {
            command.arg("--").arg(input);
        }
        // Others may read a command line, which is no place for a password.
        command.env("STATE_STORE", &self.store.0).env_remove("STATE_NAMESPACE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| Failure::system("the worker cannot be started", &error))
    }
}

/// Reads events until the worker's standard output ends, and kills it on the way; returns whether
/// it did. Nothing else goes on in this process meanwhile, so it may block.
fn follow<E: Told>(
    child: &mut Child,
    kill: Option<Kill>,
    tell: &mut impl FnMut(u32, &E) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    // Kept open: when it closes, a worker that holds knows that this process is gone.
    let _alive = child.stdin.take();
    let (mut all, mut killed) = (0, false);
    for event in events::<E>(child.stdout.take()) {
        let event = event?;
        tell(child.id(), &event)?;
        let due = match (event.progress(), kill) {
            (Progress::All(amount), _) => {
                all = amount;
                false
            }
            (Progress::Committed(amount), Some(kill)) => is_beyond(amount, all, kill.at),
            (Progress::Ready(amount), Some(kill)) => is_beyond(amount, all, kill.hold_at),
            _ => false,
        };
        if due && !killed {
            child.kill().map_err(|error| Failure::system("the worker lives on", &error))?;
            killed = true;
        }
    }
    Ok(killed)
}

/// The events of a worker; a line that was cut by its death is left out.
fn events<E: Told>(stdout: Option<ChildStdout>) -> impl Iterator<Item = Result<E, Failure>> {
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

/// Whether `amount` is more than `percent` of `all`, or just as much.
fn is_beyond(amount: u64, all: u64, percent: u64) -> bool {
    u128::from(amount) * 100 >= u128::from(all) * u128::from(percent)
}

/// Whole percent of `all`.
pub(super) fn percent(amount: u64, all: u64) -> u64 {
    let percent = u128::from(amount) * 100 / u128::from(all.max(1));
    u64::try_from(percent).unwrap_or(100)
}

/// In a worker: holds the work where it was told to.
#[derive(Debug)]
pub(super) struct Hold {
    percent: Option<u64>,
    all: u64,
}

impl Hold {
    /// Commits nothing beyond this percentage.
    pub(super) const fn new(percent: Option<u64>) -> Self {
        Self { percent, all: 0 }
    }

    /// Notes what is told. Waits to be killed where the work is to hold, and fails when whoever
    /// started it is gone. The event must have been written by then.
    pub(super) fn after(&mut self, event: &impl Told) -> Result<(), Failure> {
        match event.progress() {
            Progress::All(amount) => self.all = amount,
            Progress::Ready(amount)
                if self.percent.is_some_and(|percent| is_beyond(amount, self.all, percent)) =>
            {
                return wait_for_the_end();
            }
            _ => {}
        }
        Ok(())
    }
}

fn wait_for_the_end() -> Result<(), Failure> {
    let mut nothing = Vec::new();
    io::stdin().lock().read_to_end(&mut nothing).map_err(|error| Failure::output(&error))?;
    Err(Failure::conflict("the process that started this worker is gone", "run `statectl demo`"))
}
