//! A folder with a store in it, and the program run on it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_statectl");

/// A folder of its own, removed at the end.
pub(crate) struct Bench {
    folder: TempDir,
}

/// What a run of the program has left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of the store of this folder.
    pub(crate) fn store(&self) -> String {
        format!("file:{}", self.path("app.state").display())
    }

    /// Runs the program on the store of this folder.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.run_with_input(arguments, b"")
    }

    pub(crate) fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Run {
        let mut command = self.command();
        command.arg("--store").arg(self.store()).args(arguments);
        finish(command, input)
    }

    /// Runs the program with these arguments alone.
    pub(crate) fn run_bare<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut command = self.command();
        command.args(arguments);
        finish(command, b"")
    }

    /// The program, in this folder, with nothing of the environment that it looks at.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.folder.path());
        command.env_remove("STATE_STORE").env_remove("STATE_NAMESPACE").env_remove("COLUMNS");
        command.env("TMPDIR", self.folder.path());
        command
    }

    /// A process that has the store of this folder open until it is killed, and what it says, for as long as it lives.
    pub(crate) fn hold(&self) -> (Child, Lines<BufReader<ChildStdout>>) {
        // A worker that waits for its input has the store open meanwhile.
        let text = self.write("text/a.txt", "some words\n");
        let mut command = self.command();
        command.args(["--json", "--store", &self.store(), "demo-worker", "--lease=5s"]);
        command.arg("--hold-at=1").arg(text.parent().unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")), "the holder never came to hold");
        (holder, lines)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs the commands that the end of a demonstration suggests; there must be `least` of them.
    pub(crate) fn runs_what_is_suggested(&self, text: &str, least: usize) {
        assert!(text.lines().all(|line| line.contains("--store") || line.chars().count() <= 80));
        let commands: Vec<_> = text.lines().filter(|line| line.contains(" --store ")).collect();
        assert!(commands.len() >= least, "{text}");
        for line in commands {
            let words: Vec<_> = line.split_whitespace().collect();
            let run = self.run_bare(&words[1..]);
            assert!(!run.ok().is_empty(), "{line}");
        }
    }
}

pub(crate) fn finish(mut command: Command, input: &[u8]) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read its input closes it: that is no failure of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let code = status.code().unwrap_or(-1);
    Run { code, stdout, stderr: String::from_utf8(stderr).unwrap() }
}

impl Run {
    /// The output of a run that must have worked.
    pub(crate) fn ok(&self) -> String {
        self.exits(0)
    }

    /// The output of a run that must have ended with this code.
    pub(crate) fn exits(&self, code: i32) -> String {
        let stdout = String::from_utf8_lossy(&self.stdout).into_owned();
        assert_eq!(self.code, code, "stdout: {stdout}\nstderr: {}", self.stderr);
        stdout
    }

    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr)
        })
    }

    /// One JSON document per line of standard output.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.stdout.clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The error document on standard error.
    pub(crate) fn error(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|error| {
            panic!("{error}: {}", self.stderr);
        });
        document["error"].clone()
    }
}
