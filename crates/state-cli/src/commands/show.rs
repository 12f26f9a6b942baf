//! `statectl show`: shows the state that a checkpoint holds.

use std::collections::BTreeMap;

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::value::RawValue;
use state_core::checkpoint::{ChannelValue, CheckpointTuple, Payload, PendingWrite};

use crate::checkpoint::{Head, LATEST, Line, ThreadArguments};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::table::{Column, Table};
use crate::{json_text, key_text, value};

/// The most characters of a pending write in a table.
const PREVIEW_WIDTH: usize = 50;
const WRITE_COLUMNS: [Column; 4] = [
    Column::whole("TASK"),
    Column::spare("INDEX", 1).right(),
    Column::whole("CHANNEL"),
    Column::wraps("VALUE", 20),
];

/// Show the state of a thread, now or at one of its checkpoints
///
/// The state is shown as JSON, channel by channel; of a channel that is not JSON, what kind of
/// value it holds and how large it is. Below stand the writes that await the next checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl show chat-7
  statectl show chat-7 --at 1f0c9c44-0000-6000-8000-000000000000
  statectl show chat-7 --at step:3
  statectl show chat-7 --channel messages | jq '.[-1]'
  statectl show chat-7 --json | jq .state.messages")]
pub(crate) struct Arguments {
    #[command(flatten)]
    thread: ThreadArguments,
    /// The checkpoint: its id, `step:N`, or `latest`
    #[arg(long, value_name = "ID", default_value = LATEST)]
    at: String,
    /// Only what this channel holds, as it is stored
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    found: bool,
    versions: BTreeMap<&'a str, String>,
    /// The channels that hold JSON.
    state: BTreeMap<&'a str, &'a RawValue>,
    /// All others.
    other_channels: BTreeMap<&'a str, Other<'a>>,
    pending_writes: Vec<WriteDocument<'a>>,
}

/// What is known of a value that is no JSON.
#[derive(Debug, Serialize)]
struct Other<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    bytes: usize,
}

#[derive(Serialize)]
struct WriteDocument<'a> {
    task: &'a str,
    task_path: &'a str,
    index: i32,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(flatten)]
    other: Option<Other<'a>>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let line = Line::of(&arguments.thread, context)?;
    let store = context.open_checkpoints(Access::Read).await?;
    let Some(tuple) = line.find(&arguments.at, &*store, context).await? else {
        return line.absent(Some(&arguments.at), context);
    };
    if let Some(channel) = &arguments.channel {
        return show_channel(&tuple, channel, context);
    }
    if context.output.json {
        context.output.json(&document(&tuple))?;
    } else {
        show(&tuple, context)?;
    }
    Ok(Answer::Yes)
}

fn show_channel(
    tuple: &CheckpointTuple,
    channel: &str,
    context: &Context,
) -> Result<Answer, Failure> {
    let output = &context.output;
    let Some(payload) = tuple.value(&context.name(channel)?) else {
        output.note(format_args!("the channel `{channel}` holds nothing at this checkpoint"));
        return Ok(Answer::No);
    };
    match json(payload) {
        Some(json) if output.json => output.json(&json)?,
        Some(json) if output.to_terminal => {
            output.line(value::harmless(&json_text::pretty(json.get())))?;
        }
        Some(json) => output.line(json.get())?,
        None if output.json => output.json(&other(payload))?,
        None if output.to_terminal => output.line(value::for_terminal(payload.bytes()))?,
        None => output.bytes(payload.bytes())?,
    }
    Ok(Answer::Yes)
}

/// The payload as JSON, if it says so and is.
pub(super) fn json(payload: &Payload) -> Option<&RawValue> {
    let json = payload.kind() == "json";
    json.then(|| serde_json::from_slice(payload.bytes()).ok()).flatten()
}

fn other(payload: &Payload) -> Other<'_> {
    Other { kind: Some(payload.kind()), bytes: payload.bytes().len() }
}

fn document(tuple: &CheckpointTuple) -> Document<'_> {
    let (mut state, mut other_channels) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in &tuple.values {
        match value {
            ChannelValue::Empty => {
                other_channels.insert(&**name, Other { kind: None, bytes: 0 });
            }
            ChannelValue::Stored(payload) => match json(payload) {
                Some(json) => drop(state.insert(&**name, json)),
                None => drop(other_channels.insert(&**name, other(payload))),
            },
        }
    }
    let versions = tuple.checkpoint.channel_versions.iter();
    Document {
        head: Head::of(tuple),
        found: true,
        versions: versions.map(|(name, version)| (&**name, version.to_string())).collect(),
        state,
        other_channels,
        pending_writes: tuple.pending_writes.iter().map(write_document).collect(),
    }
}

fn write_document(write: &PendingWrite) -> WriteDocument<'_> {
    let value = json(&write.value);
    WriteDocument {
        task: &write.task,
        task_path: &write.task_path,
        index: write.index.get(),
        channel: &write.channel,
        value,
        other: value.is_none().then(|| other(&write.value)),
    }
}

fn show(tuple: &CheckpointTuple, context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    let document = document(tuple);
    let head = &document.head;
    let mut about = Table::of_facts();
    let mut add = |name: &str, text: String| about.add([name.to_owned(), text]);
    add("thread", key_text::show_name(head.thread));
    if !head.checkpoint_namespace.is_empty() {
        add("namespace", key_text::show_name(head.checkpoint_namespace));
    }
    add("checkpoint", key_text::show_name(head.checkpoint));
    add("parent", head.parent.map_or_else(|| "none".to_owned(), key_text::show_name));
    add("time", head.time.clone());
    add("metadata", value::harmless(&head.metadata.to_string()));
    for (name, other) in &document.other_channels {
        let what = match other.kind {
            Some(kind) => {
                format!("{}, {}", key_text::show_name(kind), HumanBytes(other.bytes as u64))
            }
            None => "empty".to_owned(),
        };
        add(&format!("channel {}", key_text::show_name(name)), what);
    }
    output.table(&about)?;
    output.line("")?;
    let state = serde_json::to_string(&document.state)
        .map_err(|error| Failure::system("the state cannot be written", &error))?;
    output.line(value::harmless(&json_text::pretty(&state)))?;
    show_writes(&tuple.pending_writes, context)
}

fn show_writes(writes: &[PendingWrite], context: &Context) -> Result<(), Failure> {
    if writes.is_empty() {
        return Ok(());
    }
    context.output.line("\nwrites that await the next checkpoint:")?;
    let mut listing = Table::new(&WRITE_COLUMNS);
    for write in writes {
        let text = if let Some(json) = json(&write.value) {
            value::preview(json.get().as_bytes(), PREVIEW_WIDTH)
        } else {
            let Other { kind, bytes } = other(&write.value);
            let kind = key_text::show_name(kind.unwrap_or_default());
            format!("{kind}, {}", HumanBytes(bytes as u64))
        };
        listing.add([
            key_text::show_name(&write.task),
            write.index.get().to_string(),
            key_text::show_name(&write.channel),
            text,
        ]);
    }
    context.output.table(&listing)
}
