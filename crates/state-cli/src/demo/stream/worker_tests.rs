//! The worker on a memory store: crashes at every step, late writes, and a foreign job.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use state_core::{
    BoxFuture, Clock, ErrorKind, Fence, FenceToken, GetOptions, ManualClock, Namespace,
    StateBackend, StateBackendExt,
};
use state_local::MemoryStore;
use tempfile::TempDir;

use super::event::Event;
use super::job::{self, Counts, Job, Position, Totals};
use super::reader::Piece;
use super::worker::{Plan, Worker, commit};
use super::{proof, reader};
use crate::failure::{Exit, Failure};

const LEASE_TTL: Duration = Duration::from_secs(2);

/// A folder with text, and a store whose time stands still.
struct Bench {
    folder: TempDir,
    clock: ManualClock,
    store: Arc<dyn StateBackend>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "one two\nthree\n\nfour five six\n").unwrap();
        fs::write(folder.path().join("b.md"), "# title\n\na word without a line end").unwrap();
        fs::write(folder.path().join("c.txt"), "").unwrap();
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let store = Arc::new(store.open(Namespace::default()).unwrap());
        Self { folder, clock, store }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn worker_in(&self, root: &Path) -> Worker {
        let plan = Plan {
            root: root.to_owned(),
            not_in: None,
            every_lines: Some(1),
            lease_ttl: LEASE_TTL,
        };
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        Worker { store: Arc::clone(&self.store), clock, plan }
    }

    /// Runs a worker that dies when it tells of its `crash_at`-th event, its lease not released;
    /// returns what it told.
    async fn run(&self, crash_at: Option<usize>) -> (Result<Position, Failure>, Vec<Event>) {
        let dead = Arc::new(AtomicBool::new(false));
        let spawner_dead = Arc::clone(&dead);
        let spawn = move |task: BoxFuture<'static, ()>| {
            if !spawner_dead.load(Ordering::SeqCst) {
                drop(tokio::spawn(task));
            }
        };
        let mut events = Vec::new();
        let result = self
            .worker_in(self.root())
            .run(Arc::new(spawn), |event| {
                events.push(event);
                if crash_at == Some(events.len()) {
                    dead.store(true, Ordering::SeqCst);
                    return Err(Failure::conflict("crash", ""));
                }
                Ok(())
            })
            .await;
        (result, events)
    }

    /// Lets the lease of a dead worker run out.
    fn outlive_the_lease(&self) {
        self.clock.advance(LEASE_TTL + Duration::from_millis(1));
    }

    async fn job(&self) -> Job {
        let read = job::read(&*self.store, &job::job_key(), GetOptions::new()).await;
        read.unwrap().unwrap().0
    }

    async fn assert_exact(&self, context: &str) {
        let job = self.job().await;
        let files = job::read_list(&*self.store, &job, GetOptions::new()).await.unwrap();
        let pass = proof::uninterrupted(self.root(), &files, &ProgressBar::hidden());
        assert!(pass.changed.is_empty());
        assert_eq!(job::read_totals(&*self.store).await.unwrap(), pass.totals, "{context}");
    }
}

fn token_of(events: &[Event]) -> u64 {
    let token = events.iter().find_map(|event| match event {
        Event::Acquired { token, .. } => Some(*token),
        _ => None,
    });
    token.unwrap()
}

#[tokio::test]
async fn an_undisturbed_worker_counts_what_a_plain_pass_counts() {
    let bench = Bench::new();
    let (position, events) = bench.run(None).await;
    let position = position.unwrap();
    assert!(position.finished);
    bench.assert_exact("undisturbed").await;
    let expected = Totals::from([
        ("md".to_owned(), Counts { files: 1, lines: 3, words: 8 }),
        ("txt".to_owned(), Counts { files: 2, lines: 4, words: 6 }),
    ]);
    assert_eq!(job::read_totals(&*bench.store).await.unwrap(), expected);
    assert!(events.len() > 10, "every line is a transaction: {events:?}");
    // Nothing is left to do, and doing it again changes nothing.
    bench.run(None).await.0.unwrap();
    bench.assert_exact("run again").await;
}

#[tokio::test]
async fn totals_are_exact_after_a_crash_at_any_step() {
    let mut crash_at = 1;
    loop {
        let bench = Bench::new();
        let (result, first) = bench.run(Some(crash_at)).await;
        if result.is_ok() {
            break;
        }
        bench.outlive_the_lease();
        let (position, second) = bench.run(None).await;
        assert!(position.unwrap().finished);
        bench.assert_exact(&format!("crash at {crash_at}: {:?}", first.last())).await;
        let begun = first.iter().any(|event| matches!(event, Event::Begun { .. }));
        let workers = job::read_workers(&*bench.store).await.unwrap();
        assert_eq!(workers, 1 + u64::from(begun), "crash at {crash_at}");
        let acquired = first.iter().any(|event| matches!(event, Event::Acquired { .. }));
        if acquired && !matches!(first.last(), Some(Event::Finished { .. })) {
            assert!(token_of(&second) > token_of(&first));
        }
        crash_at += 1;
    }
    assert!(crash_at > 20, "only {crash_at} steps");
}

#[tokio::test]
async fn workers_that_all_die_young_finish_the_job_together() {
    let bench = Bench::new();
    let mut workers = 0;
    loop {
        // Each lives for one transaction: acquired, begun, ready, committed, ready.
        let (result, _) = bench.run(Some(5)).await;
        workers += 1;
        if result.is_ok() {
            break;
        }
        bench.outlive_the_lease();
        assert!(workers < 1_000);
    }
    assert!(workers > 5);
    bench.assert_exact("many crashes").await;
    assert_eq!(job::read_workers(&*bench.store).await.unwrap(), workers);
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_over_is_fenced() {
    let bench = Bench::new();
    let (_, first) = bench.run(Some(3)).await;
    let stale = token_of(&first);
    let job = bench.job().await;
    let files = job::read_list(&*bench.store, &job, GetOptions::new()).await.unwrap();
    let key = job::position_key();
    let read = job::read::<Position>(&*bench.store, &key, GetOptions::new()).await;
    let (position, version) = read.unwrap().unwrap();
    let mut reader = reader::Reader::new(&job, files.into(), position);
    let piece = reader.next_piece().unwrap();

    bench.outlive_the_lease();
    let (_, second) = bench.run(Some(4)).await;
    let fence = Fence::new(job::LEASE, FenceToken::new(stale));
    let refused = commit(&*bench.store, &piece, version, fence).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);

    bench.outlive_the_lease();
    bench.run(None).await.0.unwrap();
    bench.assert_exact("after a late commit").await;
    for token in [stale, token_of(&second)] {
        assert!(proof::late_write_is_refused(&*bench.store, token).await.unwrap());
    }
    bench.assert_exact("after late writes").await;
}

#[tokio::test]
async fn the_check_of_late_writes_notices_a_store_that_takes_them() {
    let bench = Bench::new();
    let (_, events) = bench.run(None).await;
    // The latest token is not stale, so the store takes the write: the check must say so.
    assert!(!proof::late_write_is_refused(&*bench.store, token_of(&events)).await.unwrap());
    assert!(bench.store.contains(job::counter_key("words", "late")).await.unwrap());
}

#[tokio::test]
async fn a_piece_is_committed_once() {
    let bench = Bench::new();
    let (_, events) = bench.run(Some(4)).await;
    let fence = Fence::new(job::LEASE, FenceToken::new(token_of(&events)));
    let key = job::position_key();
    let read = job::read::<Position>(&*bench.store, &key, GetOptions::new()).await;
    let (position, version) = read.unwrap().unwrap();
    let piece = Piece { after: position, counts: Totals::new() };
    commit(&*bench.store, &piece, version, fence.clone()).await.unwrap();
    let again = commit(&*bench.store, &piece, version, fence).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_job_of_another_folder_is_left_alone() {
    let bench = Bench::new();
    bench.run(None).await.0.unwrap();
    let other = tempfile::tempdir().unwrap();
    let spawn = |task: BoxFuture<'static, ()>| drop(tokio::spawn(task));
    let failure = bench.worker_in(other.path()).run(Arc::new(spawn), |_| Ok(())).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Conflict);
    bench.assert_exact("another folder").await;
}

#[tokio::test]
async fn a_file_that_shrinks_meanwhile_is_named() {
    let bench = Bench::new();
    bench.run(Some(4)).await.0.unwrap_err();
    fs::write(bench.root().join("b.md"), "#").unwrap();
    bench.outlive_the_lease();
    let position = bench.run(None).await.0.unwrap();
    assert_eq!(position.changed_files, 1);
    let job = bench.job().await;
    let files = job::read_list(&*bench.store, &job, GetOptions::new()).await.unwrap();
    let pass = proof::uninterrupted(bench.root(), &files, &ProgressBar::hidden());
    assert_eq!(pass.changed, ["b.md"]);
}

#[tokio::test]
async fn without_text_no_lease_is_taken() {
    let bench = Bench::new();
    for file in ["a.txt", "b.md"] {
        fs::remove_file(bench.root().join(file)).unwrap();
    }
    let (result, events) = bench.run(None).await;
    assert_eq!(result.unwrap_err().exit(), Exit::Usage);
    assert!(events.is_empty(), "{events:?}");
    let leases = bench.store.as_lease().unwrap();
    assert_eq!(leases.read_lease(&job::LEASE.into()).await.unwrap(), None);
}
