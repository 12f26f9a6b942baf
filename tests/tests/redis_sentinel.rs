//! Tests on a Redis primary with two replicas, watched by three sentinels.

mod harness;

use std::process::ExitCode;

use libtest_mimic::Failed;
use state_tests::servers::{Reply, Servers, Setup, wait_until};
use state_tests::{
    redis_doctor, redis_failover, redis_faults, redis_histories, redis_messages, redis_sound,
    redis_watch,
};

fn main() -> ExitCode {
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let mut trials = harness::trials(Setup::Sentinel);
    trials.extend(redis_sound::trials(Setup::Sentinel));
    trials.extend(redis_doctor::trials(Setup::Sentinel));
    trials.extend(redis_faults::trials(Setup::Sentinel));
    trials.extend(redis_failover::trials(Setup::Sentinel));
    trials.extend(redis_histories::trials(Setup::Sentinel));
    trials.extend(redis_messages::trials(Setup::Sentinel));
    trials.extend(redis_watch::trials(Setup::Sentinel));
    trials.push(
        harness::trial("harness::a_failover_makes_another_primary", fail_over)
            .with_ignored_flag(given),
    );
    trials.push(
        harness::trial("harness::sentinels_replace_a_killed_primary", replace_killed)
            .with_ignored_flag(given),
    );
    harness::run(Setup::Sentinel, trials)
}

fn fail_over() -> Result<(), Failed> {
    let running = Servers::start(Setup::Sentinel)?;
    assert_eq!(running.sentinels().len(), 3);
    let before = running.primaries();
    running.failover()?;
    wait_until("there is another primary", || {
        let now = running.primaries();
        (now.len() == 1 && now != before).then_some(())
    })?;
    running.wait_until_settled()?;
    assert_ne!(running.primaries(), before);
    Ok(())
}

/// Through proxies, so that what the sentinels announce are the addresses of the proxies.
fn replace_killed() -> Result<(), Failed> {
    let running = Servers::new(Setup::Sentinel).with_proxies().run()?;
    let killed = *running.primaries().first().ok_or("no primary")?;
    running.kill(killed)?;
    wait_until("there is another primary", || (running.primaries().len() == 1).then_some(()))?;
    running.restart(killed)?;
    running.wait_until_settled()?;
    assert!(running.replicas().contains(&killed), "the old primary follows the new one");
    let sentinel = *running.sentinels().first().ok_or("no sentinel")?;
    let told =
        harness::ask(&running, sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"])?;
    let primary = *running.primaries().first().ok_or("no primary")?;
    let port = running.node(primary)?.address().port().to_string();
    assert_eq!(told.items().last().map(Reply::text), Some(port));
    Ok(())
}
