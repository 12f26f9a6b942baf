//! What a suite is given: how to open a backend, and how to move its time.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use state_core::{BoxFuture, Error, ManualClock, Namespace, Result, StateBackend};

type Open = dyn Fn(Namespace) -> BoxFuture<'static, Result<Arc<dyn StateBackend>>> + Send + Sync;
type Restart = dyn Fn() -> BoxFuture<'static, Result<Fixture>> + Send + Sync;

/// A store that clauses open instances of. Each clause gets its own, from the suite's factory.
///
/// Dropping the last clone drops the closure, so whatever the closure holds, a temporary folder
/// or a server, lives as long as the clause runs.
#[derive(Clone)]
pub struct Fixture {
    open: Arc<Open>,
    clock: Option<ManualClock>,
    restart: Option<Arc<Restart>>,
}

impl Fixture {
    /// A store whose instances `open` makes: each call gives a new, independent instance bound
    /// to the namespace that it names, and instances of one namespace see the same entries.
    pub fn new<F, Opening>(open: F) -> Self
    where
        F: Fn(Namespace) -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Result<Arc<dyn StateBackend>>> + Send + 'static,
    {
        Self {
            open: Arc::new(move |namespace| Box::pin(open(namespace))),
            clock: None,
            restart: None,
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

    /// Whether the store can be closed and opened again.
    pub const fn can_restart(&self) -> bool {
        self.restart.is_some()
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
    pub async fn open(&self, namespace: Namespace) -> Result<Arc<dyn StateBackend>> {
        (self.open)(namespace).await
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("clock", &self.clock).finish_non_exhaustive()
    }
}
