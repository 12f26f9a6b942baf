//! Threads of checkpoints: listed, shown and told apart, as people and scripts ask for them.

use serde_json::{Value, json};
use state_checkpoint::Checkpoints;
use state_core::checkpoint::{
    ChannelValue, Checkpoint, CheckpointId, CheckpointRef, Checkpointer, Metadata, Payload,
    PendingWrite, PutCheckpoint, PutWrites, WriteIndex,
};
use state_core::{Key, Namespace, StateBackendExt, Timestamp};
use state_local::FileStore;

use crate::bench::{Bench, Run, finish};

/// Does something with the threads in the store of this folder.
pub(crate) fn with_threads<T>(bench: &Bench, work: impl AsyncFnOnce(&dyn Checkpointer) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = FileStore::at(bench.path("app.state")).await.unwrap();
        let threads = Checkpoints::open(store.open(Namespace::default()).unwrap()).unwrap();
        let done = work(&threads).await;
        drop(threads);
        store.close().await.unwrap();
        done
    })
}

/// The id of the checkpoint of a step.
pub(crate) fn id(step: i64) -> String {
    format!("1f000000-0000-6000-8000-{:012}", step + 1)
}

/// A checkpoint of `thread` at `step`, with one message more than the one before, and a plan
/// that changes at every third step.
pub(crate) fn put(thread: &str, step: i64) -> PutCheckpoint {
    let messages: Vec<Value> =
        (0..=step).map(|n| json!({"role": "user", "content": format!("message {n}")})).collect();
    let version = step + 1;
    let checkpoint = Checkpoint::new(id(step), Timestamp::from_unix_ms(1_700_000_000_000))
        .with_channel("messages", version)
        .with_channel("plan", step / 3 + 1)
        .with_channel("spent", "once")
        .with_seen("model", "messages", version);
    let metadata = Metadata::new().with("source", "loop").with("step", step);
    let mut put = PutCheckpoint::new(thread, checkpoint)
        .with_metadata(metadata)
        .with_parent((step > 0).then(|| CheckpointId::new(id(step - 1))))
        .with_value("messages", Payload::new("json", serde_json::to_vec(&messages).unwrap()));
    if step % 3 == 0 {
        let plan = json!({"goal": "lunch", "tries": step / 3});
        put = put.with_value("plan", Payload::new("json", plan.to_string()));
    }
    if step == 0 {
        put = put.with_value("spent", ChannelValue::Empty);
    }
    put
}

/// Two threads, `trip` with `steps` checkpoints and a pending write, `other` with one.
pub(crate) fn fill(bench: &Bench, steps: i64) {
    with_threads(bench, async |threads| {
        for step in 0..steps {
            threads.put_checkpoint(put("trip", step)).await.unwrap();
        }
        threads.put_checkpoint(put("other", 0)).await.unwrap();
        let write = Payload::new("json", "\"waiting\"");
        let raw = Payload::new("bytes", &b"\x00\xff"[..]);
        let writes = vec![
            PendingWrite::new("task 1", 0, "messages", write),
            PendingWrite::new("task 1", WriteIndex::INTERRUPT, "ask", raw),
        ];
        let latest = CheckpointRef::new("trip", id(steps - 1));
        threads.put_writes(PutWrites::new(latest, writes)).await.unwrap();
    });
}

/// Lines that are not wider than a terminal of 80 columns.
fn assert_fits(run: &Run) -> String {
    let text = run.ok();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    text
}

/// Runs the program where the variable `COLUMNS` says how wide lines are.
fn run_in_columns(bench: &Bench, columns: usize, arguments: &[&str]) -> Run {
    let mut command = bench.command();
    command.env("COLUMNS", columns.to_string()).arg("--store").arg(bench.store()).args(arguments);
    finish(command, b"")
}

#[test]
fn ids_and_times_are_whole_at_any_width() {
    let bench = Bench::new();
    fill(&bench, 3);
    let is_time = |word: &str| word.len() == "2023-11-14T22:13:20Z".len() && word.ends_with('Z');
    for columns in [20, 60, 70, 80, 100, 200] {
        let history = run_in_columns(&bench, columns, &["history", "trip"]);
        for step in 0..3 {
            assert!(history.ok().contains(&id(step)), "{columns}: {}", history.ok());
        }
        let prune = ["prune", "trip", "--keep-latest", "--dry-run"];
        for call in [&["threads"][..], &prune] {
            let listed = run_in_columns(&bench, columns, call);
            let text = listed.ok();
            let rows = text.lines().filter(|line| line.split_whitespace().any(is_time));
            assert_eq!(rows.count(), 2, "{columns}: {}", listed.ok());
        }
        if columns >= 60 {
            let widest = history.ok().lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}: {}", history.ok());
        }
        let is_told = history.stderr.contains("lines are too short for SOURCE");
        assert_eq!(is_told, !history.ok().contains("SOURCE"), "{columns}: {}", history.stderr);
    }
    assert!(run_in_columns(&bench, 200, &["history", "trip"]).ok().contains("SOURCE"));
}

#[test]
fn threads_are_listed() {
    let bench = Bench::new();
    fill(&bench, 4);
    let text = assert_fits(&bench.run(["threads"]));
    assert!(text.starts_with("THREAD"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let lines = bench.run(["--json", "threads"]).json_lines();
    let counts: Vec<_> =
        lines.iter().map(|line| (line["thread"].clone(), line["checkpoints"].clone())).collect();
    assert_eq!(counts, [(json!("other"), json!(1)), (json!("trip"), json!(4))]);
    assert!(lines[1]["stored_bytes"].as_u64().unwrap() > 0);
    assert_eq!(bench.run(["--json", "threads", "tr"]).json_lines().len(), 1);
    assert_eq!(bench.run(["--json", "threads", "--limit", "1"]).json_lines().len(), 1);
    for (limit, more) in [("1", true), ("2", false)] {
        let listed = bench.run(["threads", "--limit", limit]);
        assert_eq!(listed.stderr.contains("--all lists them"), more, "{}", listed.stderr);
    }
    let none = bench.run(["-n", "empty", "threads"]);
    assert_eq!(none.ok(), "");
    assert!(none.stderr.contains("no such threads"), "{}", none.stderr);
}

#[test]
fn a_thread_that_cannot_be_read_is_listed_with_the_others() {
    let bench = Bench::new();
    fill(&bench, 2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = FileStore::at(bench.path("app.state")).await.unwrap();
        let rows = store.open(Namespace::default()).unwrap();
        let keys = rows.list_keys("").await.unwrap();
        let is_head = |key: &&Key| {
            key.name().as_ref() == b"h"
                && key.partition().is_some_and(|thread| thread.ends_with(b"trip"))
        };
        let head = keys.iter().find(is_head).unwrap();
        let row = rows.get(head).await.unwrap().unwrap();
        rows.put(head, [&[2], row.get(1..).unwrap()].concat()).await.unwrap();
        store.close().await.unwrap();
    });
    let listed = bench.run(["threads"]);
    let text = assert_fits(&listed);
    assert!(text.contains("cannot be read: unsupported") && text.contains("other"), "{text}");
    assert!(listed.stderr.contains("1 thread cannot be read"), "{}", listed.stderr);
    let lines = bench.run(["--json", "threads"]).json_lines();
    assert_eq!(lines[1], json!({"thread": "trip", "unreadable": "unsupported"}));
    assert_eq!(lines[0].get("unreadable"), None);
    let refused = bench.run(["history", "trip"]);
    refused.exits(6);
    assert!(refused.stderr.contains("later version"), "{}", refused.stderr);
}

#[test]
fn a_history_tells_what_each_step_changed() {
    let bench = Bench::new();
    fill(&bench, 5);
    let text = assert_fits(&bench.run(["history", "trip"]));
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].starts_with("CHECKPOINT") && rows[0].contains("CHANGED"), "{text}");
    assert!(rows[1].starts_with(&id(4)) && text.contains(&id(0)), "{text}");
    let wide = run_in_columns(&bench, 120, &["history", "trip"]).ok();
    let rows: Vec<&str> = wide.lines().collect();
    assert!(rows[1].contains("messages +1, (2 pending)"), "{wide}");
    assert!(rows[2].contains("messages +1, plan "), "{wide}");
    assert!(rows[5].contains("messages +1, plan new, spent new"), "{wide}");

    let lines = bench.run(["--json", "history", "trip", "--limit", "2"]).json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["checkpoint"], id(4));
    assert_eq!(lines[0]["parent"], id(3));
    assert_eq!(lines[0]["step"], 4);
    assert_eq!(lines[0]["pending_writes"], 2);
    let added =
        json!({"messages": {"change": "changed", "elements_added": 1, "elements_removed": 0}});
    assert_eq!(lines[0]["changed"], added);
    assert_eq!(lines[1]["changed"]["plan"], json!({"change": "changed"}));
    // One message more, and the comma before it.
    let new = r#",{"content":"message 4","role":"user"}"#.len();
    assert_eq!(lines[0]["new_bytes"], new);
    let more = bench.run(["history", "trip", "--limit", "2"]);
    assert!(more.stderr.contains("--all"), "{}", more.stderr);
    assert_eq!(bench.run(["--json", "history", "trip", "--all"]).json_lines().len(), 5);
}

#[test]
fn a_long_history_is_read_page_by_page() {
    let bench = Bench::new();
    fill(&bench, 130);
    let lines = bench.run(["--json", "history", "trip", "--all"]).json_lines();
    let steps: Vec<_> = lines.iter().map(|line| line["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, (0..130).rev().collect::<Vec<_>>());
    let (first, later) = lines.split_last().unwrap();
    assert!(later.iter().all(|line| line["changed"]["messages"]["elements_added"] == 1));
    assert_eq!(first["changed"]["messages"]["change"], "added");
    let rows = |run: Run| run.ok().lines().filter(|line| line.starts_with("1f0")).count();
    assert_eq!(rows(bench.run(["history", "trip"])), 100);
    assert_eq!(rows(bench.run(["--quiet", "history", "trip", "--all"])), 130);
}

#[test]
fn a_state_is_shown_now_and_as_it_was() {
    let bench = Bench::new();
    fill(&bench, 5);
    let text = assert_fits(&bench.run(["show", "trip"]));
    for said in ["\"message 4\"", "\"goal\": \"lunch\"", "channel spent", "empty", "task 1"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains("bytes, 2 B"), "{text}");
    let latest = bench.run(["--json", "show", "trip"]).json();
    assert_eq!(latest["checkpoint"], id(4));
    assert_eq!(latest["state"]["messages"].as_array().unwrap().len(), 5);
    assert_eq!(latest["other_channels"]["spent"], json!({"bytes": 0}));
    assert_eq!(latest["versions"]["messages"], "5");
    let writes = latest["pending_writes"].as_array().unwrap();
    assert_eq!(writes[0]["value"].as_str().or(writes[1]["value"].as_str()), Some("waiting"));
    assert!(writes.iter().any(|write| write["type"] == "bytes" && write["bytes"] == 2));

    for at in [id(1), "step:1".to_owned()] {
        let earlier = bench.run(["--json", "show", "trip", "--at", &at]).json();
        assert_eq!(earlier["checkpoint"], id(1));
        assert_eq!(earlier["state"]["messages"].as_array().unwrap().len(), 2);
    }
    let plan = bench.run(["show", "trip", "--channel", "plan"]).ok();
    assert_eq!(plan, "{\"goal\":\"lunch\",\"tries\":1}\n");
    bench.run(["show", "trip", "--channel", "spent"]).exits(1);
}

#[test]
fn what_is_not_there_is_the_answer_no_and_what_cannot_be_is_refused() {
    let bench = Bench::new();
    fill(&bench, 2);
    let forged = id(99);
    let long = "x".repeat(300);
    for (arguments, said, code) in [
        (&["history", "absent"][..], "no thread `absent`", 1),
        (&["show", "absent"], "no thread `absent`", 1),
        (&["show", "trip", "--checkpoint-namespace", "inner"], "namespace `inner`", 1),
        (&["show", "trip", "--at", &forged], "no checkpoint", 1),
        (&["show", "trip", "--at", "step:77"], "no checkpoint", 1),
        (&["show", "trip", "--at", "step:x"], "whole number", 2),
        (&["show", "trip", "--at", ""], "empty", 2),
        (&["show", &long], "240", 2),
        (&["history", ""], "empty", 2),
        (&["history", "trip", "--limit", "0"], "--all lists all of them", 2),
        (&["threads", "--limit", "0"], "--all lists all of them", 2),
        (&["threads", "--limit", "few"], "--all", 2),
    ] {
        let run = bench.run(arguments);
        assert_eq!(run.exits(code), "", "{arguments:?}");
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        let run = bench.run([&["--json"], arguments].concat());
        if code == 1 {
            assert_eq!(run.json()["found"], false, "{arguments:?}");
        } else {
            assert_eq!(run.error()["exit_code"], code, "{arguments:?}");
        }
    }
}

#[test]
fn names_that_would_harm_a_terminal_are_escaped_and_can_be_typed_that_way() {
    let bench = Bench::new();
    with_threads(&bench, async |threads| {
        threads.put_checkpoint(put("a\u{1b}[2J\\é\n", 0)).await.unwrap();
    });
    let text = bench.run(["threads"]).ok();
    assert!(text.contains(r"a\x1b[2J\\é\n"), "{text}");
    assert_eq!(bench.run(["--json", "history", r"a\x1b[2J\\é\n"]).json_lines().len(), 1);
}
