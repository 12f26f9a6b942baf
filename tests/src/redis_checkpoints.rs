//! Threads of checkpoints natively on Redis: the conformance suite over real servers, and what it cannot see.

mod budgets;
mod conversation;
mod cuts;
mod damage;
mod indexes;
mod keys;
mod known;
mod lives;
mod memory;
mod over;
mod replicas;
mod restart;
mod rows;
mod short;
mod suite;
mod user;
mod writes;

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::redis_stage::{Play, effort, trial, trial_with};
use crate::servers::{Running, Setup};

const ALONE: [(&str, Play); 20] = [
    ("a_lost_key_is_corrupt", damage::lost_keys),
    ("rows_of_a_later_version_are_unsupported", rows::later),
    ("rows_of_another_thread_are_corrupt", rows::moved),
    ("a_put_does_not_pass_over_a_damaged_parent", rows::damaged_parent),
    ("all_keys_of_a_thread_have_one_end", lives::one_end),
    ("reads_begin_the_lifetime_of_all_keys_anew", lives::reads),
    ("a_mark_of_a_deleted_thread_has_an_end_and_refuses_what_is_late", lives::tombstones),
    ("a_thread_whose_end_has_come_is_gone_for_every_call", lives::ended),
    ("a_killed_server_has_every_step_again", restart::every_step),
    ("the_short_way_in_takes_every_setting", short::way_in),
    ("threads_are_read_however_they_were_compressed", short::compressions),
    ("the_acl_user_is_enough", user::is_enough),
    ("indexes_are_cleared_as_they_grow", indexes::cleared_as_they_grow),
    ("indexes_are_cleared_when_met", indexes::cleared_when_met),
    ("histories_are_read_in_pages", budgets::in_pages),
    ("what_is_known_and_what_is_looked_up_write_the_same", known::same_keys),
    ("a_thread_that_is_known_takes_few_commands", known::few_commands),
    ("a_lost_key_of_a_known_thread_is_corrupt", known::lost_keys),
    ("writers_in_turns_lose_nothing", known::in_turns),
    ("memory_is_in_proportion", memory::in_proportion),
];
const EVERYWHERE: [(&str, Play); 2] =
    [("round_trips_are_flat", budgets::flat), ("the_end_of_a_thread_is_told", over::is_told)];
const REPLICAS: [(&str, Play); 2] = [
    ("changes_wait_for_replicas_and_say_when_they_fall_short", replicas::acks),
    ("reads_that_may_be_old_are_served_by_replicas", replicas::eventual),
];

/// The tests of checkpoints on a primary with replicas.
pub fn replica_trials() -> Vec<Trial> {
    REPLICAS.into_iter().map(|(name, play)| named(name, Setup::Replica, play)).collect()
}

/// All tests of checkpoints on the servers of one setup.
pub fn trials(servers: &Arc<Running>) -> Vec<Trial> {
    let setup = servers.setup();
    let mut trials = suite::trials(servers);
    trials.extend(EVERYWHERE.into_iter().map(|(name, play)| named(name, setup, play)));
    // Half a minute where there are several servers.
    if setup.is_one_server() || effort(0, 1) == 1 {
        trials.push(named("cut_at_every_command", setup, cuts::everywhere));
    }
    if setup.is_one_server() {
        trials.extend(ALONE.into_iter().map(|(name, play)| named(name, setup, play)));
        let most = "checkpoints::the_most_writes_of_a_call_are_bounded";
        trials.push(trial_with(most, setup, writes::SETTINGS, writes::bounded));
    }
    trials
}

fn named(name: &str, setup: Setup, play: Play) -> Trial {
    trial(&format!("checkpoints::{name}"), setup, play)
}
