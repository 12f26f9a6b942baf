//! The tables of a store file.

use std::cell::OnceCell;
use std::sync::OnceLock;

use redb::TableDefinition;

/// What keys and values of every table are to the engine.
pub(super) type Raw = &'static [u8];

/// A table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name {
    /// The store's own records and the counts of each namespace.
    Meta,
    Entries,
    Hashes,
    Fields,
    Deadlines,
    Leases,
    Fences,
    Operations,
    Events,
}

impl Name {
    pub(super) const ALL: [Self; 9] = [
        Self::Meta,
        Self::Entries,
        Self::Hashes,
        Self::Fields,
        Self::Deadlines,
        Self::Leases,
        Self::Fences,
        Self::Operations,
        Self::Events,
    ];

    pub(super) const fn definition(self) -> TableDefinition<'static, Raw, Raw> {
        TableDefinition::new(match self {
            Self::Meta => "meta",
            Self::Entries => "entries",
            Self::Hashes => "hashes",
            Self::Fields => "fields",
            Self::Deadlines => "deadlines",
            Self::Leases => "leases",
            Self::Fences => "fences",
            Self::Operations => "operations",
            Self::Events => "events",
        })
    }
}

/// One thing for each table.
#[derive(Debug, Default)]
pub(super) struct ByName<T> {
    meta: T,
    entries: T,
    hashes: T,
    fields: T,
    deadlines: T,
    leases: T,
    fences: T,
    operations: T,
    events: T,
}

impl<T> ByName<T> {
    pub(super) fn get(&self, name: Name) -> &T {
        match name {
            Name::Meta => &self.meta,
            Name::Entries => &self.entries,
            Name::Hashes => &self.hashes,
            Name::Fields => &self.fields,
            Name::Deadlines => &self.deadlines,
            Name::Leases => &self.leases,
            Name::Fences => &self.fences,
            Name::Operations => &self.operations,
            Name::Events => &self.events,
        }
    }

    pub(super) fn get_mut(&mut self, name: Name) -> &mut T {
        match name {
            Name::Meta => &mut self.meta,
            Name::Entries => &mut self.entries,
            Name::Hashes => &mut self.hashes,
            Name::Fields => &mut self.fields,
            Name::Deadlines => &mut self.deadlines,
            Name::Leases => &mut self.leases,
            Name::Fences => &mut self.fences,
            Name::Operations => &mut self.operations,
            Name::Events => &mut self.events,
        }
    }
}

/// Something that is made when it is first asked for; the making can fail.
pub(super) trait Once<T>: Default {
    fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E>;
}

impl<T> Once<T> for OnceCell<T> {
    fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = make()?;
        Ok(self.get_or_init(|| value))
    }
}

impl<T> Once<T> for OnceLock<T> {
    fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = make()?;
        Ok(self.get_or_init(|| value))
    }
}
