//! Slots that move from one node of a cluster to another while they are in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Failed;
use state_core::{
    IncrementOptions, Key, OpId, StateBackend, StateBackendExt, Transaction, WriteOp,
};
use state_redis::RedisBackend;

use crate::redis_stage::{Stage, open, shared, until_so, works_again};
use crate::servers::{Reply, wait_until};

const PARTITIONS: [&str; 3] = ["p0", "p1", "p2"];
const TASKS: u8 = 8;
/// How often every slot is moved to the next node.
const TURNS: usize = 6;

fn key(partition: usize, name: &str) -> Key {
    let partition = PARTITIONS.get(partition % PARTITIONS.len()).copied().unwrap_or_default();
    Key::in_partition(partition, name.to_owned())
}

/// Moves the slot of a partition to the next primary, key by key, as tools for operators do.
fn move_slot(stage: &Stage, partition: &str) -> Result<(), Failed> {
    let primaries = stage.servers.primaries();
    let ask = |place: usize, words: &[&str]| -> Result<Reply, Failed> {
        Ok(stage.servers.admin(place, words)?.ok()?)
    };
    let first = *primaries.first().ok_or("no primary")?;
    let Reply::Integer(slot) = ask(first, &["CLUSTER", "KEYSLOT", partition])? else {
        return Err("no slot".into());
    };
    let slot = slot.to_string();
    let is_owner = |place: &usize| {
        // A key that is not there: only the owner says so.
        let probe = format!("{{{partition}}}probe");
        matches!(ask(*place, &["GET", &probe]), Ok(Reply::Nil))
    };
    let owner = primaries.iter().position(is_owner).ok_or("nobody owns the slot")?;
    let from = *primaries.get(owner).ok_or("no owner")?;
    let to = *primaries.get((owner + 1) % primaries.len()).ok_or("no other primary")?;
    let (from_id, to_id) =
        (ask(from, &["CLUSTER", "MYID"])?.text(), ask(to, &["CLUSTER", "MYID"])?.text());
    ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])?;
    ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])?;
    let address = stage.servers.node(to)?.direct_address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let announced = stage.servers.node(to)?.address().to_string();
    loop {
        let keys = ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "50"])?;
        let keys: Vec<String> = keys.items().iter().map(Reply::text).collect();
        if keys.is_empty() {
            break;
        }
        let mut words = vec!["MIGRATE", &host, &port, "", "0", "10000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        ask(from, &words)?;
    }
    for place in [to, from] {
        ask(place, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id])?;
    }
    // The next move of the slot begins when all nodes know of this one.
    let moved = |place: &usize| {
        let words = ["GET", &format!("{{{partition}}}probe")];
        match stage.servers.admin(*place, &words) {
            Ok(Reply::Nil) => *place == to,
            Ok(Reply::Error(text)) => {
                *place != to && text.starts_with("MOVED") && text.contains(&announced)
            }
            _ => false,
        }
    };
    wait_until("all nodes know where the slot is", || primaries.iter().all(moved).then_some(()))?;
    Ok(())
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

/// A script that needs a key that is not there yet waits for the slot to have moved; so more tries than usual.
async fn ready(stage: &Stage) -> Result<RedisBackend, Failed> {
    let mut config = stage.patient()?;
    config.retries = 100;
    open(config).await
}

pub(super) fn load(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = ready(stage).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..TASKS).map(|task| {
            let (store, stop) = (shared(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let worked = work(&*store, task, &stop).await;
                worked.map_err(|error| error.message().unwrap_or_default().to_owned())
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for turn in 0..TURNS {
            let sets = || stage.counts().iter().map(|counts| counts.count("SET")).sum::<u64>();
            let before = sets();
            until_so("the load goes on", || {
                sets() > before + 100 || tasks.iter().any(tokio::task::JoinHandle::is_finished)
            })
            .await?;
            for partition in PARTITIONS {
                move_slot(stage, partition).map_err(|error| {
                    format!("turn {turn}: {}", error.message().unwrap_or_default())
                })?;
            }
        }
        stop.store(true, Ordering::SeqCst);
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
