//! Translates between testcontainers and an older container engine.
//!
//! testcontainers names one version of the engine's interface in every request, and an engine that is older refuses it,
//! although it knows all that is asked. This listens on a socket of its own and passes requests on with the version that
//! the engine speaks; nothing else is changed.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::{
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
};

use crate::{failure::Failure, process as programs};

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The version that testcontainers asks for; an engine that speaks it needs no translation.
const ASKED: (u32, u32) = (1, 53);

/// Removes the folder of the socket when this program ends, however it ends: then the pipe to the shell closes. Ctrl-C
/// does not reach the shell, which has a process group of its own.
const REMOVER: &str = r#"read -r end; rm -rf "$1""#;

/// A socket that leads to the engine; removed when dropped.
#[derive(Debug)]
pub(super) struct Translator {
    folder: PathBuf,
    engine: PathBuf,
    remover: Child,
}

impl Translator {
    /// Starts translating if an engine runs on this machine that needs it.
    pub(super) fn start() -> Result<Option<Self>, Failure> {
        let Some(engine) = engine_socket() else { return Ok(None) };
        let Some(version) = engine_version() else { return Ok(None) };
        if version >= ASKED {
            return Ok(None);
        }
        let folder = std::env::temp_dir().join(format!("state-engine-{}", process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::io("making a folder", &error))?;
        let mut remover = Command::new("sh");
        remover.args(["-c", REMOVER, "sh"]).arg(&folder).stdin(Stdio::piped()).process_group(0);
        let remover =
            remover.spawn().map_err(|error| Failure::tool(format!("no `sh`: {error}")))?;
        let translator = Self { folder, engine, remover };
        let listener = UnixListener::bind(translator.socket())
            .map_err(|error| Failure::io("listening for testcontainers", &error))?;
        let engine = translator.engine.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let engine = engine.clone();
                thread::spawn(move || translate(&client, &engine, version).unwrap_or_default());
            }
        });
        Ok(Some(translator))
    }

    /// Makes a test program use the translator, and know the engine behind it.
    pub(super) fn apply(&self, command: &mut Command) {
        command.env("DOCKER_HOST", format!("unix://{}", self.socket().display()));
        command.env("STATE_DOCKER_ENGINE", format!("unix://{}", self.engine.display()));
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("engine.sock")
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        // `wait` closes the pipe first. Nothing is lost if it fails: the folder is one of the temporary ones.
        drop(self.remover.wait());
    }
}

/// The socket of the engine, if it is on this machine.
fn engine_socket() -> Option<PathBuf> {
    let socket = match std::env::var("DOCKER_HOST") {
        Ok(host) => PathBuf::from(host.strip_prefix("unix://")?),
        Err(_) => PathBuf::from(DEFAULT_SOCKET),
    };
    socket.exists().then_some(socket)
}

/// The newest version of its interface that the engine speaks.
fn engine_version() -> Option<(u32, u32)> {
    let mut command = Command::new("docker");
    command.args(["version", "--format", "{{.Server.APIVersion}}"]);
    parse_version(programs::output(&mut command).ok()?.trim())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Passes the requests of one connection on, and all that comes back.
fn translate(client: &UnixStream, engine: &Path, version: (u32, u32)) -> io::Result<()> {
    let server = UnixStream::connect(engine)?;
    let (mut replies, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut replies, &mut to_client).unwrap_or_default();
        to_client.shutdown(Shutdown::Both).unwrap_or_default();
    });
    let passed = pass_requests(&mut BufReader::new(client), &mut &server, version);
    server.shutdown(Shutdown::Write)?;
    passed
}

fn pass_requests(
    from: &mut impl BufRead,
    to: &mut impl Write,
    version: (u32, u32),
) -> io::Result<()> {
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut head = with_version(&line, version);
        let mut body = Body::None;
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Ok(());
            }
            head.push_str(&line);
            if line.trim().is_empty() {
                break;
            }
            body = body.after_header(&line);
        }
        to.write_all(head.as_bytes())?;
        match body {
            Body::None => {}
            Body::Length(length) => {
                io::copy(&mut from.by_ref().take(length), to)?;
            }
            Body::Chunked => pass_chunks(from, to)?,
            Body::Stream => {
                io::copy(from, to)?;
                return Ok(());
            }
        }
        to.flush()?;
    }
}

/// How the body of a request is delimited.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    None,
    Length(u64),
    Chunked,
    /// The connection becomes another protocol; there are no more requests.
    Stream,
}

impl Body {
    fn after_header(self, line: &str) -> Self {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "upgrade" => Self::Stream,
            "transfer-encoding" if self == Self::None && value == "chunked" => Self::Chunked,
            "content-length" if self == Self::None => {
                value.parse().map_or(Self::None, Self::Length)
            }
            _ => self,
        }
    }
}

fn pass_chunks(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        to.write_all(line.as_bytes())?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        // With the line end behind it.
        io::copy(&mut from.by_ref().take(size + 2), to)?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// The request line with the version that the engine speaks: `GET /v1.53/info HTTP/1.1`.
fn with_version(line: &str, (major, minor): (u32, u32)) -> String {
    let asked = format!(" /v{}.{}/", ASKED.0, ASKED.1);
    line.replacen(&asked, &format!(" /v{major}.{minor}/"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_is_changed() {
        let requests = "POST /v1.53/a?b=/v1.53/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nx\r\n\
            PUT /v1.53/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n/v1.5\r\n0\r\n\r\n\
            GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n\
            POST /v1.53/exec HTTP/1.1\r\nUpgrade: tcp\r\n\r\nGET /v1.53/ HTTP/1.1\r\n";
        let mut passed = Vec::new();
        pass_requests(&mut requests.as_bytes(), &mut passed, (1, 41)).unwrap();
        let expected = requests.replacen("POST /v1.53/", "POST /v1.41/", 2).replacen(
            "PUT /v1.53/",
            "PUT /v1.41/",
            1,
        );
        assert_eq!(String::from_utf8(passed).unwrap(), expected);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(parse_version("1.9").unwrap() < parse_version("1.41").unwrap());
        assert_eq!(parse_version(""), None);
    }
}
