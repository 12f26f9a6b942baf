//! Who has a copy and who can take over: replicas, sentinels, nodes of a cluster.

use libtest_mimic::Failed;
use state_redis::Level::{Note, Ok as Fine, Problem, Warning};
use state_redis::{RedisConfig, Subject};

use super::{are_told_well, diagnose, diagnose_with};
use crate::servers::{MASTER, Reply, Running, wait_until};

/// A port on which nobody listens.
const NOBODY: &str = "1";

pub(super) fn replicas(running: &Running) -> Result<(), Failed> {
    let asked = |place: usize, words: &[&str]| -> Result<Reply, Failed> {
        Ok(running.admin(place, words)?.ok()?)
    };
    let findings = diagnose(running)?;
    are_told_well(&findings);
    findings.is(Subject::Replicas, Note, "min-replicas-to-write 1")?;
    asked(0, &["CONFIG", "SET", "min-replicas-to-write", "1"])?;
    let findings = diagnose(running)?;
    findings.is(Subject::Replicas, Fine, "`Acks::Replicas` can ask for up to 2")?;
    let version = findings.worst(Subject::Version)?;
    assert_eq!(version.servers.len(), 3);
    let mut config = RedisConfig::from_url(running.url())?;
    config.strong_replicas = 3;
    diagnose_with(config.clone())?.is(Subject::Replicas, Problem, "2 of 3 replicas")?;
    config.strong_replicas = 2;
    diagnose_with(config)?.is(Subject::Replicas, Fine, "")?;

    asked(1, &["CONFIG", "SET", "replica-read-only", "no"])?;
    diagnose(running)?.is(Subject::Replicas, Problem, "replica-read-only yes")?;
    asked(1, &["CONFIG", "SET", "replica-read-only", "yes"])?;
    let primary = running.node(0)?.address();
    asked(1, &["REPLICAOF", "127.0.0.1", NOBODY])?;
    let cut_off = diagnose(running)?;
    let finding = cut_off.is(Subject::Replicas, Warning, "link of the replica")?;
    assert_eq!(finding.servers, [running.node(1)?.address().to_string()]);
    asked(1, &["REPLICAOF", &primary.ip().to_string(), &primary.port().to_string()])?;
    running.wait_until_settled()?;
    diagnose(running)?.is(Subject::Replicas, Fine, "")?;

    // Who does not answer keeps nothing from being found of the others.
    running.freeze(2)?;
    let mut config = RedisConfig::from_url(running.url())?;
    config.call_timeout_ms = 500;
    let findings = diagnose_with(config);
    running.thaw(2)?;
    let findings = findings?;
    findings.is(Subject::Reach, Warning, "in time")?;
    for subject in [Subject::Scripts, Subject::Permissions, Subject::Persistence] {
        findings.is(subject, Fine, "")?;
    }
    running.kill(2)?;
    let findings = diagnose(running)?;
    let finding = findings.is(Subject::Reach, Warning, "nobody listens there")?;
    assert_eq!(finding.servers, [running.node(2)?.address().to_string()]);
    findings.is(Subject::Version, findings.worst(Subject::Version)?.level, "")?;
    Ok(())
}

pub(super) fn sentinels(running: &Running) -> Result<(), Failed> {
    // A sentinel of a busy machine can be late, and is told of as one that is not reached.
    let all_agree = |says: &'static str| {
        wait_until("all sentinels are reached", move || {
            let findings = diagnose(running).ok()?;
            findings.is(Subject::Sentinel, Fine, says).is_ok().then_some(findings)
        })
    };
    let findings = all_agree("another takes over")?;
    are_told_well(&findings);
    findings.is(Subject::Replicas, Warning, "min-replicas-to-write")?;
    let sentinels = running.sentinels();
    let [first, second, _] = sentinels.as_slice() else { return Err("not three".into()) };
    let quorum = |value: &str| -> Result<(), Failed> {
        let words = ["SENTINEL", "SET", MASTER, "quorum", value];
        running.admin(*first, &words)?.ok()?;
        Ok(())
    };
    quorum("4")?;
    diagnose(running)?.is(Subject::Sentinel, Problem, "never agree")?;
    quorum("2")?;
    all_agree("")?;
    // As a sentinel that does not know the permission: the driver does without it.
    let user = ["ACL", "SETUSER", "default", "-sentinel|master"];
    for place in &sentinels {
        running.admin(*place, &user)?.ok()?;
    }
    all_agree("`SENTINEL MASTER` is denied to this user")?;
    running.kill(*second)?;
    let findings = diagnose(running)?;
    let finding = findings.is(Subject::Sentinel, Warning, "does not answer")?;
    assert_eq!(finding.servers, [running.node(*second)?.address().to_string()]);
    Ok(())
}

/// Gives every primary something to replicate, and takes it away again.
fn replicate(running: &Running) -> Result<(), Failed> {
    for place in running.primaries() {
        let own =
            |key: &String| !matches!(running.admin(place, &["SET", key, "1"]), Ok(Reply::Error(_)));
        let key = (0..10_000).map(|number| number.to_string()).find(own).ok_or("no key")?;
        running.admin(place, &["DEL", &key])?.ok()?;
    }
    Ok(())
}

pub(super) fn cluster(running: &Running) -> Result<(), Failed> {
    replicate(running)?;
    // Nodes name a replica only once they have heard how far it is.
    let findings = wait_until("all six are looked at", || {
        let findings = diagnose(running).ok()?;
        (findings.worst(Subject::Version).ok()?.servers.len() == 6).then_some(findings)
    })?;
    are_told_well(&findings);
    assert_eq!(findings.above(Warning).len(), 0);
    findings.is(Subject::Cluster, Fine, "each primary has a replica")?;
    findings.is(Subject::Scripts, Fine, "")?;
    assert_eq!(findings.worst(Subject::Scripts)?.servers.len(), 3);
    for place in running.primaries() {
        assert_eq!(running.admin(place, &["DBSIZE"])?, Reply::Integer(0));
    }
    // One primary forgets its replica, and so has none as far as it knows.
    let replica = running.admin(3, &["CLUSTER", "MYID"])?.ok()?.text();
    running.admin(0, &["CLUSTER", "FORGET", &replica])?.ok()?;
    diagnose(running)?.is(Subject::Cluster, Warning, "primaries without a replica")?;
    for place in running.primaries() {
        running.admin(place, &["CLUSTER", "DELSLOTS", "16000"])?.ok()?;
    }
    let down = || {
        let info = running.admin(0, &["CLUSTER", "INFO"]).ok()?;
        (info.info("cluster_state")? == "fail").then_some(())
    };
    wait_until("a slot has no owner", down)?;
    let findings = diagnose(running)?;
    findings.is(Subject::Cluster, Problem, "1 of 16384 slots")?;
    findings.is(Subject::Cluster, Problem, "`cluster_state` is `fail`")?;
    // A primary that does not answer does not keep the others from being looked at.
    running.kill(2)?;
    let findings = diagnose(running)?;
    let finding = findings.is(Subject::Reach, Problem, "nobody listens there")?;
    assert_eq!(finding.servers, [running.node(2)?.address().to_string()]);
    findings.is(Subject::Cluster, Problem, "1 of 16384 slots")?;
    Ok(())
}
