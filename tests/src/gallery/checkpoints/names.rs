//! Mutants that bend bad input, and take different names for one.

use std::sync::Arc;

use state_core::checkpoint::{
    ChannelValue, CheckpointLimits, CheckpointNamespace, Checkpointer, Metadata, Payload, ThreadId,
};
use state_core::{Error, ErrorKind};

use super::broken::{record, values_by};
use super::hooks::Hooks;
use super::store::LIMITS;
use crate::gallery::gallery;

/// The longest part of a name that is not over the limit.
fn cut(name: &str) -> String {
    name.chars().take(LIMITS.id_bytes_max).collect()
}

/// Puts, reads and lists threads under another name.
fn threads_as(name: fn(&ThreadId) -> ThreadId) -> Hooks {
    Hooks::default()
        .on_put(move |model, mut put| async move {
            put.thread = name(&put.thread);
            model.put_checkpoint(put).await
        })
        .on_get(move |model, mut get| async move {
            get.thread = name(&get.thread);
            model.get_checkpoint(get).await
        })
        .on_list(move |model, mut list| async move {
            list.thread = list.thread.map(|thread| name(&thread));
            model.list_checkpoints(list).await
        })
}

/// Puts, reads and lists namespaces under another name.
fn namespaces_as(name: fn(&CheckpointNamespace) -> CheckpointNamespace) -> Hooks {
    Hooks::default()
        .on_put(move |model, mut put| async move {
            put.namespace = name(&put.namespace);
            model.put_checkpoint(put).await
        })
        .on_get(move |model, mut get| async move {
            get.namespace = name(&get.namespace);
            model.get_checkpoint(get).await
        })
        .on_list(move |model, mut list| async move {
            list.namespace = list.namespace.map(|namespace| name(&namespace));
            model.list_checkpoints(list).await
        })
}

gallery! { checkpointers
    /// Names of threads are trimmed.
    "ckpt.names.threads.trimmed" rejected by ["ckpt.names.threads"] => || {
        threads_as(|thread| match thread.as_str().trim() {
            "" => thread.clone(),
            trimmed => ThreadId::new(trimmed),
        })
    };
    /// Names of namespaces end at the first NUL.
    "ckpt.names.namespaces.nul" rejected by ["ckpt.names.namespaces"] => || {
        namespaces_as(|namespace| {
            namespace.as_str().split('\0').next().unwrap_or_default().into()
        })
    };
    /// Names of checkpoints are compared without their case.
    "ckpt.names.checkpoints.case" rejected by ["ckpt.names.checkpoints"] => || {
        Hooks::default()
            .putting(|_, put| {
                put.checkpoint.id = put.checkpoint.id.as_str().to_lowercase().into();
            })
            .on_get(|model, mut get| async move {
                get.id = get.id.map(|id| id.as_str().to_lowercase().into());
                model.get_checkpoint(get).await
            })
    };
    /// Thread and namespace are joined by a colon.
    "ckpt.names.joined" rejected by ["ckpt.names.aliases"] => || {
        let joined = |thread: &ThreadId, namespace: &CheckpointNamespace| {
            ThreadId::new(format!("{}:{}", thread.as_str(), namespace.as_str()))
        };
        Hooks::default()
            .on_put(move |model, mut put| async move {
                put.thread = joined(&put.thread, &put.namespace);
                put.namespace = CheckpointNamespace::root();
                model.put_checkpoint(put).await
            })
            .on_get(move |model, mut get| async move {
                let (thread, namespace) = (get.thread.clone(), get.namespace.clone());
                get.thread = joined(&thread, &namespace);
                get.namespace = CheckpointNamespace::root();
                let mut found = model.get_checkpoint(get).await?;
                if let Some(tuple) = &mut found {
                    tuple.reference.thread = thread;
                    tuple.reference.namespace = namespace;
                }
                Ok(found)
            })
            .on_list(move |model, mut list| async move {
                let namespace = list.namespace.take().unwrap_or_default();
                let thread = list.thread.clone();
                list.thread = thread.as_ref().map(|thread| joined(thread, &namespace));
                let mut page = model.list_checkpoints(list).await?;
                for tuple in &mut page.items {
                    tuple.reference.thread = thread.clone().unwrap_or_else(|| "".into());
                    tuple.reference.namespace.clone_from(&namespace);
                }
                Ok(page)
            })
    };
    /// Channel and version are joined by a colon.
    "ckpt.names.channels.joined" rejected by ["ckpt.names.channels"] => || {
        values_by(|place, channel, version| {
            format!("{:?} {:?} {channel}:{version}", place.thread, place.namespace)
        })
    };

    /// The longest ids are refused.
    "ckpt.limits.longest.refused" rejected by ["ckpt.limits.longest"] => || {
        Hooks::default().on_put(|model, put| async move {
            if put.thread.as_str().len() >= LIMITS.id_bytes_max {
                return Err(Error::too_large("thread", LIMITS.id_bytes_max, LIMITS.id_bytes_max));
            }
            model.put_checkpoint(put).await
        })
    };
    /// Names of tasks and threads over the limit are cut.
    "ckpt.limits.over-long.cut" rejected by ["ckpt.limits.over-long.put"] => || {
        Hooks::default()
            .putting(|_, put| put.thread = cut(put.thread.as_str()).into())
            .writing(|_, put| put.writes.iter_mut().for_each(|write| write.task = cut(&write.task).into()))
    };
    /// Runs may have ids of any length.
    "ckpt.limits.over-long.runs" rejected by ["ckpt.limits.over-long.put"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let over = put.metadata.run_id().is_some_and(|run| run.len() > LIMITS.id_bytes_max);
            let whole = put.metadata.clone();
            if over {
                let all = whole.iter().filter(|(name, _)| *name != "run_id");
                put.metadata = all.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            }
            let receipt = model.put_checkpoint(put).await?;
            record(&model, &receipt.reference, |record| record.metadata = whole);
            Ok(receipt)
        })
    };
    /// What has a name over the limit is absent.
    "ckpt.limits.over-long.absent" rejected by ["ckpt.limits.over-long.asked"] => || {
        Hooks::default().on_get(|model, get| async move {
            match model.get_checkpoint(get).await {
                Err(error) if error.kind() == ErrorKind::TooLarge => Ok(None),
                answer => answer,
            }
        })
    };
    /// A thread without a name is called `default`.
    "ckpt.limits.empty.default" rejected by ["ckpt.limits.empty"] => || {
        Hooks::default().putting(|_, put| {
            if put.thread.as_str().is_empty() {
                put.thread = "default".into();
            }
        })
    };
    /// A value of a channel without a version is dropped.
    "ckpt.limits.value.dropped" rejected by ["ckpt.limits.value"] => || {
        Hooks::default().putting(|_, put| {
            put.values.retain(|channel, _| put.checkpoint.channel_versions.contains_key(channel));
        })
    };
    /// Values over the limit are put without a value.
    "ckpt.limits.payload.dropped" rejected by ["ckpt.limits.payload"] => || {
        Hooks::default().putting(|_, put| {
            for value in put.values.values_mut() {
                if value.payload().is_some_and(|value| value.len_bytes() > LIMITS.payload_bytes_max) {
                    *value = ChannelValue::Stored(Payload::new("", ""));
                }
            }
        })
    };
    /// Metadata over the limit is dropped.
    "ckpt.limits.metadata.dropped" rejected by ["ckpt.limits.metadata"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            if LIMITS.check_put(&put).is_err_and(|error| error.kind() == ErrorKind::TooLarge) {
                put.metadata = Metadata::new();
            }
            model.put_checkpoint(put).await
        })
    };
    /// Of two writes at one place in one call the first is put.
    "ckpt.limits.writes.first" rejected by ["ckpt.limits.writes"] => || {
        Hooks::default().writing(|_, put| {
            let mut places = std::collections::BTreeSet::new();
            put.writes.retain(|write| places.insert((Arc::clone(&write.task), write.index)));
        })
    };
    /// The limit of a page is not kept.
    "ckpt.limits.page" rejected by ["ckpt.list.pages.all"] => || {
        let mut hooks = Hooks::default();
        let mut limits: CheckpointLimits = LIMITS;
        limits.page_items_max = 50;
        hooks.limits = Some(limits);
        hooks
    };
}
