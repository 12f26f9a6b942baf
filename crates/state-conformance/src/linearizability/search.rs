//! The search for one order of calls that explains all answers, over any sequential model.

use std::collections::HashSet;
use std::hash::Hash;

/// What is searched over: a state, and what one step of a call does to it.
pub trait Model {
    /// What the store holds between two steps.
    type State: Clone + Eq + Hash;
    /// One step of a call, with its answer.
    type Step;

    /// The state after `step` was taken in `state`; `None` when its answer cannot be that of this
    /// state. The answer of a step that is not [certain](Span::is_certain) is not to be looked at.
    fn take(&self, state: &Self::State, step: &Self::Step) -> Option<Self::State>;

    /// Whether a step with this answer changes nothing in any state that it fits: then it is taken
    /// as soon as it fits, which makes the search much shorter. `false` is never wrong.
    fn only_looks(&self, step: &Self::Step) -> bool;

    /// Whether a step with this answer fits neither this state nor any that can come after it,
    /// which ends a search in vain early. `false` is never wrong.
    fn is_too_late(&self, state: &Self::State, step: &Self::Step) -> bool;
}

/// A call of a history: when its steps can have been taken, and whether they were.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span<S> {
    called: u64,
    latest: u64,
    certain: bool,
    steps: Vec<S>,
}

impl<S> Span<S> {
    /// A call that was answered: each of its steps was taken, in their order, between `called`
    /// and `returned`. Only the order of these numbers counts.
    pub const fn certain(called: u64, returned: u64, steps: Vec<S>) -> Self {
        Self { called, latest: returned, certain: true, steps }
    }

    /// A call whose answer is not known: each of its steps was taken after `called`, perhaps much
    /// later, or never.
    pub const fn open(called: u64, steps: Vec<S>) -> Self {
        Self { called, latest: u64::MAX, certain: false, steps }
    }

    /// As [`open`](Self::open), and what had not been taken by `until` never is.
    pub const fn open_until(called: u64, until: u64, steps: Vec<S>) -> Self {
        Self { called, latest: until, certain: false, steps }
    }

    /// Whether its steps are known to have been taken.
    pub const fn is_certain(&self) -> bool {
        self.certain
    }
}

/// What the search has come to.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found<T> {
    /// There is an order that explains every answer.
    Explained,
    /// There is none.
    Stuck(Stuck<T>),
    /// The search was given up after as many configurations as were allowed.
    GaveUp,
}

/// The longest beginning of a history that can be explained, and where it gets stuck.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stuck<T> {
    /// How many steps with a known answer can be explained.
    pub explained: usize,
    /// The state after them.
    pub state: T,
    /// The places in the history of the calls of which one must come next, and none can.
    pub heads: Vec<usize>,
}

/// Decides whether one order of the steps of `history`, beginning with `start`, explains it.
///
/// Gives up after `configurations_max` configurations; two shorter tries, with a luck of their
/// own, come before. Cost: linear in the history where few
/// calls overlap, and exponential in the number of calls that overlap or have unknown answers.
pub fn search<M: Model>(
    model: &M,
    start: M::State,
    history: &[Span<M::Step>],
    configurations_max: usize,
) -> Found<M::State> {
    for order in [Order::Begun, Order::Over] {
        let found = tried(model, start.clone(), history, configurations_max / SHORTER, order);
        if !matches!(found, Found::GaveUp) {
            return found;
        }
    }
    tried(model, start, history, configurations_max, Order::Begun)
}

/// How much shorter than the last try the first ones are.
const SHORTER: usize = 8;

/// What is tried first: what holds for most calls is different for each history.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// What began first.
    Begun,
    /// What was over first.
    Over,
}

fn tried<M: Model>(
    model: &M,
    start: M::State,
    history: &[Span<M::Step>],
    configurations_max: usize,
    order: Order,
) -> Found<M::State> {
    let lanes = lanes(history);
    let answered = history.iter().filter(|span| span.certain);
    let certain: usize = answered.map(|span| span.steps.len()).sum();
    let first = Configuration { next: vec![0; lanes.len()], state: start.clone() };
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![(first, 0_usize)];
    let mut best = Stuck { explained: 0, state: start, heads: Vec::new() };
    while let Some((configuration, explained)) = open.pop() {
        if explained == certain {
            return Found::Explained;
        }
        let heads = configuration.heads(&lanes, order);
        if explained >= best.explained {
            let heads = heads.iter().map(|(_, head)| head.place).collect();
            best = Stuck { explained, state: configuration.state.clone(), heads };
        }
        for (after, explained) in configuration.following(model, heads, explained) {
            if !after.is_in_vain(model, &lanes) && seen.insert(after.clone()) {
                open.push((after, explained));
            }
        }
        if seen.len() > configurations_max {
            return Found::GaveUp;
        }
    }
    Found::Stuck(best)
}

/// How far each lane has been ordered, and the state after that.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Configuration<T> {
    next: Vec<usize>,
    state: T,
}

impl<T: Clone + Eq> Configuration<T> {
    /// The configurations that may come next, each with how many steps are explained then.
    fn following<M: Model<State = T>>(
        &self,
        model: &M,
        heads: Vec<(usize, Head<'_, M::Step>)>,
        explained: usize,
    ) -> Vec<(Self, usize)> {
        let mut following = Vec::new();
        for (lane, head) in heads {
            let taken = model.take(&self.state, head.step);
            if head.can_be_skipped {
                following.push((self.after(lane, self.state.clone()), explained));
            }
            let Some(state) = taken else { continue };
            if head.certain && model.only_looks(head.step) {
                return vec![(self.after(lane, state), explained + 1)];
            }
            // What need not be taken need not be taken now either, when it changes nothing.
            if head.certain || state != self.state {
                let explained = explained + usize::from(head.certain);
                following.push((self.after(lane, state), explained));
            }
        }
        following
    }

    /// Whether a step that is left can fit no more.
    fn is_in_vain<M: Model<State = T>>(&self, model: &M, lanes: &[Vec<Head<'_, M::Step>>]) -> bool {
        let heads = self.next.iter().zip(lanes).filter_map(|(next, steps)| steps.get(*next));
        heads.into_iter().any(|head| head.certain && model.is_too_late(&self.state, head.step))
    }

    /// The steps that may come next: those of calls that began before every other step that is
    /// left had to be taken.
    fn heads<'a, S>(&self, lanes: &[Vec<Head<'a, S>>], order: Order) -> Vec<(usize, Head<'a, S>)> {
        let heads = self.next.iter().zip(lanes).enumerate();
        let heads = heads.filter_map(|(lane, (next, steps))| Some((lane, *steps.get(*next)?)));
        let mut heads: Vec<_> = heads.collect();
        // The last one is tried first.
        heads.sort_by_key(|(_, head)| {
            let when = if matches!(order, Order::Begun) { head.called } else { head.latest };
            std::cmp::Reverse((!head.certain, when))
        });
        let first = heads.iter().map(|(_, head)| head.latest).min().unwrap_or(u64::MAX);
        heads.into_iter().filter(|(_, head)| head.called < first).collect()
    }

    fn after(&self, lane: usize, state: T) -> Self {
        let mut next = self.next.clone();
        next.iter_mut().skip(lane).take(1).for_each(|next| *next += 1);
        Self { next, state }
    }
}

/// A step in its lane.
#[derive(Debug)]
struct Head<'a, S> {
    called: u64,
    latest: u64,
    certain: bool,
    /// Whether it need not be taken, and something waits for it.
    can_be_skipped: bool,
    /// The place of its call in the history.
    place: usize,
    step: &'a S,
}

impl<S> Clone for Head<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Head<'_, S> {}

/// The steps in lanes of calls that do not overlap, so that the order within a lane is known.
fn lanes<S>(history: &[Span<S>]) -> Vec<Vec<Head<'_, S>>> {
    let mut spans: Vec<(usize, &Span<S>)> = history.iter().enumerate().collect();
    spans.sort_by_key(|(_, span)| span.called);
    let mut lanes: Vec<Vec<Head<'_, S>>> = Vec::new();
    for (place, span) in spans {
        let Span { called, latest, certain, ref steps } = *span;
        let last = steps.len().saturating_sub(1);
        let heads = steps.iter().enumerate().map(|(number, step)| Head {
            called,
            latest,
            certain,
            can_be_skipped: !certain && (latest < u64::MAX || number < last),
            place,
            step,
        });
        let free = |lane: &&mut Vec<Head<'_, S>>| lane.last().is_none_or(|end| end.latest < called);
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.extend(heads),
            None => lanes.push(heads.collect()),
        }
    }
    lanes
}
