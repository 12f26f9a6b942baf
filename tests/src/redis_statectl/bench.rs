//! A server, a folder, and the program run on them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;
use tempfile::TempDir;

use crate::servers::{Running, Servers, Setup};

/// A server with a namespace of its own, and a folder.
#[derive(Debug)]
pub(super) struct Bench {
    program: &'static str,
    servers: Running,
    namespace: String,
    folder: TempDir,
}

/// What a run of the program has left.
#[derive(Debug)]
pub(super) struct Run {
    call: String,
    code: Option<i32>,
    stdout: String,
    pub(super) stderr: String,
}

impl Bench {
    pub(super) fn start(program: &'static str, test: &str) -> Result<Self, Failed> {
        let servers = Servers::start(Setup::Standalone)?;
        // A server that was given may have seen the same test before.
        let namespace = format!("{test}-{}", std::process::id());
        Ok(Self { program, servers, namespace, folder: tempfile::tempdir()? })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Everything that is stored for the namespace.
    pub(super) fn keys(&self) -> Result<Vec<String>, Failed> {
        // What comes before it in the name is escaped in keys.
        let name = self.namespace.rsplit(':').next().unwrap_or_default();
        let pattern = format!("*{name}*");
        let found = self.servers.admin(0, &["KEYS", &pattern])?.ok()?;
        Ok(found.items().iter().map(crate::servers::Reply::text).collect())
    }

    /// Sends a command to the server as its administrator; it must succeed.
    pub(super) fn admin(&self, words: &[&str]) -> Result<(), Failed> {
        self.servers.admin(0, words)?.ok()?;
        Ok(())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of a store in the folder.
    pub(super) fn file_store(&self) -> String {
        format!("file:{}", self.path("app.state").display())
    }

    /// Runs the program on the server.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<Run, Failed> {
        self.run_on(self.servers.url(), arguments)
    }

    /// Runs the program on another store.
    pub(super) fn run_on(&self, store: &str, arguments: &[&str]) -> Result<Run, Failed> {
        let mut command = Command::new(self.program);
        command.current_dir(self.folder.path()).env_remove("STATE_STORE").env_remove("COLUMNS");
        command.args(["--store", store, "--namespace", &self.namespace]).args(arguments);
        let output = command.stdin(Stdio::null()).output()?;
        Ok(Run {
            call: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }
}

impl Run {
    /// The output of a run that must have ended with this code.
    pub(super) fn exits(&self, code: i32) -> Result<String, Failed> {
        if self.code == Some(code) {
            return Ok(self.stdout.clone());
        }
        Err(format!("expected exit code {code}: {self:#?}").into())
    }

    /// The one document on standard output of a run that must have ended with this code.
    pub(super) fn json(&self, code: i32) -> Result<Value, Failed> {
        self.read(&self.exits(code)?)
    }

    /// One document per line of the output of a run that must have worked.
    pub(super) fn json_lines(&self) -> Result<Vec<Value>, Failed> {
        self.exits(0)?.lines().map(|line| self.read(line)).collect()
    }

    /// What the document on standard error says of the failure.
    pub(super) fn error(&self) -> Result<Value, Failed> {
        Ok(self.read(&self.stderr)?.get("error").cloned().unwrap_or_default())
    }

    fn read(&self, text: &str) -> Result<Value, Failed> {
        let failed =
            |error| Failed::from(format!("`{}` has said no JSON: {error}: {self:#?}", self.call));
        serde_json::from_str(text).map_err(failed)
    }
}
