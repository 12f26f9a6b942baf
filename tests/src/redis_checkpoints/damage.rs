//! A thread that lost one of its keys is damaged, never shorter; deleted, it leaves nothing.

use libtest_mimic::Failed;
use state_checkpoint::CheckpointOptions;
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, ListCheckpoints, PendingWrite, PutWrites,
};
use state_core::{ErrorKind, Namespace};
use state_redis::RedisStore;

use super::conversation::{payload, put_turn, reference, turn};
use crate::redis_stage::Stage;

pub(super) fn lost_keys(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let open = || {
            store.checkpoints(Namespace::default(), CheckpointOptions::new()).map_err(Failed::from)
        };
        for part in ["history", "order", "writes"] {
            let checkpoints = open()?;
            let mut list = "[]".to_owned();
            for number in 0..3 {
                put_turn(&checkpoints, "t", number, &mut list, &"long enough ".repeat(20)).await?;
            }
            let write = PendingWrite::new("task", 0, "c", payload("1"));
            checkpoints.put_writes(PutWrites::new(reference("t", 2), vec![write])).await?;
            let key = stage.admin(&["KEYS", &format!("state:*:t:{{t}}{part}")])?;
            let [key] = key.items() else { return Err("not one key".into()) };
            stage.admin(&["UNLINK", &key.text()])?;
            let corrupt = |kind: Option<ErrorKind>, call: &str| {
                assert_eq!(kind, Some(ErrorKind::Corrupt), "{call} without {part}");
            };
            for store in [&checkpoints, &open()?] {
                let kind = |error: state_core::Error| error.kind();
                corrupt(store.latest("t").await.err().map(kind), "latest");
                corrupt(store.at(&reference("t", 0)).await.err().map(kind), "at");
                let listed = store.list_checkpoints(ListCheckpoints::of("t")).await;
                corrupt(listed.err().map(kind), "a listing");
                let put = store.put_checkpoint(turn("t", 3, &mut list.clone(), "more")).await;
                corrupt(put.err().map(kind), "a put");
            }
            assert!(checkpoints.delete_thread("t").await?, "what is damaged can be deleted");
            assert!(checkpoints.latest("t").await?.is_none());
            let left = stage.admin(&["KEYS", "*"])?;
            let left: Vec<String> = left.items().iter().map(crate::servers::Reply::text).collect();
            assert!(left.is_empty(), "left without {part}: {left:?}");
        }
        Ok(())
    })
}
