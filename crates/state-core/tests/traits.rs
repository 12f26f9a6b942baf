//! Pins what the traits must stay: object safe, thread safe, and free of name clashes.

use std::sync::Arc;

use state_core::{
    Bytes, Clock, Error, HashStore, Key, LeaseStore, ManualClock, Result, Spawn, StateBackend,
    StateBackendExt, SystemClock, Transact, UpdateAction, Watch,
};

static_assertions::assert_obj_safe!(
    StateBackend,
    HashStore,
    Transact,
    Watch,
    LeaseStore,
    Clock,
    Spawn
);
static_assertions::assert_impl_all!(dyn StateBackend: Send, Sync);
static_assertions::assert_impl_all!(Error: Send, Sync, std::error::Error);
static_assertions::assert_impl_all!(ManualClock: Clock, Clone);
static_assertions::assert_impl_all!(SystemClock: Clock, Copy);

/// Compiles only while no name occurs in both traits.
async fn both_traits_together(store: Arc<dyn StateBackend>) -> Result<()> {
    let by_reference: &dyn StateBackend = &*store;
    by_reference.put("k", "v").await?;
    store.get("k").await?;
    store.get_opts(&Key::from("k"), state_core::GetOptions::new()).await?;
    store.batch_get(["a", "b"]).await?;
    store.batch_put([("a", "1")]).await?;
    store.update("k", |seen| UpdateAction::put(seen.cloned().unwrap_or_default())).await?;
    store.list_keys("").await?;
    store.increment("n", 1).await?;
    store.put_field("h", "field", Bytes::new()).await?;
    store.clear().await?;
    Ok(())
}

#[test]
fn every_user_method_gives_a_future_that_can_change_threads() {
    fn is_send<F: Future + Send>(_: impl FnOnce(Arc<dyn StateBackend>) -> F) {}
    is_send(both_traits_together);
}

#[test]
fn keys_keep_their_parts_apart() {
    let keys = [
        Key::from("a"),
        Key::in_partition("a", ""),
        Key::in_partition("", "a"),
        Key::in_partition("a", "a"),
        Key::from("aa"),
    ];
    for (i, left) in keys.iter().enumerate() {
        for (j, right) in keys.iter().enumerate() {
            assert_eq!(left == right, i == j, "{left:?} and {right:?}");
            assert_eq!(left.to_string() == right.to_string(), i == j);
        }
    }
    assert!(Key::from("z") < Key::in_partition("a", "a"), "no partition comes before any");
}
