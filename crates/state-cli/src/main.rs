//! `statectl`: looks into a state store, changes it, moves it, and shows that it survives.

mod checkpoint;
mod cli;
mod commands;
mod context;
mod demo;
mod duration;
mod envelope;
mod failure;
mod guide;
mod json_lines;
mod json_text;
mod key_text;
mod open;
mod output;
mod progress;
mod quiet;
mod store_url;
mod value;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use context::Context;
use failure::{Answer, Failure};
use output::Output;

fn main() -> ExitCode {
    quiet::silence_engine();
    let cli = match Cli::try_parse() {
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
