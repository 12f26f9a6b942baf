//! Those who follow threads learn when they expire.

use std::time::Duration;

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{Checkpointer, CheckpointerExt, ThreadEvent, ThreadLifetime};
use state_core::{BoxStream, Namespace};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{reference, turn};
use super::keys::end_in;
use crate::redis_stage::{PATIENCE, Stage};

type Events = BoxStream<'static, state_core::Result<ThreadEvent>>;

pub(super) fn is_told(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let store = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let gone = || ThreadEvent::Deleted("t".into());
        let put_event = |number| ThreadEvent::Put(reference("t", number));

        // Of a thread that is put after the watch began, to whoever follows all or this one.
        let mut all = store.watch_threads(None).await?;
        let mut one = store.watch_threads(Some("t".into())).await?;
        put(&store, 0, Duration::from_millis(1)).await?;
        for events in [&mut all, &mut one] {
            assert_eq!(next(events).await?, put_event(0));
            assert_eq!(next(events).await?, gone());
        }
        assert!(store.latest("t").await?.is_none());

        // A thread that was there before is told to who follows it. Where it has ended before the watch
        // began, there is nothing to tell.
        let mut life = Duration::from_millis(200);
        let mut late = loop {
            put(&store, 0, life).await?;
            let late = store.watch_threads(Some("t".into())).await?;
            if store.latest("t").await?.is_some() {
                break late;
            }
            life *= 2;
        };
        assert_eq!(next(&mut late).await?, gone());
        assert!(store.latest("t").await?.is_none());

        // An end that a read has put off is told when it has come, and not before.
        let mut events = store.watch_threads(Some("t".into())).await?;
        put(&store, 0, Duration::from_secs(1)).await?;
        assert_eq!(next(&mut events).await?, put_event(0));
        end_in(stage, "t", 2_000)?;
        assert_eq!(next(&mut events).await?, gone());
        assert!(store.latest("t").await?.is_none(), "it was told before its end");

        // A thread that is pinned, or deleted, has no end that could be told.
        put(&store, 0, Duration::from_millis(500)).await?;
        let pinned = turn("t", 1, &mut "[]".to_owned(), "stays");
        store.put_checkpoint(pinned.with_lifetime(ThreadLifetime::Pinned)).await?;
        assert!(store.delete_thread("t").await?);
        put(&store, 2, Duration::from_secs(3_600)).await?;
        let mut told = Vec::new();
        while told.last() != Some(&put_event(2)) {
            told.push(next(&mut events).await?);
        }
        assert_eq!(told, [put_event(0), put_event(1), gone(), put_event(2)]);
        Ok(())
    })
}

async fn put(
    store: &Checkpoints<RedisThreads>,
    number: usize,
    life: Duration,
) -> Result<(), Failed> {
    let put = turn("t", number, &mut "[]".to_owned(), "says this");
    store.put_checkpoint(put.with_lifetime(ThreadLifetime::After(life))).await?;
    Ok(())
}

async fn next(events: &mut Events) -> Result<ThreadEvent, Failed> {
    let told = tokio::time::timeout(PATIENCE, events.next()).await;
    Ok(told.map_err(|_| "nothing is told")?.ok_or("the watch has ended")??)
}
