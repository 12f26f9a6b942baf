//! Failovers and moving slots under load: writes go on, no surprising error, and nothing is lost that was safe.

mod calls;
mod control;
mod listings;
mod load;
mod moves;
mod pages;
mod partition;
mod primaries;
mod slots;
mod threads;

use libtest_mimic::{Failed, Trial};

use crate::redis_stage::{Play, trial, trial_with};
use crate::servers::Setup;

/// A test that starts its servers itself, without proxies.
type Check = fn(Setup) -> Result<(), Failed>;

/// What happens to primaries, and what must not be noticed.
const PRIMARIES: [(&str, Play); 2] = [
    ("load_goes_on_across_an_orderly_failover", primaries::orderly),
    ("load_goes_on_when_a_primary_is_killed", primaries::killed),
];
const CALLS: [(&str, Check); 2] = [
    ("calls_survive_a_killed_primary", calls::calls_survive_a_killed_primary),
    ("calls_survive_a_failover_in_order", calls::calls_survive_a_failover),
];
const REPLICAS: [(&str, Play); 1] =
    [("what_no_replica_has_is_lost_with_its_primary", control::loses)];
const THREADS: [(&str, Play); 1] =
    [("acknowledged_checkpoints_outlive_a_failover", threads::acknowledged)];
const SLOTS: [(&str, Play); 6] = [
    ("moving_slots_are_not_noticed_by_callers", slots::load),
    ("pages_and_snapshots_see_keys_that_move_to_a_node_already_scanned", listings::behind),
    ("listings_see_every_key_while_slots_move", listings::storm),
    ("pages_see_every_key_wherever_a_move_begins_and_ends", pages::keys),
    ("copies_of_a_thread_are_whole_while_its_slot_moves", threads::copies),
    ("pages_of_a_hash_see_every_field_when_its_slot_moves", pages::fields),
];
/// Where all that the servers say to each other goes through proxies, which is not so for the nodes of a cluster.
const PARTITION: (&str, Play) =
    ("an_isolated_primary_is_told_by_its_replicas_alone", partition::isolated);
/// In a cluster where a primary without slots stays one.
const STAYS: &[(&str, &str)] = &[("cluster-allow-replica-migration", "no")];

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let named = |(name, play): &(&str, Play)| trial(&format!("failover::{name}"), setup, *play);
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let checked = |(name, check): (&str, Check)| {
        Trial::test(format!("failover::{name}"), move || check(setup)).with_ignored_flag(given)
    };
    let mut trials: Vec<Trial> = match setup {
        Setup::Replica => return REPLICAS.iter().map(named).collect(),
        Setup::Sentinel => {
            PRIMARIES.iter().chain(&THREADS).chain(&[PARTITION]).map(named).collect()
        }
        Setup::Cluster => PRIMARIES.iter().chain(&SLOTS).map(named).collect(),
        _ => return Vec::new(),
    };
    trials.extend(CALLS.map(checked));
    if setup == Setup::Cluster {
        let name = "failover::listings_see_the_keys_of_a_slot_that_moves_to_a_new_node";
        trials.push(trial_with(name, setup, STAYS, listings::new_node));
    }
    trials
}
