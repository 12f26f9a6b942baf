//! Tests on one Redis server.

mod harness;

use std::process::ExitCode;

use state_tests::servers::Setup;
use state_tests::{
    redis_budgets, redis_doctor, redis_faults, redis_histories, redis_messages, redis_sound,
    redis_statectl, redis_watch,
};

fn main() -> ExitCode {
    let mut trials = harness::trials(Setup::Standalone);
    trials.extend(redis_sound::trials(Setup::Standalone));
    trials.extend(redis_budgets::trials(Setup::Standalone));
    trials.extend(redis_doctor::trials(Setup::Standalone));
    trials.extend(redis_faults::trials(Setup::Standalone));
    trials.extend(redis_histories::trials(Setup::Standalone));
    trials.extend(redis_messages::trials(Setup::Standalone));
    trials.extend(redis_statectl::trials(env!("CARGO_BIN_EXE_statectl-under-test")));
    trials.extend(redis_watch::trials(Setup::Standalone));
    harness::run(Setup::Standalone, trials)
}
