//! The demonstration of a stream job: real processes, killed at many points, with exact totals every time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{Bench, Run};

/// Text in files of several types; what is to be left out lies beside it.
fn write_text(bench: &Bench, lines: usize) {
    for (file, kind) in ["txt", "rs", "md", "LOG"].iter().enumerate() {
        let mut text = String::new();
        for line in 0..lines {
            writeln!(text, "{} words of line {line} in file {file}", "more ".repeat(line % 7))
                .unwrap();
        }
        text.push_str("and no line end");
        bench.write(&format!("text/{kind}/file.{kind}"), text);
    }
    bench.write("text/empty.txt", "");
    bench.write("text/.hidden/file.txt", "hidden");
    bench.write("text/target/file.txt", "built");
    bench.write("text/binary.bin", b"a\0b");
}

fn demo(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run_bare([&["--json", "demo", "stream", "text", "--lease=1s"], arguments].concat())
}

/// Checks what must hold of every demonstration that worked.
fn assert_exact(report: &Value, kills: usize) {
    assert_eq!(report["equal"], true, "{report}");
    assert_eq!(report["types"], report["uninterrupted"]);
    assert_eq!(report["late_writes_refused"], true, "{report}");
    let workers = report["workers"].as_array().unwrap();
    let killed = workers.iter().filter(|worker| worker["killed"] == true).count();
    assert_eq!(killed, kills, "{report}");
    // A worker more has worked where the machine was too slow to renew a lease.
    assert_eq!(report["restarts"], workers.len() - 1);
    assert!(workers.len() > kills);
    let tokens: Vec<_> = workers.iter().map(|worker| worker["token"].as_u64().unwrap()).collect();
    assert!(tokens.is_sorted_by(|left, right| left < right), "{tokens:?}");
}

#[test]
fn a_killed_job_ends_with_exact_totals() {
    let bench = Bench::new();
    write_text(&bench, 500);
    let run = demo(&bench, &[]);
    run.ok();
    let report = run.json();
    assert_exact(&report, 1);
    let expected: u64 = (0..500_u64).map(|line| line % 7 + 7).sum::<u64>() + 4;
    for kind in ["txt", "rs", "md", "log"] {
        assert_eq!(report["types"][kind]["lines"], 501, "{kind}");
        assert_eq!(report["types"][kind]["words"], expected, "{kind}");
    }
    assert_eq!(report["files"], 5);
    assert_eq!(report["skipped"]["folders"], 2);
    assert_eq!(report["skipped"]["binaries"], 1);
    let bytes = report["bytes"].as_u64().unwrap();
    let first = &report["workers"][0];
    let committed = first["committed_bytes"].as_u64().unwrap();
    assert!(committed * 2 >= bytes && committed * 4 <= bytes * 3, "{committed} of {bytes}");
    let resumed = report["workers"][1]["resumed_bytes"].as_u64().unwrap();
    assert!(resumed >= committed && resumed < bytes, "{resumed}");
    assert!(report["lease_wait_ms"].as_u64().unwrap() > 0);
}

#[test]
fn it_does_not_matter_when_a_worker_is_killed() {
    let bench = Bench::new();
    write_text(&bench, 300);
    for kills in ["1,2,3", "17,33,66", "42,58", "97,99"] {
        let run = demo(&bench, &["--kill-at", kills, "--remove"]);
        run.ok();
        assert_exact(&run.json(), kills.split(',').count());
    }
}

/// Percentages to kill at, one to four, from a seed.
fn kill_points(seed: u64) -> String {
    let numbers = (0..=seed % 4).map(|step| {
        // SplitMix64, so that neighbouring seeds give unlike points.
        let mixed = seed.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        1 + (mixed ^ (mixed >> 31)) % 99
    });
    let points: BTreeSet<u64> = numbers.collect();
    points.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn it_does_not_matter_when_a_worker_is_killed_at_random() {
    let given = std::env::var("DEMO_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one("demo"));
    println!("to see the same again: DEMO_SEED={seed}");
    let bench = Bench::new();
    write_text(&bench, 300);
    for round in 0..3 {
        let kills = kill_points(seed.wrapping_add(round));
        println!("killed at {kills} per cent");
        let run = demo(&bench, &["--kill-at", &kills, "--remove"]);
        run.ok();
        assert_exact(&run.json(), kills.split(',').count());
    }
}

#[test]
fn small_inputs_are_killed_in_the_middle_too() {
    for text in ["x", "one", "two words", "a\nb\nc", "\n\n\n", "a line\n"] {
        let bench = Bench::new();
        bench.write("text/one.txt", text);
        let run = demo(&bench, &[]);
        run.ok();
        let report = run.json();
        assert_exact(&report, 1);
        assert_eq!(report["words"], text.split_whitespace().count(), "{text:?}");
        let committed = report["workers"][0]["committed_bytes"].as_u64().unwrap();
        assert!(committed < text.len() as u64, "{text:?} was finished before it was killed");
    }
}

#[test]
fn the_store_itself_is_not_read() {
    let bench = Bench::new();
    write_text(&bench, 20);
    let run = demo(&bench, &["--store", "file:text/inside.state"]);
    run.ok();
    let report = run.json();
    assert_exact(&report, 1);
    assert_eq!(report["files"], 5);
    assert_eq!(report["skipped"]["binaries"], 1, "the store was looked at: {report}");
}

/// Starts a worker on its own and kills it, without any agreement, after so many events.
fn kill_a_worker_after(bench: &Bench, events: usize) -> Vec<Value> {
    let mut command = bench.command();
    command.args(["--json", "--store", &bench.store(), "-n", "demo"]);
    command.args(["demo-worker", "--lease=1s", "--every=5"]);
    command.arg(bench.path("text").canonicalize().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = command.spawn().unwrap();
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let told = lines.take(events).map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let told = told.collect();
    worker.kill().unwrap();
    worker.wait().unwrap();
    told
}

#[test]
fn a_demonstration_that_was_interrupted_goes_on() {
    let bench = Bench::new();
    write_text(&bench, 200);
    for events in [3, 20, 51] {
        let told = kill_a_worker_after(&bench, events);
        assert_eq!(told.len(), events, "the worker was finished too early");
    }
    let run = bench.run(["--json", "demo", "stream", "text", "--lease=1s", "--kill-at=90"]);
    run.ok();
    let report = run.json();
    assert_eq!(report["equal"], true);
    assert_eq!(report["late_writes_refused"], true);
    // Three that were killed above, one by the demonstration, and the one that finished.
    assert!(report["restarts"].as_u64().unwrap() >= 4, "{report}");
    assert_eq!(report["lines_per_transaction"], 5);
    assert!(report["workers"][0]["resumed_bytes"].as_u64().unwrap() > 0);

    let again = bench.run(["--json", "demo", "stream", "text"]);
    again.exits(4);
    assert!(again.error()["message"].as_str().unwrap().contains("finished"));
}

#[test]
fn a_counter_that_somebody_changed_is_noticed() {
    let bench = Bench::new();
    write_text(&bench, 200);
    kill_a_worker_after(&bench, 20);
    bench.run(["-n", "demo", "incr", "-p", "job", "words/txt"]).ok();
    let run = bench.run(["--json", "demo", "stream", "text", "--lease=1s"]);
    run.exits(8);
    assert_eq!(run.json()["equal"], false);
    assert_eq!(run.error()["kind"], "unproven");
    assert!(run.error()["message"].as_str().unwrap().contains("differ"));
}

#[test]
fn a_file_that_changes_meanwhile_is_named() {
    let bench = Bench::new();
    write_text(&bench, 200);
    // The first file is read half-way, then shrinks.
    kill_a_worker_after(&bench, 20);
    bench.write("text/LOG/file.LOG", "short");
    let run = bench.run(["--json", "demo", "stream", "text", "--lease=1s"]);
    run.exits(8);
    assert!(run.error()["message"].as_str().unwrap().contains("file.LOG"), "{}", run.stderr);
}

#[test]
fn the_end_says_how_to_look_inside() {
    let bench = Bench::new();
    write_text(&bench, 50);
    let text = bench.run_bare(["demo", "stream", "text", "--lease=1s"]).ok();
    for said in
        ["SIGKILL", "resumes at", "equal to an uninterrupted pass", "What you saw", "lines/s"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    bench.runs_what_is_suggested(&text, 4);
}

#[test]
fn what_the_demonstration_cannot_work_with() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.write("binary/a.bin", b"\0");
    for (arguments, said, code) in [
        (&["demo", "stream", "empty"][..], "no text", 2),
        (&["demo", "stream", "binary"], "no text", 2),
        (&["demo", "stream", "absent"], "absent", 7),
        (&["--store", "memory:", "demo", "stream"], "outlive", 2),
        (&["demo", "stream", "--kill-at", "0"], "0", 2),
        (&["demo", "stream", "--kill-at", "100"], "100", 2),
        (&["demo", "stream", "--every", "0"], "0", 2),
    ] {
        let run = bench.run_bare([&["--json"], arguments].concat());
        run.exits(code);
        let error = run.error();
        assert!(error["message"].as_str().unwrap().contains(said), "{arguments:?}: {error}");
    }
    let left: Vec<_> = std::fs::read_dir(bench.path(".")).unwrap().collect();
    assert_eq!(left.len(), 2, "a store was left behind: {left:?}");
}
