//! Round trips and bytes on the wire for each operation, as the thread grows at a fixed size of the state. Counted by a
//! proxy, so the figures are the same on every machine.

use comfy_table::Table;
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, ListCheckpoints, Payload, PendingWrite, PutWrites,
};
use state_tests::bench::{self, Curve, Figure, Outcome, Pace, number, say};
use state_tests::chat::text;
use state_tests::proxy::Counts;

use crate::ground::Ground;
use crate::steps::{id, put};

const LENGTHS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const STATE_BYTES: usize = 1_000;
const THREAD: &str = "thread";
/// The most round trips of each operation.
const OPERATIONS: [(&str, f64); 6] = [
    ("put", 1.0),
    ("put_writes", 1.0),
    ("get, parent at hand", 1.0),
    ("get, nothing at hand", 2.0),
    ("list, page of 10", 1.0),
    ("list, page of 10 with values", 1.0),
];

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let lengths = if pace.quick { 3 } else { LENGTHS.len() };
    let ground = Ground::start(true)?;
    let checkpoints = ground.warm().await?;
    let mut next = 0;
    let mut told: Vec<(usize, Vec<Counts>)> = Vec::new();
    for length in LENGTHS.into_iter().take(lengths) {
        while next < length {
            checkpoints.put_checkpoint(step(next)?).await?;
            next += 1;
        }
        if told.is_empty() {
            // What is needed once, such as scripts that the server does not know yet.
            measure(&ground, &checkpoints, &mut next).await?;
        }
        told.push((length, measure(&ground, &checkpoints, &mut next).await?));
    }
    let mut table = Table::new();
    table.set_header(["checkpoints", "operation", "round trips", "bytes sent", "bytes received"]);
    let mut curves: Vec<Curve> =
        OPERATIONS.iter().map(|(name, _)| Curve::new(*name, Vec::new())).collect();
    let mut figures = Vec::new();
    for (length, counted) in &told {
        for (((name, _), counts), curve) in OPERATIONS.iter().zip(counted).zip(&mut curves) {
            let bytes = counts.bytes_to_server + counts.bytes_to_client;
            curve.points.push((number(*length), number(usize::try_from(bytes)?)));
            table.add_row([
                length.to_string(),
                (*name).to_owned(),
                counts.round_trips.to_string(),
                counts.bytes_to_server.to_string(),
                counts.bytes_to_client.to_string(),
            ]);
        }
    }
    say(table);
    for (place, (name, most)) in OPERATIONS.iter().enumerate() {
        let of = |counted: &Vec<Counts>| counted.get(place).map_or(0, |counts| counts.round_trips);
        let worst = told.iter().map(|(_, counted)| of(counted)).max().unwrap_or(0);
        let worst = number(usize::try_from(worst)?);
        let case = format!(
            "round trips of {name}, up to {} checkpoints",
            told.last().map_or(0, |last| last.0)
        );
        figures.push(Figure::costs(case, "trips", "the limit", &[(worst, *most)]).with_goal(1.0));
    }
    for curve in &curves {
        let slope = curve.slope().map_or_else(String::new, |slope| format!("{slope:.2}"));
        say(format_args!("bytes of {}: slope {slope} (0 is flat)", curve.name));
    }
    let svg = bench::folder().join("checkpoints-growth-trips.svg");
    bench::curves(
        &svg,
        "Checkpoints on Redis",
        "checkpoints in the thread",
        "bytes a call",
        &curves,
    )?;
    say(format_args!("written: {}", svg.display()));
    Ok(figures)
}

/// A step of a state of a fixed size, in which a little changes.
fn step(number: usize) -> Outcome<state_core::checkpoint::PutCheckpoint> {
    let mut state = text(7, STATE_BYTES);
    let place = number * 97 % (STATE_BYTES - 20);
    state.replace_range(place..place + 12, &format!("{number:012}"));
    put(THREAD, number, "state", state)
}

/// What each operation sends and receives, in the order of [`OPERATIONS`].
async fn measure(
    ground: &Ground,
    checkpoints: &impl Checkpointer,
    next: &mut usize,
) -> Outcome<Vec<Counts>> {
    let proxy = ground.servers.nodes().iter().find_map(|node| node.proxy()).ok_or("no proxy")?;
    let latest = CheckpointRef::new(THREAD, id(next.saturating_sub(1)));
    // Whoever has just connected knows nothing of the thread. Its first call, about another thread, is not counted.
    let fresh = ground.checkpoints().await?;
    fresh.latest("another").await?;
    let mut counted = Vec::new();
    let mut before = proxy.counts();
    let mut count = || {
        let now = proxy.counts();
        counted.push(now.since(&before));
        before = now;
    };
    checkpoints.put_checkpoint(step(*next)?).await?;
    *next += 1;
    count();
    let write = PendingWrite::new("task", 0, "state", Payload::new("json", text(9, 100)));
    checkpoints
        .put_writes(PutWrites::new(CheckpointRef::new(THREAD, id(*next - 1)), vec![write]))
        .await?;
    count();
    checkpoints.at(&latest).await?.ok_or("the latest step is missing")?;
    count();
    fresh.at(&latest).await?.ok_or("the latest step is missing")?;
    count();
    for values in [false, true] {
        let list = ListCheckpoints::of(THREAD).with_limit(10).with_values(values);
        let page = checkpoints.list_checkpoints(list).await?;
        if page.items.len() != 10 {
            return Err(format!("a page of {} instead of 10", page.items.len()).into());
        }
        count();
    }
    Ok(counted)
}
