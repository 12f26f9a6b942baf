//! The thread that owns the engine: groups works into commits, and opens the store again when
//! the engine has failed.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableDatabase, WriteTransaction};
use state_core::{Error, ErrorKind, Outcome, OwnerId, Result};

use super::answer::Sender;
use super::namespace::Namespaced;
use super::opening::{self, FileIdentity, Opened, Opening};
use super::place::Place;
use super::queue::{Gathering, Next};
use super::settings::{CommitMode, Settings};
use super::shared::{Current, Published, Shared};
use super::tables::FileTables;
use super::view::View;
use super::work::{Failure, Task, Work};

/// How long a task waits for readers to come to their end, in steps.
const READERS_WAIT: Duration = Duration::from_millis(1);
const READERS_WAITS_MAX: u32 = 1_000;
/// Rounds of a compaction; each moves what the one before could not.
const COMPACTIONS_MAX: u32 = 64;
/// Callers who have been answered get this part of the time of the commit to come again.
const PATIENCE_DIVISOR: u32 = 8;
/// The time that they get at most.
const PATIENCE_MAX: Duration = Duration::from_millis(1);

/// The thread that owns the engine.
pub(super) struct Writer {
    shared: Arc<Shared>,
    settings: Settings,
    session: Option<Session>,
    /// The identity of the store that was opened first.
    store_id: Option<[u8; 16]>,
    /// Why there is no session.
    down: Option<Failure>,
}

/// The engine from an opening to its end or failure.
struct Session {
    database: Database,
    file: Option<FileIdentity>,
    /// Differs from that of every other session of every store.
    number: u64,
    /// The number of the last commit.
    commit: u64,
}

/// What became of a transaction.
enum Trouble {
    /// It was not committed.
    NotApplied(Error),
    /// Committing it failed, and it may have been.
    InDoubt(Error),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, settings: Settings) -> Self {
        Self { shared, settings, session: None, store_id: None, down: None }
    }

    /// Opens the store, answers with its identity, and works until the queue is closed.
    pub(super) fn run(mut self, opened: Sender<Result<[u8; 16]>>) {
        let result = self.open(true);
        match (result, self.store_id) {
            (Ok(()), Some(id)) => opened.send(Ok(id)),
            (result, _) => {
                self.shared.queue.close();
                self.shared.publish(Published::Closed);
                self.shared.finish(Ok(()));
                opened.send(Err(result.err().unwrap_or_else(|| self.shared.place.damaged())));
                return;
            }
        }
        let mut gathering = Gathering::default();
        loop {
            match self.shared.queue.next(self.settings.group_ops_max, gathering) {
                Next::Works(works) => {
                    let (answered, began) = (works.len(), self.settings.clock.monotonic());
                    self.works(works);
                    let took = self.settings.clock.monotonic().saturating_sub(began);
                    let patience = (took / PATIENCE_DIVISOR).min(PATIENCE_MAX);
                    gathering = Gathering { answered, patience };
                    continue;
                }
                Next::Task(task) => self.task(task),
                Next::Reopen(number) => {
                    if self.session.as_ref().is_none_or(|session| session.number == number) {
                        self.reopen();
                    }
                }
                Next::Close => break,
            }
            gathering = Gathering::default();
        }
        self.close();
    }

    fn works(&mut self, mut works: VecDeque<Box<dyn Work>>) {
        let mut failures_in_a_row = 0;
        while !works.is_empty() {
            if let Err(failure) = self.ready() {
                works.drain(..).for_each(|work| work.tell(Err(&failure)));
                return;
            }
            let before = works.len();
            self.batch(&mut works);
            failures_in_a_row = if works.len() < before { 0 } else { failures_in_a_row + 1 };
            if failures_in_a_row > 1 {
                // Not even a transaction can be begun, although the store could be opened.
                let failure = self.down.clone().unwrap_or_else(|| {
                    let what = format_args!("cannot be written");
                    Failure::of(&self.shared.place.error(ErrorKind::Unavailable, what))
                });
                works.drain(..).for_each(|work| work.tell(Err(&failure)));
            }
        }
    }

    /// Whether there is a session on the right file; opens the store again where there is none.
    fn ready(&mut self) -> std::result::Result<(), Failure> {
        if let Some(session) = &self.session
            && !self.shared.origin.leads_to(session.file)
        {
            let gone = self.opening().gone();
            self.shut(Failure::of(&gone));
        }
        if self.session.is_none() {
            self.reopen();
        }
        match &self.session {
            Some(_) => Ok(()),
            None => {
                Err(self.down.clone().unwrap_or_else(|| Failure::of(&self.shared.place.closed())))
            }
        }
    }

    /// Does works in one transaction and answers those that were done.
    fn batch(&mut self, works: &mut VecDeque<Box<dyn Work>>) {
        let Some(session) = &mut self.session else { return };
        let place = &self.shared.place;
        let mut done = Vec::with_capacity(works.len());
        let mut engine_failed = false;
        let attempt = session.commit + 1;
        let settings = &self.settings;
        let result = guarded(place, || {
            Ok(session.transact(place, settings, works, &mut done, &mut engine_failed))
        });
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                engine_failed = true;
                Err(Trouble::InDoubt(error))
            }
        };
        match result {
            Ok(None) => tell(done, Ok(())),
            Ok(Some(logged)) => self.committed(done, &logged, attempt),
            Err(Trouble::NotApplied(error)) => {
                let failure = Failure::of(&error);
                if engine_failed {
                    self.shut(failure.clone());
                    self.reopen();
                }
                tell(done, Err(&failure));
            }
            Err(Trouble::InDoubt(error)) => {
                let failure = self.resolve(&error, attempt);
                tell(done, Err(&failure));
            }
        }
    }

    /// After a commit: readers see it, then those who made it know, then those who watch.
    fn committed(&mut self, done: Vec<Box<dyn Work>>, logged: &[Arc<Namespaced>], commit: u64) {
        let Some(session) = &mut self.session else { return };
        session.commit = commit;
        self.shared.count_commit();
        if !self.shared.origin.leads_to(session.file) {
            // What was synced has no name any more.
            let gone = self.opening().gone();
            let failure = self.resolve(&gone, commit);
            return tell(done, Err(&failure));
        }
        if let Err(error) = self.publish() {
            // It is committed all the same.
            self.shut(Failure::of(&error));
            self.reopen();
        }
        tell(done, Ok(()));
        for namespace in logged {
            namespace.watchers.notify();
        }
    }

    /// Finds out what became of a commit that failed, by opening the store again.
    fn resolve(&mut self, error: &Error, attempt: u64) -> Failure {
        let failure = Failure::of(error);
        self.shut(failure.clone());
        self.reopen();
        match &self.session {
            // The store was opened without it, and goes on from there: it will never show.
            Some(session) if session.commit < attempt => failure,
            _ => failure.with_outcome(Outcome::Unknown),
        }
    }

    fn task(&mut self, task: Task) {
        match task {
            Task::Compact(sender) => {
                let result = self.exclusively(compact);
                sender.send(result);
            }
            Task::Verify(sender) => sender.send(self.exclusively(opening::verify)),
        }
    }

    /// Runs `work` on the engine without any reader.
    fn exclusively<T>(
        &mut self,
        work: impl FnOnce(&mut Database, &Place) -> Result<T>,
    ) -> Result<T> {
        self.ready().map_err(|failure| failure.error())?;
        let Some(session) = &mut self.session else { return Err(self.shared.place.closed()) };
        let readers = match self.shared.published() {
            Published::Current(current) => Arc::downgrade(&current),
            _ => std::sync::Weak::new(),
        };
        self.shared.publish(Published::Busy);
        for _ in 0..READERS_WAITS_MAX {
            if readers.strong_count() == 0 {
                break;
            }
            std::thread::park_timeout(READERS_WAIT);
        }
        let place = &self.shared.place;
        let result = if readers.strong_count() > 0 {
            Err(place.in_use())
        } else {
            guarded(place, || work(&mut session.database, place))
        };
        // Whatever went wrong is seen again here, or was no fault of the engine.
        if let Err(error) = self.publish() {
            self.shut(Failure::of(&error));
            self.reopen();
        }
        result
    }

    fn publish(&self) -> Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let place = &self.shared.place;
        let current = guarded(place, || {
            let view = View::of(&session.database, place)?;
            let cache_bytes = session.database.cache_stats().used_bytes();
            let cache_bytes = u64::try_from(cache_bytes).unwrap_or(u64::MAX);
            Ok(Current { view, session: session.number, cache_bytes })
        })?;
        self.shared.publish(Published::Current(Arc::new(current)));
        Ok(())
    }

    fn opening(&self) -> Opening<'_> {
        Opening {
            origin: &self.shared.origin,
            place: &self.shared.place,
            settings: &self.settings,
            queue: &self.shared.queue,
        }
    }

    fn open(&mut self, create: bool) -> Result<()> {
        let opened = guarded(&self.shared.place, || self.opening().open(create))?;
        let Opened { database, file, identity } = opened;
        let (number, _) = u64_halves(*OwnerId::random().as_bytes());
        let session = Session { database, file, number, commit: identity.commit };
        if *self.store_id.get_or_insert(identity.store_id) != identity.store_id {
            let gone = self.opening().gone();
            drop_guarded(&self.shared.place, session);
            return Err(gone);
        }
        self.session = Some(session);
        self.down = None;
        self.publish()
    }

    fn reopen(&mut self) {
        if let Some(session) = self.session.take() {
            drop_guarded(&self.shared.place, session);
        }
        match self.open(false) {
            Ok(()) => tracing::info!(store = %self.shared.place, "the store was opened again"),
            Err(error) => {
                tracing::warn!(store = %self.shared.place, %error, "the store cannot be opened again");
                self.shut(Failure::of(&error));
            }
        }
    }

    /// Ends the session because of `failure`.
    fn shut(&mut self, failure: Failure) {
        self.shared.publish(Published::Down(failure.clone()));
        self.down = Some(failure);
        if let Some(session) = self.session.take() {
            drop_guarded(&self.shared.place, session);
        }
    }

    fn close(&mut self) {
        if self.settings.compact_on_close
            && self.session.is_some()
            && let Err(error) = self.exclusively(compact)
        {
            tracing::warn!(store = %self.shared.place, %error, "the store was not compacted");
        }
        self.shared.publish(Published::Closed);
        if let Some(session) = self.session.take() {
            drop_guarded(&self.shared.place, session);
        }
        self.shared.finish(self.down.take().map_or(Ok(()), Err));
    }
}

impl Session {
    /// Does works in one transaction: the namespaces whose change log has grown, or `None` when
    /// nothing was written.
    fn transact(
        &mut self,
        place: &Place,
        settings: &Settings,
        works: &mut VecDeque<Box<dyn Work>>,
        done: &mut Vec<Box<dyn Work>>,
        engine_failed: &mut bool,
    ) -> std::result::Result<Option<Vec<Arc<Namespaced>>>, Trouble> {
        let Some(first) = works.front() else { return Ok(None) };
        let namespace = Arc::clone(first.namespace());
        let begun = self.database.begin_write().map_err(|error| place.transaction(error));
        let mut transaction = begun.map_err(|error| {
            *engine_failed = true;
            Trouble::NotApplied(error)
        })?;
        match settings.commit_mode {
            CommitMode::OnePhase => {}
            CommitMode::TwoPhase => transaction.set_two_phase_commit(true),
            CommitMode::QuickRepair => transaction.set_quick_repair(true),
        }
        let written = self.write(place, settings, &transaction, namespace, works, done);
        match written {
            Ok(Some(logged)) => {
                let committed = transaction.commit();
                committed.map_err(|error| Trouble::InDoubt(place.commit(error)))?;
                Ok(Some(logged))
            }
            Ok(None) => {
                abort(transaction, place, engine_failed);
                Ok(None)
            }
            Err(spoiled) => {
                *engine_failed = spoiled.engine_failed;
                abort(transaction, place, engine_failed);
                Err(Trouble::NotApplied(spoiled.error))
            }
        }
    }

    /// Does works in `transaction` until it is large enough.
    fn write(
        &self,
        place: &Place,
        settings: &Settings,
        transaction: &WriteTransaction,
        namespace: Arc<Namespaced>,
        works: &mut VecDeque<Box<dyn Work>>,
        done: &mut Vec<Box<dyn Work>>,
    ) -> std::result::Result<Option<Vec<Arc<Namespaced>>>, Spoiled> {
        let engine_failed = |error| Spoiled { error, engine_failed: true };
        let tables = FileTables::new(place, transaction, self.number, namespace);
        let mut tables = tables.map_err(engine_failed)?;
        while let Some(mut work) = works.pop_front() {
            work.run(&mut tables);
            done.push(work);
            if tables.is_spoiled() {
                let what = format_args!(
                    "could not take this write, which was grouped with one that failed; it can be sent again"
                );
                return Err(Spoiled {
                    error: place.error(ErrorKind::Unavailable, what),
                    engine_failed: tables.has_engine_failed(),
                });
            }
            if tables.written_bytes() >= settings.group_bytes_max {
                break;
            }
        }
        if !tables.has_changed() {
            return Ok(None);
        }
        tables.finish(self.commit + 1).map(Some).map_err(engine_failed)
    }
}

/// A transaction that must not be committed.
struct Spoiled {
    error: Error,
    engine_failed: bool,
}

fn abort(transaction: WriteTransaction, place: &Place, engine_failed: &mut bool) {
    if let Err(error) = transaction.abort() {
        tracing::debug!(store = %place, %error, "a transaction could not be taken back");
        *engine_failed = true;
    }
}

fn tell(done: Vec<Box<dyn Work>>, committed: std::result::Result<(), &Failure>) {
    for done in done {
        done.tell(committed);
    }
}

fn compact(database: &mut Database, place: &Place) -> Result<bool> {
    let mut compacted = false;
    for _ in 0..COMPACTIONS_MAX {
        if !database.compact().map_err(|error| place.compaction(error))? {
            break;
        }
        compacted = true;
    }
    Ok(compacted)
}

/// Runs the engine, which panics on some damaged pages.
pub(super) fn guarded<T>(place: &Place, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|caught| Err(place.panicked(&*caught)))
}

/// Closes the engine, which writes, and panics on some damaged pages.
fn drop_guarded(place: &Place, session: Session) {
    let dropped = guarded(place, || {
        drop(session);
        Ok(())
    });
    if let Err(error) = dropped {
        tracing::warn!(store = %place, %error, "the store was not closed cleanly");
    }
}

fn u64_halves(bytes: [u8; 16]) -> (u64, u64) {
    let both = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken")]
    let halves = ((both >> 64) as u64, both as u64);
    halves
}
