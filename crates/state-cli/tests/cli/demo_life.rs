//! The demonstration of an agent's life: killed at many points, with an exact history every time.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::threads::with_threads;

/// So many conversations; the n-th has n % 7 + 1 messages.
fn write_conversations(bench: &Bench, count: usize) -> usize {
    let mut text = String::new();
    let mut messages = 0;
    for n in 0..count {
        let list: Vec<Value> = (0..=n % 7)
            .map(|m| {
                json!({"role": if m % 2 == 0 { "user" } else { "assistant" },
                            "content": format!("message {m} of {n}, {}", "and more ".repeat(m))})
            })
            .collect();
        messages += list.len();
        text.push_str(&json!({"thread": format!("t-{n}"), "messages": list}).to_string());
        text.push('\n');
    }
    bench.write("in.jsonl", text);
    messages
}

/// Checks what must hold of every demonstration that worked.
fn assert_exact(run: &Run, kills: usize) -> Value {
    run.ok();
    let report = run.json();
    assert_eq!(report["proven"], true, "{report}");
    assert_eq!(report["checkpoints"], report["messages"], "{report}");
    for none in ["steps_twice", "steps_lost", "checkpoints_wrong"] {
        assert_eq!(report[none], 0, "{report}");
    }
    let processes = report["processes"].as_array().unwrap();
    let killed = processes.iter().filter(|process| process["killed"] == true).count();
    assert_eq!((killed, processes.len()), (kills, kills + 1), "{report}");
    report
}

#[test]
fn a_killed_agent_resumes_every_thread_at_its_step() {
    let bench = Bench::new();
    let report = assert_exact(&bench.run(["--json", "demo"]), 1);
    assert!(report["messages"].as_u64().unwrap() >= 30);
    let resumed = report["processes"][1]["resumed"].as_array().unwrap();
    assert!(!resumed.is_empty(), "no thread was in the middle: {report}");
    // What the store holds says which process made which step: none is there twice.
    for thread in resumed {
        let name = thread["thread"].as_str().unwrap();
        let lines = bench.run(["--json", "history", name, "--all"]).json_lines();
        let step = usize::try_from(thread["saved"].as_u64().unwrap()).unwrap();
        let made_by = |process: usize| {
            let process = &report["processes"][process]["process"];
            lines.iter().filter(|line| line["metadata"]["process"] == *process).count()
        };
        assert_eq!((made_by(0), made_by(0) + made_by(1)), (step, lines.len()), "{name}");
    }
    let what_if = &report["what_if"];
    let branch = what_if["branch"].as_str().unwrap();
    let steps = usize::try_from(what_if["step"].as_u64().unwrap()).unwrap() + 2;
    assert_eq!(bench.run(["--json", "history", branch]).json_lines().len(), steps);
    let (stored, copies) = (&report["stored_bytes"], &report["copies_bytes"]);
    assert!(copies.as_u64().unwrap() > 3 * stored.as_u64().unwrap(), "{report}");

    let again = bench.run(["--json", "demo"]);
    again.exits(4);
    assert!(again.error()["message"].as_str().unwrap().contains("already"));
}

#[test]
fn it_does_not_matter_when_an_agent_is_killed() {
    let bench = Bench::new();
    let messages = write_conversations(&bench, 60);
    for (kills, at_once) in [("1,2,3", "1"), ("20,40,60,80", "16"), ("50", "64"), ("98,99", "3")] {
        let arguments = ["--json", "demo", "in.jsonl", "--kill-at", kills, "--at-once", at_once];
        let run = bench.run_bare([&arguments[..], &["--remove"]].concat());
        let report = assert_exact(&run, kills.split(',').count());
        assert_eq!(report["messages"], messages);
    }
    let left = std::fs::read_dir(bench.path(".")).unwrap().count();
    assert_eq!(left, 1, "a store was left behind");
}

#[test]
fn the_smallest_conversation_is_killed_before_its_end_too() {
    let bench = Bench::new();
    bench.write("in.jsonl", "{\"thread\":\"a/b c\",\"messages\":[\"not shaped as a chat\"]}\n");
    assert_exact(&bench.run_bare(["--json", "demo", "in.jsonl", "--remove"]), 1);
}

/// Starts an agent on its own and kills it, without any agreement, after so many events.
fn kill_an_agent_after(bench: &Bench, events: usize) {
    let mut command = bench.command();
    command.args(["--json", "--store", &bench.store(), "demo-agent", "--at-once=4", "in.jsonl"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut agent = command.spawn().unwrap();
    let lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(events).count(), events, "the agent was finished too early");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn a_demonstration_that_was_interrupted_goes_on() {
    let bench = Bench::new();
    write_conversations(&bench, 80);
    for events in [2, 35, 90] {
        kill_an_agent_after(&bench, events);
    }
    let report = assert_exact(&bench.run(["--json", "demo", "in.jsonl", "--kill-at=90"]), 1);
    assert!(!report["processes"][0]["resumed"].as_array().unwrap().is_empty(), "{report}");
}

#[test]
fn a_checkpoint_that_somebody_added_is_noticed() {
    let bench = Bench::new();
    write_conversations(&bench, 10);
    kill_an_agent_after(&bench, 60);
    with_threads(&bench, async |threads| {
        // An older id than all others: the latest stays what it is.
        threads.put_checkpoint(crate::threads::put("t-3", 0)).await.unwrap();
    });
    let run = bench.run(["--json", "demo", "in.jsonl", "--kill-at=95"]);
    run.exits(8);
    assert_eq!(run.json()["proven"], false);
    assert_eq!(run.error()["kind"], "unproven");
}

#[test]
fn the_end_says_how_to_look_inside() {
    let bench = Bench::new();
    let text = bench.run_bare(["demo"]).ok();
    for said in
        ["SIGKILL", "goes on with", "none twice, none lost", "What you saw", "times as much"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    bench.runs_what_is_suggested(&text, 5);
}

#[test]
fn what_the_demonstration_cannot_work_with() {
    let bench = Bench::new();
    bench.write("empty.jsonl", "\n");
    bench.write("broken.jsonl", "{\"thread\":\"a\",\"messages\":[1]}\n{\"thread\":\n");
    for (arguments, said, code) in [
        (&["demo", "empty.jsonl"][..], "no conversation", 2),
        (&["demo", "broken.jsonl"], "line 2 is no JSON", 2),
        (&["demo", "absent"], "absent", 7),
        (&["--store", "memory:", "demo"], "outlive", 2),
        (&["demo", "--kill-at", "0"], "0", 2),
        (&["demo", "--at-once", "0"], "0", 2),
    ] {
        let run = bench.run_bare([&["--json"], arguments].concat());
        run.exits(code);
        let error = run.error();
        assert!(error["message"].as_str().unwrap().contains(said), "{arguments:?}: {error}");
    }
    let left = std::fs::read_dir(bench.path(".")).unwrap().count();
    assert_eq!(left, 2, "a store was left behind");

    let other = "{\"thread\":\"train-to-the-coast\",\"messages\":[1]}\n";
    bench.write("other.jsonl", other);
    bench.run(["--json", "demo", "other.jsonl"]).ok();
    let run = bench.run(["--json", "demo"]);
    run.exits(4);
    assert!(run.error()["message"].as_str().unwrap().contains("another conversation"));
}
