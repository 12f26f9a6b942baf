//! What a suite is given: how to open a store, and what can be done to it from outside.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use state_core::{BoxFuture, Error, ManualClock, Namespace, Result, StateBackend};

use crate::{Facility, Subject};

type Open<S> = dyn Fn(Namespace) -> BoxFuture<'static, Result<Arc<S>>> + Send + Sync;
type Restart<S> = dyn Fn() -> BoxFuture<'static, Result<Fixture<S>>> + Send + Sync;
type Count = dyn Fn(Namespace) -> BoxFuture<'static, Result<u64>> + Send + Sync;
type Reach = dyn Fn(bool) -> BoxFuture<'static, Result<()>> + Send + Sync;

/// A store that clauses open instances of. Each clause gets its own, from the suite's factory.
///
/// Dropping the last clone drops the closure, so whatever the closure holds, a temporary folder
/// or a server, lives as long as the clause runs.
pub struct Fixture<S: Subject + ?Sized = dyn StateBackend> {
    open: Arc<Open<S>>,
    clock: Option<ManualClock>,
    restart: Option<Arc<Restart<S>>>,
    count: Option<Arc<Count>>,
    reach: Option<Arc<Reach>>,
    room: Option<usize>,
}

impl<S: Subject + ?Sized> Fixture<S> {
    /// A store whose instances `open` makes: each call gives a new, independent instance bound
    /// to the namespace that it names, and instances of one namespace see the same data.
    pub fn new<F, Opening>(open: F) -> Self
    where
        F: Fn(Namespace) -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Result<Arc<S>>> + Send + 'static,
    {
        Self {
            open: Arc::new(move |namespace| Box::pin(open(namespace))),
            clock: None,
            restart: None,
            count: None,
            reach: None,
            room: None,
        }
    }

    /// Says that the store takes its time from `clock`, so that clauses move it instead of
    /// waiting.
    #[must_use]
    pub fn with_clock(mut self, clock: ManualClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Says how the same store is opened again, as another process would, once every instance
    /// and every clone of this fixture is gone. A durable store that cannot be restarted is not
    /// held to the clauses about that.
    ///
    /// `restart` must not keep the store open. It gives a whole fixture, with the same clock.
    #[must_use]
    pub fn with_restart<F, Restarting>(mut self, restart: F) -> Self
    where
        F: Fn() -> Restarting + Send + Sync + 'static,
        Restarting: Future<Output = Result<Self>> + Send + 'static,
    {
        self.restart = Some(Arc::new(move || Box::pin(restart())));
        self
    }

    /// Says how to count what lies in the store beneath a namespace: keys, rows, whatever it is
    /// made of. A store that is not counted is not held to the clauses about leftovers.
    #[must_use]
    pub fn with_count<F, Counting>(mut self, count: F) -> Self
    where
        F: Fn(Namespace) -> Counting + Send + Sync + 'static,
        Counting: Future<Output = Result<u64>> + Send + 'static,
    {
        self.count = Some(Arc::new(move |namespace| Box::pin(count(namespace))));
        self
    }

    /// Says how to make the store unreachable (`false`), and reachable again (`true`). A store
    /// that is always within reach is not held to the clauses about that.
    #[must_use]
    pub fn with_reach<F, Reaching>(mut self, reach: F) -> Self
    where
        F: Fn(bool) -> Reaching + Send + Sync + 'static,
        Reaching: Future<Output = Result<()>> + Send + 'static,
    {
        self.reach = Some(Arc::new(move |on| Box::pin(reach(on))));
        self
    }

    /// Says how many entries a namespace of the store has room for, before it evicts some. A store
    /// of which that is not known is not held to the clauses about eviction, which write more; the
    /// other clauses write up to 11,000, and must find all of them.
    #[must_use]
    pub fn with_room(mut self, entries: usize) -> Self {
        self.room = Some(entries);
        self
    }

    /// How many entries a namespace has room for; 0 where that is not known.
    pub(crate) fn room(&self) -> usize {
        self.room.unwrap_or_default()
    }

    /// Whether this can be done to the store.
    pub const fn can(&self, facility: Facility) -> bool {
        match facility {
            Facility::MovableTime => self.clock.is_some(),
            Facility::Restart => self.restart.is_some(),
            Facility::Count => self.count.is_some(),
            Facility::Reach => self.reach.is_some(),
            Facility::Room => self.room.is_some(),
        }
    }

    /// What lies in the store beneath a namespace; `None` where it is not counted.
    pub(crate) async fn count(&self, namespace: Namespace) -> Result<Option<u64>> {
        match &self.count {
            Some(count) => count(namespace).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the store reachable or unreachable, where that can be done.
    pub(crate) async fn reach(&self, on: bool) -> Result<()> {
        match &self.reach {
            Some(reach) => reach(on).await,
            None => Ok(()),
        }
    }

    /// Drops this fixture, which closes the store when it was the last, and opens it again.
    pub(crate) async fn restart(self) -> Result<Self> {
        let Some(restart) = self.restart.clone() else {
            return Err(Error::unsupported("a restart"));
        };
        drop(self);
        restart().await
    }

    /// The clock that can be moved, if there is one.
    pub const fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }

    /// Opens an instance.
    ///
    /// # Errors
    /// Those of the closure.
    pub async fn open(&self, namespace: Namespace) -> Result<Arc<S>> {
        (self.open)(namespace).await
    }
}

impl<S: Subject + ?Sized> Clone for Fixture<S> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            clock: self.clock.clone(),
            restart: self.restart.clone(),
            count: self.count.clone(),
            reach: self.reach.clone(),
            room: self.room,
        }
    }
}

impl<S: Subject + ?Sized> fmt::Debug for Fixture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("clock", &self.clock).finish_non_exhaustive()
    }
}
