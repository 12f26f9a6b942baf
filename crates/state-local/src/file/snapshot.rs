//! Reading a snapshot of a namespace in bounded steps.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use state_core::{Key, Result, SnapshotOptions, SnapshotRecord, Timestamp};

use super::format;
use super::handle::Handle;
use super::names::Name;
use super::namespace::Namespaced;
use super::shared::{Current, Shared};
use super::source;
use super::space::read_guarded;
use super::view::NamespaceView;
use crate::engine::Cursor;
use crate::tables::{Read, Step, corrupt};

/// Records of a step, looked at or read.
const STEP_RECORDS: usize = 1_024;
/// Bytes of values after which a step ends.
const STEP_BYTES: usize = 1 << 20;
/// Fields of one record of the stream.
const RECORD_FIELDS: usize = 256;

/// A snapshot that is being read, all of it from one read transaction.
pub(super) struct Reader {
    /// Keeps the store open.
    _handle: Option<Arc<Handle>>,
    shared: Arc<Shared>,
    namespace: Arc<Namespaced>,
    current: Arc<Current>,
    options: SnapshotOptions,
    /// Lifetimes are judged by this time.
    now: Timestamp,
    at: At,
    ready: VecDeque<SnapshotRecord>,
}

/// How far a snapshot has been read.
#[derive(Clone, Debug)]
enum At {
    Entries {
        after: Option<Key>,
    },
    Hashes {
        after: Option<Key>,
    },
    /// In the fields of a hash.
    Fields {
        key: Key,
        deadline: Option<Timestamp>,
        after: Option<Bytes>,
    },
    End,
}

impl Reader {
    pub(super) fn new(
        handle: Option<Arc<Handle>>,
        shared: Arc<Shared>,
        namespace: Arc<Namespaced>,
        current: Arc<Current>,
        options: SnapshotOptions,
        now: Timestamp,
    ) -> Self {
        let at = At::Entries { after: None };
        let ready = VecDeque::new();
        Self { _handle: handle, shared, namespace, current, options, now, at, ready }
    }

    fn next(&mut self) -> Result<Option<SnapshotRecord>> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(Some(record));
            }
            let current = Arc::clone(&self.current);
            let namespace = Arc::clone(&self.namespace);
            let shared = Arc::clone(&self.shared);
            let tables = current.view.namespace(
                &namespace.prefix,
                namespace.generation,
                namespace.events_max,
            );
            let at = self.at.clone();
            self.at = read_guarded(&shared, &current, || match at {
                At::Entries { after } => self.entries(&tables, after),
                At::Hashes { after } => self.hashes(&tables, after),
                At::Fields { key, deadline, after } => {
                    self.fields(&tables, key, deadline, after.as_ref())
                }
                At::End => Ok(At::End),
            })?;
            if self.ready.is_empty() && matches!(self.at, At::End) {
                return Ok(None);
            }
        }
    }

    fn entries(&mut self, tables: &NamespaceView<'_>, after: Option<Key>) -> Result<At> {
        let cursor = Cursor::new(&self.options.prefix, &self.options.scope);
        let (now, ready) = (self.now, &mut self.ready);
        let mut next = At::Hashes { after: None };
        let (mut records, mut bytes) = (0, 0);
        source::scan(tables, Name::Entries, &cursor.after(after), |key, stored, record| {
            let step = cursor.skip(key).unwrap_or(Step::Next);
            if matches!(step, Step::Next) {
                let entry = format::entry(stored, record).ok_or_else(|| corrupt("entry"))?;
                if !is_past(entry.deadline, now) {
                    bytes += entry.value.len();
                    let (key, value, deadline) = (key.clone(), entry.value, entry.deadline);
                    ready.push_back(SnapshotRecord::Entry { key, value, deadline });
                }
            }
            records += 1;
            if records >= STEP_RECORDS || bytes >= STEP_BYTES {
                next = At::Entries { after: Some(key.clone()) };
                return Ok(Step::Stop);
            }
            Ok(step)
        })?;
        Ok(next)
    }

    /// Finds the next hash.
    fn hashes(&self, tables: &NamespaceView<'_>, after: Option<Key>) -> Result<At> {
        let cursor = Cursor::new(&self.options.prefix, &self.options.scope);
        let mut next = At::End;
        let mut records = 0;
        tables.scan_hashes(cursor.after(after), &mut |key, head| {
            let step = cursor.skip(key).unwrap_or(Step::Next);
            if matches!(step, Step::Next) && !is_past(head.deadline, self.now) {
                next = At::Fields { key: key.clone(), deadline: head.deadline, after: None };
                return Step::Stop;
            }
            records += 1;
            if records >= STEP_RECORDS && !matches!(step, Step::Stop) {
                next = At::Hashes { after: Some(key.clone()) };
                return Step::Stop;
            }
            step
        })?;
        Ok(next)
    }

    fn fields(
        &mut self,
        tables: &NamespaceView<'_>,
        key: Key,
        deadline: Option<Timestamp>,
        after: Option<&Bytes>,
    ) -> Result<At> {
        let fields = tables.hash_fields(&key, after, RECORD_FIELDS)?;
        let last = fields.last().map(|(field, _)| field.clone());
        let is_full = fields.len() >= RECORD_FIELDS;
        if !fields.is_empty() {
            self.ready.push_back(SnapshotRecord::HashFields { key: key.clone(), fields, deadline });
        }
        Ok(if is_full {
            At::Fields { key, deadline, after: last }
        } else {
            At::Hashes { after: Some(key) }
        })
    }
}

/// The records of a snapshot; ends after an error.
pub(super) fn stream(reader: Reader) -> BoxStream<'static, Result<SnapshotRecord>> {
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next() {
            Ok(Some(record)) => Some((Ok(record), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

fn is_past(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}
