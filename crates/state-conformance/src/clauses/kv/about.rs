//! What a backend says of itself: name, capabilities, health, statistics, errors.

use state_core::{
    Capability, ErrorKind, Key, Operation, Precondition, PutOptions, StateBackend, StateBackendExt,
};

use crate::Context;

pub(super) async fn info(cx: Context) {
    let other = cx.open("-other").await.unwrap();
    for store in [&cx.a, &cx.b] {
        let info = store.info();
        assert_eq!(&info.namespace, cx.namespace(), "the namespace");
        assert!(!info.scheme.is_empty(), "the kind of store is not named");
    }
    assert_ne!(&other.info().namespace, cx.namespace(), "another namespace has the same name");
    assert_eq!(other.info().scheme, cx.a.info().scheme, "one store of two kinds");
}

/// Which roles an instance hands out, beside the capability that stands for each.
fn roles(store: &dyn StateBackend) -> [(Capability, bool); 4] {
    [
        (Capability::Hash, store.as_hash().is_some()),
        (Capability::Transact, store.as_transact().is_some()),
        (Capability::Watch, store.as_watch().is_some()),
        (Capability::Lease, store.as_lease().is_some()),
    ]
}

pub(super) async fn capabilities_roles(cx: Context) {
    for store in [&*cx.a, &*cx.b] {
        for (capability, handed_out) in roles(store) {
            let declared = store.capabilities().has(capability);
            assert_eq!(handed_out, declared, "the role `{capability}`: handed out, declared");
        }
    }
}

pub(super) async fn capabilities_implied(cx: Context) {
    for (narrow, wide) in [
        (Capability::CrossPartition, Capability::Transact),
        (Capability::WatchLog, Capability::Watch),
    ] {
        assert!(!cx.has(narrow) || cx.has(wide), "`{narrow}` is declared without `{wide}`");
    }
}

pub(super) async fn capabilities_constant(cx: Context) {
    let before = cx.a.capabilities();
    assert_eq!(cx.b.capabilities(), before, "two instances of one namespace differ");
    cx.a.put("k", "v").await.unwrap();
    cx.a.clear().await.unwrap();
    assert_eq!(cx.a.capabilities(), before, "they have changed");
    let later = cx.open("").await.unwrap();
    assert_eq!(later.capabilities(), before, "an instance that was opened later differs");
}

pub(super) async fn health(cx: Context) {
    cx.a.ping().await.unwrap();
    let health = cx.b.health().await.unwrap();
    assert_eq!(health.status, state_core::HealthStatus::Healthy, "{}", health.detail);
}

/// Calls and errors of one operation.
async fn calls(store: &dyn StateBackend, operation: Operation) -> (u64, u64) {
    let line = store.stats().await.unwrap().of(operation);
    (line.calls, line.errors)
}

pub(super) async fn stats_calls(cx: Context) {
    let store = &*cx.a;
    store.put("k", "v").await.unwrap();
    store.put("k", "w").await.unwrap();
    assert!(store.put("", "v").await.is_err(), "an empty key was accepted");
    store.get("k").await.unwrap();
    store.delete("k").await.unwrap();
    store.increment("n", 1).await.unwrap();
    store.count("").await.unwrap();
    store.list_keys("").await.unwrap();
    store.batch_get(["k", "n"]).await.unwrap();
    store.batch_delete(["k", "n"]).await.unwrap();
    for (operation, expected) in [
        (Operation::Put, (3, 1)),
        (Operation::Get, (1, 0)),
        (Operation::Delete, (1, 0)),
        (Operation::Increment, (1, 0)),
        (Operation::Count, (1, 0)),
        (Operation::List, (1, 0)),
        (Operation::GetMany, (1, 0)),
        (Operation::WriteMany, (1, 0)),
        (Operation::Clear, (0, 0)),
    ] {
        let name = operation.name();
        assert_eq!(calls(store, operation).await, expected, "calls and errors of {name}");
    }
}

pub(super) async fn stats_hits(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    for key in ["k", "absent", "k", "k", "absent"] {
        cx.a.get(key).await.unwrap();
    }
    let line = cx.a.stats().await.unwrap().of(Operation::Get);
    assert_eq!((line.hits, line.misses), (3, 2), "hits and misses of get");
}

pub(super) async fn stats_bytes(cx: Context) {
    cx.a.put("key", "value!").await.unwrap();
    cx.a.get("key").await.unwrap();
    cx.a.get("absent").await.unwrap();
    let stats = cx.a.stats().await.unwrap();
    assert_eq!(stats.of(Operation::Put).bytes_in, 9, "bytes of key and value written");
    assert_eq!(stats.of(Operation::Get).bytes_out, 6, "bytes of the value read");
}

pub(super) async fn stats_instance(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    assert_eq!(calls(&*cx.a, Operation::Put).await, (1, 0), "of the instance that was called");
    assert_eq!(calls(&*cx.b, Operation::Put).await, (0, 0), "of an instance that was not called");
    let later = cx.open("").await.unwrap();
    assert_eq!(calls(&*later, Operation::Put).await, (0, 0), "of an instance opened later");
}

pub(super) async fn memory_entries(cx: Context) {
    let other = cx.open("-other").await.unwrap();
    other.put("k", "v").await.unwrap();
    for key in ["a", "b", "c", "a"] {
        cx.a.put(key, "v").await.unwrap();
    }
    cx.a.delete("c").await.unwrap();
    assert_eq!(cx.b.memory_usage().await.unwrap().entries, 2, "entries of the namespace");
    assert_eq!(other.memory_usage().await.unwrap().entries, 1, "entries of the other namespace");
}

/// Everything that an error shows, its sources included.
fn shown(error: &(dyn std::error::Error + 'static)) -> String {
    let below = error.source().map(shown).unwrap_or_default();
    format!("{error} {error:?} {below}")
}

pub(super) async fn error_no_value(cx: Context) {
    let stored = "Secret-Stored";
    let sent = "Secret-Sent";
    cx.a.put("k", stored).await.unwrap();
    let absent = PutOptions::new().with_precondition(Precondition::Absent);
    let over = cx.capabilities().limits.key_bytes_max + 1;
    let failures = [
        cx.a.increment("k", 1).await.map(drop),
        cx.a.put_opts(&Key::from("k"), sent.into(), absent).await.map(drop),
        cx.a.put("", sent).await.map(drop),
        cx.a.put("x".repeat(over), sent).await.map(drop),
    ];
    for failure in failures {
        let error = failure.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
        assert!(!shown(&error).contains("Secret"), "an error of kind `{}` shows it", error.kind());
    }
}
