//! How cost grows: with the keys in the namespace, and with the size of the value.

use std::sync::Arc;

use bytes::Bytes;
use comfy_table::Table;
use state_core::{
    CountOptions, GetOptions, Key, ListOptions, PutOptions, Result, StateBackend, WriteOp,
};
use state_tests::bench::{self, Curve, Outcome, median, say, timed};

/// What is measured, with the slope it should have on logarithmic scales: 0 is flat, 1 is
/// linear. Trees give a little more than 0.
const OPERATIONS: [(&str, f64); 5] =
    [("get", 0.0), ("put", 0.0), ("page of 100", 0.0), ("count", 1.0), ("count of 10", 0.0)];

/// Grows the namespace tenfold step by step and draws what each operation costs.
pub(crate) fn keys(
    store: &str,
    quick: bool,
    open: impl Fn() -> Outcome<Arc<dyn StateBackend>>,
) -> Outcome<()> {
    let sizes: &[usize] =
        if quick { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let backend = open()?;
    let mut curves: Vec<Curve> =
        OPERATIONS.iter().map(|(name, _)| Curve::new(*name, Vec::new())).collect();
    let mut filled = 0;
    for &size in sizes {
        runtime.block_on(fill(&*backend, filled, size))?;
        filled = size;
        for (index, curve) in curves.iter_mut().enumerate() {
            let mut times = Vec::new();
            for round in 0..7 {
                let calls = if index == 3 { 1 } else { 50 };
                let (took, ()) = timed(|| {
                    for call in 0..calls {
                        let key = (round * calls + call) * 7_919 % size;
                        runtime.block_on(operation(&*backend, index, key))?;
                    }
                    Ok(())
                })?;
                times.push(took.as_secs_f64() * 1e6 / number(calls));
            }
            curve.points.push((number(size), median(times)));
        }
    }
    show(&format!("{store}: cost against keys in the namespace"), &curves);
    let svg = bench::folder().join(format!("local-growth-{store}.svg"));
    bench::curves(&svg, &format!("{store} store"), "keys", "microseconds a call", &curves)?;
    say(format_args!("written: {}", svg.display()));
    Ok(())
}

fn show(title: &str, curves: &[Curve]) {
    let mut table = Table::new();
    table.set_header(["operation", "slope", "should be", "smallest", "largest"]);
    for (curve, (_, slope)) in curves.iter().zip(OPERATIONS) {
        let at = |point: Option<&(f64, f64)>| {
            point.map_or_else(String::new, |(size, us)| format!("{us:.1} us at {size}"))
        };
        table.add_row([
            curve.name.clone(),
            curve.slope().map_or_else(String::new, |slope| format!("{slope:.2}")),
            format!("about {slope:.0}"),
            at(curve.points.first()),
            at(curve.points.last()),
        ]);
    }
    say(title);
    say(table);
}

fn name(index: usize) -> Key {
    Key::from(format!("user:{index:08}"))
}

async fn fill(backend: &dyn StateBackend, from: usize, to: usize) -> Outcome<()> {
    let value = Bytes::from(vec![b'v'; 100]);
    let mut next = from;
    while next < to {
        let end = (next + 5_000).min(to);
        let ops = (next..end).map(|index| WriteOp::put(name(index), value.clone())).collect();
        for outcome in backend.write_many(ops).await? {
            outcome?;
        }
        next = end;
    }
    Ok(())
}

async fn operation(backend: &dyn StateBackend, index: usize, key: usize) -> Result<()> {
    match index {
        0 => {
            backend.get_opts(&name(key), GetOptions::new()).await?;
        }
        1 => {
            let value = Bytes::from_static(&[b'w'; 100]);
            backend.put_opts(&name(key), value, PutOptions::new()).await?;
        }
        2 => {
            backend.list_page(ListOptions::new("user:").with_limit(100_usize)).await?;
        }
        3 => {
            backend.count_opts(CountOptions::default()).await?;
        }
        _ => {
            let prefix = format!("user:{:07}", key / 10);
            backend.count_opts(CountOptions::new(prefix)).await?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}
