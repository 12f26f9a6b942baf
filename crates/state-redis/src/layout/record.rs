//! What is recorded of a layout: one line of text, so that people can read it too.

use std::fmt::Write;

use bytes::Bytes;
use state_core::{Error, ErrorKind, Result};

/// What every record begins with; the number is that of its format.
const MAGIC: &str = "layout1";

/// How a namespace is laid out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Layout {
    /// The most events that the change log keeps of each bucket; `None` without a log.
    pub(crate) log: Option<u32>,
    /// Whether an ordered index is kept.
    pub(crate) index: bool,
    /// How many buckets all keys are placed in; `None` where each place is its own.
    pub(crate) buckets: Option<u16>,
    /// The rule by which keys are placed; `None` for the usual one.
    pub(crate) partitioner: Option<String>,
}

impl Layout {
    pub(crate) fn write(&self) -> Bytes {
        let mut text = String::from(MAGIC);
        let mut field = |name: &str, value: Option<String>| {
            let _infallible = write!(text, " {name}={}", value.as_deref().unwrap_or("none"));
        };
        field("log", self.log.map(|events| events.to_string()));
        field("index", self.index.then(|| "ordered".to_owned()));
        field("buckets", self.buckets.map(|buckets| buckets.to_string()));
        // Behind a dash, so that no id reads as `none`.
        field("partitioner", self.partitioner.as_ref().map(|id| format!("-{id}")));
        text.into()
    }

    /// # Errors
    /// `Corrupt` for what is no record, `Unsupported` for one of a later version.
    pub(crate) fn read(stored: &[u8]) -> Result<Self> {
        let foreign = || Error::corrupt("the record of the namespace's layout is damaged");
        let text = std::str::from_utf8(stored).map_err(|_| foreign())?;
        let mut words = text.split(' ');
        match words.next() {
            Some(MAGIC) => {}
            Some(other) if other.starts_with("layout") => return Err(later()),
            _ => return Err(foreign()),
        }
        let mut layout = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(foreign)?;
            let value = Some(value).filter(|value| *value != "none");
            let number = || value.map(str::parse).transpose().map_err(|_| foreign());
            match name {
                "log" => layout.log = number()?,
                "index" if value.is_none_or(|value| value == "ordered") => {
                    layout.index = value.is_some();
                }
                "buckets" => {
                    let buckets = value.map(str::parse).transpose();
                    layout.buckets = buckets.map_err(|_| foreign())?;
                }
                "partitioner" => {
                    let id = value.map(|value| value.strip_prefix('-').ok_or_else(foreign));
                    layout.partitioner = id.transpose()?.map(str::to_owned);
                }
                _ => return Err(later()),
            }
        }
        Ok(layout)
    }
}

fn later() -> Error {
    let message = "the namespace was laid out by a later version of this driver";
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_anything_else_is_refused() {
        for log in [None, Some(1), Some(u32::MAX)] {
            for (index, buckets) in [(true, Some(16)), (false, None), (true, Some(u16::MAX))] {
                for partitioner in [None, Some("none".to_owned()), Some("by-region.1".to_owned())] {
                    let layout = Layout { log, index, buckets, partitioner };
                    assert_eq!(Layout::read(&layout.write()).unwrap(), layout);
                }
            }
        }
        let usual = "layout1 log=none index=none buckets=none partitioner=none";
        assert_eq!(Layout::default().write(), usual);
        for (text, kind) in [
            ("", ErrorKind::Corrupt),
            ("something else", ErrorKind::Corrupt),
            ("layout1 log", ErrorKind::Corrupt),
            ("layout1 log=many", ErrorKind::Corrupt),
            ("layout1 partitioner=x", ErrorKind::Corrupt),
            ("layout2 log=none", ErrorKind::Unsupported),
            ("layout1 index=hashed", ErrorKind::Unsupported),
            ("layout1 shape=round", ErrorKind::Unsupported),
        ] {
            assert_eq!(Layout::read(text.as_bytes()).unwrap_err().kind(), kind, "{text}");
        }
    }
}
