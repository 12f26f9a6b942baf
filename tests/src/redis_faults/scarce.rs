//! What there is too little of: exclusive connections, and memory under a policy that evicts.

use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{
    Acks, AcquireOptions, Acquired, ErrorKind, Fence, Key, LeaseGrant, Outcome, OwnerId,
    PutOptions, StateBackend, StateBackendExt,
};
use state_redis::RedisBackend;

use crate::redis_stage::{PATIENCE, Stage, fails, open, shared, until, works_again};

const MINUTE: Duration = Duration::from_secs(60);

/// The only exclusive connection waits for a replica that does not exist: the next write that needs one is told so before
/// anything is sent, and plain calls go on.
pub(super) fn pool(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.patient()?;
        config.retries = 0;
        config.pool_size_max = 1;
        config.connect_timeout_ms = 1_000;
        config.acks_timeout_ms = PATIENCE.as_millis().try_into()?;
        let store = open(config).await?;
        works_again(&store).await?;
        let asking = || PutOptions::new().with_acks(Acks::Replicas(1));
        // Given back by the first, it is there for the second.
        for round in 0..2 {
            let (waits, refused) = (format!("waits:{round}"), format!("refused:{round}"));
            let waiting = tokio::spawn({
                let (store, key) = (shared(&store), Key::from(waits.clone()));
                async move { store.put_opts(&key, "1".into(), asking()).await }
            });
            let client = until("the write waits", || async { waiting_client(stage) }).await?;
            let second = store.put_opts(&Key::from(refused.clone()), "1".into(), asking()).await;
            let error = fails(second, ErrorKind::Overloaded, Outcome::NotApplied)?;
            assert!(error.to_string().contains("exclusive connection"), "{error}");
            works_again(&store).await?;
            assert!(store.contains(waits).await?, "what waits was applied");
            assert!(!store.contains(refused).await?, "what was refused was applied");
            stage.admin(&["CLIENT", "UNBLOCK", &client])?;
            fails(waiting.await?, ErrorKind::Unacknowledged, Outcome::Applied)?;
        }
        Ok(())
    })
}

/// The least number of exclusive connections is there before one is needed, and again when they were lost.
pub(super) fn kept(stage: &Stage) -> Result<(), Failed> {
    const LEAST: u32 = 3;
    stage.run(async {
        let mut config = stage.patient()?;
        config.pool_size_min = LEAST;
        "kept-in-a-pool".clone_into(&mut config.client_name);
        let name = format!(" name={} ", config.client_name);
        let store = open(config).await?;
        store.put("k", "1").await?;
        let ids = || -> Option<Vec<String>> {
            let list = stage.admin(&["CLIENT", "LIST"]).ok()?.text();
            let ours = list.lines().filter(|line| line.contains(&name));
            ours.map(|line| Some(line.strip_prefix("id=")?.split(' ').next()?.to_owned())).collect()
        };
        // And the one that all small requests share.
        let all = usize::try_from(LEAST)? + 1;
        let there = || async { ids().filter(|ids| ids.len() == all) };
        for _ in 0..2 {
            let before = until("all connections are there", there).await?;
            for id in &before {
                stage.admin(&["CLIENT", "KILL", "ID", id])?;
            }
            let after = until("they are there again", there).await?;
            assert!(after.iter().all(|id| !before.contains(id)), "{before:?} {after:?}");
        }
        works_again(&store).await
    })
}

/// The number of a client that waits for replicas.
fn waiting_client(stage: &Stage) -> Option<String> {
    let list = stage.admin(&["CLIENT", "LIST"]).ok()?.text();
    let line =
        list.lines().find(|line| line.contains(" flags=b ") && line.contains(" cmd=wait "))?;
    line.split(' ').find_map(|field| field.strip_prefix("id=")).map(str::to_owned)
}

/// A policy that evicts whatever is there: what was evicted is absent, and who held a lease is told that it is lost.
pub(super) fn evicted(stage: &Stage) -> Result<(), Failed> {
    const ROOM_BYTES: u64 = 1 << 20;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        works_again(&store).await?;
        let leases = store.as_lease().ok_or("no leases")?;
        let (name, owner) = (Key::from("lease"), OwnerId::random());
        let grant = acquired(&store, &name, owner).await?;
        let early: Vec<String> = (0..10).map(|number| format!("early:{number}")).collect();
        store.batch_put(early.iter().map(|key| (key.clone(), vec![b'e'; 20_000]))).await?;
        stage.admin(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])?;
        let used = stage.admin(&["INFO", "memory"])?.info("used_memory").ok_or("no figure")?;
        let most = (used.parse::<u64>()? + ROOM_BYTES).to_string();
        stage.admin(&["CONFIG", "SET", "maxmemory", &most])?;
        // Names are listed without touching what they name.
        let left = |part: &str| -> Result<usize, Failed> {
            Ok(stage.admin(&["KEYS", &format!("*{part}*")])?.items().len())
        };
        for number in 0..5_000 {
            store.put(format!("filler:{number}"), vec![b'f'; 50_000]).await?;
            if left("early")? == 0 && left("{lease}")? == 0 {
                break;
            }
        }
        assert_eq!((left("early")?, left("{lease}")?), (0, 0), "what is left");
        for found in store.batch_get(early.clone()).await? {
            assert_eq!(found, None, "an evicted entry");
        }
        assert_eq!(store.get_entry("early:0").await?, None);
        assert_eq!(leases.read_lease(&name).await?, None);
        let renewed = leases.renew_lease(&name, grant.token, AcquireOptions::new(owner, MINUTE));
        fails(renewed.await, ErrorKind::Fenced, Outcome::NotApplied)?;
        assert!(!leases.release_lease(&name, owner, grant.token).await?, "it was held");
        // Another gets it, under a token that is greater although the first is forgotten.
        let next = acquired(&store, &name, OwnerId::random()).await?;
        assert!(next.token > grant.token, "{next:?} after {grant:?}");
        let fenced =
            |grant: LeaseGrant| PutOptions::new().with_fence(Fence::new(&name, grant.token));
        let key = Key::from("fenced");
        store.put_opts(&key, "2".into(), fenced(next)).await?;
        let late = store.put_opts(&key, "1".into(), fenced(grant)).await;
        fails(late, ErrorKind::Fenced, Outcome::NotApplied)?;
        stage.admin(&["CONFIG", "SET", "maxmemory", "0"])?;
        works_again(&store).await
    })
}

async fn acquired(store: &RedisBackend, name: &Key, owner: OwnerId) -> Result<LeaseGrant, Failed> {
    let leases = store.as_lease().ok_or("no leases")?;
    match leases.acquire_lease(name, AcquireOptions::new(owner, MINUTE)).await? {
        Acquired::Granted(grant) => Ok(grant),
        other => Err(format!("not granted: {other:?}").into()),
    }
}
