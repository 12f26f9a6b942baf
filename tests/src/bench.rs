//! How benchmarks measure and report: side by side, in rounds, as ratios.

mod figure;
mod plot;
mod rounds;

use std::path::{Path, PathBuf};

pub use figure::{Figure, median, say, table, timed, write};
pub use plot::{Curve, bars, curves};
pub use rounds::{Caller, Pace, number, quantile, rate, spawn};

/// Any failure of a benchmark, for people.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Where results are written: `target/bench` below the current folder.
pub fn folder() -> PathBuf {
    Path::new("target").join("bench")
}

/// Prints and draws `figures`, and writes them to `NAME.json` together with those of `others`,
/// which have been shown already; the plot is `NAME.svg`.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn finish(name: &str, figures: &[Figure], others: &[Figure]) -> Outcome<()> {
    table(figures);
    let (json, svg) = (folder().join(format!("{name}.json")), folder().join(format!("{name}.svg")));
    write(&json, &[figures, others].concat())?;
    bars(&svg, name, figures)?;
    say(format_args!("written: {} and {}", json.display(), svg.display()));
    Ok(())
}
