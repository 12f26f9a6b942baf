//! Reading what values are made from.

use std::collections::BTreeSet;

use state_core::checkpoint::ThreadId;
use state_core::{Consistency, Key, Result};

use super::append::BLOCK_ITEMS;
use super::keys::Rows;
use super::rows::{Place, find, parts, places};
use super::{BackendThreads, lost};
use crate::store::{Found, Life, Values, Want};

impl BackendThreads {
    pub(super) async fn read_values(
        &self,
        thread: &ThreadId,
        life: Life,
        want: &Want,
    ) -> Result<Option<Values>> {
        let rows = Rows::new(thread, life.generation);
        let blocks: BTreeSet<u64> =
            want.versions.iter().map(|number| number / BLOCK_ITEMS).collect();
        let segments: BTreeSet<u64> = want.segments.iter().copied().collect();
        let mut keys: Vec<Key> = blocks.iter().map(|number| rows.block(*number)).collect();
        keys.extend(segments.iter().map(|number| rows.segment(*number)));
        let bodies = self.rows(&keys, Consistency::Strong).await?;
        if bodies.iter().any(Option::is_none) {
            // They are gone with what they were for, or they are lost.
            let alive = self.is_alive(thread, life).await?;
            return if alive { Err(lost("content")) } else { Ok(None) };
        }
        let mut bodies = bodies.into_iter().flatten();
        let mut values = Values::default();
        let wanted: BTreeSet<u64> = want.versions.iter().copied().collect();
        for (number, body) in blocks.into_iter().zip(bodies.by_ref()) {
            let first = number * BLOCK_ITEMS;
            let all = (first..).zip(parts(&body)?);
            // Of a version that was swept away, an empty part is left in its place.
            values.versions.extend(
                all.filter(|(number, part)| wanted.contains(number) && !part.body.is_empty()),
            );
        }
        values.segments = segments.into_iter().zip(bodies).collect();
        if values.versions.len() < wanted.len() {
            let alive = self.is_alive(thread, life).await?;
            return if alive { Err(lost("a description")) } else { Ok(None) };
        }
        if !want.places.is_empty() {
            let head = self.head(thread, Consistency::Strong).await?;
            let Some((head, _)) = head.filter(|(head, _)| head.life == life) else {
                return Ok(None);
            };
            values.found = self.find_places(&rows, head.next_version, &want.places).await?;
            if life.epoch > 0 {
                self.forget_swept(&rows, &mut values.found).await?;
            }
        }
        Ok(Some(values))
    }

    async fn find_places(&self, rows: &Rows, versions: u64, wanted: &[u64]) -> Result<Vec<Found>> {
        let where_to: BTreeSet<Place> =
            wanted.iter().flat_map(|place| places(versions, *place)).collect();
        let where_to: Vec<Place> = where_to.into_iter().collect();
        let keys: Vec<Key> =
            where_to.iter().map(|place| rows.places(place.level, place.bucket)).collect();
        let bodies = self.rows(&keys, Consistency::Strong).await?;
        let mut found = Vec::with_capacity(wanted.len());
        for place in wanted {
            let mut answer = Found::Absent;
            // The newest level comes first and is the one that counts.
            for at in places(versions, *place) {
                let body = where_to.binary_search(&at).ok().and_then(|at| bodies.get(at));
                if let Some(Some(body)) = body {
                    answer = find(body, *place)?;
                }
                if answer != Found::Absent {
                    break;
                }
            }
            found.push(answer);
        }
        Ok(found)
    }

    /// Says of versions that were swept away that they are absent.
    async fn forget_swept(&self, rows: &Rows, found: &mut [Found]) -> Result<()> {
        for found in found {
            let Found::Version(number) = *found else { continue };
            let key = rows.block(number / BLOCK_ITEMS);
            let row = self.rows(&[key], Consistency::Strong).await?.pop().flatten();
            let at = usize::try_from(number % BLOCK_ITEMS).unwrap_or(usize::MAX);
            let part = row.map(|row| parts(&row)).transpose()?;
            let there = part.and_then(|parts| parts.get(at).map(|part| !part.body.is_empty()));
            if there != Some(true) {
                *found = Found::Absent;
            }
        }
        Ok(())
    }
}
