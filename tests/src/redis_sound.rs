//! What must hold beside single calls and faults: many callers at once, dropped futures, several runtimes, secrets, replicas
//! that refuse, and layouts that are shared.

mod crowd;
mod layouts;
mod replicas;
mod telling;

use libtest_mimic::Trial;

use crate::redis_stage::{Play, trial, trial_with};
use crate::servers::Setup;

const EVERYWHERE: [(&str, Play); 3] = [
    ("two_stores_serve_a_thousand_callers_and_large_values", crowd::thousand),
    ("dropped_futures_give_no_answer_to_another_caller", crowd::dropped),
    ("a_store_outlives_the_runtime_that_used_it_first", crowd::second_runtime),
];
const LAYOUTS: [(&str, Play); 3] = [
    ("a_pruned_log_is_a_gap_and_goes_on", layouts::pruned),
    ("openers_that_disagree_are_refused_and_change_nothing", layouts::disagree),
    ("a_partitioner_places_what_is_alike_together", layouts::partitioner),
];
const ALONE: [(&str, Play); 2] = [
    ("an_index_and_a_log_need_no_more_than_the_documented_user", layouts::documented_user),
    ("nothing_that_is_told_holds_a_password_and_spans_say_how_it_went", telling::secrets),
];
/// A replica that refuses to answer when it has lost its primary.
const NO_STALE_DATA: &[(&str, &str)] = &[("replica-serve-stale-data", "no")];

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let named = |(name, play): (&str, Play)| trial(&format!("sound::{name}"), setup, play);
    match setup {
        Setup::Standalone | Setup::Valkey => {
            EVERYWHERE.into_iter().chain(LAYOUTS).chain(ALONE).map(named).collect()
        }
        Setup::Cluster => EVERYWHERE.into_iter().chain(LAYOUTS).map(named).collect(),
        Setup::Sentinel => EVERYWHERE.into_iter().map(named).collect(),
        Setup::Replica => {
            let name = "sound::a_replica_without_its_primary_says_so";
            let demoted = "sound::a_replica_is_not_taken_for_the_primary";
            vec![
                trial_with(name, setup, NO_STALE_DATA, replicas::refuse),
                trial(demoted, setup, replicas::demoted),
            ]
        }
        _ => Vec::new(),
    }
}
