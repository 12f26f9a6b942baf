//! Following changes while connections and servers fail: whatever may have been missed is told as a gap.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use libtest_mimic::{Failed, Trial};
use parking_lot::Mutex;
use state_core::{
    BoxStream, Change, ClearOptions, Error, Key, Namespace, Result, StateBackend, StateBackendExt,
    Version, WatchEvent, WatchOptions, WatchStart,
};
use state_redis::{NamespaceOptions, RedisBackend, RedisStore, WatchHistory};

use crate::proxy::{Ending, Fault};
use crate::redis_stage::{PATIENCE, Play, Stage, open, trial, until, until_so};
use crate::servers::{Reply, Setup};

type Events = BoxStream<'static, Result<WatchEvent>>;

const ALWAYS: [(&str, Play); 4] = [
    ("a_killed_connection_is_a_gap", killed),
    ("a_flush_is_a_gap", flushed),
    ("a_mirror_stays_true_while_connections_fail", mirror),
    ("the_last_watcher_closes_its_connections", closed),
];

/// What would make others take over.
const ALONE: [(&str, Play); 2] =
    [("a_black_hole_is_a_gap", black_hole), ("a_restart_is_a_gap", restarted)];

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let named = |(name, play): (&str, Play)| trial(&format!("watch::{name}"), setup, play);
    let mut trials: Vec<Trial> = ALWAYS.into_iter().map(named).collect();
    match setup {
        Setup::Standalone | Setup::Valkey => trials.extend(ALONE.into_iter().map(named)),
        Setup::Sentinel | Setup::Cluster => {
            trials.push(named(("a_failover_is_a_gap", failed_over)));
            trials.push(named(("a_log_is_followed_through_a_failover", log_failed_over)));
        }
        _ => {}
    }
    trials
}

async fn follow(backend: &RedisBackend) -> Result<Events> {
    let watch = backend.as_watch().ok_or_else(|| Error::unsupported("following changes"))?;
    watch.watch(WatchOptions::default()).await
}

/// The next change.
async fn next(events: &mut Events, what: &str) -> Result<Change, Failed> {
    let told = tokio::time::timeout(PATIENCE, events.next()).await;
    let told = told.map_err(|_| format!("not told: {what}"))?;
    Ok(told.ok_or("the watch has ended")??.change)
}

/// Reads until a gap was told.
async fn gap(events: &mut Events) -> Result<(), Failed> {
    while next(events, "a gap").await? != Change::Gap {}
    Ok(())
}

/// Makes sure that writes on every node are told again: the store may need some time, too.
async fn tells_again(backend: &RedisBackend, events: &mut Events) -> Result<(), Failed> {
    for number in 0..20 {
        let key = Key::from(format!("again:{number}"));
        let version = until("the store works again", || async {
            backend.put(&key, "v").await.ok().map(|written| written.version)
        })
        .await?;
        // What was missed before may be told by a gap, and nothing after it may.
        let mut told = false;
        while !told {
            told = match next(events, "a put").await? {
                Change::Put { version: found, .. } => found == version,
                Change::Gap => backend.get_entry(&key).await?.is_some(),
                _ => false,
            };
        }
    }
    Ok(())
}

/// The ids of the connections of a server over which it tells of changes.
fn tracking(stage: &Stage, place: usize) -> Vec<String> {
    let Ok(Reply::Bulk(list)) = stage.servers.admin(place, &["CLIENT", "LIST"]) else {
        return Vec::new();
    };
    let list = String::from_utf8_lossy(&list).into_owned();
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    let tracked = list.lines().filter(|line| field(line, "flags=").contains('t'));
    tracked.map(|line| field(line, "id=")).collect()
}

fn killed(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        for place in stage.servers.primaries() {
            let ids = tracking(stage, place);
            assert_eq!(ids.len(), 1, "connections that follow the changes of server {place}");
            for id in ids {
                stage.servers.admin(place, &["CLIENT", "KILL", "ID", &id])?.ok()?;
            }
            gap(&mut events).await?;
            tells_again(&backend, &mut events).await?;
        }
        Ok(())
    })
}

fn black_hole(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = open(stage.patient()?).await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        stage.set(Fault::BlackHole);
        // While it lasts.
        gap(&mut events).await?;
        stage.set(Fault::Pass);
        // When it is over.
        gap(&mut events).await?;
        tells_again(&backend, &mut events).await
    })
}

fn restarted(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        stage.servers.kill(0)?;
        gap(&mut events).await?;
        stage.servers.restart(0)?;
        gap(&mut events).await?;
        tells_again(&backend, &mut events).await
    })
}

fn flushed(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        stage.admin_primaries(&["FLUSHALL"])?;
        gap(&mut events).await?;
        tells_again(&backend, &mut events).await
    })
}

fn failed_over(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        stage.fail_over().await?;
        gap(&mut events).await?;
        tells_again(&backend, &mut events).await
    })
}

/// A log goes on where its bucket goes: what the new primary has is told, and what it may lack is a gap. So is it for who
/// resumes.
fn log_failed_over(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let options = NamespaceOptions::new().with_watch(WatchHistory::Log { events_max: 10_000 });
        let store = RedisStore::connect_with(stage.config()?).await?;
        let backend = store.open_with(Namespace::new("logged")?, options).await?;
        let mut events = follow(&backend).await?;
        tells_again(&backend, &mut events).await?;
        backend.put("last", "before").await?;
        let token = loop {
            let event = tokio::time::timeout(PATIENCE, events.next()).await;
            let event = event.map_err(|_| "not told: a put")?.ok_or("the watch has ended")??;
            if matches!(&event.change, Change::Put { key, .. } if *key == Key::from("last")) {
                break event.token;
            }
        };
        stage.fail_over().await?;
        tells_again(&backend, &mut events).await?;
        let resumed = WatchOptions::default().with_start(WatchStart::After(token));
        let mut resumed = backend.as_watch().ok_or("no watches")?.watch(resumed).await?;
        let mut missing: std::collections::BTreeSet<Key> =
            (0..20).map(|number| Key::from(format!("again:{number}"))).collect();
        while !missing.is_empty() {
            match next(&mut resumed, "what was written since").await? {
                Change::Put { key, .. } => drop(missing.remove(&key)),
                // Of another history: whoever asks finds all of it.
                Change::Gap => missing.clear(),
                _ => {}
            }
        }
        Ok(())
    })
}

fn closed(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let tracked = || {
            let places = stage.servers.primaries().into_iter();
            places.map(|place| tracking(stage, place).len()).collect::<Vec<_>>()
        };
        let (first, second) = (follow(&backend).await?, follow(&backend).await?);
        assert!(tracked().iter().all(|count| *count == 1), "one connection per primary");
        drop(first);
        let mut second = second;
        tells_again(&backend, &mut second).await?;
        drop(second);
        until_so("nobody follows changes", || tracked().iter().all(|count| *count == 0)).await?;
        let mut later = follow(&backend).await?;
        tells_again(&backend, &mut later).await
    })
}

type Entries = BTreeMap<Key, Version>;

/// What is there, as asking tells.
async fn all(backend: &RedisBackend) -> Result<Entries> {
    let mut all = Entries::new();
    for key in backend.list_keys("").await? {
        if let Some(entry) = backend.get_entry(&key).await? {
            all.insert(key, entry.version);
        }
    }
    Ok(all)
}

/// Follows changes and keeps what is there, asking only after a gap.
async fn keep(backend: RedisBackend, mut events: Events, kept: Arc<Mutex<Entries>>) {
    while let Some(Ok(event)) = events.next().await {
        match event.change {
            Change::Put { key, version, .. } => drop(kept.lock().insert(key, version)),
            Change::Deleted { key } | Change::Expired { key } => drop(kept.lock().remove(&key)),
            Change::Cleared { prefix, .. } => {
                kept.lock().retain(|key, _| !key.name().starts_with(&prefix));
            }
            Change::Gap => {
                let asked = until("the store answers", || async { all(&backend).await.ok() });
                *kept.lock() = asked.await.unwrap_or_default();
            }
            _ => {}
        }
    }
}

fn mirror(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let backend = stage.open().await?;
        let events = follow(&backend).await?;
        let kept = Arc::new(Mutex::new(Entries::new()));
        let keeping = tokio::spawn(keep(backend.clone(), events, Arc::clone(&kept)));
        for number in 0..600_u32 {
            match number % 100 {
                30 => stage.end_connections(Ending::Reset),
                60 => stage.end_connections(Ending::Close),
                90 => stage.end_connections(Ending::Silence),
                _ => {}
            }
            // Which of them succeed does not matter: the mirror shows what is there.
            let name = number.wrapping_mul(2_654_435_761) >> 16;
            let key = format!("{}{}", if name % 2 == 0 { "a" } else { "b" }, name % 30);
            drop(match number % 23 {
                0..=16 => backend.put(key, number.to_string()).await.map(drop),
                17..=21 => backend.delete(key).await.map(drop),
                _ => {
                    let prefix = match name % 3 {
                        0 => "a",
                        1 => "b",
                        _ => "",
                    };
                    backend.clear_opts(ClearOptions::new(prefix)).await.map(drop)
                }
            });
        }
        until("the mirror shows what is there", || async {
            let there = all(&backend).await.ok()?;
            (*kept.lock() == there).then_some(())
        })
        .await?;
        assert!(!keeping.is_finished(), "the watch has ended");
        keeping.abort();
        Ok(())
    })
}
