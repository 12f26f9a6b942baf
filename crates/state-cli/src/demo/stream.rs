//! `statectl demo stream`: a job over real files that is killed half-way, goes on, and proves its totals.

pub(crate) mod child;
mod event;
mod follow;
mod job;
mod proof;
mod reader;
mod report;
mod scan;
mod worker;
#[cfg(test)]
mod worker_tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use state_core::GetOptions;

use super::place::{Place, Stores};
use super::process::Kill;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::store_url::StoreUrl;
use crate::{duration, open, progress};

use follow::{Ended, Supervisor, Worker};
use job::{Job, Position};
use report::Report;

/// How often a machine may be too slow to renew a lease.
const LEASES_LOST_MAX: u32 = 5;

/// See a job survive being killed: real files, real processes, exact totals
///
/// Counts the words of the text files below a folder, per type of file. A worker process holds a
/// lease with a fencing token, and commits its read position and its counters in one transaction
/// after every few lines. Half-way it is killed with SIGKILL. A second worker waits until the
/// dead one's lease has run out, and resumes where the last transaction ended. At last the
/// totals in the store are compared with an uninterrupted pass over the same files, and a late
/// write under the killed worker's token is tried, which the store must refuse.
///
/// Hidden folders, folders called `target`, binaries, links and the store itself are left out.
/// The list of files with their sizes is frozen in the first transaction.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl demo stream
  statectl demo stream ~/notes
  statectl demo stream --kill-at 20,40,60,80
  statectl --store file:./demo.state demo stream --every 100
  statectl demo stream --json | jq .equal

Without --store the store is made in a new folder for temporary files, and kept: the end of the
demonstration says where it is and how to look into it. A job that was interrupted itself goes
on when the same --store is named again. STATE_STORE is left alone.

Exit code 8: the totals differ (were files changed meanwhile?), or a late write was taken.")]
pub(crate) struct Arguments {
    /// The folder (or file) with the text
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Lines per transaction [default: a 200th of what the input is guessed to hold]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Kill a worker when this much of the bytes is committed; several, separated by commas
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "50",
        value_parser = clap::value_parser!(u64).range(1..100))]
    kill_at: Vec<u64>,
    /// How long the lease lasts unless it is renewed; so long a dead worker blocks the next one
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    lease: Duration,
    /// Remove the store at the end, if the demonstration has made it
    #[arg(long)]
    remove: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let root = root(&arguments.path)?;
    // What cannot work is said before anything is made.
    let place = Place::choose(job::NAMESPACE, Stores::Files, context)?;
    let report = run_in(&place, &root, arguments, context).await;
    let removed = place.remove(arguments.remove || report.is_err());
    let report = report?;
    removed?;
    report.show(&place, arguments.remove && place.folder.is_some(), context)?;
    report.verdict()
}

async fn run_in(
    place: &Place,
    root: &Path,
    arguments: &Arguments,
    context: &Context,
) -> Result<Report, Failure> {
    refuse_a_finished_job(place, context).await?;
    let supervisor = Supervisor::new(place, root, arguments, context)?;
    let mut workers: Vec<Worker> = Vec::new();
    let mut kills = Kill::at_each(&arguments.kill_at).into_iter().peekable();
    let mut leases_lost = 0;
    loop {
        let worker = supervisor.work_until(kills.peek().copied())?;
        let ended = worker.ended;
        workers.push(worker);
        match ended {
            Ended::Finished => break,
            Ended::Killed => drop(kills.next()),
            Ended::LostLease if leases_lost < LEASES_LOST_MAX => leases_lost += 1,
            Ended::LostLease => {
                return Err(Failure::unproven(
                    "workers lose their leases again and again",
                    "let the lease last longer: `--lease 10s`",
                ));
            }
        }
    }
    supervisor.end_of_work();
    prove(place, workers, context).await
}

/// Opens the store, now that no worker has it open, and checks everything.
async fn prove(place: &Place, workers: Vec<Worker>, context: &Context) -> Result<Report, Failure> {
    let store = open::open(&place.url, place.namespace(context)?, Access::Existing).await?;
    let missing = || Failure::corrupt("the job is not in the store any more", "run it again");
    let options = GetOptions::new();
    let found = job::read::<Job>(&*store, &job::job_key(), options.clone()).await?;
    let (job, _) = found.ok_or_else(missing)?;
    let found = job::read::<Position>(&*store, &job::position_key(), options.clone()).await?;
    let (position, _) = found.ok_or_else(missing)?;
    let files = job::read_list(&*store, &job, options).await?;
    let totals = job::read_totals(&*store).await?;
    let workers_begun = job::read_workers(&*store).await?;
    let bar = progress::bytes(&context.output, "uninterrupted pass", job.bytes);
    let pass = proof::uninterrupted(&job.root, &files, &bar);
    let mut late_writes_refused = true;
    for worker in workers.iter().filter(|worker| worker.ended != Ended::Finished) {
        if let Some(token) = worker.token {
            late_writes_refused &= proof::late_write_is_refused(&*store, token).await?;
        }
    }
    let store_bytes = store.memory_usage().await?.disk_bytes;
    Ok(Report {
        job,
        position,
        totals,
        pass,
        workers,
        workers_begun,
        late_writes_refused,
        store_bytes,
    })
}

async fn refuse_a_finished_job(place: &Place, context: &Context) -> Result<(), Failure> {
    let StoreUrl::File(path) = &place.url else { return Ok(()) };
    if place.folder.is_some() || !path.exists() {
        return Ok(());
    }
    let store = open::open(&place.url, place.namespace(context)?, Access::Existing).await?;
    let key = job::position_key();
    let found = job::read::<Position>(&*store, &key, GetOptions::new()).await?;
    if found.is_some_and(|(position, _)| position.finished) {
        return Err(Failure::conflict(
            "there is a finished demonstration in this store",
            "name another namespace (`--namespace`) or another store, or leave out --store",
        ));
    }
    if found.is_some() {
        context.output.note("an interrupted demonstration goes on");
    }
    Ok(())
}

fn root(path: &Path) -> Result<PathBuf, Failure> {
    let root = path.canonicalize().map_err(|error| Failure::file("reading", path, &error))?;
    if root.to_str().is_none() {
        return Err(Failure::usage("the path is not UTF-8", "rename the folder, or name another"));
    }
    Ok(root)
}

/// The path of the store as a scan meets it.
fn store_in(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
