//! What can be held to the contract: a backend or a checkpointer.

use std::fmt::{self, Debug};
use std::sync::Arc;

use futures_util::TryStreamExt;
use state_core::checkpoint::{Checkpointer, CheckpointerExt};
use state_core::{
    BoxFuture, Capabilities, Capability, ClearOptions, CountOptions, ErrorKind, ListOptions,
    Result, SnapshotOptions, StateBackend,
};

use crate::clause::{Declared, Run};
use crate::model_runs::ModelRuns;
use crate::runner::{Bench, Prepared};
use crate::{Clause, Context, Facility, Fixture};

/// Who is held to a clause.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SubjectKind {
    /// Whatever implements [`StateBackend`].
    Backend,
    /// Whatever implements [`Checkpointer`].
    Checkpointer,
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backend => "backends",
            Self::Checkpointer => "checkpointers",
        })
    }
}

/// What a [`Suite`](crate::Suite) can judge: `dyn StateBackend` and `dyn Checkpointer`.
pub trait Subject: Debug + Send + Sync + 'static {
    /// Which clauses apply.
    const KIND: SubjectKind;
    /// What is counted after a clause, in the plural.
    const LEFTOVERS: &'static str;

    /// What decides a clause, if it judges such a subject.
    fn decided_by(run: Run) -> Option<fn(Context<Self>) -> BoxFuture<'static, ()>>;

    /// What an instance offers beyond what each must.
    fn declares(&self) -> BoxFuture<'_, Result<Capabilities>>;

    /// Removes everything from the namespace of the instance and returns how much is left.
    fn clear_and_count(&self) -> BoxFuture<'_, Result<u64>>;
}

impl Subject for dyn StateBackend {
    const KIND: SubjectKind = SubjectKind::Backend;
    const LEFTOVERS: &'static str = "entries or hashes";

    fn decided_by(run: Run) -> Option<fn(Context<Self>) -> BoxFuture<'static, ()>> {
        match run {
            Run::Backend(run) => Some(run),
            Run::Checkpointer(_) => None,
        }
    }

    fn declares(&self) -> BoxFuture<'_, Result<Capabilities>> {
        Box::pin(async { Ok(self.capabilities()) })
    }

    fn clear_and_count(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async {
            self.clear_opts(ClearOptions::default()).await?;
            let counted = self.count_opts(CountOptions::default()).await?;
            let listed = self.list_page(ListOptions::default()).await?.items.len();
            let records = self.snapshot_opts(SnapshotOptions::default()).await?;
            let records: Vec<()> = records.map_ok(|_| ()).try_collect().await?;
            let most = u64::try_from(listed.max(records.len())).unwrap_or(u64::MAX);
            Ok(counted.max(most))
        })
    }
}

impl Subject for dyn Checkpointer {
    const KIND: SubjectKind = SubjectKind::Checkpointer;
    const LEFTOVERS: &'static str = "threads or records";

    fn decided_by(run: Run) -> Option<fn(Context<Self>) -> BoxFuture<'static, ()>> {
        match run {
            Run::Checkpointer(run) => Some(run),
            Run::Backend(_) => None,
        }
    }

    /// A checkpointer declares nothing; whether it can be followed shows when one tries.
    fn declares(&self) -> BoxFuture<'_, Result<Capabilities>> {
        Box::pin(async {
            let none = Capabilities::none();
            match self.watch_threads(None).await {
                Err(error) if error.kind() == ErrorKind::Unsupported => Ok(none),
                _ => Ok(none.with(Capability::Watch)),
            }
        })
    }

    fn clear_and_count(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async {
            let threads: Vec<_> = self.threads().try_collect().await?;
            for summary in threads {
                self.delete_thread(summary.thread).await?;
            }
            let left: Vec<_> = self.threads().try_collect().await?;
            Ok(u64::try_from(left.len()).unwrap_or(u64::MAX))
        })
    }
}

/// The stores that a factory makes, one for each clause.
pub(crate) struct Made<S: Subject + ?Sized>(pub(crate) Arc<Make<S>>);

/// A factory.
pub(crate) type Make<S> = dyn Fn() -> BoxFuture<'static, Result<Fixture<S>>> + Send + Sync;

impl<S: Subject + ?Sized> Bench for Made<S> {
    fn kind(&self) -> SubjectKind {
        S::KIND
    }

    fn prepare(
        &self,
        clause: &'static Clause,
        model_runs: ModelRuns,
    ) -> BoxFuture<'static, Result<Prepared>> {
        let made = (self.0)();
        Box::pin(async move {
            let context = Context::new(made.await?, model_runs).await?;
            let shared = context.shared();
            let decided: BoxFuture<'static, ()> = match S::decided_by(clause.run) {
                Some(run) => run(context),
                // Such clauses are never run: the suite shows them as not applicable.
                None => Box::pin(std::future::ready(())),
            };
            Ok(Prepared { decided, cleaned: Box::pin(async move { shared.clean_up().await }) })
        })
    }

    fn declared(&self) -> BoxFuture<'static, Result<Declared>> {
        let made = (self.0)();
        Box::pin(async move {
            let fixture = made.await?;
            let able = Facility::ALL.into_iter().filter(|facility| fixture.can(*facility));
            let able = able.collect();
            let context = Context::new(fixture, ModelRuns::DEFAULT).await?;
            let capabilities = context.a.declares().await?;
            Ok(Declared { capabilities, fixture: able })
        })
    }
}
