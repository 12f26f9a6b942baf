//! A worker that leads by a lease, and whose late writes the store refuses.
//!
//! `cargo run -p leader-with-fencing`. A lease gives liveness: one worker leads at a time, and
//! another takes over when it stops. It cannot give safety, because a worker that was paused does
//! not know that its lease has run out. The *fencing token* does: every checkpoint carries the
//! token of its leader, and the store refuses a smaller one than it has seen.
//!
//! In one process this needs no server. For workers on several machines, let
//! `RedisStore::connect("redis://127.0.0.1:6379").await?` of `state-redis` be the store: its
//! `open(namespace).await?` offers the leases, `checkpoints(namespace, options)?` the threads.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use state_checkpoint::{BackendThreads, CheckpointOptions, Checkpoints, Thread};
use state_core::checkpoint::Ownership;
use state_core::{
    BoxFuture, Clock, ErrorKind, Lease, LeaseOptions, Leases, Namespace, Result, StateBackend,
};
use state_local::MemoryStore;

const THREAD: &str = "job";
const LEASE: Duration = Duration::from_secs(10);

/// How far the job has come, and who brought it there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Position {
    items: u64,
    by: String,
}

/// Opens a namespace of the store that all workers share, each for itself.
type Open<'a> = &'a dyn Fn(Namespace) -> Result<Arc<dyn StateBackend>>;

/// One worker, with instances of its own: what it knows, it knows from the store.
struct Worker {
    name: &'static str,
    leases: Leases,
    checkpoints: Checkpoints<BackendThreads>,
}

impl Worker {
    fn new(name: &'static str, open: Open<'_>, clock: &Arc<dyn Clock>) -> Result<Self> {
        let spawn = |task: BoxFuture<'static, ()>| drop(tokio::spawn(task));
        let leases = open(Namespace::new("leases")?)?;
        let leases = Leases::new(leases, Arc::clone(clock), Arc::new(spawn));
        let work = open(Namespace::new("work")?)?;
        let checkpoints = Checkpoints::open_with(work, CheckpointOptions::new())?;
        Ok(Self { name, leases, checkpoints })
    }

    /// The lease, if nobody else leads.
    async fn lead(&self) -> Result<Option<Lease>> {
        self.leases.try_acquire("leader", LeaseOptions::new(LEASE)).await
    }

    /// Does one item of the job as the leader. `Fenced` means: another leads now, stop.
    async fn work(&self, lease: &Lease) -> Result<Position> {
        let whose = Ownership::Holder(lease.fence());
        let job: Thread<Position> = self.checkpoints.thread(THREAD).with_ownership(whose);
        // A read raises no mark: who claims the thread first reads what stays the latest.
        job.claim().await?;
        let mut position = job.load().await?.unwrap_or_default();
        position.items += 1;
        self.name.clone_into(&mut position.by);
        job.save(&position).await?;
        Ok(position)
    }
}

/// A leader works, is paused, and wakes up too late; `pause` lets its lease run out.
async fn tell(
    open: Open<'_>,
    clock: &Arc<dyn Clock>,
    pause: impl AsyncFnOnce(),
) -> Result<Vec<String>> {
    let (first, second) = (Worker::new("first", open, clock)?, Worker::new("second", open, clock)?);
    let mut told = Vec::new();
    let Some(old) = first.lead().await? else { return Ok(told) };
    told.push(format!("first leads under token {}: {:?}", old.token(), first.work(&old).await?));
    told.push(format!("second may lead meanwhile: {}", second.lead().await?.is_some()));

    pause().await;

    let Some(new) = second.lead().await? else { return Ok(told) };
    told.push(format!("second leads under token {}: {:?}", new.token(), second.work(&new).await?));
    let late = first.work(&old).await;
    let refused = late.as_ref().is_err_and(|error| error.kind() == ErrorKind::Fenced);
    told.push(format!("first wakes up; its late write is refused: {refused}"));
    told.push(format!("second goes on: {:?}", second.work(&new).await?));
    new.release().await?;
    Ok(told)
}

#[expect(clippy::print_stdout, reason = "an example talks to its reader")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // Time moves by hand, so that nobody has to wait for a lease to run out.
    let hands = state_core::ManualClock::new();
    let clock: Arc<dyn Clock> = Arc::new(hands.clone());
    let store = MemoryStore::builder().clock(hands.clone()).build();
    let open = |namespace| Ok(Arc::new(store.open(namespace)?) as Arc<dyn StateBackend>);
    for line in tell(&open, &clock, async || hands.advance(LEASE * 2)).await? {
        println!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use state_core::ManualClock;
    use state_local::FileStore;

    use super::*;

    #[tokio::test]
    async fn a_late_leader_is_refused() {
        let hands = ManualClock::new();
        let store = MemoryStore::builder().clock(hands.clone()).build();
        let open = |namespace| Ok(Arc::new(store.open(namespace)?) as Arc<dyn StateBackend>);
        refused(&open, hands).await;
    }

    #[tokio::test]
    async fn a_late_leader_is_refused_by_a_file() {
        let hands = ManualClock::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = FileStore::builder().clock(hands.clone()).open(path).await.unwrap();
        let open = |namespace| Ok(Arc::new(store.open(namespace)?) as Arc<dyn StateBackend>);
        refused(&open, hands).await;
    }

    async fn refused(open: Open<'_>, hands: ManualClock) {
        let clock: Arc<dyn Clock> = Arc::new(hands.clone());
        let told = tell(open, &clock, async || hands.advance(LEASE * 2)).await.unwrap();
        let said = |line: usize, text: &str| assert!(told[line].contains(text), "{told:#?}");
        said(0, r#"items: 1, by: "first""#);
        said(1, "meanwhile: false");
        said(2, r#"items: 2, by: "second""#);
        said(3, "refused: true");
        said(4, r#"items: 3, by: "second""#);
        let checkpoints = Worker::new("third", open, &clock).unwrap().checkpoints;
        let steps = checkpoints.thread::<Position>(THREAD);
        let steps: Vec<_> = futures_util::TryStreamExt::try_collect(steps.history()).await.unwrap();
        assert_eq!(steps.len(), 3, "the refused write left something behind");
    }
}
