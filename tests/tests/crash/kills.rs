//! Processes that write to a store and are killed with SIGKILL at a random moment.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use state_core::{Namespace, Result, StateBackend};
use state_local::{CommitMode, FileStore};

use crate::checks::{Checks, say};
use crate::threads::{self, Steps, THREADS};
use crate::workload::{self, Mismatch, Plan, TASKS};
use crate::{Failure, runtime};
use state_tests::counted;
use state_tests::seeded::Seeded;

/// Kills of one store before the next one is begun.
const KILLS_PER_STORE: usize = 5;
const CONTROL_KILLS: usize = 10;
const READY: &str = "ready";

/// How a child acknowledges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Honesty {
    /// When the store has.
    Honest,
    /// Before it asks the store: the positive control.
    Lying,
}

/// A store that is killed again and again.
struct Victim {
    path: PathBuf,
    seed: u64,
    mode: CommitMode,
    /// Operations of each task that are known to be there, then the steps of each thread.
    counts: Vec<u64>,
}

/// Kills processes `kills` times, and then some that lie.
pub(crate) fn run(checks: &Checks, folder: &Path, kills: usize, seed: u64) -> Result<(), Failure> {
    let mut seeded = Seeded::of(seed, 1);
    let mut acknowledged = 0;
    let mut victim = Victim::new(folder, &mut seeded, 0);
    for kill in 0..kills {
        if kill % KILLS_PER_STORE == 0 {
            victim = Victim::new(folder, &mut seeded, kill);
        }
        acknowledged += victim.kill(checks, &mut seeded, kill)?;
        if (kill + 1) % 50 == 0 {
            let kills = counted(kill + 1, "kill");
            say(format_args!("  {kills}, {acknowledged} operations acknowledged"));
        }
    }
    if kills > 0 {
        checks.check(acknowledged > 0, || "no child acknowledged anything".to_owned());
        let steps: u64 = victim.counts.iter().skip(TASKS).sum();
        say(format_args!("  {steps} steps of threads acknowledged by the last store"));
        checks.check(steps > 0, || "no child acknowledged a step of a thread".to_owned());
        control(checks, folder, &mut seeded)?;
    }
    Ok(())
}

/// Children that acknowledge before they commit must be caught losing.
fn control(checks: &Checks, folder: &Path, seeded: &mut Seeded) -> Result<(), Failure> {
    let mut caught = 0;
    for kill in 0..CONTROL_KILLS {
        let victim = Victim::new(folder, seeded, 1_000_000 + kill);
        let (told, _) = victim.live(Honesty::Lying, Duration::from_millis(60))?;
        caught += usize::from(matches!(victim.look(&told), Ok(Err(Mismatch::Lost(_)))));
    }
    say(format_args!("  control: {caught} of {CONTROL_KILLS} children that lie were caught"));
    checks
        .check(caught > 0, || "a child that acknowledges before it commits was not caught".into());
    Ok(())
}

impl Victim {
    fn new(folder: &Path, seeded: &mut Seeded, number: usize) -> Self {
        let modes = [CommitMode::OnePhase, CommitMode::TwoPhase, CommitMode::QuickRepair];
        Self {
            path: folder.join(format!("kill-{number}")),
            seed: seeded.number(),
            mode: modes.get(number / KILLS_PER_STORE % modes.len()).copied().unwrap_or_default(),
            counts: vec![0; TASKS + THREADS],
        }
    }

    /// Lets a process live for a while, kills it, and looks at what it left. Returns the
    /// operations that it acknowledged.
    fn kill(&mut self, checks: &Checks, seeded: &mut Seeded, kill: usize) -> Result<u64, Failure> {
        // Now and then the process dies while it opens the store.
        let early = seeded.below(8) == 0;
        let life = if early { seeded.below(12) } else { 20 + seeded.below(80) };
        let life = Duration::from_millis(life as u64);
        let (told, said) = if early {
            self.start(Honesty::Honest, life)?
        } else {
            self.live(Honesty::Honest, life)?
        };
        let before: u64 = self.counts.iter().sum();
        let name = || format!("kill {kill} ({:?}, {}): {said}", self.mode, self.path.display());
        checks.check(said.is_empty(), || format!("the child failed: {}", name()));
        match self.look(&told) {
            Err(error) => {
                checks.check(false, || format!("reopening failed: {error}; {}", name()));
            }
            Ok(found) => {
                checks.check(true, String::new);
                match found {
                    Ok(counts) => {
                        checks.check(true, String::new);
                        self.counts = counts;
                    }
                    Err(mismatch) => {
                        checks.check(false, || format!("{mismatch}; {}", name()));
                        // Go on with a store that is whole.
                        self.path = self.path.with_extension(kill.to_string());
                        self.counts = vec![0; TASKS + THREADS];
                    }
                }
            }
        }
        Ok(told.iter().sum::<u64>().saturating_sub(before))
    }

    /// Kills a process some time after it said that it is ready.
    fn live(&self, honesty: Honesty, life: Duration) -> Result<(Vec<u64>, String), Failure> {
        self.observe(honesty, life, true)
    }

    /// Kills a process some time after it was started.
    fn start(&self, honesty: Honesty, life: Duration) -> Result<(Vec<u64>, String), Failure> {
        self.observe(honesty, life, false)
    }

    /// The operations of each task that a process acknowledged before it was killed, and what it
    /// complained of.
    fn observe(
        &self,
        honesty: Honesty,
        life: Duration,
        after_ready: bool,
    ) -> Result<(Vec<u64>, String), Failure> {
        let mut child = self.spawn(honesty)?;
        let out = child.stdout.take().ok_or("the child has no output")?;
        let (sender, ready) = std::sync::mpsc::channel();
        let counts = self.counts.clone();
        let reader = thread::spawn(move || read_acknowledgements(out, counts, &sender));
        if after_ready {
            // A child that fails closes the channel instead; what it said is looked at later.
            let _ready = ready.recv_timeout(Duration::from_secs(30));
        }
        thread::park_timeout(life);
        child.kill()?;
        let output = child.wait_with_output()?;
        let told = reader.join().map_err(|_| "the reader of the child's output has panicked")?;
        Ok((told, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn spawn(&self, honesty: Honesty) -> Result<Child, Failure> {
        let counts: Vec<_> = self.counts.iter().map(u64::to_string).collect();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("child").arg(&self.path).arg(self.seed.to_string());
        command.arg(format!("{:?}", self.mode)).arg(counts.join(","));
        command.arg(format!("{honesty:?}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command.spawn()?)
    }

    /// Opens the store and compares it with what was acknowledged.
    fn look(&self, told: &[u64]) -> Result<Result<Vec<u64>, Mismatch>> {
        runtime().block_on(async {
            let store = FileStore::builder()
                .cross_partition_transactions(true)
                .commit_mode(self.mode)
                .open(&self.path)
                .await?;
            let backend = store.open(Namespace::default())?;
            let (operations, steps) = told.split_at_checked(TASKS).unwrap_or((told, &[]));
            let mut found = workload::verify(&backend, self.seed, operations).await;
            if let Ok(counts) = &mut found {
                // A step that may be there is put once more, which must change nothing.
                counts.extend(steps);
                if let Err(mismatch) = threads::verify(&store, self.seed, steps).await {
                    found = Err(mismatch);
                }
            }
            store.close().await?;
            Ok(found)
        })
    }
}

/// Reads lines `TASK NUMBER` until the process is gone.
fn read_acknowledgements(
    out: impl io::Read,
    mut counts: Vec<u64>,
    ready: &std::sync::mpsc::Sender<()>,
) -> Vec<u64> {
    for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if line == READY {
            // Nobody waits for it any more when the child was to die early.
            let _waiting = ready.send(());
            continue;
        }
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        // The last line may be cut; a whole one ends with a full stop.
        if let ([task, number], true) = (numbers.as_slice(), line.ends_with(" .")) {
            let slot = usize::try_from(*task).ok().and_then(|task| counts.get_mut(task));
            if let Some(count) = slot {
                *count = (*count).max(*number);
            }
        }
    }
    counts
}

/// The child: writes with several tasks until it is killed, and prints what is acknowledged.
pub(crate) fn child(arguments: &[String]) -> Result<(), Failure> {
    let [path, seed, mode, counts, honesty] = arguments else {
        return Err("a child needs five arguments".into());
    };
    let seed: u64 = seed.parse()?;
    let mode = match mode.as_str() {
        "TwoPhase" => CommitMode::TwoPhase,
        "QuickRepair" => CommitMode::QuickRepair,
        _ => CommitMode::OnePhase,
    };
    let counts: Vec<u64> = counts.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let lies = honesty == "Lying";
    runtime().block_on(async {
        let store = FileStore::builder()
            .cross_partition_transactions(true)
            .commit_mode(mode)
            .open(path)
            .await?;
        let backend: Arc<dyn StateBackend> = Arc::new(store.open(Namespace::default())?);
        tell(READY)?;
        let checkpoints = threads::open(&store)?;
        let tasks = counts.into_iter().enumerate().map(|(task, count)| {
            let (backend, checkpoints) = (Arc::clone(&backend), checkpoints.clone());
            tokio::spawn(async move {
                let mut number = count;
                loop {
                    number += 1;
                    if lies {
                        acknowledge(task, number)?;
                    }
                    match task.checked_sub(TASKS) {
                        None => Plan { seed, task }.make(&*backend, number).await?,
                        Some(task) => Steps { seed, task }.make(&checkpoints, number).await?,
                    }
                    if !lies {
                        acknowledge(task, number)?;
                    }
                }
            })
        });
        let tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>> = tasks.collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

fn acknowledge(task: usize, number: u64) -> Result<(), Failure> {
    tell(&format!("{task} {number} ."))
}

/// Prints a line in one write.
fn tell(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}
