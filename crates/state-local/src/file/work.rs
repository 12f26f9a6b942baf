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

    /// Does the work in a transaction that is not yet committed; what it comes to is kept.
    fn run(&mut self, tables: &mut FileTables<'_>);

    /// Answers the caller: the transaction was committed, or what became of it. Work that was
    /// not done is refused.
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
    namespace: Arc<Namespaced>,
    rules: Rules,
    clock: Arc<dyn Clock>,
    stage: Stage<F, R>,
    sender: Sender<Result<R>>,
}

/// How far a piece of work has come.
enum Stage<F, R> {
    Waits(F),
    Ran {
        result: Result<R>,
        /// Whether it has changed data.
        changed: bool,
        /// Whether the transaction must not be committed because of it.
        spoiled: bool,
    },
    /// It panicked where nobody foresaw it.
    Lost,
}

impl<F, R> Ruled<F, R> {
    pub(super) fn new(
        namespace: Arc<Namespaced>,
        rules: Rules,
        clock: Arc<dyn Clock>,
        work: F,
        sender: Sender<Result<R>>,
    ) -> Self {
        Self { namespace, rules, clock, stage: Stage::Waits(work), sender }
    }
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

    fn run(&mut self, tables: &mut FileTables<'_>) {
        let Stage::Waits(work) = std::mem::replace(&mut self.stage, Stage::Lost) else { return };
        let entered = tables.enter(&self.namespace);
        let run = || {
            entered?;
            let now = Now::new(&*self.clock);
            work(&mut Tx { tables: &mut *tables, now: &now, rules: &self.rules })
        };
        let result = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result,
            Err(caught) => {
                // Nobody knows what it has left behind, in the engine too.
                Source::failed(tables);
                Err(Source::place(tables).panicked(&*caught))
            }
        };
        let changed = tables.has_changed_data();
        if result.is_err() && changed {
            tables.spoil();
        }
        self.stage = Stage::Ran { result, changed, spoiled: tables.is_spoiled() };
    }

    fn tell(self: Box<Self>, committed: std::result::Result<(), &Failure>) {
        let answer = match (committed, self.stage) {
            (Ok(()), Stage::Ran { result, .. }) => result,
            // What spoiled the transaction knows best what happened.
            (Err(_), Stage::Ran { result: Err(error), spoiled: true, .. }) => {
                Err(error.with_outcome(Outcome::NotApplied))
            }
            // It changed nothing, but what it saw may never have been committed.
            (Err(failure), Stage::Ran { changed: false, .. }) => {
                Err(failure.error().with_outcome(Outcome::NotApplied))
            }
            (Err(failure), _) => Err(failure.error()),
            // The receiver learns that there is no answer.
            (Ok(()), Stage::Waits(_) | Stage::Lost) => return,
        };
        self.sender.send(answer);
    }
}
