//! Fuzzes page tokens of the embedded stores, as they are and behind their checksum.
#![no_main]

#[path = "../../crates/state-local/tests/bodies/mod.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::page_token(input));
