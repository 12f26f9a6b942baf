//! Reading one checkpoint.

use std::time::Duration;

use state_core::{Consistency, ErrorKind, Expiry, PutOptions, Result, Version};

use super::append::read_record;
use super::keys::{self, Rows};
use super::rows::{self, Head};
use super::{BackendThreads, TRIES, lost, too_busy};
use crate::store::{Load, Loaded, Values};

impl BackendThreads {
    pub(super) async fn load_checkpoint(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        for _ in 0..TRIES {
            let Some((head, version)) = self.head(load.thread, load.consistency).await? else {
                return Ok(None);
            };
            if load.refresh {
                self.refresh(&load, &head, version).await?;
            }
            let rows = Rows::new(load.thread, head.life.generation);
            let id = match load.id {
                Some(id) => Some(id.clone()),
                None => self.latest(&head, &rows, load.namespace, load.consistency).await?,
            };
            let Some(id) = id else { return Ok(None) };
            let known = load.known.is_some_and(|(life, known)| life == head.life && *known == id);
            let mut record = None;
            if !known {
                let mut names = vec![rows.record(keys::RECORD, load.namespace, &id)];
                if load.hidden {
                    names.push(rows.record(keys::HIDDEN, load.namespace, &id));
                }
                let found = self.raw_rows(&names, load.consistency).await?;
                record = found.into_iter().flatten().next();
                if record.is_none() && load.id.is_some() {
                    return Ok(None);
                }
            }
            let (writes, torn) = if load.writes {
                self.writes_of(&rows, load.namespace, &id, load.consistency).await?
            } else {
                (Vec::new(), false)
            };
            let missing = record.is_none() && !known;
            if (torn || missing) && !self.is_unchanged(&load, &head).await? {
                continue;
            }
            if missing {
                return Err(lost("the latest checkpoint"));
            }
            let record = record.map(|record| read_record(&record)).transpose()?;
            let values = Values::default();
            return Ok(Some(Loaded { life: head.life, id, record, writes, values }));
        }
        Err(too_busy())
    }

    /// Whether the thread is still as `head` says; a touch of its lifetime is no change.
    async fn is_unchanged(&self, load: &Load<'_>, head: &Head) -> Result<bool> {
        let now = self.head(load.thread, Consistency::Strong).await?;
        Ok(now.is_some_and(|(now, _)| now.life == head.life && now.serial == head.serial))
    }

    /// Begins the lifetime of a thread anew. Who writes meanwhile does that too.
    async fn refresh(&self, load: &Load<'_>, head: &Head, version: Version) -> Result<()> {
        let Some(lifetime_ms) = head.lifetime_ms.filter(|_| !head.pinned) else { return Ok(()) };
        let key = keys::head(load.thread);
        let value = rows::seal(&key, &head.encode());
        let options = PutOptions::new()
            .with_precondition(version)
            .with_expiry(Expiry::After(Duration::from_millis(lifetime_ms)));
        match self.backend.put_opts(&key, value, options).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }
}
