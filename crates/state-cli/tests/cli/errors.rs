//! What is said, with which exit code, when something is wrong.

use crate::bench::Bench;

/// Arguments that can never work, what is said, and the exit code.
const REFUSED: &[(&[&str], &str, i32)] = &[
    (&["get"], "required", 2),
    (&["fetch", "k"], "unrecognized subcommand", 2),
    (&["ls", "--lnog"], "--lnog", 2),
    (&["put", "k", "--tll=5m"], "--tll", 2),
    (&["get", ""], "empty", 2),
    (&["get", "k", "--partition", ""], "empty", 2),
    (&["get", "k", "-n", ""], "empty", 2),
    (&["get", r"\q"], "backslash", 2),
    (&["put", "k", "v", "--ttl", "30"], "30s", 2),
    (&["put", "k", "v", "--ttl", "soon"], "5m", 2),
    (&["put", "k", "v", "--ttl", "0s"], "under 1 ms", 2),
    (&["put", "k", "v", "--ttl", "999us"], "under 1 ms", 2),
    (&["put", "k", "v", "--ttl", "11y"], "over 10 years", 2),
    (&["put", "k", "v", "--if-version", "12"], "32 hexadecimal", 2),
    (&["put", "k", "@no-such-file"], "no-such-file", 7),
    (&["ls", "--page", "xyz"], "token", 2),
    (&["watch", "--from", "yesterday"], "oldest", 2),
    (&["del", "a", "b", "--if-version", "0123456789abcdef0123456789abcdef"], "one key", 2),
    (&["snapshot", "no/such/folder/file"], "no/such/folder/file", 7),
    (&["restore", "no-such-file"], "no-such-file", 7),
    (&["restore", "."], "it is a folder; name a file", 2),
    (&["restore", "--check", "."], "it is a folder; name a file", 2),
    (&["snapshot", "."], "name another file", 2),
];

#[test]
fn what_can_never_work_is_refused() {
    let bench = Bench::new();
    bench.run(["put", "k", "before"]).ok();
    for (arguments, said, code) in REFUSED {
        let run = bench.run(*arguments);
        assert_eq!(run.exits(*code), "", "{arguments:?}");
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        let run = bench.run([&["--json"], *arguments].concat());
        let error = run.error();
        assert_eq!(error["exit_code"], *code, "{arguments:?}");
        for field in ["kind", "message", "next"] {
            assert!(!error[field].as_str().unwrap().is_empty(), "{arguments:?}: {field}");
        }
    }
    assert_eq!(bench.run(["get", "k"]).stdout, b"before");
}

#[test]
fn long_keys_are_refused_and_say_the_limit() {
    let bench = Bench::new();
    bench.run(["put", &"k".repeat(1_024), "v"]).ok();
    let run = bench.run(["put", &"k".repeat(1_025), "v"]);
    run.exits(2);
    assert!(run.stderr.contains("1024"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
}

#[test]
fn stores_that_are_none() {
    let bench = Bench::new();
    for (store, said, code) in [
        ("app.state", "file:app.state", 2),
        ("memory", "memory:", 2),
        ("file:", "missing", 2),
        ("mysql://user:secret@host", "known stores are", 2),
        ("file:absent.state", "no store at", 3),
    ] {
        let run = bench.run_bare(["--store", store, "get", "k"]);
        run.exits(code);
        assert!(run.stderr.contains(said), "{store}: {}", run.stderr);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    assert!(!bench.path("absent.state").exists(), "a read has made a store");
    let run = bench.run_bare(["get", "k"]);
    run.exits(2);
    assert!(run.stderr.contains("STATE_STORE"), "{}", run.stderr);
}

#[test]
fn paths_where_no_store_can_lie() {
    let bench = Bench::new();
    bench.write("text", "some words");
    let (long, longer) = ("n".repeat(256), "n".repeat(300));
    for (path, said) in [
        (".", "is a folder"),
        ("no/folder", "create its folder first"),
        ("text/below", "create its folder first"),
        (long.as_str(), "too long"),
        (&longer, "too long"),
    ] {
        let run = bench.run_bare(["--json", "--store", &format!("file:{path}"), "put", "k", "v"]);
        run.exits(2);
        assert_eq!(run.error()["kind"], "invalid", "{path}");
        assert!(run.stderr.contains(said), "{path}: {}", run.stderr);
    }
}

#[test]
fn a_file_that_is_no_store_is_corrupt() {
    let bench = Bench::new();
    bench.write("app.state", vec![b'x'; 100_000]);
    let run = bench.run(["--json", "get", "k"]);
    run.exits(5);
    assert_eq!(run.error()["kind"], "corrupt");
    let before = std::fs::read(bench.path("app.state")).unwrap();
    bench.run(["put", "k", "v"]).exits(5);
    assert_eq!(std::fs::read(bench.path("app.state")).unwrap(), before, "the file was changed");
}

#[test]
fn nothing_but_the_error_is_said_of_a_damaged_file() {
    const PAGE_BYTES: usize = 4_096;
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let sound = std::fs::read(bench.path("app.state")).unwrap();
    let mut gave_up = 0;
    for page in (PAGE_BYTES..sound.len()).step_by(PAGE_BYTES) {
        let mut damaged = sound.clone();
        damaged[page] ^= 0xFF;
        bench.write("app.state", damaged);
        let run = bench.run(["get", "k"]);
        if run.stderr.is_empty() {
            assert_eq!(run.stdout, b"v", "damage at {page}");
            continue;
        }
        run.exits(5);
        assert!(run.stderr.starts_with("error: the store file"), "{}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        gave_up += usize::from(run.stderr.contains("made the engine give up"));
    }
    assert!(gave_up > 0, "no damage made the engine panic, so that nothing was kept quiet");
}

#[test]
fn an_empty_file_becomes_a_store_only_by_writing() {
    let bench = Bench::new();
    bench.write("app.state", Vec::new());
    for arguments in [&["ls"][..], &["get", "k"], &["info"], &["del", "k"]] {
        let run = bench.run(["--json"].iter().chain(arguments));
        run.exits(5);
        assert_eq!(run.error()["kind"], "corrupt");
        assert!(run.stderr.contains("empty and not a store"), "{}", run.stderr);
        assert_eq!(std::fs::read(bench.path("app.state")).unwrap(), b"", "{arguments:?}");
    }
    bench.run(["put", "k", "v"]).ok();
    bench.run(["get", "k"]).ok();
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let (mut holder, _lines) = bench.hold();
    let run = bench.run(["--json", "get", "k"]);
    run.exits(3);
    let error = run.error();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("process"), "{message}");
    assert!(error["next"].as_str().unwrap().contains("another process"), "{error}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(bench.run(["get", "k"]).stdout, b"v");
}
