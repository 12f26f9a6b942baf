//! A store with a record of every kind in it, and what must be read from it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use state_core::{
    AcquireOptions, Acquired, Change, Consistency, DeleteOptions, Deleted, ErrorKind, Expires,
    Expiry, Fence, FenceToken, GetOptions, HashWriteOptions, IncrementOptions, Key, Namespace,
    OpId, OwnerId, PutOptions, Result, StateBackend, StateBackendExt, Transaction, WatchEvent,
    WatchOptions, WatchStart, WriteOp, WriteOutcome,
};
use state_local::{FileBackend, FileStore};

/// A key in a partition, with every byte in it that could be taken for something else.
pub fn placed() -> Key {
    Key::in_partition(b"p\0\xff".to_vec(), "{k}")
}

/// The name of a namespace that could be taken for the end of one.
pub fn other() -> Namespace {
    Namespace::new("other\0").expect("it is short")
}

pub const OWNER: OwnerId = OwnerId::from_bytes([9; 16]);

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Fills an empty store.
pub async fn fill(store: &FileStore) -> Result<()> {
    let backend = store.open(Namespace::default())?;
    backend.put("plain", "value").await?;
    backend.put(placed(), vec![0, 255, 10, 13]).await?;
    backend.put("empty", "").await?;
    backend.put_with_ttl("short", "lived", HOUR).await?;
    backend.touch("short", DAY).await?;
    backend.put("gone", "before").await?;
    backend.put("old:1", "").await?;
    backend.clear_opts(state_core::ClearOptions::new("old:")).await?;

    let hashes = backend.as_hash().expect("it has hashes");
    let fields = vec![("a".into(), "1".into()), ("b\0".into(), "".into())];
    let lives = HashWriteOptions::new().with_expiry(Expiry::After(DAY));
    hashes.hash_set(&"hash".into(), fields, lives).await?;
    hashes.hash_set(&placed(), vec![("f".into(), "2".into())], HashWriteOptions::new()).await?;

    let leases = backend.as_lease().expect("it has leases");
    leases.acquire_lease(&"leader".into(), AcquireOptions::new(OWNER, HOUR)).await?;
    let fence = Fence::new("job", FenceToken::new(7));
    backend.put_opts(&"fenced".into(), "v".into(), PutOptions::new().with_fence(fence)).await?;
    operations(&backend).await?;
    store.open(other())?.put("plain", "of another").await?;
    Ok(())
}

/// Writes that have ids: those of [`fill`], and within five minutes those that changed nothing.
pub async fn operations(backend: &FileBackend) -> Result<(i64, Deleted, Vec<WriteOutcome>)> {
    let id = |byte| Some(OpId::from_bytes([byte; 16]));
    let put = PutOptions::new().with_op_id(id(1));
    backend.put_opts(&"once".into(), "v".into(), put).await?;
    let add = IncrementOptions::new().with_op_id(id(2));
    let sum = backend.increment_opts(&"n".into(), 5, add).await?.value;
    let delete = DeleteOptions::new().with_op_id(id(3)).with_return_value(true);
    let deleted = backend.delete_opts(&"gone".into(), delete).await?;
    let key = |name: &'static str| Key::in_partition("t", name);
    let together = Transaction::new()
        .op(WriteOp::put(key("t1"), "both"))
        .op(WriteOp::delete(key("t2")))
        .op(WriteOp::increment(key("t3"), -3))
        .with_op_id(id(4));
    let transact = backend.as_transact().expect("it has transactions");
    Ok((sum, deleted, transact.transact(together).await?))
}

/// All events that are retained.
pub async fn events(backend: &FileBackend, start: WatchStart) -> Result<Vec<WatchEvent>> {
    let options = WatchOptions::default().with_start(start).with_follow(false);
    let watch = backend.as_watch().expect("it can be followed");
    watch.watch(options).await?.try_collect().await
}

/// Looks at everything that [`fill`] wrote; the clock must not have moved.
pub async fn check(store: &FileStore) -> Result<()> {
    assert_eq!(store.namespaces()?, [Namespace::default(), other()]);
    let backend = store.open(Namespace::default())?;
    let entries: Vec<_> = backend.entries("").try_collect().await?;
    let entries: Vec<(Key, Bytes)> =
        entries.into_iter().map(|(key, entry)| (key, entry.value)).collect();
    let expected = [
        ("empty".into(), ""),
        ("fenced".into(), "v"),
        ("n".into(), "5"),
        ("once".into(), "v"),
        ("plain".into(), "value"),
        ("short".into(), "lived"),
        (placed(), "\0\u{ff}\n\r"),
        (Key::in_partition("t", "t1"), "both"),
        (Key::in_partition("t", "t3"), "-3"),
    ];
    let expected = expected.map(|(key, value): (Key, &str)| {
        // Each character is one byte.
        let bytes = value.chars().map(|each| u8::try_from(u32::from(each)).expect("one byte"));
        (key, bytes.collect::<Bytes>())
    });
    assert_eq!(entries, expected);
    let lasting = GetOptions::new().with_expiry(true);
    for (key, lives) in [("short", Some(DAY)), ("plain", None)] {
        let entry = backend.get_opts(&key.into(), lasting.clone()).await?.expect("it is there");
        assert_eq!(left(entry.expires), lives, "{key}");
    }

    let hashes = backend.as_hash().expect("it has hashes");
    let hash = async |key: Key| {
        let state = hashes.hash_state(&key, Consistency::Strong).await?;
        Ok::<_, state_core::Error>(state.map(|state| (state.fields, left(state.expires))))
    };
    assert_eq!(hash("hash".into()).await?, Some((2, Some(DAY))));
    assert_eq!(hash(placed()).await?, Some((1, None)));
    let fields = hashes.hash_page(&"hash".into(), state_core::HashPageOptions::new()).await?.items;
    assert_eq!(fields, [("a".into(), "1".into()), (Bytes::from("b\0"), Bytes::new())]);

    let leases = backend.as_lease().expect("it has leases");
    let held = leases.read_lease(&"leader".into()).await?.expect("it is held");
    // First tokens are the time.
    let token = FenceToken::new(1_780_000_000_000_000);
    assert_eq!((held.owner, held.token, held.remaining), (OWNER, token, HOUR));
    let again = leases.acquire_lease(&"leader".into(), AcquireOptions::new(OWNER, HOUR)).await?;
    assert!(matches!(again, Acquired::Granted(grant) if grant.token == held.token), "{again:?}");
    let stale = GetOptions::new().with_fence(Fence::new("job", FenceToken::new(6)));
    let refused = backend.get_opts(&"fenced".into(), stale).await.expect_err("it is stale");
    assert_eq!(refused.kind(), ErrorKind::Fenced);

    check_events(&backend).await?;
    let (sum, deleted, together) = operations(&backend).await?;
    assert_eq!(sum, 5);
    assert_eq!(deleted.previous.map(|entry| entry.value), Some("before".into()));
    assert!(
        matches!(&together[..], [
        WriteOutcome::Written(_),
        WriteOutcome::Deleted(Deleted { existed: false, .. }),
        WriteOutcome::Incremented(sum),
    ] if sum.value == -3),
        "{together:?}"
    );
    assert_eq!(events(&backend, WatchStart::Oldest).await?.len(), EVENTS.len());
    let other = store.open(other())?;
    assert_eq!(other.get("plain").await?.as_deref(), Some(b"of another".as_slice()));
    assert_eq!(other.count("").await?, 1);
    Ok(())
}

fn left(expires: Expires) -> Option<Duration> {
    match expires {
        Expires::Never => None,
        Expires::At { remaining, .. } => Some(remaining),
        other => panic!("{other:?}"),
    }
}

/// What [`fill`] did, as it is told.
const EVENTS: [(&str, &str); 16] = [
    ("put", "plain"),
    ("put", "{k}"),
    ("put", "empty"),
    ("put", "short"),
    ("touched", "short"),
    ("put", "gone"),
    ("put", "old:1"),
    ("cleared", "old:"),
    ("hash", "hash"),
    ("hash", "{k}"),
    ("put", "fenced"),
    ("put", "once"),
    ("put", "n"),
    ("deleted", "gone"),
    ("put", "t1"),
    ("put", "t3"),
];

async fn check_events(backend: &FileBackend) -> Result<()> {
    let all = events(backend, WatchStart::Oldest).await?;
    let told = |event: &WatchEvent| {
        let what = match &event.change {
            Change::Put { .. } => "put",
            Change::Touched { .. } => "touched",
            Change::Deleted { .. } => "deleted",
            Change::HashChanged { .. } => "hash",
            Change::Cleared { prefix, .. } => return ("cleared", prefix.clone()),
            other => panic!("{other:?}"),
        };
        (what, event.change.key().expect("it has one").name().clone())
    };
    let names: Vec<_> = all.iter().map(told).collect();
    let expected = EVENTS.map(|(what, name)| (what, Bytes::from(name)));
    assert_eq!(names, expected);
    for (index, event) in all.iter().enumerate() {
        let rest = events(backend, WatchStart::After(event.token.clone())).await?;
        assert_eq!(rest, all[index + 1..], "after event {index}");
        if let Change::Put { key, version, .. } = &event.change
            && let Some(entry) = backend.get_opts(key, GetOptions::new()).await?
        {
            assert_eq!(entry.version, *version, "{key:?}");
        }
    }
    Ok(())
}
