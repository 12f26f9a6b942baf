//! Finds the text files that the job reads.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use state_core::Timestamp;

use super::job::{FrozenFile, Skipped};
use crate::failure::Failure;

/// How much of a file is looked at to tell text from anything else.
const LOOKED_AT_BYTES: u64 = 8 << 10;

/// The text files below `root` in the order of their paths, and what was left out.
///
/// `not_in` (the store) is left out silently.
pub(super) fn text_files(
    root: &Path,
    not_in: Option<&Path>,
) -> Result<(Vec<FrozenFile>, Skipped), Failure> {
    let metadata = fs::metadata(root).map_err(|error| Failure::file("reading", root, &error))?;
    let mut scan = Scan { root, not_in, files: Vec::new(), skipped: Skipped::default() };
    if metadata.is_dir() {
        scan.walk()?;
    } else {
        scan.take_file(root, &metadata);
    }
    if scan.files.iter().all(|file| file.bytes == 0) {
        return Err(Failure::usage(
            format!("there is no text to read below `{}`", root.display()),
            "name a folder with text files: `statectl demo stream PATH`; binaries, links, hidden folders \
             and folders called `target` are left out",
        ));
    }
    scan.files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok((scan.files, scan.skipped))
}

/// What tells whether a file is still the one that was frozen.
pub(super) fn modified_unix_ms(metadata: &Metadata) -> u64 {
    metadata.modified().map_or(0, |time| Timestamp::from(time).unix_ms())
}

struct Scan<'a> {
    root: &'a Path,
    not_in: Option<&'a Path>,
    files: Vec<FrozenFile>,
    skipped: Skipped,
}

impl Scan<'_> {
    fn walk(&mut self) -> Result<(), Failure> {
        let mut folders = vec![self.root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if folder == self.root => {
                    return Err(Failure::file("reading", &folder, &error));
                }
                Err(_) => {
                    self.skipped.unreadable += 1;
                    continue;
                }
            };
            for entry in entries {
                let Ok(entry) = entry else {
                    self.skipped.unreadable += 1;
                    continue;
                };
                self.take_entry(&entry, &mut folders);
            }
        }
        Ok(())
    }

    fn take_entry(&mut self, entry: &fs::DirEntry, folders: &mut Vec<PathBuf>) {
        let path = entry.path();
        if self.not_in.is_some_and(|not_in| path == not_in) {
            return;
        }
        let Ok(kind) = entry.file_type() else {
            self.skipped.unreadable += 1;
            return;
        };
        if kind.is_symlink() {
            self.skipped.links += 1;
        } else if kind.is_dir() {
            let name = entry.file_name();
            if name == "target" || name.as_encoded_bytes().starts_with(b".") {
                self.skipped.folders += 1;
            } else {
                folders.push(path);
            }
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(metadata) => self.take_file(&path, &metadata),
                Err(_) => self.skipped.unreadable += 1,
            }
        }
    }

    fn take_file(&mut self, path: &Path, metadata: &Metadata) {
        let below = path.strip_prefix(self.root).unwrap_or(path);
        let Some(name) = below.to_str() else {
            self.skipped.unreadable += 1;
            return;
        };
        match is_text(path) {
            Ok(true) => self.files.push(FrozenFile {
                path: name.to_owned(),
                bytes: metadata.len(),
                modified_unix_ms: modified_unix_ms(metadata),
            }),
            Ok(false) => self.skipped.binaries += 1,
            Err(_) => self.skipped.unreadable += 1,
        }
    }
}

/// Whether the beginning of the file is UTF-8 without a NUL.
fn is_text(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(path)?.take(LOOKED_AT_BYTES).read_to_end(&mut beginning)?;
    if beginning.contains(&0) {
        return Ok(false);
    }
    let cut = beginning.len() as u64 == LOOKED_AT_BYTES;
    Ok(match std::str::from_utf8(&beginning) {
        Ok(_) => true,
        // A character that the end of what was read has cut.
        Err(error) => cut && error.error_len().is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, content: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn takes_text_and_says_what_it_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "b.md", b"two words");
        write(root, "a/deep/c.rs", b"fn");
        write(root, ".gitignore", b"target");
        write(root, "empty.txt", b"");
        write(root, ".git/config", b"hidden");
        write(root, "a/target/x.txt", b"built");
        write(root, "nul.bin", b"a\0b");
        write(root, "latin1.txt", b"caf\xe9");
        write(root, "store.state", b"the store itself");
        // A character of two bytes across the end of what is looked at.
        write(root, "cut.txt", &[vec![b'a'; 8191], "é".as_bytes().to_vec()].concat());
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.join("b.md"), root.join("link.md")).unwrap();
        let (files, skipped) = text_files(root, Some(&root.join("store.state"))).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.replace('\\', "/")).collect();
        assert_eq!(paths, [".gitignore", "a/deep/c.rs", "b.md", "cut.txt", "empty.txt"]);
        assert_eq!((skipped.folders, skipped.binaries), (2, 2));
        assert_eq!(skipped.links, u64::from(cfg!(unix)));
    }

    #[test]
    fn one_file_is_enough_and_no_text_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one.txt", b"word");
        let (files, _) = text_files(&folder.path().join("one.txt"), None).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].kind(&folder.path().join("one.txt")), "txt");
        fs::write(folder.path().join("one.txt"), b"").unwrap();
        assert!(text_files(folder.path(), None).is_err());
        assert!(text_files(&folder.path().join("none"), None).is_err());
    }
}
