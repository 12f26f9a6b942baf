//! Puts, deletes and takes with an operation id while connections are reset, counted in the log of the namespace: what
//! happened twice is there twice.

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_core::{
    Change, DeleteOptions, Error, Key, Namespace, PutOptions, StateBackend, StateBackendExt,
    WatchOptions, WatchStart,
};
use state_redis::{NamespaceOptions, RedisBackend, RedisStore, WatchHistory};

use super::{RESETS, RESETS_SOAK, Saboteur, id, soon};
use crate::redis_stage::{Stage, effort, works_again};

/// More than are ever written.
const EVENTS_MAX: u32 = 100_000;

#[derive(Debug, Default, Eq, PartialEq)]
struct Told {
    puts: usize,
    removals: usize,
}

pub(in crate::redis_faults) fn puts_and_removals(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(soon(stage)?).await?;
        let options = NamespaceOptions::new()
            .with_watch(WatchHistory::Log { events_max: EVENTS_MAX })
            .with_buckets(1);
        let store = store.open_with(Namespace::new("once")?, options).await?;
        works_again(&store).await?;
        // The server knows all scripts, so that what is cut has been applied.
        put(&store, 0).await?;
        store.delete_opts(&Key::from("k"), DeleteOptions::new().with_op_id(id(0, 4))).await?;
        let mut saboteur = Saboteur::new(stage, "puts_and_removals")?;
        let before = told(&store).await?;
        let resets = effort(RESETS, RESETS_SOAK);
        for number in 1..=resets {
            saboteur.arm(&store).await?;
            put(&store, number).await?;
            saboteur.made().await?;
            removed(&store, &mut saboteur, number).await?;
            store.put("k", number.to_string()).await?;
            taken(&store, &mut saboteur, number).await?;
        }
        let after = told(&store).await?;
        let more =
            Told { puts: after.puts - before.puts, removals: after.removals - before.removals };
        assert_eq!(more, Told { puts: 2 * resets, removals: 2 * resets }, "of {resets} rounds");
        works_again(&store).await
    })
}

async fn put(store: &RedisBackend, number: usize) -> Result<(), Failed> {
    let options = PutOptions::new().with_op_id(id(number, 3));
    let written = store.put_opts(&Key::from("k"), number.to_string().into(), options).await?;
    let found = store.get_entry("k").await?.ok_or("nothing is there")?;
    assert_eq!((found.version, found.value), (written.version, number.to_string().into()));
    Ok(())
}

async fn removed(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    number: usize,
) -> Result<(), Failed> {
    saboteur.arm(store).await?;
    let options = DeleteOptions::new().with_op_id(id(number, 4));
    let deleted = store.delete_opts(&Key::from("k"), options).await?;
    saboteur.made().await?;
    assert!(deleted.existed, "a delete that was sent again denies the first: {deleted:?}");
    assert_eq!(store.get("k").await?, None);
    Ok(())
}

async fn taken(
    store: &RedisBackend,
    saboteur: &mut Saboteur<'_>,
    number: usize,
) -> Result<(), Failed> {
    saboteur.arm(store).await?;
    let options = DeleteOptions::new().with_return_value(true).with_op_id(id(number, 5));
    let taken = store.delete_opts(&Key::from("k"), options).await?;
    saboteur.made().await?;
    let value = taken.previous.map(|entry| entry.value);
    assert_eq!(value, Some(number.to_string().into()), "what was taken is lost");
    assert_eq!(store.get("k").await?, None);
    Ok(())
}

/// What the log tells of the key from its beginning on.
async fn told(store: &RedisBackend) -> Result<Told, Failed> {
    let watch = store.as_watch().ok_or_else(|| Error::unsupported("watches"))?;
    let options = WatchOptions::new("k").with_start(WatchStart::Oldest).with_follow(false);
    let mut events = watch.watch(options).await?;
    let mut told = Told::default();
    while let Some(event) = events.next().await {
        match event?.change {
            Change::Put { .. } => told.puts += 1,
            Change::Deleted { .. } => told.removals += 1,
            other => return Err(format!("{other:?} was told").into()),
        }
    }
    Ok(told)
}
