//! What cleans up when nobody else can any more: a shell that waits for this program to end, however it ends.
//!
//! The shell reads from a pipe whose other end only this program holds. When the pipe closes, by `Drop` or because the
//! program was killed, the shell removes the containers whose ids it was told and then the folder. It has a process group
//! of its own, so that Ctrl-C does not end it first.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use parking_lot::Mutex;

use super::error::{Result, while_doing};

/// Servers may still be writing while they are killed: the folder is removed again until it stays away.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
ids=
while read -r id; do ids="$ids $id"; done
[ -z "$ids" ] || docker rm --force --volumes $ids
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" && [ ! -e "$1" ] && exit 0
    sleep 0.1
done
"#;

/// The address of the engine behind a translating one, which may be gone when the shell needs it.
const ENGINE: &str = "STATE_DOCKER_ENGINE";

/// The temporary folder of a set of servers, and the shell that removes it.
#[derive(Debug)]
pub(crate) struct Guard {
    folder: PathBuf,
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("state-servers-").tempdir()?.keep();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(engine) = std::env::var_os(ENGINE) {
            command.env("DOCKER_HOST", engine);
        }
        let mut shell = command.spawn().map_err(while_doing("starting `sh`"))?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { folder, shell, pipe })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has a container removed in the end.
    pub(crate) fn watch_container(&self, id: &str) -> Result<()> {
        if let Some(pipe) = self.pipe.lock().as_mut() {
            writeln!(pipe, "{id}")?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.lock().take());
        drop(self.shell.wait());
    }
}
