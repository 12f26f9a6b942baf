//! An answer that one thread gives and one task awaits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The two ends of one answer.
pub(super) fn answer<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Arc::new(Mutex::new(Slot { value: None, waker: None, gone: false }));
    (Sender(Some(Arc::clone(&slot))), Receiver(slot))
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    /// Whether the sender has gone.
    gone: bool,
}

/// Gives the answer; the receiver learns it when this goes without one.
#[derive(Debug)]
pub(super) struct Sender<T>(Option<Arc<Mutex<Slot<T>>>>);

impl<T> Sender<T> {
    pub(super) fn send(mut self, value: T) {
        self.end(Some(value));
    }

    fn end(&mut self, value: Option<T>) {
        let Some(slot) = self.0.take() else { return };
        let mut slot = slot.lock();
        slot.value = value;
        slot.gone = true;
        let waker = slot.waker.take();
        // Woken without the lock: a waker may run anything.
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// Awaits the answer; `None` when there will be none.
#[derive(Debug)]
pub(super) struct Receiver<T>(Arc<Mutex<Slot<T>>>);

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.0.lock();
        if slot.value.is_some() || slot.gone {
            return Poll::Ready(slot.value.take());
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
