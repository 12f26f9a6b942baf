//! `cargo xtask itest`: the test command. Runs every test that the setup allows and ends with one line of totals.

mod engine;
mod servers;
mod tally;

use std::{hash::BuildHasher, process::Command};

use clap::Args;

use crate::{
    failure::Failure,
    process,
    workspace::{self, Package},
};

pub(crate) use tally::Tally;

/// A group of tests that can be asked for by name.
#[derive(Debug)]
struct Setup {
    name: &'static str,
    what: &'static str,
    /// Whether it runs when no setup is named.
    by_default: bool,
    run: fn(&Arguments) -> Result<Tally, Failure>,
}

/// All setups, in the order in which they run when none is named.
const SETUPS: &[Setup] = &[
    Setup {
        name: "workspace",
        what: "unit, conformance and integration tests of every crate",
        by_default: true,
        run: run_targets,
    },
    Setup {
        name: "doctests",
        what: "the examples in the documentation",
        by_default: true,
        run: run_doctests,
    },
    Setup {
        name: CRASH,
        what: "kill -9 and power cuts against the file store",
        by_default: true,
        run: run_crash,
    },
    Setup {
        name: EPISODES,
        what: "simulated episodes of several clients, from a seed; a share of them is in `workspace`",
        by_default: false,
        run: run_episodes,
    },
    Setup {
        name: "redis",
        what: "all setups of Redis and Valkey servers below, up to `valkey`",
        by_default: true,
        run: servers::run_all,
    },
    Setup {
        name: "containers",
        what: "the servers of every setup as containers, where an engine runs",
        by_default: true,
        run: servers::run_harness_in_containers,
    },
    server("standalone", "one Redis server", |arguments| servers::run_one("standalone", arguments)),
    server("replica", "a primary and two replicas", |arguments| {
        servers::run_one("replica", arguments)
    }),
    server("sentinel", "a primary, two replicas, three sentinels", |arguments| {
        servers::run_one("sentinel", arguments)
    }),
    server("cluster", "three primaries and three replicas", |arguments| {
        servers::run_one("cluster", arguments)
    }),
    server("tls", "a server with TLS and users", |arguments| servers::run_one("tls", arguments)),
    server("valkey", "one Valkey server", |arguments| servers::run_one("valkey", arguments)),
    server(
        "docker",
        "all setups of Redis and Valkey servers, as containers",
        servers::run_in_containers,
    ),
];

const CRASH: &str = "crash";
const EPISODES: &str = "episodes";

/// Lets tests that pass say what they have done.
const SHOW_OUTPUT: &str = "--show-output";

/// Read by what works with chance and can go on for long.
const SOAK: &str = "STATE_SOAK";
const SEED: &str = "STATE_SEED";

/// A setup on real servers that runs only when it is named; together they are `redis`.
const fn server(
    name: &'static str,
    what: &'static str,
    run: fn(&Arguments) -> Result<Tally, Failure>,
) -> Setup {
    Setup { name, what, by_default: false, run }
}

const KILLS: u32 = 200;
const IMAGES: u32 = 1_000;
const SOAK_KILLS: u32 = 1_000;
const SOAK_IMAGES: u32 = 20_000;

const EXAMPLES: &str = "\
Setups: workspace (unit, conformance and integration tests), doctests, crash, redis, containers; these run when none is
named. `episodes` are simulated clients of one store, of which `workspace` has a share too. `redis` is all that follow, on real servers, which are found, installed or started: standalone, replica, sentinel,
cluster, tls, valkey. `containers` starts, cuts, kills and stops the servers of each as containers, where an engine runs;
`docker` runs all tests of `redis` on containers.

Examples:
  cargo xtask itest                                everything
  cargo xtask itest workspace -- lease             tests whose name contains `lease`
  cargo xtask itest crash --kills 20 --images 100  a short crash test
  cargo xtask itest workspace --soak -- model      long random sequences against a map
  cargo xtask itest crash --soak                   a long one (1,000 kills, 20,000 images)
  cargo xtask itest episodes --soak                100,000 simulated episodes; --seed repeats them
  STATE_EPISODE=7 cargo xtask itest episodes       one episode, told line by line
  cargo xtask itest redis                          every setup of Redis servers
  cargo xtask itest redis --soak                   the same, with more resets and more histories
  cargo xtask itest standalone --url redis://host  on a server that runs already

The last line printed is `N passed, N failed`. No test at all is a failure too.";

/// Run the tests: all of them, or those of one setup.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which tests to run; all when left out
    setup: Option<String>,
    /// Run for long: more kills, power-cut images, episodes and random sequences, more resets and histories on servers
    #[arg(long)]
    soak: bool,
    /// How often the crash tests kill a writing process
    #[arg(long, value_name = "N")]
    kills: Option<u32>,
    /// How many power-cut images the crash tests open
    #[arg(long, value_name = "N")]
    images: Option<u32>,
    /// Seed of the tests that work with chance, to repeat a run
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Servers that run already, for one setup of servers
    #[arg(long, value_name = "URL", requires = "setup")]
    url: Option<String>,
    /// Passed on to the test programs of the setup
    #[arg(last = true, value_name = "ARGS", requires = "setup")]
    rest: Vec<String>,
}

impl Arguments {
    /// What means something for the crash tests alone.
    fn for_crash(&self) -> bool {
        self.kills.is_some() || self.images.is_some()
    }

    /// What means something for all tests that work with chance.
    fn for_long(&self) -> bool {
        self.soak || self.seed.is_some()
    }

    /// The variables that say how long, and from which seed, tests work with chance.
    fn chance(&self) -> Vec<(&'static str, String)> {
        let soak = self.soak.then(|| (SOAK, "1".to_owned()));
        let seed = self.seed.map(|seed| (SEED, seed.to_string()));
        soak.into_iter().chain(seed).collect()
    }

    /// A long run draws anew each time; its seed is told, and the same for what is run a second time.
    fn with_a_seed(&self) -> Self {
        let seed = || std::hash::RandomState::new().hash_one("seed");
        let seed = self.seed.or_else(|| self.soak.then(seed));
        Self { seed, ..self.clone() }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = choose(arguments)?;
    let arguments = &arguments.with_a_seed();
    if let (true, Some(seed)) = (arguments.soak, arguments.seed) {
        println!("seed: {seed}");
    }
    let mut total = Tally::default();
    let mut parts = Vec::new();
    for setup in chosen {
        println!("\n== {}: {}", setup.name, setup.what);
        // What cannot be run at all is a failed test, and keeps no other setup from being run.
        let tally = (setup.run)(arguments).unwrap_or_else(|failure| {
            println!("{failure}");
            Tally::of_failure(format!("{}: {failure}", setup.name))
        });
        parts.push((setup.name, tally.note()));
        total.add(tally);
    }
    println!("\n== summary");
    for (name, note) in parts {
        println!("{name:<12}{note}");
    }
    for name in total.failures() {
        println!("failed: {name}");
    }
    for name in total.repeated() {
        println!("passed only on the second try: {name}");
    }
    for what in total.unchecked() {
        println!("NOT CHECKED: {what}");
    }
    let verdict = total.verdict();
    if verdict.is_err() && !total.has_failed() {
        println!("no test ran, which counts as a failure");
    }
    // Last, and alone on its line: what reads the output of the tests looks for it here.
    println!("{}", total.line());
    verdict.map_err(|_| Failure::Told)
}

/// The integration tests as steps of `cargo xtask ci`.
pub(crate) fn run_setup(name: &str) -> Result<Tally, Failure> {
    let setup = find(name)?;
    (setup.run)(&Arguments::default())
}

fn choose(arguments: &Arguments) -> Result<Vec<&'static Setup>, Failure> {
    let Some(name) = &arguments.setup else {
        return Ok(SETUPS.iter().filter(|setup| setup.by_default).collect());
    };
    let setup = find(name)?;
    if arguments.url.is_some() && !servers::SETUPS.contains(&setup.name) {
        return Err(Failure::usage(format!(
            "--url is for one setup of servers ({}), not for `{name}`",
            servers::SETUPS.join(", ")
        )));
    }
    if setup.name != CRASH && arguments.for_crash() {
        return Err(Failure::usage(format!(
            "--kills and --images are for the crash tests, not for `{name}`"
        )));
    }
    if setup.name == "doctests" && arguments.for_long() {
        return Err(Failure::usage(format!(
            "--soak and --seed are for tests that work with chance, not for `{name}`"
        )));
    }
    Ok(vec![setup])
}

fn find(name: &str) -> Result<&'static Setup, Failure> {
    SETUPS.iter().find(|setup| setup.name == name).ok_or_else(|| {
        let known: Vec<_> =
            SETUPS.iter().map(|setup| format!("  {:<12}{}", setup.name, setup.what)).collect();
        Failure::usage(format!("there is no test setup `{name}`; known are\n{}", known.join("\n")))
    })
}

fn run_targets(arguments: &Arguments) -> Result<Tally, Failure> {
    let packages = workspace::packages()?;
    let mut which = vec!["--lib", "--bins", "--examples"];
    let tests = workspace::tests_without_servers(&packages);
    which.extend(tests.into_iter().flat_map(|test| ["--test", test]));
    cargo_test(&packages, &which, arguments)
}

/// Optimised where they are many.
fn run_episodes(arguments: &Arguments) -> Result<Tally, Failure> {
    let mut command = workspace::cargo_test_alone(EPISODES);
    if arguments.soak {
        command.arg("--release");
    }
    command.args(["--", SHOW_OUTPUT]).args(&arguments.rest);
    run_tests(command, arguments)
}

fn run_doctests(arguments: &Arguments) -> Result<Tally, Failure> {
    cargo_test(&workspace::packages()?, &["--doc"], arguments)
}

fn cargo_test(
    packages: &[Package],
    which: &[&str],
    arguments: &Arguments,
) -> Result<Tally, Failure> {
    let mut command = workspace::cargo_test(packages);
    command.args(which).arg("--").args(&arguments.rest);
    run_tests(command, arguments)
}

/// Runs what prints its tests as cargo's own harness does.
fn run_tests(mut command: Command, arguments: &Arguments) -> Result<Tally, Failure> {
    command.envs(arguments.chance());
    let mut tally = Tally::default();
    let status = process::run_watched(&mut command, |line| tally.see_test_line(line))?;
    tally.close(&process::line(&command), status);
    Ok(tally)
}

fn run_crash(arguments: &Arguments) -> Result<Tally, Failure> {
    let (kills, images) = if arguments.soak { (SOAK_KILLS, SOAK_IMAGES) } else { (KILLS, IMAGES) };
    let mut command = workspace::cargo_test(&workspace::packages()?);
    command.args(["--test", CRASH]);
    if arguments.soak {
        command.arg("--release");
    }
    command.arg("--").arg("--kills").arg(arguments.kills.unwrap_or(kills).to_string());
    command.arg("--images").arg(arguments.images.unwrap_or(images).to_string());
    if let Some(seed) = arguments.seed {
        command.arg("--seed").arg(seed.to_string());
    }
    command.args(&arguments.rest);
    let mut tally = Tally::default();
    let status = process::run_watched(&mut command, |line| tally.see_total_line(line))?;
    tally.close(&process::line(&command), status);
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_crash_tests_are_refused_where_they_mean_nothing() {
        let arguments = |setup: Option<&str>| Arguments {
            setup: setup.map(str::to_owned),
            kills: Some(3),
            ..Arguments::default()
        };
        assert_eq!(choose(&arguments(Some("doctests"))).unwrap_err().exit_code(), 2);
        assert_eq!(choose(&arguments(Some(CRASH))).unwrap().len(), 1);
        assert_eq!(choose(&arguments(Some("redis"))).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn long_runs_are_for_crashes_and_for_servers() {
        let arguments = |setup: &str| Arguments {
            setup: Some(setup.to_owned()),
            soak: true,
            ..Arguments::default()
        };
        for setup in [CRASH, EPISODES, "redis", "cluster", "docker"] {
            assert_eq!(choose(&arguments(setup)).unwrap().len(), 1);
        }
        assert_eq!(choose(&arguments("workspace")).unwrap().len(), 1);
        assert_eq!(choose(&arguments("doctests")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_long_run_has_a_seed_of_its_own_unless_one_is_given() {
        let long = Arguments { soak: true, ..Arguments::default() };
        let drawn = [long.with_a_seed().seed.unwrap(), long.with_a_seed().seed.unwrap()];
        assert_ne!(drawn[0], drawn[1]);
        let given = Arguments { seed: Some(7), ..long };
        let told = given.with_a_seed().chance();
        assert_eq!(told, [(SOAK, "1".to_owned()), (SEED, "7".to_owned())]);
        assert_eq!(Arguments::default().with_a_seed().chance(), []);
    }

    #[test]
    fn everything_runs_once_when_nothing_is_named() {
        let chosen = choose(&Arguments::default()).unwrap();
        let names: Vec<_> = chosen.iter().map(|setup| setup.name).collect();
        assert_eq!(names, ["workspace", "doctests", CRASH, "redis", "containers"]);
    }

    #[test]
    fn a_url_is_for_one_setup_of_servers() {
        let arguments = |setup: &str| Arguments {
            setup: Some(setup.to_owned()),
            url: Some("redis://localhost".to_owned()),
            ..Arguments::default()
        };
        for setup in servers::SETUPS {
            assert_eq!(choose(&arguments(setup)).unwrap().len(), 1);
        }
        for setup in ["workspace", "redis", "containers", "docker"] {
            assert_eq!(choose(&arguments(setup)).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn an_unknown_setup_is_refused_with_the_list_of_known_ones() {
        let failure = find("no-such-setup").unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        for setup in SETUPS {
            assert!(failure.to_string().contains(setup.name));
            assert!(EXAMPLES.contains(setup.name), "the help names every setup");
        }
    }
}
