//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/`, each for a bounded time, where a nightly toolchain is.

use std::{fs, path::Path};

use clap::Args;

use crate::{failure::Failure, process, workspace};

const EXAMPLES: &str = "\
Examples:
  cargo xtask fuzz --list             which targets there are
  cargo xtask fuzz                    all of them, 30 seconds each
  cargo xtask fuzz envelope --seconds 600

A crash leaves its input in fuzz/artifacts/TARGET; repeat it with
  cargo +nightly fuzz run TARGET fuzz/artifacts/TARGET/FILE
Without a nightly toolchain nothing is fuzzed; the same bodies run on stable, under proptest, in `cargo xtask ci`.";

/// Fuzz the decoders, each for a bounded time (needs a nightly toolchain).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which target; all when left out
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only list the targets
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let known = targets(&workspace::root().join("fuzz/Cargo.toml"))?;
    if arguments.list {
        for name in &known {
            println!("{name}");
        }
        return Ok(());
    }
    let chosen = choose(&known, arguments.target.as_deref())?;
    need_nightly()?;
    let mut crashed = Vec::new();
    for target in chosen {
        let time = format!("-max_total_time={}", arguments.seconds);
        if process::run(&mut process::nightly_cargo(["fuzz", "run", target, "--", &time])).is_err()
        {
            crashed.push(target);
        }
    }
    if crashed.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!(
        "failed: {}; the inputs are in fuzz/artifacts, `cargo xtask fuzz --help` says how to repeat them",
        crashed.join(", ")
    )))
}

fn need_nightly() -> Result<(), Failure> {
    if !process::succeeds(&mut process::nightly_cargo(["--version"])) {
        return Err(Failure::tool(
            "fuzzing needs a nightly toolchain: `rustup toolchain install nightly`, then try again; \
             the same bodies ran on stable, under proptest, if `cargo xtask ci` passed",
        ));
    }
    process::need_subcommand("fuzz")
}

fn targets(manifest: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(manifest)
        .map_err(|error| Failure::io("reading fuzz/Cargo.toml, which lists the targets", &error))?;
    let manifest: toml::Table = text
        .parse()
        .map_err(|error| Failure::check(format!("fuzz/Cargo.toml cannot be read: {error}")))?;
    let programs = manifest.get("bin").and_then(toml::Value::as_array);
    let names = programs.into_iter().flatten().filter_map(|bin| bin.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn choose<'a>(known: &'a [String], wanted: Option<&str>) -> Result<Vec<&'a str>, Failure> {
    let chosen: Vec<_> = known
        .iter()
        .map(String::as_str)
        .filter(|name| wanted.is_none_or(|wanted| wanted == *name))
        .collect();
    if chosen.is_empty() {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let wanted = wanted.unwrap_or("any");
        return Err(Failure::usage(format!(
            "there is no fuzz target `{wanted}`; known are: {known}"
        )));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_all_targets_are_chosen_and_an_unknown_one_is_refused() {
        let known = ["envelope", "snapshot"].map(str::to_owned);
        assert_eq!(choose(&known, None).unwrap(), ["envelope", "snapshot"]);
        assert_eq!(choose(&known, Some("snapshot")).unwrap(), ["snapshot"]);
        let failure = choose(&known, Some("x")).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.to_string().contains("envelope, snapshot"));
    }

    #[test]
    fn a_missing_manifest_is_named() {
        let failure = targets(Path::new("no-such-folder/Cargo.toml")).unwrap_err();
        assert!(failure.to_string().contains("fuzz/Cargo.toml"));
    }
}
