//! The tests on real Redis and Valkey servers: which setups there are, and how their servers are chosen.
//!
//! The servers themselves are found, started and stopped by the tests (`tests/src/servers.rs`).

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
};

use super::{Arguments, Tally, engine::Translator};
use crate::{
    failure::Failure,
    image, process,
    workspace::{self, Package},
};

/// The setups, each with a test program `redis_<setup>`.
pub(super) const SETUPS: [&str; 6] = [STANDALONE, "replica", "sentinel", "cluster", "tls", VALKEY];

const STANDALONE: &str = "standalone";
/// The setups that run beside the others, which takes about as long.
const FIRST_LANE: [&str; 2] = ["cluster", "tls"];
const VALKEY: &str = "valkey";
/// A program of its own, because it counts every allocation; needs one server, as the setup `standalone`.
const ALLOCATIONS: &str = "redis_allocations";
/// What the setup `docker` uses if it can be pulled, the same as the tests and `docker/` do.
const PINNED_IMAGE: &str = "redis:7.2.7-bookworm";
/// The same for Valkey, and what `cargo xtask image --valkey` builds.
const PINNED_VALKEY_IMAGE: &str = "valkey/valkey:8.0.2-bookworm";
const LOCAL_VALKEY_IMAGE: &str = "state-valkey-test:latest";

/// What the names of the tests of the servers themselves begin with.
const HARNESS: &str = "harness";

/// The clause about writes that wait for the disk, which servers can do from version 7.2 on.
const SYNCED: &str = "kv.acks.fsync.reached";

/// The most failed tests that have a second try.
const REPEATED_MAX: usize = 3;

/// Read by the tests; see `Servers::start`.
const URL: &str = "STATE_REDIS_URL";
const IMAGE: &str = "STATE_REDIS_IMAGE";
const FROM: &str = "STATE_REDIS_FROM";

/// All setups. Valkey is left out, and told to be, where there is neither a `valkey-server` nor an image of one.
pub(super) fn run_all(arguments: &Arguments) -> Result<Tally, Failure> {
    let local = process::succeeds(Command::new("valkey-server").arg("--version"));
    let may_contain = std::env::var(FROM).map_or(true, |from| from == "docker");
    let with_valkey = local || (may_contain && engine_answers() && has_valkey_image());
    let mut tally = run(&setups(with_valkey), arguments, &arguments.rest, &[])?;
    if !with_valkey {
        tally.not_checked(
            "valkey: no valkey-server and no image of one here; `cargo xtask itest valkey` says more",
        );
    }
    Ok(tally)
}

/// All setups, with or without Valkey.
fn setups(with_valkey: bool) -> Vec<&'static str> {
    SETUPS.into_iter().filter(|setup| *setup != VALKEY || with_valkey).collect()
}

/// One setup.
pub(super) fn run_one(setup: &str, arguments: &Arguments) -> Result<Tally, Failure> {
    let mut variables = Vec::new();
    if let Some(url) = &arguments.url {
        variables.push((URL, url.clone()));
    }
    run(&[setup], arguments, &arguments.rest, &variables)
}

/// What the servers do as containers beside what they do as processes: start, answer, be cut, killed and stopped.
///
/// Left out, and told to be, where there is no engine.
pub(super) fn run_harness_in_containers(arguments: &Arguments) -> Result<Tally, Failure> {
    if !engine_answers() {
        let mut tally = Tally::default();
        tally.not_checked("containers: no engine answers `docker version`");
        return Ok(tally);
    }
    let rest = match arguments.rest.as_slice() {
        [] => vec![HARNESS.to_owned()],
        given => given.to_vec(),
    };
    containers(arguments, &rest)
}

/// All setups as containers; those of Redis without a registry in an image that is built for it. Valkey is left out, and told
/// to be, where no image of it is here or can be pulled.
pub(super) fn run_in_containers(arguments: &Arguments) -> Result<Tally, Failure> {
    if !engine_answers() {
        return Err(Failure::tool(
            "no container engine answers `docker version`; install and start one, \
             for example with `apt-get install docker.io`",
        ));
    }
    containers(arguments, &arguments.rest)
}

fn engine_answers() -> bool {
    process::succeeds(Command::new("docker").arg("version"))
}

fn containers(arguments: &Arguments, rest: &[String]) -> Result<Tally, Failure> {
    let image = match std::env::var(IMAGE) {
        Ok(image) => image,
        Err(_) if has_or_pulls(PINNED_IMAGE) => PINNED_IMAGE.to_owned(),
        Err(_) => {
            println!("{PINNED_IMAGE} is not here and cannot be pulled: building an image");
            image::build_redis()?
        }
    };
    let with_valkey = has_valkey_image();
    let variables = [(FROM, "docker".to_owned()), (IMAGE, image)];
    let mut tally = run(&setups(with_valkey), arguments, rest, &variables)?;
    if !with_valkey {
        tally.not_checked(format!(
            "valkey in containers: {PINNED_VALKEY_IMAGE} is not here and cannot be pulled, and \
             `cargo xtask image --valkey` has built no other"
        ));
    }
    Ok(tally)
}

/// Whether the tests find an image of Valkey, in the order in which they look.
fn has_valkey_image() -> bool {
    has(PINNED_VALKEY_IMAGE) || has(LOCAL_VALKEY_IMAGE) || pulls(PINNED_VALKEY_IMAGE)
}

fn has(image: &str) -> bool {
    process::succeeds(Command::new("docker").args(["image", "inspect", image]))
}

fn has_or_pulls(image: &str) -> bool {
    has(image) || pulls(image)
}

fn pulls(image: &str) -> bool {
    process::succeeds(Command::new("docker").args(["pull", "--quiet", image]))
}

fn run(
    setups: &[&str],
    arguments: &Arguments,
    rest: &[String],
    variables: &[(&str, String)],
) -> Result<Tally, Failure> {
    let translator = Translator::start()?;
    let packages = workspace::packages()?;
    let programs = Programs { packages, arguments, variables, translator };
    let mut tally = programs.run_lanes(setups, rest)?;
    if arguments.rest.is_empty() {
        repeat(&mut tally, &|only: &[String]| programs.run(setups, only, None))?;
    }
    Ok(tally)
}

/// The test programs of the setups, as they are run.
struct Programs<'a> {
    packages: Vec<Package>,
    arguments: &'a Arguments,
    variables: &'a [(&'a str, String)],
    translator: Option<Translator>,
}

impl Programs<'_> {
    /// Runs all of `setups`, in two lanes where there are several: most of the time they wait for servers that are killed,
    /// elected or silent.
    fn run_lanes(&self, setups: &[&str], only: &[String]) -> Result<Tally, Failure> {
        let (first, beside): (Vec<&str>, Vec<&str>) =
            setups.iter().partition(|setup| FIRST_LANE.contains(setup));
        if first.is_empty() || beside.is_empty() {
            return self.run(setups, only, None);
        }
        // One compilation for both.
        process::run(self.command(setups).arg("--no-run"))?;
        println!(
            "{} run beside the others; what they print follows at the end",
            first.join(" and ")
        );
        let kept = Mutex::new(Vec::new());
        let (tally, other) = thread::scope(|scope| {
            let other = scope.spawn(|| self.run(&first, only, Some(&kept)));
            let tally = self.run(&beside, only, None);
            let gave_up = || Err(Failure::check("a thread gave up"));
            (tally, other.join().unwrap_or_else(|_| gave_up()))
        });
        let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        let shown = io::stdout().write_all(&kept).and_then(|()| io::stdout().flush());
        shown.map_err(|error| Failure::io("printing", &error))?;
        let mut tally = tally?;
        tally.add(other?);
        Ok(tally)
    }

    fn command(&self, setups: &[&str]) -> Command {
        let mut command = workspace::cargo_test(&self.packages);
        for setup in setups {
            command.arg("--test").arg(format!("redis_{setup}"));
        }
        if setups.contains(&STANDALONE) {
            command.args(["--test", ALLOCATIONS]);
        }
        command
    }

    /// Runs `setups`; what they print goes to `kept` where there is one.
    fn run(
        &self,
        setups: &[&str],
        only: &[String],
        kept: Option<&Mutex<Vec<u8>>>,
    ) -> Result<Tally, Failure> {
        let mut command = self.command(setups);
        command.arg("--").args(only).envs(self.variables.iter().cloned());
        command.envs(self.arguments.chance());
        if let Some(translator) = &self.translator {
            translator.apply(&mut command);
        }
        let (mut tally, mut synced) = (Tally::default(), None);
        let see = |line: &str| {
            tally.see_test_line(line);
            synced = see_synced(synced, line);
        };
        let status = match kept {
            None => process::run_watched(&mut command, see)?,
            Some(kept) => process::run_kept(&mut command, kept, see)?,
        };
        if synced == Some(false) {
            tally.not_checked(
                "writes that wait for the disk: no server knows `WAITAOF` (7.2, with an append-only file)",
            );
        }
        tally.close(&process::line(&command), status);
        Ok(tally)
    }
}

/// Whether a server has synced a write when it was asked to; `None` where no test has asked.
fn see_synced(before: Option<bool>, line: &str) -> Option<bool> {
    if !line.contains(SYNCED) {
        return before;
    }
    Some(before == Some(true) || !line.ends_with("ignored"))
}

/// Runs the tests that failed once more, one after the other, if they are few.
///
/// Elections, killed servers and cut connections have deadlines of their own, which a machine with
/// other work can miss. What fails twice is a failure; what fails once is named in the summary. Where a test program did
/// not get to its end, nothing is excused: nobody knows which of its tests would have failed.
fn repeat(
    tally: &mut Tally,
    run_only: &impl Fn(&[String]) -> Result<Tally, Failure>,
) -> Result<(), Failure> {
    let failed: BTreeSet<String> = tally.failures().iter().cloned().collect();
    if failed.len() > REPEATED_MAX || tally.has_lost_programs() {
        return Ok(());
    }
    for name in failed {
        println!("\n== once more: {name}");
        if run_only(&["--exact".to_owned(), without_kind(&name).to_owned()])?.verdict().is_ok() {
            tally.excuse(&name);
        }
    }
    Ok(())
}

/// The name in `[redis on one server] kv.get.absent`, as filters take it; where others have a kind, a name without one is
/// indented.
fn without_kind(name: &str) -> &str {
    let named = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    named.map_or(name, |(_, name)| name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_no_kind() {
        assert_eq!(without_kind("[redis on one server]      kv.get.absent"), "kv.get.absent");
        assert_eq!(without_kind("faults::reset"), "faults::reset");
        assert_eq!(without_kind("                           faults::reset"), "faults::reset");
    }

    #[test]
    fn what_no_server_could_sync_is_not_checked() {
        let ignored =
            "test [redis standalone: needs ack-fsync]  kv.acks.fsync.reached  ... ignored";
        let passed = "test [redis tls]  kv.acks.fsync.reached  ... ok";
        let other = "test [redis tls]  kv.get.absent  ... ok";
        let of = |lines: &[&str]| lines.iter().fold(None, |seen, line| see_synced(seen, line));
        assert_eq!(of(&[other]), None);
        assert_eq!(of(&[ignored, other, ignored]), Some(false));
        assert_eq!(of(&[passed, ignored]), Some(true));
        assert_eq!(of(&[ignored, passed]), Some(true));
    }

    fn failed(names: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for name in names {
            tally.see_test_line(&format!("test {name} ... FAILED"));
        }
        tally.see_test_line(&format!("test result: FAILED. 7 passed; {} failed", names.len()));
        tally
    }

    #[test]
    fn a_failed_test_has_a_second_try_and_no_third() {
        let mut tally = failed(&["lasting", "passing"]);
        let asked = std::cell::RefCell::new(Vec::new());
        repeat(&mut tally, &|only: &[String]| {
            asked.borrow_mut().push(only.join(" "));
            if only.contains(&"lasting".to_owned()) {
                return Ok(failed(&["lasting"]));
            }
            let mut passed = Tally::default();
            passed.see_test_line("test result: ok. 1 passed; 0 failed");
            Ok(passed)
        })
        .unwrap();
        assert_eq!(asked.into_inner(), ["--exact lasting", "--exact passing"]);
        assert_eq!(tally.line(), "8 passed, 1 failed");
        assert_eq!(tally.repeated(), ["passing"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_repeated_where_a_test_program_died() {
        let mut tally = failed(&["passing"]);
        tally.see_test_line("     Running tests/a.rs (target/debug/deps/a-1)");
        tally.see_test_line("     Running tests/b.rs (target/debug/deps/b-1)");
        tally.close("`cargo test`", std::os::unix::process::ExitStatusExt::from_raw(101 << 8));
        repeat(&mut tally, &|_: &[String]| Err(Failure::check("repeated"))).unwrap();
        assert_eq!(tally.line(), "7 passed, 2 failed");
    }

    #[test]
    fn many_failures_are_no_accident_and_are_not_repeated() {
        let names: Vec<String> =
            (0..=REPEATED_MAX).map(|number| format!("test {number}")).collect();
        let mut tally = failed(&names.iter().map(String::as_str).collect::<Vec<_>>());
        repeat(&mut tally, &|_: &[String]| Err(Failure::check("repeated"))).unwrap();
        assert!(tally.has_failed());
    }
}
