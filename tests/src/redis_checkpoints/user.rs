//! The ACL user of the guide is enough for every call of a checkpointer.

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_checkpoint::CheckpointOptions;
use state_core::Namespace;
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, ListCheckpoints, ListThreads, PendingWrite, PruneOptions,
    PutWrites, Retention, ThreadEvent,
};
use state_redis::{RedisConfig, RedisStore};

use super::conversation::{payload, put_turn, reference, turn};
use crate::redis_stage::Stage;

const GUIDE: &str = include_str!("../../../docs/guides/operating-redis.md");

pub(super) fn is_enough(stage: &Stage) -> Result<(), Failed> {
    let line = |start: &str| GUIDE.lines().find(|line| line.starts_with(start));
    let user = line("user state on >PASSWORD ").ok_or("the guide has no user")?;
    let more = line("+hsetnx ").ok_or("the guide has no rules for checkpoints")?;
    let user = user.strip_prefix("user ").unwrap_or(user).replace("PASSWORD", "secret");
    let mut words = vec!["ACL", "SETUSER"];
    words.extend(user.split(' ').chain(more.split(' ')));
    stage.admin(&words)?;
    stage.run(async {
        let url = stage.servers.url().replace("redis://", "redis://state:secret@");
        let store = RedisStore::connect_with(RedisConfig::from_url(&url)?).await?;
        let checkpoints = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let mut events = checkpoints.watch_threads(None).await?;
        let mut list = "[]".to_owned();
        for number in 0..100 {
            let mut put = turn("t", number, &mut list, &"some words ".repeat(10));
            put.metadata = put.metadata.with("run_id", format!("run {}", number / 50));
            checkpoints.put_checkpoint(put).await?;
        }
        let told = events.next().await.ok_or("nothing is told")??;
        assert_eq!(told, ThreadEvent::Put(reference("t", 0)));
        let write = |index| PendingWrite::new("task", index, "c", payload("1"));
        for _ in 0..2 {
            let writes = vec![write(0), write(-1)];
            checkpoints.put_writes(PutWrites::new(reference("t", 99), writes)).await?;
        }
        let cold = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let found = cold.latest("t").await?.ok_or("it is there")?;
        assert_eq!(found.pending_writes.len(), 2);
        assert_eq!(cold.list_checkpoints(ListCheckpoints::of("t")).await?.items.len(), 100);
        assert_eq!(cold.copy_thread("t", "copy").await?, 100);
        assert_eq!(cold.delete_for_runs(&["run 0".to_owned()]).await?, 100);
        let options = PruneOptions::new(Retention::KeepLast(2));
        cold.prune(&["t".into()], options).await?;
        put_turn(&cold, "t", 100, &mut list, "one more").await?;
        assert_eq!(cold.list_threads(ListThreads::new()).await?.items.len(), 2);
        assert!(cold.delete_thread("t").await?);
        assert!(cold.delete_thread("copy").await?);
        // This is sent where an index has grown, and nobody waits for it.
        let picked = ["ACL", "DRYRUN", "state", "ZRANDMEMBER", "state:default:i:{x}", "1"];
        assert_eq!(stage.admin(&picked)?.text(), "OK");
        let left = stage.admin(&["KEYS", "*"])?;
        assert!(left.items().is_empty(), "{left:?}");
        Ok(())
    })
}
