//! Tests on one Valkey server.

mod harness;

use std::process::ExitCode;

use state_tests::servers::Setup;
use state_tests::{
    redis_budgets, redis_doctor, redis_faults, redis_histories, redis_messages, redis_sound,
    redis_watch,
};

fn main() -> ExitCode {
    let mut trials = harness::trials(Setup::Valkey);
    trials.extend(redis_sound::trials(Setup::Valkey));
    trials.extend(redis_budgets::trials(Setup::Valkey));
    trials.extend(redis_doctor::trials(Setup::Valkey));
    trials.extend(redis_faults::trials(Setup::Valkey));
    trials.extend(redis_histories::trials(Setup::Valkey));
    trials.extend(redis_messages::trials(Setup::Valkey));
    trials.extend(redis_watch::trials(Setup::Valkey));
    harness::run(Setup::Valkey, trials)
}
