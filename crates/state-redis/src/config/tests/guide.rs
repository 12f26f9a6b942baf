//! The configuration guide holds the table that the code has.

use std::fmt::Write as _;

use super::*;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/configuration.md");
const BEGIN: &str = "<!-- settings: begin -->\n";
const END: &str = "<!-- settings: end -->";

fn table() -> String {
    let defaults = RedisConfig::default();
    let mut table = String::from(
        "| setting | in a URL | default | unit | allowed | what it is |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let parameter =
            setting.set.map_or("–".to_owned(), |_| format!("`{}`", setting.parameter()));
        let default = match (setting.get)(&defaults) {
            Some(value) if value.is_empty() => "empty".to_owned(),
            Some(value) => format!("`{value}`"),
            None => "none".to_owned(),
        };
        let allowed =
            setting.range.map_or("–".to_owned(), |(min, max)| format!("{min} to {max}"));
        writeln!(
            table,
            "| `{}` | {parameter} | {default} | {} | {allowed} | {} |",
            setting.name, setting.unit, setting.about
        )
        .unwrap();
    }
    table
}

#[test]
fn the_guide_shows_the_settings_of_the_code() {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let (_, rest) = guide.split_once(BEGIN).expect("the beginning of the table is marked");
    let (shown, _) = rest.split_once(END).expect("the end of the table is marked");
    let table = table();
    assert!(shown == table, "the table of docs/guides/configuration.md should be:\n{table}");
}

#[test]
fn every_field_has_a_row_and_every_row_a_field() {
    let defaults = serde_json::to_value(RedisConfig::default()).unwrap();
    let mut fields: Vec<String> = defaults.as_object().unwrap().keys().cloned().collect();
    let tls = serde_json::to_value(TlsOptions::default()).unwrap();
    fields.extend(tls.as_object().unwrap().keys().map(|key| format!("tls.{key}")));
    let mut rows: Vec<String> = SETTINGS.iter().map(|setting| setting.name.to_owned()).collect();
    fields.sort();
    rows.sort();
    assert_eq!(fields, rows);
}
