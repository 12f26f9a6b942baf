//! Size on disk, and what a killed process leaves behind.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::engine::{Contender, Engine, Outcome};
use crate::speed::{Scale, store_folder};
use crate::workload;
use state_tests::bench::{Figure, say, timed};
use state_tests::seeded::Seeded;

/// Bytes of a value in these cases.
const BYTES: usize = 1_024;
/// Acknowledged commits after which the child is killed.
const ACKNOWLEDGED: usize = 200;
/// First index of what the child writes, above every filled record.
const CHILD_FIRST: usize = 500_000;

/// Measures case 5: size after filling, after overwriting each record three times, after compaction.
pub(crate) fn sizes(folder: &Path, scale: Scale, figures: &mut Vec<Figure>) -> Outcome<()> {
    let contenders = [Contender::Redb, Contender::Fjall, Contender::FjallPlain];
    let mut steps: Vec<[f64; 3]> = Vec::new();
    for contender in contenders {
        let folder = store_folder(folder, contender, "size")?;
        let mut engine = contender.open(&folder)?;
        let mut seeded = Seeded::new(2);
        fill(engine.as_ref(), &mut seeded, scale.records)?;
        engine.settle()?;
        let filled = disk_bytes(&folder)?;
        for _ in 0..3 {
            fill(engine.as_ref(), &mut seeded, scale.records)?;
        }
        engine.settle()?;
        let overwritten = disk_bytes(&folder)?;
        engine.compact()?;
        drop(engine);
        steps.push([filled, overwritten, disk_bytes(&folder)?]);
    }
    let names = ["after filling", "after 3 overwrites", "after compaction"];
    for (step, name) in names.into_iter().enumerate() {
        let at =
            |side: usize| steps.get(side).and_then(|all| all.get(step)).copied().unwrap_or(0.0);
        let records = scale.records;
        for (side, against) in [(1, "fjall"), (2, "fjall uncompressed")] {
            let case = format!("disk use, {records} x 1 KiB, {name}: redb");
            let rounds = [(at(0) / 1e6, at(side) / 1e6)];
            figures.push(Figure::costs(case, "MB", against, &rounds));
        }
    }
    Ok(())
}

/// Measures case 6: a child is killed while it writes, and its store is opened again and checked.
pub(crate) fn reopening(folder: &Path, scale: Scale, figures: &mut Vec<Figure>) -> Outcome<()> {
    let contenders = [Contender::Redb, Contender::RedbQuickRepair, Contender::Fjall];
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    let mut small: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for (records, slots) in [(scale.records / 10, &mut small), (scale.records, &mut times)] {
        for contender in contenders {
            let store = store_folder(folder, contender, &format!("kill-{records}"))?;
            fill(contender.open(&store)?.as_ref(), &mut Seeded::new(3), records)?;
        }
        for _ in 0..scale.kills {
            for (contender, slot) in contenders.iter().zip(slots.iter_mut()) {
                let store = store_folder(folder, *contender, &format!("kill-{records}"))?;
                let (took, lost) = kill_and_reopen(*contender, &store, "commit")?;
                if lost > 0 {
                    return Err(
                        format!("{} lost {lost} acknowledged writes", contender.name()).into()
                    );
                }
                slot.push(took);
            }
        }
    }
    let rounds = |ours: usize, theirs: usize, of: &[Vec<f64>]| -> Vec<(f64, f64)> {
        let empty = Vec::new();
        let (ours, theirs) = (of.get(ours).unwrap_or(&empty), of.get(theirs).unwrap_or(&empty));
        ours.iter().copied().zip(theirs.iter().copied()).collect()
    };
    let label = format!("reopen after SIGKILL, {} x 1 KiB", scale.records);
    figures.push(Figure::costs(format!("{label}: redb"), "ms", "fjall", &rounds(0, 2, &times)));
    figures.push(Figure::costs(
        format!("{label}: redb quick-repair"),
        "ms",
        "redb",
        &rounds(1, 0, &times),
    ));
    for (side, contender) in contenders.iter().enumerate() {
        let empty = Vec::new();
        let (large, few) = (times.get(side).unwrap_or(&empty), small.get(side).unwrap_or(&empty));
        let pairs: Vec<(f64, f64)> = large.iter().copied().zip(few.iter().copied()).collect();
        let case = format!("reopen after SIGKILL, records x 10: {}", contender.name());
        figures.push(Figure::costs(case, "ms", "a tenth of the records", &pairs));
    }
    control(folder)
}

/// Shows that the kill test sees a loss: the child acknowledges what it has not made durable.
fn control(folder: &Path) -> Outcome<()> {
    for contender in [Contender::Redb, Contender::Fjall] {
        let store = store_folder(folder, contender, "control")?;
        fill(contender.open(&store)?.as_ref(), &mut Seeded::new(3), 1_000)?;
        let (_, lost) = kill_and_reopen(contender, &store, "apply")?;
        if lost == 0 {
            return Err(format!("the positive control of {} lost nothing", contender.name()).into());
        }
        say(format_args!(
            "control: {} acknowledged before it committed and lost {lost} of {ACKNOWLEDGED} or more",
            contender.name()
        ));
    }
    Ok(())
}

fn fill(engine: &dyn Engine, seeded: &mut Seeded, records: usize) -> Outcome<()> {
    for first in (0..records).step_by(500) {
        engine.commit(&workload::pairs(seeded, first, 500.min(records - first), BYTES))?;
    }
    Ok(())
}

/// Bytes in use below the folder, holes not counted.
fn disk_bytes(folder: &Path) -> Outcome<f64> {
    let mut blocks = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                blocks += metadata.blocks();
            }
        }
    }
    Ok(f64::from(u32::try_from(blocks)?) * 512.0)
}

/// Runs a writing child, kills it, reopens: milliseconds of the reopening, and acknowledged writes that are missing.
fn kill_and_reopen(contender: Contender, store: &Path, how: &str) -> Outcome<(f64, usize)> {
    let mut child = spawn(contender, store, how)?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut acknowledged = Vec::new();
    for line in lines.by_ref().take(ACKNOWLEDGED) {
        acknowledged.push(line?.parse::<usize>()?);
    }
    child.kill()?;
    child.wait()?;
    // What the child had printed before it died counts as acknowledged too; a line cut short does not parse.
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| line.parse::<usize>().ok()));
    if acknowledged.len() < ACKNOWLEDGED {
        return Err("the child ended before it was killed".into());
    }
    let (took, engine) = timed(|| contender.open(store))?;
    let mut lost = 0;
    for index in acknowledged {
        lost += usize::from(engine.get(&workload::key(CHILD_FIRST + index))?.is_none());
    }
    // The next round writes the same keys: remove nothing, but let it start from a clean close.
    drop(engine);
    Ok((took.as_secs_f64() * 1e3, lost))
}

fn spawn(contender: Contender, store: &Path, how: &str) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args(["--child", how, contender.name()])
        .arg(store)
        .stdout(Stdio::piped())
        .spawn()?)
}

/// The child: writes one record per commit for ever and prints its index once it is acknowledged.
pub(crate) fn child(how: &str, contender: Contender, store: &Path) -> Outcome<()> {
    let engine = contender.open(store)?;
    let mut output = std::io::stdout().lock();
    // Every process writes keys of its own, so that a former round's records prove nothing for this one.
    let first = usize::try_from(std::process::id())? % 100_000 * 100_000;
    for index in first.. {
        let mut seeded = Seeded::new(u64::try_from(index)?);
        let pair = (workload::key(CHILD_FIRST + index), workload::value(&mut seeded, BYTES));
        match how {
            "apply" => engine.apply(&[pair])?,
            _ => engine.commit(&[pair])?,
        }
        writeln!(output, "{index}")?;
        output.flush()?;
    }
    Ok(())
}
