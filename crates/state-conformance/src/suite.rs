//! Holds one store to the contract.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use state_core::{Error, ErrorKind, Result};

use crate::clause::Declared;
use crate::model_runs::ModelRuns;
use crate::runner::{self, Bench};
use crate::subject::{Made, Make};
use crate::{Clause, Fixture, Level, Report, Status, Subject, ToldBy, Verdict, all};

/// The contract, applied to the stores that a factory makes. Cloning is cheap.
#[derive(Clone)]
pub struct Suite {
    backend: Arc<str>,
    bench: Arc<dyn Bench>,
    deadline: Duration,
    model_runs: Result<ModelRuns, String>,
    waived: BTreeMap<&'static str, String>,
}

impl Suite {
    /// A suite for the backend, or the checkpointer, called `backend`; `factory` makes a fresh
    /// store per clause.
    pub fn new<S, F, Making>(backend: impl Into<Arc<str>>, factory: F) -> Self
    where
        S: Subject + ?Sized,
        F: Fn() -> Making + Send + Sync + 'static,
        Making: Future<Output = Result<Fixture<S>>> + Send + 'static,
    {
        let make: Arc<Make<S>> = Arc::new(move || Box::pin(factory()));
        Self {
            backend: backend.into(),
            bench: Arc::new(Made(make)),
            deadline: Duration::from_secs(30),
            model_runs: Ok(ModelRuns::DEFAULT),
            waived: BTreeMap::new(),
        }
    }

    /// Sets how long one clause may take before it counts as failed. Default: 30 s.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets from which seed the clauses of the family `model` draw their random sequences of calls,
    /// and how many each: one that fails tells its seed. Their deadline grows with the number.
    /// Default: the same 24 in every run.
    #[must_use]
    pub fn with_model(mut self, seed: u64, sequences: u32) -> Self {
        self.model_runs = Ok(ModelRuns { seed, sequences });
        self
    }

    /// Sets the same from the variables of the environment that `cargo xtask itest` sets: the seed
    /// from `STATE_SEED`, and 20 times as many where there is a `STATE_SOAK`. A seed that is no
    /// number fails as a test of its own.
    #[must_use]
    pub fn with_model_of_environment(mut self) -> Self {
        self.model_runs = ModelRuns::of_environment();
        self
    }

    /// Says that the backend does not keep the SHOULD clause `id`, and why: it is shown as
    /// ignored, with the reason. A MUST clause, or one that does not exist, cannot be waived:
    /// such a waiver fails as a test of its own.
    #[must_use]
    pub fn with_waiver(mut self, id: &'static str, reason: impl Into<String>) -> Self {
        self.waived.insert(id, reason.into());
        self
    }

    /// Runs the clauses as tests, as the arguments of the program say, and returns the exit
    /// code: the whole `main` of a test file with `harness = false`.
    pub fn main(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.trials()).exit_code()
    }

    /// One test per clause, for a program that runs more than one suite.
    ///
    /// A clause that does not apply is ignored, with the reason beside its name. A backend that
    /// cannot be opened gives one failing test, `backend.opens`.
    pub fn trials(&self) -> Vec<Trial> {
        match self.declared() {
            Ok(declared) => {
                let trials = self.clauses().map(|clause| self.trial(clause, &declared));
                trials.chain(self.bad_waivers()).chain(self.bad_seed()).collect()
            }
            Err(message) => {
                let trial = Trial::test("backend.opens", move || Err(Failed::from(message)));
                vec![trial.with_kind(&*self.backend)]
            }
        }
    }

    /// Runs all clauses, some at the same time, and returns the verdicts in the order of the
    /// contract.
    ///
    /// # Errors
    /// `Unavailable` when the factory or the backend cannot be opened at all.
    pub fn report(&self) -> Result<Report> {
        let declared = self
            .declared()
            .map_err(|message| Error::new(ErrorKind::Unavailable, message).with_op("report"))?;
        let verdicts = self.judge_all(&declared);
        let backend = (*self.backend).to_owned();
        Ok(Report { backend, capabilities: declared.capabilities, verdicts })
    }

    /// Runs one clause, or says why it does not apply.
    pub fn check(&self, clause: &'static Clause) -> Verdict {
        match self.declared() {
            Ok(declared) => self.judge(clause, &declared),
            Err(message) => {
                let told_by = Some(ToldBy::Setup);
                Verdict { told_by, ..verdict(clause, Status::Failed(message)) }
            }
        }
    }

    /// The clauses about such stores.
    fn clauses(&self) -> impl Iterator<Item = &'static Clause> {
        let kind = self.bench.kind();
        all().filter(move |clause| clause.run.subject() == kind)
    }

    /// Several clauses at a time, because most of them wait for their store most of the time.
    fn judge_all(&self, declared: &Declared) -> Vec<Verdict> {
        let clauses: Vec<&'static Clause> = self.clauses().collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut judged = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(clause) = clauses.get(at) else { return judged };
                judged.push((at, self.judge(clause, declared)));
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get) * 4;
        let mut verdicts = thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut judged = work();
            for worker in workers {
                judged.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            judged
        });
        verdicts.sort_by_key(|(at, _)| *at);
        verdicts.into_iter().map(|(_, verdict)| verdict).collect()
    }

    fn judge(&self, clause: &'static Clause, declared: &Declared) -> Verdict {
        match self.excludes(clause, declared) {
            Some(reason) => verdict(clause, Status::NotApplicable(reason)),
            None => self.run(clause),
        }
    }

    fn run(&self, clause: &'static Clause) -> Verdict {
        let runs = self.model_runs.clone().unwrap_or(ModelRuns::DEFAULT);
        let times = if clause.family() == "model" { runs.times() } else { 1 };
        runner::run(&self.bench, clause, self.deadline.saturating_mul(times), runs)
    }

    fn trial(&self, clause: &'static Clause, declared: &Declared) -> Trial {
        let Some(reason) = self.excludes(clause, declared) else {
            let suite = self.clone();
            let run = move || match suite.run(clause).failure() {
                Some(message) => Err(Failed::from(format!("{message}\n  {}", clause.sentence))),
                None => Ok(()),
            };
            return Trial::test(clause.id, run).with_kind(&*self.backend);
        };
        // The kind is what is shown beside the name of an ignored test.
        let kind = format!("{}: {reason}", self.backend);
        Trial::ignorable_test(clause.id, move || Ok(Completion::ignored_with(reason)))
            .with_kind(kind)
            .with_ignored_flag(true)
    }

    /// Why a clause is not run, if it is not.
    fn excludes(&self, clause: &Clause, declared: &Declared) -> Option<String> {
        let subject = clause.run.subject();
        if subject != self.bench.kind() {
            return Some(format!("it is about {subject}"));
        }
        let waived = self.waived.get(clause.id).filter(|_| clause.level == Level::Should);
        let waived = waived.map(|reason| format!("waived, {reason}"));
        clause.not_applicable(declared).or(waived)
    }

    /// A failing test for each waiver of what cannot be waived.
    fn bad_waivers(&self) -> impl Iterator<Item = Trial> {
        let should =
            |id: &str| all().any(|clause| clause.id == id && clause.level == Level::Should);
        self.waived.keys().filter(move |id| !should(id)).map(|id| {
            let message = format!("`{id}` is no SHOULD clause and cannot be waived");
            Trial::test(format!("waiver.{id}"), move || Err(Failed::from(message)))
        })
    }

    /// A failing test for a seed that cannot be taken.
    fn bad_seed(&self) -> Option<Trial> {
        let message = self.model_runs.clone().err()?;
        Some(Trial::test("model.seed", move || Err(Failed::from(message))))
    }

    fn declared(&self) -> Result<Declared, String> {
        runner::declared(&*self.bench)
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("backend", &self.backend).finish_non_exhaustive()
    }
}

fn verdict(clause: &'static Clause, status: Status) -> Verdict {
    Verdict { clause, status, told_by: None, leftovers: None, duration: Duration::ZERO }
}
