//! Entries of threads that are gone leave the indexes.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::Namespace;
use state_core::checkpoint::{Checkpointer, CheckpointerExt, ThreadLifetime};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::turn;
use crate::redis_stage::{Stage, until_so};

/// Threads that expire: some 75 for each of the 16 indexes.
const GONE: usize = 1_200;
/// Threads that stay: each index grows by more than 64.
const STAYING: usize = 2_000;
/// Puts at once.
const TASKS: usize = 32;

/// Makes all entries a thousand seconds older.
const AGE: &str = r"
for _, key in ipairs(redis.call('KEYS', 'state:default:i:*')) do
  local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do redis.call('ZADD', key, string.format('%.0f', all[i + 1] - 1e9), all[i]) end
end
for _, key in ipairs(redis.call('KEYS', 'state:default:r:*')) do
  for _, entry in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local whose, at = string.match(entry, '^(.*%z)(%d+)$')
    redis.call('ZREM', key, entry)
    redis.call('ZADD', key, '0', whose .. string.format('%.0f', at - 1e9))
  end
end
return 'OK'";

/// An index is cleared by those who make it grow, and of old entries only.
pub(super) fn cleared_as_they_grow(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage).await?;
        put(&store, "gone", GONE, ThreadLifetime::After(Duration::from_millis(1))).await?;
        all_have_expired(stage).await?;
        // Some indexes had 64 entries already, but who had written these might have been about to make a thread.
        assert_eq!(entries(stage)?, (GONE, GONE));
        stage.admin(&["EVAL", AGE, "0"])?;
        put(&store, "staying", STAYING, ThreadLifetime::Default).await?;
        let cleared = || entries(stage).is_ok_and(|left| left == (STAYING, STAYING));
        until_so("the indexes are cleared", cleared).await?;
        let found: Vec<_> = store.threads().try_collect().await?;
        assert_eq!(found.len(), STAYING);
        assert_eq!(store.delete_for_runs(&["run of staying 7".to_owned()]).await?, 1);
        Ok(())
    })
}

/// Who meets an entry of a thread that is gone takes it away.
pub(super) fn cleared_when_met(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage).await?;
        put(&store, "gone", 3, ThreadLifetime::After(Duration::from_millis(1))).await?;
        all_have_expired(stage).await?;
        assert_eq!(entries(stage)?, (3, 3));
        let found: Vec<_> = store.threads().try_collect().await?;
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(entries(stage)?, (0, 3));
        let runs: Vec<String> = (0..3).map(|number| format!("run of gone {number}")).collect();
        assert_eq!(store.delete_for_runs(&runs).await?, 0);
        let left = stage.admin(&["KEYS", "*"])?;
        assert!(left.items().is_empty(), "{left:?}");
        Ok(())
    })
}

async fn open(stage: &Stage) -> Result<Checkpoints<RedisThreads>, Failed> {
    let store = RedisStore::connect_with(stage.config()?).await?;
    Ok(store.checkpoints(Namespace::default(), CheckpointOptions::new())?)
}

/// Puts a checkpoint, of a run of its own, into each of so many threads.
async fn put(
    store: &Checkpoints<RedisThreads>,
    name: &str,
    threads: usize,
    lifetime: ThreadLifetime,
) -> Result<(), Failed> {
    let puts = (0..threads).map(|number| {
        let mut put = turn(&format!("{name} {number}"), 0, &mut "[]".to_owned(), "begin");
        put.metadata = put.metadata.with("run_id", format!("run of {name} {number}"));
        store.put_checkpoint(put.with_lifetime(lifetime))
    });
    stream::iter(puts).buffer_unordered(TASKS).try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}

/// Waits for the end of the last lifetime: its thread may have been made in the millisecond before.
async fn all_have_expired(stage: &Stage) -> Result<(), Failed> {
    let none =
        || stage.admin(&["KEYS", "state:default:t:*"]).is_ok_and(|keys| keys.items().is_empty());
    until_so("all threads have expired", none).await
}

/// How many entries the indexes of threads and those of runs have.
fn entries(stage: &Stage) -> Result<(usize, usize), Failed> {
    let count = |pattern: &str| -> Result<usize, Failed> {
        let mut entries = 0;
        for key in stage.admin(&["KEYS", pattern])?.items() {
            entries += stage.admin(&["ZCARD", &key.text()])?.text().parse::<usize>()?;
        }
        Ok(entries)
    };
    Ok((count("state:default:i:*")?, count("state:default:r:*")?))
}
