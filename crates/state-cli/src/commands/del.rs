//! `statectl del`: removes keys.

use clap::Args;
use serde::Serialize;
use state_core::{DeleteOptions, Version, WriteOp, WriteOutcome};

use super::put::parse_version;
use crate::cli::PartitionArgument;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::value::JsonKey;

/// Remove keys
///
/// Prints how many of them there were. Exit code 1 when there was none of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl del user:7
  statectl del a b c
  statectl del user:7 --if-version 0123456789abcdef0123456789abcdef
  statectl ls --keys old: | xargs statectl del")]
pub(crate) struct Arguments {
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    partition: PartitionArgument,
    /// Only if the entry has this version (one key)
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    if_version: Option<Version>,
}

#[derive(Serialize)]
struct Document {
    deleted: u64,
    keys: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    key: JsonKey,
    existed: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let partition = arguments.partition.partition.as_deref();
    let keys = arguments.keys.iter().map(|key| context.key_in(key, partition));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let store = context.open(Access::Existing).await?;
    let limits = store.capabilities().limits;
    keys.iter().try_for_each(|key| limits.check_key(key))?;
    let mut existed = Vec::with_capacity(keys.len());
    if let Some(version) = arguments.if_version {
        let [key] = keys.as_slice() else {
            return Err(Failure::usage(
                "--if-version goes with one key",
                "delete the keys one by one, each with its version",
            ));
        };
        let options = DeleteOptions::new().with_precondition(version);
        existed.push(store.delete_opts(key, options).await?.existed);
    } else {
        for chunk in keys.chunks(limits.batch_ops_max.max(1)) {
            for outcome in store.write_many(chunk.iter().map(WriteOp::delete).collect()).await? {
                existed.push(matches!(outcome?, WriteOutcome::Deleted(gone) if gone.existed));
            }
        }
    }
    let deleted = existed.iter().map(|existed| u64::from(*existed)).sum();
    if context.output.json {
        let lines = keys.iter().zip(existed);
        let keys = lines.map(|(key, existed)| Line { key: JsonKey::new(key), existed }).collect();
        context.output.json(&Document { deleted, keys })?;
    } else {
        context.output.line(deleted)?;
    }
    Ok(if deleted > 0 { Answer::Yes } else { Answer::No })
}
