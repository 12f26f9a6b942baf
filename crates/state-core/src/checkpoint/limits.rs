//! The limits of a checkpointer, and the checks that each makes first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{
    ChannelVersion, CheckpointRef, CopyOptions, DeleteRuns, DeleteThread, GetCheckpoint,
    HistoryOptions, ListCheckpoints, ListThreads, Metadata, MetadataValue, Ownership, PruneOptions,
    PutCheckpoint, PutWrites, Retention, Scalar, ThreadId, ThreadLifetime, TouchThread,
};
use crate::{Error, Limits, Result};

/// The limits of a checkpointer.
///
/// The `check_*` methods are what implementations call before anything else, so that bad input
/// gets the same error everywhere.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckpointLimits {
    /// The longest id of a thread, namespace, checkpoint, task, task path or run, the longest
    /// name of a channel, node or metadata value, and the longest version of a channel that is
    /// text, in bytes.
    pub id_bytes_max: usize,
    /// The largest payload: a channel value, a write or a body, in bytes.
    pub payload_bytes_max: usize,
    /// The most channels of a checkpoint, and the most of its nodes.
    pub channels_max: usize,
    /// The largest metadata of a checkpoint, names and texts together, in bytes.
    pub metadata_bytes_max: usize,
    /// How deep metadata may nest.
    pub metadata_depth_max: usize,
    /// The most writes of one call.
    pub writes_max: usize,
    /// The most threads or runs of one call.
    pub threads_max: usize,
    /// The most items of one page; a greater limit is taken as this one.
    pub page_items_max: usize,
}

impl CheckpointLimits {
    /// The default limits: ids of 512 bytes, payloads of 64 MiB, 10,000 channels, 64 KiB of
    /// metadata at most 16 deep, 100,000 writes, 10,000 threads a call, 1,000 items a page.
    pub const DEFAULT: Self = Self {
        id_bytes_max: 512,
        payload_bytes_max: 64 << 20,
        channels_max: 10_000,
        metadata_bytes_max: 64 << 10,
        metadata_depth_max: 16,
        writes_max: 100_000,
        threads_max: 10_000,
        page_items_max: 1_000,
    };

    /// Sets the largest payload in bytes.
    #[must_use]
    pub const fn with_payload_bytes_max(mut self, payload_bytes_max: usize) -> Self {
        self.payload_bytes_max = payload_bytes_max;
        self
    }

    /// Sets the longest id or name in bytes.
    #[must_use]
    pub const fn with_id_bytes_max(mut self, id_bytes_max: usize) -> Self {
        self.id_bytes_max = id_bytes_max;
        self
    }

    /// Checks the id of a thread.
    ///
    /// # Errors
    /// `Invalid` when empty, `TooLarge` over the limit.
    pub fn check_thread(&self, thread: &ThreadId) -> Result<()> {
        if thread.as_str().is_empty() {
            return Err(Error::invalid("the thread id is empty"));
        }
        self.check_id("thread id", thread.as_str())
    }

    /// Checks the names of a checkpoint.
    ///
    /// # Errors
    /// `Invalid` for an empty thread or checkpoint id, `TooLarge` over the limit.
    pub fn check_reference(&self, reference: &CheckpointRef) -> Result<()> {
        self.check_thread(&reference.thread)?;
        self.check_id("namespace", reference.namespace.as_str())?;
        self.check_checkpoint_id(reference.id.as_str())
    }

    /// Checks a put of a checkpoint.
    ///
    /// # Errors
    /// `Invalid` for empty ids, for a value of a channel whose version the checkpoint does not
    /// name, for a bad lifetime, and with [`Ownership::ParentIsLatest`] for an id that is not
    /// greater than the parent's; `TooLarge` for whatever is over its limit.
    pub fn check_put(&self, put: &PutCheckpoint) -> Result<()> {
        self.check_reference(&put.reference())?;
        if let Some(parent) = &put.parent {
            self.check_checkpoint_id(parent.as_str())?;
        }
        check_order(put)?;
        let checkpoint = &put.checkpoint;
        self.check_count("channels", checkpoint.channel_versions.len())?;
        self.check_count("nodes", checkpoint.versions_seen.len())?;
        self.check_versions(&checkpoint.channel_versions)?;
        for (node, seen) in &checkpoint.versions_seen {
            self.check_id("node name", node)?;
            self.check_count("channels", seen.len())?;
            self.check_versions(seen)?;
        }
        for channel in checkpoint.updated_channels.iter().flatten() {
            self.check_id("channel name", channel)?;
        }
        for (channel, value) in &put.values {
            if !checkpoint.channel_versions.contains_key(channel) {
                return Err(Error::invalid("a value is given for a channel without a version"));
            }
            if let Some(payload) = value.payload() {
                self.check_payload("channel value", payload.len_bytes())?;
            }
        }
        if let Some(body) = &checkpoint.body {
            self.check_payload("checkpoint body", body.len_bytes())?;
        }
        self.check_metadata(&put.metadata)?;
        // Stores write it to an index, where it is part of a name.
        self.check_id("run id", put.metadata.run_id().unwrap_or_default())?;
        check_thread_lifetime(put.lifetime)
    }

    /// Checks a put of writes.
    ///
    /// # Errors
    /// As [`check_put`](Self::check_put); `Invalid` for an empty task, and for two writes of one
    /// task and index.
    pub fn check_writes(&self, put: &PutWrites) -> Result<()> {
        self.check_reference(&put.reference)?;
        check_size("batch of writes", put.writes.len(), self.writes_max)?;
        let mut places = std::collections::HashSet::with_capacity(put.writes.len());
        for write in &put.writes {
            if write.task.is_empty() {
                return Err(Error::invalid("the task id of a write is empty"));
            }
            self.check_id("task id", &write.task)?;
            self.check_id("task path", &write.task_path)?;
            self.check_id("channel name", &write.channel)?;
            self.check_payload("write", write.value.len_bytes())?;
            if !places.insert((&write.task, write.index)) {
                return Err(Error::invalid("two writes of one call have one task and index"));
            }
        }
        check_thread_lifetime(put.lifetime)
    }

    /// Checks which checkpoint is read.
    ///
    /// # Errors
    /// As [`check_reference`](Self::check_reference).
    pub fn check_get(&self, get: &GetCheckpoint) -> Result<()> {
        self.check_thread(&get.thread)?;
        self.check_id("namespace", get.namespace.as_str())?;
        get.id.as_ref().map_or(Ok(()), |id| self.check_checkpoint_id(id.as_str()))
    }

    /// Checks a listing and returns how many checkpoints its page may hold.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0 and for a filter that holds a list or a map; as
    /// [`check_reference`](Self::check_reference) for the ids.
    pub fn check_list(&self, list: &ListCheckpoints) -> Result<usize> {
        if let Some(thread) = &list.thread {
            self.check_thread(thread)?;
        }
        if let Some(namespace) = &list.namespace {
            self.check_id("namespace", namespace.as_str())?;
        }
        for id in [&list.id, &list.before].into_iter().flatten() {
            self.check_checkpoint_id(id.as_str())?;
        }
        Metadata::new().matches(&list.filter)?;
        self.check_metadata(&list.filter)?;
        self.check_page(list.limit)
    }

    /// Checks a listing of threads and returns how many its page may hold.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0.
    pub fn check_list_threads(&self, list: &ListThreads) -> Result<usize> {
        self.check_page(list.limit)
    }

    /// Checks a deletion.
    ///
    /// # Errors
    /// As [`check_thread`](Self::check_thread); `Invalid` for a bad lifetime of the mark and
    /// for [`Ownership::ParentIsLatest`].
    pub fn check_delete(&self, delete: &DeleteThread) -> Result<()> {
        self.check_thread(&delete.thread)?;
        check_owner_of_all(&delete.ownership)?;
        delete.tombstone.map_or(Ok(()), Limits::check_lifetime)
    }

    /// Checks a touch.
    ///
    /// # Errors
    /// As [`check_thread`](Self::check_thread); `Invalid` for a bad lifetime and for
    /// [`Ownership::ParentIsLatest`].
    pub fn check_touch(&self, touch: &TouchThread) -> Result<()> {
        self.check_thread(&touch.thread)?;
        check_owner_of_all(&touch.ownership)?;
        check_thread_lifetime(touch.lifetime)
    }

    /// Checks a pruning of `threads`.
    ///
    /// # Errors
    /// `Invalid` for a retention of 0 checkpoints or no time and for
    /// [`Ownership::ParentIsLatest`]; `TooLarge` for too many threads.
    pub fn check_prune(&self, threads: &[ThreadId], options: &PruneOptions) -> Result<()> {
        check_size("list of threads", threads.len(), self.threads_max)?;
        threads.iter().try_for_each(|thread| self.check_thread(thread))?;
        check_owner_of_all(&options.ownership)?;
        match options.retention {
            Retention::KeepLast(0) => Err(Error::invalid("a retention keeps 0 checkpoints")),
            Retention::MaxAge(Duration::ZERO) => Err(Error::invalid("a retention keeps no time")),
            _ => Ok(()),
        }
    }

    /// Checks a copy of one thread to another.
    ///
    /// # Errors
    /// As [`check_reference`](Self::check_reference) for all ids; `Invalid` for a copy of a thread
    /// to itself and for a bad lifetime.
    pub fn check_copy(&self, from: &ThreadId, to: &ThreadId, options: &CopyOptions) -> Result<()> {
        self.check_thread(from)?;
        self.check_thread(to)?;
        if from == to {
            return Err(Error::invalid("a thread cannot be copied to itself"));
        }
        if let Some((namespace, id)) = &options.up_to {
            self.check_id("namespace", namespace.as_str())?;
            self.check_checkpoint_id(id.as_str())?;
        }
        check_thread_lifetime(options.lifetime)
    }

    /// Checks a deletion of runs.
    ///
    /// # Errors
    /// `Invalid` when an id is empty and for [`Ownership::ParentIsLatest`], `TooLarge` when one is
    /// too long or there are too many.
    pub fn check_runs(&self, delete: &DeleteRuns) -> Result<()> {
        check_size("list of runs", delete.runs.len(), self.threads_max)?;
        check_owner_of_all(&delete.ownership)?;
        for run in &delete.runs {
            if run.is_empty() {
                return Err(Error::invalid("the id of a run is empty"));
            }
            self.check_id("run id", run)?;
        }
        Ok(())
    }

    /// Checks whose history is read.
    ///
    /// # Errors
    /// As [`check_reference`](Self::check_reference); `TooLarge` for too many channels.
    pub fn check_history(&self, history: &HistoryOptions) -> Result<()> {
        self.check_reference(&history.reference)?;
        self.check_count("channels", history.channels.len())?;
        history.channels.iter().try_for_each(|channel| self.check_id("channel name", channel))
    }

    fn check_page(&self, limit: usize) -> Result<usize> {
        if limit == 0 {
            return Err(Error::invalid("the limit of a page is 0"));
        }
        Ok(limit.min(self.page_items_max))
    }

    fn check_checkpoint_id(&self, id: &str) -> Result<()> {
        if id.is_empty() {
            return Err(Error::invalid("the checkpoint id is empty"));
        }
        self.check_id("checkpoint id", id)
    }

    fn check_versions(&self, versions: &BTreeMap<Arc<str>, ChannelVersion>) -> Result<()> {
        for (channel, version) in versions {
            self.check_id("channel name", channel)?;
            if let ChannelVersion::Text(text) = version {
                self.check_id("channel version", text)?;
            }
        }
        Ok(())
    }

    fn check_id(&self, what: &'static str, id: &str) -> Result<()> {
        check_size(what, id.len(), self.id_bytes_max)
    }

    fn check_payload(&self, what: &'static str, len: usize) -> Result<()> {
        check_size(what, len, self.payload_bytes_max)
    }

    fn check_count(&self, what: &'static str, count: usize) -> Result<()> {
        check_size(what, count, self.channels_max)
    }

    fn check_metadata(&self, metadata: &Metadata) -> Result<()> {
        let mut bytes = 0;
        for (name, value) in metadata.iter() {
            self.check_id("metadata name", name)?;
            bytes += name.len() + self.metadata_bytes(value, 1)?;
        }
        check_size("metadata", bytes, self.metadata_bytes_max)
    }

    fn metadata_bytes(&self, value: &MetadataValue, depth: usize) -> Result<usize> {
        if depth > self.metadata_depth_max {
            return Err(Error::too_large("metadata depth", depth, self.metadata_depth_max));
        }
        let mut bytes = 8;
        match value {
            MetadataValue::Scalar(Scalar::Text(text)) => bytes += text.len(),
            MetadataValue::Scalar(_) => {}
            MetadataValue::List(values) => {
                for value in values {
                    bytes += self.metadata_bytes(value, depth + 1)?;
                }
            }
            MetadataValue::Map(values) => {
                for (name, value) in values {
                    self.check_id("metadata name", name)?;
                    bytes += name.len() + self.metadata_bytes(value, depth + 1)?;
                }
            }
        }
        Ok(bytes)
    }
}

impl Default for CheckpointLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn check_thread_lifetime(lifetime: ThreadLifetime) -> Result<()> {
    match lifetime {
        ThreadLifetime::After(lifetime) => Limits::check_lifetime(lifetime),
        ThreadLifetime::Default | ThreadLifetime::Pinned | ThreadLifetime::Keep => Ok(()),
    }
}

/// Where the parent must be the latest, the new checkpoint must come to be it.
fn check_order(put: &PutCheckpoint) -> Result<()> {
    let parent = put.parent.as_ref().filter(|_| put.ownership == Ownership::ParentIsLatest);
    if parent.is_some_and(|parent| put.checkpoint.id <= *parent) {
        return Err(Error::invalid("the checkpoint id is not greater than that of its parent"));
    }
    Ok(())
}

fn check_owner_of_all(ownership: &Ownership) -> Result<()> {
    if matches!(ownership, Ownership::ParentIsLatest) {
        return Err(Error::invalid("there is no parent that could be the latest"));
    }
    Ok(())
}

fn check_size(what: &'static str, got: usize, limit: usize) -> Result<()> {
    if got > limit { Err(Error::too_large(what, got, limit)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, Payload, PendingWrite};
    use crate::{ErrorKind, Timestamp};

    const LIMITS: CheckpointLimits = CheckpointLimits::DEFAULT;

    fn put(thread: &str, id: &str) -> PutCheckpoint {
        PutCheckpoint::new(thread, Checkpoint::new(id, Timestamp::from_unix_ms(0)))
    }

    fn kind(result: Result<()>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn ids_at_the_edges() {
        let longest = "x".repeat(512);
        let over = "x".repeat(513);
        assert_eq!(kind(LIMITS.check_put(&put(&longest, &longest))), None);
        assert_eq!(kind(LIMITS.check_put(&put(&over, "1"))), Some(ErrorKind::TooLarge));
        assert_eq!(kind(LIMITS.check_put(&put("t", &over))), Some(ErrorKind::TooLarge));
        assert_eq!(kind(LIMITS.check_put(&put("", "1"))), Some(ErrorKind::Invalid));
        assert_eq!(kind(LIMITS.check_put(&put("t", ""))), Some(ErrorKind::Invalid));
        let parent = put("t", "1").with_parent(Some(over.into()));
        assert_eq!(kind(LIMITS.check_put(&parent)), Some(ErrorKind::TooLarge));
    }

    #[test]
    fn a_value_needs_a_version() {
        let value = put("t", "1").with_value("messages", Payload::new("json", "[]"));
        assert_eq!(kind(LIMITS.check_put(&value)), Some(ErrorKind::Invalid));
    }

    #[test]
    fn metadata_is_limited_in_size_and_depth() {
        let text = put("t", "1").with_metadata(Metadata::new().with("a", "x".repeat(70_000)));
        assert_eq!(kind(LIMITS.check_put(&text)), Some(ErrorKind::TooLarge));
        let mut deep = MetadataValue::from(1);
        for _ in 0..16 {
            deep = MetadataValue::Map(BTreeMap::from([("in".into(), deep)]));
        }
        let deep = put("t", "1").with_metadata(Metadata::new().with("deep", deep));
        assert_eq!(kind(LIMITS.check_put(&deep)), Some(ErrorKind::TooLarge));
    }

    #[test]
    fn runs_and_versions_are_no_longer_than_ids() {
        let over = "x".repeat(513);
        let run = put("t", "1").with_metadata(Metadata::new().with("run_id", over.as_str()));
        assert_eq!(kind(LIMITS.check_put(&run)), Some(ErrorKind::TooLarge));
        let mut named = put("t", "1");
        named.checkpoint = named.checkpoint.with_channel("c", over.as_str());
        assert_eq!(kind(LIMITS.check_put(&named)), Some(ErrorKind::TooLarge));
        let mut seen = put("t", "1");
        seen.checkpoint = seen.checkpoint.with_seen("n", "c", over.as_str());
        assert_eq!(kind(LIMITS.check_put(&seen)), Some(ErrorKind::TooLarge));
    }

    #[test]
    fn what_must_continue_the_latest_comes_after_it() {
        for (parent, refused) in [("0", None), ("1", Some(())), ("2", Some(()))] {
            let onto = put("t", "1").with_parent(Some(parent.into()));
            assert_eq!(kind(LIMITS.check_put(&onto)), None);
            let onto = onto.with_ownership(Ownership::ParentIsLatest);
            let refused = refused.map(|()| ErrorKind::Invalid);
            assert_eq!(kind(LIMITS.check_put(&onto)), refused, "onto {parent}");
        }
    }

    #[test]
    fn copies_are_checked() {
        let check = |from: &str, to: &str, options: CopyOptions| {
            kind(LIMITS.check_copy(&from.into(), &to.into(), &options))
        };
        assert_eq!(check("a", "b", CopyOptions::new()), None);
        assert_eq!(check("a", "a", CopyOptions::new()), Some(ErrorKind::Invalid));
        assert_eq!(check("a", "", CopyOptions::new()), Some(ErrorKind::Invalid));
        let part = CopyOptions::new().with_up_to(Some(("".into(), "".into())));
        assert_eq!(check("a", "b", part), Some(ErrorKind::Invalid));
        for life in [Duration::ZERO, Duration::MAX] {
            let lives = CopyOptions::new().with_lifetime(ThreadLifetime::After(life));
            assert_eq!(check("a", "b", lives), Some(ErrorKind::Invalid), "{life:?}");
        }
    }

    #[test]
    fn writes_have_a_task_and_places_of_their_own() {
        let write =
            |task: &str, index| PendingWrite::new(task, index, "c", Payload::new("json", "1"));
        let put = |writes| PutWrites::new(CheckpointRef::new("t", "1"), writes);
        assert_eq!(kind(LIMITS.check_writes(&put(vec![write("a", 0), write("a", 1)]))), None);
        let twice = put(vec![write("a", 0), write("b", 0), write("a", 0)]);
        assert_eq!(kind(LIMITS.check_writes(&twice)), Some(ErrorKind::Invalid));
        let nobody = put(vec![write("", 0)]);
        assert_eq!(kind(LIMITS.check_writes(&nobody)), Some(ErrorKind::Invalid));
    }

    #[test]
    fn nothing_is_kept_by_accident() {
        for retention in [Retention::KeepLast(0), Retention::MaxAge(Duration::ZERO)] {
            let checked = LIMITS.check_prune(&["t".into()], &PruneOptions::new(retention));
            assert_eq!(kind(checked), Some(ErrorKind::Invalid), "{retention:?}");
        }
        let latest = PruneOptions::new(Retention::KeepLatest);
        assert_eq!(kind(LIMITS.check_prune(&[], &latest)), None);
        let whose = latest.with_ownership(Ownership::ParentIsLatest);
        assert_eq!(kind(LIMITS.check_prune(&[], &whose)), Some(ErrorKind::Invalid));
    }
}
