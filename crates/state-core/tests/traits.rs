//! Pins what the traits must stay: object safe, thread safe, and free of name clashes.

use std::collections::BTreeSet;
use std::sync::Arc;

use state_core::checkpoint::{Checkpointer, CheckpointerExt, ListCheckpoints, Retention};
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
static_assertions::assert_obj_safe!(Checkpointer);
static_assertions::assert_impl_all!(dyn StateBackend: Send, Sync);
static_assertions::assert_impl_all!(dyn Checkpointer: Send, Sync);
static_assertions::assert_impl_all!(Error: Send, Sync, std::error::Error);
static_assertions::assert_impl_all!(ManualClock: Clock, Clone);
static_assertions::assert_impl_all!(SystemClock: Clock, Copy);

/// The names of the methods that the trait `name` has in `source`.
fn methods<'a>(source: &'a str, name: &str) -> BTreeSet<&'a str> {
    let begins = |line: &&str| line.starts_with(&format!("pub trait {name}"));
    let body = source.lines().skip_while(|line| !begins(line)).take_while(|line| *line != "}");
    let name_of = |line: &'a str| {
        let line = line.strip_prefix("    ")?;
        let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        line.split(['(', '<']).next()
    };
    body.filter_map(name_of).collect()
}

#[test]
fn no_name_occurs_in_a_driver_trait_and_in_its_extension() {
    let driver = methods(include_str!("../src/backend.rs"), "StateBackend");
    let roles = [
        methods(include_str!("../src/hash.rs"), "HashStore"),
        methods(include_str!("../src/transact.rs"), "Transact"),
        methods(include_str!("../src/watch.rs"), "Watch"),
        methods(include_str!("../src/lease/store.rs"), "LeaseStore"),
    ];
    let extension = methods(include_str!("../src/ext.rs"), "StateBackendExt");
    // What is looked at is what is there.
    assert!(driver.contains("get_opts") && driver.contains("as_lease"), "{driver:?}");
    assert!(extension.contains("get") && extension.contains("restore"), "{extension:?}");
    assert!(driver.len() >= 20 && extension.len() >= 29, "{driver:?} and {extension:?}");
    for of in std::iter::once(&driver).chain(&roles) {
        assert!(!of.is_empty());
        assert_eq!(of.intersection(&extension).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    let driver = methods(include_str!("../src/checkpoint/checkpointer.rs"), "Checkpointer");
    let extension = methods(include_str!("../src/checkpoint/ext.rs"), "CheckpointerExt");
    assert!(driver.contains("put_checkpoint") && extension.contains("prune_thread"));
    assert!(driver.len() >= 13 && extension.len() >= 11, "{driver:?} and {extension:?}");
    assert_eq!(driver.intersection(&extension).collect::<Vec<_>>(), Vec::<&&str>::new());
}

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

async fn both_traits_of_checkpoints_together(store: Arc<dyn Checkpointer>) -> Result<()> {
    let by_reference: &dyn Checkpointer = &*store;
    let Some(last) = by_reference.latest("thread").await? else { return Ok(()) };
    store.at(&last.reference).await?;
    let _listed = store.list(ListCheckpoints::of("thread"));
    let _threads = store.threads();
    store.copy_thread("thread", "other").await?;
    store.fork(&last.reference, "branch").await?;
    store.diff(&last.reference, &last.reference).await?;
    store.prune_thread("thread", Retention::KeepLatest).await?;
    store.delete_thread("thread").await?;
    Ok(())
}

#[test]
fn every_user_method_gives_a_future_that_can_change_threads() {
    fn is_send<S, F: Future + Send>(_: impl FnOnce(S) -> F) {}
    is_send(both_traits_together);
    is_send(both_traits_of_checkpoints_together);
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
