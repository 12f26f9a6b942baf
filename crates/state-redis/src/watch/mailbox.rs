//! What one watcher has not read yet, and the stream that it reads.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use parking_lot::Mutex;
use state_core::{Change, Error, Result, ResumeToken, WatchEvent};

use super::Hub;

/// Events that wait for a slow reader; one more, and they give way to a gap.
const EVENTS_MAX: usize = 1_024;

/// Events on their way to one watcher. Bounded, and never in the way of others.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// Begins every token of this watch, so that no change log takes one for its own.
    nonce: [u8; 16],
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<WatchEvent>,
    told: u128,
    /// Nothing more comes, for this reason until that was read.
    ended: bool,
    reason: Option<Error>,
    waker: Option<Waker>,
}

impl Mailbox {
    pub(super) fn new(nonce: [u8; 16]) -> Self {
        Self { nonce, inner: Mutex::default() }
    }

    /// Tells `change`; a reader that is too far behind gets a gap instead of what it has not read.
    pub(super) fn tell(&self, change: Change) {
        let mut inner = self.inner.lock();
        if inner.ended {
            return;
        }
        // Who has not read one gap yet learns nothing from another.
        let again = change == Change::Gap
            && inner.events.back().is_some_and(|event| event.change == Change::Gap);
        if again {
            return;
        }
        if inner.events.len() >= EVENTS_MAX {
            inner.events.clear();
            self.push(&mut inner, Change::Gap);
        }
        self.push(&mut inner, change);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the watch, with `error` as the last thing that is read.
    pub(super) fn end(&self, error: Error) {
        let mut inner = self.inner.lock();
        if !inner.ended {
            (inner.ended, inner.reason) = (true, Some(error));
        }
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The reason for which it has ended.
    pub(super) fn take_end(&self) -> Option<Error> {
        self.inner.lock().reason.take()
    }

    fn push(&self, inner: &mut Inner, change: Change) {
        inner.told += 1;
        let mut token = [0; 32];
        let parts = self.nonce.into_iter().chain(inner.told.to_be_bytes());
        for (byte, part) in token.iter_mut().zip(parts) {
            *byte = part;
        }
        inner.events.push_back(WatchEvent::new(ResumeToken::from_bytes(token), change));
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<WatchEvent>>> {
        let mut inner = self.inner.lock();
        if let Some(event) = inner.events.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        if inner.ended {
            return Poll::Ready(inner.reason.take().map(Err));
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The events of one watch. Dropped, it ends the watch, and the last one closes the connections.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) hub: Arc<Hub>,
    pub(super) id: u64,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Stream for Following {
    type Item = Result<WatchEvent>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.mailbox.poll(cx)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mailbox: &Mailbox) -> Vec<Change> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = Vec::new();
        while let Poll::Ready(Some(event)) = mailbox.poll(&mut cx) {
            read.push(event.unwrap().change);
        }
        read
    }

    fn deleted(number: usize) -> Change {
        Change::Deleted { key: number.to_string().into() }
    }

    #[test]
    fn what_is_not_read_gives_way_to_a_gap_and_what_comes_then_is_told() {
        let mailbox = Mailbox::new([0; 16]);
        let mut tokens = Vec::new();
        for number in 0..3 * EVENTS_MAX {
            mailbox.tell(deleted(number));
            assert!(mailbox.inner.lock().events.len() <= EVENTS_MAX);
            tokens.extend(mailbox.inner.lock().events.back().map(|event| event.token.clone()));
        }
        let read = read(&mailbox);
        assert_eq!(read.first(), Some(&Change::Gap));
        assert_eq!(read.last(), Some(&deleted(3 * EVENTS_MAX - 1)));
        assert_eq!(read.iter().filter(|change| **change == Change::Gap).count(), 1);
        let count = tokens.len();
        tokens.dedup();
        assert_eq!(tokens.len(), count, "tokens differ");
    }

    #[test]
    fn gaps_that_were_not_read_are_one() {
        let mailbox = Mailbox::new([0; 16]);
        mailbox.tell(Change::Gap);
        mailbox.tell(Change::Gap);
        mailbox.tell(deleted(1));
        mailbox.tell(Change::Gap);
        assert_eq!(read(&mailbox), [Change::Gap, deleted(1), Change::Gap]);
        mailbox.tell(Change::Gap);
        assert_eq!(read(&mailbox), [Change::Gap], "once it was read, another is told");
    }

    #[test]
    fn the_end_is_read_last_and_once() {
        let mailbox = Mailbox::new([0; 16]);
        mailbox.tell(deleted(1));
        mailbox.end(Error::invalid("over"));
        mailbox.tell(deleted(2));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(mailbox.poll(&mut cx), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(mailbox.poll(&mut cx), Poll::Ready(Some(Err(_)))));
        assert!(matches!(mailbox.poll(&mut cx), Poll::Ready(None)));
    }
}
