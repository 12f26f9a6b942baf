//! What can be seen of servers, and of what a store has done with them.

use std::time::Duration;

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_core::{
    AcquireOptions, Acquired, Consistency, ErrorKind, Fence, FenceToken, GetOptions,
    HashPageOptions, HashStore, HashWriteOptions, HealthStatus, Key, LeaseStore, ListOptions,
    Namespace, Operation, Outcome, OwnerId, PutOptions, SnapshotOptions, StateBackend,
    StateBackendExt, Transact, Transaction, Watch, WatchOptions, WriteOp,
};
use state_redis::{NodeRole, Product, RedisBackend, RedisStore};

use crate::servers::{Reply, Running, Servers, Setup};

type Check = fn() -> Result<(), Failed>;

const HOUR: Duration = Duration::from_secs(3_600);

/// The tests, on a primary with replicas.
pub const CHECKS: [(&str, Check); 8] = [
    ("looking::servers_tell_what_they_are", servers),
    ("looking::calls_are_counted_with_what_was_sent_for_them", counted),
    ("looking::a_listing_tells_the_size_of_values", sizes),
    ("looking::eventual_reads_are_served_by_replicas", eventual),
    ("looking::writes_of_fields_leave_what_is_no_hash_alone", foreign),
    ("looking::a_lease_is_left_alone_where_its_marks_are_no_hash", marks),
    ("looking::tokens_grow_though_the_clock_of_the_server_has_gone_back", past),
    ("looking::bytes_of_all_kinds_of_calls_are_counted", bytes),
];

fn with_store(
    running: &Running,
    work: impl AsyncFnOnce(RedisStore, RedisBackend) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = RedisStore::connect(running.url()).await?;
        let backend = store.open(Namespace::new("looking")?).await?;
        work(store, backend).await
    })
}

fn servers() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |store, backend| {
        let told = store.server_info().await?;
        assert_eq!(told.unreachable, Vec::<String>::new());
        let primaries: Vec<_> =
            told.nodes.iter().filter(|node| node.role == NodeRole::Primary).collect();
        let [primary] = primaries.as_slice() else { return Err("not one primary".into()) };
        let version = running.version();
        let version = format!("{}.{}.{}", version.major, version.minor, version.patch);
        if primary.product == Product::Redis {
            assert_eq!(primary.version, version);
        }
        assert_eq!((primary.replicas, primary.append_only_file), (2, true));
        assert!(primary.memory_bytes > 0 && primary.clients > 0, "{primary:?}");
        assert!(backend.info().server.contains(&primary.version), "{}", backend.info().server);
        assert!(told.nodes.iter().skip(1).all(|node| node.role == NodeRole::Replica));
        let health = backend.health().await?;
        assert_eq!(health.status, HealthStatus::Healthy, "{}", health.detail);
        backend.put("k", "v").await?;
        let usage = backend.memory_usage().await?;
        assert_eq!(usage.entries, 1);
        assert!(usage.memory_bytes > 0 && usage.disk_bytes > 0, "{usage:?}");
        Ok(())
    })?;
    with_store(&running, async |_, backend| {
        running.freeze(0)?;
        let health = backend.health().await;
        running.thaw(0)?;
        assert_eq!(health?.status, HealthStatus::Unhealthy);
        Ok(())
    })
}

fn counted() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        backend.put("a", "123").await?;
        backend.get("a").await?;
        backend.get("absent").await?;
        backend.batch_get(["a", "b", "c"]).await?;
        assert!(backend.increment("a", 1).await.is_ok());
        backend.put("a", "no number").await?;
        assert!(backend.increment("a", 1).await.is_err());
        let stats = backend.stats().await?;
        let get = stats.of(Operation::Get);
        assert_eq!((get.calls, get.hits, get.misses, get.commands), (2, 1, 1, 2));
        assert_eq!((get.bytes_out, get.hit_rate()), (3, Some(0.5)));
        let batch = stats.of(Operation::GetMany);
        // All keys are read by one command, and the two that are missing asked for again.
        assert_eq!((batch.commands, batch.pipelines, batch.misses), (3, 1, 2));
        let increment = stats.of(Operation::Increment);
        assert_eq!((increment.calls, increment.errors), (2, 1));
        assert_eq!(increment.error_rate(), Some(0.5));
        assert_eq!(increment.latency.map(|latency| latency.count), Some(2));
        assert_eq!(stats.total().calls, 7);
        Ok(())
    })
}

fn sizes() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        for (name, length) in [("empty", 0), ("short", 7), ("long", 100_000)] {
            backend.put(name, vec![b'x'; length]).await?;
        }
        let page = backend.list_page(ListOptions::new("").with_expiry(true)).await?;
        let mut told: Vec<_> =
            page.items.iter().map(|meta| (meta.key.name().to_vec(), meta.value_bytes)).collect();
        told.sort();
        let expected = [("empty", 0), ("long", 100_000), ("short", 7)];
        assert_eq!(told, expected.map(|(name, size)| (name.as_bytes().to_vec(), Some(size))));
        Ok(())
    })
}

/// How often a server has run `command`.
fn runs(running: &Running, place: usize, command: &str) -> Result<u64, Failed> {
    let info = running.admin(place, &["INFO", "commandstats"])?.ok()?.text();
    let line = info.lines().find_map(|line| {
        line.strip_prefix("cmdstat_")?.strip_prefix(command)?.strip_prefix(":calls=")
    });
    Ok(line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0))
}

fn eventual() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    let replicas = running.replicas();
    let all = |command: &str| -> Result<u64, Failed> {
        replicas.iter().map(|place| runs(&running, *place, command)).sum()
    };
    with_store(&running, async |_, backend| {
        let keys: Vec<Key> = ["a", "b", "c"].map(Key::from).to_vec();
        backend.put("a", "1").await?;
        let (gets, scripts) = (all("mget")?, all("evalsha")?);
        let options = GetOptions::new().with_consistency(Consistency::Eventual);
        backend.get_many(&keys, options.clone()).await?;
        assert_eq!(all("mget")?, gets + 1, "reads of a batch");
        backend.get_opts(&Key::from("a"), options.with_expiry(true)).await?;
        assert!(all("evalsha")? > scripts, "a read that needs a script");
        let gets = all("mget")?;
        backend.get_many(&keys, GetOptions::new()).await?;
        assert_eq!(all("mget")?, gets, "strong reads");
        Ok(())
    })
}

/// Nothing of an acquisition is written where its mark cannot be.
fn marks() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        let (name, ours) =
            (Key::from("l"), AcquireOptions::new(OwnerId::from_bytes([1; 16]), HOUR));
        assert!(matches!(backend.acquire_lease(&name, ours).await?, Acquired::Granted(_)));
        let found = running.admin(0, &["KEYS", "state:looking:*{l}*"])?.ok()?;
        let keys: Vec<String> = found.items().iter().map(Reply::text).collect();
        assert_eq!(keys.len(), 2, "a lease and its mark: {keys:?}");
        let lasting = |key: &&String| {
            let field = running.admin(0, &["HEXISTS", key, "until"]);
            matches!(field, Ok(Reply::Integer(1)))
        };
        let lease = keys.iter().find(lasting).ok_or("no lease")?;
        let mark = keys.iter().find(|key| *key != lease).ok_or("no mark")?;
        let until = running.admin(0, &["HGET", lease, "until"])?.ok()?;
        running.admin(0, &["SET", mark, "of somebody else"])?.ok()?;
        let longer = AcquireOptions::new(OwnerId::from_bytes([1; 16]), 2 * HOUR);
        let error = backend.acquire_lease(&name, longer).await.err().ok_or("it was acquired")?;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::NotApplied));
        assert_eq!(running.admin(0, &["HGET", lease, "until"])?.ok()?, until, "it was renewed");
        Ok(())
    })
}

/// A clock that stands in the past finds leases and marks with tokens of the future: what is granted next is greater all the
/// same, and those of before are refused.
fn past() -> Result<(), Failed> {
    /// Some thirty years, in microseconds.
    const AHEAD: u64 = 1_000_000_000_000_000;
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        let name = Key::from("l");
        let ours = |owner: u8| AcquireOptions::new(OwnerId::from_bytes([owner; 16]), HOUR);
        let mut last = granted(backend.acquire_lease(&name, ours(0)).await?)?;
        let mut ahead = last.get();
        for (owner, lost) in [(1, "lease"), (2, "mark"), (3, "nothing")] {
            backend.release_lease(&name, OwnerId::from_bytes([owner - 1; 16]), last).await?;
            let found = running.admin(0, &["KEYS", "state:looking:*{l}*"])?.ok()?;
            ahead += AHEAD;
            for key in found.items().iter().map(Reply::text) {
                let is_lease = running.admin(0, &["HEXISTS", &key, "until"])?;
                let (kind, field) = if is_lease == Reply::Integer(1) {
                    ("lease", "token".to_owned())
                } else {
                    let fields = running.admin(0, &["HKEYS", &key])?.ok()?;
                    ("mark", fields.items().first().ok_or("no field")?.text())
                };
                if kind == lost {
                    running.admin(0, &["DEL", &key])?.ok()?;
                } else {
                    running.admin(0, &["HSET", &key, &field, &ahead.to_string()])?.ok()?;
                }
            }
            let next = granted(backend.acquire_lease(&name, ours(owner)).await?)?;
            assert!(next.get() > ahead, "without {lost}: {next:?} after {ahead}");
            let fenced = |token| PutOptions::new().with_fence(Fence::new(name.clone(), token));
            let key = Key::from("k");
            backend.put_opts(&key, "new".into(), fenced(next)).await?;
            let late = backend.put_opts(&key, "late".into(), fenced(last)).await;
            assert_eq!(late.err().map(|error| error.kind()), Some(ErrorKind::Fenced));
            last = next;
        }
        Ok(())
    })
}

fn granted(acquired: Acquired) -> Result<FenceToken, Failed> {
    match acquired {
        Acquired::Granted(grant) => Ok(grant.token),
        other => Err(format!("not granted: {other:?}").into()),
    }
}

fn bytes() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        let sent = async |operation| -> Result<_, Failed> {
            let line = backend.stats().await?.of(operation);
            Ok((line.calls, line.bytes_in, line.bytes_out))
        };
        let (key, hash) = (Key::from("key"), Key::from("hash"));
        let options = HashWriteOptions::new;
        backend.put_opts(&key, "12345".into(), PutOptions::new()).await?;
        backend.list_page(ListOptions::new("k")).await?;
        assert_eq!(sent(Operation::List).await?, (1, 1, 3), "a prefix, and a name");
        backend.hash_set(&hash, vec![("f".into(), "22".into())], options()).await?;
        backend.hash_increment(&hash, &"f".into(), 1, options()).await?;
        backend.hash_page(&hash, HashPageOptions::new()).await?;
        assert_eq!(sent(Operation::Hash).await?, (3, 7 + 5 + 4, 3));
        backend.transact(Transaction::new().op(WriteOp::put(key.clone(), "1234"))).await?;
        assert_eq!(sent(Operation::Transact).await?, (1, 7, 0));
        let ours = AcquireOptions::new(OwnerId::from_bytes([1; 16]), HOUR);
        backend.acquire_lease(&Key::from("lease"), ours).await?;
        assert_eq!(sent(Operation::Lease).await?, (1, 5, 0));
        let records = backend.snapshot_opts(SnapshotOptions::new("")).await?;
        assert_eq!(records.count().await, 2);
        // An entry with its key, and a hash with its one field.
        assert_eq!(sent(Operation::Snapshot).await?, (1, 0, 7 + 7));
        drop(backend.watch(WatchOptions::new("")).await?);
        assert_eq!(sent(Operation::Watch).await?.0, 1, "a watch is a call, too");
        Ok(())
    })
}

/// Whatever is written to fields of something else is refused, and changes nothing.
fn foreign() -> Result<(), Failed> {
    let running = Servers::start(Setup::Replica)?;
    with_store(&running, async |_, backend| {
        let (key, stored) = (Key::from("k"), "state:looking:H:{k}");
        running.admin(0, &["SET", stored, "of somebody else"])?.ok()?;
        let options = HashWriteOptions::new;
        let answers = [
            backend.hash_set(&key, vec![("f".into(), "1".into())], options()).await.map(drop),
            backend.hash_delete(&key, &["f".into()], options()).await.map(drop),
            backend.hash_increment(&key, &"f".into(), 1, options()).await.map(drop),
            backend.hash_remove(&key, options()).await.map(drop),
        ];
        for answer in answers {
            let error = answer.err().ok_or("it was taken for a hash")?;
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
        assert_eq!(running.admin(0, &["GET", stored])?.ok()?.text(), "of somebody else");
        Ok(())
    })
}
