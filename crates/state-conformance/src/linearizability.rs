//! Decides whether what several callers saw of one key can be explained by one order of calls.
//!
//! A history is *linearizable* when its calls can be put in one order in which each took effect
//! at one moment between its start and its return. The search is that of Wing and Gong with the
//! memory of Lowe: configurations that were reached once are not searched again. [`check`] judges
//! histories of one key; [`search`] takes any [`Model`] of what calls do.

mod search;

use std::fmt;

pub use search::{Found, Model, Span, Stuck, search};

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

    /// When it can have had its effect.
    fn span(&self) -> Span<Self> {
        match self.answer {
            Answer::Unknown => Span::open(self.called, vec![*self]),
            _ => Span::certain(self.called, self.returned, vec![*self]),
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
    let spans: Vec<Span<Call>> = history.iter().map(Call::span).collect();
    match search(&OneKey, None, &spans, configurations_max) {
        Found::Explained => Verdict::Linearizable,
        Found::GaveUp => Verdict::GaveUp,
        Found::Stuck(Stuck { explained, state: value, heads }) => {
            let stuck = heads.iter().filter_map(|place| history.get(*place).copied()).collect();
            Verdict::Violation(Violation { explained, value, stuck })
        }
    }
}

/// One key, and what calls do to its value.
struct OneKey;

impl Model for OneKey {
    type State = Option<u64>;
    type Step = Call;

    fn take(&self, value: &Option<u64>, call: &Call) -> Option<Option<u64>> {
        call.apply(*value).ok()
    }

    fn only_looks(&self, call: &Call) -> bool {
        matches!(call.answer, Answer::Value(_) | Answer::Existed(false) | Answer::Stored(false))
    }

    fn is_too_late(&self, _: &Option<u64>, _: &Call) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
