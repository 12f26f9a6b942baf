//! Snapshots and restores: between stores, through pipes, and from files that are damaged.

use std::process::Stdio;

use crate::bench::{Bench, Run, finish};

/// A store with some entries, one of them with a lifetime.
fn filled() -> Bench {
    let bench = Bench::new();
    for key in ["a", "b", "user:1", "user:2"] {
        bench.run(["put", key, &format!("value of {key}")]).ok();
    }
    bench.run(["put", "mortal", "soon gone", "--ttl", "1h"]).ok();
    bench.run(["put", "cart", "of seven", "-p", "user:7"]).ok();
    bench
}

/// Runs the program on another store of the same folder.
fn on_copy(bench: &Bench, arguments: &[&str]) -> Run {
    let store = format!("file:{}", bench.path("copy.state").display());
    bench.run_bare([&["--store", &store], arguments].concat())
}

fn keys(run: &Run) -> Vec<String> {
    run.ok().lines().map(str::to_owned).collect()
}

#[test]
fn a_snapshot_moves_a_namespace_to_another_store() {
    let bench = filled();
    let written = bench.run(["snapshot", "all.snap", "--json"]).json();
    assert_eq!(written["records"], 6);
    assert_eq!(written["point_in_time"], true);
    let sound = bench.run_bare(["--json", "restore", "all.snap", "--check"]).json();
    assert_eq!(sound["checksum"], written["checksum"]);
    let restored = on_copy(&bench, &["restore", "all.snap", "--json"]).json();
    assert_eq!(restored["applied"], 6);
    assert_eq!(on_copy(&bench, &["get", "user:2"]).stdout, b"value of user:2");
    assert_eq!(on_copy(&bench, &["get", "cart", "-p", "user:7"]).stdout, b"of seven");
    let here = bench.run(["ttl", "mortal", "--json"]).json();
    let there = on_copy(&bench, &["ttl", "mortal", "--json"]).json();
    assert_eq!(here["expires_unix_ms"], there["expires_unix_ms"]);
}

#[test]
fn part_of_a_namespace_is_enough() {
    let bench = filled();
    bench.run(["snapshot", "users.snap", "--prefix", "user:"]).ok();
    on_copy(&bench, &["restore", "users.snap"]).ok();
    assert_eq!(keys(&on_copy(&bench, &["ls", "--keys"])), ["user:1", "user:2"]);
    bench.run(["snapshot", "seven.snap", "--partition", "user:7"]).ok();
    on_copy(&bench, &["restore", "seven.snap"]).ok();
    assert_eq!(on_copy(&bench, &["ls", "--keys"]).ok().lines().count(), 3);
}

#[test]
fn snapshots_go_through_pipes() {
    let bench = filled();
    let stream = bench.run(["snapshot", "-"]);
    stream.ok();
    assert!(stream.stderr.contains("6 entries"), "{}", stream.stderr);
    let told: serde_json::Value =
        serde_json::from_str(&bench.run(["snapshot", "-", "--json"]).stderr).unwrap();
    assert_eq!(told["records"], 6);
    let mut command = bench.command();
    command.args(["--store", "file:copy.state", "restore", "-", "--json"]);
    let restored = finish(command, &stream.stdout);
    restored.ok();
    assert_eq!(restored.json()["applied"], 6);
    assert_eq!(on_copy(&bench, &["ls", "--keys"]).ok(), bench.run(["ls", "--keys"]).ok());
}

#[test]
fn merging_keeps_what_is_there_and_replacing_asks() {
    let bench = filled();
    bench.run(["snapshot", "all.snap"]).ok();
    bench.run(["put", "a", "changed"]).ok();
    bench.run(["put", "new", "stays when merged"]).ok();

    let refused = bench.run(["restore", "all.snap", "--replace", "--json"]);
    refused.exits(4);
    assert!(refused.error()["next"].as_str().unwrap().contains("--yes"));
    assert_eq!(bench.run(["get", "a"]).stdout, b"changed");

    bench.run(["restore", "all.snap"]).ok();
    assert_eq!(bench.run(["get", "a"]).stdout, b"value of a");
    assert_eq!(bench.run(["get", "new"]).stdout, b"stays when merged");

    let replaced = bench.run(["restore", "all.snap", "--replace", "--yes", "--json"]).json();
    assert_eq!(replaced["cleared"], 7);
    bench.run(["get", "new"]).exits(1);
    assert_eq!(bench.run(["ls", "--keys"]).ok().lines().count(), 6);
    // An empty namespace needs no question.
    bench.run(["-n", "empty", "restore", "all.snap", "--replace"]).ok();
}

#[test]
fn a_restore_goes_on_where_it_is_told() {
    let bench = filled();
    bench.run(["snapshot", "all.snap"]).ok();
    let document =
        on_copy(&bench, &["restore", "all.snap", "--resume-after", "4", "--json"]).json();
    assert_eq!(document["applied"], 2);
    assert_eq!(on_copy(&bench, &["ls", "--keys"]).ok().lines().count(), 2);
    on_copy(&bench, &["restore", "all.snap", "--resume-after", "7"]).exits(2);
    assert_eq!(on_copy(&bench, &["ls", "--keys"]).ok().lines().count(), 2);
}

#[test]
fn damaged_files_change_nothing() {
    let bench = filled();
    bench.run(["snapshot", "all.snap"]).ok();
    let sound = std::fs::read(bench.path("all.snap")).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 0x10;
    let cut = sound[..sound.len() - 1].to_vec();
    let trailing = [sound.clone(), b"x".to_vec()].concat();
    for (name, bytes) in [
        ("flipped", flipped),
        ("cut", cut),
        ("trailing", trailing),
        ("foreign", b"key=value\n".repeat(20)),
        ("empty", Vec::new()),
    ] {
        bench.write(name, bytes);
        for mode in
            [&["restore", name, "--json"][..], &["restore", name, "--json", "--replace", "-y"]]
        {
            let run = bench.run(mode);
            run.exits(5);
            let error = run.error();
            assert_eq!(error["kind"], "corrupt", "{name}");
            assert!(error["byte"].is_u64(), "{name}: {error}");
            assert_eq!(error["outcome"], "not applied", "{name}");
        }
        bench.run_bare(["restore", name, "--check"]).exits(5);
        // A store that would be made for it is not left behind, and one that is there stays.
        on_copy(&bench, &["restore", name]).exits(5);
        assert!(!bench.path("copy.state").exists(), "{name} has left an empty store");
    }
    on_copy(&bench, &["put", "a", "1"]).ok();
    on_copy(&bench, &["restore", "cut"]).exits(5);
    assert_eq!(on_copy(&bench, &["get", "a"]).stdout, b"1");
    assert_eq!(bench.run(["ls", "--keys"]).ok().lines().count(), 6);
}

#[test]
fn a_snapshot_never_replaces_something_else_by_mistake() {
    let bench = filled();
    bench.run(["snapshot", "all.snap"]).ok();
    bench.run(["snapshot", "all.snap"]).ok();
    let refused = bench.run(["snapshot", "app.state"]);
    refused.exits(2);
    assert!(refused.stderr.contains("no snapshot"), "{}", refused.stderr);
    assert_eq!(bench.run(["get", "a"]).stdout, b"value of a");
    bench.write("notes.txt", "precious");
    bench.run(["snapshot", "notes.txt"]).exits(2);
    bench.run(["snapshot", "notes.txt", "--force"]).ok();
    bench.run_bare(["restore", "notes.txt", "--check"]).ok();
    let left = std::fs::read_dir(bench.path(".")).unwrap();
    let hidden = left.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".snapshot")
    });
    assert_eq!(hidden.count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_snapshot_into_a_full_device_fails_as_such() {
    let bench = filled();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = bench.command();
    command.args(["--store", &bench.store(), "--json", "snapshot", "-"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"));
}
