//! A clock that only moves when it is told to.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::future::BoxFuture;

use super::Clock;
use crate::Timestamp;

/// A clock for tests: it stands still until it is advanced. Clones show the same time.
///
/// ```
/// use state_core::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.wall();
/// clock.advance(Duration::from_secs(3_600));
/// assert_eq!(clock.wall().saturating_since(before), Duration::from_secs(3_600));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    wall: Timestamp,
    monotonic: Duration,
    next_sleeper: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl ManualClock {
    /// A clock that shows an hour of the year 2026.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            wall: Timestamp::from_unix_ms(1_780_000_000_000),
            monotonic: Duration::ZERO,
            next_sleeper: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// Moves both clocks ahead and wakes who has slept long enough.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.checked_add(by).unwrap_or(state.wall);
        state.monotonic = state.monotonic.saturating_add(by);
        let now = state.monotonic;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// Sets the wall clock, as an administrator or a time server would; monotonic time stays.
    pub fn set_wall(&self, wall: Timestamp) {
        self.lock().wall = wall;
    }

    /// How many futures wait for this clock now.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock, so a poisoned state is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.lock().wall
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.monotonic().saturating_add(duration);
        Box::pin(Sleep { clock: self.clone(), until, id: None })
    }
}

struct Sleep {
    clock: ManualClock,
    until: Duration,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are cloned and dropped without the lock: they may ask for the time.
        let waker = cx.waker().clone();
        let clock = self.clock.clone();
        let mut state = clock.lock();
        if state.monotonic >= self.until {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.next_sleeper += 1;
            state.next_sleeper
        });
        let replaced = state.sleepers.insert((self.until, id), waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let waker = self.clock.lock().sleepers.remove(&(self.until, id));
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_secs(9));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
        assert_eq!(clock.sleepers(), 0);
    }

    /// A waker that asks the clock for the time when it goes, as one that owns a task may.
    struct Asks(ManualClock);

    impl std::task::Wake for Asks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            assert!(self.0.0.try_lock().is_ok(), "dropped while the clock was locked");
        }
    }

    #[test]
    fn wakers_are_dropped_without_the_lock() {
        let clock = ManualClock::new();
        let poll = |sleep: &mut BoxFuture<'static, ()>| {
            let waker = Waker::from(Arc::new(Asks(clock.clone())));
            sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        };
        let mut sleep = clock.sleep(Duration::from_secs(1));
        assert!(!poll(&mut sleep) && !poll(&mut sleep));
        clock.advance(Duration::from_secs(1));
        assert!(poll(&mut sleep));
        let mut other = clock.sleep(Duration::from_secs(1));
        assert!(!poll(&mut other));
        drop(other);
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_dropped_sleeper_leaves_nothing_behind() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_none());
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }
}
