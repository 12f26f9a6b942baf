//! Changes to valid inputs of decoders: what the tests of all decoders of this repository have in common.

use proptest::collection::vec;
use proptest::prelude::*;

/// One change to an input, whose places are taken modulo its length.
#[derive(Clone, Debug)]
pub enum Change {
    Flip(usize, u8),
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Copy(usize, usize, usize),
    Only(usize, usize),
}

/// Any change; the small ones more often.
pub fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    let noise = vec(prop_oneof![Just(0), Just(255), any::<u8>()], 1..9);
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        3 => (at(), prop_oneof![Just(0), Just(255), Just(127), any::<u8>()])
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (at(), noise).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at(), 1..40_usize).prop_map(|(at, len)| Change::Remove(at, len)),
        1 => (at(), at(), 1..40_usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
        1 => (at(), 1..400_usize).prop_map(|(at, len)| Change::Only(at, len)),
    ]
}

/// `input` with the changes made to it one after the other.
pub fn changed(mut input: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        apply(&mut input, change);
    }
    input
}

fn apply(input: &mut Vec<u8>, change: &Change) {
    if input.is_empty() {
        return;
    }
    let len = input.len();
    match change {
        Change::Flip(at, bit) => input[at % len] ^= 1 << bit,
        Change::Set(at, byte) => input[at % len] = *byte,
        Change::Insert(at, bytes) => drop(input.splice(at % len..at % len, bytes.iter().copied())),
        Change::Remove(at, count) => drop(input.drain(at % len..(at % len + count).min(len))),
        Change::Copy(from, to, count) => {
            let piece = input[from % len..(from % len + count).min(len)].to_vec();
            drop(input.splice(to % len..to % len, piece));
        }
        Change::Only(at, count) => {
            *input = input[at % len..(at % len + count).min(len)].to_vec();
        }
    }
}
