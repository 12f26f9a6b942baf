//! Round trips, counted: the same for a short thread and for a long one.

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::Namespace;
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, GetCheckpoint, HistoryOptions, ListCheckpoints, PutWrites,
    TouchThread,
};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, put_turn, reference, turn};
use crate::redis_stage::Stage;

const THREAD: &str = "budget";

/// What each call has cost.
#[derive(Debug, Eq, PartialEq)]
struct Costs {
    put: u64,
    put_cold: u64,
    touch: u64,
    writes: u64,
    get_known: u64,
    get_cold: u64,
    get_by_id_cold: u64,
    get_after_parent: u64,
    list_known: u64,
    list_cold: u64,
    put_new_run: u64,
    put_same_run: u64,
    create: u64,
    delete: u64,
    delete_absent: u64,
}

pub(super) fn flat(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let short = costs(stage, &store, "short", 10).await?;
        let long = costs(stage, &store, "long", 2_000).await?;
        let wanted = Costs {
            put: 1,
            put_cold: 2,
            touch: 1,
            writes: 1,
            get_known: 1,
            get_cold: 1,
            get_by_id_cold: 1,
            get_after_parent: 1,
            list_known: 1,
            list_cold: 1,
            put_new_run: 2,
            put_same_run: 1,
            create: 3,
            delete: 4,
            delete_absent: 3,
        };
        assert_eq!(short, wanted, "with 10 checkpoints");
        assert_eq!(long, wanted, "with 2,000 checkpoints");
        Ok(())
    })
}

/// Ancestors that a history is read from.
const ANCESTORS: usize = 310;

/// The history of a channel without values is read in pages: 10 ancestors, then 100 each.
pub(super) fn in_pages(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let writer = open(&store, "pages")?;
        for number in 0..=ANCESTORS {
            let mut put = turn(THREAD, number, &mut "[]".to_owned(), "says this");
            let version = i64::try_from(number)?;
            put.checkpoint = put.checkpoint.with_channel("log", version);
            writer.put_checkpoint(put).await?;
            let value = payload(&format!("\"{number}: {}\"", "a longer text ".repeat(9)));
            let write = state_core::checkpoint::PendingWrite::new("task", 0, "log", value);
            writer.put_writes(PutWrites::new(reference(THREAD, number), vec![write])).await?;
        }
        let history = || HistoryOptions::new(reference(THREAD, ANCESTORS), ["log"]);
        open(&store, "pages")?.channel_history(history()).await?;
        let cold = open(&store, "pages")?;
        let mut read = None;
        let taken = trips(stage, async {
            read = cold.channel_history(history()).await?.remove("log");
            Ok(())
        });
        let taken = taken.await?;
        let found = read.ok_or("it has a history")?.writes;
        assert_eq!(found.len(), ANCESTORS);
        assert!(found.iter().zip(0..).all(|(write, number)| {
            write.value.bytes().starts_with(format!("\"{number}: ").as_bytes())
        }));
        // The checkpoint itself, then a page of 10 and three of 100, each with what it is made from.
        assert!(taken <= 1 + 4 * 2, "{taken} round trips");
        Ok(())
    })
}

fn open(store: &RedisStore, namespace: &str) -> Result<Checkpoints<RedisThreads>, Failed> {
    Ok(store.checkpoints(Namespace::new(namespace.to_owned())?, CheckpointOptions::new())?)
}

async fn costs(
    stage: &Stage,
    store: &RedisStore,
    namespace: &str,
    turns: usize,
) -> Result<Costs, Failed> {
    let writer = open(store, namespace)?;
    let mut list = String::from("[]");
    for number in 0..turns {
        put_turn(&writer, THREAD, number, &mut list, &format!("turn {number} says this")).await?;
    }
    // Scripts are loaded, and connections made, before anything is counted.
    let page = || ListCheckpoints::of(THREAD).with_limit(5);
    let pending = |task: &str| {
        let write = state_core::checkpoint::PendingWrite::new(task, 0, "c", payload("\"small\""));
        PutWrites::new(reference(THREAD, turns - 1), vec![write])
    };
    writer.put_writes(pending("warm")).await?;
    warm_up(&writer, &open(store, namespace)?, page()).await?;

    let wrote = trips(stage, writer.put_writes(pending("counted"))).await?;
    let get_known = trips(stage, writer.get_checkpoint(GetCheckpoint::latest(THREAD))).await?;
    let list_known = trips(stage, writer.list_checkpoints(page())).await?;
    let cold = open(store, namespace)?;
    let get_cold = trips(stage, cold.get_checkpoint(GetCheckpoint::latest(THREAD))).await?;
    let cold = open(store, namespace)?;
    let middle = reference(THREAD, turns / 2);
    let get_by_id_cold = trips(stage, cold.at(&middle)).await?;
    let cold = open(store, namespace)?;
    let list_cold = trips(stage, cold.list_checkpoints(page())).await?;
    // Another instance has read the parent of what is put now.
    let reader = open(store, namespace)?;
    reader.latest(THREAD).await?;
    let next = turn(THREAD, turns, &mut list, "one more turn");
    let put = trips(stage, writer.put_checkpoint(next)).await?;
    let get_after_parent =
        trips(stage, reader.get_checkpoint(GetCheckpoint::latest(THREAD))).await?;
    let found = reader.latest(THREAD).await?.ok_or("it is there")?;
    assert_eq!(
        found.value("messages").map(|value| value.bytes().to_vec()),
        Some(list.clone().into())
    );
    let cold = open(store, namespace)?;
    let next = turn(THREAD, turns + 1, &mut list, "by somebody else");
    let put_cold = trips(stage, cold.put_checkpoint(next)).await?;
    writer.latest(THREAD).await?.ok_or("it is there")?;
    writer.touch_thread(TouchThread::new(THREAD)).await?;
    let touch = trips(stage, writer.touch_thread(TouchThread::new(THREAD))).await?;
    let mut in_a_run = |number| {
        let mut next = turn(THREAD, number, &mut list, "in a run");
        next.metadata = next.metadata.with("run_id", "run");
        trips(stage, writer.put_checkpoint(next))
    };
    let put_new_run = in_a_run(turns + 2).await?;
    let put_same_run = in_a_run(turns + 3).await?;
    let made = || turn("made", 0, &mut "[]".to_owned(), "begin");
    let create = trips(stage, writer.put_checkpoint(made())).await?;
    let delete = trips(stage, writer.delete_thread("made")).await?;
    let delete_absent = trips(stage, writer.delete_thread("made")).await?;
    Ok(Costs {
        put,
        put_cold,
        touch,
        writes: wrote,
        get_known,
        get_cold,
        get_by_id_cold,
        get_after_parent,
        list_known,
        list_cold,
        put_new_run,
        put_same_run,
        create,
        delete,
        delete_absent,
    })
}

/// Has every kind of call made once, on all nodes.
async fn warm_up(
    writer: &Checkpoints<RedisThreads>,
    reader: &Checkpoints<RedisThreads>,
    page: ListCheckpoints,
) -> Result<(), Failed> {
    reader.latest(THREAD).await?.ok_or("it is there")?;
    reader.list_checkpoints(page).await?;
    for number in 0..30 {
        let thread = format!("warm {number}");
        let mut put = turn(&thread, 0, &mut "[]".to_owned(), "begin");
        put.metadata = put.metadata.with("run_id", format!("warm {number}"));
        writer.put_checkpoint(put).await?;
        writer.delete_thread(thread).await?;
    }
    Ok(())
}

/// How many round trips a call has taken.
async fn trips<T>(
    stage: &Stage,
    call: impl Future<Output = state_core::Result<T>>,
) -> Result<u64, Failed> {
    let before = stage.counts();
    call.await?;
    let sent = stage.counts().into_iter().zip(before).map(|(now, before)| now.since(&before));
    Ok(sent.map(|sent| sent.round_trips).sum())
}
