//! Faults of the network and of the servers: what a caller is told, and that the store works again without being opened
//! anew.

mod access;
mod contents;
mod cuts;
mod holders;
mod once;
mod pauses;
mod refusals;
mod scarce;
mod silence;
mod stalls;

use libtest_mimic::Trial;

use crate::redis_stage::{Play, trial, trial_with};
use crate::servers::Setup;

/// A folder with the name of the file that is saved, so that saving fails.
const CANNOT_SAVE: &[(&str, &str)] = &[("appenddirname", "dump.rdb")];
const KEEPS_NOTHING: &[(&str, &str)] = &[("appendonly", "no")];
/// Half a millisecond for each key that is loaded.
const LOADS_SLOWLY: &[(&str, &str)] = &[("key-load-delay", "500")];
const NOBODY_TAKES_OVER: &[(&str, &str)] = &[("cluster-replica-no-failover", "yes")];
const KEEPS_ALL: &[(&str, &str)] = &[("appendfsync", "always")];

/// Faults of connections, which every setup has.
const CONNECTIONS: [(&str, Play); 11] = [
    ("a_reset_at_any_moment_of_any_call_has_its_outcome", cuts::reset),
    ("a_close_at_any_moment_of_any_call_has_its_outcome", cuts::close),
    ("a_call_whose_connection_falls_silent_has_its_outcome", cuts::silence),
    ("a_black_hole_is_left_behind", silence::black_hole),
    ("all_parts_of_a_call_share_its_deadline", silence::deadline),
    ("all_parts_of_a_call_of_checkpoints_share_its_deadline", silence::checkpoints),
    ("half_open_connections_are_left_behind", silence::half_open),
    ("silence_is_noticed_after_idling", silence::silent_while_idle),
    ("refused_connections_are_told_and_made_again", silence::refused),
    ("streams_in_pieces_of_one_byte_stay_whole", silence::chopped),
    ("a_slow_network_is_no_fault", silence::slow),
];

/// Writes that primaries of every setup can be made to hold back.
const PAUSES: [(&str, Play); 1] = [("reads_go_on_while_writes_wait", pauses::reads_go_on)];

/// Faults of servers and of holders of leases, to which every setup can be brought.
const PRIMARIES: [(&str, Play); 11] = [
    ("a_holder_that_stands_still_is_refused", holders::paused),
    ("leases_outlive_the_runtime_of_their_holder", holders::runtime_gone),
    ("a_server_out_of_memory_is_told", refusals::out_of_memory),
    ("a_server_without_replicas_is_told", refusals::too_few_replicas),
    ("a_refused_login_is_told", access::refused),
    ("a_denied_command_or_key_is_told", access::denied),
    ("a_rotated_password_is_told", access::rotated),
    ("a_paused_write_is_made_once", stalls::paused),
    ("scripts_are_taught_again_between_calls", contents::scripts_flushed_between),
    ("scripts_are_taught_again_within_a_batch", contents::scripts_flushed_within),
    ("foreign_contents_are_told", contents::foreign),
];

/// What would make others take over, or asks one server by its keys.
const ALONE: [(&str, Play); 13] = [
    ("an_exhausted_pool_is_told", scarce::pool),
    ("the_least_number_of_connections_is_kept", scarce::kept),
    ("what_is_evicted_is_absent_and_a_lost_lease_is_told", scarce::evicted),
    ("what_promises_one_effect_has_one_after_resets", once::one_effect),
    ("puts_and_removals_with_an_id_have_one_effect_after_resets", once::puts_and_removals),
    ("leases_have_one_effect_after_resets", once::leases),
    ("checkpoints_have_one_effect_after_resets", once::checkpoints),
    ("a_loading_server_is_told", refusals::loading),
    ("a_script_that_keeps_the_server_busy_is_told", refusals::busy),
    ("too_many_clients_are_told", refusals::too_many_clients),
    ("a_pause_past_the_deadline_is_told", stalls::paused_too_long),
    ("a_frozen_server_is_waited_for", stalls::frozen),
    ("a_server_frozen_past_the_deadline_is_told", stalls::frozen_too_long),
];

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let named = |(name, play): (&str, Play)| trial(&format!("fault::{name}"), setup, play);
    let mut trials: Vec<Trial> =
        CONNECTIONS.into_iter().chain(PRIMARIES).chain(PAUSES).map(named).collect();
    let set = |name: &str, settings, play: Play| {
        trial_with(&format!("fault::{name}"), setup, settings, play)
    };
    if setup == Setup::Cluster {
        let name = |name, play| named((name, play));
        trials.push(name("what_promises_one_effect_has_one_after_resets", once::one_effect));
        trials.extend([
            // Nobody takes over from a server that stands still.
            set("a_frozen_server_is_waited_for", NOBODY_TAKES_OVER, stalls::frozen),
            set(
                "a_server_frozen_past_the_deadline_is_told",
                NOBODY_TAKES_OVER,
                stalls::frozen_too_long,
            ),
        ]);
    }
    if setup.is_one_server() {
        trials.extend(ALONE.into_iter().map(named));
        trials.extend([
            // Replicas need to save what they are sent.
            set("a_server_that_cannot_save_is_told", CANNOT_SAVE, refusals::cannot_save),
            set("a_loading_server_is_waited_for", LOADS_SLOWLY, refusals::loading_awaited),
            set("an_empty_restart_is_no_end", KEEPS_NOTHING, contents::restarted_empty),
            set("a_kill_loses_nothing_on_the_file", KEEPS_ALL, contents::killed_with_file),
        ]);
    }
    trials
}
