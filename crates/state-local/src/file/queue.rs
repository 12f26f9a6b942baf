//! What waits for the writer thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use state_core::Clock;

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

/// Works that may still come into a group: those of the callers who have just been answered, who
/// may well come again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathering {
    /// How many works make the group complete.
    pub(super) expected: usize,
    /// How long the writer thread has nothing to do for them, at most.
    pub(super) patience: Duration,
}

/// Works for one commit: those that are there, and those that are waited for.
///
/// Without the latter, works that are sent again and again would fall apart into groups that
/// follow each other, and each group costs a commit. The works that are there are done meanwhile.
#[derive(Debug)]
pub(super) struct Group<'a> {
    queue: &'a Queue,
    clock: &'a dyn Clock,
    works: VecDeque<Box<dyn Work>>,
    gathering: Gathering,
}

impl<'a> Group<'a> {
    pub(super) fn new(
        queue: &'a Queue,
        clock: &'a dyn Clock,
        works: VecDeque<Box<dyn Work>>,
        gathering: Gathering,
    ) -> Self {
        let expected = gathering.expected.saturating_sub(works.len());
        Self { queue, clock, works, gathering: Gathering { expected, ..gathering } }
    }

    /// The first of those that are there.
    pub(super) fn first(&self) -> Option<&dyn Work> {
        self.works.front().map(|work| &**work)
    }

    /// Takes the next one, waiting for it if need be.
    pub(super) fn take(&mut self) -> Option<Box<dyn Work>> {
        if self.works.is_empty() {
            self.queue.gather(&mut self.works, &mut self.gathering, self.clock);
        }
        self.works.pop_front()
    }

    /// Takes those that are there.
    pub(super) fn take_all(&mut self) -> VecDeque<Box<dyn Work>> {
        std::mem::take(&mut self.works)
    }
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

    /// How many works wait.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().works.len()
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
                let mut works = VecDeque::new();
                take(state, &mut works, works_max.max(1));
                return Next::Works(works);
            }
            if state.closed {
                return Next::Close;
            }
            state.wanted = 1;
            self.filled.wait(&mut state);
        }
    }

    /// Takes works that are expected; waits when there are none.
    fn gather(
        &self,
        works: &mut VecDeque<Box<dyn Work>>,
        gathering: &mut Gathering,
        clock: &dyn Clock,
    ) {
        if gathering.expected == 0 {
            return;
        }
        let mut state = self.state.lock();
        if state.works.is_empty() && !state.closed && !gathering.patience.is_zero() {
            // Half of them, so that the waiting and the work overlap without a wake-up for each.
            state.wanted = gathering.expected.div_ceil(2);
            let began = clock.monotonic();
            self.filled.wait_for(&mut state, gathering.patience);
            let waited = clock.monotonic().saturating_sub(began);
            gathering.patience = gathering.patience.saturating_sub(waited);
        }
        gathering.expected -= take(state, works, gathering.expected);
    }
}

/// Moves up to `works_max` works, and makes room for those who wait to send; how many.
fn take(
    mut state: parking_lot::MutexGuard<'_, State>,
    works: &mut VecDeque<Box<dyn Work>>,
    works_max: usize,
) -> usize {
    let count = state.works.len().min(works_max);
    works.extend(state.works.drain(..count));
    let senders = std::mem::take(&mut state.senders);
    wake(senders, state);
    count
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
    use state_core::{Namespace, SystemClock};

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

    /// A group of those who wait, of which `expected` are.
    fn group<'a>(
        queue: &'a Queue,
        clock: &'a dyn Clock,
        expected: usize,
        patience: Duration,
    ) -> Group<'a> {
        match queue.next(10) {
            Next::Works(works) => Group::new(queue, clock, works, Gathering { expected, patience }),
            other => panic!("{other:?}"),
        }
    }

    fn taken(queue: &Queue, expected: usize, patience: Duration) -> usize {
        let clock = SystemClock::new();
        let mut group = group(queue, &clock, expected, patience);
        std::iter::from_fn(|| group.take()).count()
    }

    #[test]
    fn those_who_are_expected_are_waited_for() {
        let queue = Queue::new(100);
        push(&queue);
        std::thread::scope(|scope| {
            let pushing = scope.spawn(|| {
                // Long enough for a queue that does not wait to be caught, as a rule.
                std::thread::park_timeout(Duration::from_millis(20));
                (0..3).for_each(|_| push(&queue));
            });
            assert_eq!(taken(&queue, 4, LONG), 4);
            pushing.join().unwrap();
        });
    }

    #[test]
    fn those_who_are_there_are_taken_while_others_are_waited_for() {
        let queue = Queue::new(100);
        (0..2).for_each(|_| push(&queue));
        let clock = SystemClock::new();
        let mut group = group(&queue, &clock, 4, LONG);
        // None of these waits: more could not come, because nobody else pushes.
        assert!(group.take().is_some() && group.take().is_some());
        (0..3).for_each(|_| push(&queue));
        assert!(group.take().is_some() && group.take().is_some());
        assert!(group.take().is_none(), "it is complete");
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn nobody_waits_for_those_who_stay_away() {
        let queue = Queue::new(100);
        push(&queue);
        assert_eq!(taken(&queue, 4, Duration::from_millis(1)), 1);
        push(&queue);
        assert_eq!(taken(&queue, 4, Duration::ZERO), 1);
        push(&queue);
        assert_eq!(taken(&queue, 0, LONG), 1);
        push(&queue);
        queue.close();
        assert_eq!(taken(&queue, 2, LONG), 1);
        assert!(matches!(queue.next(10), Next::Close));
    }

    #[test]
    fn no_more_are_taken_at_once_than_are_asked_for() {
        let queue = Queue::new(100);
        (0..12).for_each(|_| push(&queue));
        assert_eq!(taken(&queue, 5, LONG), 10);
        assert_eq!(taken(&queue, 0, LONG), 2);
    }
}
