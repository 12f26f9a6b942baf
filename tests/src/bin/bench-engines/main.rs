//! Compares redb and fjall as the engine of the durable store, on its own workload; docs/decisions/0002-embedded-engine.md
//! is what came of it.
//!
//! `cargo run --release -p state-tests --features engines --bin bench-engines -- [--quick | --facts]`

mod disk;
mod engine;
mod facts;
mod fjall_engine;
mod power_cut;
mod redb_engine;
mod simulated;
mod speed;
mod workload;

use std::path::Path;
use std::process::Command;

use engine::{Contender, Outcome};
use speed::Scale;
use state_tests::bench::{self, Figure, say};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => measure(Scale::FULL),
        ["--quick"] => measure(Scale::QUICK),
        ["--facts"] => facts::run(tempfile::tempdir()?.path()),
        // The rest is how this program calls itself.
        ["--child", how, name, store] => disk::child(how, contender(name)?, Path::new(store)),
        ["--open", name, store] => {
            facts::open_and_say(contender(name)?, Path::new(store));
            Ok(())
        }
        ["--fill", name, store] => facts::fill_until_error(contender(name)?, Path::new(store)),
        _ => Err("usage: bench-engines [--quick | --facts]".into()),
    }
}

fn contender(name: &str) -> Outcome<Contender> {
    Contender::parse(name).ok_or_else(|| format!("no contender is called {name}").into())
}

fn measure(scale: Scale) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut figures = Vec::new();
    for bytes in [100, 1_024, 16_384] {
        speed::run(folder.path(), scale, bytes, &mut figures)?;
    }
    disk::sizes(folder.path(), scale, &mut figures)?;
    disk::reopening(folder.path(), scale, &mut figures)?;
    figures.push(dependencies()?);
    bench::table(&figures);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/engines.json");
    bench::write(&target, &figures)?;
    say("written to target/bench/engines.json");
    Ok(())
}

/// Crates that each engine brings, itself included.
fn dependencies() -> Outcome<Figure> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["tree", "-p", "state-tests", "--features", "engines", "-e", "normal"])
        .args(["--prefix", "depth", "--no-dedupe", "--format", " {p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    let tree = String::from_utf8(output.stdout)?;
    let rounds = [(below(&tree, "redb")?, below(&tree, "fjall")?)];
    let case = "crates to build: redb".to_owned();
    Ok(Figure::costs(case, "crates", "fjall", &rounds))
}

/// Different packages in the part of the tree that begins with `package`.
fn below(tree: &str, package: &str) -> Outcome<f64> {
    let lines = tree.lines().filter_map(|line| {
        let (depth, name) = line.split_once(' ')?;
        Some((depth.parse::<usize>().ok()?, name))
    });
    let mut rest = lines.skip_while(|(_, name)| !name.starts_with(&format!("{package} v")));
    let (root, name) =
        rest.next().ok_or_else(|| format!("cargo tree knows nothing of {package}"))?;
    let mut names: Vec<&str> =
        rest.take_while(|(depth, _)| *depth > root).map(|each| each.1).collect();
    names.push(name);
    names.sort_unstable();
    names.dedup();
    Ok(f64::from(u32::try_from(names.len())?))
}
