//! Writers that know a thread write what others write who have to look, with fewer commands.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_codec::{Compression, CompressionId};
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, GetCheckpoint, ListCheckpoints, Ownership, PendingWrite,
    PutCheckpoint, PutWrites, ThreadLifetime,
};
use state_core::{ErrorKind, Fence, FenceToken, Namespace};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{id, payload, put_turn, reference, turn};
use crate::redis_stage::Stage;
use crate::servers::Reply;

const THREAD: &str = "known";
/// More than a block of descriptions, a segment, and a row of versions by place.
const TURNS: usize = 150;

type Store = Checkpoints<RedisThreads>;

fn open(store: &RedisStore, namespace: &str, options: &CheckpointOptions) -> Result<Store, Failed> {
    Ok(store.checkpoints(Namespace::new(namespace.to_owned())?, options.clone())?)
}

/// One way to put a turn.
type Way = fn(usize, PutCheckpoint) -> PutCheckpoint;

/// All ways in which a writer puts that have rules of their own on the server.
fn ways() -> Vec<(&'static str, Way)> {
    vec![
        ("plain", |_, put| put),
        ("long-messages", |number, put| {
            put.with_value(
                "notes",
                payload(&format!("\"{number}{}\"", "words ".repeat(number * 7 % 90))),
            )
        }),
        ("many-channels", |number, mut put| {
            for channel in 0..number % 5 {
                let name = format!("channel {channel}");
                let version = i64::try_from(number).unwrap_or(i64::MAX);
                put.checkpoint = put.checkpoint.with_channel(&name, version);
                put = put.with_value(&name, payload(&format!("{number}")));
            }
            put
        }),
        ("runs", |number, mut put| {
            put.metadata = put.metadata.with("run_id", format!("run {}", number / 20));
            put
        }),
        ("latest", |_, put| put.with_ownership(Ownership::ParentIsLatest)),
        ("holder", |number, put| {
            let token = FenceToken::new(7 + number as u64 / 40);
            put.with_ownership(Ownership::Holder(Fence::new("lease", token)))
        }),
        ("kept", |_, put| put.with_lifetime(ThreadLifetime::Keep)),
        ("after", |number, put| {
            let lifetime = Duration::from_secs(3_600 + (number as u64 / 50) * 60);
            put.with_lifetime(ThreadLifetime::After(lifetime))
        }),
        ("pinned", |_, put| put.with_lifetime(ThreadLifetime::Pinned)),
    ]
}

/// The same turns, by one who knows the thread and by many who do not.
pub(super) fn same_keys(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        // Who does not know a thread does not compress it, either.
        let plain =
            CheckpointOptions::new().with_compression(Compression::new(CompressionId::None));
        for (name, way) in ways() {
            for lifetime in [None, Some(Duration::from_secs(7_200))] {
                let options = plain.clone().with_lifetime(lifetime);
                let [known, looked] = ["known", "looked"].map(|who| {
                    format!("{name}-{who}-{}", if lifetime.is_some() { "lifetime" } else { "none" })
                });
                let one = open(&store, &known, &options)?;
                let mut list = "[]".to_owned();
                for number in 0..TURNS {
                    let mut put = turn(THREAD, number, &mut list, "says a few words");
                    put.checkpoint = put.checkpoint.with_channel("notes", i64::try_from(number)?);
                    let put = way(number, put);
                    one.put_checkpoint(put.clone()).await?;
                    let other = open(&store, &looked, &options)?;
                    other.put_checkpoint(put).await?;
                    if number % 10 == 9 {
                        let write = PendingWrite::new("task", 0, "c", payload("\"a write\""));
                        let writes = PutWrites::new(reference(THREAD, number), vec![write]);
                        one.put_writes(writes.clone()).await?;
                        other.put_writes(writes).await?;
                    }
                }
                assert_eq!(dump(stage, &known)?, dump(stage, &looked)?, "{name}, {lifetime:?}");
                let page = ListCheckpoints::of(THREAD).with_limit(TURNS + 1);
                let listed = one.list_checkpoints(page).await?.items;
                assert_eq!(listed.len(), TURNS, "{name}");
            }
        }
        Ok(())
    })
}

/// Everything that is stored of the thread, without what differs from time to time.
fn dump(stage: &Stage, namespace: &str) -> Result<BTreeMap<String, Vec<Vec<u8>>>, Failed> {
    let mut dump = BTreeMap::new();
    let base = format!("state:{namespace}:t:{{{THREAD}}}");
    let bytes = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => bytes.clone(),
        other => other.text().into_bytes(),
    };
    let history = stage.admin(&["HGETALL", &format!("{base}history")])?;
    let mut generation = Vec::new();
    for pair in history.items().chunks_exact(2) {
        let [field, value] = pair else { continue };
        let (field, mut value) = (bytes(field), bytes(value));
        if field == b"head" {
            let named = value.get_mut(1..17).ok_or("a short head")?;
            generation = named.to_vec();
            named.fill(0);
            // When it was written last.
            value.get_mut(68..74).ok_or("a short head")?.fill(0);
        }
        dump.insert(String::from_utf8_lossy(&field).into_owned(), vec![value]);
    }
    for part in ["order", "writes"] {
        let members = stage.admin(&["ZRANGE", &format!("{base}{part}"), "0", "-1"])?;
        let members = members.items().iter().map(bytes);
        let others = members.filter(|member| !member.ends_with(&generation)).collect();
        dump.insert(part.to_owned(), others);
    }
    for part in ["history", "order", "writes"] {
        let left = stage.admin(&["PTTL", &format!("{base}{part}")])?.text().parse::<i64>()?;
        // To the minute: the calls follow each other within seconds.
        dump.insert(format!("end of {part}"), vec![(left / 60_000).to_string().into_bytes()]);
    }
    Ok(dump)
}

/// How often the server has run each command, scripts and what they call.
fn commands(stage: &Stage) -> Result<BTreeMap<String, u64>, Failed> {
    let info = stage.admin(&["INFO", "commandstats"])?.text();
    let lines = info.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    });
    // What asks and what keeps connections alive.
    let beside = ["info", "config|resetstat", "ping"];
    Ok(lines.filter(|(name, _)| !beside.contains(&name.as_str())).collect())
}

pub(super) fn few_commands(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let writer = open(&store, "few", &CheckpointOptions::new())?;
        let mut list = "[]".to_owned();
        for number in 0..3 {
            put_turn(&writer, THREAD, number, &mut list, "says a few words").await?;
        }
        let counted = |names: &[&str]| -> BTreeMap<String, u64> {
            names.iter().map(|name| ((*name).to_owned(), 1)).collect()
        };
        stage.admin(&["CONFIG", "RESETSTAT"])?;
        put_turn(&writer, THREAD, 3, &mut list, "says a few words").await?;
        let wanted = counted(&["evalsha", "hmget", "hset", "publish", "zadd"]);
        assert_eq!(commands(stage)?, wanted, "a put");
        for get in [GetCheckpoint::latest(THREAD), GetCheckpoint::at(THREAD, id(3))] {
            stage.admin(&["CONFIG", "RESETSTAT"])?;
            let found = writer.get_checkpoint(get).await?.ok_or("it is there")?;
            assert_eq!(commands(stage)?, counted(&["hmget"]), "a get");
            let value = found.value("messages").map(|value| value.bytes().to_vec());
            assert_eq!(value, Some(list.clone().into_bytes()));
        }
        Ok(())
    })
}

pub(super) fn lost_keys(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        for part in ["history", "order", "writes"] {
            let writer = open(&store, part, &CheckpointOptions::new())?;
            let mut list = "[]".to_owned();
            for number in 0..3 {
                put_turn(&writer, THREAD, number, &mut list, "says a few words").await?;
                let write = PendingWrite::new("task", 0, "c", payload("1"));
                writer.put_writes(PutWrites::new(reference(THREAD, number), vec![write])).await?;
            }
            let key = format!("state:{part}:t:{{{THREAD}}}{part}");
            stage.admin(&["UNLINK", &key])?;
            let before = keys(stage, part)?;
            let put = writer.put_checkpoint(turn(THREAD, 3, &mut list, "more")).await;
            let kind = put.err().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::Corrupt), "without {part}");
            assert_eq!(keys(stage, part)?, before, "nothing was written without {part}");
        }
        Ok(())
    })
}

fn keys(stage: &Stage, namespace: &str) -> Result<Vec<String>, Failed> {
    let found = stage.admin(&["KEYS", &format!("state:{namespace}:t:*")])?;
    let mut found: Vec<String> = found.items().iter().map(Reply::text).collect();
    found.sort();
    Ok(found)
}

/// Two processes continue from each other's checkpoints; each learns of the other's by being wrong or by reading.
pub(super) fn in_turns(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let writers = [(); 2].map(|()| open(&store, "turns", &CheckpointOptions::new()));
        let [left, right] = writers;
        let (left, right) = (left?, right?);
        let mut list = "[]".to_owned();
        for number in 0..60 {
            // Alone for a while, in turns, and reading before each put.
            let writer = if number < 20 || number % 2 == 0 { &left } else { &right };
            if number >= 40 {
                let latest = writer.latest(THREAD).await?.ok_or("it is there")?;
                assert_eq!(latest.checkpoint.id.as_str(), id(number - 1));
            }
            put_turn(writer, THREAD, number, &mut list, "says a few words").await?;
        }
        for store in [&left, &right] {
            let page = store.list_checkpoints(ListCheckpoints::of(THREAD).with_limit(100)).await?;
            let ids: Vec<_> =
                page.items.iter().map(|item| item.checkpoint.id.as_str().to_owned()).collect();
            assert_eq!(ids, (0..60).rev().map(id).collect::<Vec<_>>());
            let latest = store.latest(THREAD).await?.ok_or("it is there")?;
            let value = latest.value("messages").map(|value| value.bytes().to_vec());
            assert_eq!(value, Some(list.clone().into_bytes()));
        }
        Ok(())
    })
}
