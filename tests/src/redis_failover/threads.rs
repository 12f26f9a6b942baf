//! Threads of checkpoints whose slots move while they are copied, and whose primary is replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Failed;
use state_checkpoint::CheckpointOptions;
use state_core::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerExt, ListCheckpoints, Payload, PutCheckpoint,
};
use state_core::{Acks, Namespace, Timestamp};
use state_redis::RedisStore;

use super::moves::move_slot;
use crate::chat::text;
use crate::redis_stage::{Stage, until, until_so};

/// So much that a copy reads the content in many steps.
const CONTENT_BYTES: usize = 8 << 20;
const COPIES: usize = 6;
/// Calls of scripts from one move to the next; a copy takes more.
const SCRIPTS: u64 = 9;

/// The source moves on and on; every copy holds what it holds.
pub(super) fn copies(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.patient()?).await?;
        let store = Arc::new(store.checkpoints(Namespace::default(), CheckpointOptions::new())?);
        let content = text(1, CONTENT_BYTES);
        let checkpoint = Checkpoint::new("1", Timestamp::from_unix_ms(1_780_000_000_000))
            .with_channel("messages", 1);
        let put = PutCheckpoint::new("t", checkpoint)
            .with_value("messages", Payload::new("text", content.clone()));
        store.put_checkpoint(put).await?;
        let done = Arc::new(AtomicBool::new(false));
        let copier = tokio::spawn({
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            async move {
                let mut copied = Ok(0);
                for number in 0..COPIES {
                    copied = store.copy_thread("t", format!("copy {number}")).await;
                    if copied.is_err() {
                        break;
                    }
                }
                done.store(true, Ordering::SeqCst);
                copied
            }
        });
        let scripts = || stage.counts().iter().map(|counts| counts.count("EVALSHA")).sum::<u64>();
        let mut moves = 0;
        while !done.load(Ordering::SeqCst) {
            move_slot(stage, "t", 1)?;
            moves += 1;
            // A copy that is moved at every step begins anew at every step.
            let before = scripts();
            let over = || scripts() >= before + SCRIPTS || done.load(Ordering::SeqCst);
            until_so("the copies go on", over).await?;
        }
        copier.await??;
        assert!(moves > COPIES, "{COPIES} copies in {moves} moves");
        for number in 0..COPIES {
            let copy = format!("copy {number}");
            let found = store.latest(copy.as_str()).await?.ok_or("no copy")?;
            let value = found.value("messages").ok_or("a copy without its value")?;
            assert!(value.bytes() == content.as_bytes(), "{copy} holds something else");
        }
        Ok(())
    })
}

/// Steps before another server takes over, and after.
const STEPS: usize = 15;

/// What both replicas have acknowledged is there when one of them has taken over, and the instance goes on with it.
pub(super) fn acknowledged(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let open = || store.checkpoints(Namespace::default(), CheckpointOptions::new());
        let checkpoints = open()?;
        let step = |number: usize| {
            let id = format!("{number:03}");
            let time = Timestamp::from_unix_ms(1_780_000_000_000);
            let version = i64::try_from(number).unwrap_or_default();
            let checkpoint = Checkpoint::new(id, time).with_channel("messages", version);
            PutCheckpoint::new("t", checkpoint)
                .with_parent(number.checked_sub(1).map(|parent| format!("{parent:03}").into()))
                .with_value("messages", Payload::new("text", text(1, 100 * (number + 1))))
                .with_acks(Acks::Replicas(2))
        };
        // Every put is sent until it is acknowledged, whatever happens to the servers.
        let put = async |number: usize| {
            until("the put is acknowledged", || async {
                checkpoints.put_checkpoint(step(number)).await.ok()
            })
            .await
        };
        for number in 0..STEPS {
            put(number).await?;
        }
        stage.fail_over().await?;
        for number in STEPS..2 * STEPS {
            put(number).await?;
        }
        stage.servers.wait_until_settled()?;
        for reader in [&checkpoints, &open()?] {
            let all = ListCheckpoints::of("t").with_limit(4 * STEPS);
            let found = reader.list_checkpoints(all).await?.items;
            assert_eq!(found.len(), 2 * STEPS);
            for (number, tuple) in found.iter().rev().enumerate() {
                assert_eq!(tuple.checkpoint.id.as_str(), format!("{number:03}"));
                let value = tuple.value("messages").ok_or("a step without its value")?;
                assert_eq!(value.bytes(), text(1, 100 * (number + 1)).as_bytes());
            }
            assert_eq!(reader.latest("t").await?.as_ref(), found.first());
        }
        Ok(())
    })
}
