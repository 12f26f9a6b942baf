//! A reply of a server, as the administrative connection of the harness reads it (RESP2).

use std::io::BufRead;

use super::error::{Result, ServersError};

/// A reply of a server.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status, `OK` for example.
    Status(String),
    /// An error, with its code in front.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// A list.
    Array(Vec<Self>),
}

impl Reply {
    /// A status, an error, a number or bytes as text; empty for anything else.
    pub fn text(&self) -> String {
        match self {
            Self::Status(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Nil | Self::Array(_) => String::new(),
        }
    }

    /// The elements of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The value after `name` in a list of names and values, as text.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut pairs = self.items().chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [key, value] if key.text() == name => Some(value.text()),
            _ => None,
        })
    }

    /// The value of `name:value` in a text of lines, as `INFO` gives it.
    pub fn info(&self, name: &str) -> Option<String> {
        let text = self.text();
        let mut lines = text.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    }

    /// Turns an error reply into an error.
    ///
    /// # Errors
    /// When the server answered with an error.
    pub fn ok(self) -> Result<Self> {
        match self {
            Self::Error(text) => Err(ServersError::Answer(text)),
            reply => Ok(reply),
        }
    }

    /// Reads one reply.
    pub(crate) fn read(from: &mut impl BufRead) -> Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut characters = text.chars();
        let kind = characters.next();
        let rest = characters.as_str();
        match kind {
            Some('+') => Ok(Self::Status(rest.to_owned())),
            Some('-') => Ok(Self::Error(rest.to_owned())),
            Some(':') => Ok(Self::Integer(number(rest)?)),
            Some('$') => {
                let Ok(length) = usize::try_from(number(rest)?) else { return Ok(Self::Nil) };
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Self::Bulk(bytes))
            }
            Some('*') => {
                let Ok(count) = usize::try_from(number(rest)?) else { return Ok(Self::Nil) };
                (0..count).map(|_| Self::read(from)).collect::<Result<_>>().map(Self::Array)
            }
            None => Err(ServersError::Answer("the server closed the connection".to_owned())),
            Some(_) => Err(ServersError::Answer("what the server sent is not RESP".to_owned())),
        }
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| ServersError::Answer("what the server sent is not RESP".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read() {
        let mut stream: &[u8] = b"*3\r\n$1\r\na\r\n:-7\r\n*1\r\n$-1\r\n-ERR no\r\n";
        let list = Reply::read(&mut stream).unwrap();
        assert_eq!(list.field("a").as_deref(), Some("-7"));
        assert_eq!(list.items()[2], Reply::Array(vec![Reply::Nil]));
        assert_eq!(Reply::read(&mut stream).unwrap().ok().unwrap_err().to_string(), "ERR no");
        assert!(Reply::read(&mut stream).is_err(), "the stream has ended");
    }

    #[test]
    fn a_line_of_info_is_found_by_its_whole_name() {
        let info = Reply::Bulk(b"# Replication\r\nrole_x:a\r\nrole:master\r\n".to_vec());
        assert_eq!(info.info("role").as_deref(), Some("master"));
        assert_eq!(info.info("rol"), None);
    }
}
