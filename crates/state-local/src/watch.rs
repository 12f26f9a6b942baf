//! Following the change log: waking watchers, and the stream that they read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use state_core::{Change, Error, Result, ResumeToken, WatchEvent, WatchOptions, WatchStart};

use crate::space::Space;
use crate::tables::{LogBounds, LoggedEvent};

/// Events read in one go.
const EVENTS_PER_READ: usize = 256;

/// Who waits for the change log of a namespace to grow.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// Whether anybody waits: writers need no lock to see that nobody does. A watcher sets it
    /// and then looks at the tables, a writer changes the tables and then looks at it, and the
    /// lock of the tables orders the two.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Watchers {
    /// Wakes everybody who waits. Called after a change has become visible to readers.
    #[inline]
    pub(crate) fn notify(&self) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let waiting = {
            let mut state = self.state.lock();
            self.any.store(false, Ordering::Release);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    fn register(&self, id: &mut Option<u64>, waker: &Waker) {
        // Wakers are cloned and dropped without the lock: they may run code of their own.
        let waker = waker.clone();
        let mut state = self.state.lock();
        self.any.store(true, Ordering::Release);
        let id = *id.get_or_insert_with(|| {
            state.next_id += 1;
            state.next_id
        });
        let replaced = state.waiting.insert(id, waker);
        drop(state);
        drop(replaced);
    }

    fn unregister(&self, id: Option<u64>) {
        if let Some(id) = id {
            let waker = self.state.lock().waiting.remove(&id);
            drop(waker);
        }
    }
}

/// Follows the changes of a namespace.
pub(crate) fn watch<S: Space>(
    space: Arc<S>,
    options: WatchOptions,
) -> Result<BoxStream<'static, Result<WatchEvent>>> {
    if !options.follow && options.start == WatchStart::Now {
        return Err(Error::invalid("a watch that begins now and does not follow tells nothing"));
    }
    let bounds = space.read(|view| view.tables.log_bounds())?;
    let mut ready = VecDeque::new();
    let next = match &options.start {
        WatchStart::Now => bounds.next,
        WatchStart::Oldest => bounds.oldest,
        WatchStart::After(token) => {
            let next = resume(&*space, bounds, token)?;
            if next.is_none() {
                ready.push_back(gap(bounds));
            }
            next.unwrap_or(bounds.oldest)
        }
        _ => return Err(Error::unsupported("this beginning of a watch")),
    };
    let generation = bounds.generation;
    let mut reader = Reader { space, options, generation, next, ready, id: None, ended: false };
    Ok(stream::poll_fn(move |cx| reader.poll(cx)).boxed())
}

/// The number of the event after the one that bore `token`, if that is known and retained.
fn resume<S: Space>(space: &S, bounds: LogBounds, token: &ResumeToken) -> Result<Option<u64>> {
    let (generation, sequence, nonce) = parts(token)?;
    if generation != bounds.generation || sequence >= bounds.next {
        return Ok(None);
    }
    let next = sequence.saturating_add(1);
    if next < bounds.oldest {
        return Ok(None);
    }
    if sequence < bounds.oldest {
        // The event itself has gone and everything after it is there.
        return Ok(Some(next));
    }
    let found = space.read(|view| view.tables.events(sequence, 1))?;
    let same = found.first().is_some_and(|event| event.nonce == nonce);
    Ok(same.then_some(next))
}

struct Reader<S: Space> {
    space: Arc<S>,
    options: WatchOptions,
    generation: u64,
    next: u64,
    ready: VecDeque<WatchEvent>,
    id: Option<u64>,
    /// Nothing follows an error: whoever goes on resumes after the last token.
    ended: bool,
}

impl<S: Space> Reader<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<WatchEvent>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            // Registered first, so that a change made meanwhile is not slept through.
            if self.options.follow {
                self.space.watchers().register(&mut self.id, cx.waker());
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) if self.options.follow => return Poll::Pending,
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// Reads further events; whether there were any, covered by the watch or not.
    fn fill(&mut self) -> Result<bool> {
        let next = self.next;
        let (bounds, events) = self.space.read(|view| {
            let bounds = view.tables.log_bounds()?;
            Ok((bounds, view.tables.events(next.max(bounds.oldest), EVENTS_PER_READ)?))
        })?;
        if next < bounds.oldest {
            self.ready.push_back(gap(bounds));
            self.next = bounds.oldest;
        }
        let Some(last) = events.last() else { return Ok(!self.ready.is_empty()) };
        self.next = last.sequence.saturating_add(1);
        for event in events {
            if covers(&self.options, &event.change) {
                let token = token(self.generation, &event);
                self.ready.push_back(WatchEvent::new(token, event.change));
            }
        }
        Ok(true)
    }
}

impl<S: Space> Drop for Reader<S> {
    fn drop(&mut self) {
        self.space.watchers().unregister(self.id);
    }
}

fn covers(options: &WatchOptions, change: &Change) -> bool {
    match change {
        Change::Cleared { prefix, scope } => {
            let prefixes_meet =
                prefix.starts_with(&options.prefix) || options.prefix.starts_with(prefix);
            prefixes_meet && scopes_meet(scope, &options.scope)
        }
        other => other.key().is_none_or(|key| options.covers(key)),
    }
}

fn scopes_meet(left: &state_core::Scope, right: &state_core::Scope) -> bool {
    use state_core::Scope;
    match (left, right) {
        (Scope::All, _) | (_, Scope::All) => true,
        (left, right) => left == right,
    }
}

/// A gap that can be resumed after: everything that is retained is still told.
fn gap(bounds: LogBounds) -> WatchEvent {
    let before = LoggedEvent {
        sequence: bounds.oldest.saturating_sub(1),
        nonce: [0; 16],
        change: Change::Gap,
    };
    WatchEvent::new(token(bounds.generation, &before), Change::Gap)
}

fn token(generation: u64, event: &LoggedEvent) -> ResumeToken {
    let mut bytes = [0; 32];
    let parts = generation.to_be_bytes().into_iter().chain(event.sequence.to_be_bytes());
    for (byte, part) in bytes.iter_mut().zip(parts.chain(event.nonce)) {
        *byte = part;
    }
    ResumeToken::from_bytes(bytes)
}

fn parts(token: &ResumeToken) -> Result<(u64, u64, [u8; 16])> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let split = token.as_bytes().split_first_chunk::<16>();
    let parts = split.and_then(|(numbers, nonce)| {
        let (generation, sequence) = numbers.split_at(8);
        Some((number(generation), number(sequence), nonce.try_into().ok()?))
    });
    parts.ok_or_else(|| Error::invalid("the resume token was not made by this kind of store"))
}
