//! The place where a caller waits for the answer to a request.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::Answers;
use crate::connect::Trouble;

/// Where the driver puts the answer.
#[derive(Debug, Default)]
pub(super) struct Slot {
    place: Mutex<Place>,
}

#[derive(Debug)]
enum Place {
    /// Nothing has come; this is who waits, if anybody does yet.
    Empty(Option<Waker>),
    Full(Result<Answers, Trouble>),
    /// The answer was taken.
    Taken,
}

impl Default for Place {
    fn default() -> Self {
        Self::Empty(None)
    }
}

impl Slot {
    /// Puts the answer in and wakes who waits for it. Whoever went away needs none.
    pub(super) fn fill(&self, answer: Result<Answers, Trouble>) {
        let before = std::mem::replace(&mut *self.place.lock(), Place::Full(answer));
        if let Place::Empty(Some(waiting)) = before {
            waiting.wake();
        }
    }

    /// Wakes who waits, without an answer.
    pub(super) fn look(&self) {
        let waiting = match &mut *self.place.lock() {
            Place::Empty(waiting) => waiting.take(),
            Place::Full(_) | Place::Taken => None,
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// A request that is on its way. Whoever drops it needs no answer; the request is written all the same.
#[derive(Debug)]
pub(in crate::connect) struct Waiting {
    slot: Arc<Slot>,
}

impl Waiting {
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self { slot }
    }

    /// Whether the answer is there: then it is taken. Otherwise `cx` is woken when it comes, or to look.
    pub(in crate::connect) fn poll_answer(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Result<Answers, Trouble>> {
        let mut place = self.slot.place.lock();
        if let Place::Empty(waiting) = &mut *place {
            match waiting {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                _ => *waiting = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut *place, Place::Taken) {
            Place::Full(answer) => Poll::Ready(answer),
            // It was polled once too often.
            Place::Empty(_) | Place::Taken => Poll::Pending,
        }
    }
}
