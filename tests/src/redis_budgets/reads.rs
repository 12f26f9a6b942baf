//! How many commands the server gets with one read, when many callers are at work: what coalescing is for.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use libtest_mimic::Failed;
use state_core::{StateBackend, StateBackendExt};
use state_redis::RedisConfig;

use crate::redis_stage::{Stage, open, runtime, shared};

const TASKS: u32 = 64;
const ROUNDS: u32 = 200;

/// What every caller does, with the size of the values and the part of the callers that a read must serve.
const WORK: [(&str, usize, f64); 3] =
    [("gets", 100, 0.6), ("puts of 100 bytes", 100, 0.6), ("puts of 1 KiB", 1_024, 0.2)];

/// A machine that is busy with other things tears callers apart that would have gone together; nothing puts them closer
/// than the driver does: the server does not read before there is something, and reads again at once. So the best of some
/// runs is what the driver can do, luck has no share in it, and the first that is good enough ends them. On a quiet machine
/// that is the first or the second.
const RUNS: u32 = 20;

/// Past the proxy, which would cut the stream in other places.
pub(super) fn shared_reads(stage: &Stage) -> Result<(), Failed> {
    let url = format!("redis://{}", stage.servers.node(0)?.direct_address());
    for workers in [1, 2] {
        for (what, bytes, part) in WORK {
            let enough = part * f64::from(TASKS);
            let mut best = 0.0_f64;
            for _ in 0..RUNS {
                let (commands, reads) =
                    runtime(workers)?.block_on(measure(stage, &url, what, bytes))?;
                best = best.max(commands / reads);
                if best >= enough {
                    break;
                }
            }
            assert!(best >= enough, "{what}, {workers} workers: {best:.1} per read < {enough:.1}");
        }
    }
    Ok(())
}

async fn measure(stage: &Stage, url: &str, what: &str, bytes: usize) -> Result<(f64, f64), Failed> {
    let store = shared(&open(RedisConfig::from_url(url)?).await?);
    work(&store, what, bytes, 2).await?;
    let before = reads(stage)?;
    work(&store, what, bytes, ROUNDS).await?;
    let reads = reads(stage)? - before;
    Ok((f64::from(TASKS * ROUNDS), reads))
}

async fn work(
    store: &Arc<dyn StateBackend>,
    what: &str,
    bytes: usize,
    rounds: u32,
) -> Result<(), Failed> {
    let value = Bytes::from(vec![b'v'; bytes]);
    let tasks = (0..TASKS).map(|task| {
        let (store, value, reads) = (Arc::clone(store), value.clone(), what == "gets");
        tokio::spawn(async move {
            for _ in 0..rounds {
                let key = format!("key:{task}");
                if reads {
                    store.get(key).await?;
                } else {
                    store.put(key, value.clone()).await?;
                }
            }
            Ok::<_, state_core::Error>(())
        })
    });
    for done in try_join_all(tasks).await? {
        done?;
    }
    Ok(())
}

/// How often the server has read from a client, without this question.
fn reads(stage: &Stage) -> Result<f64, Failed> {
    let info = stage.admin(&["INFO", "stats"])?;
    let reads = info.info("total_reads_processed").ok_or("the server does not count reads")?;
    Ok(reads.parse()?)
}
