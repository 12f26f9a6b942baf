//! What is found of a store in a file, and of what it lies on.

use std::fs::{Metadata, OpenOptions};
use std::io::ErrorKind as IoKind;
use std::path::Path;

use indicatif::BinaryBytes;
use state_core::{Error, ErrorKind};

use super::finding::{Finding, Level};
use crate::context::Access;
use crate::failure::Failure;
use crate::open::{Store, VERIFY_BYTES_MAX};
use crate::output::counted;
use crate::store_url::StoreUrl;

/// With less room than this, a file that grows soon has none, in bytes.
#[cfg(unix)]
const ROOM_MIN: u64 = 256 << 20;
/// With less than this it has none by now, in bytes.
#[cfg(unix)]
const ROOM_LEAST: u64 = 16 << 20;

/// The findings of the store in the file `path`; the file is opened, and no entry of it is changed.
pub(super) async fn findings(path: &Path) -> Result<Vec<Finding>, Failure> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == IoKind::NotFound => return Err(Failure::no_store(path)),
        Err(error) => return Err(Failure::file("looking at", path, &error)),
    };
    // What is no file is refused as everywhere.
    let mut findings = if metadata.is_file() { access(path, &metadata) } else { Vec::new() };
    findings.extend(room(path, metadata.len()));
    if findings.iter().any(|finding| finding.check == "access" && finding.level == Level::Problem) {
        return Ok(findings);
    }
    match Store::open(&StoreUrl::File(path.to_owned()), Access::Existing).await {
        Ok(store) => findings.extend(content(&store, metadata.len())?),
        Err(failure) => findings.push(refused(failure)?),
    }
    Ok(findings)
}

/// Who may read and write it.
fn access(path: &Path, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shown = path.display();
    for (what, fix, options) in [
        ("read", "u+r", OpenOptions::new().read(true)),
        ("written", "u+w", OpenOptions::new().write(true)),
    ] {
        if let Err(error) = options.open(path) {
            let found = format!("the file cannot be {what}: {error}");
            let finding =
                Finding::new(Level::Problem, "access", found, "the store cannot be opened");
            findings.push(finding.with_fix(format!("`chmod {fix} {shown}`, as its owner")));
        }
    }
    if is_open_to_others(metadata) {
        let found = "other users of the machine can read or write the file";
        let means = "what is stored is theirs as well, whatever the program that has it does";
        let finding = Finding::new(Level::Note, "access", found, means);
        findings.push(finding.with_fix(format!("`chmod o-rwx {shown}`")));
    }
    if findings.is_empty() {
        let found = "this user may read and write the file";
        findings.push(Finding::new(Level::Ok, "access", found, "the store can be opened"));
    }
    findings
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o006 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &Metadata) -> bool {
    false
}

/// What room its disk has.
#[cfg(unix)]
fn room(path: &Path, file_bytes: u64) -> Option<Finding> {
    let disk = rustix::fs::statvfs(path).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} of the disk are free", BinaryBytes(free));
    let fix = "make room, move the store, or make the file smaller (`statectl compact`)";
    let means = "a write that finds no room fails, and what was acknowledged before is kept";
    Some(if free < ROOM_LEAST {
        Finding::new(Level::Problem, "disk", found, means).with_fix(fix)
    } else if free < ROOM_MIN.max(file_bytes) {
        let means = "the file may have no room soon, and none to be made smaller: `compact` takes as much at most";
        Finding::new(Level::Warning, "disk", found, means).with_fix(fix)
    } else {
        Finding::new(Level::Ok, "disk", found, "the file has room to grow, and to be made smaller")
    })
}

#[cfg(not(unix))]
fn room(_path: &Path, _file_bytes: u64) -> Option<Finding> {
    None
}

/// What is found of a store that could be opened.
fn content(store: &Store, bytes: u64) -> Result<Vec<Finding>, Failure> {
    let namespaces = store.namespaces()?.map_or(0, |known| known.len() as u64);
    let found =
        format!("the format is one that this version knows; {}", counted(namespaces, "namespace"));
    let format = Finding::new(Level::Ok, "format", found, "it can be read and written");
    let sound = if bytes <= VERIFY_BYTES_MAX {
        let found = format!("all of its {} were read and are sound", BinaryBytes(bytes));
        Finding::new(Level::Ok, "damage", found, "no key was taken by damage")
    } else {
        let found = format!("of its {} only what was needed was read", BinaryBytes(bytes));
        let means = "a key that damage has taken away would read as absent";
        let finding = Finding::new(Level::Note, "damage", found, means);
        finding.with_fix("`statectl info --verify` reads everything")
    };
    let free = Finding::new(
        Level::Ok,
        "processes",
        "nobody else has the file open, which is for one process at a time",
        "a program can open it now; a second one is told `Unavailable`",
    );
    Ok(vec![format, sound, free])
}

/// What is found of a store that could not be opened.
///
/// # Errors
/// What says nothing of the store itself.
fn refused(failure: Failure) -> Result<Finding, Failure> {
    let Some(kind) = failure.store().map(Error::kind) else { return Err(failure) };
    let found = failure.message().to_owned();
    Ok(match kind {
        ErrorKind::Unavailable => {
            let means = "the file is for one process at a time; its format and its pages could not be looked at";
            let finding = Finding::new(Level::Note, "processes", found, means);
            finding.with_fix("look again when that process has ended")
        }
        ErrorKind::Corrupt => {
            let means = "what was stored cannot be trusted, and is not handed out";
            let finding = Finding::new(Level::Problem, "damage", found, means);
            finding
                .with_fix("restore from a good copy: `statectl --store file:NEW restore SNAPSHOT`")
        }
        ErrorKind::Unsupported => {
            let means = "this version of the program cannot read it";
            let finding = Finding::new(Level::Problem, "format", found, means);
            finding.with_fix("use the version that wrote it, or a later one")
        }
        _ => return Err(failure),
    })
}
