//! Defects of versions.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    Bytes, Deleted, Expiry, Key, Namespace, Precondition, StateBackend, StateBackendExt, Version,
    Written,
};

use crate::gallery::hooks::{Honest, Hooks};

/// The version with this number.
fn numbered(number: u64) -> Version {
    Version::from_bytes(u128::from(number).to_be_bytes())
}

/// A version that no entry has.
const NEVER: Version = Version::from_bytes([0xff; 16]);

fn checksum(value: &Bytes) -> Version {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    numbered(hasher.finish())
}

pub(super) fn of_value() -> Hooks {
    Hooks::default()
        .on_get(|honest, key, options| async move {
            let found = honest.get_opts(&key, options).await?;
            Ok(found.map(|mut entry| {
                entry.version = checksum(&entry.value);
                entry
            }))
        })
        .on_put(|honest, key, value, mut options| async move {
            if let Precondition::Matches(wanted) = options.precondition {
                let held = honest.get_entry(&key).await?;
                let held = held.filter(|entry| checksum(&entry.value) == wanted);
                options.precondition = held.map_or(NEVER, |entry| entry.version).into();
            }
            let version = checksum(&value);
            let written = honest.put_opts(&key, value, options).await?;
            Ok(Written::new(version, written.acks))
        })
}

pub(super) fn per_instance() -> Hooks {
    let counts = Arc::new(Mutex::new(HashMap::<(usize, Key), u64>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let count = {
            let mut counts = counts.lock();
            let count = counts.entry((honest.instance, key.clone())).or_default();
            *count += 1;
            *count
        };
        async move {
            let written = honest.put_opts(&key, value, options).await?;
            Ok(Written::new(numbered(count), written.acks))
        }
    })
}

/// How an entry came to be absent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gone {
    Deleted,
    Cleared,
    Expired,
}

/// Versions counted per key. The count begins again after entries that went as `forgets` says.
#[derive(Debug)]
struct Counts {
    forgets: Option<Gone>,
    numbers: Mutex<HashMap<(Namespace, Key), (u64, Gone)>>,
}

impl Counts {
    fn place(honest: &Honest, key: &Key) -> (Namespace, Key) {
        (honest.namespace.clone(), key.clone())
    }

    fn of(&self, honest: &Honest, key: &Key) -> u64 {
        self.numbers.lock().get(&Self::place(honest, key)).map_or(0, |(number, _)| *number)
    }

    /// Counts a write over an entry that was there, or was not.
    fn next(&self, honest: &Honest, key: &Key, existed: bool) -> u64 {
        let mut numbers = self.numbers.lock();
        let place = numbers.entry(Self::place(honest, key)).or_insert((0, Gone::Expired));
        let forgotten = !existed && Some(place.1) == self.forgets;
        *place = (if forgotten { 1 } else { place.0 + 1 }, Gone::Expired);
        place.0
    }

    fn gone(&self, how: Gone, is: impl Fn(&(Namespace, Key)) -> bool) {
        for (place, count) in self.numbers.lock().iter_mut() {
            if is(place) {
                count.1 = how;
            }
        }
    }

    /// What `wanted` means to the honest store.
    async fn meaning(
        &self,
        honest: &Honest,
        key: &Key,
        wanted: Precondition,
    ) -> state_core::Result<Precondition> {
        let Precondition::Matches(wanted) = wanted else { return Ok(wanted) };
        let held = honest.get_entry(key).await?;
        let held = held.filter(|_| numbered(self.of(honest, key)) == wanted);
        Ok(held.map_or(NEVER, |entry| entry.version).into())
    }
}

fn counting(forgets: Option<Gone>) -> Hooks {
    let counts = Arc::new(Counts { forgets, numbers: Mutex::default() });
    let (getting, putting, deleting, clearing) =
        (Arc::clone(&counts), Arc::clone(&counts), Arc::clone(&counts), counts);
    Hooks::default()
        .on_get(move |honest, key, options| {
            let counts = Arc::clone(&getting);
            async move {
                let found = honest.get_opts(&key, options).await?;
                Ok(found.map(|mut entry| {
                    entry.version = numbered(counts.of(&honest, &key));
                    entry
                }))
            }
        })
        .on_put(move |honest, key, value, mut options| {
            let counts = Arc::clone(&putting);
            async move {
                let existed = honest.contains(&key).await?;
                options.precondition = counts.meaning(&honest, &key, options.precondition).await?;
                let written = honest.put_opts(&key, value, options).await?;
                let number = counts.next(&honest, &key, existed);
                Ok(Written::new(numbered(number), written.acks))
            }
        })
        .on_delete(move |honest, key, mut options| {
            let counts = Arc::clone(&deleting);
            async move {
                options.precondition = counts.meaning(&honest, &key, options.precondition).await?;
                let deleted = honest.delete_opts(&key, options).await?;
                if deleted.existed {
                    let place = Counts::place(&honest, &key);
                    counts.gone(Gone::Deleted, |other| *other == place);
                }
                let number = numbered(counts.of(&honest, &key));
                let previous = deleted.previous.map(|mut entry| {
                    entry.version = number;
                    entry
                });
                Ok(Deleted::new(deleted.existed, previous, deleted.acks))
            }
        })
        .on_clear(move |honest, options| {
            let counts = Arc::clone(&clearing);
            async move {
                counts.gone(Gone::Cleared, |(namespace, _)| *namespace == honest.namespace);
                honest.clear_opts(options).await
            }
        })
}

pub(super) fn restarts_after_delete() -> Hooks {
    counting(Some(Gone::Deleted))
}

pub(super) fn restarts_after_clear() -> Hooks {
    counting(Some(Gone::Cleared))
}

pub(super) fn restarts_after_expiry() -> Hooks {
    counting(Some(Gone::Expired))
}

pub(super) fn counted() -> Hooks {
    counting(None)
}

pub(super) fn touched() -> Hooks {
    Hooks::default().on_touch(|honest, key, options| async move {
        if let Some(value) = honest.get(&key).await? {
            honest.put(&key, value).await?;
        }
        honest.touch_opts(&key, options).await
    })
}

pub(super) fn refused() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await;
        if written.is_err()
            && let Some(entry) = honest.get(&key).await?
        {
            let keeping = state_core::PutOptions::new().with_expiry(Expiry::Keep);
            honest.put_opts(&key, entry, keeping).await?;
        }
        written
    })
}
