//! Readers that go away early, and outputs that cannot be written.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::bench::Bench;

/// So many keys of a thousand bytes are more than a pipe holds.
const KEYS: usize = 120;

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let bench = Bench::new();
    for key in 0..KEYS {
        bench.run(["put", &format!("{key:0>1000}"), "v"]).ok();
    }
    assert!(bench.run(["ls", "--keys"]).ok().len() > 1_000 * KEYS);
    for arguments in [vec!["ls", "--limit", "0"], vec!["ls", "--limit", "0", "--json"]] {
        let mut command = bench.command();
        command.args(["--store", &bench.store()]).args(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let bench = Bench::new();
    bench.run(["put", "k", "v"]).ok();
    let mut command = bench.command();
    command.args(["--store", &bench.store(), "get", "k"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"));
}
