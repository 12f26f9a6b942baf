//! What callers and the writer thread of a store share.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use state_core::{ErrorKind, Namespace, Result};

use super::namespace::Namespaced;
use super::opening::Origin;
use super::place::Place;
use super::queue::Queue;
use super::view::View;
use super::work::Failure;

/// A step of waiting for readers.
const READERS_WAIT: Duration = Duration::from_millis(1);

/// What callers and the writer thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) origin: Origin,
    pub(super) place: Place,
    pub(super) queue: Arc<Queue>,
    published: RwLock<Published>,
    /// Namespaces that were opened, each once.
    pub(super) namespaces: Mutex<BTreeMap<Namespace, Arc<Namespaced>>>,
    commits: AtomicU64,
    /// Held once more by each view there is.
    pub(super) views: Arc<()>,
    end: Mutex<End>,
}

/// What readers find.
#[derive(Clone, Debug)]
pub(super) enum Published {
    /// What was committed last.
    Current(Arc<Current>),
    /// Nothing, for a while: the store is compacted or verified.
    Busy,
    /// Nothing, because of this.
    Down(Failure),
    Closed,
}

/// What was committed last.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) view: View,
    pub(super) session: u64,
    /// Bytes of the engine's cache in use.
    pub(super) cache_bytes: u64,
}

/// How the writer thread ended.
#[derive(Debug, Default)]
struct End {
    how: Option<std::result::Result<(), Failure>>,
    waiting: Vec<Waker>,
}

impl Shared {
    pub(super) fn new(origin: Origin, place: Place, waiting_max: usize) -> Self {
        Self {
            origin,
            place,
            queue: Arc::new(Queue::new(waiting_max)),
            published: RwLock::new(Published::Busy),
            namespaces: Mutex::default(),
            commits: AtomicU64::new(0),
            views: Arc::default(),
            end: Mutex::default(),
        }
    }

    pub(super) fn published(&self) -> Published {
        self.published.read().clone()
    }

    pub(super) fn publish(&self, published: Published) {
        let old = std::mem::replace(&mut *self.published.write(), published);
        // Ends a read transaction, which need not happen under the lock.
        drop(old);
    }

    /// Publishes that nothing can be read, and waits until nobody reads any more, whatever was
    /// committed last when they began, for at most so many steps of 1 ms; whether that is so.
    pub(super) fn publish_and_wait(&self, published: Published, waits_max: u32) -> bool {
        self.publish(published);
        let is_read = || Arc::strong_count(&self.views) > 1;
        for _ in 0..waits_max {
            if !is_read() {
                return true;
            }
            std::thread::park_timeout(READERS_WAIT);
        }
        !is_read()
    }

    /// What was committed last.
    pub(super) fn current(&self) -> Result<Arc<Current>> {
        match self.published() {
            Published::Current(current) => Ok(current),
            Published::Busy => Err(self
                .place
                .error(ErrorKind::Unavailable, format_args!("is being compacted or verified"))),
            Published::Down(failure) => Err(failure.error()),
            Published::Closed => Err(self.place.closed()),
        }
    }

    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Says that the writer thread is done with the store.
    pub(super) fn finish(&self, how: std::result::Result<(), Failure>) {
        let mut end = self.end.lock();
        end.how = Some(how);
        let waiting = std::mem::take(&mut end.waiting);
        drop(end);
        waiting.into_iter().for_each(Waker::wake);
        for namespace in self.namespaces.lock().values() {
            namespace.watchers.notify();
        }
    }

    /// Waits until the writer thread is done with the store.
    pub(super) async fn finished(&self) -> Result<()> {
        poll_fn(|cx| {
            let mut end = self.end.lock();
            if let Some(how) = &end.how {
                return Poll::Ready(how.as_ref().copied().map_err(Failure::error));
            }
            end.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
