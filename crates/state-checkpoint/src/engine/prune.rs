//! Retention: which checkpoints stay, and what goes.

use std::collections::{BTreeSet, HashSet};

use state_core::checkpoint::{
    DeleteRuns, DeleteThread, Ownership, PruneOptions, PruneReport, Retention, ThreadId,
};
use state_core::{Acks, Outcome, Result};

use super::get::Raw;
use super::rebuilt::Place;
use super::retain::Wish;
use super::{Checkpoints, TRIES, too_busy};
use crate::store::{Life, Remove, ThreadStore};

/// What is to be removed from a thread in one of its lives.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// `None` where the thread is absent.
    pub(super) life: Option<Life>,
    /// Whether nothing is in sight.
    pub(super) empty: bool,
    pub(super) gone: Vec<Place>,
    /// How many of those, the first ones, are in sight.
    pub(super) gone_shown: usize,
    pub(super) hidden: Vec<Place>,
}

/// What was removed, over all tries. A try whose answer was lost, or that got part of the way
/// before another removed something too, has removed what it meant to and is not there any more.
#[derive(Debug, Default)]
pub(super) struct Tally {
    report: PruneReport,
    gone: HashSet<Place>,
    hidden: HashSet<Place>,
}

/// What is there still, or again, of what was meant to be removed.
#[derive(Debug, Default)]
pub(super) struct Left {
    shown: HashSet<Place>,
    hidden: HashSet<Place>,
}

impl Tally {
    /// Looks at a record that is there.
    pub(super) fn look(&self, place: &Place, hidden: bool, left: &mut Left) {
        if self.gone.contains(place) || self.hidden.contains(place) {
            let left = if hidden { &mut left.hidden } else { &mut left.shown };
            left.insert(place.clone());
        }
    }

    /// Counts what the last try has removed, once all that is there was looked at.
    pub(super) fn settle(&mut self, left: &Left) {
        let there = |place: &Place| left.shown.contains(place) || left.hidden.contains(place);
        self.report.removed += self.gone.drain().filter(|place| !there(place)).count() as u64;
        for place in self.hidden.drain().filter(|place| !left.shown.contains(place)) {
            let counter = if left.hidden.contains(&place) {
                &mut self.report.hidden
            } else {
                &mut self.report.removed
            };
            *counter += 1;
        }
    }

    /// Remembers what was meant, where it is not known what became of it.
    fn mean(&mut self, remove: Remove, gone_shown: usize) {
        self.gone.extend(remove.gone.into_iter().take(gone_shown));
        self.hidden.extend(remove.hidden);
    }
}

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn prune_all(
        &self,
        threads: &[ThreadId],
        options: &PruneOptions,
    ) -> Result<PruneReport> {
        let mut report = PruneReport::default();
        let once: BTreeSet<&ThreadId> = threads.iter().collect();
        for thread in once {
            let pruned = self.prune_one(thread, options).await?;
            report.removed += pruned.removed;
            report.hidden += pruned.hidden;
        }
        Ok(report)
    }

    async fn prune_one(&self, thread: &ThreadId, options: &PruneOptions) -> Result<PruneReport> {
        if matches!(options.retention, Retention::Delete) {
            let delete = DeleteThread::new(thread.clone())
                .with_ownership(options.ownership.clone())
                .with_acks(options.acks);
            let deleted = self.store.delete(&delete).await?;
            self.cache.forget(thread);
            return Ok(PruneReport::new(deleted.unwrap_or_default(), 0));
        }
        let mut tally = Tally::default();
        for _ in 0..TRIES {
            let wish = Wish::Retain(options.retention);
            let plan = self.plan(thread, wish, &mut tally).await?;
            let Some(plan) = plan else { continue };
            let whose = &options.ownership;
            if self.carry_out(thread, plan, whose, options.acks, &mut tally).await? {
                return Ok(tally.report);
            }
        }
        Err(too_busy())
    }

    pub(super) async fn delete_runs(&self, delete: &DeleteRuns) -> Result<u64> {
        let mut threads = BTreeSet::new();
        for run in &delete.runs {
            threads.extend(self.store.threads_of_run(run).await?);
        }
        let runs: HashSet<&str> = delete.runs.iter().map(String::as_str).collect();
        let mut deleted = 0;
        for thread in threads {
            deleted += self.delete_runs_of(&thread, &runs, delete).await?;
        }
        Ok(deleted)
    }

    async fn delete_runs_of(
        &self,
        thread: &ThreadId,
        runs: &HashSet<&str>,
        delete: &DeleteRuns,
    ) -> Result<u64> {
        let mut tally = Tally::default();
        for _ in 0..TRIES {
            let plan = self.plan(thread, Wish::WithoutRuns(runs), &mut tally).await?;
            let Some(plan) = plan else { continue };
            let whose = &delete.ownership;
            if self.carry_out(thread, plan, whose, delete.acks, &mut tally).await? {
                return Ok(tally.report.removed + tally.report.hidden);
            }
        }
        Err(too_busy())
    }

    /// Removes what was planned; `false` where it must be planned anew.
    async fn carry_out(
        &self,
        thread: &ThreadId,
        plan: Plan,
        ownership: &Ownership,
        acks: Acks,
        tally: &mut Tally,
    ) -> Result<bool> {
        let Some(life) = plan.life.filter(|_| !(plan.gone.is_empty() && plan.hidden.is_empty()))
        else {
            self.finish(thread, plan.life, plan.empty, acks).await?;
            return Ok(true);
        };
        let remove = Remove {
            thread: thread.clone(),
            life,
            gone: plan.gone,
            hidden: plan.hidden,
            ownership: ownership.clone(),
            acks,
        };
        let removed = self.store.remove(&remove).await?;
        self.cache.forget(thread);
        if removed.is_none() {
            tally.mean(remove, plan.gone_shown);
            return Ok(false);
        }
        tally.report.removed += plan.gone_shown as u64;
        tally.report.hidden += remove.hidden.len() as u64;
        drop(remove);
        let collected = self.collect(thread).await;
        // The records are gone.
        collected.map_err(|error| error.with_outcome(Outcome::Applied))?;
        Ok(true)
    }
}

/// For each record out of sight, whether one is in sight in the same place: that was put again
/// after it was hidden, and the two come and go together.
pub(super) fn twins<'a>(
    shown: impl Iterator<Item = &'a Place>,
    out_of_sight: &[Place],
) -> Vec<bool> {
    if out_of_sight.is_empty() {
        return Vec::new();
    }
    let shown: HashSet<&Place> = shown.collect();
    out_of_sight.iter().map(|place| shown.contains(place)).collect()
}

pub(super) fn place(raw: &Raw) -> Place {
    (raw.namespace.clone(), raw.record.checkpoint.id.clone())
}
