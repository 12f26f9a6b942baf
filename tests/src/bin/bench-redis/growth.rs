//! How cost grows: with the keys of others in the database, with the size of the value, and with the number of tasks.

use std::sync::Arc;

use comfy_table::Table;
use redis::aio::MultiplexedConnection;
use state_core::{ClearOptions, Clock, CountOptions, Key, StateBackend, SystemClock, WriteOp};
use state_redis::NamespaceOptions;
use state_tests::bench::{self, Curve, Figure, Outcome, Pace, median, number, rate, say};

use super::ground::{Ground, plain_name, write_all};
use super::sides::{Keys, Ours, Plain, Work, value};

const OWN_KEYS: usize = 100;
const FOREIGN_KEYS: [usize; 3] = [1_000, 10_000, 100_000];
const VALUE_BYTES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
const TASKS: [usize; 4] = [1, 10, 100, 1_000];
const SMALL_BYTES: usize = 100;
const TO_US: f64 = 1e6;

/// Draws and prints the curves; what they show as figures.
pub(crate) async fn curves(ground: &Ground) -> Outcome<Vec<Figure>> {
    let pace = ground.pace.with_time_ms(60, 300);
    let mut figures = foreign_keys(ground).await?;
    figures.extend(sizes(ground, pace).await?);
    figures.extend(tasks(ground, pace).await?);
    Ok(figures)
}

/// Counts a namespace of a hundred keys in a database that fills with keys of others.
async fn foreign_keys(ground: &Ground) -> Outcome<Vec<Figure>> {
    let with_index = NamespaceOptions::new().with_ordered_index(true);
    let layouts = [
        ("count, default layout", 1.0, "state-bench-count", NamespaceOptions::new()),
        ("count, ordered index", 0.0, "state-bench-index", with_index),
    ];
    let mut plain = ground.plain().await?;
    let mut measured = Vec::new();
    for (name, slope, namespace, options) in layouts {
        let backend = ground.backend_in(namespace, options).await?;
        let keys = (0..OWN_KEYS).map(|index| Key::from(format!("own:{index:03}")));
        let ops = keys.map(|key| WriteOp::put(key, value(SMALL_BYTES))).collect();
        write_all(&*backend, ops).await?;
        measured.push((Curve::new(name, Vec::new()), slope, backend));
    }
    let mut filled = 0;
    for size in FOREIGN_KEYS {
        foreign(&mut plain, "SET", filled, size).await?;
        filled = size;
        for (curve, _, backend) in &mut measured {
            curve.points.push((number(size), count_us(&**backend).await?));
        }
    }
    foreign(&mut plain, "UNLINK", 0, filled).await?;
    for (_, _, backend) in &measured {
        backend.clear_opts(ClearOptions::default()).await?;
    }
    let curves = measured.into_iter().map(|(curve, slope, _)| (curve, Some(slope)));
    show("keys", "keys of others in the database", &curves.collect::<Vec<_>>())
}

/// Writes or removes the keys of others, all with a short value.
async fn foreign(
    plain: &mut MultiplexedConnection,
    command: &str,
    from: usize,
    to: usize,
) -> Outcome<()> {
    let mut next = from;
    while next < to {
        let end = (next + 5_000).min(to);
        let mut pipeline = redis::pipe();
        for index in next..end {
            pipeline.cmd(command).arg(plain_name(&format!("foreign:{index:07}")));
            if command == "SET" {
                pipeline.arg("v");
            }
            pipeline.ignore();
        }
        pipeline.query_async::<()>(plain).await?;
        next = end;
    }
    Ok(())
}

async fn count_us(backend: &dyn StateBackend) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let clock = SystemClock::new();
        let start = clock.monotonic();
        let count = backend.count_opts(CountOptions::default()).await?;
        let took = clock.monotonic().saturating_sub(start);
        if count != OWN_KEYS as u64 {
            return Err(format!("{count} keys were counted, not {OWN_KEYS}").into());
        }
        times.push(took.as_secs_f64() * TO_US);
    }
    Ok(median(times))
}

/// Gets and puts of values of growing size, one at a time.
async fn sizes(ground: &Ground, pace: Pace) -> Outcome<Vec<Figure>> {
    let mut curves = Comparison::new(ground).await?;
    for value_bytes in VALUE_BYTES {
        curves.measure(number(value_bytes), value_bytes, 1, pace).await?;
    }
    curves.show("bytes", "bytes of the value")
}

/// Gets and puts of small values by more and more tasks: what a call costs when all of them share a connection.
async fn tasks(ground: &Ground, pace: Pace) -> Outcome<Vec<Figure>> {
    let mut curves = Comparison::new(ground).await?;
    for tasks in TASKS {
        curves.measure(number(tasks), SMALL_BYTES, tasks, pace).await?;
    }
    curves.show("tasks", "tasks")
}

/// Curves of both sides.
struct Comparison {
    backend: Arc<dyn StateBackend>,
    connection: MultiplexedConnection,
    /// Ours and the plain one of each work.
    curves: Vec<[Curve; 2]>,
}

impl Comparison {
    async fn new(ground: &Ground) -> Outcome<Self> {
        let curve = |name: &str, of: &str| Curve::new(format!("{name}, {of}"), Vec::new());
        let curves = Work::both(SMALL_BYTES)
            .map(|(name, _)| [curve(name, "driver"), curve(name, "multiplexed connection")]);
        let (backend, connection) = (ground.backend().await?, ground.plain().await?);
        Ok(Self { backend, connection, curves: Vec::from(curves) })
    }

    /// Adds a point to each curve: the microseconds of a call, over all tasks.
    async fn measure(
        &mut self,
        at: f64,
        value_bytes: usize,
        tasks: usize,
        pace: Pace,
    ) -> Outcome<()> {
        let keys = Keys::new(value_bytes, if value_bytes > SMALL_BYTES { 8 } else { 1_000 });
        keys.fill(&*self.backend, self.connection.clone(), value_bytes).await?;
        for ((_, work), [ours, plain]) in Work::both(value_bytes).into_iter().zip(&mut self.curves)
        {
            let (keys, connection) = (keys.clone(), self.connection.clone());
            let backend = Arc::clone(&self.backend);
            let our_side = Ours { backend, keys: keys.clone(), work: work.clone() };
            let plain_side = Plain { connection, keys, work };
            let (mut our_us, mut plain_us) = (Vec::new(), Vec::new());
            for _ in 0..pace.rounds.min(5) {
                our_us.push(TO_US / rate(tasks, pace.time, &our_side).await?);
                plain_us.push(TO_US / rate(tasks, pace.time, &plain_side).await?);
            }
            ours.points.push((at, median(our_us)));
            plain.points.push((at, median(plain_us)));
        }
        Ok(())
    }

    /// The slope should be that of the plain connection.
    fn show(self, name: &str, axis: &str) -> Outcome<Vec<Figure>> {
        let mut curves = Vec::new();
        for [ours, plain] in self.curves {
            let should = plain.slope();
            curves.extend([(ours, should), (plain, None)]);
        }
        show(name, axis, &curves)
    }
}

/// Prints and draws curves with the slopes that they should have on logarithmic scales: 0 is flat, 1 is linear.
fn show(name: &str, axis: &str, curves: &[(Curve, Option<f64>)]) -> Outcome<Vec<Figure>> {
    let mut table = Table::new();
    table.set_header(["microseconds of a call", "slope", "should be", "smallest", "largest"]);
    let about = |slope: Option<f64>| slope.map_or_else(String::new, |slope| format!("{slope:.2}"));
    for (curve, should) in curves {
        let at = |point: Option<&(f64, f64)>| {
            point.map_or_else(String::new, |(size, us)| format!("{us:.1} us at {size}"))
        };
        table.add_row([
            curve.name.clone(),
            about(curve.slope()),
            about(*should),
            at(curve.points.first()),
            at(curve.points.last()),
        ]);
    }
    say(format_args!("cost against {axis}"));
    say(table);
    let svg = bench::folder().join(format!("redis-growth-{name}.svg"));
    let drawn: Vec<Curve> = curves.iter().map(|(curve, _)| curve.clone()).collect();
    bench::curves(&svg, "Redis driver", axis, "microseconds a call", &drawn)?;
    say(format_args!("written: {}", svg.display()));
    Ok(curves.iter().flat_map(|(curve, should)| curve.figures("us", axis, *should)).collect())
}
