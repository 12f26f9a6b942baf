//! `statectl doctor`: what a store, and what it lies on, lacks of what this library relies on.

mod file;
mod finding;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Answer, Failure};
#[cfg(feature = "redis")]
use crate::open;
use crate::output::{Output, counted};
use crate::store_url::StoreUrl;
use crate::table::{Column, Table};
use finding::{Finding, Level};

const COLUMNS: [Column; 3] =
    [Column::whole("LEVEL"), Column::whole("CHECK"), Column::words("FOUND")];

/// Check what a store relies on: settings, rights, room, copies
///
/// Of servers: reach, version, eviction, memory, clients, persistence, replicas, the cluster or the
/// sentinels, clocks, who gets in, what the user may do and need not, scripts, tracking, late writes
/// that can be ended, encryption. Of a file: who may read and write it, its format, whether it is
/// sound, the room on its disk.
///
/// No key is written, and no administrator is needed: what the user may not ask is told as not
/// known. What a server refuses stands in its `ACL LOG`.
///
/// Exit code 0 when no problem was found (there may be warnings and notes), 9 when one was, 3 when
/// the store cannot be reached at all.
#[derive(Debug, Args)]
#[command(after_help = "\
Levels:
  problem   it does harm, or nothing stands between it and harm
  warning   it will do harm in a case that is to be expected: a crash, a failover
  note      something is not there that not everybody needs
  ok        as it should be, or it cannot be asked and need not be
For all but the last the table says what it means, and what mends it.

Examples:
  statectl doctor
  statectl --store redis://db.example.org doctor
  statectl --json doctor | jq '.findings[] | select(.level == \"problem\")'
  statectl --quiet doctor >/dev/null || echo 'look at the store'")]
pub(crate) struct Arguments {}

#[derive(Serialize)]
struct Document {
    store: String,
    problems: usize,
    warnings: usize,
    notes: usize,
    /// The worst first.
    findings: Vec<Finding>,
}

pub(crate) async fn run(_arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let url = context.store_url()?;
    let mut findings = match &url {
        StoreUrl::Memory => vec![in_memory()],
        StoreUrl::File(path) => file::findings(path).await?,
        #[cfg(feature = "redis")]
        StoreUrl::Redis(config) => {
            open::diagnose(config).await?.into_iter().map(Finding::from).collect()
        }
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let of = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings, notes) = (of(Level::Problem), of(Level::Warning), of(Level::Note));
    let document = Document { store: url.to_string(), problems, warnings, notes, findings };
    if context.output.json {
        context.output.json(&document)?;
    } else {
        show(&document, &context.output)?;
    }
    Ok(if problems > 0 { Answer::Problem } else { Answer::Yes })
}

fn in_memory() -> Finding {
    let means = "it serves tests, caches and what can be made again";
    Finding::new(
        Level::Note,
        "persistence",
        "nothing survives the process that has the store",
        means,
    )
    .with_fix("`--store file:PATH` keeps what is written")
}

fn show(document: &Document, output: &Output) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS);
    for finding in &document.findings {
        let mut said = vec![finding.found.clone()];
        if finding.level > Level::Ok {
            said.push(format!("means: {}", finding.means));
            if !finding.fix.is_empty() {
                said.push(format!("fix: {}", finding.fix));
            }
            // Where there is one server the line below names it.
            if document.servers() > 1 && !finding.servers.is_empty() {
                said.push(format!("at: {}", finding.servers.join(" ")));
            }
        }
        table.add([finding.level.name().to_owned(), finding.check.clone(), said.join("\n")]);
    }
    output.table(&table)?;
    output.line("")?;
    let all = document.findings.len();
    output.prose(format!(
        "{}, {}, {} among {} of {}",
        counted(document.problems as u64, "problem"),
        counted(document.warnings as u64, "warning"),
        counted(document.notes as u64, "note"),
        counted(all as u64, "finding"),
        document.store,
    ))
}

impl Document {
    /// How many servers something was found of.
    fn servers(&self) -> usize {
        let servers = self.findings.iter().flat_map(|finding| &finding.servers);
        servers.collect::<std::collections::BTreeSet<_>>().len()
    }
}
