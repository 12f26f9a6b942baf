//! The command line: global options and the list of commands.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    compact, del, diff, doctor, export, fork, get, history, import, incr, info, ls, prune, put,
    restore, rm, show, snapshot, threads, ttl, watch,
};
use crate::{demo, guide};

/// Look into a state store, change it, move it, and see it survive.
#[derive(Debug, Parser)]
#[command(name = "statectl", version, after_help = guide::AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The store: `file:PATH`, `memory:`, or a server: `redis://HOST:PORT`
    #[arg(long, global = true, env = "STATE_STORE", hide_env_values = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The namespace in the store [default: default; for `demo stream`: demo]
    #[arg(
        long,
        short,
        global = true,
        env = "STATE_NAMESPACE",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) namespace: Option<String>,
    /// Write JSON: one document, or one per line where there are many
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Leave out notes and progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Take a backslash in keys, prefixes and partitions as it stands
    #[arg(long, global = true)]
    pub(crate) raw_keys: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(get::Arguments),
    Put(put::Arguments),
    Del(del::Arguments),
    Incr(incr::Arguments),
    Ls(ls::Arguments),
    Ttl(ttl::Arguments),
    Watch(watch::Arguments),
    Snapshot(snapshot::Arguments),
    Restore(restore::Arguments),
    Threads(threads::Arguments),
    History(history::Arguments),
    Show(show::Arguments),
    Diff(diff::Arguments),
    Fork(fork::Arguments),
    Prune(prune::Arguments),
    Rm(rm::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Info(info::Arguments),
    Doctor(doctor::Arguments),
    Compact(compact::Arguments),
    Demo(demo::Arguments),
    /// The worker that `demo` starts and kills.
    #[command(hide = true)]
    DemoWorker(demo::stream::child::Arguments),
    /// The agent that `demo` starts and kills.
    #[command(hide = true)]
    DemoAgent(demo::life::child::Arguments),
}

/// The key that a command is about.
#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// The key
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) partition: PartitionArgument,
}

/// The partition of keys.
#[derive(Debug, Args)]
pub(crate) struct PartitionArgument {
    /// The partition of the key [default: none]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) partition: Option<String>,
}

/// Which keys a command covers.
#[derive(Debug, Args)]
pub(crate) struct ScopeArguments {
    /// Only keys in this partition
    #[arg(long, short, value_name = "NAME", conflicts_with = "unpartitioned")]
    pub(crate) partition: Option<String>,
    /// Only keys without a partition
    #[arg(long)]
    pub(crate) unpartitioned: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_lines_of_80_columns() {
        let commands = Cli::command();
        let visible = commands.get_subcommands().filter(|command| !command.is_hide_set());
        let names = visible.map(|command| vec![command.get_name()]);
        let mut asked: Vec<Vec<&str>> = names.chain([vec![], vec!["demo", "stream"]]).collect();
        asked.extend(asked.clone().into_iter().map(|names| [&["-h"], &names[..]].concat()));
        for names in asked {
            let call = [&["statectl"], &names[..], &["--help"]].concat();
            let help = Cli::command().term_width(80).try_get_matches_from(&call).unwrap_err();
            for line in help.to_string().lines() {
                assert!(line.chars().count() <= 80, "{call:?}: {line}");
            }
        }
    }

    #[test]
    fn every_command_shows_examples() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("statectl"), "{} has no examples", command.get_name());
        }
    }
}
