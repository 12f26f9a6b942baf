//! Tests the conformance suite itself: which clause rejects which broken backend.
//!
//! One test per mutant (the clauses that it names must reject it), one per MUST clause (a mutant
//! must name it), one per honest backend (every clause must accept it) and one for all of these
//! together (every clause must have run on one of them). A clause rejects by what it says: one
//! that does not begin, or does not end, rejects nothing, unless it is the defect of the mutant
//! that calls never end. The matrix is written to `target/kill-matrix.txt`; with `KILL_MATRIX=full` in the environment every clause is run
//! on every mutant for it, which takes some minutes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the summary is for people")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use parking_lot::Mutex;
use state_conformance::{Clause, Level, Report, Status, Suite, ToldBy, Verdict, all};
use state_tests::gallery::{Mutant, controls, mutants};

/// How long a clause may take on a mutant that does not name it, or that loses what it waits for.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a clause may take that is to come to an end, beside other tests on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a clause about races may be run on a mutant that names it: which of several callers
/// comes first is a matter of chance, and the defect is one of order.
const RACES_MAX: usize = 10;
/// Families whose clauses take many calls; they are run on the mutants that name them.
const SLOW_FAMILIES: [&str; 3] = ["model", "race", "watch"];

/// The clauses that reject each mutant, of those that were run.
type Matrix = Arc<Mutex<BTreeMap<&'static str, BTreeSet<&'static str>>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let full = std::env::var_os("KILL_MATRIX").is_some_and(|wanted| wanted == "full");
    let matrix = Matrix::default();
    let controls: Vec<Arc<Control>> = controls().into_iter().map(Control::new).collect();
    let mut trials: Vec<Trial> = controls.iter().cloned().map(control_trial).collect();
    trials.push(kept_trial(controls));
    trials.extend(mutants().map(|mutant| mutant_trial(mutant, full, Arc::clone(&matrix))));
    let musts = all().filter(|clause| clause.level == Level::Must);
    trials.extend(musts.map(clause_trial));
    let everything = !arguments.list && arguments.filter.is_none() && arguments.skip.is_empty();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if everything && let Err(error) = write_matrix(&matrix.lock(), full) {
        eprintln!("the kill matrix cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// An honest backend, judged once, by whichever test comes first.
struct Control {
    name: &'static str,
    suite: Suite,
    report: OnceLock<Result<Report, String>>,
}

impl Control {
    fn new((name, suite): (&'static str, Suite)) -> Arc<Self> {
        let suite = suite.with_deadline(PATIENCE);
        Arc::new(Self { name, suite, report: OnceLock::new() })
    }

    fn report(&self) -> Result<&Report, Failed> {
        let judged = || self.suite.report().map_err(|error| error.to_string());
        self.report.get_or_init(judged).as_ref().map_err(Failed::from)
    }
}

/// An honest backend is rejected by no clause.
fn control_trial(control: Arc<Control>) -> Trial {
    Trial::test(format!("control: {}", control.name), move || {
        let failures: Vec<_> = control.report()?.failures().filter_map(Verdict::failure).collect();
        if failures.is_empty() { Ok(()) } else { Err(Failed::from(failures.join("\n"))) }
    })
}

/// Every clause is kept by an honest backend: one that applies to none of them could reject all.
fn kept_trial(controls: Vec<Arc<Control>>) -> Trial {
    Trial::test("controls: every clause is kept by one", move || {
        let mut kept = BTreeSet::new();
        for control in &controls {
            let verdicts = control.report()?.verdicts.iter();
            let keeps =
                |verdict: &&Verdict| matches!(verdict.status, Status::Passed | Status::Refused);
            kept.extend(verdicts.filter(keeps).map(|verdict| verdict.clause.id));
        }
        let missing: Vec<_> =
            all().map(|clause| clause.id).filter(|id| !kept.contains(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failed::from(format!("no control keeps:\n  {}", missing.join("\n  "))))
    })
}

/// A mutant is rejected by every clause that it names.
fn mutant_trial(mutant: &'static Mutant, full: bool, matrix: Matrix) -> Trial {
    Trial::test(format!("mutant: {}", mutant.id), move || {
        let suite = mutant.suite();
        let named = |clause: &&Clause| mutant.killers.contains(&clause.id);
        let mut rejecting = BTreeSet::new();
        let mut survived = Vec::new();
        for clause in all() {
            let slow = SLOW_FAMILIES.contains(&clause.family());
            let own = subject_of(clause.id) == subject_of(mutant.id) && !slow;
            if !(full || own || named(&clause)) {
                continue;
            }
            let tries = if named(&clause) && clause.threads { RACES_MAX } else { 1 };
            let waits = named(&clause) && !mutant.hangs;
            let suite = suite.clone().with_deadline(if waits { PATIENCE } else { DEADLINE });
            let verdict = judged(mutant, &suite, clause, tries);
            if rejects(mutant, &verdict) {
                rejecting.insert(clause.id);
            } else if named(&clause) {
                survived.push(format!("{}: {}", clause.id, verdict.status));
            }
        }
        let unknown = mutant.killers.iter().filter(|id| all().all(|clause| clause.id != **id));
        survived.extend(unknown.map(|id| format!("{id}: there is no such clause")));
        let seen = rejecting.iter().copied().collect::<Vec<_>>().join(", ");
        matrix.lock().insert(mutant.id, rejecting);
        if survived.is_empty() {
            return Ok(());
        }
        let (defect, survived) = (mutant.sentence, survived.join("\n  "));
        Err(Failed::from(format!("{defect}\n  {survived}\nit is rejected by: {seen}")))
    })
}

/// The family of a clause or a mutant; of the largest family also the area inside it.
fn subject_of(id: &str) -> Vec<&str> {
    let parts = if id.starts_with("ckpt.") { 2 } else { 1 };
    id.splitn(parts + 1, '.').take(parts).collect::<Vec<_>>()
}

/// Whether it is the clause that rejects the mutant, and not the machine.
fn rejects(mutant: &Mutant, verdict: &Verdict) -> bool {
    match verdict.told_by {
        Some(ToldBy::Clause) => true,
        Some(ToldBy::Deadline) => mutant.hangs,
        _ => false,
    }
}

/// The first verdict that rejects, or the last of so many.
fn judged(mutant: &Mutant, suite: &Suite, clause: &'static Clause, tries: usize) -> Verdict {
    let mut verdict = suite.check(clause);
    for _ in 1..tries {
        if rejects(mutant, &verdict) {
            break;
        }
        verdict = suite.check(clause);
    }
    verdict
}

/// A clause that binds is named by a mutant that it rejects.
fn clause_trial(clause: &'static Clause) -> Trial {
    Trial::test(format!("clause: {}", clause.id), move || {
        if mutants().any(|mutant| mutant.killers.contains(&clause.id)) {
            return Ok(());
        }
        Err(Failed::from(format!("no mutant fails it: {}", clause.sentence)))
    })
}

/// Writes who rejects whom, and prints how many.
fn write_matrix(
    matrix: &BTreeMap<&'static str, BTreeSet<&'static str>>,
    full: bool,
) -> std::io::Result<()> {
    let musts = all().filter(|clause| clause.level == Level::Must).count();
    let rejected = matrix.values().filter(|clauses| !clauses.is_empty()).count();
    let killing: BTreeSet<_> = matrix.values().flatten().collect();
    let run = if full { "every clause" } else { "the clauses of its family and those it names" };
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").map_err(std::io::Error::other);
    line("Which clause rejects which mutant; * marks those that the mutant names.".to_owned())?;
    line(format!("On each mutant were run: {run}."))?;
    let summary = format!(
        "{rejected} of {} mutants rejected; {} of {} clauses ({musts} MUST) reject a mutant",
        matrix.len(),
        killing.len(),
        all().count(),
    );
    line(summary.clone())?;
    for mutant in mutants() {
        line(format!("\n{}: {}", mutant.id, mutant.sentence))?;
        for clause in matrix.get(mutant.id).into_iter().flatten() {
            let mark = if mutant.killers.contains(clause) { '*' } else { ' ' };
            line(format!("  {mark} {clause}"))?;
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kill-matrix.txt");
    std::fs::write(&path, text)?;
    println!("{summary}; see target/kill-matrix.txt");
    Ok(())
}
