//! A server that is killed and started again has every step of every thread.

use std::time::Duration;

use libtest_mimic::Failed;
use state_checkpoint::CheckpointOptions;
use state_core::Namespace;
use state_core::checkpoint::{
    CheckpointTuple, Checkpointer, CheckpointerExt, ListCheckpoints, PendingWrite, PutWrites,
    Retention, ThreadLifetime,
};
use state_redis::RedisStore;

use super::conversation::{id, payload, put_turn, reference, turn};
use super::keys::{digest, ends};
use crate::chat::text;
use crate::redis_stage::{Stage, until};

const STEPS: usize = 40;

pub(super) fn every_step(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let open = || store.checkpoints(Namespace::default(), CheckpointOptions::new());
        let checkpoints = open()?;
        let mut list = "[]".to_owned();
        for number in 0..STEPS {
            // So much that segments are compressed.
            put_turn(&checkpoints, "t", number, &mut list, &text(number as u64, 400)).await?;
            let write = |index| PendingWrite::new("task", index, "c", payload("\"beside\""));
            let writes = PutWrites::new(reference("t", number), vec![write(0), write(-1)]);
            checkpoints.put_writes(writes).await?;
        }
        checkpoints.copy_thread("t", "pruned").await?;
        checkpoints.prune_thread("pruned", Retention::KeepLast(5)).await?;
        checkpoints.fork(&reference("t", 9), "fork").await?;
        let ending = turn("ends", 0, &mut "[]".to_owned(), "begin");
        let life = ThreadLifetime::After(Duration::from_secs(3_600));
        checkpoints.put_checkpoint(ending.with_lifetime(life)).await?;
        let read = async |thread: &'static str| -> Result<Vec<CheckpointTuple>, Failed> {
            let all = ListCheckpoints::of(thread).with_limit(STEPS);
            Ok(open()?.list_checkpoints(all).await?.items)
        };
        let threads = [("t", STEPS), ("pruned", 5), ("fork", 10), ("ends", 1)];
        let mut before = Vec::new();
        for (thread, steps) in threads {
            let found = read(thread).await?;
            assert_eq!(found.len(), steps, "{thread}");
            before.push(found);
        }
        let (held, end) = (digest(stage)?, ends(stage, "ends")?);

        stage.servers.kill(0)?;
        stage.servers.restart(0)?;
        let same =
            until("the instance reads again", || async { checkpoints.latest("t").await.ok() });
        assert_eq!(same.await?.as_ref(), before.first().and_then(|found| found.first()));
        assert_eq!((digest(stage)?, ends(stage, "ends")?), (held, end));
        for ((thread, _), before) in threads.into_iter().zip(before) {
            for tuple in &before {
                let place = &tuple.reference;
                assert_eq!(open()?.at(place).await?.as_ref(), Some(tuple), "{place:?}");
                assert_eq!(checkpoints.at(place).await?.as_ref(), Some(tuple), "{place:?}");
            }
            assert_eq!(read(thread).await?, before);
        }
        // It goes on, where the instance that put before the restart knows the parent.
        put_turn(&checkpoints, "t", STEPS, &mut list, "after the restart").await?;
        let latest = open()?.latest("t").await?.ok_or("it is there")?;
        assert_eq!(latest.checkpoint.id.as_str(), id(STEPS));
        let value = latest.value("messages").ok_or("a value is missing")?;
        assert_eq!(value.bytes(), list.as_bytes());
        Ok(())
    })
}
