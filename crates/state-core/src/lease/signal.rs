//! A flag that is raised once and that futures can wait for.

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
    waiters: Vec<(u64, Waker)>,
}

impl Signal {
    pub(super) fn raise(&self) {
        let waiters = self.with(|state| {
            state.raised = true;
            std::mem::take(&mut state.waiters)
        });
        for (_, waker) in waiters {
            waker.wake();
        }
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
        let registered = self.signal.with(|state| {
            if state.raised {
                return None;
            }
            let id = waiter.unwrap_or_else(|| {
                state.next_waiter += 1;
                state.next_waiter
            });
            state.waiters.retain(|(other, _)| *other != id);
            state.waiters.push((id, cx.waker().clone()));
            Some(id)
        });
        match registered {
            Some(id) => {
                self.waiter = Some(id);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            self.signal.with(|state| state.waiters.retain(|(other, _)| *other != id));
        }
    }
}
