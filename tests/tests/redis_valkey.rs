//! Tests on one Valkey server.

mod harness;

use std::process::ExitCode;

use state_tests::servers::Setup;

fn main() -> ExitCode {
    let trials = harness::trials(Setup::Valkey);
    harness::run(Setup::Valkey, trials)
}
