//! What waits for the writer thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

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
    /// How many works the writer thread waits for.
    wanted: usize,
    tasks: VecDeque<Task>,
    /// The session that has failed a reader.
    failed_session: Option<u64>,
    closed: bool,
    /// Who waits for room.
    senders: Vec<Waker>,
}

/// How the writer thread waits for works to come together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathering {
    /// Works that may be expected: those of the callers who have just been answered, who may well
    /// come again, besides those that wait already.
    pub(super) answered: usize,
    /// How long it waits at most.
    pub(super) patience: Duration,
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
            if state.works.len() >= state.wanted {
                self.filled.notify_one();
            }
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
    ///
    /// Without the `gathering`, works that are sent again and again would fall apart into groups
    /// that follow each other, and each group costs a commit.
    pub(super) fn next(&self, works_max: usize, gathering: Gathering) -> Next {
        let works_max = works_max.max(1);
        let mut state = self.state.lock();
        let mut expected = gathering.answered.saturating_add(state.works.len());
        expected = expected.min(works_max).min(self.waiting_max);
        if gathering.patience.is_zero() {
            expected = 1;
        }
        loop {
            if let Some(session) = state.failed_session.take() {
                return Next::Reopen(session);
            }
            if let Some(task) = state.tasks.pop_front() {
                return Next::Task(task);
            }
            if state.works.len() >= expected.max(1) || state.closed && !state.works.is_empty() {
                let count = state.works.len().min(works_max);
                let works = state.works.drain(..count).collect();
                wake(std::mem::take(&mut state.senders), state);
                return Next::Works(works);
            }
            if state.closed {
                return Next::Close;
            }
            state.wanted = expected;
            if expected <= 1 {
                self.filled.wait(&mut state);
            } else if self.filled.wait_for(&mut state, gathering.patience).timed_out() {
                expected = 1;
            }
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use state_core::Namespace;

    use super::super::namespace::Namespaced;
    use super::super::tables::FileTables;
    use super::super::work::Failure;
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[derive(Debug)]
    struct Nothing(std::sync::Arc<Namespaced>);

    impl Work for Nothing {
        fn namespace(&self) -> &std::sync::Arc<Namespaced> {
            &self.0
        }

        fn run(&mut self, _tables: &mut FileTables<'_>) {}

        fn tell(self: Box<Self>, _committed: Result<(), &Failure>) {}
    }

    fn push(queue: &Queue) {
        let namespaced = Namespaced::new(Namespace::default(), [0; 16], 1);
        let work = Box::new(Nothing(namespaced.into()));
        queue.push(work).now_or_never().unwrap().unwrap();
    }

    fn taken(queue: &Queue, answered: usize, patience: Duration) -> usize {
        match queue.next(10, Gathering { answered, patience }) {
            Next::Works(works) => works.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn those_who_were_answered_are_waited_for() {
        let queue = Queue::new(100);
        push(&queue);
        std::thread::scope(|scope| {
            let pushing = scope.spawn(|| {
                // Long enough for a queue that does not wait to be caught, as a rule.
                std::thread::park_timeout(Duration::from_millis(20));
                (0..3).for_each(|_| push(&queue));
            });
            assert_eq!(taken(&queue, 3, LONG), 4);
            pushing.join().unwrap();
        });
    }

    #[test]
    fn nobody_waits_for_those_who_stay_away() {
        let queue = Queue::new(100);
        push(&queue);
        assert_eq!(taken(&queue, 3, Duration::from_millis(1)), 1);
        push(&queue);
        assert_eq!(taken(&queue, 3, Duration::ZERO), 1);
        push(&queue);
        assert_eq!(taken(&queue, 0, LONG), 1);
    }

    #[test]
    fn no_more_is_waited_for_than_fits() {
        let queue = Queue::new(2);
        push(&queue);
        push(&queue);
        assert_eq!(taken(&queue, 5, LONG), 2);
        let queue = Queue::new(100);
        (0..12).for_each(|_| push(&queue));
        assert_eq!(taken(&queue, 5, LONG), 10);
        queue.close();
        assert_eq!(taken(&queue, 5, LONG), 2);
        assert!(matches!(queue.next(10, Gathering { answered: 2, patience: LONG }), Next::Close));
    }
}
