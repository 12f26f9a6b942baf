//! `statectl fork`: makes another thread out of a checkpoint.

use clap::Args;
use serde::Serialize;
use state_core::ErrorKind;
use state_core::checkpoint::CheckpointerExt;

use crate::checkpoint::{LATEST, Line, ThreadArguments, advise};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::key_text::show_name;
use crate::output::counted;
use crate::progress;

/// Make another thread out of a checkpoint and what it descends from
///
/// The thread itself stays as it is. What both share is copied, so each can be pruned or removed
/// without the other.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl fork chat-7 what-if
  statectl fork chat-7 what-if --at step:3
  statectl fork chat-7 what-if --at 1f0c9c44-0000-6000-8000-000000000000")]
pub(crate) struct Arguments {
    #[command(flatten)]
    thread: ThreadArguments,
    /// The name of the new thread
    #[arg(value_name = "NEW")]
    to: String,
    /// The checkpoint: its id, `step:N`, or `latest`
    #[arg(long, value_name = "ID", default_value = LATEST)]
    at: String,
}

#[derive(Serialize)]
struct Document<'a> {
    thread: &'a str,
    from: &'a str,
    checkpoint: &'a str,
    checkpoints: u64,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let line = Line::of(&arguments.thread, context)?;
    let to = context.name(&arguments.to)?;
    let store = context.open_checkpoints(Access::Existing).await?;
    let Some(tuple) = line.find(&arguments.at, &*store, context).await? else {
        return line.absent(Some(&arguments.at), context);
    };
    let bar = progress::waiting(&context.output, "copying");
    let forked = store.fork(&tuple.reference, to.as_str()).await;
    bar.finish_and_clear();
    let checkpoints = forked.map_err(|error| match error.kind() {
        ErrorKind::Conflict => advise(
            error,
            format!("name another thread, or remove that one: `statectl rm {}`", arguments.to),
        ),
        _ => error.into(),
    })?;
    if checkpoints == 0 {
        return line.absent(Some(&arguments.at), context);
    }
    let checkpoint = tuple.reference.id.as_str();
    if context.output.json {
        let from = line.thread.as_str();
        context.output.json(&Document { thread: &to, from, checkpoint, checkpoints })?;
    } else {
        let count = counted(checkpoints, "checkpoint");
        let (to, checkpoint) = (show_name(&to), show_name(checkpoint));
        context.output.line(format_args!("made `{to}` of {count}, up to {checkpoint}"))?;
    }
    Ok(Answer::Yes)
}
