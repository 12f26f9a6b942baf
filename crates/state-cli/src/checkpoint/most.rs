//! How many lines a listing may have.

use clap::Args;

/// The most lines of a listing.
#[derive(Debug, Args)]
pub(crate) struct MostArguments {
    /// The most lines
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<u64>,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl MostArguments {
    /// How many were asked for; `usual` where nothing was said.
    pub(crate) fn or(&self, usual: u64) -> u64 {
        if self.all { u64::MAX } else { self.limit.unwrap_or(usual) }
    }
}

/// For clap, so the error is a plain sentence.
fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("0 lists nothing; --all lists all of them".to_owned()),
        Ok(limit) => Ok(limit),
        Err(_) => Err("write a whole number, or --all for all of them".to_owned()),
    }
}
