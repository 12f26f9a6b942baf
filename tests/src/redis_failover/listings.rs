//! Listings, counts, snapshots and clears of a cluster whose slots move meanwhile, forwards and backwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_core::{
    ClearOptions, ErrorKind, Fence, FenceToken, Key, ListOptions, PutOptions, SnapshotOptions,
    SnapshotRecord, StateBackend, StateBackendExt,
};
use tokio::sync::RwLock;

use super::moves::{Moving, move_slot, owner};
use crate::redis_stage::{Stage, open, shared, until_so};
use crate::servers::Reply;

/// Keys of each partition.
pub(super) const KEYS: usize = 100;
/// Every partition has its slot moved that often, one way and the other.
const TURNS: usize = 8;

fn all(partitions: &[String]) -> BTreeSet<Key> {
    let of = |partition: &String| {
        let partition = partition.clone();
        (0..KEYS).map(move |number| Key::in_partition(partition.clone(), format!("key:{number}")))
    };
    partitions.iter().flat_map(of).collect()
}

/// A partition on each primary.
pub(super) fn partitions(stage: &Stage) -> Result<Vec<String>, Failed> {
    let mut found = BTreeMap::new();
    for number in 0..1_000 {
        let name = format!("p{number}");
        found.entry(owner(stage, &name)?).or_insert(name);
        if found.len() == stage.servers.primaries().len() {
            return Ok(found.into_values().collect());
        }
    }
    Err("no partition for each primary".into())
}

pub(super) async fn fill(
    store: &dyn StateBackend,
    partitions: &[String],
) -> Result<BTreeSet<Key>, Failed> {
    let keys = all(partitions);
    store.batch_put(keys.iter().map(|key| (key.clone(), "v"))).await?;
    Ok(keys)
}

pub(super) fn same(what: &str, found: &BTreeSet<Key>, keys: &BTreeSet<Key>) -> Result<(), Failed> {
    if found == keys {
        return Ok(());
    }
    Err(format!("{what}: {} of {} keys", found.len(), keys.len()).into())
}

fn partition_of(key: &Key) -> Result<String, Failed> {
    let partition = key.partition().ok_or("a key without a partition")?;
    Ok(String::from_utf8_lossy(partition).into_owned())
}

/// How many primaries on from the slot of `one` that of `other` is.
fn steps(stage: &Stage, one: &str, other: &str) -> Result<usize, Failed> {
    let count = stage.servers.primaries().len();
    Ok((owner(stage, other)? + count - owner(stage, one)?) % count)
}

/// After the first page, and the first record, the slots of nodes that are still to be scanned move to the one that is
/// being scanned, or was.
pub(super) fn behind(stage: &Stage) -> Result<(), Failed> {
    let partitions = partitions(stage)?;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let keys = fill(&store, &partitions).await?;
        for round in 0..3 {
            let mut found = BTreeSet::new();
            let options = ListOptions::new("").with_limit(50);
            let mut page = store.list_page(options.clone()).await?;
            while page.items.is_empty() {
                page = store.list_page(options.clone().with_token(page.next)).await?;
            }
            let first = page.items.first().ok_or("an empty page")?;
            gather(stage, &partitions, &first.key)?;
            loop {
                found.extend(page.items.into_iter().map(|item| item.key));
                let Some(token) = page.next else { break };
                page = store.list_page(options.clone().with_token(Some(token))).await?;
            }
            same(&format!("pages, round {round}"), &found, &keys)?;
            spread(stage, &partitions)?;

            let mut records = store.snapshot_opts(SnapshotOptions::new("")).await?;
            let mut found = BTreeSet::new();
            while let Some(record) = records.next().await {
                let SnapshotRecord::Entry { key, .. } = record? else {
                    return Err("a record that is no entry".into());
                };
                if found.is_empty() {
                    gather(stage, &partitions, &key)?;
                }
                assert!(found.insert(key), "a snapshot holds a key twice");
            }
            same(&format!("a snapshot, round {round}"), &found, &keys)?;
            spread(stage, &partitions)?;
        }
        Ok(())
    })
}

/// Moves all slots to the node that has the key.
fn gather(stage: &Stage, partitions: &[String], key: &Key) -> Result<(), Failed> {
    let first = partition_of(key)?;
    for partition in partitions.iter().filter(|partition| **partition != first) {
        let steps = steps(stage, partition, &first)?;
        assert_ne!(steps, 0, "two partitions are on one node before the move");
        move_slot(stage, partition, steps)?;
    }
    Ok(())
}

/// Moves the slots back, one to each node.
pub(super) fn spread(stage: &Stage, partitions: &[String]) -> Result<(), Failed> {
    let count = stage.servers.primaries().len();
    for (place, partition) in partitions.iter().enumerate() {
        let steps = (place + count - owner(stage, partition)?) % count;
        if steps > 0 {
            move_slot(stage, partition, steps)?;
        }
    }
    Ok(())
}

/// Slots move all the time, in small pieces, to the next node and to the one before; some moves are taken back half-way.
///
/// While one is taken back, its owner answers that a key which is still on the other side does not exist, whoever asks. So no
/// values are read then; names are listed all the same.
pub(super) fn storm(stage: &Stage) -> Result<(), Failed> {
    let partitions = partitions(stage)?;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        let keys = Arc::new(fill(&store, &partitions).await?);
        let lease = Key::from("lease");
        for partition in &partitions {
            let fence = Fence::new(lease.clone(), FenceToken::new(10));
            let key = Key::in_partition(partition.clone(), "key:0");
            store.put_opts(&key, "v".into(), PutOptions::new().with_fence(fence)).await?;
        }
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let readable = Arc::new(RwLock::new(()));
        let listers = (0..2).map(|_| {
            let (store, keys) = (shared(&store), Arc::clone(&keys));
            let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
            let readable = Arc::clone(&readable);
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    look(&*store, &keys, &readable).await?;
                    rounds.fetch_add(1, Ordering::SeqCst);
                }
                Ok::<_, Failed>(())
            })
        });
        let listers: Vec<_> = listers.collect();
        let over = || listers.iter().any(tokio::task::JoinHandle::is_finished);
        for turn in 0..TURNS {
            for (place, partition) in partitions.iter().enumerate() {
                let moving = Moving::begin(stage, partition, 1 + (turn + place) % 2)?;
                for half in 0..2 {
                    for _ in 0..KEYS / 20 {
                        moving.some(10)?;
                    }
                    // Both sides have keys now, for as long as a whole round takes.
                    let before = rounds.load(Ordering::SeqCst);
                    let enough = if half == 0 { 2 } else { 0 };
                    until_so("listings go on", || {
                        rounds.load(Ordering::SeqCst) >= before + enough || over()
                    })
                    .await?;
                    if half == 0 && turn % 4 == 3 {
                        break;
                    }
                }
                if turn % 4 == 3 {
                    let _unread = readable.write().await;
                    moving.give_up()?;
                } else {
                    while moving.some(10)? {}
                    moving.end()?;
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        for lister in listers {
            lister.await?.map_err(|error| error.message().unwrap_or_default().to_owned())?;
        }
        assert_eq!(store.clear_opts(ClearOptions::new("")).await?, keys.len() as u64);
        Ok(())
    })
}

/// Every kind of listing once.
async fn look(
    store: &dyn StateBackend,
    keys: &BTreeSet<Key>,
    readable: &RwLock<()>,
) -> Result<(), Failed> {
    let listed = store.list_keys("").await?;
    let found: BTreeSet<Key> = listed.iter().cloned().collect();
    same("list_keys", &found, keys)?;
    assert_eq!(listed.len(), keys.len(), "list_keys names a key twice");
    assert_eq!(store.count("").await?, keys.len() as u64, "count");
    let mut found = BTreeSet::new();
    let mut options = ListOptions::new("").with_limit(40);
    loop {
        let page = store.list_page(options.clone()).await?;
        found.extend(page.items.into_iter().map(|item| item.key));
        if page.next.is_none() {
            break;
        }
        options = options.with_token(page.next);
    }
    same("pages", &found, keys)?;
    // From here on values are read, those of the marks included.
    let _reading = readable.read().await;
    let mut records = store.snapshot_opts(SnapshotOptions::new("")).await?;
    let mut found = BTreeSet::new();
    while let Some(record) = records.next().await {
        if let SnapshotRecord::Entry { key, .. } = record? {
            found.insert(key);
        }
    }
    same("a snapshot", &found, keys)?;
    // The marks of a newer holder are found, wherever they are.
    let stale = Fence::new(Key::from("lease"), FenceToken::new(5));
    let cleared = store.clear_opts(ClearOptions::new("no such").with_fence(stale));
    let kind = cleared.await.err().map(|error| error.kind());
    assert_eq!(kind, Some(ErrorKind::Fenced), "a clear with a stale token");
    Ok(())
}

/// A node that has no slot yet is in no map of slots, but has the keys that moved there already.
pub(super) fn new_node(stage: &Stage) -> Result<(), Failed> {
    let partitions = partitions(stage)?;
    stage.run(async {
        let keys = {
            let store = open(stage.patient()?).await?;
            fill(&store, &partitions).await?
        };
        let emptied = *stage.servers.primaries().first().ok_or("no primary")?;
        let rest = *stage.servers.primaries().get(1).ok_or("no other primary")?;
        let [here, ..] = partitions.as_slice() else { return Err("no partition".into()) };
        move_slot(stage, here, 1)?;
        give_slots_away(stage, emptied, rest)?;
        // Opened now, so that it has never heard of slots there.
        let store = open(stage.patient()?).await?;
        let count = stage.servers.primaries().len();
        let moving = Moving::begin(stage, here, count - 1)?;
        moving.some(KEYS / 2)?;
        look_plain(&store, &keys).await?;
        while moving.some(10)? {}
        look_plain(&store, &keys).await?;
        moving.end()?;
        look_plain(&store, &keys).await
    })
}

async fn look_plain(store: &dyn StateBackend, keys: &BTreeSet<Key>) -> Result<(), Failed> {
    same("list_keys", &store.list_keys("").await?.into_iter().collect(), keys)?;
    assert_eq!(store.count("").await?, keys.len() as u64, "count");
    Ok(())
}

/// Makes `to` the owner of every slot of `from`.
fn give_slots_away(stage: &Stage, from: usize, to: usize) -> Result<(), Failed> {
    let ask = |place: usize, words: &[&str]| -> Result<_, Failed> {
        Ok(stage.servers.admin(place, words)?.ok()?)
    };
    let id = ask(to, &["CLUSTER", "MYID"])?.text();
    let own = ask(from, &["CLUSTER", "MYID"])?.text();
    let address = stage.servers.node(to)?.direct_address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let nodes = ask(from, &["CLUSTER", "NODES"])?.text();
    let line = nodes.lines().find(|line| line.starts_with(&own)).ok_or("no line of its own")?;
    for range in line.split_ascii_whitespace().skip(8) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        for slot in first.parse::<u16>()?..=last.parse::<u16>()? {
            let slot = slot.to_string();
            ask(to, &["CLUSTER", "SETSLOT", &slot, "NODE", &id])?;
            let held = ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "100"])?;
            let held: Vec<String> = held.items().iter().map(Reply::text).collect();
            if !held.is_empty() {
                let mut words = vec!["MIGRATE", &host, &port, "", "0", "10000", "KEYS"];
                words.extend(held.iter().map(String::as_str));
                ask(from, &words)?;
            }
            ask(from, &["CLUSTER", "SETSLOT", &slot, "NODE", &id])?;
        }
    }
    until_slots(stage, from)
}

/// Waits until all primaries know that the node has no slots.
fn until_slots(stage: &Stage, emptied: usize) -> Result<(), Failed> {
    let own = stage.servers.admin(emptied, &["CLUSTER", "MYID"])?.ok()?.text();
    let empty = || {
        stage
            .servers
            .primaries()
            .into_iter()
            .all(|place| {
                let nodes = stage.servers.admin(place, &["CLUSTER", "NODES"]);
                let text = nodes.map(|nodes| nodes.text()).unwrap_or_default();
                let line = text.lines().find(|line| line.starts_with(&own));
                line.is_some_and(|line| line.split_ascii_whitespace().count() == 8)
            })
            .then_some(())
    };
    Ok(crate::servers::wait_until("all know that a node has no slots", empty)?)
}
