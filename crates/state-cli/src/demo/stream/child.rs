//! `statectl demo-worker`: the process that the demonstration kills.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use state_core::BoxFuture;

use super::event::Event;
use super::worker::{Plan, Worker};
use crate::context::{Access, Context};
use crate::demo::process::Hold;
use crate::duration;
use crate::failure::{Answer, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder or file to read
    root: PathBuf,
    /// Lines per transaction
    #[arg(long)]
    every: Option<u64>,
    /// How long the lease lasts
    #[arg(long, value_parser = duration::parse)]
    lease: Duration,
    /// Commit nothing beyond this percentage of the bytes: wait for the end there
    #[arg(long)]
    hold_at: Option<u64>,
}

/// Works on the job and writes one event per line to standard output.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let store = context.open(Access::Create).await?;
    let not_in = context.store_url()?.path().map(super::store_in);
    let plan = Plan {
        root: arguments.root.clone(),
        not_in,
        every_lines: arguments.every,
        lease_ttl: arguments.lease,
    };
    let worker = Worker { store, clock: Arc::clone(&context.clock), plan };
    let spawn = |task: BoxFuture<'static, ()>| drop(tokio::spawn(task));
    let mut hold = Hold::new(arguments.hold_at);
    let tell = |event: Event| {
        context.output.json(&event)?;
        context.output.flush()?;
        hold.after(&event)
    };
    worker.run(Arc::new(spawn), tell).await?;
    Ok(Answer::Yes)
}
