//! The rules of the contract, written once for every place where tables can lie.
//!
//! Each rule checks everything first and writes last, so that work that fails has changed
//! nothing but fencing marks, which only ever rise.

mod counter;
mod entries;
mod fence;
mod hashes;
mod leases;
mod lifetime;
mod listing;
mod ops;
mod reclaim;
mod token;
mod transaction;

use crate::space::{Now, Rules};
use crate::tables::{Read, Tables};

pub(crate) use listing::Cursor;

/// Reading under the rules.
pub(crate) struct View<'a> {
    pub(crate) tables: &'a dyn Read,
    pub(crate) now: &'a Now<'a>,
    pub(crate) rules: &'a Rules,
}

/// Writing under the rules.
pub(crate) struct Tx<'a> {
    pub(crate) tables: &'a mut dyn Tables,
    pub(crate) now: &'a Now<'a>,
    pub(crate) rules: &'a Rules,
}

impl Tx<'_> {
    /// The same tables, for reading.
    pub(crate) fn view(&self) -> View<'_> {
        View { tables: &*self.tables, now: self.now, rules: self.rules }
    }
}
