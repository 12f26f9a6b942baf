//! Fuzzes a zstd frame.
#![no_main]

#[path = "../../crates/state-codec/tests/bodies/mod.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::zstd(input));
