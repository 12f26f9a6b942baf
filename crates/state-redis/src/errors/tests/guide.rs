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
