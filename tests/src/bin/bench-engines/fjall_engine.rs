//! fjall behind the comparison's trait.

use std::path::Path;

use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::engine::{Engine, Outcome, Pair};
use crate::workload::CACHE_BYTES;

/// How blocks are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// The default.
    Lz4,
    /// As they are.
    Plain,
}

/// An open fjall store.
pub(crate) struct FjallEngine {
    database: Database,
    records: Keyspace,
}

impl FjallEngine {
    /// Opens or creates the store in the folder.
    pub(crate) fn open(folder: &Path, blocks: Blocks) -> Outcome<Self> {
        let mut builder = Database::builder(folder).cache_size(CACHE_BYTES as u64);
        if blocks == Blocks::Plain {
            builder = builder.journal_compression(fjall::CompressionType::None);
        }
        let database = builder.open()?;
        let records = database.keyspace("records", || {
            let options = KeyspaceCreateOptions::default();
            match blocks {
                Blocks::Lz4 => options,
                Blocks::Plain => {
                    options.data_block_compression_policy(CompressionPolicy::disabled())
                }
            }
        })?;
        Ok(Self { database, records })
    }

    fn write(&self, pairs: &[Pair], mode: PersistMode) -> Outcome<()> {
        let mut batch = self.database.batch().durability(Some(mode));
        for (key, value) in pairs {
            batch.insert(&self.records, key.as_slice(), value.as_slice());
        }
        Ok(batch.commit()?)
    }
}

impl Engine for FjallEngine {
    fn commit(&self, pairs: &[Pair]) -> Outcome<()> {
        self.write(pairs, PersistMode::SyncData)
    }

    fn apply(&self, pairs: &[Pair]) -> Outcome<()> {
        let mut batch = self.database.batch().durability(None);
        for (key, value) in pairs {
            batch.insert(&self.records, key.as_slice(), value.as_slice());
        }
        Ok(batch.commit()?)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        Ok(self.records.get(key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Outcome<Vec<Pair>> {
        let mut found = Vec::with_capacity(limit);
        for guard in self.records.prefix(prefix).take(limit) {
            let (key, value) = guard.into_inner()?;
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    fn snapshot(&self, keys: &[Vec<u8>]) -> Outcome<Vec<Option<Vec<u8>>>> {
        let snapshot = self.database.snapshot();
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let value = snapshot.get(&self.records, key)?;
            values.push(value.map(|value| value.to_vec()));
        }
        Ok(values)
    }

    fn settle(&self) -> Outcome<()> {
        Ok(self.records.rotate_memtable_and_wait()?)
    }

    fn compact(&mut self) -> Outcome<()> {
        self.records.rotate_memtable_and_wait()?;
        Ok(self.records.major_compact()?)
    }
}
