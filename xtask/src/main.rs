//! `cargo xtask`: every task of this repository that is more than one cargo command; one file per command.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to people"
)]

mod bench;
mod ci;
mod coverage;
mod doc;
mod failure;
mod features;
mod fuzz;
mod image;
mod itest;
mod process;
mod report;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything that was asked for passed
  1  a check or a test failed
  2  the command line is wrong
  3  a tool that is needed is missing and could not be installed";

/// The tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXIT_CODES)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Ci(ci::Arguments),
    Itest(itest::Arguments),
    Image(image::Arguments),
    Tidy(tidy::Arguments),
    Doc(doc::Arguments),
    Bench(bench::Arguments),
    Fuzz(fuzz::Arguments),
    Coverage(coverage::Arguments),
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().task {
        Task::Ci(arguments) => ci::run(&arguments),
        Task::Itest(arguments) => itest::run(&arguments),
        Task::Image(arguments) => image::run(&arguments),
        Task::Tidy(arguments) => tidy::run(&arguments),
        Task::Doc(arguments) => doc::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Coverage(arguments) => coverage::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure != Failure::Told {
                eprintln!("error: {failure}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_task_says_what_it_does() {
        for task in CommandLine::command().get_subcommands() {
            assert!(task.get_about().is_some(), "`{}` has no help", task.get_name());
        }
    }
}
