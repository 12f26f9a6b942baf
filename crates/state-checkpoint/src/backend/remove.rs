//! Taking records out of sight, or away, in steps.

use std::collections::BTreeSet;

use bytes::Bytes;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, ThreadLifetime};
use state_core::{Consistency, Key, ListOptions, Result, Scope};

use super::edit::{Edit, applied, read_latest};
use super::keys::{self, checkpoint_of};
use super::rows::HEADER_BYTES;
use super::{BackendThreads, TRIES, too_busy};
use crate::store::{Life, Remove, Removed};

/// The most records of a step.
const STEP_RECORDS_MAX: usize = 100;
/// The most rows of a step; a checkpoint has at most 513.
const STEP_ROWS_MAX: usize = 400;

type Place = (CheckpointNamespace, CheckpointId);

impl BackendThreads {
    pub(super) async fn remove_records(&self, remove: &Remove) -> Result<Option<Removed>> {
        let all: BTreeSet<&Place> = remove.gone.iter().chain(&remove.hidden).collect();
        let work: Vec<(&Place, bool)> = remove
            .gone
            .iter()
            .map(|place| (place, false))
            .chain(remove.hidden.iter().map(|place| (place, true)))
            .collect();
        let mut removed = Removed { gone: 0, hidden: 0 };
        let mut life = remove.life;
        let mut at = 0;
        while at < work.len() {
            let rest = work.get(at..).unwrap_or_default();
            let step = self.remove_step(remove, life, rest, &all).await;
            // Steps before this one were made.
            let Some(step) = (if at == 0 { step } else { step.map_err(applied) })? else {
                return Ok(None);
            };
            life.epoch += 1;
            removed.gone += step.1.gone;
            removed.hidden += step.1.hidden;
            at += step.0;
        }
        let emptied = self.delete_empty(&remove.thread, remove.acks).await;
        (if at == 0 { emptied } else { emptied.map_err(applied) })?;
        Ok(Some(removed))
    }

    /// One step: how many records it has dealt with, and what became of them.
    async fn remove_step(
        &self,
        remove: &Remove,
        life: Life,
        work: &[(&Place, bool)],
        all: &BTreeSet<&Place>,
    ) -> Result<Option<(usize, Removed)>> {
        for _ in 0..TRIES {
            let seen = self.see(&remove.thread).await?;
            if seen.head.as_ref().is_none_or(|(head, _)| head.life != life) {
                return Ok(None);
            }
            let keep = ThreadLifetime::Keep;
            let mut edit = self.begin(&remove.thread, seen, &remove.ownership, keep, false)?;
            edit.head.life.epoch += 1;
            let mut done = 0;
            let mut removed = Removed { gone: 0, hidden: 0 };
            let mut namespaces = BTreeSet::new();
            for (place, hide) in work.iter().take(STEP_RECORDS_MAX) {
                if edit.ops() >= STEP_ROWS_MAX {
                    break;
                }
                done += 1;
                if self.remove_one(&mut edit, place, *hide).await? {
                    namespaces.insert(&place.0);
                    let counter = if *hide { &mut removed.hidden } else { &mut removed.gone };
                    *counter += 1;
                }
            }
            for namespace in namespaces {
                self.find_latest(&mut edit, namespace, all).await?;
            }
            if self.commit(edit, remove.acks).await? {
                return Ok(Some((done, removed)));
            }
        }
        Err(too_busy())
    }

    /// Removes one record; whether it was there.
    async fn remove_one(&self, edit: &mut Edit, place: &Place, hide: bool) -> Result<bool> {
        let (namespace, id) = place;
        let shown = edit.rows.record(keys::RECORD, namespace, id);
        let hidden = edit.rows.record(keys::HIDDEN, namespace, id);
        let mut found =
            self.raw_rows(&[shown.clone(), hidden.clone()], Consistency::Strong).await?.into_iter();
        let (record, out_of_sight) = (found.next().flatten(), found.next().flatten());
        if let Some(record) = &record {
            edit.remove(&shown, record.len());
            edit.head.checkpoints = edit.head.checkpoints.saturating_sub(1);
            if hide && out_of_sight.is_none() {
                edit.put_raw(&hidden, record.clone(), None);
            }
        }
        if hide {
            return Ok(record.is_some());
        }
        if let Some(row) = &out_of_sight {
            edit.remove(&hidden, row.len());
        }
        let prefix = edit.rows.writes_prefix(namespace, id);
        let names = self.names(edit.rows.partition(), &prefix, Consistency::Strong).await?;
        let rows = self.raw_rows(&names, Consistency::Strong).await?;
        for (name, row) in names.iter().zip(rows) {
            edit.remove(name, row.map_or(0, |row| row.len()));
        }
        Ok(record.is_some() || out_of_sight.is_some())
    }

    /// Says anew which checkpoint of a namespace is the latest, if that one goes.
    async fn find_latest(
        &self,
        edit: &mut Edit,
        namespace: &CheckpointNamespace,
        going: &BTreeSet<&Place>,
    ) -> Result<()> {
        let row = edit.rows.namespace(namespace);
        let (latest, before) = if namespace.is_root() {
            (edit.head.latest.clone(), 0)
        } else {
            let row =
                self.rows(std::slice::from_ref(&row), Consistency::Strong).await?.pop().flatten();
            let before = row.as_ref().map_or(0, |row| row.len() + HEADER_BYTES);
            (row.map(|row| read_latest(&row)).transpose()?, before)
        };
        let Some(latest) = latest else { return Ok(()) };
        if !going.contains(&(namespace.clone(), latest)) {
            return Ok(());
        }
        let next = self.next_latest(edit, namespace, going).await?;
        if namespace.is_root() {
            edit.head.latest = next;
        } else if let Some(next) = next {
            edit.put(&row, next.as_str().as_bytes(), Some(before));
        } else {
            edit.remove(&row, before);
        }
        Ok(())
    }

    /// The greatest id of a namespace that stays.
    async fn next_latest(
        &self,
        edit: &Edit,
        namespace: &CheckpointNamespace,
        going: &BTreeSet<&Place>,
    ) -> Result<Option<CheckpointId>> {
        let mut options = ListOptions::new(Bytes::from(edit.rows.prefix(keys::RECORD)))
            .with_scope(Scope::Partition(edit.rows.partition().clone()));
        loop {
            let page = self.backend.list_page(options.clone()).await?;
            let found = page.items.iter().find_map(|meta| {
                parse(&meta.key).filter(|place| place.0 == *namespace && !going.contains(place))
            });
            if let Some((_, id)) = found {
                return Ok(Some(id));
            }
            match page.next {
                Some(token) => options.token = Some(token),
                None => return Ok(None),
            }
        }
    }
}

fn parse(key: &Key) -> Option<Place> {
    keys::parse(key.name()).and_then(|(_, _, rest)| checkpoint_of(rest))
}
