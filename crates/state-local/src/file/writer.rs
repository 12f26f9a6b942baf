//! The thread that owns the engine: groups works into commits, and opens the store again when
//! the engine has failed.

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableDatabase};
use state_core::{Error, ErrorKind, Outcome, OwnerId, Result};

use super::answer::Sender;
use super::guard::guarded;
use super::opening::{self, Identity, Opened, Opening};
use super::place::Place;
use super::queue::{Gathering, Group, Next};
use super::session::{Committed, Session, Trouble, compact, settle, used_bytes};
use super::settings::Settings;
use super::shared::{Current, Published, Shared};
use super::view::View;
use super::work::{Failure, Task, Work};

/// For how many milliseconds a task waits for readers to come to their end.
const READERS_WAITS_MAX: u32 = 1_000;
/// The same where it is no error if they do not.
const CLOSING_WAITS_MAX: u32 = 50;
/// A smaller file is not worth its writes.
const COMPACT_BYTES_MIN: u64 = 256 << 10;
/// A file takes at most so many times what is in use. The engine lets it grow to twice that.
const UNUSED_DIVISOR: u64 = 3;
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
    /// Who may come again after the last commit.
    gathering: Gathering,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, settings: Settings) -> Self {
        Self {
            shared,
            settings,
            session: None,
            store_id: None,
            down: None,
            gathering: Gathering::default(),
        }
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
        let (shared, clock) = (Arc::clone(&self.shared), Arc::clone(&self.settings.clock));
        loop {
            let next = shared.queue.next(self.settings.group_ops_max);
            let gathering = std::mem::take(&mut self.gathering);
            match next {
                Next::Works(works) => {
                    self.works(&mut Group::new(&shared.queue, &*clock, works, gathering));
                }
                Next::Task(task) => self.task(task),
                Next::Reopen(number) => {
                    if self.session.as_ref().is_none_or(|session| session.number == number) {
                        self.reopen();
                    }
                }
                Next::Close => break,
            }
        }
        self.close();
    }

    fn works(&mut self, group: &mut Group<'_>) {
        let mut failures_in_a_row = 0;
        while group.first().is_some() {
            if let Err(failure) = self.ready() {
                return tell(group.take_all(), Err(&failure));
            }
            let progress = self.batch(group);
            failures_in_a_row = if progress { 0 } else { failures_in_a_row + 1 };
            if failures_in_a_row > 1 {
                // Not even a transaction can be begun, although the store could be opened.
                let failure = self.down.clone().unwrap_or_else(|| {
                    let what = format_args!("cannot be written");
                    Failure::of(&self.shared.place.error(ErrorKind::Unavailable, what))
                });
                tell(group.take_all(), Err(&failure));
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

    /// Does works in one transaction and answers those that were done; whether there were any.
    fn batch(&mut self, group: &mut Group<'_>) -> bool {
        let Some(session) = &mut self.session else { return false };
        let place = &self.shared.place;
        let mut done = Vec::new();
        let mut engine_failed = false;
        let attempt = session.commit + 1;
        let settings = &self.settings;
        let result = guarded(place, || {
            Ok(session.transact(place, settings, group, &mut done, &mut engine_failed))
        });
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                engine_failed = true;
                Err(Trouble::InDoubt(error))
            }
        };
        let progress = !done.is_empty();
        match result {
            Ok(None) => tell(done, Ok(())),
            Ok(Some(committed)) => self.committed(done, &committed, attempt),
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
        progress
    }

    /// After a commit: readers see it, then those who made it know, then those who watch.
    fn committed(&mut self, done: Vec<Box<dyn Work>>, committed: &Committed, commit: u64) {
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
        // Counted before anybody is answered: whoever comes after that has come again.
        let expected = done.len().saturating_add(self.shared.queue.waiting());
        let expected = expected.min(self.settings.waiting_ops_max);
        let patience = (committed.took / PATIENCE_DIVISOR).min(PATIENCE_MAX);
        self.gathering = Gathering { expected, patience };
        tell(done, Ok(()));
        for namespace in &committed.logged {
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
                sender.send(self.compact());
            }
            Task::Verify(sender) => sender.send(self.exclusively(opening::verify)),
        }
    }

    /// Makes the file as small as it can be; whether it shrank.
    fn compact(&mut self) -> Result<bool> {
        let shared = Arc::clone(&self.shared);
        let bytes = || shared.origin.disk_bytes().map_err(|error| shared.place.io(error));
        let before = bytes()?;
        let mode = self.settings.commit_mode;
        let used = self.exclusively(|database, place| compact(database, mode, place))?;
        if let Some(session) = &mut self.session {
            session.compacted = used;
        }
        Ok(bytes()? < before)
    }

    /// Runs `work` on the engine without any reader.
    fn exclusively<T>(
        &mut self,
        work: impl FnOnce(&mut Database, &Place) -> Result<T>,
    ) -> Result<T> {
        self.ready().map_err(|failure| failure.error())?;
        let Some(session) = &mut self.session else { return Err(self.shared.place.closed()) };
        let unread = self.shared.publish_and_wait(Published::Busy, READERS_WAITS_MAX);
        let place = &self.shared.place;
        let result = if unread {
            guarded(place, || work(&mut session.database, place))
        } else {
            Err(place.in_use())
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
            let view = View::of(&session.database, place, &self.shared.views)?;
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
        let Identity { commit, compacted, .. } = identity;
        let session = Session { database, file, number, commit, compacted };
        if *self.store_id.get_or_insert(identity.store_id) != identity.store_id {
            let gone = self.opening().gone();
            session.close(&self.shared.place);
            return Err(gone);
        }
        self.session = Some(session);
        self.down = None;
        self.publish()
    }

    fn reopen(&mut self) {
        if let Some(session) = self.session.take() {
            session.close(&self.shared.place);
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
            session.close(&self.shared.place);
        }
    }

    fn close(&mut self) {
        let written = self.shared.commits() > 0;
        if written && let Err(error) = self.shrink() {
            if error.kind() == ErrorKind::Corrupt {
                tracing::error!(store = %self.shared.place, %error, "the store is damaged, and was left as it is");
            } else {
                tracing::warn!(store = %self.shared.place, %error, "the store was not made smaller");
            }
        }
        self.shared.publish(Published::Closed);
        if let Some(session) = self.session.take() {
            session.close(&self.shared.place);
        }
        self.shared.finish(self.down.take().map_or(Ok(()), Err));
    }

    /// Makes a file small that has grown, or of which most is not in use, if nobody reads it.
    fn shrink(&mut self) -> Result<()> {
        let most = self.settings.compact_bytes_max;
        let Some(session) = &mut self.session else { return Ok(()) };
        let Shared { origin, place, .. } = &*self.shared;
        if !origin.leads_to(session.file) {
            return Ok(());
        }
        let bytes = origin.disk_bytes().map_err(|error| place.io(error))?;
        // How much is in use only the pages tell, which takes reading them.
        if bytes < COMPACT_BYTES_MIN || bytes / UNUSED_DIVISOR > most {
            return Ok(());
        }
        if !self.shared.publish_and_wait(Published::Closed, CLOSING_WAITS_MAX) {
            tracing::debug!(store = %place, "the store is being read, and not made smaller");
            return Ok(());
        }
        let mode = self.settings.commit_mode;
        guarded(place, || {
            settle(&session.database, mode, place)?;
            let used = used_bytes(&session.database, place)?;
            let has_grown = used / 5 * 4 > session.compacted;
            let is_due = has_grown || bytes / UNUSED_DIVISOR > used;
            if is_due && used <= most {
                compact(&mut session.database, mode, place)?;
            }
            Ok(())
        })
    }
}

fn tell(
    works: impl IntoIterator<Item = Box<dyn Work>>,
    committed: std::result::Result<(), &Failure>,
) {
    for work in works {
        work.tell(committed);
    }
}

fn u64_halves(bytes: [u8; 16]) -> (u64, u64) {
    let both = u128::from_be_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken")]
    let halves = ((both >> 64) as u64, both as u64);
    halves
}
