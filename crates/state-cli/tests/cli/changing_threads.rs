//! Threads compared, branched, pruned and removed.

use serde_json::json;
use state_core::{Clock, SystemClock, Timestamp};

use crate::bench::Bench;
use crate::threads::{fill, id, put, with_threads};

#[test]
fn a_difference_is_told_down_to_the_elements() {
    let bench = Bench::new();
    fill(&bench, 5);
    let told = bench.run(["--json", "diff", "trip", "step:1", &id(3)]).json();
    assert_eq!((&told["from"]["checkpoint"], &told["to"]["step"]), (&json!(id(1)), &json!(3)));
    let messages = &told["channels"]["messages"];
    assert_eq!((&messages["change"], &messages["kept"]), (&json!("list"), &json!(2)));
    let added = messages["added"].as_array().unwrap();
    assert_eq!(added.iter().map(|m| &m["content"]).collect::<Vec<_>>(), ["message 2", "message 3"]);
    let tries = json!({"tries": {"from": 0, "to": 1}});
    assert_eq!(told["channels"]["plan"], json!({"change": "object", "fields": tries}));
    assert_eq!(told["channels"].as_object().unwrap().len(), 2, "{told}");

    let text = bench.run(["diff", "trip", "step:1", "latest"]).ok();
    for said in [
        "messages: 2 elements, then 0 removed and 3 added",
        "  + [2] {",
        "plan: 1 field changed",
        "  - tries: 0",
        "  + tries: 1",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let back = bench.run(["--json", "diff", "trip", "latest", "step:3"]).json();
    assert_eq!(back["channels"]["messages"]["removed"].as_array().unwrap().len(), 1);
    assert!(bench.run(["diff", "trip", "step:1", &id(1)]).ok().contains("nothing differs"));

    for (arguments, said) in [
        (["diff", "absent", "latest", "latest"], "no thread `absent`"),
        (["diff", "trip", "latest", "forged"], "no checkpoint `forged`"),
    ] {
        let run = bench.run(arguments);
        run.exits(1);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let bench = Bench::new();
    fill(&bench, 5);
    let made = bench.run(["--json", "fork", "trip", "what-if", "--at", "step:2"]).json();
    assert_eq!(
        made,
        json!({"thread": "what-if", "from": "trip", "checkpoint": id(2), "checkpoints": 3})
    );
    let branch = bench.run(["--json", "history", "what-if"]).json_lines();
    assert_eq!(branch.len(), 3);
    assert_eq!(bench.run(["--json", "history", "trip"]).json_lines().len(), 5);
    let differs = bench.run(["--json", "diff", "what-if", "latest", "latest", "--with", "trip"]);
    let added = &differs.json()["channels"]["messages"]["added"];
    assert_eq!(added.as_array().unwrap().len(), 2);

    let again = bench.run(["--json", "fork", "trip", "what-if"]);
    again.exits(4);
    assert!(again.error()["next"].as_str().unwrap().contains("statectl rm what-if"));
    bench.run(["fork", "trip", "x", "--at", "forged"]).exits(1);
    bench.run(["fork", "trip", "trip"]).exits(2);
    bench.run(["rm", "trip", "--yes"]).ok();
    assert_eq!(bench.run(["--json", "history", "what-if"]).json_lines(), branch);
}

/// The steps in the root of the thread, newest first.
fn steps(bench: &Bench) -> Vec<serde_json::Value> {
    let lines = bench.run(["--json", "history", "trip", "--all"]).json_lines();
    lines
        .into_iter()
        .filter(|line| line["found"] != false)
        .map(|line| line["step"].clone())
        .collect()
}

#[test]
fn pruning_does_what_a_dry_run_says() {
    for (how, gone) in [
        (&["--keep-last", "3"][..], 4),
        (&["--keep-latest"], 6),
        (&["--max-age", "1h"], 6),
        (&["--max-age", "2000w"], 0),
        (&["--delete"], 8),
    ] {
        let bench = Bench::new();
        fill(&bench, 6);
        with_threads(&bench, async |threads| {
            // One that is young, so that ages differ.
            let mut young = put("trip", 6);
            young.checkpoint.time = SystemClock::new().wall();
            threads.put_checkpoint(young).await.unwrap();
            let mut latest = put("trip", 7).with_parent(None);
            latest.checkpoint.time = Timestamp::from_unix_ms(0);
            latest = latest.with_namespace("inner");
            threads.put_checkpoint(latest).await.unwrap();
        });
        // 7 in the root, 1 in a namespace of its own, which always stays.
        let call = [&["--json", "prune", "trip"], how].concat();
        let dry = bench.run([&call[..], &["--dry-run"]].concat()).json();
        assert_eq!(dry["removed"], gone, "{how:?}");
        let listed = dry["checkpoints"].as_array().unwrap();
        assert_eq!(listed.len() as u64, gone, "{how:?}");
        let inner = listed.iter().any(|one| one["checkpoint_namespace"] == "inner");
        assert_eq!(inner, gone == 8, "{how:?}");
        assert_eq!(bench.run(["--json", "threads", "trip"]).json_lines()[0]["checkpoints"], 8);
        let before: Vec<_> = steps(&bench);
        let done = bench.run([&call[..], &["--yes"]].concat()).json();
        let after = steps(&bench);
        let told = listed.iter().filter(|one| one["checkpoint_namespace"].is_null());
        let mut stayed_or_told: Vec<_> = told.map(|one| one["step"].clone()).collect();
        stayed_or_told.splice(..0, after);
        assert_eq!(stayed_or_told, before, "{how:?}");
        assert_eq!((&done["removed"], &done["hidden"]), (&dry["removed"], &json!(0)), "{how:?}");
        let left = bench.run(["--json", "threads", "trip"]).json_lines();
        let left = left.first().map_or(0, |thread| thread["checkpoints"].as_u64().unwrap());
        assert_eq!(left, 8 - gone, "{how:?}");
        if left > 0 {
            let state = bench.run(["--json", "show", "trip"]).json();
            assert_eq!(state["state"]["messages"].as_array().unwrap().len(), 7, "{how:?}");
        }
    }
}

#[test]
fn all_threads_are_pruned_at_once_and_what_cannot_be_is_refused() {
    let bench = Bench::new();
    fill(&bench, 6);
    let listed = bench.run(["prune", "trip", "--keep-last", "4", "--dry-run"]).ok();
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("CHECKPOINT") && lines[1].starts_with(&id(1)), "{listed}");
    assert_eq!(lines[3..], ["would remove 2 checkpoints from 1 thread"], "{listed}");
    let done = bench.run(["prune", "--all", "--keep-latest", "--yes"]).ok();
    assert_eq!(done, "removed 5 checkpoints from 1 thread\n");
    // Nothing to ask about.
    let done = bench.run(["prune", "--all", "--keep-latest"]).ok();
    assert_eq!(done, "removed 0 checkpoints from 0 threads\n");
    fill(&bench, 6);
    for (arguments, said, code) in [
        (&["prune", "trip"][..], "required", 2),
        (&["prune", "--keep-latest"], "required", 2),
        (&["prune", "trip", "--keep-first", "3", "--yes"], "--keep-first", 2),
        (&["prune", "trip", "--strategy", "keep_latest", "--yes"], "--strategy", 2),
        (&["prune", "trip", "keep-latest", "--yes"], "required", 2),
        (&["prune", "trip", "--keep-last", "some", "--yes"], "some", 2),
        (&["prune", "trip", "--max-age", "soon", "--yes"], "soon", 2),
        (&["prune", "trip", "--keep-last", "0"], "0", 2),
        (&["prune", "trip", "--keep-last", "1", "--keep-latest"], "cannot be used", 2),
        (&["prune", "trip", "--max-age", "30"], "unit", 2),
        (&["prune", "trip", "--delete"], "Delete 1 thread with 6 checkpoints", 4),
        (&["prune", "trip", "--keep-last", "4"], "Remove 2 checkpoints of 1 thread", 4),
        (&["prune", "--all", "--max-age", "1h"], "Remove 5 checkpoints of 1 thread", 4),
        (&["prune", "trip", "absent", "--keep-latest", "--yes"], "no thread `absent`", 1),
        (&["prune", "absent", "--delete", "--dry-run"], "no thread `absent`", 1),
    ] {
        let run = bench.run(arguments);
        run.exits(code);
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
    let absent = bench.run(["--json", "prune", "absent", "--keep-latest", "--yes"]);
    absent.exits(1);
    assert_eq!(absent.json(), json!({"thread": "absent", "found": false}));
    assert_eq!(steps(&bench).len(), 6, "something was pruned");
}

#[test]
fn a_thread_is_removed_when_that_is_agreed_to() {
    let bench = Bench::new();
    fill(&bench, 3);
    let asked = bench.run(["--json", "rm", "trip"]);
    asked.exits(4);
    assert!(asked.error()["next"].as_str().unwrap().contains("--yes"));
    assert_eq!(bench.run(["--json", "history", "trip"]).json_lines().len(), 3);
    let done = bench.run(["--json", "rm", "trip", "absent", "--yes"]).json();
    assert_eq!(done["removed"], 1);
    assert_eq!(done["threads"][1], json!({"thread": "absent", "existed": false}));
    bench.run(["history", "trip"]).exits(1);
    let none = bench.run(["rm", "trip"]);
    let told = none.exits(1);
    assert!(told.contains("trip    was not there"), "{told}");
    assert!(told.ends_with("removed 0 threads\n"), "{told}");
    assert_eq!(bench.run(["--json", "threads"]).json_lines().len(), 1);
}
