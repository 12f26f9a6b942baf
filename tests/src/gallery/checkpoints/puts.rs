//! Mutants that lose, mix up or overwrite what is put.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::checkpoint::{
    ChannelValue, ChannelVersion, CheckpointNamespace, Checkpointer, Metadata, MetadataValue,
    Payload, PutReceipt, Scalar,
};
use state_core::{Error, Timestamp};

use super::broken::{each_value, is_there, line, record, values_by};
use super::hooks::Hooks;
use crate::gallery::gallery;

gallery! { checkpointers
    /// The receipt of a put names the root namespace, whatever was named.
    "ckpt.put.receipt.root" rejected by ["ckpt.put.receipt"] => || {
        Hooks::default().on_put(|model, put| async move {
            let mut receipt = model.put_checkpoint(put).await?;
            receipt.reference.namespace = CheckpointNamespace::root();
            Ok(receipt)
        })
    };
    /// Values of channels are lost.
    "ckpt.put.values.lost" rejected by ["ckpt.put.roundtrip", "ckpt.diff"] => || {
        Hooks::default().telling(|tuple| tuple.values.clear())
    };
    /// Values come back as bytes of no kind.
    "ckpt.put.values.kindless" rejected by ["ckpt.put.values"] => || {
        Hooks::default().putting(|_, put| each_value(put, |value| {
            if let ChannelValue::Stored(payload) = value {
                *payload = Payload::new("bytes", payload.bytes().clone());
            }
        }))
    };
    /// Versions are kept only of channels that have a value.
    "ckpt.put.versions.without-value" rejected by ["ckpt.put.versions"] => || {
        Hooks::default().telling(|tuple| {
            let values = &tuple.values;
            tuple.checkpoint.channel_versions.retain(|channel, _| values.contains_key(channel));
        })
    };
    /// Nodes that have seen nothing are lost.
    "ckpt.put.seen.empty-nodes" rejected by ["ckpt.put.seen.nodes"] => || {
        Hooks::default().telling(|tuple| tuple.checkpoint.versions_seen.retain(|_, seen| !seen.is_empty()))
    };
    /// Of the versions that nodes have seen only the channels come back.
    "ckpt.put.seen.channels" rejected by ["ckpt.put.seen.versions"] => || {
        Hooks::default().telling(|tuple| {
            for seen in tuple.checkpoint.versions_seen.values_mut() {
                for version in seen.values_mut() {
                    *version = ChannelVersion::from(1);
                }
            }
        })
    };
    /// Custom metadata is lost.
    "ckpt.put.metadata.known" rejected by ["ckpt.put.metadata"] => || {
        Hooks::default().telling(|tuple| {
            let known = ["source", "step", "parents", "run_id"];
            let all = tuple.metadata.iter().filter(|(name, _)| known.contains(name));
            tuple.metadata = all.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        })
    };
    /// The run id is kept for deleting and not shown.
    "ckpt.put.metadata.no-run-id" rejected by ["ckpt.put.metadata.run-id"] => || {
        Hooks::default().telling(|tuple| {
            let all = tuple.metadata.iter().filter(|(name, _)| *name != "run_id");
            tuple.metadata = all.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        })
    };
    /// Numbers in metadata come back as floating-point numbers.
    "ckpt.put.metadata.floats" rejected by ["ckpt.put.metadata.kinds"] => || {
        Hooks::default().telling(|tuple| {
            tuple.metadata = tuple.metadata.iter().map(|(name, value)| match value {
                #[expect(clippy::cast_precision_loss, reason = "this is the defect")]
                MetadataValue::Scalar(Scalar::Int(int)) => (name.to_owned(), (*int as f64).into()),
                other => (name.to_owned(), other.clone()),
            }).collect();
        })
    };
    /// An empty list of updated channels comes back as none.
    "ckpt.put.fields.updates" rejected by ["ckpt.put.fields"] => || {
        Hooks::default().telling(|tuple| {
            tuple.checkpoint.updated_channels.take_if(|updated| updated.is_empty());
        })
    };
    /// The body of a checkpoint is lost.
    "ckpt.put.fields.body" rejected by ["ckpt.get.fields"] => || {
        Hooks::default().telling(|tuple| tuple.checkpoint.body = None)
    };
    /// The root namespace is written to under another name than it is read.
    "ckpt.put.namespace.root" rejected by ["ckpt.put.namespace.root", "ckpt.put.namespace.default"] => || {
        Hooks::default().putting(|_, put| {
            if put.namespace.is_root() {
                put.namespace = CheckpointNamespace::new("__root__");
            }
        })
    };
    /// Everything is put into the root namespace.
    "ckpt.put.namespace.ignored" rejected by ["ckpt.put.namespace.child"] => || {
        Hooks::default().putting(|_, put| put.namespace = CheckpointNamespace::root())
    };
    /// A thread keeps one checkpoint.
    "ckpt.put.one" rejected by ["ckpt.put.many", "ckpt.list.all", "ckpt.race.forks"] => || {
        Hooks::default().after_put(|model, put| {
            line(model, &put.reference(), |line| line.shown.retain(|id, _| *id == put.checkpoint.id));
        })
    };
    /// Values are kept by checkpoint, whichever the thread.
    "ckpt.put.threads.shared" rejected by ["ckpt.put.threads"] => || {
        values_by(|place, channel, _| format!("{:?} {channel:?}", place.id))
    };
    /// The parent of a checkpoint is lost.
    "ckpt.put.parent.lost" rejected by ["ckpt.put.parent"] => || {
        Hooks::default().telling(|tuple| tuple.parent = None)
    };
    /// A put whose parent does not exist is refused.
    "ckpt.put.parent.needed" rejected by ["ckpt.put.parent.absent"] => || {
        Hooks::default().on_put(|model, put| async move {
            let mut place = put.reference();
            if let Some(parent) = &put.parent {
                place.id.clone_from(parent);
                if !is_there(&model, &place) {
                    return Err(Error::conflict("there is no such parent"));
                }
            }
            model.put_checkpoint(put).await
        })
    };
    /// A checkpoint has the values that its put carried and no others.
    "ckpt.put.changed-only.forgets" rejected by ["ckpt.put.changed-only", "ckpt.put.new-channel"] => || {
        Hooks::default().after_put(|model, put| {
            record(model, &put.reference(), |record| record.values.clone_from(&put.values));
        })
    };
    /// A channel that a checkpoint does not name keeps the value that it had in the parent.
    "ckpt.put.removed-channel.stays" rejected by ["ckpt.put.removed-channel"] => || {
        Hooks::default().after_put(|model, put| {
            line(model, &put.reference(), |line| {
                let parent = put.parent.as_ref().and_then(|parent| line.any(parent));
                let before = parent.map(|parent| parent.values.clone()).unwrap_or_default();
                if let Some(record) = line.shown.get_mut(&put.checkpoint.id) {
                    for (channel, value) in before {
                        record.values.entry(channel).or_insert(value);
                    }
                }
            });
        })
    };
    /// Versions come back as texts.
    "ckpt.put.version-kinds.texts" rejected by ["ckpt.put.version-kinds"] => || {
        Hooks::default().telling(|tuple| {
            for version in tuple.checkpoint.channel_versions.values_mut() {
                *version = ChannelVersion::from(version.to_string());
            }
        })
    };
    /// Values are kept by the text of their version.
    "ckpt.put.version-kinds.alike" rejected by ["ckpt.put.version-kinds.apart"] => || {
        values_by(|place, channel, version| {
            format!("{:?} {:?} {channel:?} {version}", place.thread, place.namespace)
        })
    };
    /// Channels that did not change are taken from the parent, whatever version is named.
    "ckpt.put.older-version.of-parent" rejected by ["ckpt.put.older-version"] => || {
        Hooks::default().after_put(|model, put| {
            line(model, &put.reference(), |line| {
                let parent = put.parent.as_ref().and_then(|parent| line.any(parent));
                let mut values = parent.map(|parent| parent.values.clone()).unwrap_or_default();
                values.retain(|channel, _| put.checkpoint.channel_versions.contains_key(channel));
                values.extend(put.values.clone());
                if let Some(record) = line.shown.get_mut(&put.checkpoint.id) {
                    record.values = values;
                }
            });
        })
    };
    /// A channel whose version was never put comes back as empty.
    "ckpt.put.never-put.empty" rejected by ["ckpt.put.never-put"] => || {
        Hooks::default().telling(|tuple| {
            for channel in tuple.checkpoint.channel_versions.keys() {
                tuple.values.entry(Arc::clone(channel)).or_insert(ChannelValue::Empty);
            }
        })
    };
    /// An empty payload comes back as a version without a value.
    "ckpt.put.empty.payload" rejected by ["ckpt.put.empty"] => || {
        Hooks::default().putting(|_, put| each_value(put, |value| {
            if value.payload().is_some_and(|payload| payload.bytes().is_empty()) {
                *value = ChannelValue::Empty;
            }
        }))
    };
    /// Values are cut off at 64 KiB.
    "ckpt.put.large.cut" rejected by ["ckpt.put.large"] => || {
        Hooks::default().putting(|_, put| each_value(put, |value| {
            if let ChannelValue::Stored(payload) = value {
                let bytes = payload.bytes().slice(..payload.bytes().len().min(64 << 10));
                *payload = Payload::new(payload.kind(), bytes);
            }
        }))
    };
    /// A value that is shorter than that of the parent is taken for no change.
    "ckpt.put.growing.never-shrinks" rejected by ["ckpt.put.growing"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let mut place = put.reference();
            if let Some(parent) = &put.parent {
                place.id.clone_from(parent);
                let before = record(&model, &place, |record| record.values.clone());
                for (channel, before) in before.unwrap_or_default() {
                    let length = |value: &ChannelValue| value.payload().map(Payload::len_bytes);
                    if let Some(value) = put.values.get_mut(&channel)
                        && length(value) < length(&before)
                    {
                        *value = before;
                    }
                }
            }
            model.put_checkpoint(put).await
        })
    };
    /// The latest checkpoint is the last one written.
    "ckpt.put.out-of-order.last-written" rejected by ["ckpt.put.out-of-order"] => || {
        let last = Arc::new(Mutex::new(BTreeMap::new()));
        let writing = Arc::clone(&last);
        Hooks::default()
            .on_put(move |model, put| {
                let place = put.reference();
                writing.lock().insert((place.thread.clone(), place.namespace), place.id);
                async move { model.put_checkpoint(put).await }
            })
            .on_get(move |model, mut get| {
                let last = last.lock().get(&(get.thread.clone(), get.namespace.clone())).cloned();
                get.id = get.id.or(last);
                async move { model.get_checkpoint(get).await }
            })
    };
    /// A put that is sent again is refused.
    "ckpt.put.again.refused" rejected by ["ckpt.put.again", "ckpt.race.same-put"] => || {
        Hooks::default().on_put(|model, put| async move {
            let receipt = model.put_checkpoint(put).await?;
            if receipt.existed { Err(Error::conflict("it is there")) } else { Ok(receipt) }
        })
    };
    /// A put overwrites what has its id.
    "ckpt.put.again.overwrites" rejected by ["ckpt.put.again.other", "ckpt.race.other-put"] => || {
        Hooks::default().on_put(|model, put| async move {
            line(&model, &put.reference(), |line| line.shown.remove(&put.checkpoint.id));
            model.put_checkpoint(put).await
        })
    };
    /// A put whose values differ from those that are there is taken for the same.
    "ckpt.put.again.values-unseen" rejected by ["ckpt.put.again.other-value"] => || {
        Hooks::default().on_put(|model, put| async move {
            let same = record(&model, &put.reference(), |there| {
                there.checkpoint == put.checkpoint && there.metadata == put.metadata && there.parent == put.parent
            });
            if same == Some(true) {
                return Ok(PutReceipt::new(put.reference(), true));
            }
            model.put_checkpoint(put).await
        })
    };
    /// The time of a checkpoint is that of its put.
    "ckpt.put.fields.time" rejected by ["ckpt.put.fields", "ckpt.prune.age"] => || {
        Hooks::default().putting(|model, put| {
            let now = model.with(|_, now| now);
            put.checkpoint.time = Timestamp::from_unix_ms(now.unix_ms());
        })
    };
    /// Metadata is lost where one checkpoint is read.
    "ckpt.get.metadata.lost" rejected by ["ckpt.get.metadata"] => || {
        Hooks::default().on_get(|model, get| async move {
            let mut found = model.get_checkpoint(get).await?;
            if let Some(tuple) = &mut found {
                tuple.metadata = Metadata::new();
            }
            Ok(found)
        })
    };
}
