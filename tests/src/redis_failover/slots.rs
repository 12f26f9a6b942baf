//! Slots that move from one node of a cluster to another while they are in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Failed;
use state_core::{
    IncrementOptions, Key, OpId, StateBackend, StateBackendExt, Transaction, WriteOp,
};

use super::moves::move_slot;
use crate::redis_stage::{Stage, open, shared, until_so, works_again};

const PARTITIONS: [&str; 3] = ["p0", "p1", "p2"];
const TASKS: u8 = 8;
/// How often every slot is moved to the next node, at least.
const TURNS: usize = 6;
/// And at most, until a script has met a slot of which only a part had moved.
const TURNS_MAX: usize = 60;

fn key(partition: usize, name: &str) -> Key {
    let partition = PARTITIONS.get(partition % PARTITIONS.len()).copied().unwrap_or_default();
    Key::in_partition(partition, name.to_owned())
}

/// Calls of all kinds; each of them must succeed.
async fn work(store: &dyn StateBackend, task: u8, stop: &AtomicBool) -> Result<i64, Failed> {
    let partition = usize::from(task);
    let mut rounds = 0_i64;
    while !stop.load(Ordering::SeqCst) {
        rounds += 1;
        let own = key(partition, &format!("own:{task}:{}", rounds % 20));
        store.put(own.clone(), rounds.to_string()).await?;
        let entry = store.get_entry(own.clone()).await?.ok_or("what was written is not there")?;
        assert_eq!(entry.value, rounds.to_string());
        store.compare_and_set(own, entry.version, "set").await?;
        let mut id = [task; 16];
        for (place, byte) in id.iter_mut().zip(rounds.to_be_bytes()) {
            *place = byte;
        }
        let options = IncrementOptions::new().with_op_id(OpId::from_bytes(id));
        let counter = key(partition, &format!("counter:{task}"));
        assert_eq!(store.increment_opts(&counter, 1, options).await?.value, rounds);
        let transaction = Transaction::new()
            .op(WriteOp::put(key(partition, &format!("a:{task}")), "1"))
            .op(WriteOp::put(key(partition, &format!("b:{task}:{}", rounds % 7)), "2"));
        store.as_transact().ok_or("no transactions")?.transact(transaction).await?;
        let many = (0..6).map(|place| key(place, &format!("many:{task}:{place}")));
        store.batch_put(many.clone().map(|key| (key, "m"))).await?;
        assert!(store.batch_get(many).await?.iter().all(Option::is_some), "a batch");
    }
    Ok(rounds)
}

/// How often a node has said that some keys of a call have moved and others have not.
fn met(stage: &Stage) -> Result<u64, Failed> {
    let mut total = 0;
    for place in 0..stage.servers.nodes().len() {
        let info = stage.servers.admin(place, &["INFO", "errorstats"])?.ok()?;
        let count = info.info("errorstat_TRYAGAIN");
        total += count.and_then(|count| count.strip_prefix("count=")?.parse().ok()).unwrap_or(0);
    }
    Ok(total)
}

pub(super) fn load(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..TASKS).map(|task| {
            let (store, stop) = (shared(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let worked = work(&*store, task, &stop).await;
                worked.map_err(|error| error.message().unwrap_or_default().to_owned())
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let before = met(stage)?;
        for turn in 0..TURNS_MAX {
            if turn >= TURNS && met(stage)? > before {
                break;
            }
            let sets = || stage.counts().iter().map(|counts| counts.count("SET")).sum::<u64>();
            let before = sets();
            until_so("the load goes on", || {
                sets() > before + 100 || tasks.iter().any(tokio::task::JoinHandle::is_finished)
            })
            .await?;
            for partition in PARTITIONS {
                move_slot(stage, partition, 1).map_err(|error| {
                    format!("turn {turn}: {}", error.message().unwrap_or_default())
                })?;
            }
        }
        stop.store(true, Ordering::SeqCst);
        assert!(met(stage)? > before, "no call has met a slot on its way: nothing was tried");
        let mut rounds = Vec::new();
        for task in tasks {
            rounds.push(task.await??);
        }
        for (task, rounds) in rounds.into_iter().enumerate() {
            let counter = key(task, &format!("counter:{task}"));
            assert_eq!(store.increment(counter, 0).await?, rounds, "a counter");
        }
        works_again(&store).await
    })
}
