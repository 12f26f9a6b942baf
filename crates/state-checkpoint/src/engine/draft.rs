//! Putting an append together: what changed from the parent, and the record.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use state_core::Result;
use state_core::checkpoint::{ChannelValue, Payload, PutCheckpoint};

use super::Checkpoints;
use super::cache::Version;
use crate::delta::diff;
use crate::descriptor::{Base, Descriptor, base_depth};
use crate::digest::{body_place, check_of, value_hash, version_place};
use crate::record::{BodyRef, Record, RefValues, ValueRef, digest_of};
use crate::script::Script;
use crate::segment::{SEGMENT_BYTES_MAX, TAIL_BYTES_MAX, seal_segment};
use crate::store::{Append, Content, Life, ThreadStore};

/// Shorter values are stored whole: there is little to share.
const WHOLE_BYTES_MAX: usize = 64;
/// Shorter bodies stand in the record.
const INLINE_BODY_BYTES_MAX: usize = 64;

/// The checkpoint that a new one continues from.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) life: Life,
    pub(super) record: Arc<Record>,
}

/// A new version: how it is made and what it is.
#[derive(Debug)]
pub(super) struct NewVersion {
    pub(super) descriptor: Descriptor,
    pub(super) payload: Payload,
    pub(super) place: u64,
}

/// An append, and what the cache keeps of it when it is done.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) append: Append,
    pub(super) record: Record,
    pub(super) versions: Vec<NewVersion>,
}

/// A value that is put.
#[derive(Clone, Copy, Debug)]
struct GivenValue<'a> {
    payload: &'a Payload,
    place: u64,
    hash: u64,
}

impl<'a> GivenValue<'a> {
    fn of(payload: &'a Payload, place: u64) -> Self {
        Self { payload, place, hash: value_hash(place, payload.kind(), payload.bytes()) }
    }

    /// What stands for it where it is asked whether two puts are the same, however it is stored.
    const fn as_given(&self) -> ValueRef {
        ValueRef::New(self.hash >> 2)
    }
}

/// What stands for the values of a put: for each its hash.
#[derive(Debug)]
struct GivenValues {
    refs: BTreeMap<Arc<str>, ValueRef>,
    body: BodyRef,
}

impl Default for GivenValues {
    fn default() -> Self {
        Self { refs: BTreeMap::new(), body: BodyRef::None }
    }
}

/// What is put together so far.
#[derive(Default)]
struct Parts {
    fresh: Vec<u8>,
    encoded: Vec<(Option<u64>, Bytes)>,
    versions: Vec<NewVersion>,
    empty: Vec<u64>,
}

impl<S: ThreadStore> Checkpoints<S> {
    /// The append of `put`; `None` when the parent's thread has another life now.
    pub(super) async fn draft(
        &self,
        put: &PutCheckpoint,
        parent: Option<&Parent>,
    ) -> Result<Option<Draft>> {
        let mut parts = Parts::default();
        let mut refs = BTreeMap::new();
        let mut given = GivenValues::default();
        for (channel, version) in &put.checkpoint.channel_versions {
            let place = version_place(&put.namespace, channel, version);
            let old = parent.and_then(|parent| parent.record.refs.get(channel)).copied();
            let value = match put.values.get(channel) {
                Some(ChannelValue::Empty) => {
                    parts.empty.push(place);
                    given.refs.insert(Arc::clone(channel), ValueRef::Empty);
                    ValueRef::Empty
                }
                Some(ChannelValue::Stored(payload)) => {
                    let value = GivenValue::of(payload, place);
                    given.refs.insert(Arc::clone(channel), value.as_given());
                    let base = old.zip(parent);
                    let Some(added) = self.add(put, &mut parts, value, true, base).await? else {
                        return Ok(None);
                    };
                    added
                }
                None => unchanged(put, parent, channel),
            };
            refs.insert(Arc::clone(channel), value);
        }
        let value = put.checkpoint.body.as_ref().map(|body| {
            let value = GivenValue::of(body, body_place(&put.namespace, &put.checkpoint.id));
            given.body = BodyRef::Stored(value.as_given());
            value
        });
        let body = match value {
            None => BodyRef::None,
            Some(GivenValue { payload: body, .. })
                if body.bytes().len() <= INLINE_BODY_BYTES_MAX =>
            {
                BodyRef::Inline(body.clone())
            }
            Some(value) => {
                let base = parent.and_then(|parent| match parent.record.body {
                    BodyRef::Stored(value) => Some((value, parent)),
                    BodyRef::None | BodyRef::Inline(_) => None,
                });
                match self.add(put, &mut parts, value, false, base).await? {
                    Some(added) => BodyRef::Stored(added),
                    None => return Ok(None),
                }
            }
        };
        let record = record_of(put, refs, body);
        let append = self.append_of(put, parent, &record, &given, &mut parts)?;
        Ok(Some(Draft { append, record, versions: parts.versions }))
    }

    /// Adds a version, made from an older one where that saves something.
    async fn add(
        &self,
        put: &PutCheckpoint,
        parts: &mut Parts,
        value: GivenValue<'_>,
        indexed: bool,
        base: Option<(ValueRef, &Parent)>,
    ) -> Result<Option<ValueRef>> {
        let GivenValue { payload, place, hash } = value;
        let mut made = None;
        if payload.bytes().len() > WHOLE_BYTES_MAX
            && let Some((ValueRef::Version(old), parent)) = base
        {
            let shared = self.share(put, parts, payload, old, parent.life).await?;
            let Some(shared) = shared else { return Ok(None) };
            made = shared;
        }
        let (script, base) = made.unwrap_or_else(|| {
            let mut script = Script::default();
            script.push_text(payload.bytes(), &mut parts.fresh);
            (script, None)
        });
        let check = check_of(hash);
        let descriptor = Descriptor { kind: Arc::from(payload.kind()), check, base, script };
        let number = parts.versions.len() as u64;
        let encoded = descriptor.encode(&mut parts.fresh);
        parts.encoded.push((indexed.then_some(place), encoded));
        parts.versions.push(NewVersion { descriptor, payload: payload.clone(), place });
        Ok(Some(ValueRef::New(number)))
    }

    /// The script that makes `payload` from an ancestor of the version `old`, where it is worth
    /// it. The outer `None`: the thread has another life now.
    async fn share(
        &self,
        put: &PutCheckpoint,
        parts: &mut Parts,
        payload: &Payload,
        old: u64,
        life: Life,
    ) -> Result<Option<Option<(Script, Option<Base>)>>> {
        let read = self.values(&put.thread, life, &[(old, None)]).await?;
        let Some(before) = read.and_then(|mut read| read.remove(&old)) else { return Ok(None) };
        let known = parts.fresh.len();
        let script = diff(before.bytes(), payload.bytes(), &mut parts.fresh);
        if script.copied() * 2 < script.len() {
            parts.fresh.truncate(known);
            return Ok(Some(None));
        }
        let Some(found) = self.descriptors(&put.thread, life, &[old], true).await? else {
            return Ok(None);
        };
        let depth = found.get(&old).map_or(0, |version| version.descriptor.depth()) + 1;
        let (script, version) = compose(&found, old, base_depth(depth), script);
        if script.encode().len() * 2 > payload.bytes().len() {
            parts.fresh.truncate(known);
            return Ok(Some(None));
        }
        Ok(Some(Some((script, Some(Base { version, depth })))))
    }

    fn append_of(
        &self,
        put: &PutCheckpoint,
        parent: Option<&Parent>,
        record: &Record,
        given: &GivenValues,
        parts: &mut Parts,
    ) -> Result<Append> {
        let values = RefValues { refs: &given.refs, body: &given.body };
        let digest = digest_of(record, &values, &put.thread, &put.namespace);
        let compression = &self.options.compression;
        let raw = Bytes::from(std::mem::take(&mut parts.fresh));
        let run = put
            .metadata
            .run_id()
            .filter(|run| !run.is_empty() && run.len() <= self.limits.id_bytes_max);
        Ok(Append {
            reference: put.reference(),
            parent: put.parent.clone(),
            digest,
            record: record.encode(&put.thread, &put.namespace, digest, compression)?,
            versions: std::mem::take(&mut parts.encoded),
            empty: std::mem::take(&mut parts.empty),
            content: self.content(raw)?,
            basis: parent.map(|parent| parent.life),
            run: run.map(Arc::from),
            ownership: put.ownership.clone(),
            lifetime: put.lifetime,
            recreate: put.recreate,
            acks: put.acks,
        })
    }

    /// Content as it is added to the log.
    pub(super) fn content(&self, raw: Bytes) -> Result<Content> {
        let mut frames = Vec::new();
        if raw.len() > TAIL_BYTES_MAX {
            for piece in raw.chunks(SEGMENT_BYTES_MAX) {
                frames.push(seal_segment(piece, &self.options.compression)?);
            }
        }
        Ok(Content { raw, frames })
    }
}

/// What a channel stands for whose value is not given.
fn unchanged(put: &PutCheckpoint, parent: Option<&Parent>, channel: &str) -> ValueRef {
    let version = put.checkpoint.channel_versions.get(channel);
    let Some(parent) = parent else { return ValueRef::ByPlace };
    if parent.record.checkpoint.channel_versions.get(channel) != version {
        return ValueRef::ByPlace;
    }
    parent.record.refs.get(channel).copied().unwrap_or(ValueRef::ByPlace)
}

/// The script from the ancestor of `old` at depth `target`, through `old`, to what `last` makes
/// of it; and that ancestor.
fn compose(found: &HashMap<u64, Version>, old: u64, target: u64, last: Script) -> (Script, u64) {
    let mut steps = Vec::new();
    let mut at = old;
    while let Some(version) = found.get(&at)
        && version.descriptor.depth() > target
        && let Some(base) = version.descriptor.base
    {
        steps.push(&version.descriptor.script);
        at = base.version;
    }
    let composed = steps.into_iter().rev().cloned().reduce(|done, next| done.then(&next));
    match composed {
        Some(composed) => (composed.then(&last), at),
        None => (last, at),
    }
}

fn record_of(put: &PutCheckpoint, refs: BTreeMap<Arc<str>, ValueRef>, body: BodyRef) -> Record {
    let mut checkpoint = put.checkpoint.clone();
    checkpoint.body = None;
    let (metadata, parent) = (put.metadata.clone(), put.parent.clone());
    Record { checkpoint, metadata, parent, refs, body }
}
