//! What the settings and the state of one server make of it.

use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::Failed;
use state_redis::Level::{Note, Ok as Fine, Problem, Warning};
use state_redis::{RedisStore, Subject};

use super::{are_told_well, diagnose};
use crate::redis_stage::runtime;
use crate::servers::{Reply, Running, Version, wait_until};

/// How long a client waits for a word of a server before the next one is looked at.
const SAYS_WITHIN: Duration = Duration::from_millis(20);

pub(super) fn plain(running: &Running) -> Result<(), Failed> {
    let before = running.admin(0, &["INFO", "persistence"])?.ok()?;
    let findings = diagnose(running)?;
    are_told_well(&findings);
    assert_eq!(findings.above(Warning).len(), 0);
    for subject in [
        Subject::Eviction,
        Subject::Clients,
        Subject::Persistence,
        Subject::Clock,
        Subject::Scripts,
        Subject::Tracking,
        Subject::Kill,
        Subject::Permissions,
        Subject::Encryption,
    ] {
        findings.is(subject, Fine, "")?;
    }
    let knows_waitaof = running.version() >= Version::KNOWS_WAITAOF;
    findings.is(Subject::Version, if knows_waitaof { Fine } else { Note }, "")?;
    findings.is(Subject::Memory, Note, "CONFIG SET maxmemory")?;
    findings.is(Subject::Replicas, Note, "replicaof")?;
    findings.is(Subject::Login, Warning, "ACL SETUSER state on >PASSWORD")?;
    findings.is(Subject::Breadth, Warning, "may send every command")?;
    // No record of a layout, no key of a trial, nothing for the disk, no refusal.
    assert_eq!(running.admin(0, &["DBSIZE"])?, Reply::Integer(0));
    let changes = |info: &Reply| info.info("rdb_changes_since_last_save");
    let after = running.admin(0, &["INFO", "persistence"])?.ok()?;
    assert_eq!(changes(&after), changes(&before));
    assert_eq!(running.admin(0, &["ACL", "LOG"])?.items().len(), 0);
    let connected = || running.admin(0, &["CLIENT", "LIST"]).ok().map(|list| list.text());
    wait_until("its connections are closed", || (connected()?.lines().count() == 1).then_some(()))?;
    // A store that is connected says the same, and goes on.
    runtime(1)?.block_on(async {
        let store = RedisStore::connect(running.url()).await?;
        let mut again = store.diagnose().await?;
        again.retain(|one| !matches!(one.subject, Subject::Clients | Subject::Memory));
        let mut first = findings.0;
        first.retain(|one| !matches!(one.subject, Subject::Clients | Subject::Memory));
        assert_eq!(again, first);
        Ok(())
    })
}

pub(super) fn kept(running: &Running) -> Result<(), Failed> {
    let set = |name: &str, value: &str| -> Result<(), Failed> {
        running.admin(0, &["CONFIG", "SET", name, value])?.ok()?;
        Ok(())
    };
    set("maxmemory-policy", "volatile-lru")?;
    diagnose(running)?.is(Subject::Eviction, Note, "maxmemory-policy noeviction")?;
    set("maxmemory", "1gb")?;
    let findings = diagnose(running)?;
    findings.is(Subject::Eviction, Problem, "`volatile-lru`")?;
    findings.is(Subject::Memory, Fine, "")?;
    set("maxmemory-policy", "noeviction")?;
    set("appendonly", "no")?;
    let findings = diagnose(running)?;
    findings.is(Subject::Eviction, Fine, "")?;
    findings.is(Subject::Persistence, Warning, "CONFIG SET appendonly yes")?;
    set("appendonly", "yes")?;

    crowded(running)?;
    set("maxmemory", &of_used(running, 90)?)?;
    diagnose(running)?.is(Subject::Memory, Warning, "80 %")?;
    set("maxmemory", &of_used(running, 99)?)?;
    diagnose(running)?.is(Subject::Memory, Problem, "95 %")?;
    set("maxmemory", "0")?;
    let value = "x".repeat(100_000);
    for number in 0..20 {
        running.admin(0, &["SET", &format!("k{number}"), &value])?.ok()?;
    }
    set("maxmemory-policy", "allkeys-random")?;
    wait_until("keys are evicted", || {
        // Asked each time: what was used once may have been for buffers, which do not count.
        set("maxmemory", &of_used(running, 120).ok()?).ok()?;
        let evicted = running.admin(0, &["INFO", "stats"]).ok()?.info("evicted_keys")?;
        (evicted != "0").then_some(())
    })?;
    set("maxmemory-policy", "noeviction")?;
    set("maxmemory", "0")?;
    diagnose(running)?.is(Subject::Eviction, Problem, "were evicted")?;
    running.admin(0, &["CONFIG", "RESETSTAT"])?.ok()?;
    let findings = diagnose(running)?;
    findings.is(Subject::Eviction, Fine, "")?;
    findings.is(Subject::Clients, Fine, "")?;

    let saved = || {
        running.admin(0, &["BGSAVE", "SCHEDULE"]).ok()?;
        let info = running.admin(0, &["INFO", "persistence"]).ok()?;
        (info.info("rdb_last_bgsave_status")? == "err").then_some(())
    };
    wait_until("saving has failed", saved)?;
    diagnose(running)?.is(Subject::Persistence, Problem, "last write to disk failed")?;
    Ok(())
}

/// As many bytes that what is used now is so many percent of them.
fn of_used(running: &Running, percent: u64) -> Result<String, Failed> {
    let used = running.admin(0, &["INFO", "memory"])?.info("used_memory").unwrap_or_default();
    Ok((used.parse::<u64>()? * 100 / percent).to_string())
}

/// Whether a server has said so to a client.
fn is_refused(client: &TcpStream) -> bool {
    let mut said = [0; 4];
    let told = client.set_read_timeout(Some(SAYS_WITHIN)).and_then(|()| client.peek(&mut said));
    told.is_ok() && &said == b"-ERR"
}

/// More clients come than it takes.
fn crowded(running: &Running) -> Result<(), Failed> {
    running.admin(0, &["CONFIG", "SET", "maxclients", "3"])?.ok()?;
    let address = running.node(0)?.direct_address();
    let mut clients = Vec::new();
    // The first of them may come before the administrator has gone.
    for _ in 0..5 {
        clients.push(TcpStream::connect(address)?);
    }
    // Whichever come last to the server, which are not those that were last to connect where something passes them on.
    wait_until("two clients are refused", || {
        let told = clients.iter().filter(|client| is_refused(client));
        (told.count() >= 2).then_some(())
    })?;
    drop(clients);
    let more =
        || running.admin(0, &["CONFIG", "SET", "maxclients", "1000"]).ok()?.ok().ok().map(drop);
    wait_until("there is room for clients again", more)?;
    diagnose(running)?.is(Subject::Clients, Warning, "were rejected")?;
    Ok(())
}
