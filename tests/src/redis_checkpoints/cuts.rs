//! The connection is cut at every moment of every command of a call; sent again, it is there once.

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, ListCheckpoints, ListThreads, PendingWrite, PruneOptions,
    PutWrites, Retention,
};
use state_core::{ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, put_turn, reference, turn};
use crate::proxy::{Cut, Moment};
use crate::redis_stage::Stage;

/// More than any of the calls sends.
const COMMANDS: u64 = 8;
const STEPS: usize = 4;

/// The calls that are cut.
#[derive(Clone, Copy, Debug)]
enum Call {
    Create,
    Put,
    Writes,
    Copy,
    Prune,
    Delete,
}

pub(super) fn everywhere(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let checkpoints = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let mut cut = 0;
        let calls = [Call::Create, Call::Put, Call::Writes, Call::Copy, Call::Prune, Call::Delete];
        for call in calls {
            for moment in Moment::ALL {
                for command in 1..=COMMANDS {
                    let what = format!("{call:?}, command {command} {moment:?}");
                    cut += once(stage, &checkpoints, call, Cut::reset(command, moment), &what)
                        .await
                        .map_err(|error| format!("{what}: {error:?}"))?;
                }
            }
        }
        assert!(cut >= 60, "only {cut} cuts were met");
        Ok(())
    })
}

/// One call with one cut; whether it was met.
async fn once(
    stage: &Stage,
    checkpoints: &Checkpoints<RedisThreads>,
    call: Call,
    cut: Cut,
    what: &str,
) -> Result<u64, Failed> {
    let mut list = "[]".to_owned();
    if !matches!(call, Call::Create) {
        for number in 0..STEPS {
            put_turn(checkpoints, "t", number, &mut list, "a turn of some length").await?;
        }
    }
    let done = || -> u64 { stage.proxies().map(crate::proxy::Proxy::cuts_done).sum() };
    let before = done();
    for proxy in stage.proxies() {
        proxy.cut(cut);
    }
    // The first try may fail, but only with an outcome that is not known; the second must not.
    if let Err(error) = act(checkpoints, call, &list).await {
        let said = (error.kind(), error.outcome());
        let open = error.outcome() == Outcome::Unknown
            || matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        let copied = matches!(call, Call::Copy) && error.kind() == ErrorKind::Conflict;
        assert!(open || copied, "{what}: {said:?}: {error}");
    }
    let met = done() - before;
    match act(checkpoints, call, &list).await {
        Ok(()) => {}
        // The first copy was made.
        Err(error) if matches!(call, Call::Copy) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{what}: {error}");
        }
        Err(error) => return Err(error.into()),
    }
    check(checkpoints, call, what).await?;
    for thread in ["t", "copy"] {
        checkpoints.delete_thread(thread).await?;
    }
    let left = stage.admin(&["KEYS", "*"])?;
    let left: Vec<String> = left.items().iter().map(crate::servers::Reply::text).collect();
    // An unfinished copy goes by itself.
    let left: Vec<&String> = left.iter().filter(|key| !key.contains("}copy:")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    Ok(met)
}

async fn act(
    checkpoints: &Checkpoints<RedisThreads>,
    call: Call,
    list: &str,
) -> state_core::Result<()> {
    match call {
        Call::Create => {
            checkpoints.put_checkpoint(turn("t", 0, &mut "[]".to_owned(), "begin")).await.map(drop)
        }
        Call::Put => {
            let put = turn("t", STEPS, &mut list.to_owned(), "the last turn");
            checkpoints.put_checkpoint(put).await.map(drop)
        }
        Call::Writes => {
            let write = |index| PendingWrite::new("task", index, "c", payload("\"value\""));
            let writes = PutWrites::new(reference("t", 1), vec![write(0), write(-1)]);
            checkpoints.put_writes(writes).await.map(drop)
        }
        Call::Copy => checkpoints.copy_thread("t", "copy").await.map(drop),
        Call::Prune => {
            let options = PruneOptions::new(Retention::KeepLast(2));
            checkpoints.prune(&["t".into()], options).await.map(drop)
        }
        Call::Delete => checkpoints.delete_thread("t").await.map(drop),
    }
}

/// What was done is there once, and everything can be read.
async fn check(
    checkpoints: &Checkpoints<RedisThreads>,
    call: Call,
    what: &str,
) -> Result<(), Failed> {
    let wanted = match call {
        Call::Create => 1,
        Call::Put => STEPS + 1,
        Call::Writes | Call::Copy => STEPS,
        Call::Prune => 2,
        Call::Delete => 0,
    };
    let found = checkpoints.list_checkpoints(ListCheckpoints::of("t")).await?.items;
    assert_eq!(found.len(), wanted, "{what}");
    for tuple in &found {
        let value = tuple.value("messages").ok_or("a value is missing")?;
        assert!(value.bytes().ends_with(b"]"), "{what}");
    }
    let threads = checkpoints.list_threads(ListThreads::new()).await?.items;
    let of = |name: &str| threads.iter().filter(|found| found.thread.as_str() == name).count();
    assert_eq!(of("t"), usize::from(wanted > 0), "{what}");
    if matches!(call, Call::Writes) {
        let at = checkpoints.at(&reference("t", 1)).await?.ok_or("it is there")?;
        assert_eq!(at.pending_writes.len(), 2, "{what}");
    }
    if matches!(call, Call::Copy) {
        assert_eq!(of("copy"), 1, "{what}");
        let copied = checkpoints.list_checkpoints(ListCheckpoints::of("copy")).await?.items;
        assert_eq!(copied.len(), STEPS, "{what}");
    }
    Ok(())
}
