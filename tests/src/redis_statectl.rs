//! The program `statectl` on a real server, as people and scripts drive it.

#![expect(clippy::indexing_slicing, reason = "what a JSON document lacks is null")]

mod bench;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use bench::Bench;

type Check = fn(&Bench) -> Result<(), Failed>;

/// The tests, on one server each; `program` is the path of `statectl`.
pub fn trials(program: &'static str) -> Vec<Trial> {
    let checks: [(&'static str, Check); 8] = [
        ("statectl::keys_are_put_listed_and_removed", keys),
        ("statectl::a_store_tells_what_it_is", info),
        ("statectl::looking_leaves_nothing_behind", looking),
        ("statectl::a_doctor_tells_what_to_mend_and_how_bad_it_is", doctor),
        ("statectl::an_agent_that_is_killed_resumes_and_its_threads_can_be_looked_at", life),
        ("statectl::threads_are_branched_pruned_and_removed", changes),
        ("statectl::threads_move_from_a_file_to_a_server", moves),
        ("statectl::a_snapshot_says_that_it_holds_no_threads", snapshot),
    ];
    let trial = |(name, check): (&'static str, Check)| {
        Trial::test(name, move || check(&Bench::start(program, name)?))
    };
    checks.map(trial).into()
}

fn keys(bench: &Bench) -> Result<(), Failed> {
    bench.run(&["get", "k"])?.exits(1)?;
    let version = bench.run(&["put", "k", "v", "--ttl", "1h"])?.exits(0)?;
    assert_eq!(version.trim().len(), 32, "{version}");
    assert_eq!(bench.run(&["get", "k"])?.exits(0)?, "v");
    bench.run(&["put", "k", "w", "--if-version", &"0".repeat(32)])?.exits(4)?;
    bench.run(&["put", "k", "w", "--if-version", version.trim()])?.exits(0)?;
    let shown = bench.run(&["--json", "get", "k"])?.json(0)?;
    assert_eq!((&shown["value"], &shown["found"]), (&json!("w"), &json!(true)));
    bench.run(&["put", "other", "\u{e9}", "--partition", "p"])?.exits(0)?;
    assert_eq!(bench.run(&["incr", "n", "41"])?.exits(0)?, "41\n");
    let lines = bench.run(&["--json", "ls"])?.json_lines()?;
    let mut names: Vec<_> = lines.iter().map(|line| line["key"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["k", "n", "other"]);
    let table = bench.run(&["ls", "--partition", "p"])?.exits(0)?;
    assert!(table.starts_with("PARTITION  KEY") && table.contains("p          other"), "{table}");
    assert_eq!(bench.run(&["del", "k", "n", "absent"])?.exits(0)?, "2\n");
    bench.run(&["put", "", "v"])?.exits(2)?;
    let refused = bench.run(&["--json", "get", ""])?;
    refused.exits(2)?;
    assert_eq!(refused.error()?["kind"], "invalid");
    Ok(())
}

fn info(bench: &Bench) -> Result<(), Failed> {
    bench.run(&["put", "k", "v"])?.exits(0)?;
    let told = bench.run(&["--json", "info"])?.json(0)?;
    assert_eq!((&told["scheme"], &told["namespace"]), (&json!("redis"), &json!(bench.namespace())));
    assert_eq!(
        (&told["usage"]["entries"], &told["health"]["status"]),
        (&json!(1), &json!("healthy"))
    );
    assert_eq!(told["servers"].as_array().map(Vec::len), Some(1), "{told}");
    let offers =
        |name: &str| told["capabilities"].as_array().is_some_and(|all| all.contains(&json!(name)));
    assert!(offers("transact") && offers("lease") && !offers("point-in-time-snapshot"), "{told}");
    // What the command has done itself: it has counted the entries.
    let (line, total) = (&told["operations"][0], &told["total"]);
    assert_eq!((&line["operation"], &line["calls"]), (&json!("count"), &json!(1)), "{told}");
    assert!(
        line["commands"].as_u64() >= Some(1) && line["latency"]["p99_us"].as_u64() > Some(0),
        "{line}"
    );
    assert_eq!((&line["error_rate"], &line["hit_rate"]), (&json!(0.0), &Value::Null), "{line}");
    for figure in ["calls", "errors", "retries", "bytes_in", "bytes_out", "commands", "pipelines"] {
        assert!(line[figure].is_u64() && line[figure] == total[figure], "{figure}: {told}");
    }
    assert!(total["latency"].is_null() && told["health"]["round_trip_us"].is_u64(), "{told}");
    let notes = told["health"]["notes"].to_string();
    assert!(notes.contains("replicaof"), "one server is alone: {notes}");
    let text = bench.run(&["info"])?.exits(0)?;
    let rows = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((rows("OPERATION"), rows("total")), (1, 1), "{text}");
    assert!(text.contains("P99") && text.contains("COMMANDS"), "{text}");
    assert!(text.contains("CAPABILITY") && text.contains(bench.namespace()), "{text}");
    Ok(())
}

/// Whoever only looks decides nothing about a namespace that nobody has written to.
fn looking(bench: &Bench) -> Result<(), Failed> {
    for (call, code) in [
        (&["ls"][..], 0),
        (&["get", "k"], 1),
        (&["ttl", "k"], 1),
        (&["info"], 0),
        (&["snapshot", "empty.snap"], 0),
        (&["threads"], 0),
        (&["doctor"], 0),
    ] {
        bench.run(call)?.exits(code)?;
        assert_eq!(bench.keys()?, Vec::<String>::new(), "{call:?} has left something");
    }
    bench.run(&["put", "k", "v"])?.exits(0)?;
    assert_eq!(bench.keys()?.len(), 2, "the entry and the record of the layout");
    Ok(())
}

fn doctor(bench: &Bench) -> Result<(), Failed> {
    let told = bench.run(&["--json", "doctor"])?.json(0)?;
    let of = |told: &Value, check: &str| -> Result<Value, Failed> {
        let all = told["findings"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["check"] == check).ok_or_else(|| format!("{told}").into())
    };
    assert_eq!(told["problems"], 0, "{told}");
    let replicas = of(&told, "replicas")?;
    assert_eq!(replicas["level"], "note");
    assert!(text(&replicas["fix"]).contains("replicaof"), "{replicas}");
    assert_eq!(replicas["servers"].as_array().map(Vec::len), Some(1), "{replicas}");
    assert_eq!(of(&told, "eviction")?["level"], "ok", "{told}");

    bench.admin(&["CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru"])?;
    let told = bench.run(&["--json", "doctor"])?.json(9)?;
    let eviction = of(&told, "eviction")?;
    assert_eq!((&told["problems"], &eviction["level"]), (&json!(1), &json!("problem")), "{told}");
    let shown = bench.run(&["doctor"])?;
    assert_eq!(shown.stderr, "", "it is all told on standard output");
    let shown = shown.exits(9)?;
    let first = shown.lines().nth(1).unwrap_or_default();
    assert!(first.starts_with("problem  eviction"), "the worst comes first: {shown}");
    assert!(shown.contains("fix: ") && shown.contains("1 problem, "), "{shown}");
    let fits = |line: &str| line.chars().count() <= 80 || line.split_whitespace().count() <= 1;
    assert!(shown.lines().all(fits), "{shown}");
    bench.admin(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])?;
    bench.run(&["doctor"])?.exits(0)?;
    Ok(())
}

/// The threads that a demonstration has left, and the document that it has ended with.
fn demonstrate(bench: &Bench) -> Result<Value, Failed> {
    let report = bench.run(&["--json", "demo"])?.json(0)?;
    assert_eq!(report["proven"], true, "{report}");
    for none in ["steps_twice", "steps_lost", "checkpoints_wrong"] {
        assert_eq!(report[none], 0, "{report}");
    }
    Ok(report)
}

fn life(bench: &Bench) -> Result<(), Failed> {
    let report = demonstrate(bench)?;
    assert_eq!(
        (&report["file_bytes"], &report["namespace"]),
        (&Value::Null, &json!(bench.namespace()))
    );
    bench.run(&["demo"])?.exits(4)?;
    let threads = bench.run(&["--json", "threads"])?.json_lines()?;
    // One more than the conversations: the what-if.
    assert_eq!(threads.len() as u64, report["threads"].as_u64().unwrap_or_default() + 1);
    let what_if = &report["what_if"];
    let (thread, branch) = (text(&what_if["thread"]), text(&what_if["branch"]));
    let listed = threads.iter().find(|line| line["thread"] == thread).ok_or("not listed")?;
    assert!(listed["stored_bytes"].as_u64() > Some(0), "{listed}");
    let history = bench.run(&["--json", "history", thread, "--all"])?.json_lines()?;
    assert_eq!(listed["checkpoints"].as_u64(), Some(history.len() as u64));
    let newest = history.first().ok_or("no history")?;
    assert_eq!(newest["changed"]["messages"]["elements_added"], 1, "{newest}");
    let table = bench.run(&["history", thread, "--limit", "3"])?.exits(0)?;
    assert!(table.contains(text(&newest["checkpoint"])), "{table}");

    let at = bench.run(&["--json", "show", thread, "--at", "step:1"])?.json(0)?;
    assert_eq!(at["state"]["messages"].as_array().map(Vec::len), Some(2));
    let same = ["--json", "show", thread, "--at", text(&at["checkpoint"])];
    assert_eq!(bench.run(&same)?.json(0)?, at);
    bench.run(&["show", thread, "--at", "step:999"])?.exits(1)?;
    let absent = bench.run(&["--json", "history", "absent"])?.json(1)?;
    assert_eq!(absent, json!({"thread": "absent", "found": false}));

    let diff = bench.run(&["--json", "diff", thread, "step:1", "step:3"])?.json(0)?;
    assert_eq!(diff["channels"]["messages"]["added"].as_array().map(Vec::len), Some(2));
    let other = ["--json", "diff", thread, "latest", "latest", "--with", branch];
    assert_eq!(bench.run(&other)?.json(0)?["to"]["thread"], branch);
    Ok(())
}

fn changes(bench: &Bench) -> Result<(), Failed> {
    let report = demonstrate(bench)?;
    let thread = text(&report["what_if"]["thread"]);
    let steps = |name: &str| -> Result<usize, Failed> {
        Ok(bench.run(&["--json", "history", name, "--all"])?.json_lines()?.len())
    };
    let all = steps(thread)?;
    let made = bench.run(&["--json", "fork", thread, "other", "--at", "step:2"])?.json(0)?;
    assert_eq!((&made["checkpoints"], steps("other")?), (&json!(3), 3));
    bench.run(&["fork", thread, "other"])?.exits(4)?;

    let prune = ["--json", "prune", thread, "--keep-last", "2"];
    let plan = bench.run(&[&prune[..], &["--dry-run"]].concat())?.json(0)?;
    assert_eq!(plan["checkpoints"].as_array().map(Vec::len), Some(all - 2));
    bench.run(&prune)?.exits(4)?;
    assert_eq!(steps(thread)?, all, "it was not agreed to");
    let done = bench.run(&[&prune[..], &["--yes"]].concat())?.json(0)?;
    assert_eq!((&done["removed"], steps(thread)?), (&json!(all - 2), 2));
    bench.run(&["prune", "absent", "--keep-latest", "--yes"])?.exits(1)?;
    let state = bench.run(&["--json", "show", thread])?.json(0)?;
    assert_eq!(state["state"]["messages"].as_array().map(Vec::len), Some(all));

    bench.run(&["rm", "other"])?.exits(4)?;
    let removed = bench.run(&["--json", "rm", "other", "absent", "--yes"])?.json(0)?;
    assert_eq!(removed["removed"], 1);
    bench.run(&["rm", "other", "--yes"])?.exits(1)?;
    bench.run(&["history", "other"])?.exits(1)?;
    Ok(())
}

fn moves(bench: &Bench) -> Result<(), Failed> {
    let file = bench.file_store();
    let replayed = bench.run_on(&file, &["--json", "demo"])?.json(0)?;
    let written = bench.run_on(&file, &["--json", "export", "threads.jsonl"])?.json(0)?;
    assert_eq!(written["threads"].as_u64(), replayed["threads"].as_u64().map(|count| count + 1));
    let read = bench.run(&["--json", "import", "threads.jsonl"])?.json(0)?;
    assert_eq!((&read["imported"], &read["present"]), (&written["checkpoints"], &json!(0)));
    let again = bench.run(&["--json", "import", "threads.jsonl"])?.json(0)?;
    assert_eq!((&again["imported"], &again["present"]), (&json!(0), &written["checkpoints"]));
    let thread = text(&replayed["what_if"]["thread"]);
    let call = ["--json", "show", thread];
    assert_eq!(bench.run(&call)?.json(0)?, bench.run_on(&file, &call)?.json(0)?);
    bench.run(&["--json", "export", "back.jsonl"])?.json(0)?;
    let lines = |name: &str| -> Result<Vec<String>, Failed> {
        let text = std::fs::read_to_string(bench.path(name))?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // Stores list their threads in different orders.
        lines.sort();
        Ok(lines)
    };
    assert!(lines("back.jsonl")? == lines("threads.jsonl")?, "it came back different");
    Ok(())
}

fn snapshot(bench: &Bench) -> Result<(), Failed> {
    bench.run(&["put", "k", "v"])?.exits(0)?;
    let quiet = bench.run(&["snapshot", "before.snap"])?;
    quiet.exits(0)?;
    assert!(!quiet.stderr.contains("threads"), "{}", quiet.stderr);
    demonstrate(bench)?;
    let told = bench.run(&["--quiet", "snapshot", "after.snap"])?;
    assert!(told.exits(0)?.contains("wrote 1 entry"), "{told:?}");
    assert!(
        told.stderr.starts_with("warning: ") && told.stderr.contains("statectl export"),
        "{told:?}"
    );
    let told = bench.run(&["--json", "snapshot", "after.snap"])?;
    assert_eq!(told.json(0)?["entries"], 1);
    let warning: Value = serde_json::from_str(&told.stderr)?;
    assert!(text(&warning["warning"]).contains("not part of a snapshot"), "{warning}");
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
