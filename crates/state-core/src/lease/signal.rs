//! A flag that is raised once and that futures can wait for.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Raised once, never lowered.
#[derive(Debug, Default)]
pub(super) struct Signal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    raised: bool,
    next_waiter: u64,
    waiters: BTreeMap<u64, Waker>,
}

impl Signal {
    pub(super) fn raise(&self) {
        let waiters = self.with(|state| {
            state.raised = true;
            std::mem::take(&mut state.waiters)
        });
        waiters.into_values().for_each(Waker::wake);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.with(|state| state.raised)
    }

    pub(super) fn raised(&self) -> Raised<'_> {
        Raised { signal: self, waiter: None }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics while holding the lock, so a poisoned state is still whole.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits until the signal is raised.
#[derive(Debug)]
pub(super) struct Raised<'a> {
    signal: &'a Signal,
    waiter: Option<u64>,
}

impl Future for Raised<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = self.waiter;
        // Wakers are cloned and dropped without the lock: they may run code of their own.
        let waker = cx.waker().clone();
        let registered = self.signal.with(|state| {
            if state.raised {
                return Err(waker);
            }
            let id = waiter.unwrap_or_else(|| {
                state.next_waiter += 1;
                state.next_waiter
            });
            Ok((id, state.waiters.insert(id, waker)))
        });
        match registered {
            Ok((id, replaced)) => {
                drop(replaced);
                self.waiter = Some(id);
                Poll::Pending
            }
            Err(_unused) => Poll::Ready(()),
        }
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            let waker = self.signal.with(|state| state.waiters.remove(&id));
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// A waker that looks at the signal when it goes, as one that owns a task may.
    struct Looks(Arc<Signal>);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(self.0.0.try_lock().is_ok(), "dropped while the signal was locked");
        }
    }

    #[test]
    fn wakers_are_dropped_without_the_lock() {
        let signal = Arc::new(Signal::default());
        let poll = |raised: &mut Raised<'_>| {
            let waker = Waker::from(Arc::new(Looks(Arc::clone(&signal))));
            Pin::new(raised).poll(&mut Context::from_waker(&waker)).is_ready()
        };
        let (mut first, mut second) = (signal.raised(), signal.raised());
        assert!(!poll(&mut first) && !poll(&mut first) && !poll(&mut second));
        drop(first);
        signal.raise();
        assert!(poll(&mut second));
    }
}
