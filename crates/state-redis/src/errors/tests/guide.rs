//! The guide on errors holds the table that the code has.

use std::fmt::Write as _;

use super::*;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/errors-and-retries.md");
const BEGIN: &str = "<!-- failures: begin -->\n";
const END: &str = "<!-- failures: end -->";

fn table() -> String {
    let mut table = String::from(
        "| from | failure | kind | outcome | repeated | what to do |\n|---|---|---|---|---|---|\n",
    );
    let other = table::of_reply("", "");
    for row in TABLE.iter().chain([other]) {
        let from = match row.when {
            When::Code(code) => format!("`{code}`"),
            When::Text(code, text) => format!("`{code} {text}…`"),
            When::Client(_) => "our side".to_owned(),
            When::Other => "any other".to_owned(),
        };
        let repeated = match row.class {
            Never => "no",
            Follow => "at once, there",
            LoadScript => "at once, loaded",
            Wait => "after a wait",
            SlotMoves => "after waits, until the deadline",
            Refresh => "after a wait, looked up",
            Reconnect => "after a wait, reconnected",
        };
        writeln!(
            table,
            "| {from} | {} | {} | {} | {repeated} | {} |",
            row.says, row.kind, row.outcome, row.remedy
        )
        .unwrap();
    }
    table
}

#[test]
fn the_guide_shows_the_failures_of_the_code() {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let (_, rest) = guide.split_once(BEGIN).expect("the beginning of the table is marked");
    let (shown, _) = rest.split_once(END).expect("the end of the table is marked");
    let table = table();
    assert!(shown == table, "the table of docs/guides/errors-and-retries.md should be:\n{table}");
}

/// Everything that is compiled into the driver, with the lines of one text joined.
fn sources(folder: &std::path::Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "lua") {
            let mut lines = std::fs::read_to_string(&path).unwrap();
            if path.extension().is_some_and(|kind| kind == "rs") {
                // What tests say does not count.
                lines.truncate(lines.find("#[cfg(test)]").unwrap_or(lines.len()));
            }
            for line in lines.lines() {
                match line.trim_end().strip_suffix('\\') {
                    Some(begun) => text.push_str(begun.trim_start()),
                    None => writeln!(text, "{}", line.trim_start()).unwrap(),
                }
            }
        }
    }
}

#[test]
fn the_guide_on_troubles_quotes_errors_that_there_are() {
    let mut all = String::new();
    sources(concat!(env!("CARGO_MANIFEST_DIR"), "/src").as_ref(), &mut all);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/troubleshooting.md");
    let page = std::fs::read_to_string(page).unwrap();
    let symptoms = page.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let quoted: Vec<&str> = symptoms.flat_map(|cell| cell.split('"').skip(1).step_by(2)).collect();
    assert!(quoted.len() > 40, "{quoted:?}");
    for text in quoted {
        assert!(all.contains(text), "nothing says {text:?}");
    }
}
