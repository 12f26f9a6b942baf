//! Proves that the checker finds what is wrong, and nothing where nothing is wrong.

use super::*;

const LIMIT: usize = 1_000_000;

fn get(at: (u64, u64), value: u64) -> Call {
    Call::new(at.0, at.1, Action::Get, Answer::Value((value != 0).then_some(value)))
}

fn put(at: (u64, u64), value: u64) -> Call {
    Call::new(at.0, at.1, Action::Put(value), Answer::Done)
}

fn lost_put(at: u64, value: u64) -> Call {
    Call::new(at, 0, Action::Put(value), Answer::Unknown)
}

fn delete(at: (u64, u64), existed: bool) -> Call {
    Call::new(at.0, at.1, Action::Delete, Answer::Existed(existed))
}

fn cas(at: (u64, u64), seen: u64, new: u64, stored: bool) -> Call {
    Call::new(at.0, at.1, Action::CompareAndSet { seen, new }, Answer::Stored(stored))
}

fn create(at: (u64, u64), value: u64, stored: bool) -> Call {
    Call::new(at.0, at.1, Action::Create(value), Answer::Stored(stored))
}

/// Bugs as a history shows them. In `get`, 0 stands for absent.
fn bugs() -> Vec<(&'static str, Vec<Call>)> {
    vec![
        ("a stale read", vec![put((1, 2), 1), put((3, 4), 2), get((5, 6), 1)]),
        ("a lost update", vec![put((1, 2), 1), get((3, 4), 0)]),
        ("a phantom value", vec![put((1, 2), 1), get((3, 4), 9)]),
        ("a read of what is written later", vec![get((1, 2), 1), put((3, 4), 1)]),
        (
            "a compare-and-set that does not compare",
            vec![put((1, 2), 1), put((3, 4), 2), cas((5, 6), 1, 3, true)],
        ),
        (
            "a compare-and-set that is refused wrongly",
            vec![put((1, 2), 1), cas((3, 4), 1, 2, false)],
        ),
        (
            "a refused compare-and-set that was applied",
            vec![put((1, 2), 1), put((3, 4), 2), cas((5, 6), 1, 3, false), get((7, 8), 3)],
        ),
        (
            "two winners of one compare-and-set",
            vec![put((1, 2), 1), cas((3, 6), 1, 2, true), cas((4, 5), 1, 3, true)],
        ),
        (
            "no winner of one compare-and-set",
            vec![put((1, 2), 1), cas((3, 6), 1, 2, false), cas((4, 5), 1, 3, false)],
        ),
        ("two creators", vec![create((1, 4), 1, true), create((2, 3), 2, true)]),
        ("a creation over a value", vec![put((1, 2), 1), create((3, 4), 2, true)]),
        (
            "a creation that is refused wrongly",
            vec![put((1, 2), 1), delete((3, 4), true), create((5, 6), 2, false)],
        ),
        ("a delete without effect", vec![put((1, 2), 1), delete((3, 4), true), get((5, 6), 1)]),
        ("a delete that misses what is there", vec![put((1, 2), 1), delete((3, 4), false)]),
        ("a delete of what is not there", vec![delete((1, 2), true)]),
        (
            "two takers of one value",
            vec![put((1, 2), 1), delete((3, 6), true), delete((4, 5), true)],
        ),
        (
            "reads that go back while a write goes on",
            vec![put((1, 2), 1), put((3, 10), 2), get((4, 5), 2), get((6, 7), 1)],
        ),
        (
            "a write that is applied after it returned",
            vec![put((1, 2), 1), put((3, 4), 2), get((5, 6), 1), get((7, 8), 2)],
        ),
        (
            "a write that is applied twice",
            vec![put((1, 2), 1), put((3, 4), 2), get((5, 6), 2), get((7, 8), 1)],
        ),
        (
            "two nodes that each serve their own writes",
            vec![put((1, 2), 1), put((3, 6), 2), put((4, 5), 3), get((7, 10), 2), get((8, 9), 3)],
        ),
        (
            "a lost reply that is applied twice",
            vec![lost_put(1, 1), get((2, 3), 1), put((4, 5), 2), get((6, 7), 2), get((8, 9), 1)],
        ),
    ]
}

#[test]
fn each_seeded_bug_is_found() {
    let bugs = bugs();
    assert!(bugs.len() >= 12, "{} bugs", bugs.len());
    for (bug, history) in bugs {
        let verdict = check(&history, LIMIT);
        assert!(matches!(verdict, Verdict::Violation(_)), "{bug}: {verdict:?}");
        // Found as well among many other calls, whatever the order of the record.
        let mut long: Vec<Call> = (0..200).map(|n| put((2 * n + 1, 2 * n + 2), 100 + n)).collect();
        long.push(delete((401, 402), true));
        let later = |call: &Call| {
            Call::new(call.called + 500, call.returned + 500, call.action, call.answer)
        };
        long.extend(history.iter().map(later));
        long.reverse();
        let verdict = check(&long, LIMIT);
        assert!(matches!(verdict, Verdict::Violation(_)), "{bug}, late: {verdict:?}");
    }
}

#[test]
fn what_can_be_explained_is_accepted() {
    for (what, history) in [
        ("nothing at all", vec![]),
        (
            "overlapping reads of old and new",
            vec![put((1, 2), 1), put((3, 10), 2), get((4, 5), 1), get((6, 7), 2), get((8, 9), 2)],
        ),
        (
            "a compare-and-set between two others",
            vec![put((1, 2), 1), cas((3, 8), 1, 2, true), cas((4, 7), 2, 3, true), get((9, 10), 3)],
        ),
        ("a lost reply that was applied", vec![lost_put(1, 1), get((2, 3), 0), get((4, 5), 1)]),
        ("a lost reply that was not applied", vec![lost_put(1, 1), get((2, 3), 0), get((4, 5), 0)]),
        (
            "a lost reply that is applied late",
            vec![put((1, 2), 1), lost_put(3, 2), put((4, 5), 3), get((6, 7), 3), get((8, 9), 2)],
        ),
        (
            "two takers of two values",
            vec![
                put((1, 4), 1),
                delete((2, 3), true),
                put((5, 8), 2),
                delete((6, 7), true),
                get((9, 10), 0),
            ],
        ),
    ] {
        assert_eq!(check(&history, LIMIT), Verdict::Linearizable, "{what}");
    }
}

#[test]
fn a_search_without_end_is_given_up() {
    let history: Vec<Call> = (0..40).map(|n| lost_put(n, n + 1)).collect();
    let impossible = [history, vec![get((50, 51), 99)]].concat();
    assert_eq!(check(&impossible, 1_000), Verdict::GaveUp);
}

/// A small generator of numbers, so that a failure can be seen again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A history of callers that each call again and again, answered by a correct store at a moment
/// between call and return. Some replies are lost.
fn simulate(numbers: &mut Numbers, calls: u64, callers: usize, lost_percent: u64) -> Vec<Call> {
    let mut free_at = vec![1; callers];
    let mut planned = Vec::new();
    for number in 0..calls {
        let who = usize::try_from(number).unwrap_or_default() % callers;
        let called = free_at.get(who).copied().unwrap_or(1) + 1 + numbers.below(20);
        let effect = called + 1 + numbers.below(50);
        let returned = effect + 1 + numbers.below(50);
        free_at.iter_mut().skip(who).take(1).for_each(|free| *free = returned);
        planned.push((effect, called, returned, number + 1, numbers.below(6)));
    }
    planned.sort_unstable();
    let mut value = None;
    let mut history = Vec::new();
    for (_, called, returned, new, kind) in planned {
        let seen = value.unwrap_or(1);
        let action = match kind {
            0 | 1 => Action::Get,
            2 => Action::Put(new),
            3 => Action::Delete,
            4 => Action::CompareAndSet { seen, new },
            _ => Action::Create(new),
        };
        let blank = Call::new(2 * called, 2 * returned + 1, action, Answer::Unknown);
        let answers = [
            Answer::Value(value),
            Answer::Done,
            Answer::Existed(true),
            Answer::Existed(false),
            Answer::Stored(true),
            Answer::Stored(false),
        ];
        let fits = |answer: &Answer| Call { answer: *answer, ..blank }.apply(value).is_ok();
        let answer = answers.into_iter().find(fits).unwrap_or(Answer::Unknown);
        let lost = action != Action::Get && numbers.below(100) < lost_percent;
        if !lost || numbers.below(2) == 0 {
            value = blank.apply(value).unwrap_or(value);
        }
        history.push(Call { answer: if lost { Answer::Unknown } else { answer }, ..blank });
    }
    history
}

#[test]
fn correct_histories_are_accepted() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for (calls, callers, lost_percent) in [(200, 4, 0), (200, 8, 0), (200, 4, 2), (1_000, 6, 0)] {
        for _ in 0..10 {
            let history = simulate(&mut numbers, calls, callers, lost_percent);
            let verdict = check(&history, LIMIT);
            assert_eq!(verdict, Verdict::Linearizable, "{calls} calls of {callers} callers");
        }
    }
}

/// When it had its effect at the latest.
fn latest(call: &Call) -> u64 {
    if call.answer == Answer::Unknown { u64::MAX } else { call.returned }
}

/// Whether some order of the calls explains the history, by trying all of them.
fn any_order(left: &[Call], value: Option<u64>) -> bool {
    if left.iter().all(|call| call.answer == Answer::Unknown) {
        return true;
    }
    left.iter().enumerate().any(|(place, call)| {
        let mut rest = left.to_vec();
        rest.remove(place);
        let in_time = rest.iter().all(|other| call.called < latest(other));
        in_time && call.apply(value).is_ok_and(|after| any_order(&rest, after))
    })
}

#[test]
fn the_verdict_is_that_of_trying_every_order() {
    let mut numbers = Numbers(7);
    let mut violations = 0;
    for _ in 0..2_000 {
        let mut history = simulate(&mut numbers, 7, 3, 10);
        for call in &mut history {
            if numbers.below(4) == 0 {
                call.answer = match call.answer {
                    Answer::Value(_) => Answer::Value(Some(1 + numbers.below(7))),
                    Answer::Existed(existed) => Answer::Existed(!existed),
                    Answer::Stored(stored) => Answer::Stored(!stored),
                    other => other,
                };
            }
        }
        let explained = any_order(&history, None);
        let verdict = check(&history, LIMIT);
        assert_eq!(verdict == Verdict::Linearizable, explained, "{history:?}");
        violations += usize::from(!explained);
    }
    assert!((200..1_800).contains(&violations), "{violations} of 2000 are violations");
}

#[test]
fn a_violation_says_where_it_gets_stuck() {
    let Verdict::Violation(violation) = check(&[put((1, 2), 1), get((3, 4), 9)], LIMIT) else {
        unreachable!("a phantom value is a violation")
    };
    assert_eq!((violation.explained, violation.value), (1, Some(1)));
    assert_eq!(violation.stuck, [get((3, 4), 9)]);
    assert!(violation.to_string().contains("3..4 Get -> Value(Some(9))"), "{violation}");
}

/// A call of several steps, each of which adds to the end of a word.
struct Word;

impl Model for Word {
    type State = String;
    type Step = Letter;

    fn take(&self, word: &String, step: &Letter) -> Option<String> {
        match step {
            Letter::Added(letter) => Some(format!("{word}{letter}")),
            Letter::Read(seen) => (word == seen).then(|| word.clone()),
        }
    }

    fn only_looks(&self, step: &Letter) -> bool {
        matches!(step, Letter::Read(_))
    }

    fn is_too_late(&self, word: &String, step: &Letter) -> bool {
        matches!(step, Letter::Read(seen) if !seen.starts_with(word.as_str()))
    }
}

enum Letter {
    Added(char),
    Read(&'static str),
}

fn explains(read: &'static str, spans: Vec<Span<Letter>>) -> bool {
    let read = Span::certain(100, 101, vec![Letter::Read(read)]);
    let history: Vec<_> = spans.into_iter().chain([read]).collect();
    search(&Word, String::new(), &history, LIMIT) == Found::Explained
}

#[test]
fn the_steps_of_a_call_keep_their_order_and_others_come_between() {
    let both = || {
        let letters = |of: &str| of.chars().map(Letter::Added).collect();
        vec![Span::certain(1, 10, letters("ab")), Span::certain(2, 9, letters("xy"))]
    };
    for read in ["abxy", "axby", "xaby", "xyab"] {
        assert!(explains(read, both()), "{read}");
    }
    for read in ["baxy", "abyx", "abx", ""] {
        assert!(!explains(read, both()), "{read}");
    }
}

#[test]
fn steps_of_a_call_without_an_answer_are_taken_or_not_and_in_time() {
    let letters = || "ab".chars().map(Letter::Added).collect();
    for read in ["", "a", "b", "ab"] {
        assert!(explains(read, vec![Span::open(1, letters())]), "{read}");
        assert!(explains(read, vec![Span::open_until(1, 50, letters())]), "{read}");
    }
    assert!(!explains("ba", vec![Span::open(1, letters())]));
    let with = |first| vec![first, Span::certain(60, 61, vec![Letter::Added('z')])];
    assert!(explains("za", with(Span::open(1, letters()))));
    assert!(!explains("za", with(Span::open_until(1, 50, letters()))));
    assert!(explains("az", with(Span::open_until(1, 50, letters()))));
}
