//! `statectl watch`: tells of changes.

use bytes::Bytes;
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use state_core::{
    Change, Error, ErrorKind, ResumeToken, Scope, Timestamp, WatchEvent, WatchLevel, WatchOptions,
    WatchStart,
};

use crate::cli::ScopeArguments;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::store_url::StoreUrl;
use crate::value::JsonKey;
use crate::{duration, key_text};

/// Tell of changes: what was written, removed, expired
///
/// A file store keeps a log of its latest changes. This command prints what is retained and ends:
/// while it runs no other process can have the store open, so a live writer cannot be followed.
/// A memory store lives in one process, so there is nothing to see in it from here. A store on a
/// server is followed from now on until this is interrupted; changes that come close together may
/// be told as one, and a `gap` says that some may have been missed. Events carry no values. With
/// --json each event is a line of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl watch
  statectl watch user:
  statectl watch --from TOKEN      after the event that bore this token
  statectl watch --json | jq .change")]
pub(crate) struct Arguments {
    /// Only keys that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    scope: ScopeArguments,
    /// Where to begin: `oldest`, `now`, or the token of an event [default: `oldest` of what is
    /// retained, and `now` where nothing is]
    #[arg(long, value_name = "oldest|now|TOKEN", value_parser = parse_from)]
    from: Option<WatchStart>,
}

#[derive(Serialize)]
struct Line {
    change: &'static str,
    #[serde(flatten)]
    key: Option<JsonKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    token: String,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let prefix = context.bytes(&arguments.prefix)?;
    let scope = context.scope(&arguments.scope)?;
    let in_memory = context.store_url()? == StoreUrl::Memory;
    let store = context.open(Access::Read).await?;
    let watch = store.as_watch().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "following changes is not offered by this store")
    })?;
    let retained = store.capabilities().watch() == WatchLevel::Log;
    let usual = if retained { WatchStart::Oldest } else { WatchStart::Now };
    let from = arguments.from.clone().unwrap_or(usual);
    let options = WatchOptions::new(prefix).with_scope(scope).with_start(from.clone());
    if on_server(&context.store_url()?) {
        let mut events = watch.watch(options).await?;
        while let Some(event) = events.next().await {
            show(&event?, context)?;
            // Whoever reads this wants to know now.
            context.output.flush()?;
        }
        return Ok(Answer::Yes);
    }
    if from == WatchStart::Now {
        let why = if in_memory {
            "nobody else can change a memory store: there is nothing to follow from now on"
        } else {
            "no other process can write a file store while this one has it open: there is nothing \
             to follow from now on; --from oldest prints the changes that are retained"
        };
        if context.output.json {
            context.output.warn(why);
        } else {
            context.output.note(why);
        }
        return Ok(Answer::Yes);
    }
    let mut events = watch.watch(options.with_follow(false)).await?;
    let mut last = None;
    while let Some(event) = events.next().await {
        let event = event?;
        show(&event, context)?;
        last = Some(event.token);
    }
    note_the_end(last, in_memory, context);
    Ok(Answer::Yes)
}

/// Whether others can change the store while this command looks at it.
fn on_server(url: &StoreUrl) -> bool {
    !matches!(url, StoreUrl::Memory | StoreUrl::File(_))
}

fn note_the_end(last: Option<ResumeToken>, in_memory: bool, context: &Context) {
    let output = &context.output;
    if output.json && !in_memory {
        // A program that waits for more would wait in vain.
        output
            .warn("this is all that is retained; a live writer of a file store cannot be followed");
        return;
    }
    match last {
        Some(token) => {
            let token = key_text::hex(token.as_bytes());
            output.note(format_args!(
                "this is all that is retained; a live writer of a file store cannot be followed. \
                 Later changes: --from {token}"
            ));
        }
        None if in_memory => output.note(
            "a memory store begins without any change, and nobody else can change it: \
             watch it in the program that owns it",
        ),
        None => output
            .note("no such change is retained; a live writer of a file store cannot be followed"),
    }
}

fn show(event: &WatchEvent, context: &Context) -> Result<(), Failure> {
    let line = line_of(event);
    let output = &context.output;
    if output.json {
        return output.json(&line);
    }
    let key = event.change.key().map(ToString::to_string).or(line.prefix);
    let version = line.version.map(|version| format!("  version {version}"));
    let expires = line.expires.map(|expires| format!("  until {expires}"));
    output.line(format_args!(
        "{:<8} {}{}{}",
        line.change,
        key.unwrap_or_default(),
        version.unwrap_or_default(),
        expires.unwrap_or_default()
    ))
}

fn line_of(event: &WatchEvent) -> Line {
    let (change, version, deadline, cleared) = match &event.change {
        Change::Put { version, deadline, .. } => ("put", Some(version), *deadline, None),
        Change::Touched { deadline, .. } => ("touched", None, *deadline, None),
        Change::Deleted { .. } => ("deleted", None, None, None),
        Change::Expired { .. } => ("expired", None, None, None),
        Change::Evicted { .. } => ("evicted", None, None, None),
        Change::HashChanged { .. } => ("hash", None, None, None),
        Change::Cleared { prefix, scope } => ("cleared", None, None, Some((prefix, scope))),
        Change::Gap => ("gap", None, None, None),
        _ => ("other", None, None, None),
    };
    Line {
        change,
        key: event.change.key().map(JsonKey::new),
        version: version.map(ToString::to_string),
        expires: deadline.map(|deadline: Timestamp| duration::show_timestamp(deadline)),
        prefix: cleared.map(|(prefix, scope)| show_cleared(prefix, scope)),
        token: key_text::hex(event.token.as_bytes()),
    }
}

fn show_cleared(prefix: &Bytes, scope: &Scope) -> String {
    let prefix = key_text::show(prefix);
    match scope {
        Scope::Partition(name) => format!("[{}] {prefix}*", key_text::show(name)),
        _ => format!("{prefix}*"),
    }
}

fn parse_from(text: &str) -> Result<WatchStart, String> {
    match text {
        "oldest" => Ok(WatchStart::Oldest),
        "now" => Ok(WatchStart::Now),
        token => key_text::unhex(token)
            .map(|bytes| WatchStart::After(ResumeToken::from_bytes(bytes)))
            .ok_or_else(|| "write `oldest`, `now`, or a token of hexadecimal digits".to_owned()),
    }
}
