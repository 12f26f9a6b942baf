//! What is on the server changes behind the driver's back: scripts, foreign keys, everything.

use libtest_mimic::Failed;
use state_core::{ErrorKind, IncrementOptions, Key, OpId, Outcome, StateBackendExt, WriteOp};

use crate::redis_stage::{Stage, fails, open, shared, works_again};
use crate::servers::Reply;

/// `SCRIPT FLUSH` before every call.
pub(super) fn scripts_flushed_between(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.once()?).await?;
        for round in 1..=20 {
            stage.admin_primaries(&["SCRIPT", "FLUSH"])?;
            assert_eq!(store.increment("n", 1).await?, round);
            let entry = store.get_entry("n").await?.ok_or("nothing is there")?;
            stage.admin_primaries(&["SCRIPT", "FLUSH"])?;
            store.compare_and_set("n", entry.version, round.to_string()).await?;
        }
        Ok(())
    })
}

/// `SCRIPT FLUSH` while a batch of scripts is on its way, until one has met commands in the middle of it.
pub(super) fn scripts_flushed_within(stage: &Stage) -> Result<(), Failed> {
    const BATCH: u64 = 1_000;
    stage.run(async {
        let store = open(stage.patient()?).await?;
        store.increment(Key::in_partition("p", "first"), 1).await?;
        let key = |number: u64| Key::in_partition("p", format!("n:{}", number % 10));
        let mut batches = 0;
        loop {
            batches += 1;
            let before = refused(stage)?;
            let writing = tokio::spawn({
                let store = shared(&store);
                let ops = (0..BATCH).map(|number| WriteOp::increment(key(number), 1)).collect();
                async move { store.write_many(ops).await }
            });
            while !writing.is_finished() {
                stage.admin_primaries(&["SCRIPT", "FLUSH"])?;
            }
            for answer in writing.await?? {
                answer?;
            }
            // More than none and less than all: the script was gone in the middle.
            let met = refused(stage)? - before;
            if (1..BATCH).contains(&met) || batches == 50 {
                assert!(met > 0, "no batch has met a flush");
                break;
            }
        }
        for number in 0..10 {
            let sum = store.increment(key(number), 0).await?;
            assert_eq!(sum, i64::try_from(batches * BATCH / 10)?, "after {batches} batches");
        }
        Ok(())
    })
}

/// How many commands were refused because their script was not known.
fn refused(stage: &Stage) -> Result<u64, Failed> {
    let mut total = 0;
    for place in stage.servers.primaries() {
        let info = stage.servers.admin(place, &["INFO", "errorstats"])?.ok()?;
        let count = info.info("errorstat_NOSCRIPT");
        let count = count.and_then(|count| count.strip_prefix("count=")?.parse::<u64>().ok());
        total += count.unwrap_or(0);
    }
    Ok(total)
}

/// Somebody else has written under our keys: another type, and a string without our frame.
pub(super) fn foreign(stage: &Stage) -> Result<(), Failed> {
    let corrupt = (ErrorKind::Corrupt, Outcome::NotApplied);
    stage.run(async {
        let store = open(stage.once()?).await?;
        for (key, write) in [
            ("list", ["RPUSH", "state:faults:V:{list}", "x"]),
            ("text", ["SET", "state:faults:V:{text}", "x"]),
        ] {
            store.put("mine", "1").await?;
            stage.admin_owner(&write)?;
            fails(store.get(key).await, corrupt.0, corrupt.1)?;
            fails(store.increment(key, 1).await, corrupt.0, corrupt.1)?;
            // Whether or not the driver expects keys to be missing.
            for _ in 0..2 {
                let answers = store.batch_get(["mine", key]).await;
                fails(answers, corrupt.0, corrupt.1)?;
            }
            let there = stage.admin_owner(&["EXISTS", write[1]])?;
            assert_eq!(there, Reply::Integer(1), "it is left alone");
            // Removing and writing anew are the ways out.
            store.delete(key).await?;
            assert_eq!(store.get(key).await?, None);
            store.put(key, "2").await?;
            assert_eq!(store.get(key).await?.as_deref(), Some(b"2".as_slice()));
        }
        works_again(&store).await
    })
}

/// Killed and started again without what it had.
pub(super) fn restarted_empty(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = open(stage.patient()?).await?;
        works_again(&store).await?;
        store.put("k", "1").await?;
        stage.servers.kill(0)?;
        stage.servers.restart(0)?;
        assert_eq!(store.get("k").await?, None, "it has nothing any more");
        assert_eq!(store.increment("n", 1).await?, 1, "scripts are taught again");
        works_again(&store).await
    })
}

/// Killed under load and started again on its append-only file: what was acknowledged is there, and what has an
/// operation id is there once.
pub(super) fn killed_with_file(stage: &Stage) -> Result<(), Failed> {
    const TASKS: u8 = 8;
    stage.run(async {
        let mut config = stage.patient()?;
        config.retries = 100;
        let store = open(config).await?;
        works_again(&store).await?;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let store = shared(&store);
                tokio::spawn(async move {
                    for round in 0..300_u16 {
                        let mut id = [task; 16];
                        id[..2].copy_from_slice(&round.to_be_bytes());
                        let options = IncrementOptions::new().with_op_id(OpId::from_bytes(id));
                        let key = Key::from(format!("n:{task}"));
                        let sum = store.increment_opts(&key, 1, options).await?.value;
                        assert_eq!(
                            sum,
                            i64::from(round) + 1,
                            "an increment was lost or made twice"
                        );
                    }
                    Ok::<_, state_core::Error>(())
                })
            })
            .collect();
        for _ in 0..3 {
            let before: u64 = stage.counts().iter().map(|counts| counts.count("EVALSHA")).sum();
            crate::redis_stage::until_so("the load goes on", || {
                let now: u64 = stage.counts().iter().map(|counts| counts.count("EVALSHA")).sum();
                now > before + 100 || tasks.iter().all(tokio::task::JoinHandle::is_finished)
            })
            .await?;
            stage.servers.kill(0)?;
            stage.servers.restart(0)?;
        }
        for task in tasks {
            task.await??;
        }
        works_again(&store).await
    })
}
