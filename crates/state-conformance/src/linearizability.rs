//! Decides whether what several callers saw of one key can be explained by one order of calls.
//!
//! A history is *linearizable* when its calls can be put in one order in which each took effect
//! at one moment between its start and its return. The search is that of Wing and Gong with the
//! memory of Lowe: configurations that were reached once are not searched again.

use std::collections::HashSet;
use std::fmt;

/// What a caller asked for. Values are numbers that callers never write twice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Reads the value.
    Get,
    /// Stores this value.
    Put(u64),
    /// Removes the value.
    Delete,
    /// Stores `new` if `seen` is there.
    CompareAndSet {
        /// The value that must be there.
        seen: u64,
        /// The value to store.
        new: u64,
    },
    /// Stores this value if there is none.
    Create(u64),
}

/// What a caller was answered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Of a read: the value, if there was one.
    Value(Option<u64>),
    /// Of a put: it is done.
    Done,
    /// Of a delete: whether there was something.
    Existed(bool),
    /// Of a compare-and-set or a creation: whether the value was stored.
    Stored(bool),
    /// Nothing is known: it may have happened, may happen later, or never.
    Unknown,
}

/// One call of a history.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// When it began; only the order of these numbers counts.
    pub called: u64,
    /// When it returned, on the same scale. Without meaning for an unknown answer.
    pub returned: u64,
    /// What was asked for.
    pub action: Action,
    /// What was answered.
    pub answer: Answer,
}

impl Call {
    /// A call that began at `called` and returned at `returned`.
    pub const fn new(called: u64, returned: u64, action: Action, answer: Answer) -> Self {
        Self { called, returned, action, answer }
    }

    /// When it had its effect at the latest.
    const fn latest(&self) -> u64 {
        match self.answer {
            Answer::Unknown => u64::MAX,
            _ => self.returned,
        }
    }

    /// The value after the call took effect on `value`, if the answer fits.
    fn apply(&self, value: Option<u64>) -> Result<Option<u64>, DoesNotFit> {
        let known = self.answer != Answer::Unknown;
        let (answer, after) = match self.action {
            Action::Get => (Answer::Value(value), value),
            Action::Put(new) => (Answer::Done, Some(new)),
            Action::Delete => (Answer::Existed(value.is_some()), None),
            Action::CompareAndSet { seen, new } if value == Some(seen) => {
                (Answer::Stored(true), Some(new))
            }
            Action::Create(new) if value.is_none() => (Answer::Stored(true), Some(new)),
            Action::CompareAndSet { .. } | Action::Create(_) => (Answer::Stored(false), value),
        };
        if known && answer != self.answer { Err(DoesNotFit) } else { Ok(after) }
    }
}

/// The answer of a call cannot be that of the value it met.
#[derive(Clone, Copy, Debug)]
struct DoesNotFit;

/// What was found about a history.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none.
    Violation(Violation),
    /// The search was given up after as many configurations as were allowed.
    GaveUp,
}

/// The longest beginning of a history that can be explained, and where it gets stuck.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// How many calls can be explained.
    pub explained: usize,
    /// The value after them.
    pub value: Option<u64>,
    /// The calls of which one must come next, and none can.
    pub stuck: Vec<Call>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls can be explained; then, with the value ", self.explained)?;
        match self.value {
            Some(value) => write!(f, "{value},")?,
            None => f.write_str("absent,")?,
        }
        f.write_str(" none of these can come next:")?;
        for call in &self.stuck {
            let Call { called, returned, action, answer } = call;
            write!(f, "\n  {called}..{returned} {action:?} -> {answer:?}")?;
        }
        Ok(())
    }
}

/// Decides whether `history`, of a key that is absent at first, is linearizable.
///
/// Gives up after `configurations_max` configurations. Cost: linear in the history where few
/// calls overlap, and exponential in the number of calls that overlap or have unknown answers.
pub fn check(history: &[Call], configurations_max: usize) -> Verdict {
    let lanes = lanes(history);
    let certain = history.iter().filter(|call| call.answer != Answer::Unknown).count();
    let start = Configuration { next: vec![0; lanes.len()], value: None };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    let mut best = Violation { explained: 0, value: None, stuck: Vec::new() };
    while let Some(configuration) = open.pop() {
        let heads = configuration.heads(&lanes);
        let explained = configuration.explained(&lanes);
        if explained == certain {
            return Verdict::Linearizable;
        }
        if explained >= best.explained {
            let stuck = heads.iter().map(|(_, call)| *call).collect();
            best = Violation { explained, value: configuration.value, stuck };
        }
        for (lane, call) in heads {
            let Ok(value) = call.apply(configuration.value) else { continue };
            let mut next = configuration.next.clone();
            next.iter_mut().skip(lane).take(1).for_each(|place| *place += 1);
            let after = Configuration { next, value };
            if seen.insert(after.clone()) {
                open.push(after);
            }
        }
        if seen.len() > configurations_max {
            return Verdict::GaveUp;
        }
    }
    Verdict::Violation(best)
}

/// How far each lane has been ordered, and the value after that.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Configuration {
    next: Vec<usize>,
    value: Option<u64>,
}

impl Configuration {
    /// The calls that may come next: those that began before every other call that is left had
    /// to be over.
    fn heads(&self, lanes: &[Vec<Call>]) -> Vec<(usize, Call)> {
        let heads = self.next.iter().zip(lanes).enumerate();
        let heads = heads.filter_map(|(lane, (place, calls))| Some((lane, *calls.get(*place)?)));
        let heads: Vec<(usize, Call)> = heads.collect();
        let first = heads.iter().map(|(_, call)| call.latest()).min().unwrap_or(u64::MAX);
        heads.into_iter().filter(|(_, call)| call.called < first).collect()
    }

    /// How many calls with a known answer have been ordered.
    fn explained(&self, lanes: &[Vec<Call>]) -> usize {
        let ordered =
            self.next.iter().zip(lanes).flat_map(|(place, calls)| calls.iter().take(*place));
        ordered.filter(|call| call.answer != Answer::Unknown).count()
    }
}

/// The calls in lanes of calls that do not overlap, so that the order within a lane is known.
fn lanes(history: &[Call]) -> Vec<Vec<Call>> {
    let mut calls = history.to_vec();
    calls.sort_by_key(|call| call.called);
    let mut lanes: Vec<Vec<Call>> = Vec::new();
    for call in calls {
        let free =
            |lane: &&mut Vec<Call>| lane.last().is_none_or(|last| last.latest() < call.called);
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.push(call),
            None => lanes.push(vec![call]),
        }
    }
    lanes
}

#[cfg(test)]
mod tests;
