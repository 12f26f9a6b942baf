//! Crash tests of the file store: kill -9, power cuts, failing disks, damaged files.

mod checks;
mod damage;
mod faults;
mod images;
mod kills;
mod real;
mod threads;
mod workload;

use std::path::Path;
use std::process::ExitCode;

use checks::{Checks, say};
use state_core::{Clock, SystemClock};
use state_tests::counted;

/// Any failure of the tests themselves, for people.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
Crash tests of the file store.

Usage: cargo test -p state-tests --test crash -- [--kills N] [--images N] [--seed S] [--soak]

  --kills N    how often a writing process is killed with SIGKILL (200)
  --images N   how many power-cut images are opened (1,000)
  --seed S     repeats the random choices of a run; moments of kills are the machine's own
  --soak       1,000 kills and 20,000 images

What cannot be checked on this machine is told as `NOT CHECKED: …`. The last line printed is `N passed, N failed`; the exit
code is 1 when anything failed.";

/// A part of the tests, with a folder of its own.
type Part<'a> = &'a dyn Fn(&Path) -> Result<(), Failure>;

/// What to run.
#[derive(Clone, Copy, Debug)]
struct Arguments {
    kills: usize,
    images: usize,
    seed: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, rest)) if first == "child" => kills::child(rest),
        Some((first, rest)) if first == "hold" => real::hold_open(rest),
        Some((first, rest)) if first == "fill" => real::fill_up(rest),
        Some((first, rest)) if first == "closed" => real::in_closed_folder(rest),
        Some((first, _)) if first == "--help" || first == "-h" => {
            say(HELP);
            Ok(())
        }
        _ => match parse(&arguments) {
            Ok(arguments) => return run(arguments),
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Arguments, Failure> {
    // The seed of a run that names none differs from run to run, and is printed.
    let seed = SystemClock::new().wall().unix_ms();
    let mut parsed = Arguments { kills: 200, images: 1_000, seed };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--soak" {
            parsed = Arguments { kills: 1_000, images: 20_000, ..parsed };
            continue;
        }
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value; try --help"))?;
        let bad = |error| format!("`{word} {value}`: {error}");
        match word.as_str() {
            "--kills" => parsed.kills = value.parse().map_err(bad)?,
            "--images" => parsed.images = value.parse().map_err(bad)?,
            "--seed" => parsed.seed = value.parse().map_err(bad)?,
            _ => return Err(format!("there is no option `{word}`; try --help").into()),
        }
    }
    Ok(parsed)
}

fn run(arguments: Arguments) -> ExitCode {
    let Arguments { kills, images, seed } = arguments;
    say(format_args!("crash tests with seed {seed} (repeat with --seed {seed})"));
    // Damaged pages make the engine panic, which the store catches: only other panics are told.
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_none_or(|place| !place.file().contains("redb")) {
            complain(&info);
        }
    }));
    let checks = Checks::default();
    let parts: [(&str, Part<'_>); 5] = [
        ("processes killed with SIGKILL", &|folder| kills::run(&checks, folder, kills, seed)),
        ("power cuts", &|_| images::run(&checks, images, seed)),
        ("failing input and output", &|_| {
            faults::run(&checks, seed);
            Ok(())
        }),
        ("damaged files", &|_| damage::run(&checks, images * 2, seed)),
        ("faults of real files", &|folder| real::run(&checks, folder)),
    ];
    for (name, part) in parts {
        say(format_args!("{name}:"));
        let before = (checks.passed(), checks.failed());
        let folder = tempfile::tempdir();
        let result = folder.map_err(Failure::from).and_then(|folder| part(folder.path()));
        checks.check(result.is_ok(), || {
            format!("{name}: {}", result.err().map(|error| error.to_string()).unwrap_or_default())
        });
        let (passed, failed) = (checks.passed() - before.0, checks.failed() - before.1);
        say(format_args!("  {} passed, {failed} failed", counted(passed, "check")));
    }
    for what in checks.unchecked() {
        say(format_args!("NOT CHECKED: {what}"));
    }
    say(format_args!("{} passed, {} failed", checks.passed(), checks.failed()));
    if checks.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A runtime of its own, as every program that uses a store has.
#[expect(clippy::expect_used, reason = "without a runtime there is no test")]
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime can be built")
}

fn complain(what: &dyn std::fmt::Display) {
    use std::io::Write;
    // Without a reader there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{what}"));
}
