//! The proof: an uninterrupted pass over the same files, and a late write of a killed worker.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use indicatif::ProgressBar;
use state_core::{ErrorKind, Fence, FenceToken, GetOptions, StateBackend};

use super::job::{self, Counts, FrozenFile, Position, Totals};
use super::reader::Piece;
use super::{scan, worker};
use crate::failure::Failure;

/// What an uninterrupted pass found.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) totals: Totals,
    /// Files that are not what they were when the list was frozen.
    pub(super) changed: Vec<String>,
}

/// Reads every file from beginning to end and counts by itself, without the worker's code.
pub(super) fn uninterrupted(root: &Path, files: &[FrozenFile], bar: &ProgressBar) -> Pass {
    let mut pass = Pass::default();
    for file in files {
        let path = file.path_below(root);
        let as_frozen = fs::metadata(&path).is_ok_and(|metadata| {
            metadata.len() == file.bytes
                && scan::modified_unix_ms(&metadata) == file.modified_unix_ms
        });
        if !as_frozen {
            pass.changed.push(file.path.clone());
        }
        // What cannot be read any more shows as a difference, and is named as changed.
        if let Ok(counts) = count(&path, file.bytes, bar) {
            pass.totals.entry(file.kind(root)).or_default().add(counts);
        }
    }
    bar.finish_and_clear();
    pass
}

fn count(path: &Path, frozen_bytes: u64, bar: &ProgressBar) -> std::io::Result<Counts> {
    let mut file = File::open(path)?.take(frozen_bytes);
    let mut counts = Counts { files: 1, ..Counts::default() };
    let mut chunk = vec![0; 1 << 20];
    let (mut carried, mut last) = (false, b'\n');
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        bar.inc(read as u64);
        let words = part.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
        let begins_inside = part.first().is_some_and(|byte| !byte.is_ascii_whitespace());
        // A word across two chunks was counted in both.
        counts.words += words as u64 - u64::from(carried && begins_inside);
        counts.lines += part.split(|byte| *byte == b'\n').count() as u64 - 1;
        last = part.last().copied().unwrap_or(last);
        carried = !last.is_ascii_whitespace();
    }
    counts.lines += u64::from(last != b'\n');
    Ok(counts)
}

/// Tries to write as a worker that was killed, under its old token, as a worker would that only
/// seemed dead; says whether the store refused it as stale and kept everything.
pub(super) async fn late_write_is_refused(
    store: &dyn StateBackend,
    token: u64,
) -> Result<bool, Failure> {
    let key = job::position_key();
    let read = || job::read::<Position>(store, &key, GetOptions::new());
    let Some((position, version)) = read().await? else { return Ok(false) };
    let counts = Counts { files: 1, lines: 1, words: 1 };
    let piece = Piece { after: position, counts: Totals::from([("late".to_owned(), counts)]) };
    let fence = Fence::new(job::LEASE, FenceToken::new(token));
    let refused = match worker::commit(store, &piece, version, fence).await {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::Fenced => true,
        Err(error) => return Err(error.into()),
    };
    Ok(refused && read().await?.is_some_and(|(_, now)| now == version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_words_to_the_frozen_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let bar = ProgressBar::hidden();
        for (text, bytes, lines, words) in [
            ("", 0, 0, 0),
            ("\n", 1, 1, 0),
            ("one", 3, 1, 1),
            ("one two\nthree\n", 14, 2, 3),
            ("one two\nthree\nfour", 18, 3, 4),
            ("one two", 4, 1, 1),
        ] {
            fs::write(&path, text).unwrap();
            let expected = Counts { files: 1, lines, words };
            assert_eq!(count(&path, bytes, &bar).unwrap(), expected, "{text:?}");
        }
        // Words across the ends of chunks, of a length that is prime to them.
        let long = "seven17 ".repeat(300_000).replace("7 ", "7\n\t");
        fs::write(&path, &long).unwrap();
        let expected = Counts { files: 1, lines: 300_001, words: 300_000 };
        let bytes = long.len() as u64;
        assert_eq!(count(&path, bytes, &bar).unwrap(), expected);
    }

    #[test]
    fn a_changed_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "one two").unwrap();
        let modified_unix_ms = scan::modified_unix_ms(&fs::metadata(&path).unwrap());
        let frozen = FrozenFile { path: "a.txt".to_owned(), bytes: 7, modified_unix_ms };
        let pass = |file: &FrozenFile| {
            uninterrupted(folder.path(), std::slice::from_ref(file), &ProgressBar::hidden())
        };
        assert!(pass(&frozen).changed.is_empty());
        let shrunk = FrozenFile { bytes: 9, ..frozen.clone() };
        assert_eq!(pass(&shrunk).changed, ["a.txt"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(pass(&frozen).changed, ["a.txt"]);
        assert!(pass(&frozen).totals.is_empty());
    }
}
