//! Tests on a Redis primary with two replicas.

mod harness;

use std::process::ExitCode;

use libtest_mimic::Failed;
use state_tests::servers::{Servers, Setup, wait_until};
use state_tests::{
    redis_acks, redis_checkpoints, redis_doctor, redis_failover, redis_looking, redis_sound,
};

fn main() -> ExitCode {
    let mut trials = harness::trials(Setup::Replica);
    trials.extend(redis_sound::trials(Setup::Replica));
    trials.extend(redis_doctor::trials(Setup::Replica));
    trials.extend(redis_failover::trials(Setup::Replica));
    trials.extend(redis_checkpoints::replica_trials());
    trials.push(harness::trial("harness::replicas_get_what_is_written", replicate));
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    for (name, check) in redis_acks::CHECKS.into_iter().chain(redis_looking::CHECKS) {
        trials.push(harness::trial(name, check).with_ignored_flag(given));
    }
    harness::run(Setup::Replica, trials)
}

fn replicate() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    assert_eq!(running.primaries(), [0]);
    assert_eq!(running.replicas(), [1, 2]);
    harness::ask(&running, 0, &["SET", "state:harness:copied", "yes"])?;
    for place in running.replicas() {
        wait_until("a replica has the value", || {
            let reply = running.admin(place, &["GET", "state:harness:copied"]).ok()?;
            (reply.text() == "yes").then_some(())
        })?;
    }
    harness::ask(&running, 0, &["DEL", "state:harness:copied"])?;
    Ok(())
}
