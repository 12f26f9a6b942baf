//! Reading a checkpoint, and building what users see from what is stored.

use std::collections::HashMap;
use std::sync::Arc;

use state_core::checkpoint::{
    ChannelValue, CheckpointNamespace, CheckpointRef, CheckpointTuple, GetCheckpoint, Payload,
    PendingWrite, ThreadId,
};
use state_core::{Error, Result};

use super::values::Needed;
use super::{Checkpoints, TRIES, too_busy};
use crate::digest::{body_place, version_place};
use crate::pending::{self, WriteStub};
use crate::record::{BodyRef, Record, ValueRef};
use crate::store::{Found, Life, Load, Loaded, StoredWrite, ThreadStore, Want};

/// A checkpoint whose values are still to be made.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) namespace: CheckpointNamespace,
    pub(super) record: Arc<Record>,
    pub(super) writes: Vec<StoredWrite>,
}

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn get(&self, get: &GetCheckpoint) -> Result<Option<CheckpointTuple>> {
        for _ in 0..TRIES {
            let Some(loaded) = self.load(get).await? else { return Ok(None) };
            let record = self.record_of(get, &loaded)?;
            if get.id.is_none() {
                self.cache.keep_latest(&get.thread, &get.namespace, &loaded.id);
            }
            let raw = Raw { namespace: get.namespace.clone(), record, writes: loaded.writes };
            // Two futures of moderate size cost less to allocate than a large one.
            let built = Box::pin(self.build(&get.thread, loaded.life, vec![raw], true)).await?;
            if let Some(tuple) = built.and_then(|mut tuples| tuples.pop()) {
                return Ok(Some(tuple));
            }
            self.cache.forget(&get.thread);
        }
        Err(too_busy())
    }

    async fn load(&self, get: &GetCheckpoint) -> Result<Option<Loaded>> {
        let expected = match &get.id {
            Some(id) => Some(id.clone()),
            None => self.cache.latest(&get.thread, &get.namespace),
        };
        let life = self.cache.life(&get.thread);
        let known = life.zip(expected.as_ref()).filter(|(life, id)| {
            let record = self.cache.record(*life, &get.namespace, id);
            record.is_some_and(|record| self.has_values_of(*life, &record))
        });
        let load = Load {
            thread: &get.thread,
            namespace: &get.namespace,
            id: get.id.as_ref(),
            hidden: false,
            writes: true,
            known,
            values: true,
            refresh: get.refresh.unwrap_or(self.options.refresh_on_read),
            consistency: get.consistency,
        };
        let loaded = self.store.load(load).await?;
        if let Some(answer) = &loaded {
            self.keep_sent(answer.life, &answer.values)?;
        }
        // What was at hand may have been dropped while the store was asked.
        if let Some(answer) = &loaded
            && answer.record.is_none()
            && self.cache.record(answer.life, &get.namespace, &answer.id).is_none()
        {
            return self.store.load(Load { known: None, ..load }).await;
        }
        Ok(loaded)
    }

    /// Whether the values that a record names are at hand. Where one is not, everything is sent.
    pub(super) fn has_values_of(&self, life: Life, record: &Record) -> bool {
        record.versions().all(|number| {
            let version = self.cache.version(life.generation, number);
            version.is_some_and(|version| version.payload.is_some())
        })
    }

    /// The record of a loaded checkpoint, from what was sent or what is at hand.
    pub(super) fn record_of(&self, get: &GetCheckpoint, loaded: &Loaded) -> Result<Arc<Record>> {
        let Some(part) = &loaded.record else {
            let known = self.cache.record(loaded.life, &get.namespace, &loaded.id);
            return known.ok_or_else(|| Error::corrupt("a checkpoint is missing"));
        };
        let record = Record::decode(part, &get.thread, &get.namespace, &loaded.id)?;
        let record = Arc::new(record);
        self.cache.keep_record(&get.thread, loaded.life, &get.namespace, &record);
        Ok(record)
    }

    /// What users see of checkpoints; `None` when the thread has another life now.
    pub(super) async fn build(
        &self,
        thread: &ThreadId,
        life: Life,
        raw: Vec<Raw>,
        values: bool,
    ) -> Result<Option<Vec<CheckpointTuple>>> {
        let mut wanted: Vec<(u64, Option<u64>)> = Vec::new();
        let mut resolved = Vec::with_capacity(raw.len());
        let Some(ahead) = self.read_ahead(thread, life, &raw, values).await? else {
            return Ok(None);
        };
        for raw in &raw {
            let refs = self.resolve(thread, life, raw, values, &ahead).await?;
            let Some(refs) = refs else { return Ok(None) };
            for (_, place, value) in &refs {
                if let ValueRef::Version(number) = value {
                    wanted.push((*number, Some(*place)));
                }
            }
            if let BodyRef::Stored(ValueRef::Version(number)) = raw.record.body {
                let place = body_place(&raw.namespace, &raw.record.checkpoint.id);
                wanted.push((number, Some(place)));
            }
            resolved.push(refs);
        }
        let Some(made) = self.values(thread, life, &wanted).await? else { return Ok(None) };
        let mut tuples = Vec::with_capacity(raw.len());
        for (raw, refs) in raw.into_iter().zip(resolved) {
            let pending = if values {
                let Some(pending) = self.writes(thread, life, &raw.writes).await? else {
                    return Ok(None);
                };
                pending
            } else {
                Vec::new()
            };
            tuples.push(tuple(thread, &raw, refs, &made, pending)?);
        }
        Ok(Some(tuples))
    }

    /// Has everything at hand, in one call, that checkpoints are built from; what is known of
    /// places comes back. `None` when the thread has another life now.
    pub(super) async fn read_ahead(
        &self,
        thread: &ThreadId,
        life: Life,
        raw: &[Raw],
        values: bool,
    ) -> Result<Option<HashMap<u64, Found>>> {
        let mut want = Want::default();
        // Without room for it, it would be read twice.
        if !values || self.options.cache_bytes_max == 0 {
            return Ok(Some(HashMap::new()));
        }
        let mut needed = Needed::default();
        for raw in raw {
            let record = &raw.record;
            for (channel, version) in &record.checkpoint.channel_versions {
                if record.refs.get(channel).is_none_or(|value| *value == ValueRef::ByPlace) {
                    want.places.push(version_place(&raw.namespace, channel, version));
                }
            }
            want.versions.extend(record.versions());
            for write in &raw.writes {
                let stub = WriteStub::decode(write)?;
                stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
            }
        }
        want.places.sort_unstable();
        want.places.dedup();
        want.versions.retain(|number| self.cache.version(life.generation, *number).is_none());
        want.versions.sort_unstable();
        want.versions.dedup();
        want.segments = self.not_at_hand(life, &needed);
        if want.places.is_empty() && want.versions.is_empty() && want.segments.is_empty() {
            return Ok(Some(HashMap::new()));
        }
        let Some(read) = self.store.values(thread, life, &want).await? else { return Ok(None) };
        self.keep_sent(life, &read)?;
        Ok(Some(want.places.into_iter().zip(read.found).collect()))
    }

    /// What each channel of a checkpoint stands for, with its place, where some places are known;
    /// `None` when the thread has another life now.
    pub(super) async fn resolve(
        &self,
        thread: &ThreadId,
        life: Life,
        raw: &Raw,
        values: bool,
        known: &HashMap<u64, Found>,
    ) -> Result<Option<Vec<(Arc<str>, u64, ValueRef)>>> {
        if !values {
            return Ok(Some(Vec::new()));
        }
        let record = &raw.record;
        let mut refs = Vec::with_capacity(record.refs.len());
        let mut want = Want::default();
        for (channel, version) in &record.checkpoint.channel_versions {
            let place = version_place(&raw.namespace, channel, version);
            let value = record.refs.get(channel).copied().unwrap_or(ValueRef::ByPlace);
            if value == ValueRef::ByPlace && !known.contains_key(&place) {
                want.places.push(place);
            }
            refs.push((Arc::clone(channel), place, value));
        }
        let mut read = HashMap::new();
        if !want.places.is_empty() {
            let Some(values) = self.store.values(thread, life, &want).await? else {
                return Ok(None);
            };
            read.extend(want.places.into_iter().zip(values.found));
        }
        for (_, place, value) in &mut refs {
            if *value == ValueRef::ByPlace {
                match known.get(place).or_else(|| read.get(place)) {
                    Some(Found::Version(number)) => *value = ValueRef::Version(*number),
                    Some(Found::Empty) => *value = ValueRef::Empty,
                    Some(Found::Absent) | None => {}
                }
            }
        }
        Ok(Some(refs))
    }

    /// Pending writes with their values, in order; `None` when the thread has another life now.
    pub(super) async fn writes(
        &self,
        thread: &ThreadId,
        life: Life,
        stored: &[StoredWrite],
    ) -> Result<Option<Vec<PendingWrite>>> {
        if stored.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let stubs: Vec<WriteStub> = stored.iter().map(WriteStub::decode).collect::<Result<_>>()?;
        let mut needed = Needed::default();
        for stub in &stubs {
            stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
        }
        let Some(segments) = self.segments(thread, life, &needed).await? else { return Ok(None) };
        let finished =
            stubs.into_iter().map(|stub| stub.finish(|at, len, into| segments.read(at, len, into)));
        let mut writes: Vec<PendingWrite> = finished.collect::<Result<_>>()?;
        pending::sort(&mut writes);
        Ok(Some(writes))
    }
}

fn tuple(
    thread: &ThreadId,
    raw: &Raw,
    refs: Vec<(Arc<str>, u64, ValueRef)>,
    made: &HashMap<u64, Payload>,
    pending: Vec<PendingWrite>,
) -> Result<CheckpointTuple> {
    let record = &raw.record;
    let value = |number: &u64| {
        made.get(number).cloned().ok_or_else(|| Error::corrupt("the value of a channel is missing"))
    };
    let mut checkpoint = record.checkpoint.clone();
    checkpoint.body = match &record.body {
        BodyRef::None => None,
        BodyRef::Inline(body) => Some(body.clone()),
        BodyRef::Stored(ValueRef::Version(number)) => Some(value(number)?),
        BodyRef::Stored(_) => return Err(Error::corrupt("the body of a checkpoint is missing")),
    };
    let reference = CheckpointRef::new(thread.clone(), checkpoint.id.clone())
        .with_namespace(raw.namespace.clone());
    let mut tuple = CheckpointTuple::new(reference, checkpoint, record.metadata.clone());
    tuple.parent.clone_from(&record.parent);
    for (channel, _, stands_for) in refs {
        let found = match stands_for {
            ValueRef::Version(number) => ChannelValue::Stored(value(&number)?),
            ValueRef::Empty => ChannelValue::Empty,
            ValueRef::ByPlace | ValueRef::New(_) => continue,
        };
        tuple.values.insert(channel, found);
    }
    tuple.pending_writes = pending;
    Ok(tuple)
}
