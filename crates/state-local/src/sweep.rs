//! Taking expired records away in the background.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use state_core::{Clock, Error, ErrorKind, Result};

use crate::space::Space;

/// The pause after a round that found everything swept.
const PAUSE: Duration = Duration::from_millis(500);
/// Records taken away in one step, so that others get their turn in between.
const STEP_RECORDS: usize = 1_000;
/// Spaces swept at the same time, so that what is taken away shares commits.
const SPACES_AT_ONCE: usize = 64;
/// Rounds that a space is left alone after it could not be swept.
const ROUNDS_AFTER_FAILURE: u8 = 9;

/// Sweeps all namespaces of a store on one thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeper<S> {
    clock: Arc<dyn Clock>,
    orders: Arc<Orders<S>>,
    /// Started with the first space; `None` where no thread could be started.
    thread: OnceLock<Option<Thread>>,
}

/// What the thread is told.
#[derive(Debug)]
struct Orders<S> {
    stopped: AtomicBool,
    /// Spaces that it has not seen yet.
    added: Mutex<Vec<Weak<S>>>,
}

impl<S: Space> Sweeper<S> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let orders = Orders { stopped: AtomicBool::new(false), added: Mutex::default() };
        Self { clock, orders: Arc::new(orders), thread: OnceLock::new() }
    }

    /// Sweeps `space` too, every half second of the clock until the space goes.
    ///
    /// Without a thread for it, expired records stay until they are overwritten or cleared;
    /// they are invisible all the same.
    pub(crate) fn add(&self, space: Weak<S>) {
        self.orders.added.lock().push(space);
        self.thread.get_or_init(|| self.start());
    }

    fn start(&self) -> Option<Thread> {
        let (clock, orders) = (Arc::clone(&self.clock), Arc::clone(&self.orders));
        let builder = std::thread::Builder::new().name("state-sweeper".to_owned());
        let handle = builder.spawn(move || {
            let mut spaces = Vec::new();
            while let Some(pause) = round(&orders, &mut spaces) {
                if block_on(clock.sleep(pause), &orders.stopped).is_none() {
                    break;
                }
            }
        });
        let thread = handle.ok().map(|handle| handle.thread().clone());
        if thread.is_none() {
            tracing::warn!("no thread for the sweeper: expired records are not reclaimed");
        }
        thread
    }
}

impl<S> Drop for Sweeper<S> {
    fn drop(&mut self) {
        self.orders.stopped.store(true, Ordering::Release);
        if let Some(Some(thread)) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// A space as the thread keeps it.
#[derive(Debug)]
struct Swept<S> {
    space: Weak<S>,
    /// Rounds for which it is left alone.
    rests: u8,
}

/// Takes a step's worth of expired records away from each space; the pause until the next round,
/// or `None` when there is to be none.
fn round<S: Space>(orders: &Orders<S>, spaces: &mut Vec<Swept<S>>) -> Option<Duration> {
    let added = std::mem::take(&mut *orders.added.lock());
    spaces.extend(added.into_iter().map(|space| Swept { space, rests: 0 }));
    spaces.retain(|swept| swept.space.strong_count() > 0);
    let mut more = false;
    let mut failures: Vec<Error> = Vec::new();
    for some in spaces.chunks_mut(SPACES_AT_ONCE) {
        let swept = block_on(join_all(some.iter_mut().map(sweep)), &orders.stopped)?;
        for result in swept {
            match result {
                Ok(records) => more |= records >= STEP_RECORDS,
                Err(error) => failures.push(error),
            }
        }
    }
    if let Some(error) = failures.first() {
        let namespaces = failures.len();
        tracing::warn!(%error, namespaces, "expired records could not be reclaimed");
    }
    Some(if more { Duration::ZERO } else { PAUSE })
}

async fn sweep<S: Space>(swept: &mut Swept<S>) -> Result<usize> {
    if swept.rests > 0 {
        swept.rests -= 1;
        return Ok(0);
    }
    let Some(space) = swept.space.upgrade() else { return Ok(0) };
    match reclaim(&*space).await {
        // A store that was closed stays closed.
        Err(error) if error.kind() == ErrorKind::Closed => {
            swept.space = Weak::new();
            Ok(0)
        }
        Err(error) => {
            swept.rests = ROUNDS_AFTER_FAILURE;
            Err(error)
        }
        done => done,
    }
}

/// Takes up to a step's worth of expired records away. Looks first, so that a store where
/// nothing has expired writes nothing.
async fn reclaim<S: Space>(space: &S) -> Result<usize> {
    let due = space.read(|view| view.tables.due(view.now.get(), 1))?;
    if due.is_empty() {
        return Ok(0);
    }
    space.write(|tx| tx.reclaim(STEP_RECORDS)).await
}

/// What the future gives, or `None` when it is told to stop before.
fn block_on<T>(future: impl Future<Output = T>, stop: &AtomicBool) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    while !stop.load(Ordering::Acquire) {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => std::thread::park(),
        }
    }
    None
}
