//! Fuzzes the reader of what a Redis server answers.
#![no_main]

#[path = "../../crates/state-redis/src/connect/wire/parse.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod parse;
#[path = "../../crates/state-redis/src/connect/wire/pieces.rs"]
#[allow(dead_code, reason = "one target uses one body")]
mod pieces;

libfuzzer_sys::fuzz_target!(|input: &[u8]| pieces::same_in_pieces(input));
