//! A store of one checkpoint that hands out whatever lies on it.

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use state_checkpoint::{
    Along, Append, AppendWrites, Appended, Bases, CopyThread, Found, Keep, Life, Load, Loaded,
    PagePosition, Part, ReadPage, RecordPage, Remove, Removed, StoredRecord, StoredWrite,
    ThreadStore, Values, Want, WritesAppended, WritesPage, raw_segment,
};
use state_core::checkpoint::{
    CheckpointLimits, DeleteThread, ListThreads, ThreadEvent, ThreadId, ThreadSummary, TouchThread,
};
use state_core::{Acks, BackendInfo, BoxStream, Error, Namespace, Page, Result};

const LIFE: Life = Life { generation: 1, epoch: 0 };

/// What is handed out.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub record: Option<Part>,
    /// By number, up to 256; a greater one than there are begins at the first again.
    pub versions: Vec<Part>,
    pub segments: Vec<Bytes>,
    pub writes: Vec<StoredWrite>,
    pub found: Vec<Found>,
}

/// A store that keeps what was put last.
#[derive(Debug)]
pub struct Shelf(Mutex<Rows>);

impl Shelf {
    pub fn new(rows: Rows) -> Self {
        Self(Mutex::new(rows))
    }

    pub fn rows(&self) -> Rows {
        self.0.lock().clone()
    }

    /// What is asked for, each item for as many numbers as it takes.
    fn answer(&self, want: &Want) -> Values {
        let rows = self.0.lock();
        let versions = want.versions.iter().filter_map(|number| at(&rows.versions, *number));
        let segments = want.segments.iter().filter_map(|number| at(&rows.segments, *number));
        let places = 0..want.places.len() as u64;
        let found =
            places.map(|place| at(&rows.found, place).map_or(Found::Absent, |(_, found)| found));
        Values {
            versions: versions.collect(),
            segments: segments.collect(),
            found: found.collect(),
        }
    }

    /// Everything, as a store may send it along.
    fn all(&self) -> Values {
        let rows = self.0.lock();
        let versions = (0..).zip(rows.versions.iter().cloned()).collect();
        let segments = (0..).zip(rows.segments.iter().cloned()).collect();
        Values { versions, segments, found: Vec::new() }
    }
}

/// The item that a number stands for.
fn at<T: Clone>(items: &[T], number: u64) -> Option<(u64, T)> {
    let place = number.checked_rem(items.len() as u64).filter(|_| number < 256)?;
    let item = usize::try_from(place).ok().and_then(|place| items.get(place))?;
    Some((number, item.clone()))
}

#[async_trait]
impl ThreadStore for Shelf {
    fn in_one<T>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
        call
    }

    fn info(&self) -> BackendInfo {
        BackendInfo::new("shelf", Namespace::default())
    }

    fn limits(&self) -> CheckpointLimits {
        CheckpointLimits::DEFAULT
    }

    fn check_acks(&self, _: Acks) -> Result<()> {
        Ok(())
    }

    fn check_expiry(&self) -> Result<()> {
        Ok(())
    }

    async fn load(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        let id = load.id.cloned().unwrap_or_else(|| super::ID.into());
        let values = if load.values { self.all() } else { Values::default() };
        let rows = self.0.lock();
        let (record, writes) = (rows.record.clone(), rows.writes.clone());
        Ok(record.map(|record| Loaded { life: LIFE, id, record: Some(record), writes, values }))
    }

    async fn values(&self, _: &ThreadId, _: Life, want: &Want) -> Result<Option<Values>> {
        Ok(Some(self.answer(want)))
    }

    async fn append(&self, append: &Append) -> Result<Appended> {
        let mut rows = self.0.lock();
        let bases = Bases { version: 0, segment: rows.segments.len() as u64, offset: 0 };
        let part = |body: &Bytes| Part { bases, body: body.clone() };
        rows.record = Some(part(&append.record));
        rows.versions = append.versions.iter().map(|(_, body)| part(body)).collect();
        rows.segments.push(raw_segment(&append.content.raw));
        Ok(Appended::Put { life: LIFE, bases })
    }

    async fn append_writes(&self, append: &AppendWrites) -> Result<WritesAppended> {
        let mut rows = self.0.lock();
        let bases = Bases { version: 0, segment: rows.segments.len() as u64, offset: 0 };
        rows.writes = append
            .writes
            .iter()
            .map(|write| StoredWrite {
                task: std::sync::Arc::clone(&write.task),
                index: write.index,
                part: Part { bases, body: write.body.clone() },
            })
            .collect();
        rows.segments.push(raw_segment(&append.content.raw));
        Ok(WritesAppended { written: append.writes.len(), replaced: 0, kept: 0 })
    }

    async fn page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>> {
        let values = if page.along == Along::Everything { self.all() } else { Values::default() };
        let rows = self.0.lock();
        let first = page.position == PagePosition::Newest && !page.hidden;
        let record = rows.record.clone().filter(|_| first);
        let records = record.map(|record| StoredRecord {
            namespace: "".into(),
            id: super::ID.into(),
            record,
            writes: rows.writes.clone(),
        });
        let records = records.into_iter().collect();
        Ok(Some(RecordPage { life: LIFE, serial: 1, records, next: None, values }))
    }

    async fn writes(&self, _: &ThreadId, _: Life, _: Option<Bytes>) -> Result<Option<WritesPage>> {
        Ok(Some(WritesPage { writes: self.0.lock().writes.clone(), next: None }))
    }

    async fn remove(&self, remove: &Remove) -> Result<Option<Removed>> {
        Ok(Some(Removed { gone: remove.gone.len() as u64, hidden: remove.hidden.len() as u64 }))
    }

    async fn sweep(&self, _: &ThreadId, _: &Keep) -> Result<bool> {
        Ok(true)
    }

    async fn copy(&self, _: &CopyThread) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn drop_empty(&self, _: &ThreadId, _: Acks) -> Result<()> {
        Ok(())
    }

    async fn touch(&self, _: &TouchThread) -> Result<bool> {
        Ok(true)
    }

    async fn delete(&self, _: &DeleteThread) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn threads(&self, _: &ListThreads) -> Result<Page<ThreadSummary>> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn threads_of_run(&self, _: &str) -> Result<Vec<ThreadId>> {
        Ok(vec![super::THREAD.into()])
    }

    async fn watch(&self, _: Option<ThreadId>) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        Err(Error::unsupported("following"))
    }
}
