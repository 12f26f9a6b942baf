//! The life of an agent: conversations replayed as checkpoints, killed, resumed, proven, branched.

mod agent;
pub(crate) mod child;
mod event;
mod input;
mod proof;
mod report;
mod what_if;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures_util::TryStreamExt;
use indicatif::{HumanBytes, ProgressBar};
use state_core::checkpoint::{CheckpointLimits, Checkpointer, CheckpointerExt};

use super::place::{Place, Stores};
use super::process::{Kill, Program, percent};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::key_text::show_name;
use crate::output::counted;
use crate::{open, progress};

use event::Event;
use input::{Input, Totals};
use report::Report;

/// How many threads a process names as resumed; of the others it tells how many there are.
const RESUMED_NAMED_MAX: usize = 4;

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// A file with a conversation per line [default: a sample]
    file: Option<PathBuf>,
    /// Kill the worker when this much of the bytes is committed; several, separated by commas
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "50",
        value_parser = clap::value_parser!(u64).range(1..100))]
    kill_at: Vec<u64>,
    /// How many threads are worked on at once
    #[arg(long, value_name = "THREADS", default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(1..=256))]
    at_once: u64,
    /// Remove the store at the end, if the demonstration has made it
    #[arg(long)]
    remove: bool,
}

/// One process that has worked, looked back at.
#[derive(Debug, Default)]
struct Worked {
    process: u32,
    killed: bool,
    /// The threads that it found in the middle, and after which step of how many.
    resumed: Vec<(String, u64, u64)>,
    /// What was committed when it ended, all processes together.
    committed_bytes: u64,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let file = arguments
        .file
        .as_ref()
        .map(|file| file.canonicalize().map_err(|error| Failure::file("reading", file, &error)));
    let input = Input::new(file.transpose()?.as_deref());
    // What cannot work is said before anything is made.
    let totals = input.survey(&CheckpointLimits::DEFAULT)?;
    let place = Place::choose("default", Stores::All, context)?;
    let report = run_in(&place, &input, totals, arguments, context).await;
    let removed = place.remove(report.is_err());
    let (report, store) = report?;
    removed?;
    report.show(&place, arguments.remove && place.folder.is_some(), &*store, context).await?;
    drop(store);
    place.remove(arguments.remove)?;
    report.verdict()
}

async fn run_in(
    place: &Place,
    input: &Input,
    totals: Totals,
    arguments: &Arguments,
    context: &Context,
) -> Result<(Report, Arc<dyn Checkpointer>), Failure> {
    refuse_a_finished_replay(place, input, context).await?;
    let options = vec![format!("--at-once={}", arguments.at_once)];
    let file = match input {
        Input::Sample => None,
        Input::File(path) => Some(path.clone()),
    };
    let program = Program::new(place, "demo-agent", options, file, context)?;
    let mut says = Says { context, bar: progress::bytes(&context.output, "agent", totals.bytes) };
    says.line(format!(
        "Replaying {}: {} with {} ({}), one checkpoint per message",
        input.name(),
        counted(totals.threads, "conversation"),
        counted(totals.messages, "message"),
        HumanBytes(totals.bytes)
    ))?;
    let mut kills = Kill::at_each(&arguments.kill_at).into_iter();
    let mut worked = Vec::new();
    loop {
        let one = work_until(&program, kills.next(), totals, &mut says)?;
        let killed = one.killed;
        worked.push(one);
        if !killed {
            break;
        }
    }
    says.bar.finish_and_clear();
    let namespace = place.namespace(context)?;
    let store = open::checkpoints(&place.url, namespace, Access::Existing).await?;
    let bar = progress::records(&context.output, "compare", totals.messages);
    let proof = proof::compare(input, &*store, &bar).await;
    bar.finish_and_clear();
    let proof = proof?;
    let branch = what_if::branch(input, &worked, Arc::clone(&store), context).await?;
    let file_bytes = place.url.path().and_then(|path| state_local::disk_bytes(path).ok());
    Ok((Report { input: input.name(), totals, worked, proof, branch, file_bytes }, store))
}

/// Runs a process until it has finished, or is killed.
fn work_until(
    program: &Program,
    kill: Option<Kill>,
    totals: Totals,
    says: &mut Says<'_>,
) -> Result<Worked, Failure> {
    let mut worked = Worked::default();
    let ending = program.run(kill, |process, event| {
        if worked.process == 0 {
            worked.process = process;
            says.line(format!("  process {process} works"))?;
        }
        match event {
            Event::Resumed { thread, step, of, bytes } => {
                worked.resumed.push((thread.clone(), *step, *of));
                worked.committed_bytes = *bytes;
                says.bar.set_position(*bytes);
                if worked.resumed.len() <= RESUMED_NAMED_MAX {
                    let thread = show_name(thread);
                    says.line(format!(
                        "    goes on with `{thread}`: {step} of {of} messages are saved"
                    ))?;
                }
            }
            Event::Complete { bytes } | Event::Committed { bytes } => {
                worked.committed_bytes = *bytes;
                says.bar.set_position(*bytes);
            }
            Event::Begun { .. } | Event::Ready { .. } | Event::Finished => {}
        }
        Ok(())
    })?;
    if let Some(failure) = ending.failure {
        return Err(failure);
    }
    let more = worked.resumed.len().saturating_sub(RESUMED_NAMED_MAX);
    if more > 0 {
        says.line(format!("    and with {}", counted(more as u64, "other thread")))?;
    }
    worked.killed = ending.killed;
    let Worked { process, killed, committed_bytes, .. } = worked;
    let percent = percent(committed_bytes, totals.bytes);
    says.line(if killed {
        format!("  killed process {process} (SIGKILL) with {percent} % committed")
    } else {
        format!("  process {process} has finished")
    })?;
    Ok(worked)
}

/// Tells what happens, above the bar.
struct Says<'a> {
    context: &'a Context,
    bar: ProgressBar,
}

impl Says<'_> {
    fn line(&mut self, line: String) -> Result<(), Failure> {
        let output = &self.context.output;
        if output.json || output.quiet {
            return Ok(());
        }
        self.bar.suspend(|| {
            output.prose(line)?;
            output.flush()
        })
    }
}

/// Refuses a store in which nothing is left to do, or in which a thread is another one.
async fn refuse_a_finished_replay(
    place: &Place,
    input: &Input,
    context: &Context,
) -> Result<(), Failure> {
    if place.folder.is_some() || place.url.path().is_some_and(|path| !path.exists()) {
        return Ok(());
    }
    let namespace = place.namespace(context)?;
    let store = open::checkpoints(&place.url, namespace, Access::Existing).await?;
    if store.threads().try_next().await?.is_none() {
        return Ok(());
    }
    let (mut begun, mut complete) = (false, true);
    let mut all = input.read()?;
    while let Some(conversation) = all.next()? {
        let latest = store.latest(conversation.thread.clone()).await?;
        let done = agent::steps_done(&conversation, latest.as_ref())?;
        begun |= done > 0;
        complete &= done == conversation.messages.len() as u64;
    }
    if complete {
        return Err(Failure::conflict(
            "these conversations are all in this store already",
            "name another namespace (`--namespace`) or another store, or leave out --store",
        ));
    }
    if begun {
        context.output.note("an interrupted demonstration goes on");
    }
    Ok(())
}
