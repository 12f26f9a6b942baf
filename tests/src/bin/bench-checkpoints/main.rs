//! Measures checkpoints: what a history costs to store, what a step costs to send, and how fast both are beside the raw
//! commands.
//!
//! `--quick` for shorter threads and fewer rounds; `--only PART` for one of the parts; `--input FILE` for conversations of
//! one's own, one JSON object `{"thread", "messages"}` a line.

mod ground;
mod input;
mod speed;
mod steps;
mod storage;
mod trips;
mod turns;

use state_tests::bench::{self, Figure, Outcome, Pace, say};

use input::Input;

/// What can be measured alone, in the order in which it is measured.
const PARTS: [&str; 4] = ["storage", "turns", "trips", "speed"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let pace = Pace::new(arguments.iter().any(|argument| argument == "--quick"));
    let only = after("--only");
    if let Some(only) = only.filter(|only| !PARTS.contains(&only.as_str())) {
        return Err(format!("there is no part `{only}`: {}", PARTS.join(", ")).into());
    }
    let input = Input::read(after("--input").map(String::as_str))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for part in PARTS.into_iter().filter(|part| only.is_none_or(|only| only == part)) {
        match runtime.block_on(measure(part, &input, pace)) {
            Ok(measured) => figures.extend(measured),
            Err(error) => {
                say(format_args!("not measured: {part}: {error}"));
                failed.push(part);
            }
        }
    }
    bench::finish("checkpoints", &figures, &[])?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("could not be measured: {}", failed.join(", ")).into())
}

async fn measure(part: &str, input: &Input, pace: Pace) -> Outcome<Vec<Figure>> {
    match part {
        "storage" => storage::figures(input).await,
        "turns" => turns::figures(pace).await,
        "trips" => trips::figures(pace).await,
        _ => speed::figures(pace).await,
    }
}
