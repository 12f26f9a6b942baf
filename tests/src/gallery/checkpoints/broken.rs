//! What several mutants of checkpointers need.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::checkpoint::{
    ChannelValue, ChannelVersion, CheckpointId, CheckpointRef, CheckpointTuple, Checkpointer,
    PutCheckpoint,
};
use state_core::{Error, Result};

use super::hooks::Hooks;
use super::model::{Line, Record};
use super::store::Model;

/// A call that is refused although it is good.
pub(super) fn refused<T>() -> Result<T> {
    Err(Error::invalid("a mutant refuses what is good"))
}

/// The namespace of a thread that a checkpoint is in.
pub(super) fn line<T>(
    model: &Model,
    place: &CheckpointRef,
    work: impl FnOnce(&mut Line) -> T,
) -> Option<T> {
    model.with(|world, _| {
        let thread = world.threads.get_mut(&place.thread)?;
        thread.lines.get_mut(&place.namespace).map(work)
    })
}

/// A checkpoint that is there.
pub(super) fn record<T>(
    model: &Model,
    place: &CheckpointRef,
    work: impl FnOnce(&mut Record) -> T,
) -> Option<T> {
    line(model, place, |line| line.shown.get_mut(&place.id).map(work)).flatten()
}

/// Whether a checkpoint is there.
pub(super) fn is_there(model: &Model, place: &CheckpointRef) -> bool {
    record(model, place, |_| ()).is_some()
}

/// The latest checkpoint of the namespace of `place`.
pub(super) fn latest(model: &Model, place: &CheckpointRef) -> Option<CheckpointId> {
    line(model, place, |line| line.shown.keys().next_back().cloned()).flatten()
}

/// Lets others do something in the middle of a call.
pub(super) async fn pause() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Changes the new values of a put.
pub(super) fn each_value(put: &mut PutCheckpoint, change: impl Fn(&mut ChannelValue)) {
    put.values.values_mut().for_each(change);
}

/// Keeps values beside the checkpoints, under a key that does not tell all of them apart.
pub(super) fn values_by(key: fn(&CheckpointRef, &str, &ChannelVersion) -> String) -> Hooks {
    let kept: Arc<Mutex<BTreeMap<String, ChannelValue>>> = Arc::default();
    let (putting, reading, listing) = (Arc::clone(&kept), Arc::clone(&kept), kept);
    let show = move |kept: &Mutex<BTreeMap<String, ChannelValue>>, tuple: &mut CheckpointTuple| {
        let kept = kept.lock();
        for (channel, version) in &tuple.checkpoint.channel_versions {
            if let Some(value) = kept.get(&key(&tuple.reference, channel, version)) {
                tuple.values.insert(Arc::clone(channel), value.clone());
            }
        }
    };
    Hooks::default()
        .on_put(move |model, put| {
            let kept = Arc::clone(&putting);
            async move {
                for (channel, value) in &put.values {
                    if let Some(version) = put.checkpoint.channel_versions.get(channel) {
                        let key = key(&put.reference(), channel, version);
                        kept.lock().insert(key, value.clone());
                    }
                }
                model.put_checkpoint(put).await
            }
        })
        .on_get(move |model, get| {
            let kept = Arc::clone(&reading);
            async move {
                let mut found = model.get_checkpoint(get).await?;
                if let Some(tuple) = &mut found {
                    show(&kept, tuple);
                }
                Ok(found)
            }
        })
        .listed(move |_, tuples| tuples.iter_mut().for_each(|tuple| show(&listing, tuple)))
}
