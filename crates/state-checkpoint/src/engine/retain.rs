//! Planning what a retention or the end of runs removes, without keeping the records that are read.
//!
//! A first reading tells what survives, and which channels of that have no value. Only where
//! there are such, a second one tells who is the parent of whom, and where those channels were
//! written to or have a value.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use state_core::checkpoint::{CheckpointNamespace, Retention, ThreadId};
use state_core::{Result, Timestamp};

use super::Checkpoints;
use super::get::Raw;
use super::offered::unknown_retention;
use super::pages::{Pages, Turn};
use super::prune::{Left, Plan, Tally, place, twins};
use super::rebuilt::{Place, Tree, VALUE, WRITTEN};
use crate::pending::WriteStub;
use crate::record::{Record, ValueRef};
use crate::store::{Found, Life, ThreadStore};

/// What decides which records in sight survive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish<'a> {
    /// Those that a retention keeps.
    Retain(Retention),
    /// Those that are of none of these runs.
    WithoutRuns(&'a HashSet<&'a str>),
}

impl Wish<'_> {
    /// Whether a record survives; `before` newer ones are in its namespace.
    fn keeps(self, record: &Record, before: usize, now: Timestamp) -> Result<bool> {
        Ok(match self {
            Self::WithoutRuns(runs) => {
                !record.metadata.run_id().is_some_and(|run| runs.contains(run))
            }
            Self::Retain(Retention::KeepLatest) => before == 0,
            Self::Retain(Retention::KeepLast(count)) => before < count,
            Self::Retain(Retention::MaxAge(age)) => {
                before == 0 || now.saturating_since(record.checkpoint.time) <= age
            }
            Self::Retain(Retention::Delete) => false,
            Self::Retain(_) => return Err(unknown_retention()),
        })
    }
}

/// What the first reading tells.
#[derive(Debug, Default)]
struct Sight {
    /// Each with whether it survives.
    shown: Vec<(Place, bool)>,
    hidden: Vec<Place>,
    /// Channels without a value of records that survive, by the places of these in `shown`.
    open: Vec<(usize, u32)>,
    /// The numbers of those channels.
    channels: HashMap<Arc<str>, u32>,
    /// Namespaces, each once, and how many records of each were seen.
    namespaces: HashMap<CheckpointNamespace, usize>,
}

impl<S: ThreadStore> Checkpoints<S> {
    /// What goes and what is hidden; `None` when the thread has another life now.
    pub(super) async fn plan(
        &self,
        thread: &ThreadId,
        wish: Wish<'_>,
        tally: &mut Tally,
    ) -> Result<Option<Plan>> {
        let mut left = Left::default();
        let mut pages = Pages::new(self, thread, false);
        let Some(sight) = self.survey(thread, wish, &mut pages, tally, &mut left).await? else {
            return Ok(None);
        };
        tally.settle(&left);
        let Some((life, _)) = pages.seen() else { return Ok(Some(Plan::default())) };
        let mut plan = Plan { life: Some(life), empty: sight.shown.is_empty(), ..Plan::default() };
        let mut tree = Tree::default();
        if !sight.open.is_empty() && !self.read_tree(thread, life, &sight, &mut tree).await? {
            return Ok(None);
        }
        let mut open: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (at, channel) in &sight.open {
            if let Some((place, _)) = sight.shown.get(*at) {
                open.entry(*channel).or_default().push(tree.number(place));
            }
        }
        let needed = tree.needed(&open);
        let twins = twins(sight.shown.iter().map(|(place, _)| place), &sight.hidden);
        for (place, stays) in sight.shown {
            if stays {
                continue;
            }
            if needed.has(&place) { plan.hidden.push(place) } else { plan.gone.push(place) }
        }
        plan.gone_shown = plan.gone.len();
        for (place, twin) in sight.hidden.into_iter().zip(twins) {
            if !twin && !needed.has(&place) {
                plan.gone.push(place);
            }
        }
        Ok(Some(plan))
    }

    /// The first reading.
    async fn survey(
        &self,
        thread: &ThreadId,
        wish: Wish<'_>,
        pages: &mut Pages<'_, S>,
        tally: &Tally,
        left: &mut Left,
    ) -> Result<Option<Sight>> {
        let now = self.options.clock.wall();
        let mut sight = Sight::default();
        loop {
            let (records, hidden) = match pages.next().await? {
                Turn::Page { records, hidden } => (records, hidden),
                Turn::End => return Ok(Some(sight)),
                Turn::Changed => return Ok(None),
            };
            let Some((life, _)) = pages.seen() else { return Ok(None) };
            let mut survivors: Vec<(usize, Raw)> = Vec::new();
            for raw in records {
                let (place, before) = sight.meet(&raw, !hidden);
                tally.look(&place, hidden, left);
                if hidden {
                    sight.hidden.push(place);
                    continue;
                }
                // The newest come first in each namespace.
                let stays = wish.keeps(&raw.record, before, now)?;
                if stays {
                    survivors.push((sight.shown.len(), raw));
                }
                sight.shown.push((place, stays));
            }
            let (places, records): (Vec<usize>, Vec<Raw>) = survivors.into_iter().unzip();
            let Some(known) = self.places_of(thread, life, &records).await? else {
                return Ok(None);
            };
            for (at, raw) in places.into_iter().zip(&records) {
                let refs = self.resolve(thread, life, raw, true, &known).await?;
                let Some(refs) = refs else { return Ok(None) };
                for (channel, _, value) in refs {
                    if !matches!(value, ValueRef::Version(_)) {
                        let next = u32::try_from(sight.channels.len()).unwrap_or(u32::MAX);
                        let channel = *sight.channels.entry(channel).or_insert(next);
                        sight.open.push((at, channel));
                    }
                }
            }
        }
    }

    /// The second reading; `false` when the thread has another life now.
    async fn read_tree(
        &self,
        thread: &ThreadId,
        life: Life,
        sight: &Sight,
        tree: &mut Tree,
    ) -> Result<bool> {
        let mut pages = Pages::new(self, thread, true);
        loop {
            let records = match pages.next().await? {
                Turn::Page { records, .. } => records,
                Turn::End => return Ok(pages.seen().is_some_and(|(seen, _)| seen == life)),
                Turn::Changed => return Ok(false),
            };
            if pages.seen().is_none_or(|(seen, _)| seen != life) {
                return Ok(false);
            }
            let Some(known) = self.places_of(thread, life, &records).await? else {
                return Ok(false);
            };
            for raw in &records {
                let Some(notes) = self.notes(thread, life, raw, &sight.channels, &known).await?
                else {
                    return Ok(false);
                };
                let (namespace, id) = place(raw);
                let namespace = sight.namespaces.get_key_value(&namespace);
                let namespace =
                    namespace.map_or_else(|| raw.namespace.clone(), |(own, _)| own.clone());
                tree.add(&(namespace, id), raw.record.parent.as_ref(), &notes);
            }
        }
    }

    /// What is known of these channels at a record; `None` when the thread has another life now.
    async fn notes(
        &self,
        thread: &ThreadId,
        life: Life,
        raw: &Raw,
        channels: &HashMap<Arc<str>, u32>,
        known: &HashMap<u64, Found>,
    ) -> Result<Option<BTreeMap<u32, u32>>> {
        let mut notes: BTreeMap<u32, u32> = BTreeMap::new();
        for write in &raw.writes {
            let stub = WriteStub::decode(write)?;
            if let Some(channel) = channels.get(stub.channel()) {
                *notes.entry(*channel).or_default() |= WRITTEN;
            }
        }
        let refs = self.resolve(thread, life, raw, true, known).await?;
        let Some(refs) = refs else { return Ok(None) };
        for (channel, _, value) in refs {
            if matches!(value, ValueRef::Version(_))
                && let Some(channel) = channels.get(&channel)
            {
                *notes.entry(*channel).or_default() |= VALUE;
            }
        }
        Ok(Some(notes))
    }
}

impl Sight {
    /// The place of a record, and how many of its namespace came before it.
    fn meet(&mut self, raw: &Raw, counts: bool) -> (Place, usize) {
        let (namespace, id) = place(raw);
        let before = *self.namespaces.entry(namespace.clone()).or_default();
        let namespace = match self.namespaces.get_key_value(&namespace) {
            Some((own, _)) => own.clone(),
            None => namespace,
        };
        if counts && let Some(count) = self.namespaces.get_mut(&namespace) {
            *count += 1;
        }
        ((namespace, id), before)
    }
}
