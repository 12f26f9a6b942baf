//! Networks that swallow, refuse, chop and delay.

use std::num::NonZeroUsize;
use std::time::Duration;

use libtest_mimic::Failed;
use state_checkpoint::CheckpointOptions;
use state_core::checkpoint::{
    Checkpoint, CheckpointId, Checkpointer, ListThreads, Metadata, PutCheckpoint,
};
use state_core::{
    ErrorKind, Namespace, Outcome, StateBackend, StateBackendExt, Timestamp, WriteOp,
};
use state_redis::{RedisBackend, RedisConfig, RedisStore};
use tokio::time::Instant;

use crate::proxy::{Ending, Fault};
use crate::redis_stage::{Stage, fails, open, shared, until_so, works_again};

/// Ten times what is wanted, and a fraction of what calls may take here: a machine may be slow, a store may not wait for
/// the end of its patience.
const HEALED: Duration = Duration::from_secs(10);

/// A call that is in flight while the network is a black hole is answered once it is healed: the connection that lost
/// bytes never speaks again, so it must have been replaced.
pub(super) fn black_hole(stage: &Stage) -> Result<(), Failed> {
    swallowed(stage, Fault::BlackHole)
}

/// The same when the server has seen its connections close and the client has not.
pub(super) fn half_open(stage: &Stage) -> Result<(), Failed> {
    swallowed(stage, Fault::HalfOpen)
}

fn swallowed(stage: &Stage, fault: Fault) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.patient()?;
        // Tries that begin in the hole end in it; the next must not be long in coming.
        config.connect_timeout_ms = 1_000;
        config.retries = 100;
        let store = open(config).await?;
        store.put("k", "1").await?;
        stage.set(fault);
        let before: u64 = stage.counts().iter().map(|counts| counts.bytes_to_client).sum();
        let reading = tokio::spawn({
            let store = shared(&store);
            async move { store.get("k").await }
        });
        // New connections are tried while nothing answers.
        let tried = || stage.counts().iter().map(|counts| counts.connections).sum::<u64>();
        let connections = tried();
        until_so("another connection is tried", || tried() > connections).await?;
        let after: u64 = stage.counts().iter().map(|counts| counts.bytes_to_client).sum();
        assert_eq!(after, before, "something came out of the hole");
        assert!(!reading.is_finished(), "a call was answered out of the hole");
        stage.set(Fault::Pass);
        let read = within("the hole is left", reading).await???;
        assert_eq!(read.as_deref(), Some(b"1".as_slice()));
        works_again(&store).await
    })
}

/// However many requests a call takes, it ends by its one deadline. What is not answered may have happened: only what was
/// never sent has certainly not.
pub(super) fn deadline(stage: &Stage) -> Result<(), Failed> {
    const DEADLINE: Duration = Duration::from_millis(300);
    /// A fraction of what several deadlines in a row would take.
    const SOON: Duration = Duration::from_millis(900);
    const WRITES: u16 = 1_000;
    stage.keep_primary()?;
    stage.run(async {
        let mut config = stage.config()?;
        config.call_timeout_ms = DEADLINE.as_millis().try_into()?;
        let store = open(config).await?;
        works_again(&store).await?;
        let writes: Vec<_> =
            (0..WRITES).map(|number| WriteOp::put(format!("w:{number}"), "1")).collect();
        let counting = async || store.count("").await.map(drop);
        for round in 0..5 {
            stage.set(Fault::BlackHole);
            let began = Instant::now();
            let answer = match round {
                0 => store.put("k", "2").await.map(drop),
                1 => store.write_many(writes.clone()).await.and_then(|answers| {
                    answers.into_iter().try_for_each(|answer| answer.map(drop))
                }),
                2 => {
                    store.batch_get((0..WRITES).map(|number| format!("w:{number}"))).await.map(drop)
                }
                3 => counting().await,
                _ => store.clear().await.map(drop),
            };
            let took = began.elapsed();
            stage.set(Fault::Pass);
            let error = answer.err().ok_or("it was answered out of the hole")?;
            assert!(
                matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable),
                "{round}: {error}"
            );
            assert!(took < SOON, "{round}: not by its deadline but after {took:?}: {error}");
            works_again(&store).await?;
        }
        Ok(())
    })
}

/// The same for checkpoints where each way there and back takes most of the deadline: a call that needs several ends by it,
/// and not when the last of them has come.
pub(super) fn checkpoints(stage: &Stage) -> Result<(), Failed> {
    const DEADLINE: Duration = Duration::from_millis(500);
    const EACH_WAY: Duration = Duration::from_millis(200);
    stage.run(async {
        let mut config = unhurried(stage)?;
        config.call_timeout_ms = DEADLINE.as_millis().try_into()?;
        let store = RedisStore::connect_with(config).await?;
        let threads = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let id = || CheckpointId::new("1f0ab123-4567-6890-8000-000000000000");
        let put = |thread: &str| {
            let checkpoint = Checkpoint::new(id(), Timestamp::from_unix_ms(1));
            let metadata = Metadata::new().with("run_id", "run");
            threads.put_checkpoint(PutCheckpoint::new(thread, checkpoint).with_metadata(metadata))
        };
        // So that the server knows the scripts.
        put("before").await?;
        threads.list_threads(ListThreads::new()).await?;
        stage.set(Fault::Delay(EACH_WAY));
        let mut failed = Vec::new();
        for call in ["put", "list_threads"] {
            let began = Instant::now();
            let answer = match call {
                "put" => put("after").await.map(drop),
                _ => threads.list_threads(ListThreads::new()).await.map(drop),
            };
            failed.push((call, began.elapsed(), answer));
        }
        stage.set(Fault::Pass);
        for (call, took, answer) in failed {
            let error = answer.err().ok_or_else(|| format!("{call} was answered in {took:?}"))?;
            assert_eq!(error.kind(), ErrorKind::Timeout, "{call}: {error}");
            assert!(took < 2 * DEADLINE, "{call}: not by its deadline but after {took:?}: {error}");
        }
        put("after").await?;
        let listed = threads.list_threads(ListThreads::new()).await?;
        assert_eq!(listed.items.len(), 2, "{listed:?}");
        Ok(())
    })
}

async fn within<T>(what: &str, call: impl Future<Output = T>) -> Result<T, Failed> {
    let late = |_| Failed::from(format!("not within {} s: {what}", HEALED.as_secs()));
    tokio::time::timeout(HEALED, call).await.map_err(late)
}

/// Connections that fall silent while nobody uses them: the first call finds out.
pub(super) fn silent_while_idle(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        store.put("k", "1").await?;
        for _ in 0..3 {
            stage.end_connections(Ending::Silence);
            let read = within("the silence is noticed", store.get("k")).await?;
            assert_eq!(read?.as_deref(), Some(b"1".as_slice()));
        }
        works_again(&store).await
    })
}

pub(super) fn refused(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.config()?).await?;
        store.put("k", "1").await?;
        stage.set(Fault::Refuse);
        // What was sent when the connections were reset may have arrived; what comes later has not.
        drop(store.get("k").await);
        let error = fails(store.put("k", "2").await, ErrorKind::Unavailable, Outcome::NotApplied)?;
        assert!(error.attempts() > 1, "it was not tried again: {error}");
        fails(store.get("k").await, ErrorKind::Unavailable, Outcome::NotApplied)?;
        let health = store.health().await?;
        assert_ne!(health.status, state_core::HealthStatus::Healthy, "{health:?}");
        let connecting = open(stage.once()?).await;
        let error = connecting.err().ok_or("connected to nobody")?;
        let said = error.message().unwrap_or_default();
        assert!(said.contains("nobody listens") || said.contains("sentinel"), "{said}");
        stage.set(Fault::Pass);
        works_again(&store).await?;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"1".as_slice()));
        Ok(())
    })
}

/// Every reply and every request in pieces of one byte.
pub(super) fn chopped(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(unhurried(stage)?).await?;
        stage.set(Fault::Chunks(NonZeroUsize::MIN));
        everything(&store).await
    })
}

/// A network with a long way, and no other fault.
pub(super) fn slow(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(unhurried(stage)?).await?;
        stage.set(Fault::Delay(Duration::from_millis(3)));
        everything(&store).await
    })
}

/// Settings for what is slow and no fault, on a machine that may be slow as well: nobody takes it for one. The sentinels see
/// the servers through the same proxies, and must not put another in their place.
fn unhurried(stage: &Stage) -> Result<RedisConfig, Failed> {
    stage.keep_primary()?;
    let mut config = stage.patient()?;
    config.silence_timeout_ms = 60_000;
    Ok(config)
}

async fn everything(store: &RedisBackend) -> Result<(), Failed> {
    let large = vec![b'x'; 20_000];
    store.put("large", large.clone()).await?;
    assert_eq!(store.get("large").await?.as_deref(), Some(large.as_slice()));
    let keys: Vec<String> = (0..50).map(|number| format!("key:{number}")).collect();
    store.batch_put(keys.iter().map(|key| (key.clone(), "v"))).await?;
    let found = store.batch_get(keys.clone()).await?;
    assert_eq!(found.len(), keys.len());
    assert_eq!(store.count("key:").await?, 50);
    assert_eq!(store.increment("n", 5).await?, 5);
    works_again(store).await
}
