//! What changed from one value to the next: ends that stayed, then blocks that moved.

mod blocks;

use crate::script::{Op, Script};

/// The script that makes `new` from `old`. What `old` does not have is added to `fresh`, unless
/// it is short enough for the script itself.
///
/// Takes time in proportion to both lengths, and memory in proportion to what lies between the
/// ends that stayed.
pub(crate) fn diff(old: &[u8], new: &[u8], fresh: &mut Vec<u8>) -> Script {
    let prefix = common_prefix(old, new);
    let (old_rest, new_rest) = (tail(old, prefix), tail(new, prefix));
    let suffix = common_suffix(old_rest, new_rest);
    let old_middle = head(old_rest, old_rest.len() - suffix);
    let new_middle = head(new_rest, new_rest.len() - suffix);

    let mut script = Script::default();
    script.push(Op::Copy { offset: 0, len: prefix as u64 });
    let mut text = 0;
    for found in blocks::matches(old_middle, new_middle) {
        script.push_text(between(new_middle, text, found.new), fresh);
        let offset = (prefix + found.old) as u64;
        script.push(Op::Copy { offset, len: found.len as u64 });
        text = found.new + found.len;
    }
    script.push_text(tail(new_middle, text), fresh);
    script.push(Op::Copy { offset: (old.len() - suffix) as u64, len: suffix as u64 });
    script
}

/// Bytes that are compared at once, as long as they are the same.
const STRIDES: [usize; 2] = [4_096, 64];

/// How many bytes are the same from the beginning on.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let mut same = 0;
    for stride in STRIDES {
        let (one, other) = (tail(one, same), tail(other, same));
        let strides = one.chunks_exact(stride).zip(other.chunks_exact(stride));
        same += strides.take_while(|(a, b)| a == b).count() * stride;
    }
    let rest = tail(one, same).iter().zip(tail(other, same));
    same + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes are the same from the end back.
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    let mut same = 0;
    let rest = |bytes: &[u8], same: usize| bytes.len() - same;
    for stride in STRIDES {
        let (one, other) = (head(one, rest(one, same)), head(other, rest(other, same)));
        let strides = one.rchunks_exact(stride).zip(other.rchunks_exact(stride));
        same += strides.take_while(|(a, b)| a == b).count() * stride;
    }
    let (one, other) = (head(one, rest(one, same)), head(other, rest(other, same)));
    let rest = one.iter().rev().zip(other.iter().rev());
    same + rest.take_while(|(a, b)| a == b).count()
}

fn head(bytes: &[u8], end: usize) -> &[u8] {
    bytes.get(..end).unwrap_or_default()
}

fn tail(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}

fn between(bytes: &[u8], from: usize, end: usize) -> &[u8] {
    bytes.get(from..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::script::Address;

    fn check(old: &[u8], new: &[u8]) -> (Script, usize) {
        let mut fresh = Vec::new();
        let script = diff(old, new, &mut fresh);
        let placed = script.clone().placed(Address { segment: 0, offset: 0 });
        let read = |at: Address, len: u64, value: &mut Vec<u8>| {
            let from = usize::try_from(at.segment).unwrap() * crate::segment::SEGMENT_BYTES_MAX
                + usize::try_from(at.offset).unwrap();
            value.extend_from_slice(&fresh[from..from + usize::try_from(len).unwrap()]);
            Ok(())
        };
        assert_eq!(placed.apply(old, read).unwrap(), new);
        (script, fresh.len())
    }

    #[test]
    fn a_list_that_grows_at_its_end_costs_its_new_element() {
        let old = br#"[{"role":"user","content":"hello there"}]"#;
        let new =
            br#"[{"role":"user","content":"hello there"},{"role":"ai","content":"good day"}]"#;
        let (script, fresh) = check(old, new);
        assert!(fresh <= new.len() - old.len(), "{fresh} bytes are new");
        assert_eq!(script.ops().len(), 3);
    }

    #[test]
    fn parts_that_moved_are_found() {
        let part = |seed: u64| -> Vec<u8> {
            (0..400_u64)
                .flat_map(|n| crate::digest::hash(seed, &n.to_le_bytes()).to_le_bytes())
                .collect()
        };
        let (a, b, c) = (part(1), part(2), part(3));
        let old = [&a[..], b"between", &b, &c].concat();
        let new = [&c[..], &b, b"elsewhere and new", &a].concat();
        let (_, fresh) = check(&old, &new);
        assert!(fresh < 200, "{fresh} bytes are new");
    }

    #[test]
    fn a_value_of_one_byte_is_no_trouble() {
        let (_, fresh) = check(&vec![7; 100_000], &vec![7; 70_001]);
        assert_eq!(fresh, 0);
        check(&[0; 1_000], &[[0; 500].as_slice(), &[1; 900], &[0; 700]].concat());
    }

    #[test]
    fn ends_of_every_length_are_found() {
        const LONG: usize = 2 * STRIDES[0] + 200;
        let same: Vec<u8> = (0..LONG).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for len in (0..200).chain(STRIDES[0] - 70..STRIDES[0] + 70).chain(LONG - 200..LONG) {
            let (mut front, mut back) = (same.clone(), same.clone());
            front[len] ^= 0xff;
            back[LONG - 1 - len] ^= 0xff;
            assert_eq!(common_prefix(&same, &front), len);
            assert_eq!(common_prefix(&same, &same[..len]), len);
            assert_eq!(common_suffix(&same, &back), len);
            assert_eq!(common_suffix(&same, &same[LONG - len..]), len);
        }
    }

    proptest! {
        #[test]
        fn any_value_comes_back(
            old in prop::collection::vec(0_u8..4, 0..600),
            new in prop::collection::vec(0_u8..4, 0..600),
        ) {
            check(&old, &new);
        }

        #[test]
        fn an_edited_value_comes_back_and_costs_about_its_edits(
            old in prop::collection::vec(any::<u8>(), 2_000..6_000),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..40)), 1..6),
        ) {
            let mut new = old.clone();
            let mut added = 0;
            for (at, removed, text) in &edits {
                let at = at.index(new.len());
                let end = (at + removed).min(new.len());
                added += text.len();
                new.splice(at..end, text.iter().copied());
            }
            let (_, fresh) = check(&old, &new);
            // Next to each edit, less than two blocks are not found again.
            prop_assert!(fresh <= added + edits.len() * 4 * blocks::BLOCK_BYTES_MIN, "{} of {}", fresh, added);
        }
    }
}
