//! What the commands do with entries.

use crate::bench::Bench;

#[test]
fn a_value_comes_back_as_it_was_put() {
    let bench = Bench::new();
    let version = bench.run(["put", "user:7", "Ada"]).ok();
    assert_eq!(version.trim().len(), 32);
    assert_eq!(bench.run(["get", "user:7"]).stdout, b"Ada");
    let document = bench.run(["get", "--json", "user:7"]).json();
    assert_eq!(document["key"], "user:7");
    assert_eq!(document["value"], "Ada");
    assert_eq!(document["version"], version.trim());
    assert!(document.get("expires").is_none());
}

#[test]
fn bytes_come_from_files_and_pipes() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..=255).collect();
    bench.write("bytes.bin", &bytes);
    bench.run(["put", "from-file", "@bytes.bin"]).ok();
    bench.run_with_input(["put", "from-pipe", "-"], &bytes).ok();
    assert_eq!(bench.run(["get", "from-file"]).stdout, bytes);
    assert_eq!(bench.run(["get", "from-pipe"]).stdout, bytes);
    let document = bench.run(["get", "--json", "from-pipe"]).json();
    assert!(document["value_base64"].as_str().unwrap().starts_with("AAECAwQF"));
    bench.run(["put", "empty", ""]).ok();
    assert_eq!(bench.run(["get", "empty"]).stdout, b"");
    bench.run(["put", "minus", "-5"]).ok();
    assert_eq!(bench.run(["get", "minus"]).stdout, b"-5");
    bench.run(["put", "--ttl=1h", "--", "--key", "--value"]).ok();
    assert_eq!(bench.run(["get", "--", "--key"]).stdout, b"--value");
}

#[test]
fn keys_are_bytes_and_can_be_typed_as_they_are_shown() {
    let bench = Bench::new();
    bench.run(["put", r"a\x00\xff\n\\b", "1"]).ok();
    let shown = bench.run(["ls", "--keys"]).ok();
    assert_eq!(shown, "a\\x00\\xff\\n\\\\b\n");
    assert_eq!(bench.run(["get", shown.trim_end()]).stdout, b"1");
    bench.run(["put", "--raw-keys", r"back\slash", "2"]).ok();
    assert_eq!(bench.run(["get", r"back\\slash"]).stdout, b"2");
    bench.run(["get", r"back\slash"]).exits(2);
}

#[test]
fn partitions_and_namespaces_keep_keys_apart() {
    let bench = Bench::new();
    bench.run(["put", "cart", "none"]).ok();
    bench.run(["put", "cart", "seven", "--partition", "user:7"]).ok();
    bench.run(["put", "cart", "other", "--namespace", "b"]).ok();
    assert_eq!(bench.run(["get", "cart"]).stdout, b"none");
    assert_eq!(bench.run(["get", "cart", "-p", "user:7"]).stdout, b"seven");
    assert_eq!(bench.run(["get", "cart", "-n", "b"]).stdout, b"other");
    let keys = |arguments: &[&str]| {
        let lines = bench.run([&["ls", "--json"], arguments].concat()).json_lines();
        lines.len()
    };
    assert_eq!(keys(&[]), 2);
    assert_eq!(keys(&["--partition", "user:7"]), 1);
    assert_eq!(keys(&["--unpartitioned"]), 1);
    assert_eq!(keys(&["-n", "nowhere"]), 0);
    assert!(bench.run(["ls"]).ok().contains("PARTITION"));
}

#[test]
fn preconditions_hold() {
    let bench = Bench::new();
    let first = bench.run(["put", "k", "1", "--if-absent"]).ok();
    bench.run(["put", "k", "2", "--if-absent"]).exits(4);
    let second = bench.run(["put", "k", "2", "--if-version", first.trim()]).ok();
    bench.run(["put", "k", "3", "--if-version", first.trim()]).exits(4);
    bench.run(["del", "k", "--if-version", first.trim()]).exits(4);
    assert_eq!(bench.run(["get", "k"]).stdout, b"2");
    bench.run(["del", "k", "--if-version", second.trim()]).ok();
    bench.run(["get", "k"]).exits(1);
}

#[test]
fn deleting_says_how_many_there_were() {
    let bench = Bench::new();
    for key in ["a", "b"] {
        bench.run(["put", key, "1"]).ok();
    }
    assert_eq!(bench.run(["del", "a", "b", "c"]).ok(), "2\n");
    assert_eq!(bench.run(["del", "a"]).exits(1), "0\n");
    bench.run(["put", "a", "1"]).ok();
    let document = bench.run(["del", "--json", "a", "c"]).json();
    assert_eq!(document["deleted"], 1);
    assert_eq!(document["keys"][1]["existed"], false);
}

#[test]
fn absent_keys_are_an_answer() {
    let bench = Bench::new();
    bench.run(["put", "there", "1"]).ok();
    let absent = bench.run(["get", "gone"]);
    assert_eq!(absent.exits(1), "");
    assert!(absent.stderr.contains("no key `gone`"));
    assert_eq!(bench.run(["get", "gone", "--quiet"]).stderr, "");
    assert_eq!(bench.run(["get", "gone", "--json"]).json()["found"], false);
    bench.run(["ttl", "gone"]).exits(1);
    bench.run(["ttl", "gone", "--set", "5m"]).exits(1);
}

#[test]
fn lifetimes_are_set_shown_and_taken_away() {
    let bench = Bench::new();
    bench.run(["put", "k", "1", "--ttl", "2h"]).ok();
    let shown = bench.run(["ttl", "k"]).ok();
    assert!(shown.starts_with("1h 59m") || shown.starts_with("2h"), "{shown}");
    let document = bench.run(["ttl", "k", "--json"]).json();
    assert_eq!(document["mortal"], true);
    assert!(document["remaining_ms"].as_u64().unwrap() <= 7_200_000);
    bench.run(["put", "k", "2", "--keep-ttl"]).ok();
    assert_eq!(bench.run(["ttl", "k", "--json"]).json()["mortal"], true);
    assert_eq!(bench.run(["ttl", "k", "--persist"]).ok(), "no lifetime\n");
    let week_ms = 7 * 86_400_000;
    let set = bench.run(["ttl", "k", "--set", "7d", "--json"]).json();
    let remaining_ms = set["remaining_ms"].as_u64().unwrap();
    assert!((week_ms - 60_000..=week_ms).contains(&remaining_ms), "{set}");
    bench.run(["put", "k", "3"]).ok();
    assert_eq!(bench.run(["ttl", "k"]).ok(), "no lifetime\n");
    // The shortest lifetime is over when the next process has started.
    bench.run(["put", "short", "1", "--ttl", "1ms"]).ok();
    bench.run(["get", "short"]).exits(1);
}

#[test]
fn counters_add_up() {
    let bench = Bench::new();
    assert_eq!(bench.run(["incr", "n"]).ok(), "1\n");
    assert_eq!(bench.run(["incr", "n", "41"]).ok(), "42\n");
    assert_eq!(bench.run(["incr", "n", "-2"]).ok(), "40\n");
    assert_eq!(bench.run(["incr", "n", "0", "--json"]).json()["value"], 40);
    assert_eq!(bench.run(["get", "n"]).stdout, b"40");
    bench.run(["put", "text", "forty"]).ok();
    bench.run(["incr", "text"]).exits(2);
    bench.run(["incr", "n", "9223372036854775807"]).exits(2);
    assert_eq!(bench.run(["get", "n"]).stdout, b"40");
}

#[test]
fn listings_are_literal_ordered_and_paged() {
    let bench = Bench::new();
    for key in ["user:2", "user:1", "user:10", "use*", "z"] {
        bench.run(["put", key, key]).ok();
    }
    assert_eq!(bench.run(["ls", "user:", "--keys"]).ok(), "user:1\nuser:10\nuser:2\n");
    assert_eq!(bench.run(["ls", "use*", "--keys"]).ok(), "use*\n");
    let table = bench.run(["ls"]).ok();
    let mut lines = table.lines();
    let header: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["KEY", "SIZE", "VERSION", "EXPIRES"]);
    assert_eq!(lines.count(), 5);
    assert!(bench.run(["ls", "--long"]).ok().contains("VALUE"));

    let mut seen = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let mut arguments = vec!["ls".to_owned(), "--json".to_owned(), "--limit=2".to_owned()];
        arguments.extend(page.take().map(|token| format!("--page={token}")));
        for line in bench.run(arguments).json_lines() {
            if line["more"] == true {
                page = line["next"].as_str().map(str::to_owned);
            } else {
                seen.push(line["key"].as_str().unwrap().to_owned());
            }
        }
        if page.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["use*", "user:1", "user:10", "user:2", "z"]);
    let more = bench.run(["ls", "--limit", "2"]);
    assert!(more.stderr.contains("--page "), "{}", more.stderr);
    assert!(bench.run(["ls", "none"]).stderr.contains("no such keys"));
}

#[test]
fn changes_are_told_from_the_log() {
    let bench = Bench::new();
    bench.run(["put", "a", "1"]).ok();
    bench.run(["put", "b", "1", "--ttl", "1h"]).ok();
    bench.run(["del", "a"]).ok();
    let events = bench.run(["watch", "--json"]).json_lines();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["change"].as_str().unwrap(), event["key"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("put", "a"), ("put", "b"), ("deleted", "a")]);
    let watched = bench.run(["watch", "--json"]);
    assert!(watched.stderr.contains("\"warning\"") && watched.stderr.contains("live writer"));
    let text = bench.run(["watch"]);
    assert!(text.ok().lines().count() == 3);
    assert!(text.stderr.contains("live writer"), "{}", text.stderr);
    let token = events[1]["token"].as_str().unwrap();
    let later = bench.run(["watch", "--json", "--from", token]).json_lines();
    assert_eq!(later.len(), 1);
    assert_eq!(later[0]["change"], "deleted");
    assert_eq!(bench.run(["watch", "b", "--json"]).json_lines().len(), 1);
    let now = bench.run(["watch", "--from", "now"]);
    assert_eq!(now.ok(), "");
    assert!(now.stderr.contains("nothing to follow"), "{}", now.stderr);
    let memory = bench.run_bare(["--store", "memory:", "watch"]);
    assert_eq!(memory.ok(), "");
    assert!(memory.stderr.contains("memory store"), "{}", memory.stderr);
}

#[test]
fn info_says_what_there_is() {
    let bench = Bench::new();
    bench.run(["put", "k", "1"]).ok();
    let text = bench.run(["info"]).ok();
    for said in ["file", "healthy", "ordered-list", "durable", "largest value"] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let document = bench.run(["info", "--json"]).json();
    assert_eq!(document["health"]["status"], "healthy");
    assert_eq!(document["usage"]["entries"], 1);
    assert!(document["usage"]["disk_bytes"].as_u64().unwrap() > 0);
    assert!(document["capabilities"].as_array().unwrap().iter().any(|name| name == "durable"));
    bench.run(["put", "k", "1", "-n", "other"]).ok();
    bench.run(["put", "l", "1", "-n", "other"]).ok();
    let document = bench.run(["info", "--json"]).json();
    let expected = serde_json::json!([
        { "namespace": "default", "entries": 1 },
        { "namespace": "other", "entries": 2 },
    ]);
    assert_eq!(document["namespaces"], expected);
    let text = bench.run(["info"]).ok();
    assert!(text.contains("NAMESPACE") && text.contains("other"), "{text}");
    let memory = bench.run_bare(["--store", "memory:", "info", "--json"]).json();
    assert_eq!(memory["namespaces"], serde_json::json!([]));
    assert_eq!(memory["scheme"], "memory");
    assert!(memory["not_offered"].as_array().unwrap().iter().any(|name| name == "durable"));
}

/// A store of more than 16 MiB, of which `change` has changed the file.
fn large_store(change: impl FnOnce(&mut Vec<u8>)) -> Bench {
    let bench = Bench::new();
    for number in 0..20 {
        let value = format!("value {number:02} ").repeat(100_000);
        let file = bench.write("value", value);
        bench.run(["put", &format!("k{number:02}"), &format!("@{}", file.display())]).ok();
    }
    let path = bench.path("app.state");
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 16 << 20, "{} bytes", bytes.len());
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    bench
}

#[test]
fn info_verifies_the_whole_file_when_asked() {
    let sound = large_store(|_| ());
    assert!(sound.run(["info", "--verify"]).ok().contains("every page"));
    assert_eq!(sound.run(["info", "--verify", "--json"]).json()["verified"], true);
    assert!(sound.run(["info", "--json"]).json().get("verified").is_none());

    let damaged = large_store(|bytes| {
        let value = b"value 07 value 07 ";
        let at = bytes.windows(value.len()).position(|found| found == value).unwrap();
        bytes[at + 50_000] ^= 1;
    });
    damaged.run(["info"]).ok();
    damaged.run(["get", "k08"]).ok();
    damaged.run(["get", "k07"]).exits(5);
    let told = damaged.run(["info", "--verify", "--json"]);
    told.exits(5);
    assert_eq!(told.error()["kind"], "corrupt");

    let memory = damaged.run_bare(["--store", "memory:", "info", "--verify"]);
    memory.exits(2);
}

#[test]
fn the_environment_names_the_store() {
    let bench = Bench::new();
    bench.run(["put", "k", "from environment", "-n", "space"]).ok();
    let mut command = bench.command();
    command.env("STATE_STORE", bench.store()).env("STATE_NAMESPACE", "space");
    command.args(["get", "k"]);
    assert_eq!(crate::bench::finish(command, b"").stdout, b"from environment");
}

#[test]
fn help_teaches() {
    let bench = Bench::new();
    let guide = bench.run_bare([""; 0]).ok();
    assert!(guide.contains("statectl demo"), "{guide}");
    let help = bench.run_bare(["--help"]).ok();
    for said in ["Exit codes", "Durations", "--store", "Examples"] {
        assert!(help.contains(said), "{said}");
    }
    for command in [
        "get", "put", "del", "incr", "ls", "ttl", "watch", "snapshot", "restore", "threads",
        "history", "show", "diff", "fork", "prune", "rm", "export", "import", "info", "demo",
    ] {
        let help = bench.run_bare([command, "--help"]).ok();
        assert!(help.contains("Examples:"), "{command}");
        assert!(help.contains("--json"), "{command}");
    }
    assert!(bench.run_bare(["--version"]).ok().starts_with("statectl "));
}

#[test]
fn a_file_becomes_as_small_as_what_it_holds() {
    let bench = Bench::new();
    for number in 0..8 {
        bench.run(["put", &format!("gone:{number}"), "1"]).ok();
    }
    bench.run(["put", "kept", "1"]).ok();
    for number in 0..8 {
        bench.run(["del", &format!("gone:{number}")]).ok();
    }
    let sizes = bench.run(["compact", "--json"]).json();
    let bytes = |name: &str| sizes[name].as_u64().unwrap();
    assert!(bytes("bytes_after") < bytes("bytes_before"), "{sizes}");
    assert_eq!(bench.run(["get", "kept"]).stdout, b"1");
    assert!(bench.run(["compact"]).ok().contains("on disk, of"));
    let refused = bench.run_bare(["--store", "memory:", "compact"]);
    refused.exits(2);
    assert!(refused.stderr.contains("--store file:PATH"), "{}", refused.stderr);
}
