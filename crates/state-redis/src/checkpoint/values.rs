//! Reading what values are made from.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use state_checkpoint::{Found, Life, Values, Want};
use state_core::Result;
use state_core::checkpoint::ThreadId;

use super::Inner;
use super::answer::{descriptions, segments};
use super::append::place_text;
use super::ask::{Ask, count, decimal, generation_text};
use super::scripts::{VALUES, Word, damaged};
use crate::scripts::number;

/// The most of each kind that one call asks for.
const ASKED_MAX: usize = 1_000;

impl Inner {
    pub(super) async fn read_values(
        &self,
        thread: &ThreadId,
        life: Life,
        want: &Want,
    ) -> Result<Option<Values>> {
        let mut values = Values::default();
        let mut versions: BTreeSet<u64> = want.versions.iter().copied().collect();
        let mut wanted: BTreeSet<u64> = want.segments.iter().copied().collect();
        let mut places = want.places.as_slice();
        let mut sent = (HashSet::new(), HashSet::new());
        loop {
            let asked_versions: Vec<u64> = versions.iter().take(ASKED_MAX).copied().collect();
            let asked_segments: Vec<u64> = wanted.iter().take(ASKED_MAX).copied().collect();
            let (asked_places, rest) = places.split_at_checked(ASKED_MAX).unwrap_or((places, &[]));
            let mut args = vec![generation_text(life.generation), decimal(life.epoch)];
            for numbers in [&asked_versions, &asked_segments] {
                args.push(count(numbers.len()));
                args.extend(numbers.iter().copied().map(decimal));
            }
            args.push(count(asked_places.len()));
            args.extend(asked_places.iter().copied().map(place_text));
            let mut answer = self.ask(Ask::read(&VALUES, self.keys_of(thread), args)).await?;
            if answer.word == Word::Stale {
                return Ok(None);
            }
            let (before, asked) = (versions.len() + wanted.len() + places.len(), places.len());
            for (number, part) in descriptions(answer.list()?)? {
                versions.remove(&number);
                if sent.0.insert(number) {
                    values.versions.push((number, part));
                }
            }
            for (number, frame) in segments(answer.list()?)? {
                wanted.remove(&number);
                if sent.1.insert(number) {
                    values.segments.push((number, frame));
                }
            }
            for found in answer.all_bytes()? {
                values.found.push(read_found(&found)?);
            }
            places = rest;
            if versions.is_empty() && wanted.is_empty() && places.is_empty() {
                return Ok(Some(values));
            }
            // An answer without anything new would never end.
            if versions.len() + wanted.len() + places.len() == before && asked == places.len() {
                return Err(damaged());
            }
        }
    }
}

fn read_found(found: &Bytes) -> Result<Found> {
    match found.as_ref() {
        b"" => Ok(Found::Absent),
        b"e" => Ok(Found::Empty),
        version => number(version).map(Found::Version),
    }
}
