//! `statectl diff`: tells what changed between two checkpoints.

use std::collections::BTreeMap;

use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::value::RawValue;
use state_core::checkpoint::{ChannelValue, CheckpointTuple};

use super::show::json;
use crate::checkpoint::change::{self, Change, Changed};
use crate::checkpoint::{Line, ThreadArguments};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::key_text::show_name;
use crate::output::{Output, counted};
use crate::prose;
use crate::value;

/// Tell what changed between two checkpoints of a thread, or of two threads
///
/// Each channel that differs is named. Of a list, the elements are shown that came and went; of an
/// object, the fields; of anything else, the old value and the new one. Long values are cut to the
/// width of the terminal: --json has them whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl diff chat-7 step:3 latest
  statectl diff chat-7 1f0c9c44-0000-6000-8000-000000000000 step:5
  statectl diff chat-7 latest latest --with what-if     the latest of another thread
  statectl diff chat-7 step:3 latest --json | jq .channels.messages.added")]
pub(crate) struct Arguments {
    #[command(flatten)]
    thread: ThreadArguments,
    /// The checkpoint before: its id, `step:N`, or `latest`
    #[arg(value_name = "A")]
    from: String,
    /// The checkpoint after
    #[arg(value_name = "B")]
    to: String,
    /// The thread that the checkpoint after belongs to [default: the same]
    #[arg(long, value_name = "THREAD")]
    with: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    from: Place<'a>,
    to: Place<'a>,
    channels: BTreeMap<&'a str, ChangeDocument<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    thread: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    checkpoint_namespace: &'a str,
    checkpoint: &'a str,
    step: Option<i64>,
}

/// What happened to a channel.
#[derive(Debug, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
enum ChangeDocument<'a> {
    Added { to: Held<'a> },
    Removed { from: Held<'a> },
    Replaced { from: Held<'a>, to: Held<'a> },
    List { kept: usize, removed: &'a [&'a RawValue], added: &'a [&'a RawValue] },
    Object { fields: BTreeMap<&'a str, FieldDocument<'a>> },
}

#[derive(Debug, Serialize)]
struct FieldDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a RawValue>,
}

/// What a channel holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Held<'a> {
    Json(&'a RawValue),
    Other {
        #[serde(rename = "type")]
        kind: &'a str,
        bytes: usize,
    },
    Empty,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let line = Line::of(&arguments.thread, context)?;
    let other = match &arguments.with {
        Some(thread) => Line::new(thread, &arguments.thread.within, context)?,
        None => line.clone(),
    };
    let store = context.open_checkpoints(Access::Read).await?;
    let Some(from) = line.find(&arguments.from, &*store, context).await? else {
        return line.absent(Some(&arguments.from), context);
    };
    let Some(to) = other.find(&arguments.to, &*store, context).await? else {
        return other.absent(Some(&arguments.to), context);
    };
    let changes = change::between(Some(&from), &to);
    let output = &context.output;
    if output.json {
        let channels = changes.iter().map(|changed| (changed.channel, document(changed)));
        let (from, to) = (place(&from), place(&to));
        output.json(&Document { from, to, channels: channels.collect() })?;
        return Ok(Answer::Yes);
    }
    for (name, tuple) in [("from", &from), ("to  ", &to)] {
        let Place { thread, checkpoint, step, .. } = place(tuple);
        let (thread, checkpoint) = (show_name(thread), show_name(checkpoint));
        let step = step.map_or_else(String::new, |step| format!("  step {step}"));
        output.line(format_args!("{name}  {thread}  {checkpoint}{step}"))?;
    }
    if changes.is_empty() {
        output.line("\nnothing differs")?;
    }
    changes.iter().try_for_each(|changed| show(changed, output))?;
    Ok(Answer::Yes)
}

fn place(tuple: &CheckpointTuple) -> Place<'_> {
    Place {
        thread: tuple.reference.thread.as_str(),
        checkpoint_namespace: tuple.reference.namespace.as_str(),
        checkpoint: tuple.reference.id.as_str(),
        step: tuple.metadata.step(),
    }
}

fn held(value: &ChannelValue) -> Held<'_> {
    match value.payload() {
        None => Held::Empty,
        Some(payload) => match json(payload) {
            Some(json) => Held::Json(json),
            None => Held::Other { kind: payload.kind(), bytes: payload.bytes().len() },
        },
    }
}

fn document<'a>(changed: &'a Changed<'a>) -> ChangeDocument<'a> {
    match &changed.change {
        Change::Added(to) => ChangeDocument::Added { to: held(to) },
        Change::Removed(from) => ChangeDocument::Removed { from: held(from) },
        Change::Replaced { from, to } => {
            ChangeDocument::Replaced { from: held(from), to: held(to) }
        }
        Change::List { kept, removed, added } => {
            ChangeDocument::List { kept: *kept, removed, added }
        }
        Change::Object(fields) => {
            let fields = fields.iter().map(|field| {
                (field.name.as_str(), FieldDocument { from: field.from, to: field.to })
            });
            ChangeDocument::Object { fields: fields.collect() }
        }
    }
}

fn show(changed: &Changed<'_>, output: &Output) -> Result<(), Failure> {
    let name = show_name(changed.channel);
    let line = |sign: char, label: &str, text: &str| {
        let start = format!("  {sign} {label}");
        let width = prose::width().saturating_sub(start.chars().count()).max(20);
        output.line(format_args!("{start}{}", value::preview(text.as_bytes(), width)))
    };
    match &changed.change {
        Change::Added(to) => {
            output.line(format_args!("\n{name}: new"))?;
            line('+', "", &in_words(to))
        }
        Change::Removed(from) => {
            output.line(format_args!("\n{name}: gone"))?;
            line('-', "", &in_words(from))
        }
        Change::Replaced { from, to } => {
            output.line(format_args!("\n{name}: replaced"))?;
            line('-', "", &in_words(from))?;
            line('+', "", &in_words(to))
        }
        Change::List { kept, removed, added } => {
            let first = counted(*kept as u64, "element");
            let (gone, new) = (removed.len(), added.len());
            output.line(format_args!("\n{name}: {first}, then {gone} removed and {new} added"))?;
            for (index, element) in (*kept..).zip(removed) {
                line('-', &format!("[{index}] "), element.get())?;
            }
            for (index, element) in (*kept..).zip(added) {
                line('+', &format!("[{index}] "), element.get())?;
            }
            Ok(())
        }
        Change::Object(fields) => {
            output.line(format_args!(
                "\n{name}: {} changed",
                counted(fields.len() as u64, "field")
            ))?;
            for field in fields {
                let label = format!("{}: ", show_name(&field.name));
                if let Some(from) = field.from {
                    line('-', &label, from.get())?;
                }
                if let Some(to) = field.to {
                    line('+', &label, to.get())?;
                }
            }
            Ok(())
        }
    }
}

fn in_words(value: &ChannelValue) -> String {
    match held(value) {
        Held::Json(json) => json.get().to_owned(),
        Held::Other { kind, bytes } => {
            format!("{}, {}", show_name(kind), HumanBytes(bytes as u64))
        }
        Held::Empty => "empty".to_owned(),
    }
}
