//! Many callers at once, callers that give up, and runtimes that end.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{Clock, StateBackendExt, SystemClock};

use crate::redis_stage::{Chance, Stage, open, runtime, shared, until_so, works_again};

const TASKS: usize = 1_000;
const LARGE: usize = 16 << 20;

/// Two stores with 1,000 tasks between them, while values of 16 MiB go to and fro.
pub(super) fn thousand(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let stores = [open(stage.patient()?).await?, open(stage.patient()?).await?];
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let [one, other] = &stores;
            let (mine, theirs) = if task % 2 == 0 { (one, other) } else { (other, one) };
            let (mine, theirs) = (shared(mine), shared(theirs));
            tasks.push(tokio::spawn(async move {
                let key = format!("own:{task}");
                for round in 0..3 {
                    let value = format!("{task}:{round}");
                    mine.put(key.clone(), value.clone()).await?;
                    let found = theirs.get(key.clone()).await?;
                    assert_eq!(found.as_deref(), Some(value.as_bytes()), "of another caller");
                    mine.increment("together", 1).await?;
                }
                Ok::<_, state_core::Error>(())
            }));
        }
        for (place, store) in stores.iter().enumerate() {
            let store = shared(store);
            tasks.push(tokio::spawn(async move {
                let byte = if place == 0 { b'a' } else { b'b' };
                let key = format!("large:{place}");
                for _ in 0..2 {
                    store.put(key.clone(), vec![byte; LARGE]).await?;
                    let found = store.get(key.clone()).await?.unwrap_or_default();
                    let same = found.len() == LARGE && found.iter().all(|found| *found == byte);
                    assert!(same, "{} bytes came back", found.len());
                }
                Ok(())
            }));
        }
        for task in tasks {
            task.await??;
        }
        let [one, _] = &stores;
        assert_eq!(one.increment("together", 0).await?, 3 * i64::try_from(TASKS)?);
        Ok(())
    })
}

/// Calls that are dropped at any moment: what others are told is theirs, and connections are as many as before.
pub(super) fn dropped(stage: &Stage) -> Result<(), Failed> {
    let mut chance = Chance::new("dropped")?;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        for task in 0..50 {
            store.put(format!("own:{task}"), format!("value of {task}")).await?;
        }
        let before: usize = stage.proxies().map(crate::proxy::Proxy::connections_open).sum();
        let mut tasks = Vec::new();
        for task in 0..50 {
            let (store, mut chance) = (shared(&store), chance.fork());
            tasks.push(tokio::spawn(async move {
                let (key, value) = (format!("own:{task}"), format!("value of {task}"));
                let (mut given_up, mut answered) = (0_u32, 0_u32);
                for _ in 0..200 {
                    let patience = Duration::from_micros(chance.below(3_000));
                    match within(patience, store.get(key.clone())).await {
                        None => given_up += 1,
                        Some(found) => {
                            answered += 1;
                            assert_eq!(found?.as_deref(), Some(value.as_bytes()), "another's");
                        }
                    }
                    let keys = [key.clone(), "absent".to_owned()];
                    if let Some(found) = within(patience, store.batch_get(keys)).await {
                        let found = found?;
                        let found = found.first().cloned().flatten();
                        assert_eq!(found.as_deref(), Some(value.as_bytes()), "another's");
                    }
                    if let Some(written) =
                        within(patience, store.put(key.clone(), value.clone())).await
                    {
                        written?;
                    }
                }
                Ok::<_, state_core::Error>((given_up, answered))
            }));
        }
        let (mut given_up, mut answered) = (0, 0);
        for task in tasks {
            let (more_given_up, more_answered) = task.await??;
            given_up += more_given_up;
            answered += more_answered;
        }
        assert!(given_up > 100 && answered > 100, "{given_up} given up, {answered} answered");
        until_so("no more connections than before", || {
            stage.proxies().map(crate::proxy::Proxy::connections_open).sum::<usize>() <= before + 1
        })
        .await?;
        works_again(&store).await
    })
}

/// The answer, if it comes in time; the call is dropped otherwise.
async fn within<T>(patience: Duration, call: impl Future<Output = T>) -> Option<T> {
    let clock = SystemClock::new();
    let call = std::pin::pin!(call);
    match futures_util::future::select(call, clock.sleep(patience)).await {
        futures_util::future::Either::Left((answer, _)) => Some(answer),
        futures_util::future::Either::Right(_) => None,
    }
}

/// A store that was connected and used on a runtime that has ended works on another, and never hangs.
pub(super) fn second_runtime(stage: &Stage) -> Result<(), Failed> {
    let first = runtime(1)?;
    let store = first.block_on(async {
        let store = open(stage.patient()?).await?;
        store.put("k", "first").await?;
        Ok::<_, Failed>(store)
    })?;
    // A call in flight when its runtime ends.
    let other = shared(&store);
    first.spawn(async move { other.batch_get((0..500).map(|number| format!("k{number}"))).await });
    drop(first);
    stage.run(async {
        assert_eq!(store.get("k").await?.as_deref(), Some(b"first".as_slice()));
        works_again(&store).await
    })?;
    let third = runtime(1)?;
    third.block_on(async { works_again(&store).await })
}
