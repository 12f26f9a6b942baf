//! Retention: which checkpoints stay, what they are rebuilt from, and what goes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use state_core::Result;
use state_core::checkpoint::{
    CheckpointId, CheckpointNamespace, DeleteThread, Ownership, PruneOptions, PruneReport,
    Retention, ThreadId,
};

use super::collect::Census;
use super::get::Raw;
use super::{Checkpoints, TRIES, too_busy};
use crate::pending::WriteStub;
use crate::record::ValueRef;
use crate::store::{Remove, ThreadStore};

type Place = (CheckpointNamespace, CheckpointId);

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
        for _ in 0..TRIES {
            let deletes = matches!(options.retention, Retention::Delete);
            let Some(census) = self.census(thread, !deletes).await? else {
                return Ok(PruneReport::default());
            };
            if deletes {
                let delete = DeleteThread::new(thread.clone())
                    .with_ownership(options.ownership.clone())
                    .with_acks(options.acks);
                self.store.delete(&delete).await?;
                self.cache.forget(thread);
                return Ok(PruneReport::new(census.shown.len() as u64, 0));
            }
            let Some(plan) = self.plan(thread, &census, options.retention).await? else {
                continue;
            };
            let (gone, hidden) = (plan.gone_shown, plan.hidden.len() as u64);
            if plan.gone.is_empty() && plan.hidden.is_empty() {
                return Ok(PruneReport::default());
            }
            let remove = Remove {
                thread: thread.clone(),
                life: census.life,
                gone: plan.gone,
                hidden: plan.hidden,
                ownership: options.ownership.clone(),
                acks: options.acks,
            };
            let removed = self.store.remove(&remove).await?;
            self.cache.forget(thread);
            if removed.is_some() {
                self.collect(thread).await?;
                return Ok(PruneReport::new(gone, hidden));
            }
        }
        Err(too_busy())
    }

    /// What goes and what is hidden; `None` when the thread has another life now.
    async fn plan(
        &self,
        thread: &ThreadId,
        census: &Census,
        retention: Retention,
    ) -> Result<Option<Plan>> {
        let survivors = self.survivors(census, retention);
        let mut known: HashMap<Place, &Raw> = HashMap::new();
        for raw in census.shown.iter().chain(&census.hidden) {
            known.insert(place(raw), raw);
        }
        let mut needed: HashSet<Place> = HashSet::new();
        for raw in census.shown.iter().filter(|raw| survivors.contains(&place(raw))) {
            let Some(refs) = self.resolve(thread, census.life, raw, true).await? else {
                return Ok(None);
            };
            let open: BTreeSet<Arc<str>> = refs
                .into_iter()
                .filter(|(_, _, value)| !matches!(value, ValueRef::Version(_)))
                .map(|(channel, ..)| channel)
                .collect();
            let ancestors = self.rebuilt_from(thread, census, raw, open, &known).await?;
            let Some(ancestors) = ancestors else { return Ok(None) };
            needed.extend(ancestors);
        }
        let mut plan = Plan::default();
        for raw in &census.shown {
            let place = place(raw);
            if survivors.contains(&place) {
                continue;
            }
            if needed.contains(&place) {
                plan.hidden.push(place);
            } else {
                plan.gone_shown += 1;
                plan.gone.push(place);
            }
        }
        let hidden = census.hidden.iter().map(place).filter(|place| !needed.contains(place));
        plan.gone.extend(hidden);
        Ok(Some(plan))
    }

    /// The ancestors that channels without a value are rebuilt from: those back to the nearest
    /// value, where anything was written to the channel since. A channel to which nothing was
    /// written was consumed, and needs none.
    async fn rebuilt_from(
        &self,
        thread: &ThreadId,
        census: &Census,
        raw: &Raw,
        mut open: BTreeSet<Arc<str>>,
        known: &HashMap<Place, &Raw>,
    ) -> Result<Option<HashSet<Place>>> {
        let mut needed = HashSet::new();
        let mut path: Vec<Place> = Vec::new();
        let mut visited = HashSet::from([place(raw)]);
        // For each channel, how far the path is needed.
        let mut written: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut at = raw;
        while !open.is_empty()
            && let Some(parent) = &at.record.parent
            && let Some(ancestor) = known.get(&(at.namespace.clone(), parent.clone()))
            && visited.insert(place(ancestor))
        {
            path.push(place(ancestor));
            for write in &ancestor.writes {
                let stub = WriteStub::decode(write)?;
                if open.contains(stub.channel()) {
                    written.insert(Arc::from(stub.channel()), path.len());
                }
            }
            let Some(refs) = self.resolve(thread, census.life, ancestor, true).await? else {
                return Ok(None);
            };
            for (channel, _, value) in refs {
                if matches!(value, ValueRef::Version(_))
                    && open.remove(&channel)
                    && let Some(far) = written.get_mut(&channel)
                {
                    *far = path.len();
                }
            }
            at = ancestor;
        }
        let far = written.values().copied().max().unwrap_or(0);
        needed.extend(path.into_iter().take(far));
        Ok(Some(needed))
    }

    fn survivors(&self, census: &Census, retention: Retention) -> HashSet<Place> {
        let mut kept: HashMap<&CheckpointNamespace, usize> = HashMap::new();
        let now = self.options.clock.wall();
        let mut survivors = HashSet::new();
        // The newest come first in each namespace.
        for raw in &census.shown {
            let before = kept.entry(&raw.namespace).or_default();
            let stays = match retention {
                Retention::KeepLatest => *before == 0,
                Retention::KeepLast(count) => *before < count,
                Retention::MaxAge(age) => {
                    *before == 0 || now.saturating_since(raw.record.checkpoint.time) <= age
                }
                _ => false,
            };
            *before += 1;
            if stays {
                survivors.insert(place(raw));
            }
        }
        survivors
    }

    pub(super) async fn delete_runs(&self, runs: &[String]) -> Result<u64> {
        let mut threads = BTreeSet::new();
        for run in runs {
            threads.extend(self.store.threads_of_run(run).await?);
        }
        let runs: HashSet<&str> = runs.iter().map(String::as_str).collect();
        let mut deleted = 0;
        for thread in threads {
            deleted += self.delete_runs_of(&thread, &runs).await?;
        }
        Ok(deleted)
    }

    async fn delete_runs_of(&self, thread: &ThreadId, runs: &HashSet<&str>) -> Result<u64> {
        for _ in 0..TRIES {
            let Some(census) = self.census(thread, false).await? else { return Ok(0) };
            let of_run =
                |raw: &&Raw| raw.record.metadata.run_id().is_some_and(|run| runs.contains(run));
            let gone: Vec<Place> = census.shown.iter().filter(of_run).map(place).collect();
            let hidden = census.hidden.iter().filter(of_run).map(place);
            let count = gone.len() as u64;
            let gone: Vec<Place> = gone.into_iter().chain(hidden).collect();
            if gone.is_empty() {
                return Ok(0);
            }
            let remove = Remove {
                thread: thread.clone(),
                life: census.life,
                gone,
                hidden: Vec::new(),
                ownership: Ownership::Anyone,
                acks: state_core::Acks::Primary,
            };
            let removed = self.store.remove(&remove).await?;
            self.cache.forget(thread);
            if removed.is_some() {
                self.collect(thread).await?;
                return Ok(count);
            }
        }
        Err(too_busy())
    }
}

#[derive(Default)]
struct Plan {
    gone: Vec<Place>,
    /// How many of those were in sight.
    gone_shown: u64,
    hidden: Vec<Place>,
}

fn place(raw: &Raw) -> Place {
    (raw.namespace.clone(), raw.record.checkpoint.id.clone())
}
