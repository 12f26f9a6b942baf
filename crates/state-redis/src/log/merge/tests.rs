//! Tests of putting streams together.

use state_core::Scope;

use super::super::read_token;
use super::*;

fn at(number: u64) -> Position {
    Position { generation: 1, number, nonce: 100 + number }
}

fn entry(number: u64, at_us: u64, logged: Logged) -> Entry {
    Entry { position: at(number), at_us, logged }
}

fn deleted(number: u64, at_us: u64, key: &str) -> Entry {
    entry(number, at_us, Logged::Change(Change::Deleted { key: key.to_owned().into() }))
}

fn cleared(number: u64, at_us: u64) -> Entry {
    let change = Change::Cleared { prefix: "".into(), scope: Scope::All };
    entry(number, at_us, Logged::Cleared { id: 9, buckets: 2, change })
}

fn merge(starts: &[u64]) -> Merge {
    let starts: Vec<_> = starts.iter().map(|number| at(*number)).collect();
    Merge::new(WatchOptions::default(), starts.iter().copied().map(Some).collect(), &starts)
}

/// One round: what each stream has.
fn round(merge: &mut Merge, streams: &[Vec<Entry>], now: Instant) -> Vec<String> {
    let wanted = merge.wanted();
    let mut news = false;
    for (place, entries) in streams.iter().enumerate() {
        // The entry that was read last comes again.
        let anchor = wanted.get(place).and_then(|(_, from)| *from);
        let anchor = anchor.map(|position| Entry { position, at_us: 0, logged: Logged::Nothing });
        let entries = anchor.into_iter().chain(entries.iter().cloned()).collect();
        news |= merge.take_in(place, entries, false);
    }
    merge.tell(news, now);
    let name = |event: WatchEvent| match event.change {
        Change::Deleted { key } => key.name().escape_ascii().to_string(),
        Change::Cleared { .. } => "cleared".into(),
        Change::Gap => "gap".into(),
        other => format!("{other:?}"),
    };
    merge.ready.drain(..).map(name).collect()
}

#[test]
fn what_one_round_brought_is_told_after_the_next_by_time() {
    let (mut merge, now) = (merge(&[0, 0]), Instant::now());
    assert!(round(&mut merge, &[vec![], vec![deleted(1, 20, "b")]], now).is_empty());
    // It happened before, in a stream that had been read a moment earlier.
    let late = [vec![deleted(1, 10, "a"), deleted(2, 30, "c")], vec![]];
    assert_eq!(round(&mut merge, &late, now), ["a", "b"]);
    assert_eq!(round(&mut merge, &[vec![], vec![]], now), ["c"]);
}

#[test]
fn a_clear_is_told_once_and_between_what_came_before_and_after_it_in_every_stream() {
    let (mut merge, now) = (merge(&[0, 0]), Instant::now());
    let left = vec![deleted(1, 10, "a"), cleared(2, 20), deleted(3, 21, "b")];
    assert!(round(&mut merge, &[left, vec![]], now).is_empty());
    assert_eq!(round(&mut merge, &[vec![], vec![]], now), ["a"]);
    // The other clock is ahead.
    let right = vec![deleted(1, 50, "c"), cleared(2, 60), deleted(3, 61, "d")];
    assert!(round(&mut merge, &[vec![], right], now).is_empty());
    let told = round(&mut merge, &[vec![], vec![]], now);
    assert_eq!(told, ["c", "cleared", "b", "d"]);
    let again = [vec![cleared(4, 70)], vec![]];
    assert!(round(&mut merge, &again, now).is_empty());
    assert!(round(&mut merge, &[vec![], vec![]], now).is_empty(), "it was told before");
}

#[test]
fn a_clear_that_was_not_noted_everywhere_becomes_a_gap() {
    let (mut merge, now) = (merge(&[0, 0]), Instant::now());
    let left = vec![cleared(1, 20), deleted(2, 21, "b")];
    round(&mut merge, &[left, vec![]], now);
    assert!(round(&mut merge, &[vec![], vec![]], now).is_empty());
    let later = now + CLEAR_PATIENCE;
    assert_eq!(round(&mut merge, &[vec![], vec![]], later), ["gap"]);
    assert_eq!(round(&mut merge, &[vec![], vec![]], later), ["b"]);
}

#[test]
fn missing_entries_another_nonce_and_another_generation_are_gaps() {
    let strange = |position: Position| Entry { position, at_us: 5, logged: Logged::Nothing };
    for (entries, gap) in [
        (vec![strange(at(4)), strange(at(5))], false),
        // The last one has been dropped, and nothing behind it.
        (vec![strange(at(5))], false),
        (vec![strange(at(6))], true),
        (vec![strange(at(4)), strange(at(6))], true),
        (vec![strange(Position { nonce: 7, ..at(4) })], true),
        (vec![strange(Position { generation: 2, ..at(5) })], true),
        (vec![], true),
    ] {
        let mut merge = merge(&[4]);
        merge.wanted();
        let what = format!("{entries:?}");
        merge.take_in(0, entries, false);
        merge.tell(false, Instant::now());
        let told: Vec<_> = merge.ready.iter().map(|event| event.change.clone()).collect();
        assert_eq!(told, vec![Change::Gap; usize::from(gap)], "{what}");
    }
}

#[test]
fn a_token_is_behind_its_event_in_every_stream_wherever_the_watch_began() {
    let streams = || [vec![deleted(1, 10, "a"), deleted(2, 30, "c")], vec![deleted(1, 20, "b")]];
    let mut whole = Merge::new(WatchOptions::default(), vec![None, None], &[at(2), at(1)]);
    let told = |merge: &mut Merge, streams: [Vec<Entry>; 2]| {
        merge.wanted();
        for (place, entries) in streams.into_iter().enumerate() {
            merge.take_in(place, entries, false);
        }
        merge.tell(false, Instant::now());
        merge.ready.drain(..).collect::<Vec<_>>()
    };
    let all = told(&mut whole, streams());
    assert_eq!(all.len(), 3);
    for (place, event) in all.iter().enumerate() {
        let starts = read_token(&event.token, 2).unwrap();
        let rest = streams().into_iter().zip(&starts).map(|(entries, start)| {
            entries.into_iter().filter(|entry| entry.position.number >= start.number).collect()
        });
        let rest: Vec<Vec<Entry>> = rest.collect();
        let mut part = Merge::new(
            WatchOptions::default(),
            starts.into_iter().map(Some).collect(),
            &[at(2), at(1)],
        );
        let rest = told(&mut part, rest.try_into().unwrap());
        assert_eq!(rest, all[place + 1..]);
    }
}
