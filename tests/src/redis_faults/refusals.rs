//! Servers that answer, and refuse: loading, full, failing to save, without replicas, kept busy by a script.

use std::future::Future;
use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{Error, ErrorKind, Outcome, StateBackendExt};
use state_redis::RedisBackend;

use crate::redis_stage::{Stage, fails, open, shared, until, until_so, works_again};

const REFUSED: (ErrorKind, Outcome) = (ErrorKind::Unavailable, Outcome::NotApplied);
const FULL: (ErrorKind, Outcome) = (ErrorKind::Overloaded, Outcome::NotApplied);

/// While keys are loaded so slowly that it would take minutes.
pub(super) fn loading(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = prepared(stage).await?;
        stage.admin(&["DEBUG", "POPULATE", "50000", "filler", "100"])?;
        stage.admin(&["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"])?;
        stage.admin(&["CONFIG", "SET", "key-load-delay", "2000"])?;
        let reload = stage.begin(0, "DEBUG RELOAD")?;
        until_so("the server is loading", || stage.refuses(&["GET", "k"], "LOADING")).await?;
        writes_fail(&store, REFUSED).await?;
        fails(store.get("k").await, REFUSED.0, REFUSED.1)?;
        assert!(open(stage.once()?).await.is_err(), "connected to a server that is loading");
        stage.admin(&["CONFIG", "SET", "key-load-delay", "0"])?;
        works_again(&store).await?;
        drop(reload);
        intact(&store).await
    })
}

/// A server that was killed loads its keys so slowly that a call meets it while it does: one that may be repeated is, until
/// the server is ready, and one that may not is told.
pub(super) fn loading_awaited(stage: &Stage) -> Result<(), Failed> {
    const KEYS: u64 = 3_000;
    stage.run(async {
        let mut config = stage.patient()?;
        config.retries = 100;
        let store = open(config).await?;
        store.batch_put((1..KEYS).map(|number| (format!("filler:{number}"), "v"))).await?;
        store.put("k", "1").await?;
        let once = prepared(stage).await?;
        stage.servers.kill(0)?;
        let writing = tokio::spawn({
            let store = shared(&store);
            async move { store.put("k", "2").await }
        });
        let telling = tokio::spawn(async move {
            until("somebody is told of the loading", || async {
                match once.put("spare", "2").await {
                    Err(error) if error.to_string().contains("LOADING") => Some(Ok(error)),
                    Err(_) => None,
                    Ok(_) => Some(Err("it had loaded before anybody asked")),
                }
            })
            .await
        });
        stage.servers.restart(0)?;
        let told = telling.await??.map_err(Failed::from)?;
        assert_eq!((told.kind(), told.outcome()), REFUSED, "{told}");
        writing.await??;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"2".as_slice()), "what was written");
        assert_eq!(store.count("filler:").await?, KEYS - 1, "what was loaded");
        works_again(&store).await
    })
}

/// `maxmemory` below what is used already.
pub(super) fn out_of_memory(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = prepared(stage).await?;
        stage.admin_primaries(&["CONFIG", "SET", "maxmemory", "1"])?;
        writes_fail(&store, FULL).await?;
        intact(&store).await?;
        // What needs no memory is still done.
        assert!(store.delete("spare").await?, "a delete");
        stage.admin_primaries(&["CONFIG", "SET", "maxmemory", "0"])?;
        works_again(&store).await
    })
}

/// Saving fails because a folder has the name of the file.
pub(super) fn cannot_save(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = prepared(stage).await?;
        stage.admin_primaries(&["CONFIG", "SET", "save", "3600 1"])?;
        until_so("saving has failed", || {
            drop(stage.admin_primaries(&["BGSAVE", "SCHEDULE"]));
            stage.refuses(&["SET", "probe", "1"], "MISCONF")
        })
        .await?;
        writes_fail(&store, REFUSED).await?;
        intact(&store).await?;
        stage.admin_primaries(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"])?;
        works_again(&store).await
    })
}

/// More replicas are asked for than there are.
pub(super) fn too_few_replicas(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = prepared(stage).await?;
        stage.admin_primaries(&["CONFIG", "SET", "min-replicas-to-write", "9"])?;
        writes_fail(&store, REFUSED).await?;
        intact(&store).await?;
        stage.admin_primaries(&["CONFIG", "SET", "min-replicas-to-write", "0"])?;
        works_again(&store).await
    })
}

/// Somebody's script that never ends.
pub(super) fn busy(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = prepared(stage).await?;
        stage.admin(&["CONFIG", "SET", "busy-reply-threshold", "1"])?;
        let script = stage.begin(0, "EVAL \"while true do end\" 0")?;
        until_so("the script runs", || stage.refuses_at(0, &["PING"], "BUSY")).await?;
        writes_fail(&store, REFUSED).await?;
        fails(store.get("k").await, REFUSED.0, REFUSED.1)?;
        stage.admin(&["SCRIPT", "KILL"])?;
        works_again(&store).await?;
        drop(script);
        intact(&store).await
    })
}

/// As many clients as are allowed, none of them ours.
pub(super) fn too_many_clients(stage: &Stage) -> Result<(), Failed> {
    const OTHERS: usize = 8;
    stage.run(async {
        let store = prepared(stage).await?;
        let others: Vec<_> =
            (0..OTHERS).map(|_| stage.begin(0, "PING")).collect::<Result<_, _>>()?;
        stage.admin(&["CONFIG", "SET", "maxclients", &OTHERS.to_string()])?;
        stage.end_connections(crate::proxy::Ending::Reset);
        until_so("the server has its most connections", || {
            stage.refuses_at(0, &["PING"], "ERR max number of clients")
        })
        .await?;
        // The server hangs up while it answers, so now and then the answer is lost.
        until("it is told", || async {
            let error = store.put("k", "2").await.err()?;
            (error.kind() == FULL.0 && error.outcome() == FULL.1).then_some(())
        })
        .await?;
        let refused = open(stage.once()?).await;
        assert!(refused.is_err(), "connected as one too many");
        drop(others);
        works_again(&store).await?;
        intact(&store).await
    })
}

/// A store where nothing is repeated, with an entry, and scripts that the server knows.
async fn prepared(stage: &Stage) -> Result<RedisBackend, Failed> {
    let store = open(stage.once()?).await?;
    works_again(&store).await?;
    store.put("k", "1").await?;
    store.put("spare", "1").await?;
    Ok(store)
}

async fn intact(store: &RedisBackend) -> Result<(), Failed> {
    assert_eq!(
        store.get("k").await?.as_deref(),
        Some(b"1".as_slice()),
        "what a refused write left"
    );
    Ok(())
}

/// Every way to write is refused in the same way.
async fn writes_fail(
    store: &RedisBackend,
    (kind, outcome): (ErrorKind, Outcome),
) -> Result<(), Failed> {
    async fn check<T: std::fmt::Debug>(
        what: &str,
        (kind, outcome): (ErrorKind, Outcome),
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<(), Failed> {
        let answer = fails(call.await, kind, outcome);
        answer
            .map(drop)
            .map_err(|error| format!("{what}: {}", error.message().unwrap_or_default()).into())
    }
    let expected = (kind, outcome);
    let minute = Duration::from_secs(60);
    check("put", expected, store.put("k", "2")).await?;
    check("put with a lifetime", expected, store.put_with_ttl("k", "2", minute)).await?;
    check("increment", expected, store.increment("k", 1)).await?;
    check("a field", expected, store.put_field("h", "f", "v")).await?;
    let batch = store.batch_put([("k", "2"), ("k2", "2")]);
    check("batch", expected, batch).await
}
