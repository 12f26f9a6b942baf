//! `cargo xtask doc`: writes the generated documents anew and builds the documentation without warnings.

use clap::Args;

use crate::{failure::Failure, process, workspace};

/// Build the documentation without warnings and write the generated documents anew.
///
/// The generated documents are docs/CONTRACT.md and docs/capabilities.md; they come from the clauses of the conformance
/// suite and are part of the repository, so commit them when they change.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Show the documentation in a browser
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    regenerate()?;
    build(arguments.open)?;
    println!("documentation: target/doc/state_core/index.html");
    Ok(())
}

/// The documentation of all crates, all features on; a warning is an error.
pub(crate) fn build(open: bool) -> Result<(), Failure> {
    let mut command = process::cargo(["doc", "--no-deps", "--workspace", "--all-features"]);
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    command.env("RUSTDOCFLAGS", format!("{flags} -D warnings").trim_start());
    if open {
        command.arg("--open");
    }
    process::run(&mut command)
}

/// Writes docs/CONTRACT.md and docs/capabilities.md.
pub(crate) fn regenerate() -> Result<(), Failure> {
    process::run(workspace::test_program("contract").arg("--write"))
}
