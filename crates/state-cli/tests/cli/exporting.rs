//! Threads as JSON lines: out, in, and out again; and files that are not what they should be.

use serde_json::{Value, json};
use state_core::checkpoint::{ChannelValue, Metadata, Payload, PendingWrite, PutWrites};

use crate::bench::{Bench, Run, finish};
use crate::threads::{fill, id, put, with_threads};

/// Runs the program on another store of the same folder.
fn on_copy(bench: &Bench, arguments: &[&str]) -> Run {
    let store = format!("file:{}", bench.path("copy.state").display());
    bench.run_bare([&["--store", &store], arguments].concat())
}

/// Threads with everything that a checkpoint can have.
fn filled() -> Bench {
    let bench = Bench::new();
    fill(&bench, 12);
    with_threads(&bench, async |threads| {
        let mut odd =
            put("odd:\u{1}|é", 0).with_namespace("inner").with_parent(Some("gone".into()));
        odd.metadata = Metadata::new().with("score", 1.0).with("nan", f64::NAN);
        odd.checkpoint.body = Some(Payload::new("pickle", &b"\x80\x04"[..]));
        odd.checkpoint = odd.checkpoint.with_channel("raw", 0.1).with_channel("never", "v");
        odd = odd.with_value("raw", Payload::new("json", "[1,\n 2]"));
        let reference = odd.reference();
        threads.put_checkpoint(odd).await.unwrap();
        let write = PendingWrite::new("t", -1, "error", Payload::new("json", "null"));
        let writes = vec![write.with_task_path("~0/1")];
        threads.put_writes(PutWrites::new(reference, writes)).await.unwrap();
    });
    bench.run(["fork", "trip", "what-if", "--at", "step:4"]).ok();
    bench
}

#[test]
fn what_was_exported_imported_and_exported_is_identical() {
    let bench = filled();
    let written = bench.run(["--json", "export", "one.jsonl"]).json();
    assert_eq!((&written["threads"], &written["checkpoints"]), (&json!(4), &json!(19)));
    let done = on_copy(&bench, &["--json", "import", "one.jsonl"]).json();
    assert_eq!(done, json!({"checkpoints": 19, "imported": 19, "present": 0}));
    on_copy(&bench, &["export", "two.jsonl"]).ok();
    let read = |name| std::fs::read_to_string(bench.path(name)).unwrap();
    assert_eq!(read("one.jsonl"), read("two.jsonl"));
    // A second time changes nothing, neither there nor where it came from.
    for run in [
        on_copy(&bench, &["--json", "import", "one.jsonl"]),
        bench.run(["--json", "import", "one.jsonl"]),
    ] {
        assert_eq!(run.json(), json!({"checkpoints": 19, "imported": 0, "present": 19}));
    }
    let lines: Vec<Value> =
        read("one.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    assert_eq!(lines[19], json!({"end": {"checkpoints": 19}}));
    let steps: Vec<_> = lines
        .iter()
        .filter(|line| line["thread"] == "trip")
        .map(|line| line["metadata"]["step"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, (0..12).collect::<Vec<_>>(), "each stands behind its parent");
}

#[test]
fn what_is_new_is_shared_after_an_import_too() {
    let bench = Bench::new();
    fill(&bench, 100);
    bench.run(["export", "all.jsonl"]).ok();
    on_copy(&bench, &["import", "all.jsonl"]).ok();
    let bytes = |run: Run| run.json_lines()[1]["stored_bytes"].as_u64().unwrap();
    let (here, there) =
        (bytes(bench.run(["--json", "threads"])), bytes(on_copy(&bench, &["--json", "threads"])));
    assert!(there < here * 11 / 10, "{here} bytes became {there}");
}

#[test]
fn exports_go_through_pipes_and_in_parts() {
    let bench = filled();
    let all = bench.run(["export", "-", "--thread", "trip", "--thread", "other"]);
    all.ok();
    assert!(all.stderr.contains("13 checkpoints of 2 threads"), "{}", all.stderr);
    let told = bench.run(["export", "-", "--json"]);
    let told: Value = serde_json::from_str(&told.stderr).unwrap();
    assert!(told["checkpoints"].as_u64().unwrap() >= 13, "{told}");
    let mut command = bench.command();
    command.args(["--store", "file:copy.state", "import", "-"]);
    assert_eq!(finish(command, &all.stdout).ok(), "imported 13 checkpoints\n");

    // As after an interruption: the first lines are there, the rest follows.
    let text = String::from_utf8(all.stdout).unwrap();
    let part: Vec<&str> = text.lines().take(5).collect();
    bench.write("part.jsonl", part.join("\n"));
    let store = format!("file:{}", bench.path("resumed.state").display());
    let import = |arguments: &[&str]| {
        bench.run_bare([&["--store", &store, "--json", "import"], arguments].concat())
    };
    let refused = import(&["part.jsonl"]);
    refused.exits(5);
    assert!(refused.error()["message"].as_str().unwrap().contains("without an end"));
    assert!(!bench.path("resumed.state").exists(), "a refused import has made a store");
    assert_eq!(import(&["part.jsonl", "--part"]).json()["imported"], 5);
    bench.write("all.jsonl", &text);
    assert_eq!(
        import(&["all.jsonl"]).json(),
        json!({"checkpoints": 13, "imported": 8, "present": 5})
    );
    assert_eq!(import(&["all.jsonl", "--check"]).json(), json!({"checkpoints": 13}));
}

#[test]
fn a_broken_line_is_named_and_changes_nothing() {
    let bench = filled();
    bench.run(["export", "all.jsonl"]).ok();
    let sound = std::fs::read_to_string(bench.path("all.jsonl")).unwrap();
    let long = format!("\"thread\":\"{}\"", "x".repeat(300));
    for (from, to, said, code) in [
        ("\"step\":0", "\"step\":", "line 2 is no JSON", 5),
        ("\"writes\"", "\"write\"", "unknown field `write`", 5),
        ("\"thread\":\"trip\"", "\"thread\":\"\"", "thread id is empty", 2),
        ("\"thread\":\"trip\"", &long, "240", 2),
        ("\"versions\":{\"messages\":1,", "\"versions\":{", "without a version", 2),
        ("{\"end\":{\"checkpoints\":19}}", "{\"end\":{\"checkpoints\":20}}", "there are 19", 5),
    ] {
        assert!(sound.contains(from), "{from}");
        bench.write("broken.jsonl", sound.replacen(from, to, 1));
        let run = on_copy(&bench, &["--json", "import", "broken.jsonl"]);
        run.exits(code);
        let error = run.error();
        let text = format!("{} {}", error["message"], error["next"]);
        assert!(text.contains(said) && text.contains("line"), "{said}: {text}");
        let left = on_copy(&bench, &["--json", "threads"]);
        assert!(left.code == 3 || left.json_lines().is_empty(), "{said}: something was written");
    }
    on_copy(&bench, &["import", "absent.jsonl"]).exits(7);
    // A name is read once, as it was typed.
    for name in ["absent", r"a\n"] {
        let run = bench.run(["export", "x.jsonl", "--thread", name]);
        run.exits(1);
        assert!(run.stderr.contains(&format!("no thread `{name}`")), "{}", run.stderr);
    }
    assert!(!bench.path("x.jsonl").exists());
}

#[test]
fn what_is_there_is_not_overwritten() {
    let bench = filled();
    bench.run(["export", "all.jsonl"]).ok();
    bench.run(["export", "all.jsonl"]).ok();
    bench.write("notes.txt", "mine");
    bench.run(["export", "notes.txt"]).exits(2);
    assert_eq!(std::fs::read(bench.path("notes.txt")).unwrap(), b"mine");

    bench.run(["rm", "trip", "--yes"]).ok();
    with_threads(&bench, async |threads| {
        threads
            .put_checkpoint(put("trip", 0).with_value("spent", ChannelValue::Empty))
            .await
            .unwrap();
        let other = put("trip", 1).with_value("messages", Payload::new("json", "[]"));
        threads.put_checkpoint(other).await.unwrap();
    });
    let run = bench.run(["--json", "import", "all.jsonl"]);
    run.exits(4);
    let error = run.error();
    assert!(error["message"].as_str().unwrap().contains("another content"), "{error}");
    assert!(error["next"].as_str().unwrap().contains("imported"), "{error}");
    let kept = bench.run(["show", "trip", "--at", &id(1), "--channel", "messages"]).ok();
    assert_eq!(kept, "[]\n");
}
