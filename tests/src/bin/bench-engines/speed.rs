//! Puts, gets, scans and snapshots, contenders side by side in interleaved rounds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::engine::{Contender, Engine, Outcome, Pair};
use crate::workload::{self, PARTITION};
use state_tests::bench::{Figure, timed};
use state_tests::seeded::Seeded;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Rounds, each giving one ratio.
    pub(crate) rounds: usize,
    /// Durable commits of one put per round.
    pub(crate) puts: usize,
    /// Durable commits of 64 puts per round.
    pub(crate) batches: usize,
    /// Point reads per round.
    pub(crate) gets: usize,
    /// Scans of 1,000 per round.
    pub(crate) scans: usize,
    /// Records of the stores whose size and reopening are measured.
    pub(crate) records: usize,
    /// Rounds of kill and reopen.
    pub(crate) kills: usize,
}

impl Scale {
    /// Everything, in some minutes.
    pub(crate) const FULL: Self = Self {
        rounds: 15,
        puts: 200,
        batches: 20,
        gets: 20_000,
        scans: 20,
        records: 50_000,
        kills: 7,
    };
    /// Under a minute.
    pub(crate) const QUICK: Self =
        Self { rounds: 5, puts: 30, batches: 3, gets: 5_000, scans: 5, records: 10_000, kills: 2 };
}

/// Puts per batch.
const BATCH: usize = 64;

struct Side {
    contender: Contender,
    engine: Box<dyn Engine>,
    seeded: Seeded,
}

/// Measures cases 1 to 4 and 7 for the value size.
pub(crate) fn run(
    folder: &Path,
    scale: Scale,
    bytes: usize,
    figures: &mut Vec<Figure>,
) -> Outcome<()> {
    let records = if bytes > 4_096 { 2 * PARTITION } else { 10 * PARTITION };
    let mut sides = Vec::new();
    for contender in Contender::ALL {
        if contender != Contender::FjallPlain {
            sides.push(Side::filled(contender, folder, records, bytes)?);
        }
    }
    let label = size_label(bytes);
    let gets = rounds(&mut sides, scale, |side| side.gets(scale.gets, records))?;
    compare(figures, &format!("get, {label}"), "gets/s", &gets, None);
    let scans = rounds(&mut sides, scale, |side| side.scans(scale.scans, records))?;
    compare(figures, &format!("scan 1,000, {label}"), "records/s", &scans, None);
    if bytes == 1_024 {
        let snapshots = rounds(&mut sides, scale, |side| side.snapshots(scale.puts, records))?;
        compare(figures, "snapshot of 64 beside a writer", "snapshots/s", &snapshots, None);
    }
    let puts = rounds(&mut sides, scale, |side| side.puts(scale.puts, records, bytes))?;
    compare(figures, &format!("durable put, {label}"), "puts/s", &puts, Some(0.2));
    let batches = rounds(&mut sides, scale, |side| side.batches(scale.batches, records, bytes))?;
    compare(figures, &format!("durable batch of 64, {label}"), "puts/s", &batches, Some(0.2));
    grouping(figures, &label, &puts, &batches);
    Ok(())
}

/// Text for a size in bytes.
pub(crate) fn size_label(bytes: usize) -> String {
    if bytes < 1_024 { format!("{bytes} B") } else { format!("{} KiB", bytes / 1_024) }
}

/// A folder for a contender's store.
pub(crate) fn store_folder(folder: &Path, contender: Contender, what: &str) -> Outcome<PathBuf> {
    let path = folder.join(format!("{what}-{}", contender.name().replace(' ', "-")));
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

type Measured = Vec<(Contender, Vec<f64>)>;

fn rounds(
    sides: &mut [Side],
    scale: Scale,
    measure: impl Fn(&mut Side) -> Outcome<f64>,
) -> Outcome<Measured> {
    let mut measured: Measured = sides.iter().map(|side| (side.contender, Vec::new())).collect();
    let count = sides.len().max(1);
    for round in 0..=scale.rounds {
        for step in 0..sides.len() {
            // Each round starts with another side, so that no side always runs behind the same one.
            let turn = (round + step) % count;
            if let (Some(side), Some(slot)) = (sides.get_mut(turn), measured.get_mut(turn)) {
                let rate = measure(side)?;
                // The first round only warms up.
                if round > 0 {
                    slot.1.push(rate);
                }
            }
        }
    }
    Ok(measured)
}

fn of(measured: &Measured, contender: Contender) -> Vec<f64> {
    let found = measured.iter().find(|each| each.0 == contender);
    found.map(|each| each.1.clone()).unwrap_or_default()
}

fn pairwise(ours: &[f64], theirs: &[f64]) -> Vec<(f64, f64)> {
    ours.iter().copied().zip(theirs.iter().copied()).collect()
}

fn compare(
    figures: &mut Vec<Figure>,
    case: &str,
    unit: &'static str,
    measured: &Measured,
    goal: Option<f64>,
) {
    let fjall = of(measured, Contender::Fjall);
    let redb = of(measured, Contender::Redb);
    let figure = Figure::rates(format!("{case}: redb"), unit, "fjall", &pairwise(&redb, &fjall));
    figures.push(goal.into_iter().fold(figure, Figure::with_goal));
    if !case.starts_with("durable") {
        return;
    }
    for variant in [Contender::RedbTwoPhase, Contender::RedbQuickRepair] {
        let rates = of(measured, variant);
        let case = format!("{case}: {}", variant.name());
        figures.push(Figure::rates(case, unit, "redb", &pairwise(&rates, &redb)));
    }
}

fn grouping(figures: &mut Vec<Figure>, label: &str, puts: &Measured, batches: &Measured) {
    for contender in [Contender::Redb, Contender::Fjall] {
        let rounds = pairwise(&of(batches, contender), &of(puts, contender));
        let case = format!("grouping 64 puts, {label}: {}", contender.name());
        figures.push(Figure::rates(case, "puts/s", "one commit per put", &rounds));
    }
}

fn rate(count: usize, took: std::time::Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

impl Side {
    fn filled(contender: Contender, folder: &Path, records: usize, bytes: usize) -> Outcome<Self> {
        let folder = store_folder(folder, contender, &format!("speed-{bytes}"))?;
        let engine = contender.open(&folder)?;
        let mut seeded = Seeded::new(1);
        for first in (0..records).step_by(500) {
            engine.commit(&workload::pairs(&mut seeded, first, 500, bytes))?;
        }
        engine.settle()?;
        Ok(Self { contender, engine, seeded })
    }

    fn puts(&mut self, count: usize, records: usize, bytes: usize) -> Outcome<f64> {
        let pairs = self.random(count, records, bytes);
        let (took, ()) = timed(|| {
            for pair in &pairs {
                self.engine.commit(std::slice::from_ref(pair))?;
            }
            Ok(())
        })?;
        Ok(rate(count, took))
    }

    fn batches(&mut self, count: usize, records: usize, bytes: usize) -> Outcome<f64> {
        let pairs = self.random(count * BATCH, records, bytes);
        let (took, ()) =
            timed(|| pairs.chunks(BATCH).try_for_each(|batch| self.engine.commit(batch)))?;
        Ok(rate(count * BATCH, took))
    }

    fn gets(&mut self, count: usize, records: usize) -> Outcome<f64> {
        let keys: Vec<Vec<u8>> =
            (0..count).map(|_| workload::key(self.seeded.below(records))).collect();
        let (took, found) = timed(|| {
            let mut found = 0;
            for key in &keys {
                found += usize::from(self.engine.get(key)?.is_some());
            }
            Ok(found)
        })?;
        if found != count {
            return Err(format!("{} of {count} gets found nothing", count - found).into());
        }
        Ok(rate(count, took))
    }

    fn scans(&mut self, count: usize, records: usize) -> Outcome<f64> {
        let partitions: Vec<usize> =
            (0..count).map(|_| self.seeded.below(records / PARTITION)).collect();
        let (took, seen) = timed(|| {
            let mut seen = 0;
            for partition in &partitions {
                seen += self.engine.scan(&workload::prefix(*partition), PARTITION)?.len();
            }
            Ok(seen)
        })?;
        if seen != count * PARTITION {
            return Err(format!("scans saw {seen} of {} records", count * PARTITION).into());
        }
        Ok(rate(seen, took))
    }

    /// Reads 64 records at once while another thread keeps rewriting all of them in one commit: a snapshot that holds
    /// two generations is torn.
    fn snapshots(&mut self, count: usize, records: usize) -> Outcome<f64> {
        let keys: Vec<Vec<u8>> = (records..records + BATCH).map(workload::key).collect();
        let generation = |number: usize| -> Vec<Pair> {
            keys.iter().map(|key| (key.clone(), format!("{number:01024}").into_bytes())).collect()
        };
        self.engine.commit(&generation(0))?;
        let stop = AtomicBool::new(false);
        let written = AtomicUsize::new(0);
        let engine = &self.engine;
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| -> Outcome<()> {
                while !stop.load(Ordering::Relaxed) {
                    let number = written.fetch_add(1, Ordering::Relaxed) + 1;
                    engine.commit(&generation(number))?;
                }
                Ok(())
            });
            let reading = timed(|| {
                for _ in 0..count {
                    let values = engine.snapshot(&keys)?;
                    if values.iter().any(|value| value.is_none() || Some(value) != values.first()) {
                        return Err("a snapshot holds two generations".into());
                    }
                }
                Ok(())
            });
            stop.store(true, Ordering::Relaxed);
            writer.join().map_err(|_| "the writer panicked")??;
            Ok(rate(count, reading?.0))
        })
    }

    fn random(&mut self, count: usize, records: usize, bytes: usize) -> Vec<Pair> {
        (0..count)
            .map(|_| {
                let key = workload::key(self.seeded.below(records));
                (key, workload::value(&mut self.seeded, bytes))
            })
            .collect()
    }
}
