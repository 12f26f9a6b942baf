//! `statectl ttl`: shows or changes a lifetime.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use state_core::{Expires, Expiry, GetOptions, TouchOptions};

use super::get::absent;
use crate::cli::KeyArguments;
use crate::context::{Access, Context};
use crate::duration;
use crate::failure::{Answer, Failure};
use crate::value::{JsonExpires, JsonKey};

/// Show or change how long an entry lives
///
/// The value and the version stay. Exit code 1 when there is no such key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl ttl session:9
  statectl ttl session:9 --set 2h
  statectl ttl session:9 --persist     no lifetime any more")]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Let the entry live this long from now on
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    set: Option<Duration>,
    /// Take the lifetime away
    #[arg(long, conflicts_with = "set")]
    persist: bool,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    key: JsonKey,
    found: bool,
    /// Whether the entry has a lifetime.
    mortal: bool,
    #[serde(flatten)]
    expires: JsonExpires,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let key = context.key(&arguments.key)?;
    let change = match arguments.set {
        Some(ttl) => Some(Expiry::After(ttl)),
        None => arguments.persist.then_some(Expiry::Never),
    };
    let access = if change.is_some() { Access::Existing } else { Access::Read };
    let store = context.open(access).await?;
    if let Some(expiry) = change
        && !store.touch_opts(&key, TouchOptions::new(expiry)).await?
    {
        return absent(&key, context);
    }
    let options = GetOptions::new().with_head(true).with_expiry(true);
    let Some(entry) = store.get_opts(&key, options).await? else {
        return absent(&key, context);
    };
    let output = &context.output;
    if output.json {
        output.json(&Document {
            key: JsonKey::new(&key),
            found: true,
            mortal: matches!(entry.expires, Expires::At { .. }),
            expires: JsonExpires::new(entry.expires),
        })?;
    } else if let Expires::At { deadline, remaining } = entry.expires {
        let (left, until) = (duration::show(remaining), duration::show_timestamp(deadline));
        output.line(format_args!("{left} (until {until})"))?;
    } else {
        output.line("no lifetime")?;
    }
    Ok(Answer::Yes)
}
