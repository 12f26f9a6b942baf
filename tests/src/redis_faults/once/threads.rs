//! Checkpoints and pending writes while connections are reset: a thread that was cut all the time is like one that never was.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, ListCheckpoints, Payload,
    PendingWrite, PutCheckpoint, PutWrites,
};
use state_core::{Namespace, Timestamp};
use state_redis::{RedisBackend, RedisStore, RedisThreads};

use super::{RESETS, RESETS_SOAK, Saboteur, soon};
use crate::redis_stage::{Stage, effort, works_again};
use crate::servers::Reply;

const CUT: &str = "cut";
/// As long, so that it takes as much.
const SPARED: &str = "odd";
const WRITES: i32 = 3;

pub(in crate::redis_faults) fn checkpoints(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(soon(stage)?).await?;
        let backend = store.open(Namespace::new("faults")?).await?;
        let threads = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let resets = effort(RESETS, RESETS_SOAK);
        // First, so that the server knows all scripts and what is cut has been applied.
        for number in 0..=resets {
            put(&threads, SPARED, number).await?;
            threads.put_writes(writes(SPARED, number)).await?;
        }
        put(&threads, CUT, 0).await?;
        threads.put_writes(writes(CUT, 0)).await?;
        let mut saboteur = Saboteur::new(stage, "checkpoints")?;
        for number in 1..=resets {
            one(&backend, &threads, &mut saboteur, number).await?;
        }
        let listed = threads.list(ListCheckpoints::of(CUT).with_limit(usize::MAX));
        assert_eq!(listed.count().await, resets + 1, "checkpoints of the thread");
        assert_eq!(sizes(stage, CUT)?, sizes(stage, SPARED)?, "what the thread takes");
        works_again(&backend).await
    })
}

async fn one(
    backend: &RedisBackend,
    threads: &Checkpoints<RedisThreads>,
    saboteur: &mut Saboteur<'_>,
    number: usize,
) -> Result<(), Failed> {
    saboteur.arm(backend).await?;
    put(threads, CUT, number).await?;
    saboteur.made().await?;
    saboteur.arm(backend).await?;
    threads.put_writes(writes(CUT, number)).await?;
    saboteur.made().await?;
    let found = threads.at(&CheckpointRef::new(CUT, id(number))).await?.ok_or("it is lost")?;
    assert_eq!(found.pending_writes.len(), usize::try_from(WRITES)?, "pending writes");
    Ok(())
}

fn id(number: usize) -> String {
    format!("{number:08}")
}

fn payload(number: usize) -> Payload {
    Payload::new("json", number.to_string())
}

async fn put(
    threads: &Checkpoints<RedisThreads>,
    thread: &str,
    number: usize,
) -> Result<(), Failed> {
    let time = Timestamp::from_unix_ms(1_780_000_000_000 + number as u64);
    let version = i64::try_from(number)?;
    let checkpoint = Checkpoint::new(id(number), time).with_channel("c", version);
    let put = PutCheckpoint::new(thread, checkpoint)
        .with_parent(number.checked_sub(1).map(|parent| id(parent).into()))
        .with_value("c", payload(number));
    threads.put_checkpoint(put).await?;
    Ok(())
}

fn writes(thread: &str, number: usize) -> PutWrites {
    let write = |index| PendingWrite::new("task", index, "c", payload(number));
    PutWrites::new(CheckpointRef::new(thread, id(number)), (0..WRITES).map(write).collect())
}

/// How much is in each key of a thread, by its name without that of the thread.
fn sizes(stage: &Stage, thread: &str) -> Result<BTreeMap<String, String>, Failed> {
    let keys = stage.admin(&["KEYS", &format!("*{thread}*")])?;
    let mut sizes = BTreeMap::new();
    for key in keys.items().iter().map(Reply::text) {
        let kind = stage.admin(&["TYPE", &key])?.text();
        let size = match kind.as_str() {
            "hash" => "HLEN",
            "zset" => "ZCARD",
            "set" => "SCARD",
            "list" => "LLEN",
            "stream" => "XLEN",
            _ => "STRLEN",
        };
        let size = format!("{kind} of {}", stage.admin(&[size, &key])?.text());
        sizes.insert(key.replace(thread, "THREAD"), size);
    }
    assert!(!sizes.is_empty(), "the thread has no keys");
    Ok(sizes)
}
