//! The cost of single calls.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{
    AcquireOptions, Acquired, Expiry, Key, OwnerId, StateBackend, StateBackendExt, Transaction,
    WriteOp,
};
use state_redis::RedisBackend;

use crate::redis_stage::Stage;

const MINUTE: Duration = Duration::from_secs(60);

/// Makes a call and checks that all it sent was one command of this name.
macro_rules! costs {
    ($stage:ident, $command:literal, $call:expr) => {{
        let before = $stage.counts();
        let answer = $call.await?;
        check($stage, &before, $command, stringify!($call))?;
        answer
    }};
}

fn check(
    stage: &Stage,
    before: &[crate::proxy::Counts],
    command: &str,
    call: &str,
) -> Result<(), Failed> {
    let (mut commands, mut named, mut trips) = (0, 0, 0);
    for (now, before) in stage.counts().iter().zip(before) {
        let sent = now.since(before);
        commands += sent.commands;
        named += sent.count(command);
        trips += sent.round_trips;
    }
    if (commands, named, trips) == (1, 1, 1) {
        return Ok(());
    }
    Err(format!("{call}: {commands} commands, {named} of them {command}, {trips} trips").into())
}

pub(super) fn one_trip(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = stage.open().await?;
        warm(&store).await?;
        entries(stage, &store).await?;
        roles(stage, &store).await
    })
}

/// Lets connections be made and scripts be loaded on all nodes.
async fn warm(store: &RedisBackend) -> Result<(), Failed> {
    for number in 0..100 {
        let key = format!("warm:{number}");
        let written = store.put(key.clone(), "0").await?;
        store.compare_and_set(key.clone(), written.version, "1").await?;
        store.increment(key.clone(), 1).await?;
        store.touch(key.clone(), MINUTE).await?;
        store.ttl(key.clone()).await?;
        store.put_field(key.clone(), "field", "1").await?;
        let owner = OwnerId::random();
        let token = lease(store, &key, owner).await?;
        let (leases, name) = (store.as_lease().ok_or("no leases")?, Key::from(key.clone()));
        leases.renew_lease(&name, token, AcquireOptions::new(owner, MINUTE)).await?;
        leases.read_lease(&name).await?;
        leases.release_lease(&name, owner, token).await?;
        let transaction = Transaction::new().op(WriteOp::put(key.clone(), "2"));
        store.as_transact().ok_or("no transactions")?.transact(transaction).await?;
    }
    Ok(())
}

async fn entries(stage: &Stage, store: &RedisBackend) -> Result<(), Failed> {
    costs!(stage, "SET", store.put("a", "1"));
    costs!(stage, "SET", store.put_with_ttl("a", "1", MINUTE));
    costs!(stage, "GET", store.get("a"));
    let entry = costs!(stage, "GET", store.get_entry("a")).ok_or("no entry")?;
    let written = costs!(stage, "EVALSHA", store.compare_and_set("a", entry.version, "2"));
    let late = stage.counts();
    assert!(store.compare_and_set("a", entry.version, "3").await.is_err());
    check(stage, &late, "EVALSHA", "a compare-and-set that is refused")?;
    assert_ne!(written.version, entry.version);
    costs!(stage, "EVALSHA", store.increment("a", 1));
    costs!(stage, "EVALSHA", store.increment_with_ttl("n", 1, MINUTE));
    costs!(stage, "EVALSHA", store.touch("a", MINUTE));
    costs!(stage, "EVALSHA", store.ttl("a"));
    costs!(stage, "SET", store.set_if_not_exists("a", "4", Expiry::Never));
    costs!(stage, "GETDEL", store.get_and_delete("a"));
    costs!(stage, "UNLINK", store.delete("n"));
    costs!(stage, "UNLINK", store.delete("absent"));
    Ok(())
}

async fn roles(stage: &Stage, store: &RedisBackend) -> Result<(), Failed> {
    costs!(stage, "PING", store.ping());
    let owner = OwnerId::random();
    let token = costs!(stage, "EVALSHA", lease(store, "lease", owner));
    let leases = store.as_lease().ok_or("no leases")?;
    let name = Key::from("lease");
    costs!(stage, "EVALSHA", leases.renew_lease(&name, token, AcquireOptions::new(owner, MINUTE)));
    costs!(stage, "EVALSHA", leases.read_lease(&name));
    costs!(stage, "EVALSHA", leases.release_lease(&name, owner, token));
    let transact = store.as_transact().ok_or("no transactions")?;
    let partition = |name: &'static str| Key::in_partition("p", name);
    let transaction = Transaction::new()
        .op(WriteOp::put(partition("a"), "1"))
        .op(WriteOp::increment(partition("b"), 1))
        .op(WriteOp::delete(partition("c")));
    costs!(stage, "EVALSHA", transact.transact(transaction));
    Ok(())
}

async fn lease(
    store: &RedisBackend,
    name: &str,
    owner: OwnerId,
) -> Result<state_core::FenceToken, Failed> {
    let leases = store.as_lease().ok_or("no leases")?;
    let options = AcquireOptions::new(owner, MINUTE);
    match leases.acquire_lease(&Key::from(name), options).await? {
        Acquired::Granted(grant) => Ok(grant.token),
        other => Err(format!("not granted: {other:?}").into()),
    }
}

/// As many commands as calls, whatever else the driver does: no sign of life is asked for while answers come.
pub(super) fn nothing_beside(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = stage.open().await?;
        warm(&store).await?;
        let before = stage.counts();
        for number in 0..500 {
            let key = format!("k{}", number % 50);
            store.put_with_ttl(key.clone(), "value", MINUTE).await?;
            store.get(key).await?;
        }
        let (mut sets, mut gets, mut commands) = (0, 0, 0);
        for (now, before) in stage.counts().iter().zip(&before) {
            let sent = now.since(before);
            (sets, gets) = (sets + sent.count("SET"), gets + sent.count("GET"));
            commands += sent.commands;
        }
        assert_eq!((sets, gets, commands), (500, 500, 1_000), "SET, GET, all commands");
        Ok(())
    })
}
