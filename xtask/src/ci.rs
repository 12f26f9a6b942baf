//! `cargo xtask ci`: everything that must hold before a change is merged, as named steps with a table at the end.

use clap::{Args, ValueEnum};

use crate::{
    doc,
    failure::Failure,
    features, itest, process,
    report::{self, Row, Verdict},
    tidy, workspace,
};

/// Check everything: format, lints, dependencies, repository rules, features, documentation, tests.
///
/// Goes on after a step that failed, and ends with a table of all steps. `NOT CHECKED` is shown where a step needs
/// something that cannot be had here, such as the advisory database without a network.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run only this step (may be given several times)
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave this step out (may be given several times)
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    skip: Vec<Step>,
}

/// In the order in which they run: what is quick to tell comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Fmt,
    /// cargo clippy, warnings are errors
    Clippy,
    /// cargo deny: licences, bans, sources
    Deny,
    /// cargo deny: known vulnerabilities (needs the network)
    Advisories,
    /// The rules of this repository, as `cargo xtask tidy`
    Tidy,
    /// Each feature of each crate alone
    Features,
    /// The documentation, without warnings
    Docs,
    /// Unit, conformance and integration tests, as `cargo xtask itest workspace`
    Tests,
    /// The examples in the documentation, as `cargo xtask itest doctests`
    Doctests,
    /// Kill -9 and power cuts, as `cargo xtask itest crash`
    Crash,
    /// The tests on real servers, as `cargo xtask itest redis`
    Redis,
    /// Servers as containers, where an engine runs, as `cargo xtask itest containers`
    Containers,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let steps = chosen(arguments);
    let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
    println!("{}: {}", report::counted(names.len(), "step"), names.join(", "));
    let rows: Vec<Row> = steps
        .iter()
        .map(|step| {
            println!("\n== {}", step.name());
            let row = report::timed(step.name(), || step.run());
            if let Err(failure) = &row.result {
                println!("{failure}");
            }
            row
        })
        .collect();
    println!("\n{}", report::table(&rows));
    report::verdict(&rows)
}

fn chosen(arguments: &Arguments) -> Vec<Step> {
    let wanted = |step: &Step| arguments.only.is_empty() || arguments.only.contains(step);
    let all = Step::value_variants().iter().copied();
    all.filter(|step| wanted(step) && !arguments.skip.contains(step)).collect()
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Advisories => "advisories",
            Self::Tidy => "tidy",
            Self::Features => "features",
            Self::Docs => "docs",
            Self::Tests => "tests",
            Self::Doctests => "doctests",
            Self::Crash => "crash",
            Self::Redis => "redis",
            Self::Containers => "containers",
        }
    }

    fn run(self) -> Result<Verdict, Failure> {
        match self {
            Self::Fmt => check_format(),
            Self::Clippy => lint(),
            Self::Deny => check_dependencies(),
            Self::Advisories => check_advisories(),
            Self::Tidy => tidy::check_all(),
            Self::Features => features::check_each_alone(),
            Self::Docs => doc::build(false).map(|()| Verdict::Passed(String::new())),
            Self::Tests => test("workspace"),
            Self::Doctests => test("doctests"),
            Self::Crash => test("crash"),
            Self::Redis => test("redis"),
            Self::Containers => test("containers"),
        }
    }
}

fn check_format() -> Result<Verdict, Failure> {
    process::run(&mut process::cargo(["fmt", "--all", "--check"]))
        .map_err(|_| Failure::check("not formatted; run `cargo fmt --all`"))?;
    // Not a member of the workspace, because it needs a nightly compiler.
    if workspace::root().join("fuzz/Cargo.toml").is_file() {
        let fuzz = ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"];
        process::run(&mut process::cargo(fuzz)).map_err(|_| {
            Failure::check("not formatted; run `cargo fmt --manifest-path fuzz/Cargo.toml`")
        })?;
    }
    Ok(Verdict::Passed(String::new()))
}

fn lint() -> Result<Verdict, Failure> {
    let mut command = process::cargo(["clippy", "--workspace", "--all-targets", "--all-features"]);
    process::run(command.args(["--", "-D", "warnings"]))?;
    Ok(Verdict::Passed(String::new()))
}

fn check_dependencies() -> Result<Verdict, Failure> {
    process::need_subcommand("deny")?;
    let mut command = process::cargo(["deny", "check"]);
    process::run(command.args(["bans", "licenses", "sources"]))?;
    Ok(Verdict::Passed("bans, licences, sources".to_owned()))
}

fn check_advisories() -> Result<Verdict, Failure> {
    process::need_subcommand("deny")?;
    if process::run(&mut process::cargo(["deny", "fetch", "db"])).is_err() {
        return Ok(Verdict::NotChecked("the advisory database cannot be fetched here".to_owned()));
    }
    let mut command = process::cargo(["deny", "check"]);
    process::run(command.args(["--disable-fetch", "advisories"]))?;
    Ok(Verdict::Passed(String::new()))
}

fn test(setup: &str) -> Result<Verdict, Failure> {
    let tally = itest::run_setup(setup)?;
    for name in tally.failures() {
        println!("failed: {name}");
    }
    let verdict = tally.verdict();
    if let (true, false, [what, ..]) = (verdict.is_err(), tally.has_failed(), tally.unchecked()) {
        return Ok(Verdict::NotChecked(what.clone()));
    }
    verdict?;
    Ok(Verdict::Passed(note(&tally)))
}

/// The totals, with what could not be tested here.
fn note(tally: &itest::Tally) -> String {
    let unchecked = tally.unchecked().iter().map(|what| format!("; NOT CHECKED: {what}"));
    std::iter::once(tally.note()).chain(unchecked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_run_unless_some_are_chosen() {
        let arguments =
            |only: &[Step], skip: &[Step]| Arguments { only: only.to_vec(), skip: skip.to_vec() };
        assert_eq!(chosen(&arguments(&[], &[])), Step::value_variants());
        assert_eq!(chosen(&arguments(&[Step::Docs, Step::Fmt], &[])), [Step::Fmt, Step::Docs]);
        let all_but_crash = chosen(&arguments(&[], &[Step::Crash]));
        assert_eq!(all_but_crash.len(), Step::value_variants().len() - 1);
        assert!(!all_but_crash.contains(&Step::Crash));
    }

    #[test]
    fn what_a_passed_step_could_not_check_stands_in_its_note() {
        let mut tally = itest::Tally::default();
        tally.see_total_line("3 passed, 0 failed");
        assert_eq!(note(&tally), "3 passed, 0 failed");
        tally.not_checked("a full disk");
        assert_eq!(note(&tally), "3 passed, 0 failed; NOT CHECKED: a full disk");
    }

    #[test]
    fn the_names_in_the_table_are_those_of_the_command_line() {
        for step in Step::value_variants() {
            assert_eq!(step.to_possible_value().unwrap().get_name(), step.name());
        }
    }
}
