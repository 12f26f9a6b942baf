//! The short way in, with everything that it can be told; and content that was compressed in other ways.

use std::time::Duration;

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_codec::{Compression, CompressionId};
use state_core::Namespace;
use state_core::checkpoint::{Checkpointer, CheckpointerExt, GetCheckpoint, ListCheckpoints};
use state_redis::{RedisCheckpointer, RedisThreads};

use super::conversation::{put_turn, reference};
use super::keys::{all, now_ms};
use crate::chat::text;
use crate::redis_stage::Stage;
use crate::servers::Reply;

/// So much that several segments are full.
const STEPS: usize = 24;
const MESSAGE_BYTES: usize = 1_000;
const TTL: Duration = Duration::from_secs(3_600);

pub(super) fn way_in(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let connect = || RedisCheckpointer::connect(stage.servers.url());
        let plain = connect().await?;
        put_turn(&plain, "t", 0, &mut "[]".to_owned(), "begin").await?;
        assert_eq!(ends_of(stage, "state:default:")?, vec![-1, -1]);

        let limited = connect()
            .with_prefix("app")
            .with_namespace(Namespace::new("chats")?)
            .with_ttl(TTL)
            .with_refresh_on_read(true)
            .await?;
        assert!(limited.latest("t").await?.is_none(), "another prefix is another store");
        let ttl_ms = i64::try_from(TTL.as_millis())?;
        let before = now_ms(stage)?;
        put_turn(&limited, "t", 0, &mut "[]".to_owned(), "begin").await?;
        let within = before + ttl_ms..=now_ms(stage)? + ttl_ms;
        let ends = ends_of(stage, "app:chats:")?;
        assert!(ends.len() == 2 && ends.iter().all(|end| within.contains(end)), "{ends:?}");
        let known =
            |key: &String| key.starts_with("state:default:") || key.starts_with("app:chats:");
        assert!(all(stage)?.iter().all(known), "{:?}", all(stage)?);

        for key in thread_keys(stage, "app:chats:")? {
            stage.admin(&["PEXPIRE", &key, "60000"])?;
        }
        let before = now_ms(stage)?;
        limited.get_checkpoint(GetCheckpoint::latest("t")).await?.ok_or("it is there")?;
        let within = before + ttl_ms..=now_ms(stage)? + ttl_ms;
        let ends = ends_of(stage, "app:chats:")?;
        assert!(ends.iter().all(|end| within.contains(end)), "{ends:?} after a read");

        let options = CheckpointOptions::new().with_lifetime(TTL);
        let all_at_once = connect().with_prefix("at.once").with_options(options).await?;
        put_turn(&all_at_once, "t", 0, &mut "[]".to_owned(), "begin").await?;
        assert!(ends_of(stage, "at.once:default:")?.iter().all(|end| *end > 0));
        let refused = connect().with_ttl(Duration::ZERO).await;
        let error = refused.err().ok_or("a lifetime of nothing was taken")?;
        assert_eq!(error.kind(), state_core::ErrorKind::Invalid);
        Ok(())
    })
}

/// Whoever has written a thread, and however, everybody reads it and goes on with it.
pub(super) fn compressions(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let ids = [CompressionId::None, CompressionId::Lz4, CompressionId::Zstd];
        let mut stores: Vec<(CompressionId, Checkpoints<RedisThreads>)> = Vec::new();
        for id in ids {
            let compression = Compression::new(id).with_threshold_bytes(128);
            let connect = RedisCheckpointer::connect(stage.servers.url());
            stores.push((id, connect.with_compression(compression).await?));
        }
        // Words that repeat, because lz4 does not shrink others.
        let message = |number: usize| text(number as u64, MESSAGE_BYTES / 10).repeat(10);
        for (id, store) in &stores {
            let (thread, mut list) = (format!("{id:?}"), "[]".to_owned());
            let mut wanted = Vec::new();
            for number in 0..STEPS {
                put_turn(store, &thread, number, &mut list, &message(number)).await?;
                wanted.push(list.clone());
            }
            let written = segments(stage, &thread)?;
            assert!(
                written.contains(&id.number()),
                "{thread}: segments are written as {written:?}"
            );
            let others =
                |found: &u8| *found != id.number() && *found != CompressionId::None.number();
            assert!(!written.iter().any(others), "{thread}: segments are written as {written:?}");
            for (number, (other, reader)) in stores.iter().enumerate() {
                let page = ListCheckpoints::of(thread.as_str()).with_limit(2 * STEPS);
                let found = reader.list_checkpoints(page).await?.items;
                assert_eq!(found.len(), wanted.len(), "{thread} read by {other:?}");
                for (tuple, wanted) in found.iter().zip(wanted.iter().rev()) {
                    let value = tuple.value("messages").ok_or("a value is missing")?;
                    assert_eq!(value.bytes(), wanted.as_bytes(), "{thread} read by {other:?}");
                }
                put_turn(reader, &thread, STEPS + number, &mut list, &message(number)).await?;
                wanted.push(list.clone());
                let latest = store.at(&reference(&thread, STEPS + number)).await?;
                let latest = latest.ok_or("it was put")?;
                let value = latest.value("messages").ok_or("a value is missing")?;
                assert_eq!(value.bytes(), list.as_bytes(), "{thread}, gone on with by {other:?}");
            }
        }
        Ok(())
    })
}

/// How each full segment of a thread is written: the first byte of its frame.
fn segments(stage: &Stage, thread: &str) -> Result<Vec<u8>, Failed> {
    let key = format!("state:default:t:{{{thread}}}history");
    let mut found = Vec::new();
    for field in stage.admin(&["HKEYS", &key])?.items() {
        if let Reply::Bulk(name) = field
            && let Some(number) = name.strip_prefix(b"s")
            && number.iter().all(u8::is_ascii_digit)
            && let Reply::Bulk(frame) = stage.admin(&["HGET", &key, &field.text()])?
        {
            found.extend(frame.first());
        }
    }
    Ok(found)
}

/// The keys of threads that begin like this.
fn thread_keys(stage: &Stage, start: &str) -> Result<Vec<String>, Failed> {
    let keys = all(stage)?.into_iter();
    Ok(keys.filter(|key| key.starts_with(&format!("{start}t:"))).collect())
}

fn ends_of(stage: &Stage, start: &str) -> Result<Vec<i64>, Failed> {
    let keys = thread_keys(stage, start)?.into_iter();
    keys.map(|key| Ok(stage.admin(&["PEXPIRETIME", &key])?.text().parse()?)).collect()
}
