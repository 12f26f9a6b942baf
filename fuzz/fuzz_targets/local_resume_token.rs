//! Fuzzes resume tokens of a file store.
#![no_main]

#[path = "../../crates/state-local/tests/bodies/mod.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::resume_token(input));
