//! Simulated episodes, each from a seed: what several clients see of one store, judged as a whole.
//!
//! `STATE_SEED` chooses other episodes and `STATE_SOAK` many more of them, as
//! `cargo xtask itest episodes --soak` does. `STATE_EPISODE` is the seed of one episode, which is
//! told line by line.
#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use state_tests::episodes::{Episode, Subject, Tally};
use state_tests::gallery::{Mutant, mutants};
use state_tests::seeded::Seeded;

const EPISODES: u64 = 2_000;
const EPISODES_SOAK: u64 = 100_000;
const THREADS: u64 = 2;

/// Episodes until each of the bugs must have been found.
const UNTIL_FOUND: u64 = 2_000;
/// Bugs, by what they do to clients, each as a mutant of the gallery.
const BUGS: [(&str, &str); 24] = [
    ("an increment is lost", "race.increment.in-steps"),
    ("an overwritten version is written over", "race.matches.in-steps"),
    ("two clients create one entry", "race.absent.in-steps"),
    ("a write that was answered is lost", "model.fourth-write-lost"),
    ("a read is stale", "kv.get.stale-cache"),
    ("a replica that is behind is read", "race.read.lags"),
    ("a version comes back", "cas.version.restarts-after-delete"),
    ("what has expired is seen", "ttl.expired.read"),
    ("what has expired is in the way", "ttl.expired.in-the-way"),
    ("an increment that is sent again counts twice", "cas.op-id.increment-twice"),
    ("a transaction that is sent again is made twice", "txn.op-id.twice"),
    ("a delete leaves what it deleted", "kv.delete.lazy"),
    ("two clients take one entry", "race.take.in-steps"),
    ("a lease has two holders", "lease.acquire.twice"),
    ("a lease that seems free is given twice", "race.lease.in-steps"),
    ("a lease that has ended comes back", "lease.renew.revives"),
    ("tokens are used again", "lease.token.constant"),
    ("a stale holder writes", "fence.put-ignored"),
    ("the last token counts, and not the greatest", "fence.last-wins"),
    ("a transaction is torn", "race.transaction.one-by-one"),
    ("what a transaction has checked is changed", "race.transaction.in-steps"),
    ("writes of a batch change places", "batch.write.backwards"),
    ("a lifetime is not set with the value", "ttl.put.dropped"),
    ("a lifetime outlives its value", "ttl.put.sticky"),
];

/// The number in a variable of the environment.
fn told(variable: &str) -> Option<u64> {
    let told = std::env::var(variable).ok()?;
    Some(told.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

fn seed_of(number: u64) -> u64 {
    Seeded::of(told("STATE_SEED").unwrap_or(0), number).number()
}

#[test]
fn the_contract_has_room_for_every_episode() {
    if let Some(seed) = told("STATE_EPISODE") {
        let episode = Episode::new(Subject::Honest, seed);
        println!("{}", episode.story());
        return explain(episode);
    }
    let soak = std::env::var_os("STATE_SOAK").is_some();
    let episodes = if soak { EPISODES_SOAK } else { EPISODES };
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let play = || {
        let mut total = Tally::default();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= episodes {
                break;
            }
            let episode = Episode::new(Subject::Honest, seed_of(number));
            if let Ok(tally) = episode.run() {
                total.add(&tally);
            } else {
                failed.store(true, Ordering::Relaxed);
                explain(episode);
            }
        }
        total
    };
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(play)).collect();
        for thread in threads {
            total.add(&thread.join().expect("an episode has failed"));
        }
    });
    println!("{episodes} episodes: {total}");
    assert!(total.unknown > episodes, "{total}");
}

/// Tells the shortest form of an episode that fails.
fn explain(episode: Episode) {
    if let Some(failure) = episode.shortest_failure() {
        panic!("{failure}\nagain: STATE_EPISODE={} cargo xtask itest episodes", failure.seed());
    }
}

fn mutant(id: &str) -> &'static Mutant {
    mutants().find(|mutant| mutant.id == id).unwrap_or_else(|| panic!("there is no {id}"))
}

/// The first episode that finds what is wrong with `subject`.
fn first_that_fails(subject: Subject) -> Option<(u64, Episode)> {
    let episodes = (0..UNTIL_FOUND).map(|number| (number, Episode::new(subject, seed_of(number))));
    episodes.into_iter().find(|(_, episode)| episode.run().is_err())
}

#[test]
fn each_seeded_bug_is_found() {
    let missed: Vec<&str> = std::thread::scope(|scope| {
        let find = |bugs: &'static [(&str, &str)]| {
            let find = bugs.iter().filter(|(bug, id)| {
                let found = first_that_fails(Subject::Mutant(mutant(id)));
                println!("{bug} ({id}): {:?}", found.as_ref().map(|(number, _)| number));
                found.is_none()
            });
            find.map(|(bug, _)| *bug).collect::<Vec<_>>()
        };
        let halves = BUGS.as_chunks::<12>().0;
        let threads: Vec<_> = halves.iter().map(|half| scope.spawn(move || find(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(missed, [""; 0], "bugs that {UNTIL_FOUND} episodes have missed");
}

#[test]
fn a_storage_that_ignores_syncs_is_found() {
    assert!(first_that_fails(Subject::IgnoredSyncs).is_some());
}

#[test]
fn an_episode_is_the_same_every_time() {
    for number in 0..100 {
        let episode = Episode::new(Subject::Honest, seed_of(number));
        assert_eq!(episode.story(), episode.story());
    }
}

#[test]
fn a_failing_episode_is_told_in_its_shortest_form() {
    let (_, episode) =
        first_that_fails(Subject::Mutant(mutant("cas.op-id.increment-twice"))).unwrap();
    let whole = episode.run().unwrap_err();
    let shortest = episode.shortest_failure().unwrap();
    assert_eq!(shortest.seed(), whole.seed());
    let lines = |story: &str| story.lines().count();
    let (short, long) = (lines(shortest.story()), lines(whole.story()));
    // Where it was, two increments, and what is read at the end.
    assert!(short <= 8 && short < long, "{long} lines became {short}:\n{shortest}");
    assert!(shortest.story().contains("with an id"), "{shortest}");
}
