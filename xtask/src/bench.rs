//! `cargo xtask bench`: runs one of the benchmarks, which are the programs called `bench-*` of the test package.

use std::path::PathBuf;

use clap::Args;

use crate::{
    failure::Failure,
    process,
    workspace::{self, Program},
};

const PREFIX: &str = "bench-";
/// The benchmark that replays conversations.
const WITH_INPUT: &str = "checkpoints";

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                  which benchmarks there are
  cargo xtask bench local --quick    the embedded stores, in about a minute
  cargo xtask bench redis --quick    the Redis driver on servers that are started for it, in about three minutes
  cargo xtask bench redis --url redis://host
                                     the same on a server that runs already
  cargo xtask bench checkpoints --quick
                                     what histories cost to store and to send, on a file and on a server of its own
  cargo xtask bench checkpoints --input FILE
                                     the same with conversations of one's own

Each prints a table and writes target/bench/NAME.json and target/bench/NAME.svg. Figures are ratios of two sides that
were measured side by side in the same run, because absolute times say more about the machine than about the code.";

/// Run a benchmark, or list them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which one; all are listed when left out
    name: Option<String>,
    /// Fewer rounds: about a minute
    #[arg(long)]
    quick: bool,
    /// Measures on the servers of this URL instead of starting some
    #[arg(long)]
    url: Option<String>,
    /// For `checkpoints`: conversations of one's own, one JSON object `{"thread", "messages"}` a line
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Passed on to the benchmark
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let known = benchmarks()?;
    let Some(name) = &arguments.name else {
        println!("{}", list(&known));
        return Ok(());
    };
    let Some(program) = known.iter().find(|program| short_name(program) == name) else {
        return Err(Failure::usage(format!("there is no benchmark `{name}`; {}", list(&known))));
    };
    if arguments.url.is_some() && !uses_servers(program) {
        return Err(Failure::usage(format!(
            "--url is for benchmarks of servers, not for `{name}`"
        )));
    }
    let mut command = workspace::fast_test_program(&program.name, &program.needs);
    if let Some(url) = &arguments.url {
        command.env("STATE_REDIS_URL", url);
    }
    if arguments.quick {
        command.arg("--quick");
    }
    if let Some(input) = &arguments.input {
        if name != WITH_INPUT {
            let message = format!("--input is for `{WITH_INPUT}`, not for `{name}`");
            return Err(Failure::usage(message));
        }
        let input = std::path::absolute(input)
            .map_err(|error| Failure::usage(format!("{}: {error}", input.display())))?;
        command.arg("--input").arg(input);
    }
    process::run(command.args(&arguments.rest))?;
    for extension in ["json", "svg"] {
        let file = format!("target/bench/{name}.{extension}");
        if workspace::root().join(&file).is_file() {
            println!("written: {file}");
        }
    }
    Ok(())
}

fn benchmarks() -> Result<Vec<Program>, Failure> {
    let packages = workspace::packages()?.into_iter();
    let tests = packages.filter(|package| package.name == workspace::TEST_PACKAGE);
    Ok(only_benchmarks(tests.flat_map(|package| package.programs)))
}

fn only_benchmarks(programs: impl Iterator<Item = Program>) -> Vec<Program> {
    programs.filter(|program| program.name.starts_with(PREFIX)).collect()
}

fn uses_servers(program: &Program) -> bool {
    program.needs.iter().any(|feature| feature.starts_with(workspace::SERVERS))
}

fn short_name(program: &Program) -> &str {
    program.name.trim_start_matches(PREFIX)
}

fn list(known: &[Program]) -> String {
    if known.is_empty() {
        return format!(
            "no benchmark exists yet: they are programs called `{PREFIX}NAME` in tests/src/bin"
        );
    }
    let names: Vec<_> = known.iter().map(short_name).collect();
    format!("known are: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_with_the_prefix_are_benchmarks() {
        let program = |name: &str| Program { name: name.to_owned(), needs: Vec::new() };
        let programs = ["bench-codec", "bench-local", "crash"].map(program);
        let found = only_benchmarks(programs.into_iter());
        assert_eq!(list(&found), "known are: codec, local");
    }

    #[test]
    fn servers_are_used_by_what_is_built_for_them() {
        let program = |needs: &[&str]| Program {
            name: "bench-x".to_owned(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        };
        assert!(uses_servers(&program(&["servers-bench"])));
        assert!(!uses_servers(&program(&["engines"])));
        assert!(!uses_servers(&program(&[])));
    }

    #[test]
    fn an_empty_list_says_where_benchmarks_belong() {
        assert!(list(&[]).contains("tests/src/bin"));
    }
}
