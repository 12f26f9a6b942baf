//! Threads of checkpoints natively on Redis: the conformance suite over real servers, and what it cannot see.

mod budgets;
mod conversation;
mod cuts;
mod damage;
mod indexes;
mod memory;
mod suite;
mod user;
mod writes;

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::redis_stage::{trial, trial_with};
use crate::servers::Running;

/// All tests of checkpoints on the servers of one setup.
pub fn trials(servers: &Arc<Running>) -> Vec<Trial> {
    let setup = servers.setup();
    let mut trials = suite::trials(servers);
    trials.push(trial("checkpoints::round_trips_are_flat", setup, budgets::flat));
    if setup.is_one_server() {
        trials.push(trial("checkpoints::a_lost_key_is_corrupt", setup, damage::lost_keys));
        trials.push(trial("checkpoints::cut_at_every_command", setup, cuts::everywhere));
        trials.push(trial("checkpoints::the_acl_user_is_enough", setup, user::is_enough));
        let (grow, met) = (indexes::cleared_as_they_grow, indexes::cleared_when_met);
        trials.push(trial("checkpoints::indexes_are_cleared_as_they_grow", setup, grow));
        trials.push(trial("checkpoints::indexes_are_cleared_when_met", setup, met));
        let most = "checkpoints::the_most_writes_of_a_call_are_bounded";
        trials.push(trial_with(most, setup, writes::SETTINGS, writes::bounded));
        trials.push(trial("checkpoints::histories_are_read_in_pages", setup, budgets::in_pages));
        trials.push(trial("checkpoints::memory_is_in_proportion", setup, memory::in_proportion));
    }
    trials
}
