//! What the tasks of a crash test write, and what must be there after any number of their
//! operations.
//!
//! Each task makes its operations one after the other, and operation `n` of a task follows from
//! the seed, the task and `n` alone. So whoever knows how many operations of a task were
//! acknowledged knows what the store must hold of it: the state after that many operations, or
//! after one more, whose acknowledgement was lost.

use std::collections::BTreeMap;

use state_core::{
    HashWriteOptions, IncrementOptions, Key, Outcome, PutOptions, Result, StateBackend,
    StateBackendExt, Transaction, WriteOp,
};

use state_tests::seeded::Seeded;

/// Tasks that write at the same time.
pub(crate) const TASKS: usize = 8;
/// Plain keys of each task.
const KEYS: usize = 6;
const FIELDS: usize = 4;
/// Lost operations that are told apart from a mixture.
const LOST_MAX: u64 = 50;
/// The counter that all tasks share.
const TOTAL: &str = "total";

/// An operation.
#[derive(Clone, Debug)]
enum Op {
    Put(usize),
    Delete(usize),
    /// Two keys get the same value, in one transaction.
    Pair,
    /// A marker of the task and the shared counter, in one transaction.
    Count,
    Fields(usize, usize),
    DropField(usize),
}

/// What the store holds of one task.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TaskState {
    entries: BTreeMap<String, Vec<u8>>,
    fields: BTreeMap<String, Vec<u8>>,
    /// What the task has added to the shared counter.
    pub(crate) counted: i64,
}

/// The operations of one task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) task: usize,
}

impl Plan {
    fn op(self, number: u64) -> (Op, Vec<u8>) {
        let part = number.wrapping_mul(TASKS as u64).wrapping_add(self.task as u64);
        let mut seeded = Seeded::of(self.seed, part);
        let op = match seeded.below(20) {
            0..=7 => Op::Put(seeded.below(KEYS)),
            8 | 9 => Op::Delete(seeded.below(KEYS)),
            10..=13 => Op::Pair,
            14..=16 => Op::Count,
            17 | 18 => Op::Fields(seeded.below(FIELDS), seeded.below(FIELDS)),
            _ => Op::DropField(seeded.below(FIELDS)),
        };
        let length = if seeded.below(10) == 0 { seeded.below(9_000) } else { seeded.below(300) };
        let value = format!("{}:{number}:", self.task).into_bytes();
        let filler = std::iter::repeat_with(|| seeded.number().to_le_bytes()).flatten();
        (op, value.into_iter().chain(filler.take(length)).collect())
    }

    fn key(self, name: impl std::fmt::Display) -> String {
        format!("task{}/{name}", self.task)
    }

    fn hash(self) -> Key {
        Key::in_partition(format!("task{}", self.task), "hash")
    }

    /// Makes operation `number`, the first being 1.
    pub(crate) async fn make(self, backend: &dyn StateBackend, number: u64) -> Result<()> {
        let (op, value) = self.op(number);
        match op {
            Op::Put(key) => backend.put(self.key(key), value).await.map(drop),
            Op::Delete(key) => backend.delete(self.key(key)).await.map(drop),
            Op::Pair => {
                let put = |name| WriteOp::Put {
                    key: Key::from(self.key(name)),
                    value: value.clone().into(),
                    options: PutOptions::new(),
                };
                self.transact(backend, [put("left"), put("right")]).await
            }
            Op::Count => {
                let put = WriteOp::Put {
                    key: Key::from(self.key("counted")),
                    value: value.into(),
                    options: PutOptions::new(),
                };
                let add = WriteOp::Increment {
                    key: Key::from(TOTAL),
                    by: 1,
                    options: IncrementOptions::new(),
                };
                self.transact(backend, [put, add]).await
            }
            Op::Fields(one, other) => {
                let fields = vec![
                    (format!("f{one}").into(), value.clone().into()),
                    (format!("f{other}").into(), value.into()),
                ];
                let hashes = backend.as_hash().ok_or_else(no_role)?;
                hashes.hash_set(&self.hash(), fields, HashWriteOptions::new()).await.map(drop)
            }
            Op::DropField(field) => {
                let fields = [format!("f{field}").into()];
                let hashes = backend.as_hash().ok_or_else(no_role)?;
                hashes.hash_delete(&self.hash(), &fields, HashWriteOptions::new()).await.map(drop)
            }
        }
    }

    async fn transact(self, backend: &dyn StateBackend, ops: [WriteOp; 2]) -> Result<()> {
        let transaction = ops.into_iter().fold(Transaction::new(), Transaction::op);
        backend.as_transact().ok_or_else(no_role)?.transact(transaction).await.map(drop)
    }

    /// What operation `number` makes of `state`.
    pub(crate) fn apply(self, state: &mut TaskState, number: u64) {
        let (op, value) = self.op(number);
        match op {
            Op::Put(key) => {
                state.entries.insert(self.key(key), value);
            }
            Op::Delete(key) => {
                state.entries.remove(&self.key(key));
            }
            Op::Pair => {
                state.entries.insert(self.key("left"), value.clone());
                state.entries.insert(self.key("right"), value);
            }
            Op::Count => {
                state.entries.insert(self.key("counted"), value);
                state.counted += 1;
            }
            Op::Fields(one, other) => {
                state.fields.insert(format!("f{one}"), value.clone());
                state.fields.insert(format!("f{other}"), value);
            }
            Op::DropField(field) => {
                state.fields.remove(&format!("f{field}"));
            }
        }
    }

    /// What must be there after `count` operations.
    pub(crate) fn after(self, count: u64) -> TaskState {
        let mut state = TaskState::default();
        for number in 1..=count {
            self.apply(&mut state, number);
        }
        state
    }

    /// What is there. What the task has counted cannot be seen apart from the others.
    async fn read(self, backend: &dyn StateBackend) -> Result<TaskState> {
        let mut state = TaskState::default();
        let names = (0..KEYS).map(|key| key.to_string());
        let names = names.chain(["left", "right", "counted"].map(str::to_owned));
        for name in names {
            if let Some(value) = backend.get(self.key(&name)).await? {
                state.entries.insert(self.key(&name), value.to_vec());
            }
        }
        let hashes = backend.as_hash().ok_or_else(no_role)?;
        let options = state_core::HashPageOptions::new();
        for (field, value) in hashes.hash_page(&self.hash(), options).await?.items {
            state.fields.insert(String::from_utf8_lossy(&field).into_owned(), value.to_vec());
        }
        Ok(state)
    }

    /// How many of the records after `count` operations are missing; an error when one is not
    /// what it was.
    pub(crate) async fn missing(
        self,
        backend: &dyn StateBackend,
        count: u64,
    ) -> std::result::Result<usize, Mismatch> {
        let found = self.read(backend).await;
        let found = found.map_err(|error| Mismatch::Unreadable(error.to_string()))?;
        let right = self.after(count);
        let entries =
            found.entries.iter().all(|(key, value)| right.entries.get(key) == Some(value));
        let fields = found.fields.iter().all(|(key, value)| right.fields.get(key) == Some(value));
        let records = |state: &TaskState| state.entries.len() + state.fields.len();
        if entries && fields { Ok(records(&right) - records(&found)) } else { Err(Mismatch::Mixed) }
    }

    /// How many operations the store holds: `acknowledged` or one more.
    ///
    /// # Errors
    /// In words, when it holds neither.
    pub(crate) async fn find(
        self,
        backend: &dyn StateBackend,
        acknowledged: u64,
        slack: u64,
    ) -> std::result::Result<(u64, TaskState), Mismatch> {
        let found =
            self.read(backend).await.map_err(|error| Mismatch::Unreadable(error.to_string()))?;
        let mut state = self.after(acknowledged);
        for number in acknowledged..=acknowledged + slack {
            if number > acknowledged {
                self.apply(&mut state, number);
            }
            let counted = std::mem::take(&mut state.counted);
            let same = state == found;
            state.counted = counted;
            if same {
                return Ok((number, state));
            }
        }
        for lost in 1..=acknowledged.min(LOST_MAX) {
            let earlier = TaskState { counted: 0, ..self.after(acknowledged - lost) };
            if earlier == found {
                return Err(Mismatch::Lost(lost));
            }
        }
        Err(Mismatch::Mixed)
    }
}

/// How a store differs from what was acknowledged.
#[derive(Clone, Debug)]
pub(crate) enum Mismatch {
    /// The last so many operations of a task are missing.
    Lost(u64),
    /// It is the state after no number of operations.
    Mixed,
    /// It cannot be read.
    Unreadable(String),
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(count) => write!(f, "{count} acknowledged operations of a task are lost"),
            Self::Mixed => write!(f, "a task's records are of no single moment"),
            Self::Unreadable(error) => write!(f, "the store cannot be read: {error}"),
        }
    }
}

/// Compares a store with what was acknowledged of each task: how many operations it holds.
pub(crate) async fn verify(
    backend: &dyn StateBackend,
    seed: u64,
    acknowledged: &[u64],
) -> std::result::Result<Vec<u64>, Mismatch> {
    let mut counts = Vec::new();
    let mut counted = 0;
    for (task, &acknowledged) in acknowledged.iter().enumerate() {
        let (count, state) = Plan { seed, task }.find(backend, acknowledged, 1).await?;
        counts.push(count);
        counted += state.counted;
    }
    let total = backend.get(TOTAL).await;
    let total = total.map_err(|error| Mismatch::Unreadable(error.to_string()))?;
    let total = total.map_or(Some(0), |value| std::str::from_utf8(&value).ok()?.parse().ok());
    if total == Some(counted) { Ok(counts) } else { Err(Mismatch::Mixed) }
}

/// Whether an operation that failed with this outcome may be there.
pub(crate) fn may_be_applied(outcome: Outcome) -> bool {
    outcome != Outcome::NotApplied
}

fn no_role() -> state_core::Error {
    state_core::Error::unsupported("a role of the file store")
}
