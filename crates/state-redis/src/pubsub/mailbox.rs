//! What one subscriber has not read yet, and the stream that it reads.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use parking_lot::Mutex;
use state_core::{Error, Result};

use super::Delivery;
use super::hub::Hub;

/// Messages that wait for a slow reader; those that come then are dropped and told as a gap.
const MESSAGES_MAX: usize = 1_024;

/// Messages on their way to one subscriber. Bounded, and never in the way of others.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    deliveries: VecDeque<Delivery>,
    /// Whether messages were missed behind those, which is told as soon as there is room.
    missed: bool,
    /// Nothing more comes, for this reason until that was read.
    ended: bool,
    reason: Option<Error>,
    waker: Option<Waker>,
}

impl Inner {
    fn take(&mut self, delivery: Delivery) {
        if self.deliveries.len() < MESSAGES_MAX {
            self.deliveries.push_back(delivery);
        } else {
            // A gap that was not read yet tells of this one, too.
            self.missed |= self.deliveries.back() != Some(&Delivery::Gap);
        }
    }
}

impl Mailbox {
    /// Delivers a message, unless the reader is too far behind.
    pub(super) fn deliver(&self, message: Delivery) {
        self.change(|inner| inner.take(message));
    }

    /// Tells that messages were missed. Who has not read one gap yet learns nothing from another.
    pub(super) fn miss(&self) {
        self.change(|inner| {
            if inner.deliveries.back() != Some(&Delivery::Gap) {
                inner.take(Delivery::Gap);
            }
        });
    }

    /// Ends the subscription, with `error` as the last thing that is read.
    pub(super) fn end(&self, error: Error) {
        self.change(|inner| (inner.ended, inner.reason) = (true, Some(error)));
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.0.lock();
        if inner.ended {
            return;
        }
        change(&mut inner);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery>>> {
        let mut inner = self.0.lock();
        if let Some(delivery) = inner.deliveries.pop_front() {
            // There is room now, and nothing may come before it.
            if std::mem::take(&mut inner.missed) {
                inner.deliveries.push_back(Delivery::Gap);
            }
            return Poll::Ready(Some(Ok(delivery)));
        }
        if inner.ended {
            return Poll::Ready(inner.reason.take().map(Err));
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The messages of one subscription. Dropped, it ends it, and the last one closes the connection.
#[derive(Debug)]
pub(super) struct Deliveries {
    pub(super) hub: Arc<Hub>,
    pub(super) id: u64,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Stream for Deliveries {
    type Item = Result<Delivery>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.mailbox.poll(cx)
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use state_core::ErrorKind;

    use super::*;

    fn message(number: usize) -> Delivery {
        Delivery::Message { channel: "c".into(), message: number.to_string().into() }
    }

    fn next(mailbox: &Mailbox) -> Option<Result<Delivery>> {
        let mut cx = Context::from_waker(Waker::noop());
        match mailbox.poll(&mut cx) {
            Poll::Ready(next) => next,
            Poll::Pending => panic!("nothing is there"),
        }
    }

    #[test]
    fn who_reads_too_slowly_is_told_a_gap_where_messages_are_missing() {
        let mailbox = Mailbox::default();
        for number in 0..2 * MESSAGES_MAX {
            mailbox.deliver(message(number));
            assert!(mailbox.0.lock().deliveries.len() <= MESSAGES_MAX);
        }
        assert_eq!(next(&mailbox).unwrap().unwrap(), message(0));
        // The place that came free is that of the gap.
        mailbox.deliver(message(9_999));
        for number in 1..MESSAGES_MAX {
            assert_eq!(next(&mailbox).unwrap().unwrap(), message(number));
        }
        assert_eq!(next(&mailbox).unwrap().unwrap(), Delivery::Gap);
        mailbox.deliver(message(7));
        assert_eq!(next(&mailbox).unwrap().unwrap(), message(7));
    }

    #[test]
    fn gaps_that_were_not_read_are_one_and_the_end_is_read_last() {
        let mailbox = Mailbox::default();
        mailbox.miss();
        mailbox.miss();
        mailbox.deliver(message(1));
        mailbox.end(Error::new(ErrorKind::Closed, "over"));
        mailbox.deliver(message(2));
        assert_eq!(next(&mailbox).unwrap().unwrap(), Delivery::Gap);
        assert_eq!(next(&mailbox).unwrap().unwrap(), message(1));
        assert_eq!(next(&mailbox).unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(next(&mailbox).is_none());
    }
}
