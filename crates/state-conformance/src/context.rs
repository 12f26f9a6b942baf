//! What a clause works with: two instances of a fresh namespace, time, and background work.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use state_core::{
    BoxFuture, Capabilities, Capability, Clock, Error, ErrorKind, ManualClock, Namespace, OwnerId,
    Result, Spawn, StateBackend, SystemClock, Timestamp,
};

use crate::Fixture;

/// What a clause works with. Cloning is cheap; clones share everything.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// An instance of a namespace that nobody else uses.
    pub a: Arc<dyn StateBackend>,
    /// A second, independent instance of the same namespace.
    pub b: Arc<dyn StateBackend>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    /// Absent only while the store is being restarted, or when that failed.
    fixture: Mutex<Option<Fixture>>,
    clock: Option<ManualClock>,
    namespace: Namespace,
    /// One instance of each namespace that was opened, to clear it in the end.
    opened: Mutex<Vec<Arc<dyn StateBackend>>>,
}

impl Context {
    /// Opens two instances of a fresh namespace.
    pub(crate) async fn new(fixture: Fixture) -> Result<Self> {
        let namespace = Namespace::new(format!("clause-{}", OwnerId::random()))?;
        let a = fixture.open(namespace.clone()).await?;
        let b = fixture.open(namespace.clone()).await?;
        let opened = Mutex::new(vec![Arc::clone(&a)]);
        let clock = fixture.clock().cloned();
        let fixture = Mutex::new(Some(fixture));
        Ok(Self { a, b, shared: Arc::new(Shared { fixture, clock, namespace, opened }) })
    }

    /// What the backend declares.
    pub fn capabilities(&self) -> Capabilities {
        self.a.capabilities()
    }

    /// Whether the backend declares `capability`.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities().has(capability)
    }

    /// The namespace of `a` and `b`.
    pub fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    /// Opens the namespace whose name is that of `a` followed by `suffix`: of `""` another
    /// instance of the same namespace, of `"b"` a namespace that the clause's own is a prefix of.
    ///
    /// # Errors
    /// Those of the fixture.
    pub async fn open(&self, suffix: impl AsRef<[u8]> + Send) -> Result<Arc<dyn StateBackend>> {
        let mut name = BytesMut::from(self.shared.namespace.as_bytes().as_ref());
        name.put_slice(suffix.as_ref());
        let backend = self.shared.fixture()?.open(Namespace::new(name.freeze())?).await?;
        let mut opened = lock(&self.shared.opened);
        opened.push(Arc::clone(&backend));
        Ok(backend)
    }

    /// Another instance of the namespace, of which the caller holds the only reference.
    ///
    /// # Errors
    /// Those of the fixture.
    pub async fn open_unkept(&self) -> Result<Arc<dyn StateBackend>> {
        self.shared.fixture()?.open(self.shared.namespace.clone()).await
    }

    /// Closes the store, as the end of its process would, and opens it again. The caller must
    /// not keep any other instance, stream or clone of the context.
    ///
    /// # Errors
    /// Those of the fixture; `Unsupported` when it cannot be restarted.
    pub async fn restart(self) -> Result<Self> {
        let Self { a, b, shared } = self;
        drop((a, b));
        drop(std::mem::take(&mut *lock(&shared.opened)));
        let fixture = shared.fixture()?;
        drop(lock(&shared.fixture).take());
        let fixture = fixture.restart().await?;
        let a = fixture.open(shared.namespace.clone()).await?;
        let b = fixture.open(shared.namespace.clone()).await?;
        lock(&shared.opened).push(Arc::clone(&a));
        *lock(&shared.fixture) = Some(fixture);
        Ok(Self { a, b, shared })
    }

    /// What outlives the clause, to clean up after it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The clock of the store where it can be moved, else the machine's.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match &self.shared.clock {
            Some(clock) => Arc::new(clock.clone()),
            None => Arc::new(SystemClock::new()),
        }
    }

    /// The time of day on [`clock`](Self::clock).
    pub fn now(&self) -> Timestamp {
        self.clock().wall()
    }

    /// Whether time can be moved; else [`advance`](Self::advance) waits.
    pub fn time_moves(&self) -> bool {
        self.shared.clock.is_some()
    }

    /// Lets `by` pass: moves the clock and gives background work a turn, or waits.
    pub async fn advance(&self, by: Duration) {
        let Some(clock) = &self.shared.clock else {
            return SystemClock::new().sleep(by).await;
        };
        self.settle().await;
        clock.advance(by);
        self.settle().await;
    }

    /// A lifetime that is long enough to act in and short enough to wait for: 10 s where time
    /// can be moved, 400 ms elsewhere.
    pub fn lifetime(&self) -> Duration {
        if self.time_moves() { Duration::from_secs(10) } else { Duration::from_millis(400) }
    }

    /// Lets [`lifetime`](Self::lifetime) pass, and a little more where time cannot be moved.
    pub async fn outlive(&self) {
        let slack = if self.time_moves() { Duration::ZERO } else { Duration::from_millis(50) };
        self.advance(self.lifetime().saturating_add(slack)).await;
    }

    /// How far two readings of time may lie apart: nothing where time can be moved, 2 s
    /// elsewhere.
    pub fn tolerance(&self) -> Duration {
        if self.time_moves() { Duration::ZERO } else { Duration::from_secs(2) }
    }

    /// Gives background tasks of this runtime some turns, without letting time pass.
    pub async fn settle(&self) {
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
    }

    /// Starts a task; its panic is passed on to whoever awaits it, and dropping the handle ends
    /// it.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        Task(tokio::spawn(future))
    }

    /// Starts tasks on the runtime of the clause.
    pub fn spawner(&self) -> Arc<dyn Spawn> {
        let runtime = tokio::runtime::Handle::current();
        Arc::new(move |task: BoxFuture<'static, ()>| drop(runtime.spawn(task)))
    }

    /// Bytes that differ from clause to clause and run to run, for ids.
    pub fn random_bytes(&self) -> [u8; 16] {
        *OwnerId::random().as_bytes()
    }
}

impl Shared {
    fn fixture(&self) -> Result<Fixture> {
        let fixture = lock(&self.fixture).clone();
        fixture.ok_or_else(|| Error::new(ErrorKind::Closed, "the store was not opened again"))
    }

    /// Clears every namespace that was opened, and says what is left.
    pub(crate) async fn clean_up(&self) -> Option<String> {
        let opened = std::mem::take(&mut *lock(&self.opened));
        for backend in opened {
            match leftovers(&*backend).await {
                Ok(0) => {}
                Ok(count) => return Some(format!("{count} entries or hashes are left over")),
                Err(error) => return Some(format!("cannot be cleaned up: {error}")),
            }
        }
        None
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A clause that panics in another thread leaves these as whole as they were.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clears a namespace and counts what is left in it.
async fn leftovers(backend: &dyn StateBackend) -> Result<usize> {
    use futures_util::TryStreamExt;
    use state_core::{ClearOptions, CountOptions, ListOptions, SnapshotOptions};
    backend.clear_opts(ClearOptions::default()).await?;
    let counted = backend.count_opts(CountOptions::default()).await?;
    let listed = backend.list_page(ListOptions::default()).await?.items.len();
    let records = backend.snapshot_opts(SnapshotOptions::default()).await?;
    let records: Vec<Bytes> =
        records.map_ok(|record| record.key().name().clone()).try_collect().await?;
    let counted = usize::try_from(counted).unwrap_or(usize::MAX);
    Ok(counted.max(listed).max(records.len()))
}

/// A task that a clause has started. Awaiting it gives its result.
#[derive(Debug)]
#[must_use = "dropping the handle ends the task"]
pub struct Task<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only dropping this handle, or the end of the runtime, cancels the task.
                Err(_cancelled) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
