//! Threads and replicas: changes that wait for them, and reads that they serve.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, CopyOptions, DeleteThread, GetCheckpoint, ListCheckpoints,
    ListThreads, PendingWrite, PruneOptions, PutWrites, Retention,
};
use state_core::{Acks, Consistency, ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, put_turn, reference, turn};
use crate::redis_stage::{Stage, fails, until};
use crate::servers::Running;

type Store = Checkpoints<RedisThreads>;

async fn open(stage: &Stage) -> Result<Store, Failed> {
    let mut config = stage.config()?;
    config.acks_timeout_ms = 300;
    let store = RedisStore::connect_with(config).await?;
    Ok(store.checkpoints(Namespace::default(), CheckpointOptions::new())?)
}

/// Puts until both replicas have what was put: in the beginning they may have to catch up.
async fn both_have(store: &Store, thread: &str, number: usize) -> Result<(), Failed> {
    let put = || turn(thread, number, &mut "[]".to_owned(), "begin").with_acks(Acks::Replicas(2));
    until("both replicas have it", || async { store.put_checkpoint(put()).await.ok() }).await?;
    Ok(())
}

/// Which read has failed.
fn of(what: &str) -> impl FnOnce(state_core::Error) -> Failed {
    move |error| format!("{what}: {error}").into()
}

/// Thawed again, however the test ends.
struct Frozen<'a>(&'a Running, Vec<usize>);

impl<'a> Frozen<'a> {
    fn new(servers: &'a Running, places: &[usize]) -> Result<Self, Failed> {
        let frozen = Self(servers, places.to_vec());
        places.iter().try_for_each(|place| servers.freeze(*place))?;
        Ok(frozen)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        for place in &self.1 {
            drop(self.0.thaw(*place));
        }
    }
}

/// Every change waits for as many replicas as it asks for, and says where that fell short, and that it is made.
pub(super) fn acks(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage).await?;
        for thread in ["t", "gone", "pruned"] {
            both_have(&store, thread, 0).await?;
        }
        for number in 1..3 {
            put_turn(&store, "pruned", number, &mut "[]".to_owned(), "one more").await?;
        }
        let one = *stage.servers.replicas().first().ok_or("no replica")?;
        let frozen = Frozen::new(&stage.servers, &[one])?;
        let put =
            |number, acks| turn("t", number, &mut "[]".to_owned(), "says this").with_acks(acks);
        let writes = |index, acks| {
            let write = PendingWrite::new("task", index, "c", payload("1"));
            PutWrites::new(reference("t", 0), vec![write]).with_acks(acks)
        };
        let (reached, missed) = (Acks::Replicas(1), Acks::Replicas(2));
        assert!(!store.put_checkpoint(put(1, reached)).await?.existed);
        assert_eq!(store.put_writes(writes(0, reached)).await?.written, 1);

        let short = |answer: state_core::Result<()>| -> Result<(), Failed> {
            let error = fails(answer, ErrorKind::Unacknowledged, Outcome::Applied)?;
            let told = "acknowledged by 1 of the 2 replicas wanted";
            assert!(error.to_string().contains(told), "{error}");
            Ok(())
        };
        short(store.put_checkpoint(put(2, missed)).await.map(drop))?;
        let first = turn("made", 0, &mut "[]".to_owned(), "begin").with_acks(missed);
        short(store.put_checkpoint(first).await.map(drop))?;
        short(store.put_writes(writes(1, missed)).await.map(drop))?;
        let copy = CopyOptions::new().with_acks(missed);
        short(store.copy_thread_opts(&"t".into(), &"copy".into(), copy).await.map(drop))?;
        let last = PruneOptions::new(Retention::KeepLast(1)).with_acks(missed);
        short(store.prune(&["pruned".into()], last).await.map(drop))?;
        let delete = DeleteThread::new("gone").with_acks(missed);
        short(store.delete_thread_opts(delete).await.map(drop))?;

        // All of them were made, and are there once when they are sent again.
        let count = async |thread: &str| -> Result<usize, Failed> {
            Ok(open(stage).await?.list_checkpoints(ListCheckpoints::of(thread)).await?.items.len())
        };
        let threads = ["t", "made", "copy", "pruned", "gone"];
        let mut found = BTreeMap::new();
        for thread in threads {
            found.insert(thread, count(thread).await?);
        }
        let wanted = [("t", 3), ("made", 1), ("copy", 3), ("pruned", 1), ("gone", 0)];
        assert_eq!(found, BTreeMap::from(wanted));
        assert_eq!(store.at(&reference("t", 0)).await?.ok_or("no step")?.pending_writes.len(), 2);
        let listed = store.list_threads(ListThreads::new()).await?.items;
        let mut listed: Vec<&str> = listed.iter().map(|one| one.thread.as_str()).collect();
        listed.sort_unstable();
        assert_eq!(listed, ["copy", "made", "pruned", "t"]);
        drop(frozen);
        let again = || store.put_checkpoint(put(2, missed));
        let receipt = until("the replica goes on", || async { again().await.ok() }).await?;
        assert!(receipt.existed);
        Ok(())
    })
}

/// Reads that may be old are served by replicas, even while the primary is frozen; others are not.
pub(super) fn eventual(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage).await?;
        for number in 0..3 {
            put_turn(&store, "t", number, &mut "[]".to_owned(), "says this").await?;
            let write = PendingWrite::new("task", 0, "c", payload("1"));
            store.put_writes(PutWrites::new(reference("t", number), vec![write])).await?;
        }
        both_have(&store, "t", 3).await?;
        let primary = *stage.servers.primaries().first().ok_or("no primary")?;
        let wanted = store.latest("t").await?.ok_or("it is there")?;
        // Connections to the replicas are made before the primary is silent.
        let warm = open(stage).await?;
        let loose = Consistency::Eventual;
        let latest = GetCheckpoint::latest("t").with_consistency(loose);
        warm.get_checkpoint(latest.clone()).await?;
        let scripts = || -> Vec<u64> {
            stage.counts().iter().map(|counts| counts.count("EVALSHA")).collect()
        };
        let before = scripts();
        {
            let _frozen = Frozen::new(&stage.servers, &[primary])?;
            let found = warm.get_checkpoint(latest.clone()).await.map_err(of("the latest"))?;
            assert_eq!(found.as_ref(), Some(&wanted));
            let by_id = GetCheckpoint::at("t", reference("t", 1).id).with_consistency(loose);
            assert!(warm.get_checkpoint(by_id).await.map_err(of("one by its id"))?.is_some());
            let threads = ListThreads::new().with_consistency(loose);
            let threads = warm.list_threads(threads).await.map_err(of("the threads"))?;
            assert_eq!(threads.items.len(), 1);
        }
        let served = |after: Vec<u64>| -> (u64, u64) {
            let asked = after.iter().zip(&before).enumerate();
            asked.fold((0, 0), |(own, others), (place, (now, before))| {
                let more = now - before;
                if place == primary { (own + more, others) } else { (own, others + more) }
            })
        };
        let (own, others) = served(scripts());
        assert!(own == 0 && others >= 3, "{own} of the primary, {others} of replicas");
        // One that begins the lifetime anew is a write, and a strong one asks the primary.
        warm.get_checkpoint(latest.with_refresh(true)).await?;
        warm.latest("t").await?;
        let (now_own, now_others) = served(scripts());
        assert_eq!((now_own, now_others), (2, others));
        Ok(())
    })
}
