//! The machine's clock, with sleeps served by one timer thread.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use futures_core::future::BoxFuture;

use super::Clock;
use crate::Timestamp;

/// The machine's clock.
///
/// Its sleeps need no async runtime: one thread of the process, started by the first sleep,
/// wakes all sleepers. A sleep costs one lock to start and one to end.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock.
    pub const fn new() -> Self {
        Self
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.monotonic().saturating_add(duration);
        Box::pin(Sleep { until, registration: None })
    }
}

struct Sleep {
    until: Duration,
    registration: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if SystemClock.monotonic() >= self.until {
            return Poll::Ready(());
        }
        match Timer::get() {
            Some(timer) => {
                let id = timer.register(self.until, self.registration, cx.waker());
                self.registration = Some(id);
            }
            // No thread can be started: asking again and again is slow, but it still ends.
            None => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(id), Some(timer)) = (self.registration, Timer::get()) {
            let waker = timer.lock().sleepers.remove(&(self.until, id));
            // Dropped without the lock: it may run code of its own.
            drop(waker);
        }
    }
}

/// The timer thread's list of sleepers.
#[derive(Debug, Default)]
struct Timer {
    state: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct TimerState {
    next_id: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Timer {
    fn get() -> Option<&'static Self> {
        static TIMER: OnceLock<Option<Arc<Timer>>> = OnceLock::new();
        TIMER
            .get_or_init(|| {
                let timer = Arc::new(Self::default());
                let run = Arc::clone(&timer);
                let builder = std::thread::Builder::new().name("state-timer".to_owned());
                builder.spawn(move || run.run()).is_ok().then_some(timer)
            })
            .as_deref()
    }

    fn lock(&self) -> MutexGuard<'_, TimerState> {
        // Nothing panics while holding the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, until: Duration, id: Option<u64>, waker: &Waker) -> u64 {
        // Wakers are cloned and dropped without the lock: they may run code of their own.
        let waker = waker.clone();
        let mut state = self.lock();
        let id = id.unwrap_or_else(|| {
            state.next_id += 1;
            state.next_id
        });
        let first = state.sleepers.first_key_value().is_none_or(|(key, _)| until < key.0);
        let replaced = state.sleepers.insert((until, id), waker);
        drop(state);
        drop(replaced);
        if first {
            self.changed.notify_one();
        }
        id
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let now = SystemClock.monotonic();
            let later = state.sleepers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.sleepers, later);
            if !due.is_empty() {
                drop(state);
                due.into_values().for_each(Waker::wake);
                state = self.lock();
                continue;
            }
            let wait = state.sleepers.first_key_value().map(|(key, _)| key.0.saturating_sub(now));
            state = match wait {
                Some(wait) => {
                    let waited = self.changed.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = SystemClock::new();
        let woken = Mutex::new(Vec::new());
        let sleeper = |ms| {
            let sleep = clock.sleep(Duration::from_millis(ms));
            let woken = &woken;
            async move {
                sleep.await;
                woken.lock().unwrap().push(ms);
            }
        };
        let start = clock.monotonic();
        futures_executor(join(sleeper(30), sleeper(10)));
        assert_eq!(*woken.lock().unwrap(), [10, 30]);
        assert!(clock.monotonic() >= start + Duration::from_millis(30));
    }

    /// Polls `future` on this thread until it is done.
    fn futures_executor<F: Future>(future: F) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}
