//! The clauses of the family `model`: random sequences of calls against a plain `BTreeMap`.

mod calls;
mod run;
mod step;
mod world;

use futures_util::StreamExt;
use proptest::prop_oneof;
use state_core::{Key, StateBackendExt, WatchOptions};

use crate::Context;
use step::{Step, Subject};
use world::World;

clauses! { "model": "random sequences of calls against a plain map";
    /// Any sequence of reads, puts, deletes, increments, listings, counts and clears, through both instances, leaves and answers what a map would.
    MUST "model.entries" => entries;
    /// Any sequence of calls on keys with and without partitions leaves and answers what a map of partition and name would.
    MUST "model.partitions" => partitions;
    /// Any sequence of writes with preconditions leaves and answers what a map would that checks them first.
    MUST "model.preconditions" => preconditions;
    /// Any sequence of batches leaves and answers what its calls would one by one.
    MUST "model.batches" => batches;
    /// Any sequence of writes and touches with lifetimes, while time goes on, leaves and answers what a map would that forgets on time.
    MUST "model.lifetimes" needs [Expiry] moving time => lifetimes;
    /// Any sequence of transactions leaves and answers what a map would that makes all of their writes or none.
    MUST "model.transactions" needs [Transact] => transactions;
    /// Any sequence of calls for hashes, among entries of the same keys, leaves and answers what a map of maps would.
    MUST "model.hashes" needs [Hash] => hashes;
    /// Any sequence of calls for hashes with lifetimes, while time goes on, leaves and answers what a map of maps would that forgets on time.
    MUST "model.hashes.lifetimes" needs [Hash, Expiry] moving time => hashes_with_lifetimes;
    /// After any sequence of calls, the events of a watch, replayed over an empty map, give the keys and versions that are there.
    MUST "model.watch" needs [WatchLog] => watch;
}

/// Names that are prefixes of each other, and one that a glob would take for several.
fn plain() -> Subject {
    Subject::new(["a", "ab", "b", "a*"].map(Key::from).to_vec())
}

/// The same names in and outside of partitions.
fn placed() -> Subject {
    let placed = ["p", "pa"]
        .into_iter()
        .flat_map(|partition| ["a", "ab"].map(|name| Key::in_partition(partition, name)));
    Subject::new(["a", "p"].map(Key::from).into_iter().chain(placed).collect())
}

/// Keys of one partition.
fn colocated() -> Subject {
    Subject::new(["a", "ab", "b", "c"].map(|name| Key::in_partition("p", name)).to_vec())
}

async fn entries(cx: Context) {
    let subject = plain();
    let steps = prop_oneof![4 => subject.write(), 1 => subject.read(), 1 => subject.survey()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn partitions(cx: Context) {
    let subject = placed();
    let steps = prop_oneof![3 => subject.write(), 1 => subject.read(), 3 => subject.survey()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn preconditions(cx: Context) {
    let subject = plain().with_preconditions();
    let steps = prop_oneof![8 => subject.write(), 1 => subject.read()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn batches(cx: Context) {
    let subject = placed().with_preconditions();
    let steps = prop_oneof![3 => subject.batch(), 1 => subject.write()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn lifetimes(cx: Context) {
    let subject = plain().with_preconditions().with_lifetimes();
    let steps = prop_oneof![
        6 => subject.write(),
        2 => subject.touch(),
        3 => step::advance(),
        1 => subject.survey(),
        1 => subject.batch(),
    ];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn transactions(cx: Context) {
    let subject = colocated().with_preconditions();
    let steps = prop_oneof![4 => subject.transaction(), 1 => subject.write()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn hashes(cx: Context) {
    let subject = placed();
    let steps = prop_oneof![6 => subject.hash(), 2 => subject.write(), 1 => subject.survey()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn hashes_with_lifetimes(cx: Context) {
    let subject = plain().with_lifetimes();
    let steps = prop_oneof![6 => subject.hash(), 2 => step::advance(), 1 => subject.survey()];
    run::check(cx, steps, run::compare_after_each_step).await;
}

async fn watch(cx: Context) {
    let subject = placed().with_preconditions();
    let steps = prop_oneof![
        4 => subject.write(),
        2 => subject.batch(),
        1 => subject.survey(),
    ];
    run::check(cx, steps, async |cx: &Context, world: &mut World, steps: &[Step]| {
        let watch = cx.b.as_watch().unwrap();
        let mut events = watch.watch(WatchOptions::default()).await.unwrap();
        run::take_all(cx, world, steps).await?;
        let last = cx.a.put("last", "v").await.unwrap().version;
        let mut replayed = std::collections::BTreeMap::new();
        while replayed.get(&Key::from("last")) != Some(&last) {
            let event = tokio::time::timeout(std::time::Duration::from_secs(10), events.next());
            let event = event.await.map_err(|_elapsed| "the last write was not told".to_owned())?;
            let event = event.ok_or("the watch has ended")?.map_err(|error| error.to_string())?;
            world::replay(&mut replayed, event.change)?;
        }
        replayed.remove(&Key::from("last"));
        let expected = world.versions();
        if replayed == expected {
            return Ok(());
        }
        Err(format!("the events give {replayed:?}, and there are {expected:?}"))
    })
    .await;
}
