//! Several threads on one namespace of the memory store: no event is lost, no snapshot is torn,
//! and nobody waits for ever.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports failure by panicking")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use state_core::{
    Change, ClearOptions, Fence, FenceToken, GetOptions, Key, ListOptions, Namespace, PutOptions,
    Scope, SnapshotOptions, SnapshotRecord, StateBackend, StateBackendExt, Transaction, Version,
    WatchEvent, WatchOptions, WatchStart, WriteOp,
};
use state_local::{MemoryBackend, MemoryStore};

const WRITERS: usize = 4;
const ROUNDS: usize = 1_500;
const PAIRS: usize = 12;
const COUNTERS: usize = 6;

/// Runs the future of a store that never makes anybody wait.
fn now<T>(future: impl Future<Output = state_core::Result<T>>) -> T {
    future.now_or_never().unwrap().unwrap()
}

/// Two keys that always hold the same number: in one partition, or in two.
fn pair(index: usize) -> [Key; 2] {
    let partition = |side| match index % 3 {
        0 => format!("across-{index}-{side}"),
        _ => format!("within-{index}"),
    };
    [Key::in_partition(partition("left"), "left"), Key::in_partition(partition("right"), "right")]
}

fn counter(index: usize) -> Key {
    Key::from(format!("counter-{index}"))
}

fn put(key: &Key, value: String) -> WriteOp {
    WriteOp::Put { key: key.clone(), value: value.into(), options: PutOptions::new() }
}

/// One writer's share; how many changes it has made of each kind of key, by its prefix.
fn write(backend: &MemoryBackend, writer: usize) -> HashMap<&'static str, usize> {
    let mut made = HashMap::new();
    for round in 0..ROUNDS {
        let turn = round * WRITERS + writer;
        let [left, right] = pair(turn % PAIRS);
        let both =
            Transaction::new().op(put(&left, turn.to_string())).op(put(&right, turn.to_string()));
        now(backend.as_transact().unwrap().transact(both));
        *made.entry("pair").or_default() += 2;

        now(backend.increment(counter(turn % COUNTERS), 1));
        *made.entry("counter").or_default() += 1;

        let own = Key::from(format!("own-{writer}-{}", round % 40));
        let lease = Key::from(format!("lease-{writer}"));
        let fence = Fence::new(lease, FenceToken::new(round as u64));
        let fenced = PutOptions::new().with_fence(Some(fence.clone()));
        now(backend.put_opts(&own, "own".into(), fenced));
        *made.entry("own").or_default() += 1;
        match round % 8 {
            0 => {
                assert!(now(backend.delete(&own)));
                *made.entry("own").or_default() += 1;
            }
            1 => {
                let batch =
                    (0..5).map(|i| put(&format!("batch-{writer}-{i}").into(), String::new()));
                let outcomes = now(backend.write_many(batch.collect()));
                *made.entry("batch").or_default() += outcomes.into_iter().flatten().count();
            }
            2 => {
                let keys: Vec<_> = (0..COUNTERS).map(counter).collect();
                let options = GetOptions::new().with_fence(Some(fence));
                assert_eq!(now(backend.get_many(&keys, options)).len(), COUNTERS);
            }
            3 => {
                let name = format!("scratch-{writer}");
                now(backend.put(name.as_str(), "v"));
                let options = ClearOptions::new(name);
                assert_eq!(now(backend.clear_opts(options)), 1);
                *made.entry("scratch").or_default() += 1;
                *made.entry("cleared").or_default() += 1;
            }
            4 => {
                let page = now(backend.list_page(ListOptions::default().with_limit(50_usize)));
                assert!(page.items.is_sorted_by(|left, right| left.key < right.key));
            }
            5 => drop(now(backend.count("own-"))),
            _ => {}
        }
    }
    made
}

/// Snapshots in which the two sides of a pair differ, or which are not in key order, are torn.
fn look_at_snapshots(backend: &MemoryBackend, done: &AtomicBool) -> usize {
    let mut taken = 0;
    while !done.load(Ordering::Acquire) || taken < 3 {
        let snapshot = now(backend.snapshot_opts(SnapshotOptions::default()));
        let records: Vec<_> = now(snapshot.try_collect());
        assert!(records.is_sorted_by(|left, right| left.key() < right.key()));
        let values: BTreeMap<_, _> = records
            .into_iter()
            .map(|record| match record {
                SnapshotRecord::Entry { key, value, .. } => (key, value),
                other => panic!("unexpected record {other:?}"),
            })
            .collect();
        for index in 0..PAIRS {
            let [left, right] = pair(index);
            assert_eq!(values.get(&left), values.get(&right), "a torn snapshot");
        }
        taken += 1;
    }
    taken
}

fn kind(change: &Change) -> &'static str {
    let Some(key) = change.key() else { return "cleared" };
    if key.partition().is_some() {
        return "pair";
    }
    let name = std::str::from_utf8(key.name()).unwrap();
    ["counter", "own", "batch", "scratch"].into_iter().find(|kind| name.starts_with(kind)).unwrap()
}

/// Follows until the key `end` is written.
fn follow(backend: &MemoryBackend, options: WatchOptions, ready: &Barrier) -> Vec<WatchEvent> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut events = backend.as_watch().unwrap().watch(options).await.unwrap();
        ready.wait();
        let mut told = Vec::new();
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.change.key() == Some(&Key::from("end")) {
                return told;
            }
            told.push(event);
        }
    })
}

/// Panics when the test takes so long that it must hang; passes its panic on.
fn within_a_minute(test: impl FnOnce() + Send + 'static) {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        tell.send(()).unwrap();
    });
    match told.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("threads wait for each other"),
        _ => thread.join().unwrap(),
    }
}

/// Every change is told once, and the last event of each key tells how it is now.
fn check_story(backend: &MemoryBackend, told: &[WatchEvent], made: &HashMap<&str, usize>) {
    let mut told_of: HashMap<_, usize> = HashMap::new();
    for event in told {
        assert_ne!(event.change, Change::Gap);
        *told_of.entry(kind(&event.change)).or_default() += 1;
    }
    assert_eq!(&told_of, made, "an event is lost or told twice");
    let tokens: HashSet<_> = told.iter().map(|event| event.token.clone()).collect();
    assert_eq!(tokens.len(), told.len(), "two events bear one token");
    let mut last: HashMap<&Key, Option<Version>> = HashMap::new();
    for event in told {
        match &event.change {
            Change::Put { key, version, .. } => drop(last.insert(key, Some(*version))),
            Change::Deleted { key } => drop(last.insert(key, None)),
            _ => {}
        }
    }
    for (key, version) in last.into_iter().filter(|(key, _)| !key.name().starts_with(b"scratch")) {
        let held = now(backend.get_opts(key, GetOptions::new()));
        assert_eq!(held.map(|entry| entry.version), version, "events of {key} out of order");
    }
}

#[test]
fn events_snapshots_and_locks_hold_beside_each_other() {
    within_a_minute(|| {
        let store = MemoryStore::builder()
            .cross_partition_transactions(true)
            .change_log_events_max(1_000_000)
            .build();
        let open = || Arc::new(store.open(Namespace::default()).unwrap());
        let start = Arc::new(Barrier::new(WRITERS + 2));
        let done = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (backend, start) = (open(), Arc::clone(&start));
            thread::spawn(move || follow(&backend, WatchOptions::default(), &start))
        };
        let snapshots = {
            let (backend, start, done) = (open(), Arc::clone(&start), Arc::clone(&done));
            thread::spawn(move || {
                start.wait();
                look_at_snapshots(&backend, &done)
            })
        };
        // Two writers share a backend, and all share the namespace.
        let backends = [open(), open()];
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (backend, start) = (Arc::clone(&backends[writer % 2]), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    write(&backend, writer)
                })
            })
            .collect();
        let mut made: HashMap<_, usize> = HashMap::new();
        for writer in writers {
            for (kind, count) in writer.join().unwrap() {
                *made.entry(kind).or_default() += count;
            }
        }
        done.store(true, Ordering::Release);
        assert!(snapshots.join().unwrap() >= 3);

        let backend = open();
        let counted = (0..COUNTERS).map(|index| {
            let value = now(backend.get(counter(index))).unwrap();
            std::str::from_utf8(&value).unwrap().parse::<usize>().unwrap()
        });
        assert_eq!(counted.sum::<usize>(), WRITERS * ROUNDS, "an increment is lost");

        now(backend.put("end", ""));
        let told = watcher.join().unwrap();
        check_story(&backend, &told, &made);
        let again = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
        let again = now(backend.as_watch().unwrap().watch(again));
        let again: Vec<_> = now(again.try_collect());
        assert_eq!(again[..told.len()], told, "the log tells another story than the follower");
    });
}

#[test]
fn a_slow_follower_of_a_short_log_sees_every_event_or_a_gap() {
    within_a_minute(|| {
        let store = MemoryStore::builder().change_log_events_max(50).build();
        let open = || Arc::new(store.open(Namespace::default()).unwrap());
        let start = Arc::new(Barrier::new(WRITERS + 1));
        let watcher = {
            let (backend, start) = (open(), Arc::clone(&start));
            let options = WatchOptions::new("").with_scope(Scope::All);
            thread::spawn(move || follow(&backend, options, &start))
        };
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (backend, start) = (open(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for round in 0..4 * ROUNDS {
                        now(backend.put(format!("{writer}-{round}"), ""));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        now(open().put("end", ""));
        // The round that each writer's next event must be of, while there was no gap.
        let mut next: HashMap<usize, usize> = (0..WRITERS).map(|writer| (writer, 0)).collect();
        for event in watcher.join().unwrap() {
            let Some(key) = event.change.key() else {
                assert_eq!(event.change, Change::Gap);
                next.clear();
                continue;
            };
            let name = std::str::from_utf8(key.name()).unwrap();
            let (writer, round) = name.split_once('-').unwrap();
            let (writer, round) = (writer.parse().unwrap(), round.parse::<usize>().unwrap());
            let expected = next.insert(writer, round + 1);
            assert!(expected.is_none_or(|expected| expected == round), "a silent loss at {name}");
        }
        for (writer, next) in next {
            assert_eq!(next, 4 * ROUNDS, "the last events of writer {writer} are lost");
        }
    });
}
