//! From the command line to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::{Answer, Failure};
use crate::output::Output;
use crate::{commands, guide, prose, quiet};

/// Runs `statectl` with the command line of this process; what to say is said.
pub fn main() -> ExitCode {
    quiet::silence_engine();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(cli.global.json, cli.global.quiet);
    match run(cli, output.clone()) {
        Ok(answer) => answer.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit().into()
        }
    }
}

/// Help is as wide as the rest of the output.
fn parse() -> Result<Cli, clap::Error> {
    let matches = Cli::command().term_width(prose::prose_width()).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

fn run(cli: Cli, output: Output) -> Result<Answer, Failure> {
    let Some(command) = cli.command else {
        output.text(guide::GUIDE)?;
        output.flush()?;
        return Ok(Answer::Yes);
    };
    // Stores on a server need its sockets and its timer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("the runtime cannot be started", &error))?;
    let context = Context::new(cli.global, output);
    let answer = runtime.block_on(commands::run(command, &context))?;
    context.output.flush()?;
    Ok(answer)
}

/// Help, the version, or a usage error: as JSON where that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && json {
        let failure = Failure::usage_of(error);
        Output::new(true, false).failure(&failure);
        return failure.exit().into();
    }
    error.exit()
}
