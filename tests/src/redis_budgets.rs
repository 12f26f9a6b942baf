//! What calls may cost, as counts that no timing decides: commands, round trips, reads of the server.

mod batches;
mod calls;
mod lanes;
mod reads;

use libtest_mimic::Trial;

use crate::redis_stage::trial;
use crate::servers::Setup;

/// The tests for one setup.
pub fn trials(setup: Setup) -> Vec<Trial> {
    let mut trials = vec![
        trial(
            "budget::a_call_on_one_key_is_one_command_and_one_round_trip",
            setup,
            calls::one_trip,
        ),
        trial("budget::nothing_is_sent_beside_the_calls", setup, calls::nothing_beside),
        trial("budget::get_many_is_one_round_trip_for_each_node", setup, batches::get_many),
        trial("budget::a_batch_is_sent_whole_before_an_answer_is_needed", setup, batches::whole),
        trial("budget::the_chunks_of_a_batch_do_not_wait_for_each_other", setup, batches::chunks),
        trial(
            "budget::chunks_that_share_a_key_are_sent_in_their_order",
            setup,
            batches::ordered_chunks,
        ),
    ];
    if setup.is_one_server() {
        trials.push(trial(
            "budget::callers_share_the_reads_of_the_server",
            setup,
            reads::shared_reads,
        ));
        trials.push(trial(
            "budget::large_values_keep_off_the_connection_for_small_requests",
            setup,
            lanes::large_values,
        ));
    }
    trials
}
