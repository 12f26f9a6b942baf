//! How long the whole contract takes in memory: what everybody waits for who changes a rule.

use state_tests::bench::{Figure, Outcome, timed};
use state_tests::embedded;

/// The time that the suite may take.
const GOAL_SECONDS: f64 = 2.0;

/// The suite over the memory store, a few times.
pub(crate) fn figures(quick: bool) -> Outcome<Vec<Figure>> {
    let suite = embedded::memory_suite();
    let mut rounds = Vec::new();
    for _ in 0..if quick { 3 } else { 7 } {
        let (took, report) = timed(|| Ok(suite.report()?))?;
        let broken: Vec<String> =
            report.failures().filter_map(state_conformance::Verdict::failure).collect();
        if !broken.is_empty() {
            return Err(format!("the memory store breaks {}", broken.join(", ")).into());
        }
        rounds.push((took.as_secs_f64(), GOAL_SECONDS));
    }
    let case = "all clauses, in memory".to_owned();
    Ok(vec![Figure::costs(case, "s", "the goal", &rounds).with_goal(1.0)])
}
