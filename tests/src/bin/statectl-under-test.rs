//! `statectl` as the tests on servers run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    state_cli::main()
}
