//! Reads the files piece by piece, from any position on, and counts.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use super::job::{Counts, FrozenFile, Job, Position, Totals};

/// Types of files in one piece; each takes three counters of the transaction.
const KINDS_PER_PIECE_MAX: usize = 200;
const BUFFER_BYTES: usize = 256 << 10;

/// What one transaction adds.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Where the job is after it.
    pub(super) after: Position,
    /// What it counted.
    pub(super) counts: Totals,
}

/// Reads on from a position.
#[derive(Debug)]
pub(super) struct Reader {
    root: PathBuf,
    files: Arc<[FrozenFile]>,
    lines_max: u64,
    bytes_max: u64,
    at: Position,
    /// The file at the position, open at its offset.
    open: Option<BufReader<File>>,
}

impl Reader {
    pub(super) fn new(job: &Job, files: Arc<[FrozenFile]>, at: Position) -> Self {
        Self {
            root: job.root.clone(),
            files,
            lines_max: job.lines_per_transaction.max(1),
            bytes_max: job.bytes_per_transaction.max(1),
            at,
            open: None,
        }
    }

    /// Reads the next piece; `None` when everything is read.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        if self.at.finished {
            return None;
        }
        let mut piece = Piece::default();
        let (mut lines_left, mut bytes_left) = (self.lines_max, self.bytes_max);
        let files = Arc::clone(&self.files);
        while let Some(file) = usize::try_from(self.at.file).ok().and_then(|at| files.get(at)) {
            if piece.counts.len() >= KINDS_PER_PIECE_MAX {
                break;
            }
            let counts = piece.counts.entry(file.kind(&self.root)).or_default();
            if self.at.offset == file.bytes {
                self.end_file(counts);
                continue;
            }
            if lines_left == 0 || bytes_left == 0 {
                break;
            }
            if let Some((lines, bytes)) = self.read_some(file, lines_left, bytes_left, counts) {
                lines_left -= lines;
                bytes_left -= bytes;
            } else {
                self.give_file_up(file);
            }
        }
        self.at.transactions += 1;
        self.at.finished = self.at.file == files.len() as u64;
        piece.counts.retain(|_, counts| *counts != Counts::default());
        piece.after = self.at;
        Some(piece)
    }

    /// Counts what is in the buffer, up to the limits; `None` when the file is not what it was.
    fn read_some(
        &mut self,
        file: &FrozenFile,
        lines_max: u64,
        bytes_max: u64,
        counts: &mut Counts,
    ) -> Option<(u64, u64)> {
        if self.open.is_none() {
            self.open = Some(self.open_at_offset(file)?);
        }
        let reader = self.open.as_mut()?;
        let buffer = reader.fill_buf().ok()?;
        let most = bytes_max.min(file.bytes - self.at.offset);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let part = buffer.get(..most).unwrap_or(buffer);
        let part = up_to_line(part, lines_max);
        let last = *part.last()?;
        let lines = count_lines(part);
        let (words, in_word) = count_words(part, self.at.in_word);
        let bytes = part.len();
        reader.consume(bytes);
        counts.lines += lines;
        counts.words += words;
        self.at.lines += lines;
        self.at.in_word = in_word;
        self.at.in_line = last != b'\n';
        self.at.offset += bytes as u64;
        self.at.bytes += bytes as u64;
        Some((lines, bytes as u64))
    }

    fn open_at_offset(&self, file: &FrozenFile) -> Option<BufReader<File>> {
        let mut open = File::open(file.path_below(&self.root)).ok()?;
        open.seek(SeekFrom::Start(self.at.offset)).ok()?;
        Some(BufReader::with_capacity(BUFFER_BYTES, open))
    }

    fn end_file(&mut self, counts: &mut Counts) {
        // A last line without a line end is a line all the same.
        if self.at.in_line {
            counts.lines += 1;
            self.at.lines += 1;
        }
        counts.files += 1;
        self.next_file();
    }

    /// The file has vanished or shrunk: what is left of it counts as read.
    fn give_file_up(&mut self, file: &FrozenFile) {
        self.at.changed_files += 1;
        self.at.bytes += file.bytes - self.at.offset;
        self.next_file();
    }

    fn next_file(&mut self) {
        self.open = None;
        self.at.file += 1;
        self.at.offset = 0;
        self.at.in_word = false;
        self.at.in_line = false;
    }
}

/// The part of `buffer` that ends with its `lines_max`-th line end, or all of it.
fn up_to_line(buffer: &[u8], lines_max: u64) -> &[u8] {
    if count_lines(buffer) <= lines_max {
        return buffer;
    }
    let ends = buffer.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let nth = usize::try_from(lines_max.saturating_sub(1)).unwrap_or(usize::MAX);
    ends.map(|(at, _)| at).nth(nth).and_then(|at| buffer.get(..=at)).unwrap_or(buffer)
}

fn count_lines(buffer: &[u8]) -> u64 {
    buffer.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// The words that begin in `buffer`, and whether its last byte belongs to one.
fn count_words(buffer: &[u8], mut in_word: bool) -> (u64, bool) {
    let mut words = 0;
    for byte in buffer {
        let before = in_word;
        in_word = !byte.is_ascii_whitespace();
        words += u64::from(in_word && !before);
    }
    (words, in_word)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::job::Skipped;
    use super::*;

    const TEXT: &str = "one two\n\n three\tfour\r\nfive-and-a-half six";

    fn job(root: &std::path::Path, lines: u64, bytes: u64) -> Job {
        Job {
            root: root.to_owned(),
            files: 2,
            bytes: 0,
            list_entries: 1,
            lines_per_transaction: lines,
            bytes_per_transaction: bytes,
            skipped: Skipped::default(),
        }
    }

    fn frozen(path: &str, bytes: u64) -> FrozenFile {
        FrozenFile { path: path.to_owned(), bytes, modified_unix_ms: 0 }
    }

    fn totals(mut reader: Reader) -> (Totals, Position) {
        let mut totals = Totals::new();
        while let Some(piece) = reader.next_piece() {
            for (kind, counts) in piece.counts {
                totals.entry(kind).or_default().add(counts);
            }
        }
        (totals, reader.at)
    }

    #[test]
    fn pieces_of_every_size_count_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), TEXT).unwrap();
        fs::write(folder.path().join("b.md"), "x\n").unwrap();
        let files: Arc<[FrozenFile]> =
            [frozen("a.txt", TEXT.len() as u64), frozen("b.md", 2)].into();
        for lines in 1..6 {
            for bytes in 1..50 {
                let job = job(folder.path(), lines, bytes);
                let (totals, end) =
                    totals(Reader::new(&job, Arc::clone(&files), Position::default()));
                let expected = Counts { files: 1, lines: 4, words: 6 };
                assert_eq!(totals.get("txt"), Some(&expected), "{lines} lines, {bytes} bytes");
                assert_eq!(totals.get("md"), Some(&Counts { files: 1, lines: 1, words: 1 }));
                assert_eq!(end.bytes, TEXT.len() as u64 + 2);
            }
        }
    }

    #[test]
    fn reading_goes_on_from_every_position() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), TEXT).unwrap();
        let files: Arc<[FrozenFile]> = [frozen("a.txt", TEXT.len() as u64)].into();
        let job = job(folder.path(), 1, 3);
        let mut reader = Reader::new(&job, Arc::clone(&files), Position::default());
        let mut before = Counts::default();
        while let Some(piece) = reader.next_piece() {
            for counts in piece.counts.into_values() {
                before.add(counts);
            }
            let mut whole = before;
            for counts in totals(Reader::new(&job, Arc::clone(&files), piece.after)).0.values() {
                whole.add(*counts);
            }
            assert_eq!(whole, Counts { files: 1, lines: 4, words: 6 }, "{:?}", piece.after);
        }
    }

    #[test]
    fn files_that_vanished_or_shrank_are_given_up_and_growth_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shrunk.txt"), "one two").unwrap();
        fs::write(folder.path().join("grown.txt"), "one two three").unwrap();
        let files: Arc<[FrozenFile]> =
            [frozen("gone.txt", 5), frozen("shrunk.txt", 70), frozen("grown.txt", 7)].into();
        let job = job(folder.path(), 100, 100);
        let (totals, end) = totals(Reader::new(&job, files, Position::default()));
        assert_eq!(end.changed_files, 2);
        assert_eq!(end.bytes, 82);
        assert!(end.finished);
        assert_eq!(totals.get("txt"), Some(&Counts { files: 1, lines: 1, words: 4 }));
    }
}
