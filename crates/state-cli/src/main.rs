//! `statectl`: looks into a state store, changes it, moves it, and shows that it survives.

use std::process::ExitCode;

fn main() -> ExitCode {
    state_cli::main()
}
