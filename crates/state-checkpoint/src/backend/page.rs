//! Reading records by falling id.

use bytes::Bytes;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace};
use state_core::{Consistency, Key, ListOptions, Result, Scope};

use super::append::read_record;
use super::keys::{self, Rows, checkpoint_of, falling};
use super::{BackendThreads, TRIES, lost, too_busy};
use crate::store::{PagePosition, ReadPage, RecordPage, StoredRecord, Values};

/// The most records that a page looks at.
const EXAMINED_MAX: usize = 1_000;

/// The names of a page, and where to go on.
struct Names {
    keys: Vec<Key>,
    places: Vec<(CheckpointNamespace, CheckpointId)>,
    next: Option<PagePosition>,
}

impl BackendThreads {
    pub(super) async fn read_page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>> {
        for _ in 0..TRIES {
            let Some((head, _)) = self.head(page.thread, page.consistency).await? else {
                return Ok(None);
            };
            let rows = Rows::new(page.thread, head.life.generation);
            let names = self.page_names(&page, &rows).await?;
            let values = self.raw_rows(&names.keys, page.consistency).await?;
            let mut torn = values.iter().any(Option::is_none);
            let mut records = Vec::with_capacity(values.len());
            for (place, value) in names.places.into_iter().zip(values.into_iter().flatten()) {
                let (namespace, id) = place;
                let mut writes = Vec::new();
                if page.writes {
                    let read = self.writes_of(&rows, &namespace, &id, page.consistency).await?;
                    torn |= read.1;
                    writes = read.0;
                }
                let record = read_record(&value)?;
                records.push(StoredRecord { namespace, id, record, writes });
            }
            if torn {
                let now = self.head(page.thread, Consistency::Strong).await?;
                match now {
                    Some((now, _)) if now.life == head.life && now.serial == head.serial => {
                        if records.len() < names.keys.len() {
                            return Err(lost("a checkpoint"));
                        }
                    }
                    _ => continue,
                }
            }
            let (life, serial) = (head.life, head.serial);
            let (next, values) = (names.next, Values::default());
            return Ok(Some(RecordPage { life, serial, records, next, values }));
        }
        Err(too_busy())
    }

    async fn page_names(&self, page: &ReadPage<'_>, rows: &Rows) -> Result<Names> {
        let kind = if page.hidden { keys::HIDDEN } else { keys::RECORD };
        let start = rows.prefix(kind);
        let prefix = match page.id {
            Some(id) => [start.clone(), falling(id)].concat(),
            None => start.clone(),
        };
        let after = match &page.position {
            PagePosition::Newest => None,
            // No namespace begins with ff, so this is beyond all checkpoints of the id.
            PagePosition::Below(id) => Some([start, falling(id), vec![0xff]].concat()),
            PagePosition::After(id, namespace) => {
                Some(rows.record(kind, namespace, id).name().to_vec())
            }
        };
        let limit = page.limit.min(EXAMINED_MAX);
        let asked = if page.namespace.is_some() { EXAMINED_MAX } else { limit };
        let options = ListOptions::new(Bytes::from(prefix))
            .with_scope(Scope::Partition(rows.partition().clone()))
            .with_after(after.map(Bytes::from))
            .with_limit(asked)
            .with_consistency(page.consistency);
        let listed = self.backend.list_page(options).await?;
        let mut more = listed.next.is_some();
        let mut names = Names { keys: Vec::new(), places: Vec::new(), next: None };
        let mut last = None;
        for meta in listed.items {
            if names.keys.len() >= limit {
                more = true;
                break;
            }
            let parsed = keys::parse(meta.key.name());
            let Some((namespace, id)) = parsed.and_then(|(_, _, rest)| checkpoint_of(rest)) else {
                return Err(lost("the name of a checkpoint"));
            };
            last = Some(PagePosition::After(id.clone(), namespace.clone()));
            if page.namespace.is_none_or(|wanted| *wanted == namespace) {
                names.keys.push(meta.key);
                names.places.push((namespace, id));
            }
        }
        names.next = last.filter(|_| more);
        Ok(names)
    }
}
