//! `statectl put`: stores a value.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use state_core::{Expiry, Precondition, PutOptions, Version};

use crate::cli::KeyArguments;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::value::JsonKey;
use crate::{duration, key_text, value};

/// Store a value, and print the version that it got
///
/// Without --ttl the entry gets no lifetime, also when it had one; --keep-ttl keeps it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl put user:7 '{\"name\":\"Ada\"}'
  statectl put session:9 open --ttl 30m
  statectl put photo @photo.jpg             from a file
  date | statectl put now -                 from standard input
  statectl put lock me --if-absent          exit code 4 when there is one
  statectl put user:7 new --if-version 0123456789abcdef0123456789abcdef")]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// The value: text, `@FILE`, or `-` for standard input
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// How long the entry lives, for example 30s, 5m, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// Keep the lifetime that the entry has
    #[arg(long, conflicts_with = "ttl")]
    keep_ttl: bool,
    /// Only if there is no such key
    #[arg(long, conflicts_with = "if_version")]
    if_absent: bool,
    /// Only if the entry has this version
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    if_version: Option<Version>,
}

#[derive(Serialize)]
struct Receipt {
    #[serde(flatten)]
    key: JsonKey,
    version: String,
    fsynced: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let key = context.key(&arguments.key)?;
    let store = context.open(Access::Create).await?;
    let bytes = value::read(&arguments.value, store.capabilities().limits.value_bytes_max)?;
    let precondition = match arguments.if_version {
        Some(version) => Precondition::Matches(version),
        None if arguments.if_absent => Precondition::Absent,
        None => Precondition::Always,
    };
    let expiry = match arguments.ttl {
        Some(ttl) => Expiry::After(ttl),
        None if arguments.keep_ttl => Expiry::Keep,
        None => Expiry::Default,
    };
    let options = PutOptions::new().with_precondition(precondition).with_expiry(expiry);
    let written = store.put_opts(&key, bytes, options).await?;
    if context.output.json {
        context.output.json(&Receipt {
            key: JsonKey::new(&key),
            version: written.version.to_string(),
            fsynced: written.acks.fsynced,
        })?;
    } else {
        context.output.line(written.version)?;
    }
    Ok(Answer::Yes)
}

/// Reads the 32 hexadecimal digits of a version.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    let bytes = key_text::unhex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.map(Version::from_bytes).ok_or_else(|| {
        "a version has 32 hexadecimal digits; `put`, `ls` and `get --json` show it".to_owned()
    })
}
