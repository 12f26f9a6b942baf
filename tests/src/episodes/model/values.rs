//! Reads and touches of entries.

use state_core::{Entry, Expires, GetOptions, Key, TouchOptions};

use super::{Fits, Gate, Held, Made, Misfit, fits};
use crate::episodes::call::Reply;

impl Made<'_> {
    pub(super) fn get(&mut self, key: &Key, options: &GetOptions) -> Fits {
        if self.gate(options.fence.as_ref())? == Gate::Shut {
            return Ok(());
        }
        if let Some(expiry) = options.touch {
            let deadline = self.world.deadline(expiry, None);
            self.world.entries.entry(key.clone()).and_modify(|held| held.deadline = deadline);
        }
        let held = self.world.entries.get(key).cloned();
        match (self.reply, held) {
            (None, _) | (Some(Reply::Entry(None)), None) => Ok(()),
            (Some(Reply::Entry(Some(entry))), Some(held)) => {
                let lifetime = self.world.expires(held.deadline);
                fits(!options.expiry || entry.expires == lifetime)?;
                self.shows(key, entry, &held)
            }
            _ => Err(Misfit),
        }
    }

    /// Whether `entry` can be what is held.
    pub(super) fn shows(&mut self, key: &Key, entry: &Entry, held: &Held) -> Fits {
        let told = entry.expires;
        fits(told == Expires::Unknown || told == self.world.expires(held.deadline))?;
        fits(entry.value == held.value)?;
        self.same(key, held.mark, entry.version)
    }

    pub(super) fn touch(&mut self, key: &Key, options: &TouchOptions) -> Fits {
        if self.gate(options.fence.as_ref())? == Gate::Shut {
            return Ok(());
        }
        let deadline = self.world.deadline(options.expiry, None);
        let held = self.world.entries.get_mut(key);
        let there = held.map(|held| held.deadline = deadline).is_some();
        match self.reply {
            None => Ok(()),
            Some(Reply::Touched(told)) => fits(*told == there),
            Some(_) => Err(Misfit),
        }
    }
}
