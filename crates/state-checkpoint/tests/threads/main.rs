//! The engine over the store in memory, as several processes see it.

mod ending;
mod following;
mod keeping;
#[cfg(test)]
mod stand;
mod typed;
