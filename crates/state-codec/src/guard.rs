//! Limits on depth and number of items, for every format alike.
//!
//! The formats limit themselves unequally or not at all: bincode overflows the stack on a few
//! KiB of nested input, and takes a long list of items that occupy no bytes. So a guard stands
//! between each format and the type, in both directions: what could not be read back is not
//! written.

mod de;
mod ser;

use std::cell::Cell;

pub(crate) use de::GuardedDeserializer;
pub(crate) use ser::Guarded;

use crate::codec::DEPTH_MAX;
use crate::codec::sealed::Failure;

/// How many items a value may have beside one per byte: some take no bytes of their own.
const ITEMS_FREE: usize = 1 << 10;

/// What is counted over the whole of a value.
#[derive(Debug)]
pub(crate) struct Guard {
    items: Cell<usize>,
    items_max: usize,
    failure: Cell<Option<Failure>>,
}

impl Guard {
    /// Counts items; [`check_items`](Self::check_items) compares them with the bytes at the end.
    pub(crate) fn for_writing() -> Self {
        Self { items: Cell::new(0), items_max: usize::MAX, failure: Cell::new(None) }
    }

    /// Allows one item per byte and some more.
    pub(crate) fn for_reading(bytes: &[u8]) -> Self {
        let items_max = bytes.len().saturating_add(ITEMS_FREE);
        Self { items: Cell::new(0), items_max, failure: Cell::new(None) }
    }

    /// Why the guard refused, if it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    /// Refuses a value that [`for_reading`](Self::for_reading) would refuse.
    pub(crate) fn check_items(&self, len: usize) -> Result<(), Failure> {
        if self.items.get() > len.saturating_add(ITEMS_FREE) {
            return Err(Failure::TooManyItems);
        }
        Ok(())
    }

    /// One level deeper than `depth`.
    fn enter<E>(&self, depth: usize, error: fn(&'static str) -> E) -> Result<usize, E> {
        if depth >= DEPTH_MAX {
            self.failure.set(Some(Failure::TooDeep));
            return Err(error("nests too deep"));
        }
        Ok(depth + 1)
    }

    /// One item more.
    fn count<E>(&self, error: fn(&'static str) -> E) -> Result<(), E> {
        let items = self.items.get() + 1;
        if items > self.items_max {
            self.failure.set(Some(Failure::TooManyItems));
            return Err(error("has too many items"));
        }
        self.items.set(items);
        Ok(())
    }

    /// No collection has more items than this, whatever its length says.
    fn items_left(&self) -> usize {
        self.items_max.saturating_sub(self.items.get())
    }
}

fn de_error<E: serde::de::Error>(message: &'static str) -> E {
    E::custom(message)
}

fn ser_error<E: serde::ser::Error>(message: &'static str) -> E {
    E::custom(message)
}
