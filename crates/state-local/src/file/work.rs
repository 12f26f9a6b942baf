//! Work for the writer thread, and what it says about the commit.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use state_core::{Clock, Error, ErrorKind, Outcome, Result};

use super::answer::Sender;
use super::namespace::Namespaced;
use super::source::Source;
use super::tables::FileTables;
use crate::engine::Tx;
use crate::space::{Now, Rules};

/// A piece of work in one namespace that one caller waits for.
pub(super) trait Work: fmt::Debug + Send {
    fn namespace(&self) -> &Arc<Namespaced>;

    /// Does the work; what it comes to is said when the commit is.
    fn run(self: Box<Self>, tables: &mut FileTables<'_>) -> Box<dyn Done>;

    /// Answers without doing it.
    fn refuse(self: Box<Self>, failure: &Failure);
}

/// A piece of work that was done in a transaction that is not yet committed.
pub(super) trait Done: Send {
    /// Answers the caller: the transaction was committed, or what became of it.
    fn tell(self: Box<Self>, committed: std::result::Result<(), &Failure>);
}

/// What the writer thread does with the store to itself.
#[derive(Debug)]
pub(super) enum Task {
    /// Gives space back to the file system; whether there was any.
    Compact(Sender<Result<bool>>),
    /// Looks at every page.
    Verify(Sender<Result<()>>),
}

/// Why works have no result: an error that can be told to many.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    /// What is known of the changes of the transaction.
    pub(super) outcome: Outcome,
    /// The cause in words.
    pub(super) cause: Option<String>,
}

impl Failure {
    /// A failure before anything was applied.
    pub(super) fn of(error: &Error) -> Self {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        Self { kind: error.kind(), message: error.to_string(), outcome: Outcome::NotApplied, cause }
    }

    #[must_use]
    pub(super) fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    pub(super) fn error(&self) -> Error {
        let error = Error::new(self.kind, self.message.clone()).with_outcome(self.outcome);
        match &self.cause {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }
}

/// Work on the tables of one namespace under the rules.
pub(super) struct Ruled<F, R> {
    pub(super) namespace: Arc<Namespaced>,
    pub(super) rules: Rules,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) work: F,
    pub(super) sender: Sender<Result<R>>,
}

impl<F, R> fmt::Debug for Ruled<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ruled").field("namespace", &self.namespace.name).finish_non_exhaustive()
    }
}

impl<F, R> Work for Ruled<F, R>
where
    F: FnOnce(&mut Tx<'_>) -> Result<R> + Send,
    R: Send + 'static,
{
    fn namespace(&self) -> &Arc<Namespaced> {
        &self.namespace
    }

    fn run(self: Box<Self>, tables: &mut FileTables<'_>) -> Box<dyn Done> {
        let Self { namespace, rules, clock, work, sender } = *self;
        let place = Source::place(tables).clone();
        let entered = tables.enter(&namespace);
        let run = || {
            entered?;
            let now = Now::new(&*clock);
            work(&mut Tx { tables: &mut *tables, now: &now, rules: &rules })
        };
        let result = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result,
            Err(caught) => {
                // Nobody knows what it has left behind, in the engine too.
                Source::failed(tables);
                Err(place.panicked(&*caught))
            }
        };
        let changed = tables.has_changed_data();
        if result.is_err() && changed {
            tables.spoil();
        }
        Box::new(Ran { result, changed, spoiled: tables.is_spoiled(), sender })
    }

    fn refuse(self: Box<Self>, failure: &Failure) {
        self.sender.send(Err(failure.error()));
    }
}

struct Ran<R> {
    result: Result<R>,
    changed: bool,
    spoiled: bool,
    sender: Sender<Result<R>>,
}

impl<R: Send> Done for Ran<R> {
    fn tell(self: Box<Self>, committed: std::result::Result<(), &Failure>) {
        let answer = match (committed, self.result) {
            (Ok(()), result) => result,
            // What spoiled the transaction knows best what happened.
            (Err(_), Err(error)) if self.spoiled => Err(error.with_outcome(Outcome::NotApplied)),
            (Err(failure), _) if self.changed => Err(failure.error()),
            // It changed nothing, but what it saw may never have been committed.
            (Err(failure), _) => Err(failure.error().with_outcome(Outcome::NotApplied)),
        };
        self.sender.send(answer);
    }
}
