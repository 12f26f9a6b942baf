//! The steps of random sequences, and how they are drawn.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{Just, SBoxedStrategy, Strategy};
use state_core::{Key, Scope};

/// One call, or the passing of time.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Get(Key),
    GetMany(Vec<Key>),
    Write(Write),
    Batch(Vec<Write>),
    Transaction(Vec<(Key, Wanted)>, Vec<Write>),
    Touch(Key, Life),
    List { prefix: &'static str, scope: Scope, limit: usize },
    Count { prefix: &'static str, scope: Scope },
    Clear { prefix: &'static str, scope: Scope },
    Hash(Key, HashCall),
    Advance(Duration),
}

/// One write of an entry.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Put { key: Key, value: &'static str, life: Life, wanted: Wanted },
    Delete { key: Key, wanted: Wanted, return_value: bool },
    Increment { key: Key, by: i64, life: Life, every: bool },
}

impl Write {
    pub(super) const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Increment { key, .. } => key,
        }
    }
}

/// One call for a hash.
#[derive(Clone, Debug)]
pub(super) enum HashCall {
    Set(Vec<(&'static str, &'static str)>, Life),
    Delete(Vec<&'static str>),
    Increment(&'static str, i64, Life),
    Get(Vec<&'static str>),
    Remove,
}

/// The lifetime that a write names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Unnamed,
    Never,
    Keep,
    After(Duration),
    /// At this long after the time of the call.
    At(Duration),
}

/// What must hold for a write, told by what is there at the time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Nothing,
    Absent,
    Present,
    /// The version that is there, or one that was.
    Current,
    /// A version that was there, or that another key had.
    Other,
}

const VALUES: &[&str] = &["", "0", "7", "-3", "text", "9223372036854775807"];
const PREFIXES: &[&str] = &["", "a", "ab", "a*", "b", "c", "p"];
const FIELDS: &[&str] = &["f", "g", "ff", "*"];

/// The keys of a clause, and what its writes may name.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    keys: Vec<Key>,
    preconditions: bool,
    lifetimes: bool,
}

impl Subject {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self { keys, preconditions: false, lifetimes: false }
    }

    pub(super) fn with_preconditions(mut self) -> Self {
        self.preconditions = true;
        self
    }

    pub(super) fn with_lifetimes(mut self) -> Self {
        self.lifetimes = true;
        self
    }

    fn key(&self) -> SBoxedStrategy<Key> {
        select(self.keys.clone()).sboxed()
    }

    fn wanted(&self) -> SBoxedStrategy<Wanted> {
        if !self.preconditions {
            return Just(Wanted::Nothing).sboxed();
        }
        let all =
            [Wanted::Nothing, Wanted::Absent, Wanted::Present, Wanted::Current, Wanted::Other];
        select(all.to_vec()).sboxed()
    }

    fn life(&self) -> SBoxedStrategy<Life> {
        if !self.lifetimes {
            return Just(Life::Unnamed).sboxed();
        }
        prop_oneof![
            Just(Life::Unnamed),
            Just(Life::Never),
            Just(Life::Keep),
            lifetime().prop_map(Life::After),
            lifetime().prop_map(Life::At),
        ]
        .sboxed()
    }

    fn one_write(&self) -> SBoxedStrategy<Write> {
        let put = (self.key(), select(VALUES), self.life(), self.wanted());
        let delete = (self.key(), self.wanted(), any::<bool>());
        let by = prop_oneof![4 => -5_i64..6, 1 => select(&[i64::MAX, i64::MIN][..])];
        let increment = (self.key(), by, self.life(), any::<bool>());
        prop_oneof![
            3 => put.prop_map(|(key, value, life, wanted)| Write::Put { key, value, life, wanted }),
            2 => delete
                .prop_map(|(key, wanted, return_value)| Write::Delete { key, wanted, return_value }),
            2 => increment
                .prop_map(|(key, by, life, every)| Write::Increment { key, by, life, every }),
        ]
        .sboxed()
    }

    /// A single write.
    pub(super) fn write(&self) -> SBoxedStrategy<Step> {
        self.one_write().prop_map(Step::Write).sboxed()
    }

    /// A read of one entry or of several.
    pub(super) fn read(&self) -> SBoxedStrategy<Step> {
        prop_oneof![self.key().prop_map(Step::Get), vec(self.key(), 0..5).prop_map(Step::GetMany)]
            .sboxed()
    }

    /// A batch of writes, or a read of several entries.
    pub(super) fn batch(&self) -> SBoxedStrategy<Step> {
        prop_oneof![
            3 => vec(self.one_write(), 0..6).prop_map(Step::Batch),
            1 => vec(self.key(), 0..5).prop_map(Step::GetMany),
        ]
        .sboxed()
    }

    /// A transaction.
    pub(super) fn transaction(&self) -> SBoxedStrategy<Step> {
        let checks = vec((self.key(), self.wanted()), 0..3);
        let parts = (checks, vec(self.one_write(), 0..4));
        parts.prop_map(|(checks, writes)| Step::Transaction(checks, writes)).sboxed()
    }

    /// Another lifetime for an entry.
    pub(super) fn touch(&self) -> SBoxedStrategy<Step> {
        (self.key(), self.life()).prop_map(|(key, life)| Step::Touch(key, life)).sboxed()
    }

    /// A call about many entries.
    pub(super) fn survey(&self) -> SBoxedStrategy<Step> {
        let partitions = self.keys.iter().filter_map(|key| key.partition().cloned());
        let scopes = partitions.map(Scope::Partition).chain([Scope::All, Scope::Unpartitioned]);
        let scope = select(scopes.collect::<Vec<_>>());
        let about = (select(PREFIXES), scope);
        prop_oneof![
            2 => (about.clone(), 1_usize..4)
                .prop_map(|((prefix, scope), limit)| Step::List { prefix, scope, limit }),
            1 => about.clone().prop_map(|(prefix, scope)| Step::Count { prefix, scope }),
            1 => about.prop_map(|(prefix, scope)| Step::Clear { prefix, scope }),
        ]
        .sboxed()
    }

    /// A call for a hash.
    pub(super) fn hash(&self) -> SBoxedStrategy<Step> {
        let field = || select(FIELDS);
        let set = (vec((field(), select(VALUES)), 0..4), self.life());
        let increment = (field(), -5_i64..6, self.life());
        let call = prop_oneof![
            4 => set.prop_map(|(fields, life)| HashCall::Set(fields, life)),
            2 => vec(field(), 0..3).prop_map(HashCall::Delete),
            2 => increment.prop_map(|(field, by, life)| HashCall::Increment(field, by, life)),
            1 => vec(field(), 0..4).prop_map(HashCall::Get),
            1 => Just(HashCall::Remove),
        ];
        (self.key(), call).prop_map(|(key, call)| Step::Hash(key, call)).sboxed()
    }
}

/// Some time goes by: less or more than most lifetimes.
pub(super) fn advance() -> SBoxedStrategy<Step> {
    (1_u64..4_000).prop_map(|ms| Step::Advance(Duration::from_millis(ms))).sboxed()
}

fn lifetime() -> impl Strategy<Value = Duration> {
    (1_u64..6_000).prop_map(Duration::from_millis)
}
