//! `statectl demo-agent`: the process that the demonstration kills.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use state_core::checkpoint::CheckpointLimits;

use super::agent::Agent;
use super::event::Event;
use super::input::Input;
use crate::context::{Access, Context};
use crate::demo::process::Hold;
use crate::failure::{Answer, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file with the conversations [default: the sample]
    file: Option<PathBuf>,
    /// How many threads are worked on at once
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// Commit nothing beyond this percentage of the bytes: wait for the end there
    #[arg(long)]
    hold_at: Option<u64>,
}

/// Replays the conversations and writes one event per line to standard output.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let input = Input::new(arguments.file.as_deref());
    let totals = input.survey(&CheckpointLimits::DEFAULT)?;
    let store = context.open_checkpoints(Access::Create).await?;
    let agent = Agent::new(store, Arc::clone(&context.clock));
    let mut hold = Hold::new(arguments.hold_at);
    let mut tell = |event: Event| {
        context.output.json(&event)?;
        context.output.flush()?;
        hold.after(&event)
    };
    tell(Event::Begun { bytes: totals.bytes })?;
    agent.replay(&input, arguments.at_once.max(1), tell).await?;
    Ok(Answer::Yes)
}
