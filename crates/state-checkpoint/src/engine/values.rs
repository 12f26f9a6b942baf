//! Making values from what is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use state_core::checkpoint::{CheckpointLimits, Payload, ThreadId};
use state_core::{Error, Result};

use super::Checkpoints;
use super::cache::Version;
use crate::descriptor::{Descriptor, Stub};
use crate::digest::value_check;
use crate::script::{Address, Op};
use crate::segment::open_segment;
use crate::store::{Life, ThreadStore, Values, Want};

/// A store that says less may have said more before.
const PAYLOAD_BYTES_MAX: usize = CheckpointLimits::DEFAULT.payload_bytes_max;
/// Longer chains cannot be: each step clears a bit of the depth.
const CHAIN_MAX: usize = 64;

/// Raw segments by number.
#[derive(Debug, Default)]
pub(super) struct Segments(HashMap<u64, Bytes>);

impl Segments {
    /// Appends `len` bytes at `at`.
    ///
    /// # Errors
    /// `Corrupt` where they are not there.
    pub(super) fn read(&self, at: Address, len: u64, into: &mut Vec<u8>) -> Result<()> {
        let range = usize::try_from(at.offset)
            .ok()
            .zip(at.offset.checked_add(len).and_then(|end| usize::try_from(end).ok()));
        let found = range.and_then(|(from, end)| self.0.get(&at.segment)?.get(from..end));
        into.extend_from_slice(found.ok_or_else(missing)?);
        Ok(())
    }
}

fn missing() -> Error {
    Error::corrupt("content of a thread is missing")
}

/// Pieces of content that are needed, by segment: how far.
#[derive(Debug, Default)]
pub(super) struct Needed(BTreeMap<u64, u64>);

impl Needed {
    pub(super) fn add(&mut self, at: Address, len: u64) {
        let end = self.0.entry(at.segment).or_default();
        *end = (*end).max(at.offset.saturating_add(len));
    }

    pub(super) fn add_script(&mut self, descriptor: &Descriptor) {
        for op in descriptor.script.ops() {
            if let Op::Stored { at, len } = op {
                self.add(*at, *len);
            }
        }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.keys().copied()
    }
}

impl<S: ThreadStore> Checkpoints<S> {
    /// Reads segments; `None` when the thread has another life now.
    pub(super) async fn segments(
        &self,
        thread: &ThreadId,
        life: Life,
        needed: &Needed,
    ) -> Result<Option<Segments>> {
        let mut segments = Segments::default();
        let mut want = Want::default();
        for (number, end) in &needed.0 {
            match self.cache.segment(life.generation, *number) {
                // The last segment may have grown since.
                Some(bytes) if bytes.len() as u64 >= *end => {
                    segments.0.insert(*number, bytes);
                }
                _ => want.segments.push(*number),
            }
        }
        if want.segments.is_empty() {
            return Ok(Some(segments));
        }
        let Some(values) = self.store.values(thread, life, &want).await? else { return Ok(None) };
        for (number, frame) in values.segments {
            let bytes = open_segment(&frame)?;
            self.cache.keep_segment(life.generation, number, bytes.clone());
            segments.0.insert(number, bytes);
        }
        Ok(Some(segments))
    }

    /// The segments that are not at hand.
    pub(super) fn not_at_hand(&self, life: Life, needed: &Needed) -> Vec<u64> {
        let lacks = |(number, end): (&u64, &u64)| {
            let segment = self.cache.segment(life.generation, *number);
            segment.is_none_or(|bytes| (bytes.len() as u64) < *end).then_some(*number)
        };
        needed.0.iter().filter_map(lacks).collect()
    }

    fn keep_segments(&self, life: Life, segments: &[(u64, Bytes)]) -> Result<()> {
        for (number, frame) in segments {
            self.cache.keep_segment(life.generation, *number, open_segment(frame)?);
        }
        Ok(())
    }

    /// Keeps what a store has sent along at hand.
    pub(super) fn keep_sent(&self, life: Life, values: &Values) -> Result<()> {
        self.keep_segments(life, &values.segments)?;
        for (number, part) in &values.versions {
            if part.body.is_empty() || self.cache.version(life.generation, *number).is_some() {
                continue;
            }
            let stub = Stub::decode(part)?;
            let mut needed = Needed::default();
            stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
            let mut segments = Segments::default();
            for segment in needed.segments() {
                if let Some(bytes) = self.cache.segment(life.generation, segment) {
                    segments.0.insert(segment, bytes);
                }
            }
            // A script that has not been sent is read when it is needed.
            if let Ok(descriptor) = stub.finish(|at, len, into| segments.read(at, len, into)) {
                let descriptor = Arc::new(descriptor);
                let version = Version { descriptor, payload: None, place: None };
                self.cache.keep_version(life.generation, *number, version);
            }
        }
        Ok(())
    }

    /// How versions are made, and what these are made from, until something is at hand: a value,
    /// or with `whole` nothing but the beginning of a chain. `None` when the thread has another
    /// life now.
    pub(super) async fn descriptors(
        &self,
        thread: &ThreadId,
        life: Life,
        numbers: &[u64],
        whole: bool,
    ) -> Result<Option<HashMap<u64, Version>>> {
        match self.descriptors_at_hand(life, numbers, whole) {
            Some(found) => Ok(Some(found)),
            // Most calls never get here, and need no room for it.
            None => Box::pin(self.read_descriptors(thread, life, numbers, whole)).await,
        }
    }

    fn descriptors_at_hand(
        &self,
        life: Life,
        numbers: &[u64],
        whole: bool,
    ) -> Option<HashMap<u64, Version>> {
        let mut found = HashMap::with_capacity(2 * numbers.len());
        for number in numbers {
            let mut next = Some(*number);
            while let Some(number) = next.filter(|number| !found.contains_key(number)) {
                let version = self.cache.version(life.generation, number)?;
                let base = version.descriptor.base.filter(|_| whole || version.payload.is_none());
                next = base.map(|base| base.version);
                found.insert(number, version);
            }
        }
        Some(found)
    }

    async fn read_descriptors(
        &self,
        thread: &ThreadId,
        life: Life,
        numbers: &[u64],
        whole: bool,
    ) -> Result<Option<HashMap<u64, Version>>> {
        let mut found: HashMap<u64, Version> = HashMap::new();
        let mut stubs: HashMap<u64, Stub> = HashMap::new();
        let mut next: BTreeSet<u64> = numbers.iter().copied().collect();
        while !next.is_empty() {
            let mut want = Want::default();
            let mut after = BTreeSet::new();
            for number in next {
                if found.contains_key(&number) || stubs.contains_key(&number) {
                    continue;
                }
                let Some(version) = self.cache.version(life.generation, number) else {
                    want.versions.push(number);
                    continue;
                };
                if let Some(base) = version.descriptor.base
                    && (whole || version.payload.is_none())
                {
                    after.insert(base.version);
                }
                found.insert(number, version);
            }
            if !want.versions.is_empty() {
                let read = self.store.values(thread, life, &want).await?;
                let Some(read) = read else { return Ok(None) };
                self.keep_segments(life, &read.segments)?;
                for (number, part) in read.versions {
                    // The store may send more than was asked for, and some of it is at hand.
                    let asked = want.versions.contains(&number);
                    if !asked && (found.contains_key(&number) || part.body.is_empty()) {
                        continue;
                    }
                    if !asked && self.cache.version(life.generation, number).is_some() {
                        continue;
                    }
                    let stub = Stub::decode(&part)?;
                    after.extend(stub.base().map(|base| base.version));
                    stubs.insert(number, stub);
                }
                if want.versions.iter().any(|number| !stubs.contains_key(number)) {
                    return Err(missing());
                }
            }
            next = after;
        }
        let mut needed = Needed::default();
        for stub in stubs.values() {
            stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
        }
        let segments = self.segments(thread, life, &needed).await?;
        let Some(segments) = segments else { return Ok(None) };
        for (number, stub) in stubs {
            let descriptor = stub.finish(|at, len, into| segments.read(at, len, into))?;
            let descriptor = Arc::new(descriptor);
            let version = Version { descriptor, payload: None, place: None };
            self.cache.keep_version(life.generation, number, version.clone());
            found.insert(number, version);
        }
        Ok(Some(found))
    }

    /// Where the scripts lie that are too long for their descriptors; `None` when the thread has
    /// another life now.
    pub(super) async fn outside_scripts(
        &self,
        thread: &ThreadId,
        life: Life,
        numbers: &HashSet<u64>,
    ) -> Result<Option<Needed>> {
        let mut needed = Needed::default();
        let versions: Vec<u64> = numbers.iter().copied().collect();
        for versions in versions.chunks(1_000) {
            let want = Want { versions: versions.to_vec(), ..Want::default() };
            let Some(read) = self.store.values(thread, life, &want).await? else {
                return Ok(None);
            };
            for (_, part) in read.versions {
                let stub = Stub::decode(&part)?;
                stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
            }
        }
        Ok(Some(needed))
    }

    /// Makes the values of versions, each for its place if that is given; `None` when the thread
    /// has another life now.
    ///
    /// # Errors
    /// `Corrupt` where a value is not what was put, or not in its place.
    pub(super) async fn values(
        &self,
        thread: &ThreadId,
        life: Life,
        wanted: &[(u64, Option<u64>)],
    ) -> Result<Option<HashMap<u64, Payload>>> {
        match self.values_at_hand(life, wanted) {
            Some(values) => Ok(Some(values)),
            // Most calls never get here, and need no room for it.
            None => Box::pin(self.make_values(thread, life, wanted)).await,
        }
    }

    /// Values that were made and checked before.
    fn values_at_hand(
        &self,
        life: Life,
        wanted: &[(u64, Option<u64>)],
    ) -> Option<HashMap<u64, Payload>> {
        let made = wanted.iter().map(|(number, place)| {
            let version = self.cache.version(life.generation, *number)?;
            let checked = place.is_none() || version.place == *place;
            Some((*number, version.payload.filter(|_| checked)?))
        });
        made.collect()
    }

    async fn make_values(
        &self,
        thread: &ThreadId,
        life: Life,
        wanted: &[(u64, Option<u64>)],
    ) -> Result<Option<HashMap<u64, Payload>>> {
        let bytes_max = self.limits.payload_bytes_max.max(PAYLOAD_BYTES_MAX) as u64;
        let numbers: Vec<u64> = wanted.iter().map(|(number, _)| *number).collect();
        let Some(mut found) = self.descriptors(thread, life, &numbers, false).await? else {
            return Ok(None);
        };
        let mut needed = Needed::default();
        let mut chains = Vec::with_capacity(wanted.len());
        let mut uses: HashMap<u64, usize> = HashMap::new();
        for number in &numbers {
            let chain = chain_of(&found, *number)?;
            for link in &chain {
                if let Some(version) = found.get(link).filter(|found| found.payload.is_none()) {
                    needed.add_script(&version.descriptor);
                }
            }
            for link in chain.iter().skip(1) {
                *uses.entry(*link).or_default() += 1;
            }
            chains.push(chain);
        }
        // What is asked for stays, whatever is made from it.
        for number in &numbers {
            if let Some(uses) = uses.get_mut(number) {
                *uses += 1;
            }
        }
        let Some(segments) = self.segments(thread, life, &needed).await? else { return Ok(None) };
        let mut made = HashMap::with_capacity(wanted.len());
        for ((number, place), chain) in wanted.iter().zip(chains) {
            let payload = make(&mut found, &mut uses, &chain, &segments, bytes_max)?;
            let version = found.get_mut(number).ok_or_else(missing)?;
            if let Some(place) = *place
                && version.place != Some(place)
            {
                let check = value_check(place, payload.kind(), payload.bytes());
                if check != version.descriptor.check {
                    return Err(Error::corrupt("the value of a channel is damaged"));
                }
                version.place = Some(place);
                self.cache.keep_version(life.generation, *number, version.clone());
            }
            made.insert(*number, payload);
        }
        Ok(Some(made))
    }
}

/// A version, what it is made from, and so on until a value is at hand.
fn chain_of(found: &HashMap<u64, Version>, number: u64) -> Result<Vec<u64>> {
    let mut chain = vec![number];
    let mut link = number;
    while let Some(version) = found.get(&link) {
        let Some(base) = version.descriptor.base.filter(|_| version.payload.is_none()) else {
            return Ok(chain);
        };
        if chain.len() > CHAIN_MAX {
            break;
        }
        chain.push(base.version);
        link = base.version;
    }
    Err(missing())
}

/// Makes the value of the first link from the last. One in between goes with its last use.
fn make(
    found: &mut HashMap<u64, Version>,
    uses: &mut HashMap<u64, usize>,
    chain: &[u64],
    segments: &Segments,
    bytes_max: u64,
) -> Result<Payload> {
    let mut base: Option<Payload> = None;
    let mut below = None;
    for link in chain.iter().rev() {
        let version = found.get_mut(link).ok_or_else(missing)?;
        if version.payload.is_none() {
            let descriptor = &version.descriptor;
            if descriptor.script.len() > bytes_max {
                return Err(Error::corrupt("a value claims to be too long"));
            }
            let from = base.as_ref().map_or(b"".as_slice(), |base| base.bytes());
            let read = |at, len, into: &mut Vec<u8>| segments.read(at, len, into);
            let bytes = descriptor.script.apply(from, read)?;
            version.payload = Some(Payload::new(&descriptor.kind, bytes));
        }
        base.clone_from(&version.payload);
        if let Some(below) = below.replace(*link)
            && let Some(left) = uses.get_mut(&below)
        {
            *left = left.saturating_sub(1);
            if *left == 0
                && let Some(version) = found.get_mut(&below)
            {
                version.payload = None;
            }
        }
    }
    base.ok_or_else(missing)
}
