//! The plain map that a backend is compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use state_core::{
    Bytes, Change, Entry, ErrorKind, Expiry, Key, Precondition, Scope, Timestamp, Version,
    WriteOutcome,
};

use super::step::{Life, Wanted, Write};
use crate::contents::Contents;

/// The versions that each key has had.
pub(super) type Versions = BTreeMap<Key, Vec<Version>>;

/// What must be there, and every version that was given out.
#[derive(Debug)]
pub(super) struct World {
    now: Timestamp,
    contents: Contents,
    given_out: Versions,
}

/// What a write does, if it is made.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Put(Bytes, Option<Timestamp>),
    Remove,
}

impl World {
    /// An empty world, in which these versions were given out before.
    pub(super) fn new(now: Timestamp, given_out: Versions) -> Self {
        Self { now, contents: Contents::default(), given_out }
    }

    /// Every version that was given out.
    pub(super) fn into_given_out(self) -> Versions {
        self.given_out
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, by: Duration) {
        self.now = self.now.checked_add(by).unwrap_or(self.now);
        let now = self.now;
        let alive = |deadline: Option<Timestamp>| deadline.is_none_or(|deadline| deadline > now);
        self.contents.entries.retain(|_, (_, _, deadline)| alive(*deadline));
        self.contents.hashes.retain(|_, (_, deadline)| alive(*deadline));
    }

    pub(super) const fn contents(&self) -> &Contents {
        &self.contents
    }

    pub(super) const fn contents_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }

    /// The version of each entry that is there.
    pub(super) fn versions(&self) -> BTreeMap<Key, Version> {
        let entries = self.contents.entries.iter();
        entries.map(|(key, (_, version, _))| (key.clone(), *version)).collect()
    }

    /// What a write names as its lifetime.
    pub(super) fn expiry(&self, life: Life) -> Expiry {
        match life {
            Life::Unnamed => Expiry::Default,
            Life::Never => Expiry::Never,
            Life::Keep => Expiry::Keep,
            Life::After(lifetime) => Expiry::After(lifetime),
            Life::At(ahead) => Expiry::At(self.now.checked_add(ahead).unwrap_or(self.now)),
        }
    }

    /// The end of the lifetime that a write over `kept` gives.
    pub(super) fn deadline(&self, life: Life, kept: Option<Timestamp>) -> Option<Timestamp> {
        match life {
            Life::Unnamed | Life::Never => None,
            Life::Keep => kept,
            Life::After(lifetime) | Life::At(lifetime) => self.now.checked_add(lifetime),
        }
    }

    /// What a write names as its precondition.
    pub(super) fn precondition(&self, key: &Key, wanted: Wanted) -> Precondition {
        let there = self.contents.entries.get(key).map(|(_, version, _)| *version);
        let earlier = self.given_out.get(key).map_or(&[][..], Vec::as_slice);
        let unknown = Version::from_bytes([0xA5; 16]);
        match wanted {
            Wanted::Nothing => Precondition::Always,
            Wanted::Absent => Precondition::Absent,
            Wanted::Present => Precondition::Present,
            Wanted::Current => {
                let last = there.or_else(|| earlier.last().copied());
                Precondition::Matches(last.unwrap_or(unknown))
            }
            Wanted::Other => {
                let others = earlier.iter().chain(self.given_out.values().flatten()).copied();
                let other = others.into_iter().find(|version| Some(*version) != there);
                Precondition::Matches(other.unwrap_or(unknown))
            }
        }
    }

    /// Whether `wanted` holds for `key`.
    pub(super) fn holds(&self, key: &Key, wanted: Wanted) -> bool {
        let there = self.contents.entries.get(key).map(|(_, version, _)| *version);
        match self.precondition(key, wanted) {
            Precondition::Absent => there.is_none(),
            Precondition::Present => there.is_some(),
            Precondition::Matches(version) => there == Some(version),
            _ => true,
        }
    }

    /// What `write` must do now, or why it must be refused.
    pub(super) fn predict(&self, write: &Write) -> Result<Effect, ErrorKind> {
        let there = self.contents.entries.get(write.key());
        let kept = there.and_then(|(_, _, deadline)| *deadline);
        match write {
            Write::Put { key, value, life, wanted } => {
                let effect = Effect::Put((*value).into(), self.deadline(*life, kept));
                if self.holds(key, *wanted) { Ok(effect) } else { Err(ErrorKind::Conflict) }
            }
            Write::Delete { wanted: Wanted::Absent, .. } => Err(ErrorKind::Invalid),
            Write::Delete { key, wanted, .. } => {
                if self.holds(key, *wanted) {
                    Ok(Effect::Remove)
                } else {
                    Err(ErrorKind::Conflict)
                }
            }
            Write::Increment { by, life, every, .. } => {
                let held = there.map_or(Some(0), |(value, ..)| decimal(value));
                let sum = held.and_then(|held| held.checked_add(*by)).ok_or(ErrorKind::Invalid)?;
                let keeps = there.is_some() && !every;
                let deadline = if keeps { kept } else { self.deadline(*life, kept) };
                Ok(Effect::Put(sum.to_string().into(), deadline))
            }
        }
    }

    /// Makes the write here that was made there, and compares its receipt.
    pub(super) fn made(
        &mut self,
        write: &Write,
        effect: Effect,
        receipt: &WriteOutcome,
    ) -> Result<(), String> {
        let key = write.key().clone();
        let before = self.contents.entries.remove(&key);
        match (write, effect, receipt) {
            (Write::Put { .. }, Effect::Put(value, deadline), WriteOutcome::Written(written)) => {
                self.contents.entries.insert(key.clone(), (value, written.version, deadline));
                self.fresh(key, written.version)
            }
            (
                Write::Increment { .. },
                Effect::Put(value, deadline),
                WriteOutcome::Incremented(sum),
            ) => {
                if value != sum.value.to_string() {
                    return Err(format!("the sum is {}, and {value:?} was expected", sum.value));
                }
                self.contents.entries.insert(key.clone(), (value, sum.version, deadline));
                self.fresh(key, sum.version)
            }
            (Write::Delete { return_value, .. }, Effect::Remove, WriteOutcome::Deleted(gone)) => {
                let told = gone.previous.as_ref().map(|entry| (&entry.value, entry.version));
                let asked = before.as_ref().filter(|_| *return_value);
                let expected = asked.map(|(value, version, _)| (value, *version));
                if (gone.existed, told) == (before.is_some(), expected) {
                    return Ok(());
                }
                Err(format!("the receipt is {gone:?}, and there was {before:?}"))
            }
            (_, _, receipt) => Err(format!("{receipt:?} is the receipt of another kind of write")),
        }
    }

    /// Notes a version, which must not have been given out for the key before.
    fn fresh(&mut self, key: Key, version: Version) -> Result<(), String> {
        let given_out = self.given_out.entry(key).or_default();
        if given_out.contains(&version) {
            return Err(format!("the version {version} has come back"));
        }
        given_out.push(version);
        Ok(())
    }

    /// What a read of `key` must answer.
    pub(super) fn same_entry(&self, key: &Key, found: Option<&Entry>) -> Result<(), String> {
        let expected = self.contents.entries.get(key).map(|(value, version, _)| (value, *version));
        let found = found.map(|entry| (&entry.value, entry.version));
        if found == expected {
            return Ok(());
        }
        Err(format!("`{key}` was read as {found:?}, and {expected:?} was expected"))
    }

    /// Keys of the entries that `prefix` and `scope` cover, in order.
    pub(super) fn covered(&self, prefix: &str, scope: &Scope) -> Vec<Key> {
        self.contents.entries.keys().filter(|key| covers(key, prefix, scope)).cloned().collect()
    }

    /// Removes what `prefix` and `scope` cover, and says how much that was.
    pub(super) fn clear(&mut self, prefix: &str, scope: &Scope) -> usize {
        let Contents { entries, hashes } = &mut self.contents;
        let before = entries.len() + hashes.len();
        entries.retain(|key, _| !covers(key, prefix, scope));
        hashes.retain(|key, _| !covers(key, prefix, scope));
        before - entries.len() - hashes.len()
    }
}

fn covers(key: &Key, prefix: &str, scope: &Scope) -> bool {
    key.name().starts_with(prefix.as_bytes()) && scope.covers(key.partition())
}

/// The number that counters can add to.
pub(super) fn decimal(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

/// Makes a change that was told in a map of versions.
pub(super) fn replay(map: &mut BTreeMap<Key, Version>, change: Change) -> Result<(), String> {
    match change {
        Change::Put { key, version, .. } => {
            map.insert(key, version);
        }
        Change::Deleted { key } => {
            map.remove(&key).ok_or_else(|| format!("`{key}` was deleted and was not there"))?;
        }
        Change::Expired { key } | Change::Evicted { key } => {
            map.remove(&key);
        }
        Change::Cleared { prefix, scope } => {
            map.retain(|key, _| {
                !(key.name().starts_with(&prefix) && scope.covers(key.partition()))
            });
        }
        Change::Gap => return Err("a gap was told to a reader that keeps up".to_owned()),
        _ => {}
    }
    Ok(())
}
