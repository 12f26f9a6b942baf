//! A simulated storage for redb: records every write, fails on demand, and tells what a power cut would have left.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::workload::Seeded;

/// Bytes that reach a disk as a whole or not at all.
const SECTOR: usize = 512;

/// An operation to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The next write.
    Write,
    /// The next sync.
    Sync,
    /// The next read.
    Read,
}

#[derive(Debug, Clone)]
enum Operation {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

#[derive(Debug, Default)]
struct State {
    now: Vec<u8>,
    history: Vec<Operation>,
    fault: Option<Fault>,
}

/// The storage; a [`Handle`] of it is what an engine opens.
#[derive(Debug, Default)]
pub(crate) struct Simulated(Mutex<State>);

/// One opening of a storage.
#[derive(Debug)]
pub(crate) struct Handle(Arc<Simulated>);

impl Simulated {
    /// An empty storage.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A storage that holds what a power cut left.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(State { now: bytes, ..State::default() }))
    }

    /// What an engine opens.
    pub(crate) fn handle(self: Arc<Self>) -> Handle {
        Handle(self)
    }

    /// Makes the next operation of that kind fail, once.
    pub(crate) fn fail_next(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Operations so far; a place where the power can be cut.
    pub(crate) fn operations(&self) -> usize {
        self.state().history.len()
    }

    /// The bytes after each operation, in order and without loss.
    pub(crate) fn images_at_every_operation(&self) -> Vec<Vec<u8>> {
        let mut image = Vec::new();
        let history = self.state().history.clone();
        history
            .iter()
            .map(|operation| {
                apply(&mut image, operation, |_| true);
                image.clone()
            })
            .collect()
    }

    /// The bytes after `operations` operations, without loss.
    pub(crate) fn image_of(&self, operations: usize) -> Vec<u8> {
        let mut image = Vec::new();
        for operation in self.state().history.iter().take(operations) {
            apply(&mut image, operation, |_| true);
        }
        image
    }

    /// What a power cut after `operations` operations leaves: all that was synced, and of each later write a random
    /// part of its sectors.
    pub(crate) fn image_after(&self, operations: usize, seeded: &mut Seeded) -> Vec<u8> {
        let history = self.state().history.clone();
        let done = history.get(..operations).unwrap_or(&history);
        let synced = done
            .iter()
            .rposition(|each| matches!(each, Operation::Sync))
            .map_or(0, |last| last + 1);
        let mut image = Vec::new();
        // Now and then the disk was quick enough and kept everything.
        let all = seeded.below(8) == 0;
        for (at, operation) in done.iter().enumerate() {
            if all || at < synced {
                apply(&mut image, operation, |_| true);
                continue;
            }
            // Half of the writes are torn by sector, a quarter lost and a quarter kept as a whole.
            let fate = seeded.below(4);
            apply(&mut image, operation, |_| match fate {
                0 => false,
                1 => true,
                _ => seeded.below(2) == 0,
            });
        }
        image
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies what of the operation survives; `survives` is asked for each sector.
fn apply(image: &mut Vec<u8>, operation: &Operation, mut survives: impl FnMut(usize) -> bool) {
    match operation {
        Operation::Sync => {}
        Operation::Length(length) => {
            // A growing file has its new length or not; a lost growth shows as writes past the end.
            if survives(0) {
                image.resize(*length, 0);
            }
        }
        Operation::Write(offset, bytes) => {
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                let start = offset + number * SECTOR;
                let end = start + sector.len();
                if survives(start) {
                    if image.len() < end {
                        image.resize(end, 0);
                    }
                    if let Some(place) = image.get_mut(start..end) {
                        place.copy_from_slice(sector);
                    }
                }
            }
        }
    }
}

impl Handle {
    fn run<T>(
        &self,
        fault: Fault,
        work: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.0.state();
        if state.fault == Some(fault) {
            state.fault = None;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        work(&mut state)
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.0.state().now.len()).unwrap_or(u64::MAX))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.run(Fault::Read, |state| {
            let start = place(offset)?;
            let bytes = state.now.get(start..start + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(Fault::Write, |state| state.record(Operation::Length(place(len)?)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.run(Fault::Sync, |state| state.record(Operation::Sync))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.run(Fault::Write, |state| {
            state.record(Operation::Write(place(offset)?, data.to_vec()))
        })
    }
}

impl State {
    #[expect(clippy::unnecessary_wraps, reason = "the tail of each fallible storage operation")]
    fn record(&mut self, operation: Operation) -> io::Result<()> {
        apply(&mut self.now, &operation, |_| true);
        self.history.push(operation);
        Ok(())
    }
}
