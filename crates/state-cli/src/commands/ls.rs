//! `statectl ls`: lists keys.

use std::collections::HashSet;

use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use state_core::{Capability, Entry, GetOptions, Key, ListOptions, Meta, PageToken, StateBackend};

use crate::cli::ScopeArguments;
use crate::context::{Access, Context};
use crate::duration;
use crate::envelope;
use crate::failure::{Answer, Failure};
use crate::key_text;
use crate::table::{Column, Table};
use crate::value::{self, JsonExpires, JsonKey, show_expires};

/// The most rows of one table; what follows is a table of its own, without a header.
const TABLE_ROWS_MAX: usize = 1_000;
const PARTITION: Column = Column::whole("PARTITION");
const COLUMNS: [Column; 4] = [
    Column::wraps("KEY", 40),
    Column::spare("SIZE", 2),
    Column::spare("VERSION", 1),
    Column::spare("EXPIRES", 3),
];
const VALUE: Column = Column::wraps("VALUE", 16);
/// The most characters of a value in a table.
const PREVIEW_WIDTH: usize = 40;

/// List keys with size, version and lifetime
///
/// A prefix is literal: no character has a meaning. With --json each key is a line of its own;
/// where more keys follow, the last line is {"more":true,"next":"TOKEN"}.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl ls
  statectl ls user: --limit 20
  statectl ls --limit 20 --page TOKEN     go on where the last page ended
  statectl ls --long                      with the beginning of each value
  statectl ls --keys user: | wc -l
  statectl ls --json --limit 0 | jq .key")]
pub(crate) struct Arguments {
    /// Only keys that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    scope: ScopeArguments,
    /// The most keys; 0 for all
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// Go on at this token, which the page before told
    #[arg(long, value_name = "TOKEN")]
    page: Option<String>,
    /// Show the deadline and the beginning of each value, too; one more read per page
    #[arg(long, short)]
    long: bool,
    /// Only the keys, one per line, escaped
    #[arg(long, conflicts_with_all = ["long", "json"])]
    keys: bool,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    key: JsonKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(flatten)]
    expires: JsonExpires,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<String>,
}

#[derive(Serialize)]
struct More {
    more: bool,
    next: String,
}

/// A row, with its entry where that was asked for.
type Row = (Meta, Option<Entry>);

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let prefix = context.bytes(&arguments.prefix)?;
    let scope = context.scope(&arguments.scope)?;
    let mut token = arguments.page.as_deref().map(page_token).transpose()?;
    let store = context.open(Access::Read).await?;
    let mortal = store.capabilities().has(Capability::Expiry);
    let mut left = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let mut shown = 0_u64;
    // A listing without an order may name a key more than once.
    let repeats = !store.capabilities().has(Capability::OrderedList);
    let mut seen = HashSet::new();
    loop {
        let options = ListOptions::new(prefix.clone())
            .with_scope(scope.clone())
            .with_limit(left.min(TABLE_ROWS_MAX))
            .with_token(token.take())
            .with_expiry(mortal);
        let mut page = store.list_page(options).await?;
        if repeats {
            page.items.retain(|meta| seen.insert(meta.key.clone()));
        }
        left = left.saturating_sub(page.items.len());
        let rows = with_entries(&*store, page.items, arguments.long).await?;
        show(&rows, shown == 0, arguments, context)?;
        shown += rows.len() as u64;
        token = page.next;
        if token.is_none() || left == 0 {
            break;
        }
    }
    if let Some(next) = token.filter(|_| arguments.limit > 0) {
        let next = key_text::hex(next.as_bytes());
        if context.output.json {
            context.output.json(&More { more: true, next })?;
        } else {
            context.output.note(format_args!(
                "there may be more: --limit 0 lists all, `--page {next}` goes on from here"
            ));
        }
    } else if shown == 0 {
        context.output.note("there are no such keys in this namespace");
    }
    Ok(Answer::Yes)
}

async fn with_entries(
    store: &dyn StateBackend,
    items: Vec<Meta>,
    wanted: bool,
) -> Result<Vec<Row>, Failure> {
    if !wanted {
        return Ok(items.into_iter().map(|meta| (meta, None)).collect());
    }
    let mut rows = Vec::with_capacity(items.len());
    // A page of large values must not fill the memory: only so many are held at a time.
    for items in items.chunks(store.capabilities().limits.batch_ops_max.clamp(1, 100)) {
        let keys: Vec<Key> = items.iter().map(|meta| meta.key.clone()).collect();
        let entries = store.get_many(&keys, GetOptions::new()).await?;
        for (meta, entry) in items.iter().zip(entries) {
            rows.push((meta.clone(), entry?.map(for_a_table)));
        }
    }
    Ok(rows)
}

/// The entry with as much of its value as is shown.
fn for_a_table(mut entry: Entry) -> Entry {
    const SHOWN_BYTES_MAX: usize = 4 * PREVIEW_WIDTH + 4;
    entry.value = envelope::for_people(entry.value);
    if entry.value.len() > SHOWN_BYTES_MAX {
        let end = (0..4).map(|back| SHOWN_BYTES_MAX - back).find(|end| {
            // Not in the middle of a character.
            entry.value.get(*end).is_none_or(|byte| byte & 0xC0 != 0x80)
        });
        let end = end.unwrap_or(SHOWN_BYTES_MAX);
        entry.value = Bytes::copy_from_slice(entry.value.get(..end).unwrap_or_default());
    }
    entry
}

fn show(
    rows: &[Row],
    first: bool,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return rows.iter().try_for_each(|(meta, entry)| {
            output.json(&Line {
                key: JsonKey::new(&meta.key),
                value_bytes: meta.value_bytes,
                version: meta.version.map(|version| version.to_string()),
                expires: JsonExpires::new(meta.expires),
                preview: entry.as_ref().map(|entry| value::preview(&entry.value, PREVIEW_WIDTH)),
            })
        });
    }
    if arguments.keys {
        return rows.iter().try_for_each(|(meta, _)| output.line(key_text::show(meta.key.name())));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let partitions = rows.iter().any(|(meta, _)| meta.key.partition().is_some());
    let columns = row(COLUMNS.to_vec(), partitions, PARTITION, arguments.long, VALUE);
    let mut listing = Table::new(&columns);
    if !first {
        listing = listing.without_header();
    }
    for (meta, entry) in rows {
        let expires = match meta.expires.deadline() {
            Some(deadline) if arguments.long => duration::show_second(deadline),
            _ => show_expires(meta.expires),
        };
        let cells = vec![
            key_text::show(meta.key.name()),
            meta.value_bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string()),
            meta.version.map_or_else(|| "?".to_owned(), |version| version.to_string()),
            expires,
        ];
        let partition = meta.key.partition().map(|name| key_text::show(name)).unwrap_or_default();
        let value = entry.as_ref().map(|entry| value::preview(&entry.value, PREVIEW_WIDTH));
        let value = value.unwrap_or_default();
        listing.add(row(cells, partitions, partition, arguments.long, value));
    }
    output.table(&listing)
}

/// What stands in a row: the partition and the value only where they are shown.
fn row<T>(mut cells: Vec<T>, partitions: bool, partition: T, long: bool, value: T) -> Vec<T> {
    if partitions {
        cells.insert(0, partition);
    }
    if long {
        cells.push(value);
    }
    cells
}

fn page_token(text: &str) -> Result<PageToken, Failure> {
    key_text::unhex(text).map(PageToken::from_bytes).ok_or_else(|| {
        Failure::usage("this is not a page token", "give the token that `ls` has told, unchanged")
    })
}
