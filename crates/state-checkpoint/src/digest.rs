//! Hashes: where something belongs, whether it is whole, whether two puts are the same.

use state_core::checkpoint::{ChannelVersion, CheckpointId, CheckpointNamespace, ThreadId};
use twox_hash::XxHash3_64;

use crate::wire::Writer;

/// XXH3 with 64 bits.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// The place of a channel version inside its thread.
pub(crate) fn version_place(
    namespace: &CheckpointNamespace,
    channel: &str,
    version: &ChannelVersion,
) -> u64 {
    let mut place = Writer::default();
    place.text(namespace.as_str());
    place.text(channel);
    write_version(&mut place, version);
    hash(1, place.as_slice())
}

/// The place of a checkpoint among those of all threads.
pub(crate) fn record_place(
    thread: &ThreadId,
    namespace: &CheckpointNamespace,
    id: &CheckpointId,
) -> u64 {
    let mut place = Writer::default();
    place.text(thread.as_str());
    place.text(namespace.as_str());
    place.text(id.as_str());
    hash(2, place.as_slice())
}

/// The place of the body of a checkpoint inside its thread.
pub(crate) fn body_place(namespace: &CheckpointNamespace, id: &CheckpointId) -> u64 {
    let mut place = Writer::default();
    place.text(namespace.as_str());
    place.text(id.as_str());
    hash(3, place.as_slice())
}

/// The hash of a value in its place.
pub(crate) fn value_hash(place: u64, kind: &str, bytes: &[u8]) -> u64 {
    hash(hash(place, kind.as_bytes()), bytes)
}

/// Whether a value is whole and in its place: 32 bits of its hash.
pub(crate) fn value_check(place: u64, kind: &str, bytes: &[u8]) -> u32 {
    check_of(value_hash(place, kind, bytes))
}

/// What is kept of the hash of a value beside it.
pub(crate) const fn check_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Appends a version so that no two are written alike.
pub(crate) fn write_version(writer: &mut Writer, version: &ChannelVersion) {
    match version {
        ChannelVersion::Int(number) => {
            writer.u8(1);
            writer.zigzag(*number);
        }
        ChannelVersion::Float(number) => {
            writer.u8(2);
            writer.u64(number.to_bits());
        }
        ChannelVersion::Text(text) => {
            writer.u8(3);
            writer.text(text);
        }
    }
}
