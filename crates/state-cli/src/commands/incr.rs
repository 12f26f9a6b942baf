//! `statectl incr`: adds to a counter.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use state_core::{Expiry, IncrementOptions};

use crate::cli::KeyArguments;
use crate::context::{Access, Context};
use crate::duration;
use crate::failure::{Answer, Failure};
use crate::value::JsonKey;

/// Add to a counter, and print the sum
///
/// A key that is absent counts from 0. A value that is no decimal number is refused, unchanged.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl incr visits
  statectl incr stock:42 -5
  statectl incr calls:ada --ttl 1m     a window of a minute, from the first call on")]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// What is added
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    by: i64,
    /// How long the counter lives, from its creation on
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
}

#[derive(Serialize)]
struct Receipt {
    #[serde(flatten)]
    key: JsonKey,
    value: i64,
    version: String,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let key = context.key(&arguments.key)?;
    let store = context.open(Access::Create).await?;
    let expiry = arguments.ttl.map_or(Expiry::Default, Expiry::After);
    let options = IncrementOptions::new().with_expiry(expiry);
    let sum = store.increment_opts(&key, arguments.by, options).await?;
    if context.output.json {
        context.output.json(&Receipt {
            key: JsonKey::new(&key),
            value: sum.value,
            version: sum.version.to_string(),
        })?;
    } else {
        context.output.line(sum.value)?;
    }
    Ok(Answer::Yes)
}
