//! A server as a process of this machine, with a shell beside it that kills it when this program ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use super::error::{Result, ServersError, while_doing};

/// Starts a server and waits for it, while a second shell waits for the pipe from this program to close, and then kills
/// the server. `wait` before the end makes sure that the number of the process cannot belong to another one.
const SCRIPT: &str = r#"
exec 3<&0
"$@" >>server.log 2>&1 </dev/null 3<&- &
server=$!
trap '' HUP INT QUIT TERM
{ read -r end <&3; kill -9 "$server"; } >/dev/null 2>&1 &
watcher=$!
echo "$server"
exec >/dev/null
wait "$server"
kill -9 "$watcher"
"#;

const LOG_BYTES_SHOWN: u64 = 2_000;

/// A server as a process of this machine.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    alive: Mutex<Option<Alive>>,
}

#[derive(Debug)]
struct Alive {
    server: Pid,
    shell: Child,
    /// Closing it kills the server.
    pipe: ChildStdin,
}

impl ServerProcess {
    /// Starts `program` in `folder`, where its log and its data are.
    pub(crate) fn start(program: PathBuf, arguments: Vec<String>, folder: PathBuf) -> Result<Self> {
        let process = Self { program, arguments, folder, alive: Mutex::new(None) };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it once more, on the same data; does nothing if it runs.
    pub(crate) fn start_again(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&self.program).args(&self.arguments);
        command.current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(while_doing("starting `sh`"))?;
        let gone = || ServersError::System("the shell beside a server has ended".to_owned());
        let pipe = shell.stdin.take().ok_or_else(gone)?;
        let mut line = String::new();
        BufReader::new(shell.stdout.take().ok_or_else(gone)?).read_line(&mut line)?;
        let server = line.trim().parse().ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        *self.alive.lock() = Some(Alive { server, shell, pipe });
        Ok(())
    }

    pub(crate) fn is_running(&self) -> bool {
        let mut alive = self.alive.lock();
        let running =
            alive.as_mut().is_some_and(|alive| matches!(alive.shell.try_wait(), Ok(None)));
        if !running {
            *alive = None;
        }
        running
    }

    /// The number of the process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let alive = self.alive.lock();
        alive.as_ref().and_then(|alive| u32::try_from(alive.server.as_raw_nonzero().get()).ok())
    }

    /// Kills it and returns when it is dead.
    pub(crate) fn kill(&self) {
        if let Some(Alive { mut shell, pipe, .. }) = self.alive.lock().take() {
            drop(pipe);
            drop(shell.wait());
        }
    }

    /// Asks it to end and returns when it has.
    pub(crate) fn stop(&self) -> Result<()> {
        self.signal(Signal::TERM)?;
        if let Some(mut alive) = self.alive.lock().take() {
            alive.shell.wait()?;
        }
        Ok(())
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let alive = self.alive.lock();
        let Some(alive) = alive.as_ref() else {
            return Err(ServersError::Unsupported("the server does not run".to_owned()));
        };
        kill_process(alive.server, signal).map_err(while_doing("sending a signal to a server"))
    }

    /// The end of what it logged.
    pub(crate) fn log(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(self.folder.join("server.log")) {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let start = SeekFrom::Start(length.saturating_sub(LOG_BYTES_SHOWN));
            if file.seek(start).is_ok() {
                file.read_to_end(&mut text).unwrap_or_default();
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
