//! A simulated storage: keeps a history of what was written, fails on demand, and tells what a
//! power cut would have left.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use state_local::Storage;

use crate::seeded::Seeded;

/// Bytes that reach a disk as a whole or not at all.
const SECTOR: usize = 512;

/// What the storage is asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// To read bytes.
    Read,
    /// To write bytes.
    Write,
    /// To have another length.
    SetLen,
    /// To make everything survive a power cut.
    Sync,
}

/// Calls that fail.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The kind of call.
    pub call: Call,
    /// Calls of that kind that still succeed before.
    pub after: usize,
    /// Whether every later call of that kind fails too, until the fault is cleared.
    pub lasting: bool,
    /// How they fail.
    pub kind: io::ErrorKind,
}

impl Fault {
    /// The next call of this kind fails, and only that.
    pub const fn of_next(call: Call, kind: io::ErrorKind) -> Self {
        Self { call, after: 0, lasting: false, kind }
    }

    /// So many calls of the kind still succeed before.
    #[must_use]
    pub const fn after(mut self, calls: usize) -> Self {
        self.after = calls;
        self
    }

    /// Whether every later call of the kind fails too.
    #[must_use]
    pub const fn lasting(mut self, lasting: bool) -> Self {
        self.lasting = lasting;
        self
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Arc<[u8]>),
    Length(usize),
    Sync,
}

#[derive(Debug, Default)]
struct State {
    /// What it held at first, which no power cut takes away.
    base: Vec<u8>,
    now: Vec<u8>,
    history: Vec<Operation>,
    fault: Option<Fault>,
    /// How often a fault has struck.
    struck: usize,
}

/// A simulated storage.
#[derive(Debug, Default)]
pub struct Simulated {
    state: Mutex<State>,
    /// Whether a history is kept.
    records: bool,
}

impl Simulated {
    /// An empty storage that keeps a history.
    pub fn recording() -> Self {
        Self { state: Mutex::default(), records: true }
    }

    /// A storage that holds `bytes`.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self { state: Mutex::new(State { now: bytes, ..State::default() }), records: false }
    }

    /// A storage that holds `bytes`, as a power cut has left them, and keeps a history.
    pub fn recording_from(bytes: Vec<u8>) -> Self {
        let state = State { base: bytes.clone(), now: bytes, ..State::default() };
        Self { state: Mutex::new(state), records: true }
    }

    /// Lets calls fail from now on, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// How many calls have failed.
    pub fn struck(&self) -> usize {
        self.state().struck
    }

    /// What it holds now.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().now.clone()
    }

    /// Operations so far; a place where the power can be cut.
    pub fn operations(&self) -> usize {
        self.state().history.len()
    }

    /// The bytes after `operations` operations, without loss.
    pub fn image_of(&self, operations: usize) -> Vec<u8> {
        let state = self.state();
        let mut image = state.base.clone();
        for operation in state.history.iter().take(operations) {
            apply(&mut image, operation, |_| true);
        }
        image
    }

    /// What a power cut after `operations` operations leaves: all that was synced, and of each
    /// later write a random part of its sectors. A storage that `ignores_syncs` promised what it
    /// did not keep: nothing but its creation is safe.
    pub fn image_after(
        &self,
        operations: usize,
        ignores_syncs: Option<usize>,
        seeded: &mut Seeded,
    ) -> Vec<u8> {
        let history = self.state().history.get(..operations).map(<[_]>::to_vec);
        let history = history.unwrap_or_default();
        let last_sync = history.iter().rposition(|each| matches!(each, Operation::Sync));
        let safe = ignores_syncs.unwrap_or_else(|| last_sync.map_or(0, |last| last + 1));
        // Now and then the disk was quick and kept everything, or slow and kept nothing.
        let extreme = seeded.below(16);
        let mut order: Vec<usize> = (0..history.len()).collect();
        let unsafe_part = order.get_mut(safe..).unwrap_or_default();
        if seeded.below(2) == 0 {
            shuffle(unsafe_part, seeded);
        }
        let mut image = self.state().base.clone();
        for at in order {
            let Some(operation) = history.get(at) else { continue };
            if at < safe || extreme == 0 {
                apply(&mut image, operation, |_| true);
                continue;
            }
            // Half of the writes are torn by sector, a quarter lost and a quarter kept whole.
            let fate = if extreme == 1 { 0 } else { seeded.below(4) };
            apply(&mut image, operation, |_| match fate {
                0 => false,
                1 => true,
                _ => seeded.below(2) == 0,
            });
        }
        image
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, call: Call, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        if let Some(fault) = &mut state.fault
            && fault.call == call
        {
            if fault.after > 0 {
                fault.after -= 1;
            } else {
                let Fault { kind, lasting, .. } = *fault;
                if !lasting {
                    state.fault = None;
                }
                state.struck += 1;
                return Err(kind.into());
            }
        }
        work(&mut state)
    }

    fn change(&self, call: Call, operation: &Operation) -> io::Result<()> {
        let records = self.records;
        self.call(call, |state| {
            apply(&mut state.now, operation, |_| true);
            if records {
                state.history.push(operation.clone());
            }
            Ok(())
        })
    }
}

fn shuffle(order: &mut [usize], seeded: &mut Seeded) {
    for last in (1..order.len()).rev() {
        order.swap(last, seeded.below(last + 1));
    }
}

/// Applies what of the operation survives; `survives` is asked for each sector.
fn apply(image: &mut Vec<u8>, operation: &Operation, mut survives: impl FnMut(usize) -> bool) {
    match operation {
        Operation::Sync => {}
        Operation::Length(length) => {
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

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl Storage for Simulated {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.call(Call::Read, |state| {
            let start = place(offset)?;
            let bytes = state.now.get(start..start + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Call::SetLen, &Operation::Length(place(len)?))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Call::Sync, &Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Call::Write, &Operation::Write(place(offset)?, data.into()))
    }
}
