//! Fuzzes records of a file store behind their checksums.
#![no_main]

#[path = "../../crates/state-local/tests/bodies/mod.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::records_mended(input));
