//! The most writes of one call: what it costs the server, and what is refused before it is asked.

use std::io::Write;

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{Checkpointer, CheckpointerExt, PendingWrite, PutWrites};
use state_core::{ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, reference, turn};
use crate::proxy::Counts;
use crate::redis_stage::Stage;

/// Every command is in the slow log.
pub(super) const SETTINGS: &[(&str, &str)] = &[("slowlog-log-slower-than", "0")];

pub(super) fn bounded(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.patient()?).await?;
        let store = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        store.put_checkpoint(turn("t", 0, &mut "[]".to_owned(), "begin")).await?;
        let most = i32::try_from(store.limits().writes_max)?;
        assert!(most >= 12_000, "{most}");

        let before: Vec<Counts> = stage.counts();
        let over = store.put_writes(writes("over", most + 1)).await;
        let error = over.err().ok_or("more writes than one call takes were taken")?;
        let said = (error.kind(), error.outcome());
        assert_eq!(said, (ErrorKind::TooLarge, Outcome::NotApplied), "{error}");
        assert!(error.to_string().contains(&most.to_string()), "{error} names the limit");
        let sent = stage.counts().into_iter().zip(before).map(|(now, before)| now.since(&before));
        assert_eq!(sent.map(|sent| sent.round_trips).sum::<u64>(), 0);

        let one = (0..20).map(|number| format!("single {number}"));
        let mut single = u64::MAX;
        for task in one {
            single = single.min(held(stage, &store, &task, 1).await?);
        }
        let all = held(stage, &store, "all", most).await?;
        let again = held(stage, &store, "all", most).await?;
        let each = |us: u64| us * 100 / u64::try_from(most).unwrap_or(1) / single.max(1);
        writeln!(
            std::io::stdout(),
            "writes: {most} in one call hold the server for {} % of what as many calls would, for {} % when sent again",
            each(all),
            each(again)
        )?;
        assert!(each(all) < 100 && each(again) < 100, "{all} and {again} us beside {single} us for one");
        let found = store.at(&reference("t", 0)).await?.ok_or("it is there")?;
        assert_eq!(found.pending_writes.len(), 20 + store.limits().writes_max);
        Ok(())
    })
}

fn writes(task: &str, count: i32) -> PutWrites {
    let write =
        |index| PendingWrite::new(task, index, "c", payload("\"a value of a pending write\""));
    PutWrites::new(reference("t", 0), (0..count).map(write).collect())
}

/// How many microseconds the server needs for a call with so many writes.
async fn held(
    stage: &Stage,
    store: &Checkpoints<RedisThreads>,
    task: &str,
    count: i32,
) -> Result<u64, Failed> {
    stage.admin(&["SLOWLOG", "RESET"])?;
    store.put_writes(writes(task, count)).await?;
    let log = stage.admin(&["SLOWLOG", "GET", "100"])?;
    let scripts = log.items().iter().filter_map(|entry| {
        let command = entry.items().get(3)?.items().first()?.text();
        (command == "EVALSHA").then(|| entry.items().get(2)?.text().parse::<u64>().ok())?
    });
    Ok(scripts.max().ok_or("no script in the slow log")?)
}
