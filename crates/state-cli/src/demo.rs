//! `statectl demo`: real work that is killed half-way, goes on, and proves that nothing was lost.

mod farewell;
pub(crate) mod life;
mod place;
mod process;
pub(crate) mod stream;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Answer, Failure};

/// See an agent's life survive being killed: step by step, with a history that branches
///
/// Replays conversations, one checkpoint per message, in a worker process. Half-way it is killed
/// with SIGKILL; a second one resumes every thread at its exact step. Then the history in the
/// store is compared with the input, step for step; a what-if branches from an earlier
/// checkpoint; and what the history needs in the store stands beside what whole copies would.
///
/// The conversations are a sample, or a file of JSON lines of your own:
/// {"thread":"NAME","messages":[{"role":"user","content":"…"},…]}, one per conversation.
///
/// `statectl demo stream` shows another job: a stream processor over files, with a lease.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  statectl demo
  statectl demo conversations.jsonl
  statectl demo --kill-at 20,40,60,80
  statectl --store file:./demo.state demo
  statectl --store redis://127.0.0.1:6379 -n demo demo
  statectl demo --json | jq .proven
  statectl demo stream ~/notes

Without --store the store is made in a new folder for temporary files, and kept: the end of the
demonstration says where it is and how to look into it. A replay that was interrupted itself
goes on when the same --store is named again. STATE_STORE is left alone.

Exit code 8: the history in the store is not what was replayed."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    life: life::Arguments,
}

/// The other demonstrations.
#[derive(Debug, Subcommand)]
enum Other {
    Stream(stream::Arguments),
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    match &arguments.other {
        Some(Other::Stream(arguments)) => stream::run(arguments, context).await,
        None => life::run(&arguments.life, context).await,
    }
}
