//! Servers that hold calls back: paused, frozen, asleep.

use libtest_mimic::Failed;
use state_core::{ErrorKind, Outcome, StateBackendExt};

use crate::redis_stage::{Stage, fails, open, shared, until_so, works_again};

/// `CLIENT PAUSE WRITE` for longer than any silence that is taken for a fault: the server has the write, so it must be
/// neither sent again nor killed, even where it would count twice.
pub(super) fn paused(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        store.increment("n", 1).await?;
        stage.admin_primaries(&["CLIENT", "PAUSE", "100000", "WRITE"])?;
        let writing = tokio::spawn({
            let store = shared(&store);
            async move { store.increment("n", 1).await }
        });
        until_so("the write is held back", || blocked(stage)).await?;
        // Long enough to be taken for silence several times: the supervisor looks, and lets it be.
        let looks = || counted(stage, "CLIENT");
        let before = looks();
        until_so("the supervisor has looked", || looks() >= before + 6).await?;
        assert!(!writing.is_finished(), "a write that the server holds back has ended");
        stage.admin_primaries(&["CLIENT", "UNPAUSE"])?;
        assert_eq!(writing.await??, 2);
        assert_eq!(store.get("n").await?.as_deref(), Some(b"2".as_slice()));
        works_again(&store).await
    })
}

/// A pause that outlasts the deadline of the call.
pub(super) fn paused_too_long(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.once()?;
        config.call_timeout_ms = 400;
        let store = open(config).await?;
        let before = open(stage.patient()?).await?;
        before.put("k", "1").await?;
        stage.admin_primaries(&["CLIENT", "PAUSE", "100000", "WRITE"])?;
        fails(store.put("k", "2").await, ErrorKind::Timeout, Outcome::Unknown)?;
        stage.admin_primaries(&["CLIENT", "UNPAUSE"])?;
        works_again(&before).await?;
        until_so_works(&store).await
    })
}

/// A server that is stopped in its tracks and goes on: the call is answered, once.
pub(super) fn frozen(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let name = stage.name_at_first()?;
        store.put(name.clone(), "1").await?;
        let connections =
            |stage: &Stage| -> u64 { stage.counts().iter().map(|counts| counts.connections).sum() };
        for round in 2..5 {
            stage.servers.freeze(0)?;
            let before = connections(stage);
            let writing = tokio::spawn({
                let (store, name) = (shared(&store), name.clone());
                async move { store.put(name, round.to_string()).await }
            });
            until_so("the supervisor has looked", || connections(stage) > before).await?;
            assert!(!writing.is_finished(), "a frozen server has answered");
            stage.servers.thaw(0)?;
            writing.await??;
            let found = store.get(name.clone()).await?.ok_or("nothing is there")?;
            assert_eq!(found, round.to_string());
        }
        works_again(&store).await
    })
}

/// A server that is frozen for longer than calls may take.
pub(super) fn frozen_too_long(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.config()?;
        config.call_timeout_ms = 400;
        let store = open(config).await?;
        works_again(&store).await?;
        let name = stage.name_at_first()?;
        stage.servers.freeze(0)?;
        let written = store.increment(name.clone(), 1).await;
        let written = fails(written, ErrorKind::Timeout, Outcome::Unknown);
        let read = store.get(name).await;
        stage.servers.thaw(0)?;
        written?;
        let error = read.err().ok_or("a frozen server has answered")?;
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        until_so_works(&store).await
    })
}

/// With short deadlines a busy machine can be late now and then; what must not last is that it does not work.
async fn until_so_works(store: &state_redis::RedisBackend) -> Result<(), Failed> {
    crate::redis_stage::until("the store works again", || async {
        for key in 0..20 {
            store.put(format!("again:{key}"), "1").await.ok()?;
            store.increment(format!("again:{key}"), 1).await.ok()?;
        }
        Some(())
    })
    .await
}

fn counted(stage: &Stage, name: &str) -> u64 {
    stage.counts().iter().map(|counts| counts.count(name)).sum()
}

/// Whether a primary says that a client of the store waits.
pub(super) fn blocked(stage: &Stage) -> bool {
    stage.servers.primaries().into_iter().any(|place| {
        let Ok(list) = stage.servers.admin(place, &["CLIENT", "LIST"]) else { return false };
        list.text().lines().any(|line| line.contains(" name=state ") && line.contains(" flags=b "))
    })
}
