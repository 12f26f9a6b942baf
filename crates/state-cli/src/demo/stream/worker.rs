//! The worker: holds the lease, reads piece by piece, and commits position and counters together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use state_core::{
    Clock, Error, ErrorKind, Fence, GetOptions, Lease, LeaseOptions, Leases, Precondition,
    PutOptions, Spawn, StateBackend, Transact, Transaction, Version, WriteOp, WriteOutcome,
};

use super::event::Event;
use super::job::{self, FrozenFile, Job, Position, Skipped};
use super::reader::{Piece, Reader};
use super::scan;
use crate::duration::millis;
use crate::failure::Failure;

/// A transaction covers no more bytes than this.
const BYTES_PER_TRANSACTION_MAX: u64 = 8 << 20;
/// How many transactions a job has at least, where it has that many lines.
const TRANSACTIONS_WANTED: u64 = 200;
/// How long a line is taken to be when the number of lines is guessed, in bytes.
const LINE_BYTES_GUESSED: u64 = 40;

/// What the job is to be, if it is not yet in the store.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The folder or file to read, absolute.
    pub(super) root: PathBuf,
    /// Where the store is: not to be read.
    pub(super) not_in: Option<PathBuf>,
    /// Lines per transaction; guessed from the size of the input when not given.
    pub(super) every_lines: Option<u64>,
    /// How long the lease lasts unless it is renewed.
    pub(super) lease_ttl: Duration,
}

/// Works on the job in `store`.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) store: Arc<dyn StateBackend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) plan: Plan,
}

impl Worker {
    /// Works until the job is finished; returns where it stands then.
    ///
    /// Every step is told to `tell`, whose failure ends the work at once. Whatever was committed
    /// stands; what was not is done again by the next worker, from the committed position on.
    pub(super) async fn run(
        &self,
        spawn: Arc<dyn Spawn>,
        mut tell: impl FnMut(Event) -> Result<(), Failure>,
    ) -> Result<Position, Failure> {
        let started = self.clock.monotonic();
        // What cannot work is said before the lease is taken.
        let options = GetOptions::new();
        let found = job::read::<Job>(&*self.store, &job::job_key(), options).await?;
        let scanned = if found.is_none() { Some(self.scan().await?) } else { None };
        let lease = self.acquire(spawn, &mut tell).await?;
        let waited_ms = millis(self.clock.monotonic().saturating_sub(started));
        tell(Event::Acquired { token: lease.token().get(), waited_ms })?;
        let position = lease.run(self.work(&lease, scanned, &mut tell)).await??;
        lease.release().await?;
        Ok(position)
    }

    async fn acquire(
        &self,
        spawn: Arc<dyn Spawn>,
        tell: &mut impl FnMut(Event) -> Result<(), Failure>,
    ) -> Result<Lease, Failure> {
        let ttl = self.plan.lease_ttl;
        let clock = Arc::clone(&self.clock);
        let leases = Leases::new(Arc::clone(&self.store), clock, spawn);
        let roles = self.store.as_lease().ok_or_else(|| Error::unsupported("a lease"))?;
        if let Some(held) = roles.read_lease(&job::LEASE.into()).await? {
            tell(Event::Waiting { remaining_ms: millis(held.remaining) })?;
        }
        let wait_max = ttl.saturating_mul(3).max(Duration::from_secs(30));
        let options = LeaseOptions::new(ttl).with_wait_max(wait_max);
        Ok(leases.acquire(job::LEASE, options).await?)
    }

    async fn work(
        &self,
        lease: &Lease,
        scanned: Option<Scanned>,
        tell: &mut impl FnMut(Event) -> Result<(), Failure>,
    ) -> Result<Position, Failure> {
        let begun = self.begin(&lease.fence(), scanned).await?;
        tell(Event::Begun {
            files: begun.job.files,
            bytes: begun.job.bytes,
            resumed_bytes: begun.position.bytes,
            resumed_lines: begun.position.lines,
            frozen_now: begun.frozen_now,
        })?;
        let started = self.clock.monotonic();
        let working_ms = || millis(self.clock.monotonic().saturating_sub(started));
        let (mut position, mut version) = (begun.position, begun.version);
        let mut reading = read_next(Reader::new(&begun.job, begun.files.into(), position));
        loop {
            let (reader, piece) = reading
                .await
                .map_err(|error| Failure::system("the reading task ended early", &error))?;
            let Some(piece) = piece else { break };
            // The next piece is read while this one is committed.
            reading = read_next(reader);
            tell(Event::Ready { bytes: piece.after.bytes })?;
            version = self.commit(&piece, version, lease.fence()).await?;
            position = piece.after;
            tell(Event::Committed {
                bytes: position.bytes,
                lines: position.lines,
                transactions: position.transactions,
                working_ms: working_ms(),
            })?;
        }
        tell(Event::Finished { working_ms: working_ms() })?;
        Ok(position)
    }

    /// Freezes the list of files in the first transaction, or reads what was frozen; counts this
    /// worker either way.
    async fn begin(&self, fence: &Fence, scanned: Option<Scanned>) -> Result<Begun, Failure> {
        let options = GetOptions::new().with_fence(Some(fence.clone()));
        let found = job::read::<Job>(&*self.store, &job::job_key(), options.clone()).await?;
        let Some((job, _)) = found else { return self.freeze(fence, scanned).await };
        if job.root != self.plan.root {
            return Err(Failure::conflict(
                format!("the job in this store reads `{}`", job.root.display()),
                "name that folder, or another store or namespace",
            ));
        }
        let missing = || Failure::corrupt("the job has no position", "begin in another namespace");
        let key = job::position_key();
        let found = job::read(&*self.store, &key, options.clone()).await?;
        let (position, version) = found.ok_or_else(missing)?;
        let files = job::read_list(&*self.store, &job, options).await?;
        let counted = Transaction::new().op(WriteOp::increment(job::workers_key(), 1));
        transact_of(&*self.store)?.transact(counted.with_fence(Some(fence.clone()))).await?;
        Ok(Begun { job, files, position, version, frozen_now: false })
    }

    async fn scan(&self) -> Result<Scanned, Failure> {
        let Plan { root, not_in, .. } = self.plan.clone();
        let scan = tokio::task::spawn_blocking(move || scan::text_files(&root, not_in.as_deref()));
        scan.await.map_err(|error| Failure::system("the scan ended early", &error))?
    }

    async fn freeze(&self, fence: &Fence, scanned: Option<Scanned>) -> Result<Begun, Failure> {
        let Plan { root, every_lines, .. } = self.plan.clone();
        let (files, skipped) = match scanned {
            Some(scanned) => scanned,
            None => self.scan().await?,
        };
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let guessed = bytes / LINE_BYTES_GUESSED / TRANSACTIONS_WANTED;
        let job = Job {
            root,
            files: files.len() as u64,
            bytes,
            list_entries: job::list_entries(&files).count() as u64,
            lines_per_transaction: every_lines.unwrap_or(guessed).max(1),
            bytes_per_transaction: (bytes / 20).clamp(1, BYTES_PER_TRANSACTION_MAX),
            skipped,
        };
        let absent = PutOptions::new().with_precondition(Precondition::Absent);
        let position = Position::default();
        let mut first = Transaction::new()
            .op(WriteOp::put(job::position_key(), job::encode(&position)?))
            .op(WriteOp::put_opts(job::job_key(), job::encode(&job)?, absent))
            .op(WriteOp::increment(job::workers_key(), 1));
        for (key, files) in job::list_entries(&files) {
            first = first.op(WriteOp::put(key, job::encode(files)?));
        }
        let first = first.with_fence(Some(fence.clone()));
        let receipts = transact_of(&*self.store)?.transact(first).await?;
        let version = version_of(receipts)?;
        Ok(Begun { job, files, position, version, frozen_now: true })
    }

    async fn commit(
        &self,
        piece: &Piece,
        version: Version,
        fence: Fence,
    ) -> Result<Version, Failure> {
        Ok(commit(&*self.store, piece, version, fence).await?)
    }
}

/// Commits the position and the counters in one transaction: only as the holder of the lease, and
/// only if the position is still the one that the piece was read from.
pub(super) async fn commit(
    store: &dyn StateBackend,
    piece: &Piece,
    version: Version,
    fence: Fence,
) -> state_core::Result<Version> {
    let unchanged = PutOptions::new().with_precondition(version);
    let position = serde_json::to_vec(&piece.after).map_err(|error| {
        Error::new(ErrorKind::Internal, "the position cannot be written").with_source(error)
    })?;
    let mut transaction =
        Transaction::new().op(WriteOp::put_opts(job::position_key(), position, unchanged));
    for (kind, counts) in &piece.counts {
        let counters = [("files", counts.files), ("lines", counts.lines), ("words", counts.words)];
        for (what, count) in counters {
            let by = i64::try_from(count).unwrap_or(i64::MAX);
            transaction = transaction.op(WriteOp::increment(job::counter_key(what, kind), by));
        }
    }
    let receipts = transact_of(store)?.transact(transaction.with_fence(Some(fence))).await?;
    version_of(receipts)
}

/// The files with text, and what was left out.
type Scanned = (Vec<FrozenFile>, Skipped);

/// What a worker begins with.
struct Begun {
    job: Job,
    files: Vec<FrozenFile>,
    position: Position,
    version: Version,
    frozen_now: bool,
}

type Reading = tokio::task::JoinHandle<(Reader, Option<Piece>)>;

/// Reads and counts on a thread of its own, so that the lease is renewed meanwhile.
fn read_next(mut reader: Reader) -> Reading {
    tokio::task::spawn_blocking(move || {
        let piece = reader.next_piece();
        (reader, piece)
    })
}

fn transact_of(store: &dyn StateBackend) -> state_core::Result<&dyn Transact> {
    store.as_transact().ok_or_else(|| Error::unsupported("a transaction"))
}

/// The version that the first write of a transaction made.
fn version_of(receipts: Vec<WriteOutcome>) -> state_core::Result<Version> {
    match receipts.into_iter().next() {
        Some(WriteOutcome::Written(written)) => Ok(written.version),
        _ => Err(Error::new(ErrorKind::Internal, "the receipt of the transaction is incomplete")),
    }
}
