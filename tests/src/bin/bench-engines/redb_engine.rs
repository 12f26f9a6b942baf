//! redb behind the comparison's trait.

use std::path::Path;

use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};

use crate::engine::{Engine, Outcome, Pair};
use crate::workload::CACHE_BYTES;

/// The only table.
pub(crate) const RECORDS: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("records");
/// The store's file name inside its folder.
pub(crate) const FILE: &str = "store.redb";

/// How a commit reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// The default.
    OnePhase,
    /// `set_two_phase_commit`.
    TwoPhase,
    /// `set_quick_repair`.
    QuickRepair,
}

/// An open redb store.
#[derive(Debug)]
pub(crate) struct RedbEngine {
    database: Database,
    mode: Commit,
}

impl RedbEngine {
    /// Opens or creates the store in the folder.
    pub(crate) fn open(folder: &Path, mode: Commit) -> Outcome<Self> {
        let database = Builder::new().set_cache_size(CACHE_BYTES).create(folder.join(FILE))?;
        Ok(Self { database, mode })
    }

    fn begin(&self) -> Outcome<WriteTransaction> {
        let mut transaction = self.database.begin_write()?;
        match self.mode {
            Commit::OnePhase => {}
            Commit::TwoPhase => transaction.set_two_phase_commit(true),
            Commit::QuickRepair => transaction.set_quick_repair(true),
        }
        Ok(transaction)
    }
}

/// Inserts the pairs into the only table.
pub(crate) fn insert(transaction: &WriteTransaction, pairs: &[Pair]) -> Outcome<()> {
    let mut table = transaction.open_table(RECORDS)?;
    for (key, value) in pairs {
        table.insert(key.as_slice(), value.as_slice())?;
    }
    Ok(())
}

impl Engine for RedbEngine {
    fn commit(&self, pairs: &[Pair]) -> Outcome<()> {
        let transaction = self.begin()?;
        insert(&transaction, pairs)?;
        Ok(transaction.commit()?)
    }

    fn apply(&self, pairs: &[Pair]) -> Outcome<()> {
        let mut transaction = self.begin()?;
        transaction.set_durability(Durability::None)?;
        insert(&transaction, pairs)?;
        Ok(transaction.commit()?)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let table = self.database.begin_read()?.open_table(RECORDS)?;
        Ok(table.get_owned(key)?.map(|guard| guard.value().to_vec()))
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Outcome<Vec<Pair>> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        let mut found = Vec::with_capacity(limit);
        for entry in ReadableTable::range::<&[u8]>(&table, prefix..)? {
            let (key, value) = entry?;
            if found.len() == limit || !key.value().starts_with(prefix) {
                break;
            }
            found.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(found)
    }

    fn snapshot(&self, keys: &[Vec<u8>]) -> Outcome<Vec<Option<Vec<u8>>>> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let value = ReadableTable::get(&table, key.as_slice())?;
            values.push(value.map(|guard| guard.value().to_vec()));
        }
        Ok(values)
    }

    fn settle(&self) -> Outcome<()> {
        Ok(())
    }

    fn compact(&mut self) -> Outcome<()> {
        while self.database.compact()? {}
        Ok(())
    }
}
