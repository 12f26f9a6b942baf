//! Tests on one Redis server.

mod harness;

use std::process::ExitCode;

use state_tests::servers::Setup;

fn main() -> ExitCode {
    let trials = harness::trials(Setup::Standalone);
    harness::run(Setup::Standalone, trials)
}
