//! Writing what a backend holds into a snapshot file.

use std::io::Write;

use futures_core::stream::Stream;
use futures_util::StreamExt;
use state_core::{Result, SnapshotLevel, SnapshotOptions, SnapshotRecord, StateBackend};

use super::{
    SnapshotFileOptions, SnapshotProgress, SnapshotStage, SnapshotSummary, SnapshotWriter,
};

/// Writes everything that `what` names in `backend` into `sink`.
///
/// The records come as the backend streams them; writing blocks for one block at a time, so
/// call it where blocking is allowed. Memory does not grow with the number of records. Whether
/// the file shows one point in time is taken from the backend.
///
/// # Errors
/// Those of the backend and of [`SnapshotWriter`]; the file is incomplete then, and every reader
/// refuses it.
///
/// # Cancellation
/// Leaves an incomplete file.
pub async fn write_snapshot<B: StateBackend + ?Sized, W: Write + Send>(
    backend: &B,
    what: SnapshotOptions,
    sink: W,
    options: SnapshotFileOptions,
    progress: impl FnMut(SnapshotProgress) + Send,
) -> Result<(W, SnapshotSummary)> {
    let point_in_time = backend.capabilities().snapshot() == SnapshotLevel::PointInTime;
    let records = backend.snapshot_opts(what).await?;
    write_records(records, sink, options.with_point_in_time(point_in_time), progress).await
}

/// Writes a stream of records into `sink`; otherwise as [`write_snapshot`].
///
/// # Errors
/// Those of the stream and of [`SnapshotWriter`]; the file is incomplete then, and every reader
/// refuses it.
///
/// # Cancellation
/// Leaves an incomplete file, and of the stream whatever dropping it half-read leaves.
pub async fn write_records<S, W: Write + Send>(
    records: S,
    sink: W,
    options: SnapshotFileOptions,
    mut progress: impl FnMut(SnapshotProgress) + Send,
) -> Result<(W, SnapshotSummary)>
where
    S: Stream<Item = Result<SnapshotRecord>> + Send,
{
    let mut writer = SnapshotWriter::new(sink, options)?;
    let mut records = std::pin::pin!(records);
    let mut told = writer.progress().bytes;
    while let Some(record) = records.next().await {
        writer.write(&record?)?;
        let now = writer.progress();
        if now.bytes != told {
            told = now.bytes;
            progress(now);
        }
    }
    let (sink, whole) = writer.finish()?;
    progress(SnapshotProgress::new(SnapshotStage::Write, whole.records, whole.file_bytes));
    Ok((sink, whole))
}
