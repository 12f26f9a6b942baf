//! The commands, one file each: its arguments, its help, and what it does.

pub(crate) mod compact;
pub(crate) mod del;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod fork;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod incr;
pub(crate) mod info;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod put;
pub(crate) mod restore;
pub(crate) mod rm;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod threads;
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
        Command::Threads(arguments) => threads::run(&arguments, context).await,
        Command::History(arguments) => history::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Diff(arguments) => diff::run(&arguments, context).await,
        Command::Fork(arguments) => fork::run(&arguments, context).await,
        Command::Prune(arguments) => prune::run(&arguments, context).await,
        Command::Rm(arguments) => rm::run(&arguments, context).await,
        Command::Export(arguments) => export::run(&arguments, context).await,
        Command::Import(arguments) => import::run(&arguments, context).await,
        Command::Info(arguments) => info::run(&arguments, context).await,
        Command::Doctor(arguments) => doctor::run(&arguments, context).await,
        Command::Compact(arguments) => compact::run(&arguments, context).await,
        Command::Demo(arguments) => demo::run(&arguments, context).await,
        Command::DemoWorker(arguments) => demo::stream::child::run(&arguments, context).await,
        Command::DemoAgent(arguments) => demo::life::child::run(&arguments, context).await,
    }
}
