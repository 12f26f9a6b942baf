//! Writes `docs/CONTRACT.md` and `docs/capabilities.md` from the conformance suite, or checks that they are fresh.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to who runs it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use state_conformance::{
    Clause, Facility, Family, Level, OfficialTest, Report, Status, SubjectKind, all, families,
    official_tests,
};
use state_core::{Capability, Limits, Result};
use state_redis::{Offered, RedisConfig};
use state_tests::embedded;

/// The line that mends a stale page.
const MEND: &str = "cargo run -p state-tests --bin contract -- --write";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--write"] => Mode::Write,
        ["--check"] => Mode::Check,
        _ => {
            eprintln!("usage: contract --write | --check");
            return ExitCode::from(2);
        }
    };
    match run(mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Write,
    Check,
}

fn run(mode: Mode) -> Result<(), String> {
    let mut reports = Vec::new();
    for suite in [embedded::memory_suite(), embedded::file_suite()] {
        let report = suite.report().map_err(|error| error.to_string())?;
        let failures: Vec<String> =
            report.failures().filter_map(state_conformance::Verdict::failure).collect();
        if !failures.is_empty() {
            let (count, list) = (failures.len(), failures.join("\n"));
            return Err(format!("{} breaks {count} clauses:\n{list}", report.backend));
        }
        reports.push(report);
    }
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut stale = Vec::new();
    let capabilities = capabilities(&reports).map_err(|error| error.to_string())?;
    for (name, page) in [("CONTRACT.md", contract()), ("capabilities.md", capabilities)] {
        let path = docs.join(name);
        match mode {
            Mode::Write => write(&path, name, &page)?,
            Mode::Check if std::fs::read_to_string(&path).is_ok_and(|text| text == page) => {
                println!("docs/{name} is fresh");
            }
            Mode::Check => stale.push(format!("docs/{name} is stale; mend it with `{MEND}`")),
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(stale.join("\n")) }
}

fn write(path: &Path, name: &str, page: &str) -> Result<(), String> {
    std::fs::write(path, page)
        .map_err(|error| format!("docs/{name} cannot be written: {error}"))?;
    println!("wrote docs/{name}");
    Ok(())
}

/// A line of a page. Writing to a string cannot fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => {{
        let written: std::fmt::Result = writeln!($page, $($text)*);
        debug_assert!(written.is_ok());
    }};
}

fn generated(page: &mut String) {
    line!(page, "<!-- written by `{MEND}`; checked by `cargo xtask tidy` -->\n");
}

fn contract() -> String {
    let mut page = String::from("# The contract\n\n");
    generated(&mut page);
    let (backends, must) = counts(SubjectKind::Backend);
    let (checkpointers, must_too) = counts(SubjectKind::Checkpointer);
    line!(
        page,
        "What every backend keeps: {backends} clauses, {must} of them MUST; and what every checkpointer keeps, the \
         family\n[`ckpt`](#ckpt): {checkpointers} clauses, {must_too} of them MUST. Each is one sentence with an id \
         that stays, and the code in\n`crates/state-conformance/src/clauses` that decides it. What the words mean is \
         in the [glossary](glossary.md), how a backend\nis held to this in the \
         [guide](guides/writing-a-backend.md), what the stores of this repository offer in the\n\
         [capabilities](capabilities.md).\n"
    );
    line!(
        page,
        "- **MUST**: every backend to which the clause applies keeps it. **SHOULD**: a backend that does not has a \
         reason, and states\n  it where it runs the suite.\n\
         - A clause *with* capabilities applies to a backend that declares all of them. A clause *without* a \
         capability applies to\n  a backend that does not declare it, and says how the capability is refused. Every \
         other clause applies to all.\n\
         - *movable time*: decided only where the suite can move the clock, because waiting would take too long. \
         *restart*: only\n  where the suite can close the store and open it again. *counted*, *unreachable*: only where it can \
         count what lies in the\n  store beneath, or cut it off. *little room*: only where it knows how many entries \
         there is room for.\n"
    );
    line!(page, "| family | about | clauses | MUST |\n|---|---|--:|--:|");
    for family in families() {
        let must = family.clauses.iter().filter(|clause| clause.level == Level::Must).count();
        let Family { name, about, clauses, .. } = family;
        line!(page, "| [`{name}`](#{name}) | {about} | {} | {must} |", clauses.len());
    }
    for family in families() {
        line!(page, "\n## {}\n\n{}.\n", family.name, capitalised(family.about));
        line!(page, "| clause | level | applies | rule |\n|---|---|---|---|");
        for clause in family.clauses {
            let Clause { id, level, sentence, .. } = clause;
            line!(page, "| `{id}` | {level} | {} | {} |", applies(clause), in_a_table(sentence));
        }
    }
    official(&mut page);
    page
}

/// How many clauses there are about such stores, and how many of them are MUST.
fn counts(subject: SubjectKind) -> (usize, usize) {
    let about = || all().filter(|clause| clause.run.subject() == subject);
    (about().count(), about().filter(|clause| clause.level == Level::Must).count())
}

/// Which clause stands for which test of the official suite for checkpoint savers.
fn official(page: &mut String) {
    let all: Vec<_> = official_tests().collect();
    line!(
        page,
        "\n## The official suite for checkpoint savers\n\nThe {} tests of `langgraph-checkpoint-conformance`, and \
         the clause that asks the same of a checkpointer here.\n",
        all.len()
    );
    line!(page, "| capability | test | clause |\n|---|---|---|");
    for OfficialTest { capability, name, clause, .. } in all {
        line!(page, "| {capability} | {name} | `{clause}` |");
    }
}

/// When a clause applies, in a few words.
fn applies(clause: &Clause) -> String {
    let names = |list: &[Capability]| {
        let names: Vec<String> = list.iter().map(|name| format!("`{name}`")).collect();
        names.join(" and ")
    };
    let mut parts = Vec::new();
    if !clause.needs.is_empty() {
        parts.push(format!("with {}", names(clause.needs)));
    }
    if !clause.unless.is_empty() {
        parts.push(format!("without {}", names(clause.unless)));
    }
    for facility in clause.fixture {
        let shown = match facility {
            Facility::MovableTime => "movable time",
            Facility::Restart => "restart",
            Facility::Count => "counted",
            Facility::Reach => "unreachable",
            Facility::Room => "little room",
            other => other.describe(),
        };
        parts.push(shown.to_owned());
    }
    if parts.is_empty() { "always".to_owned() } else { parts.join(", ") }
}

/// The driver for servers, as it is configured by default; none is asked.
fn on_servers() -> Result<[(&'static str, RedisConfig); 2]> {
    Ok([
        ("`redis`: one server, or Sentinel", RedisConfig::from_url("redis://localhost")?),
        ("`redis`: a cluster", RedisConfig::from_url("redis+cluster://localhost")?),
    ])
}

fn in_words(offered: Offered) -> String {
    match offered {
        Offered::Always => "yes".to_owned(),
        Offered::Where(condition) => format!("where {condition}"),
        _ => "no".to_owned(),
    }
}

fn capabilities(reports: &[Report]) -> Result<String> {
    let mut page = String::from("# The capabilities\n\n");
    generated(&mut page);
    line!(
        page,
        "What the stores of this repository offer beyond what every backend must, and what the \
         [contract](CONTRACT.md) found about\nthem. What is declared is proved, and what is not declared is proved to \
         be refused without effect.\n"
    );
    let names: Vec<String> = reports.iter().map(|report| format!("`{}`", report.backend)).collect();
    let (heads, rules) = (names.join(" | "), "---|".repeat(names.len()));
    let servers = on_servers()?;
    let server_heads = servers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ");
    let server_rules = "---|".repeat(servers.len());
    line!(
        page,
        "| capability | meaning | {heads} | {server_heads} |\n|---|---|{rules}{server_rules}"
    );
    for &capability in Capability::ALL {
        let offered = cells(reports, |report| {
            if report.capabilities.has(capability) { "yes" } else { "no" }.to_owned()
        });
        let on_servers = servers.iter().map(|(_, config)| in_words(config.offers(capability)));
        let on_servers = on_servers.collect::<Vec<_>>().join(" | ");
        let meaning = in_a_table(capability.describe());
        line!(page, "| `{capability}` | {meaning} | {offered} | {on_servers} |");
    }
    line!(page, "\n## Limits\n\nAs the stores are opened by default.\n");
    let numbers = "--:|".repeat(names.len() + servers.len());
    line!(page, "| limit | {heads} | {server_heads} |\n|---|{numbers}");
    for (name, limit) in LIMITS {
        let limits = cells(reports, |report| limit(&report.capabilities.limits).to_string());
        let on_servers = servers.iter().map(|(_, config)| limit(&config.limits()).to_string());
        let on_servers = on_servers.collect::<Vec<_>>().join(" | ");
        line!(page, "| {name} | {limits} | {on_servers} |");
    }
    line!(page, "\n## Verdicts\n");
    line!(
        page,
        "Clauses *passed*, capabilities *refused* as the contract says, and clauses that do *not apply*. A page with a \
         failed clause\nis never written. What the suite finds on real servers, `cargo xtask itest redis` tells.\n"
    );
    line!(page, "| family | clauses | {heads} |\n|---|--:|{rules}");
    for family in families().iter().filter(|family| family.subject == SubjectKind::Backend) {
        let counts =
            cells(reports, |report| verdicts(report, |clause| clause.family() == family.name));
        line!(
            page,
            "| [`{0}`](CONTRACT.md#{0}) | {1} | {counts} |",
            family.name,
            family.clauses.len()
        );
    }
    let counts = cells(reports, |report| verdicts(report, |_| true));
    line!(page, "| all | {} | {counts} |", self::counts(SubjectKind::Backend).0);
    Ok(page)
}

/// A limit by the name under which people know it.
type Named = (&'static str, fn(&Limits) -> usize);

const LIMITS: [Named; 6] = [
    ("bytes of a key", |limits| limits.key_bytes_max),
    ("bytes of a value", |limits| limits.value_bytes_max),
    ("bytes of a field name", |limits| limits.field_bytes_max),
    ("operations of a batch", |limits| limits.batch_ops_max),
    ("operations of a transaction", |limits| limits.transaction_ops_max),
    ("items of a page", |limits| limits.page_items_max),
];

/// One cell per backend.
fn cells(reports: &[Report], cell: impl Fn(&Report) -> String) -> String {
    reports.iter().map(cell).collect::<Vec<_>>().join(" | ")
}

/// How many clauses that `of` says yes to have which status; statuses that none has are left out.
fn verdicts(report: &Report, of: impl Fn(&Clause) -> bool) -> String {
    let verdicts: Vec<_> = report.verdicts.iter().filter(|verdict| of(verdict.clause)).collect();
    let count = |like: fn(&Status) -> bool| verdicts.iter().filter(|v| like(&v.status)).count();
    let counts = [
        (count(|status| matches!(status, Status::Passed)), "passed"),
        (count(|status| matches!(status, Status::Refused)), "refused"),
        (count(|status| matches!(status, Status::NotApplicable(_))), "not applicable"),
        (count(|status| matches!(status, Status::Failed(_))), "failed"),
    ];
    let shown = counts.iter().filter(|(count, _)| *count > 0);
    shown.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A bar would end the cell.
fn in_a_table(text: &str) -> String {
    text.replace('|', "\\|")
}
