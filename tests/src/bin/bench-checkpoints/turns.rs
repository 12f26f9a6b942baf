//! How storage grows with the turns of a conversation.

use state_checkpoint::Checkpoints;
use state_core::Namespace;
use state_core::checkpoint::Checkpointer;
use state_local::FileStore;
use state_tests::bench::{self, Curve, Figure, Outcome, Pace, number, say};
use state_tests::chat::text;

use crate::ground::Ground;
use crate::input::Conversation;
use crate::steps::{check, replay};

const TURN_BYTES: usize = 1_000;
const TURNS: usize = 200;
/// What 200 turns of 1 KB may take.
const BYTES_MAX: f64 = 500_000.0;
const SHORT_BYTES: usize = 40;
const LONG: [usize; 5] = [50, 200, 500, 2_000, 5_000];

/// The lengths for turns of 1 KB, of which each step sends all.
const LONG_OF_LARGE: usize = 4;

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let conversation = turns(TURNS, TURN_BYTES);
    let ground = Ground::start(false)?;
    let grown = grown(&ground, &conversation).await?;
    let file = in_a_file(&conversation).await?;
    let limited = |case: &str, bytes: f64| {
        Figure::costs(case.to_owned(), "bytes", "the limit", &[(bytes, BYTES_MAX)])
    };
    let mut figures = vec![
        limited("Redis, 200 turns of 1 KB", grown).with_goal(1.0),
        limited("file store, 200 turns of 1 KB", file).with_goal(1.0),
    ];
    let longest = if pace.quick { LONG.len() - 1 } else { LONG.len() };
    let mut curves = Vec::new();
    for (bytes, most) in [(SHORT_BYTES, longest), (TURN_BYTES, longest.min(LONG_OF_LARGE))] {
        let counts = LONG.get(..most).unwrap_or_default();
        let [redis, file] = curves_of(bytes, counts).await?;
        for (name, curve) in [("Redis", &redis), ("file store", &file)] {
            let (short, long) = (at(curve, 500), curve.points.last().map_or(0.0, |point| point.1));
            let among = counts.last().unwrap_or(&0);
            let case = format!("{name}, a turn of {bytes} B among {among}");
            let figure = Figure::costs(case, "bytes", "a turn among 500", &[(long, short)]);
            // Flat: a turn of a thread ten times as long costs at most a fifth more.
            figures.push(if name == "Redis" { figure.with_goal(0.83) } else { figure });
            let slope = curve.slope().map_or_else(String::new, |slope| format!("{slope:.2}"));
            say(format_args!("{}: bytes a turn grow with slope {slope} (0 is flat)", curve.name));
        }
        curves.extend([redis, file]);
    }
    let svg = bench::folder().join("checkpoints-growth-turns.svg");
    bench::curves(&svg, "Checkpoints", "turns of the thread", "bytes a turn", &curves)?;
    say(format_args!("written: {}", svg.display()));
    Ok(figures)
}

/// What a turn of so many bytes costs in threads of these lengths, on a server and in a file.
async fn curves_of(bytes: usize, counts: &[usize]) -> Outcome<[Curve; 2]> {
    let mut redis = Curve::new(format!("Redis used_memory, {bytes} B"), Vec::new());
    let mut file = Curve::new(format!("file on disk, {bytes} B"), Vec::new());
    for count in counts {
        let conversation = turns(*count, bytes);
        let each = number(*count);
        let ground = Ground::start(false)?;
        redis.points.push((each, grown(&ground, &conversation).await? / each));
        file.points.push((each, in_a_file(&conversation).await? / each));
    }
    Ok([redis, file])
}

/// What a turn costs in a thread of so many.
fn at(curve: &Curve, turns: usize) -> f64 {
    let mut points = curve.points.iter();
    points.find(|(count, _)| *count >= number(turns)).map_or(0.0, |point| point.1)
}

fn turns(count: usize, bytes: usize) -> Conversation {
    let message = |turn: usize| format!("\"{}\"", text(turn as u64 + 1, bytes));
    Conversation { thread: "thread".to_owned(), messages: (0..count).map(message).collect() }
}

async fn grown(ground: &Ground, conversation: &Conversation) -> Outcome<f64> {
    let checkpoints = ground.warm().await?;
    let before = ground.used_memory()?;
    replay(&checkpoints, conversation).await?;
    let grown = ground.used_memory()?.saturating_sub(before);
    if conversation.messages.len() <= TURNS {
        check(&checkpoints as &dyn Checkpointer, conversation).await?;
    }
    Ok(number(usize::try_from(grown)?))
}

async fn in_a_file(conversation: &Conversation) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("thread.db");
    let store = FileStore::builder().open(&path).await?;
    let checkpoints = Checkpoints::open(store.open(Namespace::default())?)?;
    replay(&checkpoints, conversation).await?;
    drop(checkpoints);
    store.close().await?;
    Ok(number(usize::try_from(std::fs::metadata(&path)?.len())?))
}
