//! The cost of batches.

use libtest_mimic::Failed;
use state_core::{GetOptions, Key, StateBackend, StateBackendExt, WriteOp};

use state_redis::RedisConfig;

use crate::proxy::Counts;
use crate::redis_stage::{Stage, open, shared, until_so};
use crate::servers::{Kind, Setup};

const KEYS: usize = 100;

fn keys(count: usize) -> Vec<Key> {
    (0..count).map(|number| Key::from(format!("key:{number}"))).collect()
}

fn puts(count: usize) -> Vec<WriteOp> {
    keys(count).into_iter().map(|key| WriteOp::put(key, "v")).collect()
}

/// What was sent to each node that was sent anything.
fn sent(stage: &Stage, before: &[Counts]) -> Vec<Counts> {
    let sent = stage.counts().into_iter().zip(before).map(|(now, before)| now.since(before));
    sent.filter(|counts| counts.commands > 0).collect()
}

fn nodes(stage: &Stage) -> usize {
    if stage.servers.setup() == Setup::Cluster { 3 } else { 1 }
}

/// On a replica that has nothing to do, commands of replication are not counted.
pub(super) fn get_many(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = stage.open().await?;
        for answer in store.write_many(puts(KEYS)).await? {
            answer?;
        }
        let before = stage.counts();
        let answers = store.get_many(&keys(KEYS), GetOptions::new()).await?;
        assert_eq!(
            answers.into_iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(),
            KEYS
        );
        let all = sent(stage, &before);
        let trips: Vec<_> = all.iter().map(|counts| counts.round_trips).collect();
        assert_eq!(trips, vec![1; nodes(stage)], "{all:?}");
        if stage.servers.setup() == Setup::Cluster {
            return Ok(());
        }
        let commands: u64 = all.iter().map(|counts| counts.commands).sum();
        assert_eq!(commands, 1, "an MGET is enough: {all:?}");
        // What is missing is looked at twice, because it may be there and be no entry: behind the reading the first
        // time, and beside it from then on.
        for wanted in [2, 1, 1] {
            let before = stage.counts();
            let answers = store.get_many(&keys(2 * KEYS), GetOptions::new()).await?;
            let absent = answers.iter().filter(|answer| matches!(answer, Ok(None))).count();
            assert_eq!(absent, KEYS, "absent keys");
            let sent = sent(stage, &before);
            let trips: u64 = sent.iter().map(|counts| counts.round_trips).sum();
            assert_eq!(trips, wanted, "{sent:?}");
        }
        Ok(())
    })
}

/// While the servers are frozen nothing is answered; all commands arrive all the same.
pub(super) fn whole(stage: &Stage) -> Result<(), Failed> {
    arrives_unanswered(stage, |_| {})
}

/// The chunks of a larger batch do not wait for each other.
pub(super) fn chunks(stage: &Stage) -> Result<(), Failed> {
    arrives_unanswered(stage, |config| config.batch_keys_max = KEYS)
}

fn arrives_unanswered(stage: &Stage, change: impl FnOnce(&mut RedisConfig)) -> Result<(), Failed> {
    const WRITES: usize = 1_000;
    stage.run(async {
        let mut config = stage.patient()?;
        change(&mut config);
        let store = open(config).await?;
        for answer in store.write_many(puts(WRITES)).await? {
            answer?;
        }
        let data = |kind: Kind| kind == Kind::Data;
        let places: Vec<usize> = (0..stage.servers.nodes().len())
            .filter(|place| stage.servers.node(*place).is_ok_and(|node| data(node.kind())))
            .collect();
        let before = stage.counts();
        for place in &places {
            stage.servers.freeze(*place)?;
        }
        let writing = tokio::spawn({
            let store = shared(&store);
            async move { store.write_many(puts(WRITES)).await }
        });
        let arrived = until_so("all commands have arrived unanswered", || {
            let sent = sent(stage, &before);
            sent.iter().map(|counts| counts.count("SET")).sum::<u64>() == WRITES as u64
        })
        .await;
        for place in &places {
            stage.servers.thaw(*place)?;
        }
        arrived?;
        for answer in writing.await?? {
            answer?;
        }
        Ok(())
    })
}

/// What is done to a key by several chunks is done in its order: each waits for the one before.
pub(super) fn ordered_chunks(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let mut config = stage.config()?;
        config.batch_keys_max = 100;
        let store = open(config).await?;
        store.write_many(puts(1)).await?;
        // All keys in one slot, so that one node gets all of it.
        let key = |number: usize| Key::in_partition("p", format!("key:{number}"));
        let mut ops: Vec<_> = (0..1_000).map(|number| WriteOp::put(key(number), "v")).collect();
        ops.push(WriteOp::put(key(0), "last"));
        store.write_many(ops.clone()).await?;
        let before = stage.counts();
        for answer in store.write_many(ops).await? {
            answer?;
        }
        let sent = sent(stage, &before);
        let of = |counts: &Counts| (counts.count("SET"), counts.commands, counts.round_trips);
        assert_eq!(sent.iter().map(of).collect::<Vec<_>>(), [(1_001, 1_001, 11)]);
        assert_eq!(store.get(key(0)).await?.as_deref(), Some(b"last".as_slice()));
        assert_eq!(store.count("").await?, 1_000 + 1);
        Ok(())
    })
}
