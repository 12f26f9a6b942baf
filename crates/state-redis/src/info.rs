//! The text that a server answers to `INFO`.

use std::str::FromStr;

use redis::Value;

/// An answer to `INFO`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Info {
    text: String,
}

impl Info {
    /// Reads an answer; what is none tells nothing.
    pub(crate) fn read(answer: &Value) -> Self {
        let text = match answer {
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
            _ => String::new(),
        };
        Self { text }
    }

    /// What the field `name` says.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    }

    /// Its lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The number in the field `name`.
    pub(crate) fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.field(name)?.parse().ok()
    }

    /// Whether the field `name` is set; no, where it is not there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.field(name) == Some("1")
    }

    /// The first two numbers of the version of Redis that the server is like.
    pub(crate) fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.field("redis_version")?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_names() {
        let text = "# Server\r\nredis_version:7.0.15\r\nused_memory_rss:9\r\nused_memory:7\r\n";
        let info = Info::read(&Value::BulkString(text.into()));
        assert_eq!(info.number("used_memory"), Some(7_u64));
        assert_eq!((info.version(), info.flag("aof_enabled")), (Some((7, 0)), false));
        assert_eq!(Info::read(&Value::Nil).field("redis_version"), None);
    }
}
