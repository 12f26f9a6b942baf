//! What waits for the writer thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::{Condvar, Mutex};

use super::work::{Task, Work};

/// What waits for the writer thread: a bounded queue whose senders wait without a thread.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    waiting_max: usize,
}

#[derive(Debug, Default)]
struct State {
    works: VecDeque<Box<dyn Work>>,
    tasks: VecDeque<Task>,
    /// The session that has failed a reader.
    failed_session: Option<u64>,
    closed: bool,
    /// Who waits for room.
    senders: Vec<Waker>,
}

/// What the writer thread does next.
#[derive(Debug)]
pub(super) enum Next {
    /// These, in one commit if possible.
    Works(VecDeque<Box<dyn Work>>),
    Task(Task),
    /// Opens the store again if it is still in this session.
    Reopen(u64),
    /// Nothing more will come.
    Close,
}

impl Queue {
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), waiting_max }
    }

    /// Appends `work`, waiting for room; gives it back when the queue is closed.
    pub(super) async fn push(&self, work: Box<dyn Work>) -> Result<(), Box<dyn Work>> {
        let mut work = Some(work);
        poll_fn(|cx| {
            let mut state = self.state.lock();
            let Some(taken) = work.take() else { return Poll::Ready(Ok(())) };
            if state.closed {
                return Poll::Ready(Err(taken));
            }
            if state.works.len() >= self.waiting_max {
                work = Some(taken);
                if !state.senders.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.senders.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
            state.works.push_back(taken);
            self.filled.notify_one();
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Appends a task; `false` when the queue is closed.
    pub(super) fn push_task(&self, task: Task) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.tasks.push_back(task);
        self.filled.notify_one();
        true
    }

    /// Says that the engine has failed a reader in `session`.
    pub(super) fn report_failure(&self, session: u64) {
        let mut state = self.state.lock();
        state.failed_session = Some(session);
        self.filled.notify_one();
    }

    /// Lets nothing more in; what is there is still done.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.filled.notify_one();
        wake(state.senders.drain(..).collect(), state);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Waits for something to do; up to `works_max` works at once.
    pub(super) fn next(&self, works_max: usize) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(session) = state.failed_session.take() {
                return Next::Reopen(session);
            }
            if let Some(task) = state.tasks.pop_front() {
                return Next::Task(task);
            }
            if !state.works.is_empty() {
                let count = state.works.len().min(works_max.max(1));
                let works = state.works.drain(..count).collect();
                wake(std::mem::take(&mut state.senders), state);
                return Next::Works(works);
            }
            if state.closed {
                return Next::Close;
            }
            self.filled.wait(&mut state);
        }
    }
}

/// Wakes without the lock: a waker may run anything.
fn wake(wakers: Vec<Waker>, state: parking_lot::MutexGuard<'_, State>) {
    drop(state);
    for waker in wakers {
        waker.wake();
    }
}
