//! Figures: medians of per-round ratios, the table for people and the list for programs.

use std::path::Path;
use std::time::{Duration, Instant};

use comfy_table::Table;
use serde_json::{Value, json};

use super::Outcome;

/// One figure of a comparison.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub case: String,
    /// Median of this side, in `unit`.
    pub value: f64,
    /// Unit of both sides.
    pub unit: &'static str,
    /// Name of the other side.
    pub against: String,
    /// Median of the other side, in `unit`.
    pub against_value: f64,
    /// Median of the ratios of each round; above 1 is better.
    pub ratio: f64,
    /// Smallest and largest ratio of a round.
    pub spread: (f64, f64),
    /// The ratio below which the decision would be wrong, where there is one.
    pub goal: Option<f64>,
}

impl Figure {
    /// Rates of two sides, one pair per round: more is better.
    pub fn rates(case: String, unit: &'static str, against: &str, rounds: &[(f64, f64)]) -> Self {
        let ratios = rounds.iter().map(|(ours, theirs)| ours / theirs);
        Self::from_rounds(case, unit, against, rounds, ratios.collect())
    }

    /// Costs of two sides (bytes, time), one pair per round: less is better.
    pub fn costs(case: String, unit: &'static str, against: &str, rounds: &[(f64, f64)]) -> Self {
        let ratios = rounds.iter().map(|(ours, theirs)| theirs / ours);
        Self::from_rounds(case, unit, against, rounds, ratios.collect())
    }

    /// Sets the ratio that the decision needs.
    #[must_use]
    pub fn with_goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    fn from_rounds(
        case: String,
        unit: &'static str,
        against: &str,
        rounds: &[(f64, f64)],
        ratios: Vec<f64>,
    ) -> Self {
        let smallest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = ratios.iter().copied().fold(0.0, f64::max);
        Self {
            case,
            value: median(rounds.iter().map(|pair| pair.0).collect()),
            unit,
            against: against.to_owned(),
            against_value: median(rounds.iter().map(|pair| pair.1).collect()),
            ratio: median(ratios),
            spread: (smallest, largest),
            goal: None,
        }
    }

    /// Whether the goal is met, where there is one.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| self.ratio >= goal)
    }

    fn to_json(&self) -> Value {
        json!({
            "case": self.case,
            "value": self.value,
            "unit": self.unit,
            "against": self.against,
            "against_value": self.against_value,
            "ratio": self.ratio,
            "goal": self.goal,
            "met": self.met(),
        })
    }
}

/// The middle value; 0 for none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// How long `work` took, with its result.
///
/// # Errors
/// That of `work`.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time; no clock of the library is involved"
)]
pub fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Duration, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((start.elapsed(), result))
}

/// Prints a line or a table.
#[expect(clippy::print_stdout, reason = "a program for people")]
pub fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Prints the figures.
pub fn table(figures: &[Figure]) {
    let mut table = Table::new();
    table.set_header(["case", "this", "unit", "against", "that", "ratio", "spread", "goal", "met"]);
    for each in figures {
        table.add_row([
            each.case.clone(),
            format!("{:.1}", each.value),
            each.unit.to_owned(),
            each.against.clone(),
            format!("{:.1}", each.against_value),
            format!("{:.2}", each.ratio),
            format!("{:.2}-{:.2}", each.spread.0, each.spread.1),
            each.goal.map_or(String::new(), |goal| format!("{goal:.2}")),
            each.met().map_or(String::new(), |met| if met { "yes" } else { "NO" }.to_owned()),
        ]);
    }
    say(table);
}

/// Writes the figures to `path`, making its folder.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write(path: &Path, figures: &[Figure]) -> Outcome<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let list: Vec<Value> = figures.iter().map(Figure::to_json).collect();
    std::fs::write(path, serde_json::to_string_pretty(&list)?)?;
    Ok(())
}
