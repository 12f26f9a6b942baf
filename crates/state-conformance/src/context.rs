//! What a clause works with: two instances of a fresh namespace, time, and background work.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use state_core::{
    BoxFuture, Capabilities, Capability, Clock, Error, ErrorKind, ManualClock, Namespace, OwnerId,
    Result, Spawn, StateBackend, SystemClock, Timestamp,
};

use crate::model_runs::ModelRuns;
use crate::{Fixture, Subject, Task};

/// What a clause works with. Cloning is cheap; clones share everything.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<S: Subject + ?Sized = dyn StateBackend> {
    /// An instance of a namespace that nobody else uses.
    pub a: Arc<S>,
    /// A second, independent instance of the same namespace.
    pub b: Arc<S>,
    shared: Arc<Shared<S>>,
}

impl<S: Subject + ?Sized> Clone for Context<S> {
    fn clone(&self) -> Self {
        let (a, b) = (Arc::clone(&self.a), Arc::clone(&self.b));
        Self { a, b, shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
pub(crate) struct Shared<S: Subject + ?Sized> {
    /// Absent only while the store is being restarted, or when that failed.
    fixture: Mutex<Option<Fixture<S>>>,
    clock: Option<ManualClock>,
    model_runs: ModelRuns,
    namespace: Namespace,
    /// One instance of each namespace that was opened, to clear it in the end.
    opened: Mutex<Vec<(Namespace, Arc<S>)>>,
}

impl Context {
    /// What the backend declares.
    pub fn capabilities(&self) -> Capabilities {
        self.a.capabilities()
    }

    /// Whether the backend declares `capability`.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities().has(capability)
    }
}

impl<S: Subject + ?Sized> Context<S> {
    /// Opens two instances of a fresh namespace.
    pub(crate) async fn new(fixture: Fixture<S>, model_runs: ModelRuns) -> Result<Self> {
        let namespace = Namespace::new(format!("clause-{}", OwnerId::random()))?;
        let a = fixture.open(namespace.clone()).await?;
        let b = fixture.open(namespace.clone()).await?;
        let opened = Mutex::new(vec![(namespace.clone(), Arc::clone(&a))]);
        let clock = fixture.clock().cloned();
        let fixture = Mutex::new(Some(fixture));
        let shared = Arc::new(Shared { fixture, clock, model_runs, namespace, opened });
        Ok(Self { a, b, shared })
    }

    /// Which random sequences are drawn.
    pub(crate) fn model_runs(&self) -> ModelRuns {
        self.shared.model_runs
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
    pub async fn open(&self, suffix: impl AsRef<[u8]> + Send) -> Result<Arc<S>> {
        let mut name = BytesMut::from(self.shared.namespace.as_bytes().as_ref());
        name.put_slice(suffix.as_ref());
        let namespace = Namespace::new(name.freeze())?;
        let store = self.shared.fixture()?.open(namespace.clone()).await?;
        lock(&self.shared.opened).push((namespace, Arc::clone(&store)));
        Ok(store)
    }

    /// Another instance of the namespace, of which the caller holds the only reference.
    ///
    /// # Errors
    /// Those of the fixture.
    pub async fn open_unkept(&self) -> Result<Arc<S>> {
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
        lock(&shared.opened).push((shared.namespace.clone(), Arc::clone(&a)));
        *lock(&shared.fixture) = Some(fixture);
        Ok(Self { a, b, shared })
    }

    /// How many records lie in the store beneath the namespace; 0 where the fixture does not
    /// count them.
    ///
    /// # Errors
    /// Those of the fixture.
    pub async fn records(&self) -> Result<u64> {
        let counted = self.shared.fixture()?.count(self.shared.namespace.clone()).await?;
        Ok(counted.unwrap_or_default())
    }

    /// How many entries the namespace has room for; 0 where the fixture does not know it.
    pub fn room(&self) -> usize {
        lock(&self.shared.fixture).as_ref().map_or(0, Fixture::room)
    }

    /// Makes the store reachable or unreachable, where the fixture can do that.
    ///
    /// # Errors
    /// Those of the fixture.
    pub async fn reach(&self, on: bool) -> Result<()> {
        self.shared.fixture()?.reach(on).await
    }

    /// What outlives the clause, to clean up after it.
    pub(crate) fn shared(&self) -> Arc<Shared<S>> {
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
    /// can be moved, 1 s elsewhere.
    pub fn lifetime(&self) -> Duration {
        if self.time_moves() { Duration::from_secs(10) } else { Duration::from_secs(1) }
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

impl<S: Subject + ?Sized> Shared<S> {
    fn fixture(&self) -> Result<Fixture<S>> {
        let fixture = lock(&self.fixture).clone();
        fixture.ok_or_else(|| Error::new(ErrorKind::Closed, "the store was not opened again"))
    }

    /// Clears every namespace that was opened, and says what is left.
    pub(crate) async fn clean_up(&self) -> Option<String> {
        let opened = std::mem::take(&mut *lock(&self.opened));
        for (namespace, store) in opened {
            match self.leftovers(namespace, store).await {
                Ok(0) => {}
                Ok(count) => return Some(format!("{count} {} are left over", S::LEFTOVERS)),
                Err(error) => return Some(format!("cannot be cleaned up: {error}")),
            }
        }
        None
    }

    async fn leftovers(&self, namespace: Namespace, store: Arc<S>) -> Result<u64> {
        let left = store.clear_and_count().await?;
        let fixture = lock(&self.fixture).clone();
        let Some(fixture) = fixture else { return Ok(left) };
        let counted = fixture.count(namespace).await?;
        Ok(left.max(counted.unwrap_or_default()))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A clause that panics in another thread leaves these as whole as they were.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
