//! Makes an episode that fails as short as it can be: leaves out what it fails without.

use super::plan::{End, Script, Turn};

/// How often an episode is tried again while it is made shorter.
const TRIES_MAX: usize = 2_000;

/// The shortest script that was found for which `fails` holds, as it does for `script`.
pub(super) fn shortest(script: &Script, mut fails: impl FnMut(&Script) -> bool) -> Script {
    let mut best = script.clone();
    let mut tries = 0;
    let mut part = best.turns.len().div_ceil(2).max(1);
    loop {
        let before = best.turns.len();
        let mut start = 0;
        while start < best.turns.len() && tries < TRIES_MAX {
            tries += 1;
            let left = without(&best, start, part);
            if fails(&left) {
                best = left;
            } else {
                start += part;
            }
        }
        if tries >= TRIES_MAX || (part == 1 && best.turns.len() == before) {
            break;
        }
        part = if part == 1 { 1 } else { part.div_ceil(2) };
    }
    simpler(best, fails)
}

fn without(script: &Script, start: usize, count: usize) -> Script {
    let turns = script.turns.iter().enumerate();
    let turns = turns.filter(|(place, _)| !(start..start + count).contains(place));
    Script { turns: turns.map(|(_, turn)| *turn).collect(), ..script.clone() }
}

/// With calls that are answered at once, where it fails all the same.
fn simpler(script: Script, mut fails: impl FnMut(&Script) -> bool) -> Script {
    let mut best = script;
    for place in 0..best.turns.len() {
        let mut simple = best.clone();
        if let Some(Turn::Begin { fate, .. }) = simple.turns.get_mut(place) {
            (fate.before, fate.after, fate.end) = (0, 0, End::Answered);
            if fails(&simple) {
                best = simple;
            }
        }
    }
    best
}
