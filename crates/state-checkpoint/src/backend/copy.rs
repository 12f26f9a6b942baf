//! Copying the rows of a thread into a generation that is out of sight until it is complete.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, Ownership, ThreadId};
use state_core::{
    Capability, ClearOptions, Consistency, DeleteOptions, Error, Expiry, Key, Outcome, PutOptions,
    Result, Scope, SnapshotOptions, SnapshotRecord, WriteOp,
};

use super::append::{read_record, write_record};
use super::edit::{applied, random};
use super::keys::{self, Rows, checkpoint_of, parse};
use super::rows::{self, HEADER_BYTES, Head};
use super::{BackendThreads, TRIES, too_busy};
use crate::record::rebind_record;
use crate::store::{CopyRecords, CopyThread, Life};

/// The most rows and bytes of a step.
const STEP_ROWS_MAX: usize = 256;
const STEP_BYTES_MAX: usize = 1 << 20;
/// How long an unfinished copy is left alone when its maker gives no sign of life.
const UNFINISHED: Duration = Duration::from_secs(600);
/// How often a copy begins anew because the source changes, where there are no snapshots.
const COPIES_MAX: usize = 20;

type Row = (Key, Bytes);

/// A copy that is being made.
struct Copy<'a> {
    request: &'a CopyThread,
    source: Rows,
    generation: u64,
    target: Rows,
    steps: Vec<WriteOp>,
    step_bytes: usize,
    checkpoints: u64,
    bytes: u64,
    latest: HashMap<CheckpointNamespace, CheckpointId>,
    runs: Vec<String>,
}

impl BackendThreads {
    pub(super) async fn copy_rows(&self, request: &CopyThread) -> Result<Option<u64>> {
        let seen = self.see(&request.to).await?;
        if seen.head.is_some() || seen.tombstone {
            return Err(Error::conflict("the thread to copy to exists, or was deleted just now"));
        }
        let snapshots = self.backend.capabilities().has(Capability::PointInTimeSnapshot);
        for _ in 0..if snapshots { TRIES } else { COPIES_MAX } {
            let Some((head, _)) = self.head(&request.from, Consistency::Strong).await? else {
                return Ok(None);
            };
            let generation = random()?;
            let mut showing = false;
            let copied = self.try_copy(request, &head, generation, snapshots, &mut showing).await;
            let in_vain = match &copied {
                Ok(copied) => copied.is_none(),
                // What may be in sight, or come to be, is nobody's to take away.
                Err(error) => !showing || error.outcome() == Outcome::NotApplied,
            };
            if in_vain {
                self.abandon(&request.to, generation).await?;
            }
            if let Some(checkpoints) = copied? {
                self.created(&request.to).await.map_err(applied)?;
                return Ok(Some(checkpoints));
            }
        }
        Err(too_busy())
    }

    /// Copies all rows; `None` when the source has become another. `showing` comes to say that the
    /// copy may be in sight.
    async fn try_copy(
        &self,
        request: &CopyThread,
        head: &Head,
        generation: u64,
        snapshots: bool,
        showing: &mut bool,
    ) -> Result<Option<u64>> {
        let mut copy = Copy {
            request,
            source: Rows::new(&request.from, head.life.generation),
            generation,
            target: Rows::new(&request.to, generation),
            steps: Vec::new(),
            step_bytes: 0,
            checkpoints: 0,
            bytes: 0,
            latest: HashMap::new(),
            runs: Vec::new(),
        };
        self.mark_unfinished(&copy).await?;
        let mut source = if snapshots {
            self.snapshot_rows(&request.from).await?
        } else {
            self.listed_rows(&request.from)
        };
        let head_key = keys::head(&request.from);
        let mut found = None;
        while let Some((key, value)) = source.try_next().await? {
            if key == head_key {
                found = Some(Head::decode(&rows::open(&key, &value)?)?);
            } else {
                copy.take(&key, &value)?;
            }
            if copy.steps.len() >= STEP_ROWS_MAX || copy.step_bytes >= STEP_BYTES_MAX {
                self.write_step(&mut copy).await?;
            }
        }
        // The head comes last in key order; where there are no snapshots, it tells whether
        // anything has changed since the first row.
        let Some(found) = found.filter(|found| found.life == head.life) else { return Ok(None) };
        if !snapshots && found.serial != head.serial {
            return Ok(None);
        }
        self.write_step(&mut copy).await?;
        for run in &copy.runs {
            self.write_index(&keys::run_index(run, &request.to)).await?;
        }
        self.index_thread(&request.to).await?;
        *showing = true;
        self.finish(&copy, found).await?;
        for run in &copy.runs {
            self.reindex_run(run, &request.to).await.map_err(applied)?;
        }
        Ok(Some(copy.checkpoints))
    }

    /// All rows of a thread at one point in time.
    async fn snapshot_rows(&self, thread: &ThreadId) -> Result<BoxStream<'static, Result<Row>>> {
        let scope = Scope::Partition(keys::partition(thread));
        let records =
            self.backend.snapshot_opts(SnapshotOptions::new("").with_scope(scope)).await?;
        let entries = records.try_filter_map(|record| async move {
            Ok(match record {
                SnapshotRecord::Entry { key, value, .. } => Some((key, value)),
                _ => None,
            })
        });
        Ok(entries.boxed())
    }

    /// All rows of a thread, one after the other, its head last.
    fn listed_rows(&self, thread: &ThreadId) -> BoxStream<'static, Result<Row>> {
        let (store, thread) = (self.clone(), thread.clone());
        let rows = async move {
            let partition = keys::partition(&thread);
            let names = store.names(&partition, b"g", Consistency::Strong).await?;
            let head = keys::head(&thread);
            let chunks = names.chunks(STEP_ROWS_MAX).map(<[Key]>::to_vec);
            let chunks: Vec<Vec<Key>> = chunks.chain([vec![head]]).collect();
            let read = stream::iter(chunks).then(move |keys| {
                let store = store.clone();
                async move {
                    let values = store.raw_rows(&keys, Consistency::Strong).await?;
                    let rows: Vec<Row> = keys
                        .into_iter()
                        .zip(values)
                        .filter_map(|(key, value)| value.map(|value| (key, value)))
                        .collect();
                    Ok::<_, Error>(stream::iter(rows).map(Ok))
                }
            });
            Ok::<_, Error>(read.try_flatten())
        };
        stream::once(rows).try_flatten().boxed()
    }

    async fn mark_unfinished(&self, copy: &Copy<'_>) -> Result<()> {
        let lives = self.backend.capabilities().has(Capability::Expiry);
        let expiry = if lives { Expiry::After(UNFINISHED) } else { Expiry::Never };
        let key = keys::unfinished(&copy.request.to, copy.generation);
        let options = PutOptions::new().with_expiry(expiry);
        self.backend.put_opts(&key, Bytes::new(), options).await.map(|_| ())
    }

    async fn write_step(&self, copy: &mut Copy<'_>) -> Result<()> {
        self.mark_unfinished(copy).await?;
        copy.step_bytes = 0;
        for outcome in self.backend.write_many(std::mem::take(&mut copy.steps)).await? {
            outcome?;
        }
        Ok(())
    }

    /// Makes the copy visible.
    async fn finish(&self, copy: &Copy<'_>, source: Head) -> Result<()> {
        let to = &copy.request.to;
        let seen = self.see(to).await?;
        if seen.head.is_some() || seen.tombstone {
            return Err(Error::conflict("the thread to copy to exists"));
        }
        let all = matches!(copy.request.records, CopyRecords::All);
        let root = CheckpointNamespace::root();
        let lifetime = copy.request.lifetime;
        let mut edit = self.begin(to, seen, &Ownership::Anyone, lifetime, false)?;
        let lived = edit.head.clone();
        edit.head = Head {
            life: Life { generation: copy.generation, epoch: u64::from(!all) },
            checkpoints: copy.checkpoints,
            bytes: copy.bytes,
            latest: copy.latest.get(&root).cloned(),
            lifetime_ms: lived.lifetime_ms,
            pinned: lived.pinned,
            fences: Vec::new(),
            ..source
        };
        edit.rows = copy.target.clone();
        for (namespace, latest) in copy.latest.iter().filter(|(name, _)| !name.is_root()) {
            // Rows of namespaces are made anew, so that each names what the copy has.
            let key = copy.target.namespace(namespace);
            if edit.ops() < STEP_ROWS_MAX {
                edit.put(&key, latest.as_str().as_bytes(), None);
            } else {
                let options = PutOptions::new().with_expiry(Expiry::Never);
                let value = rows::seal(&key, latest.as_str().as_bytes());
                self.backend.put_opts(&key, value, options).await?;
            }
        }
        edit.remove(&keys::unfinished(to, copy.generation), 0);
        if self.commit(edit, copy.request.acks).await? {
            return Ok(());
        }
        Err(Error::conflict("the thread to copy to was made meanwhile"))
    }

    /// Takes away what was copied in vain.
    async fn abandon(&self, to: &ThreadId, generation: u64) -> Result<()> {
        let scope = Scope::Partition(keys::partition(to));
        let clear = ClearOptions::new(keys::generation(generation)).with_scope(scope);
        self.backend.clear_opts(clear).await?;
        let mark = keys::unfinished(to, generation);
        self.backend.delete_opts(&mark, DeleteOptions::new()).await?;
        if self.head(to, Consistency::Strong).await?.is_none() {
            self.clean(to).await?;
        }
        Ok(())
    }
}

impl Copy<'_> {
    /// Takes one row of the source over.
    fn take(&mut self, key: &Key, value: &Bytes) -> Result<()> {
        let Some((_, kind, rest)) = parse(key.name()) else { return Ok(()) };
        if self.source.same(kind, rest) != *key {
            // Of another generation, which is dead or unfinished itself.
            return Ok(());
        }
        let target = self.target.same(kind, rest);
        let damaged = || Error::corrupt("the name of a row is damaged");
        let copied = match kind {
            keys::RECORD | keys::HIDDEN => {
                let (namespace, id) = checkpoint_of(rest).ok_or_else(damaged)?;
                if !self.wants(&namespace, &id) {
                    return Ok(());
                }
                let mut part = read_record(value)?;
                let (from, to) = (&self.request.from, &self.request.to);
                part.body = rebind_record(&part.body, from, to, &namespace, &id)?;
                if kind == keys::RECORD {
                    self.checkpoints += 1;
                    let latest = self.latest.entry(namespace).or_insert_with(|| id.clone());
                    if *latest < id {
                        *latest = id;
                    }
                }
                write_record(&part)
            }
            keys::WRITES => {
                let (namespace, id) = keys::writes_of(rest).ok_or_else(damaged)?;
                if !self.wants(&namespace, &id) {
                    return Ok(());
                }
                rows::seal(&target, &rows::open(key, value)?)
            }
            keys::NAMESPACE => return Ok(()),
            keys::RUN => {
                let run = std::str::from_utf8(rest).map_err(|_| damaged())?;
                self.runs.push(run.to_owned());
                rows::seal(&target, &rows::open(key, value)?)
            }
            _ => rows::seal(&target, &rows::open(key, value)?),
        };
        self.bytes += (target.len_bytes() + copied.len()) as u64;
        self.step_bytes += copied.len() + HEADER_BYTES;
        let options = PutOptions::new().with_expiry(Expiry::Never);
        self.steps.push(WriteOp::put_opts(target, copied, options));
        Ok(())
    }

    fn wants(&self, namespace: &CheckpointNamespace, id: &CheckpointId) -> bool {
        match &self.request.records {
            CopyRecords::All => true,
            CopyRecords::Only(places) => places.contains(&(namespace.clone(), id.clone())),
        }
    }
}
