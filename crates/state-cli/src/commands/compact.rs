//! `statectl compact`: makes the file of a store small.

use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;
use state_local::disk_bytes;

use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::open::Store;
use crate::progress;

/// Make the file of a store as small as it can be
///
/// Space that is freed is used again without it. It pays after much was deleted, and where many
/// threads or prefixes have grown side by side. The whole file is written anew, and needs room for
/// its largest table beside itself meanwhile; being interrupted loses nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl compact
  statectl --store file:agent.db compact --json")]
pub(crate) struct Arguments {}

#[derive(Serialize)]
struct Document {
    bytes_before: u64,
    bytes_after: u64,
}

pub(crate) async fn run(_arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let Store::File { store, path, .. } = context.open_store(Access::Existing).await? else {
        return Err(Failure::usage(
            "only the file of a store can be compacted",
            "name one, `--store file:PATH`; a server looks after its memory itself",
        ));
    };
    let bytes_before = disk_bytes(&path).unwrap_or_default();
    let bar = progress::waiting(&context.output, "compact");
    let compacted = store.compact().await;
    bar.finish_and_clear();
    compacted?;
    // Closing takes a little, and gives back what only an open file needs.
    store.close().await?;
    let bytes_after = disk_bytes(&path).unwrap_or_default();
    if context.output.json {
        context.output.json(&Document { bytes_before, bytes_after })?;
    } else {
        let (before, after) = (BinaryBytes(bytes_before), BinaryBytes(bytes_after));
        context.output.line(format_args!("{after} on disk, of {before} before"))?;
    }
    Ok(Answer::Yes)
}
