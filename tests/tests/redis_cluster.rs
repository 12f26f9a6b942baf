//! Tests on a Redis cluster of three primaries and three replicas.

mod harness;

use std::process::ExitCode;

use libtest_mimic::Failed;
use state_tests::servers::{Servers, Setup, wait_until};
use state_tests::{
    redis_budgets, redis_doctor, redis_failover, redis_faults, redis_histories, redis_messages,
    redis_sound, redis_watch,
};

fn main() -> ExitCode {
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let mut trials = harness::trials(Setup::Cluster);
    trials.extend(redis_sound::trials(Setup::Cluster));
    trials.extend(redis_budgets::trials(Setup::Cluster));
    trials.extend(redis_doctor::trials(Setup::Cluster));
    trials.extend(redis_faults::trials(Setup::Cluster));
    trials.extend(redis_failover::trials(Setup::Cluster));
    trials.extend(redis_histories::trials(Setup::Cluster));
    trials.extend(redis_messages::trials(Setup::Cluster));
    trials.extend(redis_watch::trials(Setup::Cluster));
    for (name, check) in [
        ("harness::a_failover_makes_another_primary", fail_over as fn() -> Result<(), Failed>),
        ("harness::a_replica_replaces_a_killed_primary", replace_killed),
    ] {
        trials.push(harness::trial(name, check).with_ignored_flag(given));
    }
    harness::run(Setup::Cluster, trials)
}

fn fail_over() -> Result<(), Failed> {
    let running = Servers::start(Setup::Cluster)?;
    assert_eq!(running.primaries(), [0, 1, 2]);
    assert_eq!(running.replicas(), [3, 4, 5]);
    running.failover()?;
    wait_until("a replica is the primary", || running.primaries().contains(&3).then_some(()))?;
    running.wait_until_settled()?;
    assert_eq!(running.primaries(), [1, 2, 3]);
    Ok(())
}

fn replace_killed() -> Result<(), Failed> {
    let running = Servers::start(Setup::Cluster)?;
    running.kill(1)?;
    wait_until("a replica is the primary", || (running.primaries().len() == 3).then_some(()))?;
    running.restart(1)?;
    running.wait_until_settled()?;
    assert_eq!(running.primaries(), [0, 2, 4]);
    Ok(())
}
