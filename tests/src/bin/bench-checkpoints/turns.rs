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

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let conversation = turns(TURNS, TURN_BYTES);
    let ground = Ground::start(false)?;
    let grown = grown(&ground, &conversation).await?;
    let mut figures = vec![
        Figure::costs(
            "Redis, 200 turns of 1 KB".into(),
            "bytes",
            "the limit",
            &[(grown, BYTES_MAX)],
        )
        .with_goal(1.0),
    ];
    let longest = if pace.quick { 4 } else { LONG.len() };
    let (mut redis, mut file) =
        (Curve::new("Redis used_memory", Vec::new()), Curve::new("file on disk", Vec::new()));
    for count in LONG.into_iter().take(longest) {
        let conversation = turns(count, SHORT_BYTES);
        let each = number(count);
        let ground = Ground::start(false)?;
        redis.points.push((each, self::grown(&ground, &conversation).await? / each));
        file.points.push((each, in_a_file(&conversation).await? / each));
    }
    let at = |turns: usize| {
        redis.points.iter().find(|(count, _)| *count >= number(turns)).map_or(0.0, |point| point.1)
    };
    let (short, long) = (at(500), redis.points.last().map_or(0.0, |point| point.1));
    let case =
        format!("Redis, a turn of {SHORT_BYTES} B among {}", LONG.get(longest - 1).unwrap_or(&0));
    // Flat: a turn of a thread ten times as long costs at most a fifth more.
    figures
        .push(Figure::costs(case, "bytes", "a turn among 500", &[(long, short)]).with_goal(0.83));
    for curve in [&redis, &file] {
        let slope = curve.slope().map_or_else(String::new, |slope| format!("{slope:.2}"));
        say(format_args!("{}: bytes a turn grow with slope {slope} (0 is flat)", curve.name));
    }
    let svg = bench::folder().join("checkpoints-growth-turns.svg");
    bench::curves(&svg, "Checkpoints", "turns of the thread", "bytes a turn", &[redis, file])?;
    say(format_args!("written: {}", svg.display()));
    Ok(figures)
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
