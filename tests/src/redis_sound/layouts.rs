//! Namespaces with an index, a log or a rule of their own, on real servers.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use libtest_mimic::Failed;
use state_core::{
    Change, ErrorKind, ListOptions, Namespace, SnapshotOptions, StateBackend, StateBackendExt,
    WatchEvent, WatchOptions, WatchStart,
};
use state_redis::{
    NamespaceOptions, Partitioner, Placed, RedisBackend, RedisConfig, RedisStore, WatchHistory,
};

use crate::redis_stage::{Stage, works_again};
use crate::servers::Version;

const GUIDE: &str = include_str!("../../../docs/guides/operating-redis.md");
const EVENTS_MAX: u32 = 10;

async fn open_with(
    config: RedisConfig,
    name: &str,
    options: NamespaceOptions,
) -> Result<RedisBackend, state_core::Error> {
    RedisStore::connect_with(config)
        .await?
        .open_with(Namespace::new(name.to_owned())?, options)
        .await
}

fn logged() -> NamespaceOptions {
    NamespaceOptions::new().with_watch(WatchHistory::Log { events_max: EVENTS_MAX }).with_buckets(1)
}

/// What is retained after `start`.
async fn retained(
    store: &RedisBackend,
    start: WatchStart,
) -> Result<Vec<WatchEvent>, state_core::Error> {
    let watch = store.as_watch().ok_or_else(|| state_core::Error::unsupported("watches"))?;
    let options = WatchOptions::new("").with_start(start).with_follow(false);
    let events: Vec<_> = watch.watch(options).await?.collect().await;
    events.into_iter().collect()
}

/// More is written than a log keeps: who resumes is told a gap, then everything that is retained, up to the newest.
pub(super) fn pruned(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open_with(stage.patient()?, "pruned", logged()).await?;
        store.put("first", "1").await?;
        let early = retained(&store, WatchStart::Oldest).await?;
        let token = early.last().ok_or("nothing was logged")?.token.clone();
        store.put("second", "1").await?;
        let events = retained(&store, WatchStart::After(token.clone())).await?;
        assert!(!events.iter().any(|event| event.change == Change::Gap), "{events:?}");
        let many: Vec<String> = (0..1_000).map(|number| format!("key:{number}")).collect();
        store.batch_put(many.iter().map(|key| (key.clone(), "v"))).await?;
        let events = retained(&store, WatchStart::After(token)).await?;
        let first = events.first().map(|event| &event.change);
        assert_eq!(first, Some(&Change::Gap), "what was pruned is not told to be missing");
        let told: Vec<_> = events.iter().filter_map(|event| event.change.key()).collect();
        assert!(told.len() >= EVENTS_MAX as usize, "only {} events are kept", told.len());
        assert!(told.len() < many.len(), "nothing was pruned");
        let newest = many.iter().rev().take(told.len()).rev();
        let newest: Vec<_> = newest.map(|name| state_core::Key::from(name.clone())).collect();
        assert!(told.into_iter().eq(newest.iter()), "other events than the newest, in their order");
        let end = events.last().ok_or("no event")?.token.clone();
        assert_eq!(retained(&store, WatchStart::After(end)).await?.len(), 0);
        Ok(())
    })
}

/// Two openers race, with other wishes each: one of them decides, the other is refused and has written nothing.
pub(super) fn disagree(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        for round in 0..10 {
            let name = format!("race-{round}");
            let indexed = NamespaceOptions::new().with_ordered_index(true);
            let plain = NamespaceOptions::new().with_ordered_index(false);
            let (one, other) = futures_util::future::join(
                Box::pin(open_with(stage.patient()?, &name, indexed)),
                Box::pin(open_with(stage.patient()?, &name, plain)),
            )
            .await;
            let (winner, refused) = match (one, other) {
                (Ok(winner), Err(refused)) | (Err(refused), Ok(winner)) => (winner, refused),
                other => return Err(format!("both or neither: {other:?}").into()),
            };
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
            assert!(refused.to_string().contains("ordered_index"), "{refused}");
            winner.put("k", "v").await?;
            // Who asks for nothing takes it as it is.
            let third = open_with(stage.patient()?, &name, NamespaceOptions::new()).await?;
            assert_eq!(third.capabilities(), winner.capabilities());
            assert_eq!(third.list_keys("").await?, [state_core::Key::from("k")]);
        }
        Ok(())
    })
}

#[derive(Debug)]
struct ByRegion;

impl Partitioner for ByRegion {
    fn id(&self) -> &'static str {
        "region-1"
    }

    fn tag(&self, placed: Placed<'_>) -> Bytes {
        let name = match placed {
            Placed::Partition(name) | Placed::Key(name) => name,
            _ => b"",
        };
        Bytes::copy_from_slice(name.split(|byte| *byte == b'-').next().unwrap_or_default())
    }
}

/// A batch over everything of a region goes to one node; another rule, or none, is refused.
pub(super) fn partitioner(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let options = || NamespaceOptions::new().with_partitioner(Arc::new(ByRegion));
        let store = open_with(stage.patient()?, "placed", options()).await?;
        let keys: Vec<String> = (0..60).map(|number| format!("eu-{number}")).collect();
        store.batch_put(keys.iter().map(|key| (key.clone(), key.clone()))).await?;
        store.batch_put((0..20).map(|number| (format!("us-{number}"), "v"))).await?;
        let before = stage.counts();
        let found = store.batch_get(keys.clone()).await?;
        let asked = stage.counts().into_iter().zip(&before);
        let asked: Vec<_> = asked.map(|(now, before)| now.since(before)).collect();
        let reads = asked.iter().filter(|sent| sent.count("GET") + sent.count("MGET") > 0);
        let nodes = reads.count();
        assert_eq!(nodes, 1, "a region lies on one node: {asked:?}");
        for (key, value) in keys.iter().zip(found) {
            assert_eq!(value.as_deref(), Some(key.as_bytes()));
        }
        let listed: BTreeSet<_> = store.list_keys("eu-").await?.into_iter().collect();
        assert_eq!(listed, keys.iter().map(|key| state_core::Key::from(key.clone())).collect());
        assert_eq!(store.count("").await?, 80);
        let without = open_with(stage.patient()?, "placed", NamespaceOptions::new()).await;
        let error = without.err().ok_or("opened without the rule")?;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("partitioner"), "{error}");
        // To read it takes the rule as well.
        let all = RedisStore::connect_with(stage.patient()?).await?;
        let reading = all.open_to_read(Namespace::new("placed")?).await;
        assert_eq!(reading.err().map(|error| error.kind()), Some(ErrorKind::Invalid));
        // Whoever only reads decides nothing, and sees what others have decided.
        let new = Namespace::new("undecided")?;
        assert_eq!(all.open_to_read(new.clone()).await?.get("k").await?, None);
        let decided = all.open_with(new.clone(), logged()).await?;
        decided.put("k", "v").await?;
        let reading = all.open_to_read(new).await?;
        assert_eq!(reading.get("k").await?.as_deref(), Some(b"v".as_slice()));
        assert_eq!(reading.capabilities(), decided.capabilities());
        Ok(())
    })
}

/// With the permissions of the guide on operating, and no others, everything works in a namespace with an index and a log.
pub(super) fn documented_user(stage: &Stage) -> Result<(), Failed> {
    let line = GUIDE.lines().find_map(|line| line.strip_prefix("user state ")).ok_or("no rule")?;
    let mut words = vec!["ACL", "SETUSER", "state"];
    words.extend(line.split(' ').map(|word| if word == ">PASSWORD" { ">secret" } else { word }));
    // An older server refuses a user with a rule for a command that it does not know.
    words.extend(Some("+waitaof").filter(|_| stage.servers.version() >= Version::KNOWS_WAITAOF));
    stage.admin(&words)?;
    stage.run(async {
        let mut config = stage.patient()?;
        config.username = Some("state".to_owned());
        config.password = Some("secret".to_owned().into());
        let options = logged().with_ordered_index(true);
        let store = open_with(config, "documented", options).await?;
        works_again(&store).await?;
        store.put_field("h", "f", "v").await?;
        store.put("gone", "v").await?;
        assert_eq!(store.batch_get(["gone", "absent"]).await?.len(), 2);
        assert!(store.delete("gone").await?, "it was there");
        let page = store.list_page(ListOptions::new("again:").with_expiry(true)).await?;
        assert_eq!(page.items.len(), 20);
        assert_eq!(store.count("").await?, 20);
        let records: Vec<_> = store.snapshot_opts(SnapshotOptions::new("")).await?.collect().await;
        assert_eq!(records.into_iter().collect::<Result<Vec<_>, _>>()?.len(), 21);
        assert!(!retained(&store, WatchStart::Oldest).await?.is_empty(), "the log tells");
        assert_eq!(store.memory_usage().await?.entries, 20);
        assert_eq!(store.clear().await?, 21);
        // Nothing was refused on the way and then done without.
        let log = stage.admin(&["ACL", "LOG"])?;
        let denied: Vec<_> = log.items().iter().filter_map(|one| one.field("object")).collect();
        assert!(denied.is_empty(), "the server has refused: {denied:?}");
        Ok(())
    })
}
