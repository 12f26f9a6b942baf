//! What `statectl doctor` finds of stores in files and in memory.

use serde_json::Value;

use crate::bench::{Bench, Run};

/// What was found of one check.
fn of(run: &Run, check: &str) -> Value {
    let told = run.json();
    let findings = told["findings"].as_array().unwrap();
    findings.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("{told}")).clone()
}

fn level(run: &Run, check: &str) -> String {
    of(run, check)["level"].as_str().unwrap().to_owned()
}

#[test]
fn a_sound_file_has_no_problem() {
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let run = bench.run(["--json", "doctor"]);
    run.exits(0);
    for check in ["format", "damage", "processes"] {
        assert_eq!(level(&run, check), "ok", "{check}");
    }
    assert!(of(&run, "format")["found"].as_str().unwrap().contains("1 namespace"));
    #[cfg(unix)]
    assert!(of(&run, "disk")["found"].as_str().unwrap().contains("free"));
    let told = run.json();
    assert_eq!(told["problems"], 0);
    for finding in told["findings"].as_array().unwrap() {
        for text in ["found", "means"] {
            assert!(!finding[text].as_str().unwrap().is_empty(), "{finding}");
        }
        assert_eq!(finding["servers"], serde_json::json!([]), "{finding}");
    }
    assert_eq!(bench.run(["get", "k"]).stdout, b"v");
}

#[test]
fn files_that_are_not_there_or_no_store_are_told() {
    let bench = Bench::new();
    bench.run(["doctor"]).exits(3);
    assert!(!bench.path("app.state").exists(), "it was made");
    bench.write("app.state", "this is no store, and long enough to be taken for one".repeat(100));
    let run = bench.run(["--json", "doctor"]);
    run.exits(9);
    assert_eq!(level(&run, "damage"), "problem");
    assert!(of(&run, "damage")["fix"].as_str().unwrap().contains("statectl"));
    bench.write("app.state", "");
    bench.run(["doctor"]).exits(5);
    let run = bench.run_bare(["--store", "file:.", "doctor"]);
    run.exits(2);
}

#[cfg(unix)]
#[test]
fn who_else_may_read_the_file_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let path = bench.path("app.state");
    for (mode, expected) in [(0o644, "note"), (0o640, "ok"), (0o600, "ok"), (0o602, "note")] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let run = bench.run(["--json", "doctor"]);
        run.exits(0);
        assert_eq!(level(&run, "access"), expected, "{mode:o}");
    }
    let shown = bench.run(["doctor"]).ok();
    assert!(shown.contains("fix: `chmod o-rwx "), "{shown}");
}

#[test]
fn a_file_that_is_in_use_is_no_problem() {
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let (mut holder, _lines) = bench.hold();
    let run = bench.run(["--json", "doctor"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    run.exits(0);
    assert_eq!(level(&run, "processes"), "note");
    let run = bench.run(["--json", "doctor"]);
    assert_eq!(level(&run, "processes"), "ok");
}

#[test]
fn memory_keeps_nothing() {
    let bench = Bench::new();
    let run = bench.run_bare(["--json", "--store", "memory:", "doctor"]);
    run.exits(0);
    assert_eq!(level(&run, "persistence"), "note");
    let shown = bench.run_bare(["--store", "memory:", "doctor"]).ok();
    assert!(shown.contains("file:PATH") && shown.contains("1 note"), "{shown}");
}
