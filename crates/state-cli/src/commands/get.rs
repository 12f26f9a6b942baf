//! `statectl get`: reads a value.

use clap::Args;
use serde::Serialize;
use state_core::GetOptions;

use crate::cli::KeyArguments;
use crate::context::{Access, Context};
use crate::envelope::{self, About};
use crate::failure::{Answer, Failure};
use crate::value::{self, JsonExpires, JsonKey, JsonValue};

/// Read a value
///
/// The value goes to standard output: unchanged into a pipe or a file, with a line end and with
/// control characters escaped on a terminal. Exit code 1 when there is no such key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl get user:7
  statectl get --partition user:7 cart
  statectl get photo > photo.jpg
  statectl get --json user:7        value, version and lifetime
  statectl get --open cart:ada      a value that a program wrote with typed access
  statectl get 'line\\nend'          a key with a line end in it")]
pub(crate) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Open the envelope of a typed value: prints JSON, or the bytes of the format
    #[arg(long, short)]
    open: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    key: JsonKey,
    found: bool,
    #[serde(flatten)]
    value: JsonValue<'a>,
    version: String,
    #[serde(flatten)]
    expires: JsonExpires,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<About>,
}

#[derive(Serialize)]
pub(super) struct Absent {
    #[serde(flatten)]
    key: JsonKey,
    found: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let key = context.key(&arguments.key)?;
    let store = context.open(Access::Read).await?;
    let options = GetOptions::new().with_expiry(context.output.json);
    let Some(mut entry) = store.get_opts(&key, options).await? else {
        return absent(&key, context);
    };
    let output = &context.output;
    let mut about = None;
    if arguments.open {
        let opened = envelope::open(entry.value)?;
        entry.value = opened.body;
        about = Some(opened.about);
    } else if output.to_terminal && envelope::is_likely(&entry.value) {
        output.note("this is a typed value in an envelope: --open shows what it holds");
    }
    if output.json {
        output.json(&Document {
            key: JsonKey::new(&key),
            found: true,
            value: JsonValue::new(&entry.value),
            version: entry.version.to_string(),
            expires: JsonExpires::new(entry.expires),
            envelope: about,
        })?;
    } else if output.to_terminal {
        output.line(value::for_terminal(&entry.value).trim_end_matches('\n'))?;
    } else {
        output.bytes(&entry.value)?;
    }
    Ok(Answer::Yes)
}

/// Says that there is no such key.
pub(super) fn absent(key: &state_core::Key, context: &Context) -> Result<Answer, Failure> {
    if context.output.json {
        context.output.json(&Absent { key: JsonKey::new(key), found: false })?;
    } else {
        context.output.note(format_args!("there is no key `{key}` in this namespace"));
    }
    Ok(Answer::No)
}
