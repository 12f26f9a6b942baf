//! Starts other programs: shows the line, passes on what they print, turns their exit status into a [`Failure`].
//!
//! Children stay in the process group of this program, so Ctrl-C ends them together with it.

use std::{
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{failure::Failure, workspace};

/// The cargo that started this program, working in the root of the repository.
pub(crate) fn cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    // What cargo has set for this program means nothing for the one that is started, and build scripts that look at it
    // would run again whenever it differs from what a cargo on the command line sets.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
    command
}

/// The cargo of the nightly toolchain, which only the `cargo` that rustup installs can find.
pub(crate) fn nightly_cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").args(arguments).current_dir(workspace::root());
    // Set by the cargo that started this program; they would pin the stable toolchain.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a program to its end, with its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    show(command);
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    judge(command, status)
}

/// Runs a program to its end; hands each line that it prints to `see` and passes it on.
///
/// The exit status is returned, not judged: the caller knows what the lines meant.
pub(crate) fn run_watched(
    command: &mut Command,
    see: impl FnMut(&str) + Send,
) -> Result<ExitStatus, Failure> {
    show(command);
    watch(command, &mut io::stdout(), &mut io::stderr(), see)
}

/// The same, but what the program prints is kept in `kept` instead, for a program beside which another one runs.
pub(crate) fn run_kept(
    command: &mut Command,
    kept: &Mutex<Vec<u8>>,
    see: impl FnMut(&str) + Send,
) -> Result<ExitStatus, Failure> {
    let shown = format!("$ {}\n", line(command).trim_matches('`'));
    kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(shown.as_bytes());
    watch(command, &mut Keep(kept), &mut Keep(kept), see)
}

/// Writes into memory that several share.
struct Keep<'a>(&'a Mutex<Vec<u8>>);

impl Write for Keep<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn watch(
    command: &mut Command,
    to: &mut impl Write,
    errors_to: &mut (impl Write + Send),
    see: impl FnMut(&str) + Send,
) -> Result<ExitStatus, Failure> {
    // Colours would hide what a line begins with.
    command.env("CARGO_TERM_COLOR", "never").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let see = Mutex::new(see);
    let copied = thread::scope(|scope| {
        let errors = scope.spawn(|| copy_lines(errors, errors_to, &see));
        let output = copy_lines(output, to, &see);
        errors.join().unwrap_or_else(|_| Err(io::Error::other("a thread gave up"))).and(output)
    });
    copied.map_err(|error| Failure::io(format!("reading from {}", line(command)), &error))?;
    child.wait().map_err(|error| Failure::io(format!("waiting for {}", line(command)), &error))
}

/// Runs a program quietly and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    judge(command, output.status)?;
    String::from_utf8(output.stdout)
        .map_err(|_| Failure::check(format!("{} printed text that is not UTF-8", line(command))))
}

/// Whether a program can be started and ends well; nothing that it prints is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Makes sure that the cargo subcommand `cargo NAME` exists, if need be by installing `cargo-NAME`.
pub(crate) fn need_subcommand(name: &str) -> Result<(), Failure> {
    if succeeds(&mut cargo([name, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    println!("{package} is not installed; installing it (once, some minutes)");
    run(&mut cargo(["install", "--locked", &package])).map_err(|_| {
        Failure::tool(format!(
            "{package} is missing and could not be installed; \
             with network access run `cargo install --locked {package}`, then try again"
        ))
    })
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_stem().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    format!("`{}`", words.join(" "))
}

fn show(command: &Command) {
    eprintln!("$ {}", line(command).trim_matches('`'));
}

fn judge(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::check(format!("{} failed ({status})", line(command))))
}

fn cannot_start(command: &Command, error: &io::Error) -> Failure {
    Failure::tool(format!("{} cannot be started: {error}", line(command)))
}

/// Lines are passed on as they come; bytes that are not UTF-8 are passed on unchanged.
fn copy_lines(
    from: Option<impl Read>,
    to: &mut impl Write,
    see: &Mutex<impl FnMut(&str)>,
) -> io::Result<()> {
    let Some(from) = from else { return Ok(()) };
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while from.read_until(b'\n', &mut bytes)? > 0 {
        to.write_all(&bytes)?;
        to.flush()?;
        let mut see = see.lock().unwrap_or_else(PoisonError::into_inner);
        see(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_copied_unchanged_and_seen_trimmed() {
        let mut copy = Vec::new();
        let mut seen = Vec::new();
        let from: &[u8] = b"one\r\n\xfftwo\nlast";
        let see = Mutex::new(|line: &str| seen.push(line.to_owned()));
        copy_lines(Some(from), &mut copy, &see).unwrap();
        assert_eq!(copy, from);
        assert_eq!(seen, ["one", "\u{fffd}two", "last"]);
    }

    #[cfg(unix)]
    #[test]
    fn both_outputs_of_a_program_are_seen_and_its_status_is_given_on() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let status = run_watched(&mut command, |line| seen.push(line.to_owned())).unwrap();
        seen.sort();
        assert_eq!((status.code(), seen), (Some(3), vec!["err".to_owned(), "out".to_owned()]));
    }

    #[test]
    fn a_command_is_shown_as_one_types_it() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(line(&command), "`cargo test --workspace`");
    }

    #[test]
    fn a_program_that_does_not_exist_is_a_missing_tool() {
        let failure = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(failure.exit_code(), 3);
    }
}
