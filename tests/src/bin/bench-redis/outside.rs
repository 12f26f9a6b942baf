//! Gets and puts beside `redis-benchmark`, with as many commands in flight on its one connection as there are tasks.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use state_tests::bench::{Figure, Outcome, rate, say};

use super::ground::Ground;
use super::point::SIZES;
use super::sides::{Keys, Ours, Work};

const PROGRAM: &str = "redis-benchmark";
const KEYS: usize = 1_000;
const TASKS: usize = 256;
const GOAL: f64 = 0.3;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let probe = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    if probe.is_err() {
        say(format_args!("not measured: beside {PROGRAM}, which is not on the PATH"));
        return Ok(Vec::new());
    }
    if !ground.servers.is_controlled() {
        say(format_args!(
            "not measured: beside {PROGRAM}, which would leave its keys on given servers"
        ));
        return Ok(Vec::new());
    }
    let (backend, connection) = (ground.backend().await?, ground.plain().await?);
    let rounds = if ground.pace.quick { 3 } else { 7 };
    let mut figures = Vec::new();
    for (label, value_bytes) in SIZES {
        let keys = Keys::new(value_bytes, KEYS);
        keys.fill(&*backend, connection.clone(), value_bytes).await?;
        let mut pairs = [("get", Vec::new()), ("put", Vec::new())];
        for _ in 0..rounds {
            let theirs = run(ground, value_bytes)?;
            for (((_, pairs), theirs), (_, work)) in
                pairs.iter_mut().zip(theirs).zip(Work::both(value_bytes))
            {
                let ours = Ours { backend: Arc::clone(&backend), keys: keys.clone(), work };
                let time = ground.pace.time.max(Duration::from_millis(200));
                pairs.push((rate(TASKS, time, &ours).await?, theirs));
            }
        }
        for (name, pairs) in pairs {
            let case = format!("{name} {label}, {TASKS} tasks");
            let figure = Figure::rates(case, "calls/s", PROGRAM, &pairs);
            figures.push(figure.with_goal(GOAL));
        }
    }
    Ok(figures)
}

/// The rates of its gets and of its puts.
fn run(ground: &Ground, value_bytes: usize) -> Outcome<[f64; 2]> {
    let address = ground.servers.node(0)?.direct_address();
    let commands = if ground.pace.quick { "100000" } else { "400000" };
    let mut command = Command::new(PROGRAM);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command.args(["-c", "1", "-P", &TASKS.to_string(), "-n", commands]);
    command.args(["-r", &KEYS.to_string(), "-d", &value_bytes.to_string()]);
    let output = command.args(["-t", "set,get", "--csv"]).stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let missing = || format!("{PROGRAM} printed something that is not understood");
    let of = |name: &str| row(&text, name).ok_or_else(missing);
    Ok([of("GET")?, of("SET")?])
}

/// The rate of a command in the lines `"GET","81300.81",…`.
fn row(text: &str, name: &str) -> Option<f64> {
    let rates = text.lines().filter_map(|line| {
        let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
        (cells.next()? == name).then(|| cells.next()?.parse().ok()).flatten()
    });
    rates.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_and_without_a_header() {
        let new = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"50.50\",\"1.0\"\n\"GET\",\"81300.81\",\"0.3\"\n";
        assert_eq!(row(new, "GET").map(|rate| rate.to_string()), Some("81300.81".to_owned()));
        assert_eq!(
            row("\"SET\",\"50.5\"\n", "SET").map(|rate| rate.to_string()),
            Some("50.5".to_owned())
        );
        assert_eq!(row(new, "MSET"), None);
        assert_eq!(row("\"GET\",\"many\"\n", "GET"), None);
    }
}
