//! Fuzzes what the values of checkpoints are made from.
#![no_main]

#[path = "../../crates/state-checkpoint/tests/bodies/mod.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::values(input));
