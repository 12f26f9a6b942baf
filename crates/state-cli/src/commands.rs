//! The commands, one file each: its arguments, its help, and what it does.

pub(crate) mod del;
pub(crate) mod get;
pub(crate) mod incr;
pub(crate) mod info;
pub(crate) mod ls;
pub(crate) mod put;
pub(crate) mod restore;
pub(crate) mod snapshot;
pub(crate) mod ttl;
pub(crate) mod watch;

use crate::cli::Command;
use crate::context::Context;
use crate::demo;
use crate::failure::{Answer, Failure};

pub(crate) async fn run(command: Command, context: &Context) -> Result<Answer, Failure> {
    match command {
        Command::Get(arguments) => get::run(&arguments, context).await,
        Command::Put(arguments) => put::run(&arguments, context).await,
        Command::Del(arguments) => del::run(&arguments, context).await,
        Command::Incr(arguments) => incr::run(&arguments, context).await,
        Command::Ls(arguments) => ls::run(&arguments, context).await,
        Command::Ttl(arguments) => ttl::run(&arguments, context).await,
        Command::Watch(arguments) => watch::run(&arguments, context).await,
        Command::Snapshot(arguments) => snapshot::run(&arguments, context).await,
        Command::Restore(arguments) => restore::run(&arguments, context).await,
        Command::Info(arguments) => info::run(&arguments, context).await,
        Command::Demo(arguments) => demo::run(&arguments, context).await,
        Command::DemoWorker(arguments) => demo::child::run(&arguments, context).await,
    }
}
