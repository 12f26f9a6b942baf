//! Taking away what has expired. What has expired is invisible whether it is still there or not.

use state_core::{Change, OpId, Result};

use super::Tx;
use crate::tables::DueKind;

impl Tx<'_> {
    /// Takes away up to `limit` expired records, oldest deadline first, and returns how many.
    pub(crate) fn reclaim(&mut self, limit: usize) -> Result<usize> {
        let due = self.tables.due(self.now.get(), limit)?;
        for item in &due {
            match item.kind {
                DueKind::Entry => {
                    self.tables.remove_entry(&item.key)?;
                    self.tables.log(Change::Expired { key: item.key.clone() })?;
                }
                DueKind::Hash => {
                    self.tables.remove_hash(&item.key)?;
                    self.tables.log(Change::HashChanged { key: item.key.clone() })?;
                }
                DueKind::Operation(id) => {
                    self.tables.forget(&item.key, OpId::from_bytes(id.0))?;
                }
            }
        }
        Ok(due.len())
    }
}
