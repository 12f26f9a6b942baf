//! Faults of real files: a second process, a deleted file, a read-only folder, a full disk.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use state_core::{Error, ErrorKind, Outcome, Result, StateBackend, StateBackendExt};
use state_local::{FileBackend, FileStore};

use crate::checks::{Checks, say};
use crate::{Failure, runtime};
use state_tests::counted;

/// Puts a value of this size until the disk is full.
const FILL_BYTES: usize = 64 << 10;
const FILLS_MAX: usize = 2_000;

/// The user without rights of its own, whom permissions bind, and its group.
const NOBODY: u32 = 65_534;

/// Runs each fault that this machine allows, and says which.
pub(crate) fn run(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let runtime = runtime();
    runtime.block_on(second_process(checks, folder))?;
    runtime.block_on(deleted(checks, folder))?;
    runtime.block_on(refused_paths(checks, folder))?;
    limited_file_size(checks, folder)?;
    closed_folder(checks, folder)?;
    if let Some(mount) = Mount::tmpfs(&folder.join("small"), 4 << 20) {
        runtime.block_on(full_disk(checks, &mount.0))?;
        runtime.block_on(read_only_mount(checks, &mount))?;
        say("  ran: a full disk and a read-only file system, on a small mount of memory");
    } else {
        checks.not_checked(
            "a disk that is full and one that is read-only: nothing may be mounted here; \
             a limit on the size of files and a closed folder were checked in their place",
        );
    }
    Ok(())
}

fn check_error<T>(checks: &Checks, what: &str, result: Result<T>, kind: ErrorKind, says: &str) {
    match result {
        Ok(_) => {
            checks.check(false, || format!("{what}: succeeded"));
        }
        Err(error) => {
            let as_expected = error.kind() == kind && error.to_string().contains(says);
            checks.check(as_expected, || format!("{what}: {} ({error})", error.kind()));
        }
    }
}

async fn second_process(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("second");
    let mut holder = hold(&path)?;
    let says = "open in another process";
    check_error(
        checks,
        "a second process",
        FileStore::at(&path).await,
        ErrorKind::Unavailable,
        says,
    );
    holder.kill()?;
    holder.wait()?;
    let first = FileStore::at(&path).await;
    if let Some(first) = checks.expect(first, || "after the first process was killed".into()) {
        let second = FileStore::at(&path).await;
        check_error(checks, "a second opening", second, ErrorKind::Unavailable, says);
        drop(first);
        checks.expect(FileStore::at(&path).await, || "after the first was dropped".into());
    }
    Ok(())
}

/// A process that has the store open.
fn hold(path: &Path) -> Result<Child, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("hold")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let out = child.stdout.as_mut().ok_or("the child has no output")?;
    BufReader::new(out).read_line(&mut line)?;
    Ok(child)
}

/// The child that has a store open until it is killed.
pub(crate) fn hold_open(arguments: &[String]) -> Result<(), Failure> {
    let path = arguments.first().ok_or("a path is missing")?;
    let backend = runtime().block_on(FileBackend::open(path))?;
    say("open");
    std::io::stdin().read_line(&mut String::new())?;
    drop(backend);
    Ok(())
}

async fn deleted(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("deleted");
    let away = folder.join("away");
    let backend = FileBackend::open(&path).await?;
    backend.put("key", "1").await?;
    fs::rename(&path, &away)?;
    let says = "was deleted, moved or replaced";
    let put = backend.put("key", "2").await;
    if let Err(error) = &put {
        let outcome = error.outcome();
        checks.check(outcome == Outcome::NotApplied, || format!("a moved file: {outcome}"));
    }
    check_error(checks, "a moved file", put, ErrorKind::Unavailable, says);
    fs::rename(&away, &path)?;
    checks.expect(backend.put("key", "3").await, || "a file that came back".into());
    fs::remove_file(&path)?;
    check_error(
        checks,
        "a deleted file",
        backend.put("key", "4").await,
        ErrorKind::Unavailable,
        says,
    );
    // Another store at the same path is not taken for this one.
    let other = FileBackend::open(&path).await;
    if let Some(other) = checks.expect(other, || "a new store where one was deleted".into()) {
        checks.check(other.get("key").await?.is_none(), || "a deleted store came back".into());
        other.put("key", "of another").await?;
        other.store().close().await?;
    }
    check_error(
        checks,
        "a replaced file",
        backend.put("key", "5").await,
        ErrorKind::Unavailable,
        says,
    );
    let closed = backend.store().close().await;
    check_error(checks, "closing without a file", closed, ErrorKind::Unavailable, says);
    let other = FileBackend::open(&path).await;
    if let Some(other) = checks.expect(other, || "the store that took the place".into()) {
        let value = other.get("key").await?;
        checks.check(value.as_deref() == Some(b"of another"), || {
            "a replaced file was written".into()
        });
    }
    Ok(())
}

async fn refused_paths(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let no_folder = FileStore::at(folder.join("no/such/folder")).await;
    check_error(
        checks,
        "a missing folder",
        no_folder,
        ErrorKind::Invalid,
        "create its folder first",
    );
    check_error(checks, "a folder", FileStore::at(folder).await, ErrorKind::Invalid, "is a folder");
    let below_file = folder.join("plain");
    fs::write(&below_file, "some text that is no store")?;
    let below = FileStore::at(below_file.join("store")).await;
    check_error(checks, "below a file", below, ErrorKind::Invalid, "lies in no folder");
    let foreign = FileStore::at(&below_file).await;
    check_error(checks, "a foreign file", foreign, ErrorKind::Corrupt, "is not a store");
    let kept = fs::read(&below_file)? == b"some text that is no store";
    checks.check(kept, || "a foreign file was changed".into());
    let empty = folder.join("empty");
    fs::write(&empty, "")?;
    checks.expect(FileStore::at(&empty).await, || "an empty file".into());
    Ok(())
}

/// Fills a store until it cannot grow, then makes room and goes on.
async fn fill(
    checks: &Checks,
    backend: &FileBackend,
    make_room: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut acknowledged = 0;
    let mut refused = None;
    for number in 0..FILLS_MAX {
        match backend.put(number.to_string(), vec![7; FILL_BYTES]).await {
            Ok(_) => acknowledged = number + 1,
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let Some(error) = refused else { return Err("the disk was never full".into()) };
    let is_typed = error.kind() == ErrorKind::Unavailable && names_space(&error);
    checks.check(is_typed, || format!("a full disk: {} ({error})", error.kind()));
    make_room()?;
    // What could not be opened again while there was no room can be now.
    let mut worked = backend.put("after", "1").await;
    if worked.is_err() {
        worked = backend.put("after", "1").await;
    }
    checks.expect(worked, || "writing when there is room again".into());
    let mut missing = 0;
    for number in 0..acknowledged {
        let value = backend.get(number.to_string()).await?;
        missing += usize::from(value.is_none_or(|value| value.len() != FILL_BYTES));
    }
    checks.check(acknowledged > 0 && missing == 0, || {
        format!("a full disk: {missing} of {acknowledged} acknowledged writes are missing")
    });
    Ok(())
}

fn names_space(error: &Error) -> bool {
    error.to_string().contains("cannot grow")
}

async fn full_disk(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 1 << 20])?;
    let path = folder.join("store");
    let backend = FileBackend::open(&path).await?;
    fill(checks, &backend, || Ok(fs::remove_file(&ballast)?)).await?;
    backend.store().close().await?;
    drop(backend);
    checks.expect(FileBackend::open(&path).await, || "after a full disk".into());
    Ok(())
}

/// A limit on the size of files, in a child because it is one of the process.
fn limited_file_size(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("limited");
    let program = std::env::current_exe()?;
    // A signal that is ignored stays ignored in the program that the shell becomes.
    let script = "trap '' XFSZ; ulimit -f 6144; exec \"$0\" fill \"$1\"";
    let output = Command::new("sh").arg("-c").arg(script).arg(program).arg(&path).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    checks.check(output.status.success() && said.contains("refused"), || {
        format!("a limited file: {said} {}", String::from_utf8_lossy(&output.stderr))
    });
    let acknowledged: usize =
        said.split(' ').find_map(|word| word.trim().parse().ok()).unwrap_or(0);
    runtime().block_on(async {
        let opened = FileBackend::open(&path).await;
        let Some(backend) = checks.expect(opened, || "after a limited file".into()) else {
            return Ok(());
        };
        let there = backend.count("fill").await?;
        let all = acknowledged > 0 && there >= acknowledged as u64;
        checks.check(all, || format!("a limited file: {there} of {acknowledged} are there"));
        backend.put("after", "1").await?;
        say("  ran: a full disk as a limit on the size of a file");
        Result::<_, Failure>::Ok(())
    })
}

/// The child whose files may not grow.
pub(crate) fn fill_up(arguments: &[String]) -> Result<(), Failure> {
    let path = arguments.first().ok_or("a path is missing")?;
    runtime().block_on(async {
        let backend = FileBackend::open(path).await?;
        for number in 0..FILLS_MAX {
            if let Err(error) = backend.put(format!("fill{number}"), vec![7; FILL_BYTES]).await {
                let is_typed = error.kind() == ErrorKind::Unavailable && names_space(&error);
                let known = if is_typed { "refused" } else { "failed" };
                // Reads go on, and so does what needs no room.
                let read = backend.get("fill0").await?.is_some();
                say(format_args!("{number} acknowledged, then {known}: {error}; read {read}"));
                return if read { Ok(()) } else { Err("a read failed".into()) };
            }
        }
        Err("the file was never too large".into())
    })
}

async fn read_only_mount(checks: &Checks, mount: &Mount) -> Result<(), Failure> {
    read_only(checks, &mount.0, "read-only", |writable| {
        mount.make(if writable { "rw" } else { "ro" })
    })
    .await
}

/// A store in `folder`, which `make` closes to writers and opens again.
async fn read_only(
    checks: &Checks,
    folder: &Path,
    says: &str,
    make: impl Fn(bool) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = folder.join("kept");
    let backend = FileBackend::open(&path).await?;
    backend.put("key", "1").await?;
    backend.store().close().await?;
    drop(backend);
    make(false)?;
    check_error(checks, "a read-only file", FileStore::at(&path).await, ErrorKind::Denied, says);
    let new = FileStore::at(folder.join("new")).await;
    check_error(checks, "a read-only folder", new, ErrorKind::Denied, says);
    make(true)?;
    let opened = FileBackend::open(&path).await;
    if let Some(backend) = checks.expect(opened, || "after a read-only folder".into()) {
        let value = backend.get_opts(&"key".into(), state_core::GetOptions::new()).await?;
        checks.check(value.is_some(), || "a record is missing".into());
        let put = backend.put("key", "2").await;
        checks.expect(put, || "writing after a read-only folder".into());
    }
    let new = FileBackend::open(folder.join("new")).await;
    checks.expect(new, || "a new store after a read-only folder".into());
    Ok(())
}

/// A folder and a file that their permissions close: to this user, or where permissions do not bind it to another one.
fn closed_folder(checks: &Checks, folder: &Path) -> Result<(), Failure> {
    let closed = folder.join("closed");
    fs::create_dir(&closed)?;
    if permissions_bind(&closed)? {
        runtime().block_on(read_only(checks, &closed, "permissions", |writable| {
            set_writable(&closed, writable)
        }))?;
        say("  ran: a read-only folder, by its permissions");
        return Ok(());
    }
    match as_nobody(folder, &closed) {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            checks.check(output.status.success() && said.contains(CLOSED_WORKED), || {
                format!("a read-only folder of another user: {said} {errors}")
            });
            say("  ran: a read-only folder, by its permissions, as a user whom they bind");
        }
        Err(error) => checks.not_checked(format!(
            "a read-only folder: permissions do not bind this user, and no process can be started \
             as another one ({error})"
        )),
    }
    Ok(())
}

/// Whether what is closed to writers is closed to this user.
fn permissions_bind(folder: &Path) -> Result<bool, Failure> {
    set_writable(folder, false)?;
    let probe = folder.join("probe");
    let bind = fs::write(&probe, "").is_err();
    if !bind {
        fs::remove_file(&probe)?;
    }
    set_writable(folder, true)?;
    Ok(bind)
}

/// Opens the folder and the store in it to writers, or closes them.
fn set_writable(folder: &Path, writable: bool) -> Result<(), Failure> {
    let (of_folder, of_file) = if writable { (0o755, 0o644) } else { (0o555, 0o444) };
    let file = folder.join("kept");
    if file.exists() {
        fs::set_permissions(file, Permissions::from_mode(of_file))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(of_folder))?;
    Ok(())
}

/// Runs [`in_closed_folder`] as a user without rights, who owns the folder.
fn as_nobody(folder: &Path, closed: &Path) -> std::io::Result<std::process::Output> {
    // The other user may see neither where this program lies nor what is in the folder.
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let program = folder.join("crash");
    fs::copy(std::env::current_exe()?, &program)?;
    chown(closed, Some(NOBODY), Some(NOBODY))?;
    let mut command = Command::new(program);
    command.arg("closed").arg(closed).current_dir(closed).uid(NOBODY).gid(NOBODY);
    command.stdin(Stdio::null()).output()
}

const CLOSED_WORKED: &str = "closed and open again";

/// The child whom permissions bind.
pub(crate) fn in_closed_folder(arguments: &[String]) -> Result<(), Failure> {
    let folder = Path::new(arguments.first().ok_or("a path is missing")?);
    if !permissions_bind(folder)? {
        return Err("permissions do not bind this user either".into());
    }
    let checks = Checks::default();
    let make = |writable| set_writable(folder, writable);
    runtime().block_on(read_only(&checks, folder, "permissions", make))?;
    if checks.failed() > 0 {
        return Err(format!("{} failed", counted(checks.failed(), "check")).into());
    }
    say(CLOSED_WORKED);
    Ok(())
}

/// A small file system in memory, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// `None` where that is not allowed.
    fn tmpfs(at: &Path, bytes: usize) -> Option<Self> {
        fs::create_dir(at).ok()?;
        let options = format!("size={bytes}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at);
        let output = command.stderr(Stdio::null()).status().ok()?;
        output.success().then(|| Self(at.to_owned()))
    }

    fn make(&self, mode: &str) -> Result<(), Failure> {
        let options = format!("remount,{mode}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status()?;
        if status.success() { Ok(()) } else { Err("a mount cannot be changed".into()) }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        if !status.is_ok_and(|status| status.success()) {
            drop(writeln!(std::io::stderr(), "{} could not be unmounted", self.0.display()));
        }
    }
}
