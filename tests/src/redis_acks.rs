//! Writes that wait for replicas, with replicas that do not answer.

use std::sync::Arc;

use libtest_mimic::Failed;
use state_core::{
    Acks, AcksReached, AcquireOptions, ClearOptions, Consistency, DeleteOptions, Error, ErrorKind,
    HashStore, HashWriteOptions, IncrementOptions, Key, LeaseStore, Namespace, Outcome, OwnerId,
    PutOptions, Result, StateBackend, StateBackendExt, TouchOptions, Transact, Transaction,
    WriteOp,
};
use state_redis::{RedisBackend, RedisConfig, RedisStore};

use crate::servers::{Running, Servers, Setup};

type Check = fn() -> std::result::Result<(), Failed>;

/// The tests, which need servers of the setup with replicas that they can freeze.
pub const CHECKS: [(&str, Check); 4] = [
    ("acks::a_frozen_replica_is_missing_from_what_was_reached", frozen),
    ("acks::every_kind_of_write_says_when_it_falls_short", every_kind),
    ("acks::a_delete_that_finds_nothing_is_answered_for_too", nothing_to_delete),
    ("acks::strong_writes_wait_for_the_configured_replicas", strong),
];

/// Runs `work` with one namespace of a store that `change` has configured.
fn with_store<W: Future<Output = std::result::Result<(), Failed>>>(
    running: &Running,
    change: impl FnOnce(&mut RedisConfig),
    work: impl FnOnce(RedisBackend) -> W,
) -> std::result::Result<(), Failed> {
    let mut config = RedisConfig::from_url(running.url())?;
    config.acks_timeout_ms = 200;
    change(&mut config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = RedisStore::connect_with(config).await?;
        work(store.open(Namespace::new("acks")?).await?).await
    })
}

fn asking(acks: impl Into<Acks>) -> PutOptions {
    PutOptions::new().with_acks(acks)
}

/// The error must be the one of a write that was applied and fell short, and say by how much.
fn short<T>(answer: Result<T>, got: u32, wanted: u32) -> std::result::Result<(), Failed> {
    let error: Error = answer.err().ok_or("it did not fall short")?;
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Unacknowledged, Outcome::Applied),
        "{error}"
    );
    let told = format!("acknowledged by {got} of the {wanted} replicas wanted");
    assert!(error.to_string().contains(&told), "{error}");
    Ok(())
}

/// Freezes replicas and thaws them again, however the test ends.
struct Frozen<'a>(&'a Running, Vec<usize>);

impl<'a> Frozen<'a> {
    fn new(running: &'a Running, places: &[usize]) -> std::result::Result<Self, Failed> {
        let frozen = Self(running, places.to_vec());
        for place in places {
            running.freeze(*place)?;
        }
        Ok(frozen)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        for place in &self.1 {
            drop(self.0.thaw(*place));
        }
    }
}

/// Until replicas have caught up, a write that waits for both of them may fall short.
async fn both(store: &RedisBackend, key: &Key) -> Result<AcksReached> {
    loop {
        match store.put_opts(key, "caught up".into(), asking(Acks::Replicas(2))).await {
            Ok(written) => return Ok(written.acks),
            Err(error) if error.kind() == ErrorKind::Unacknowledged => {}
            Err(error) => return Err(error),
        }
    }
}

fn frozen() -> std::result::Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    let replicas = running.replicas();
    with_store(
        &running,
        |_| (),
        async |store| {
            let key = Key::from("k");
            assert_eq!(both(&store, &key).await?.replicas, 2);
            let one = replicas.first().ok_or("no replica")?;
            let frozen = Frozen::new(&running, &[*one])?;
            let written = store.put_opts(&key, "1".into(), asking(Acks::Replicas(1))).await?;
            assert_eq!(written.acks, AcksReached::by_replicas(1));
            let answer = store.put_opts(&key, "2".into(), asking(Acks::Replicas(2))).await;
            short(answer, 1, 2)?;
            let value = store.get("k").await?.ok_or("it was not applied")?;
            assert_eq!(value.as_ref(), b"2");
            drop(frozen);
            assert_eq!(both(&store, &key).await?.replicas, 2);
            Ok(())
        },
    )?;
    // The server may not wait longer than the call has time: it would be unknown what came of it.
    with_store(
        &running,
        |config| {
            config.acks_timeout_ms = 3_600_000;
            config.call_timeout_ms = 3_000;
        },
        async |store| {
            let _frozen = Frozen::new(&running, &running.replicas())?;
            let (key, both) = (Key::from("k"), asking(Acks::Replicas(2)));
            short(store.put_opts(&key, "3".into(), both).await, 0, 2)
        },
    )
}

fn every_kind() -> std::result::Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(
        &running,
        |_| (),
        async |store| {
            let (key, acks) = (Key::from("n"), Acks::Replicas(2));
            let partitioned = Key::in_partition("p", "n");
            assert_eq!(both(&store, &Key::from("first")).await?.replicas, 2);
            let one = running.replicas().first().copied().ok_or("no replica")?;
            let _frozen = Frozen::new(&running, &[one])?;
            short(store.put_opts(&key, "1".into(), asking(acks)).await, 1, 2)?;
            let increment = || IncrementOptions::new().with_acks(acks);
            short(store.increment_opts(&key, 1, increment()).await, 1, 2)?;
            let touch = TouchOptions::default().with_acks(acks);
            short(store.touch_opts(&key, touch).await, 1, 2)?;
            let batch = vec![
                WriteOp::put_opts("a", "1", asking(acks)),
                WriteOp::put("b", "1"),
                WriteOp::put_opts("c", "1", asking(Acks::Replicas(1))),
                WriteOp::increment_opts("n", 1, increment()),
                WriteOp::delete_opts("n", DeleteOptions::new().with_acks(acks)),
            ];
            let answers =
                <[_; 5]>::try_from(store.write_many(batch).await?).map_err(|_| "not five")?;
            let [a, b, c, increment, delete] = answers;
            short(a, 1, 2)?;
            b?;
            c?;
            short(increment, 1, 2)?;
            short(delete, 1, 2)?;
            let transaction = Transaction::new().op(WriteOp::put(partitioned, "1")).with_acks(acks);
            short(store.transact(transaction).await, 1, 2)?;
            let hash = || HashWriteOptions::new().with_acks(acks);
            let fields = vec![("f".into(), "1".into())];
            short(store.hash_set(&key, fields, hash()).await, 1, 2)?;
            short(store.hash_increment(&key, &"f".into(), 1, hash()).await, 1, 2)?;
            short(store.hash_delete(&key, &["f".into()], hash()).await, 1, 2)?;
            short(store.hash_remove(&key, hash()).await, 1, 2)?;
            let lease = AcquireOptions::new(OwnerId::random(), std::time::Duration::from_secs(60));
            short(store.acquire_lease(&key, lease.with_acks(acks)).await, 1, 2)?;
            short(store.delete_opts(&key, DeleteOptions::new().with_acks(acks)).await, 1, 2)?;
            short(store.clear_opts(ClearOptions::default().with_acks(acks)).await, 1, 2)?;
            assert_eq!(store.count("").await?, 0, "what fell short was applied");
            Ok(())
        },
    )
}

/// The server answers for everything that it has applied, not only for what it did for the asker.
fn nothing_to_delete() -> std::result::Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    let key = Key::from("k");
    let delete = |acks| DeleteOptions::new().with_acks(acks);
    with_store(
        &running,
        |_| (),
        async |store| {
            both(&store, &key).await?;
            let _frozen = Frozen::new(&running, &running.replicas())?;
            short(store.delete_opts(&key, delete(Acks::Replicas(1))).await, 0, 1)?;
            let again = Arc::new(RedisStore::connect(running.url()).await?);
            let other = again.open(Namespace::new("acks")?).await?;
            short(other.delete_opts(&key, delete(Acks::Replicas(1))).await, 0, 1)
        },
    )
}

fn strong() -> std::result::Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    let change = |config: &mut RedisConfig| {
        config.strong_replicas = 2;
        config.acks_timeout_ms = 5_000;
    };
    with_store(&running, change, async |store| {
        let key = Key::from("k");
        both(&store, &key).await?;
        let strong = store.put_opts(&key, "1".into(), asking(Consistency::Strong)).await?;
        assert_eq!(strong.acks, AcksReached::by_replicas(2));
        let eventual = store.put_opts(&key, "2".into(), asking(Consistency::Eventual)).await?;
        assert_eq!(eventual.acks, AcksReached::PRIMARY);
        Ok(())
    })?;
    // Without such a setting it is as any other write, and never refused.
    with_store(
        &running,
        |_| (),
        async |store| {
            let written = store.put_opts(&Key::from("k"), "3".into(), asking(Acks::Strong)).await?;
            assert_eq!(written.acks, AcksReached::PRIMARY);
            Ok(())
        },
    )
}
