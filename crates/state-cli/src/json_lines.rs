//! Files of JSON lines, read one line at a time.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Reads lines, each with its number.
pub(crate) struct JsonLines {
    reader: Box<dyn BufRead>,
    path: PathBuf,
    bytes_max: usize,
    line: u64,
    bytes: u64,
}

impl JsonLines {
    /// The lines of `source`, which came from `path`; longer ones than `bytes_max` are refused.
    pub(crate) fn new(source: impl Read + 'static, path: &Path, bytes_max: usize) -> Self {
        let reader = Box::new(BufReader::with_capacity(1 << 20, source));
        Self { reader, path: path.to_owned(), bytes_max, line: 0, bytes: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// The bytes that were read so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line; those without anything are passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.reader).take(self.bytes_max as u64 + 1);
            let read = limited.read_until(b'\n', &mut line);
            read.map_err(|error| Failure::file("reading", &self.path, &error))?;
            if line.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            self.bytes += line.len() as u64;
            if line.len() > self.bytes_max {
                let most = indicatif::HumanBytes(self.bytes_max as u64);
                return Err(Failure::usage(
                    format!("line {} is longer than {most}", self.line),
                    "split what it holds",
                ));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line));
            }
        }
    }
}

/// What is wrong with a line that could not be read, without anything that it holds.
pub(crate) fn explain(error: &serde_json::Error, wanted: &str) -> String {
    let column = error.column();
    if error.classify() != serde_json::error::Category::Data {
        if error.is_eof() {
            return "is no JSON: it is cut off".to_owned();
        }
        return format!("is no JSON (column {column})");
    }
    let said = error.to_string();
    let names_a_field = ["missing field", "unknown field", "duplicate field"];
    let named = names_a_field.iter().any(|start| said.starts_with(start));
    match said.split(" at line").next().filter(|_| named) {
        Some(said) => {
            format!("is no {wanted}: {}", said.split(", expected").next().unwrap_or(said))
        }
        None => format!("is no {wanted} (column {column})"),
    }
}
