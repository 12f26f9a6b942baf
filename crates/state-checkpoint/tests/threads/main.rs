//! The engine over the store in memory, as several processes see it.

#[cfg(test)]
mod abandoning;
mod ending;
mod following;
#[cfg(test)]
mod interleaving;
mod keeping;
#[cfg(test)]
mod meddler;
#[cfg(test)]
mod refusals;
mod simple;
#[cfg(test)]
mod stand;
mod typed;
