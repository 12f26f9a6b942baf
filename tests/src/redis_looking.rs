//! What can be seen of servers, and of what a store has done with them.

use libtest_mimic::Failed;
use state_core::{
    Consistency, ErrorKind, GetOptions, HashStore, HashWriteOptions, HealthStatus, Key,
    ListOptions, Namespace, Operation, StateBackend, StateBackendExt,
};
use state_redis::{NodeRole, Product, RedisBackend, RedisStore};

use crate::servers::{Running, Servers, Setup};

type Check = fn() -> Result<(), Failed>;

/// The tests, on a primary with replicas.
pub const CHECKS: [(&str, Check); 5] = [
    ("looking::servers_tell_what_they_are", servers),
    ("looking::calls_are_counted_with_what_was_sent_for_them", counted),
    ("looking::a_listing_tells_the_size_of_values", sizes),
    ("looking::eventual_reads_are_served_by_replicas", eventual),
    ("looking::writes_of_fields_leave_what_is_no_hash_alone", foreign),
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
