//! What the comparison asks of an embedded engine, and the contenders by name.

use std::error::Error;
use std::path::Path;

use crate::fjall_engine::{Blocks, FjallEngine};
use crate::redb_engine::{Commit, RedbEngine};

/// Result of everything in this program: it stops at the first surprise and prints it.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A key with its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// An open store.
pub(crate) trait Engine: Send + Sync {
    /// Writes all pairs in one transaction that is on the disk when this returns.
    fn commit(&self, pairs: &[Pair]) -> Outcome<()>;
    /// Applies the pairs without making them durable: the positive control of the kill test.
    fn apply(&self, pairs: &[Pair]) -> Outcome<()>;
    /// Reads one value, copied out of the engine.
    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>>;
    /// Reads up to `limit` pairs below a prefix in key order, copied out of the engine.
    fn scan(&self, prefix: &[u8], limit: usize) -> Outcome<Vec<Pair>>;
    /// Reads the keys in one snapshot.
    fn snapshot(&self, keys: &[Vec<u8>]) -> Outcome<Vec<Option<Vec<u8>>>>;
    /// Moves what is held in memory to where it stays, so that reads are those of an old store.
    fn settle(&self) -> Outcome<()>;
    /// Gives unused space back.
    fn compact(&mut self) -> Outcome<()>;
}

/// A contender: an engine with the settings it is tried with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// One sync per commit; a torn commit is found by its checksums.
    Redb,
    /// Two syncs per commit.
    RedbTwoPhase,
    /// Two syncs per commit, and the allocator state in each.
    RedbQuickRepair,
    /// Blocks compressed with lz4, the default.
    Fjall,
    /// Blocks stored as they are.
    FjallPlain,
}

impl Contender {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 5] =
        [Self::Redb, Self::RedbTwoPhase, Self::RedbQuickRepair, Self::Fjall, Self::FjallPlain];

    /// The name used in tables and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::RedbTwoPhase => "redb two-phase",
            Self::RedbQuickRepair => "redb quick-repair",
            Self::Fjall => "fjall",
            Self::FjallPlain => "fjall uncompressed",
        }
    }

    /// The contender of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }

    /// Opens or creates a store in the folder.
    pub(crate) fn open(self, folder: &Path) -> Outcome<Box<dyn Engine>> {
        Ok(match self {
            Self::Redb => Box::new(RedbEngine::open(folder, Commit::OnePhase)?),
            Self::RedbTwoPhase => Box::new(RedbEngine::open(folder, Commit::TwoPhase)?),
            Self::RedbQuickRepair => Box::new(RedbEngine::open(folder, Commit::QuickRepair)?),
            Self::Fjall => Box::new(FjallEngine::open(folder, Blocks::Lz4)?),
            Self::FjallPlain => Box::new(FjallEngine::open(folder, Blocks::Plain)?),
        })
    }
}
