//! The scripts of threads, and what they reply.

use bytes::Bytes;
use redis::Value;
use state_core::{Error, ErrorKind, Result};

use super::head::Head;
use crate::client::Script;
use crate::scripts::{bytes, number, unlike};

macro_rules! scripts {
    ($($name:ident = $file:literal $(, $part:literal)*;)+) => {
        $(pub(super) static $name: Script = Script::new(
            $file,
            concat!(
                include_str!("../scripts/thread.lua"),
                $(include_str!(concat!("../scripts/thread_", $part, ".lua")),)*
            ),
        );)+
    };
}

// Each with the parts that it needs, behind what all share.
scripts! {
    APPEND = "thread_append", "change", "content_add", "places", "below", "append";
    WRITES = "thread_writes", "change", "content_add", "writes";
    LOAD = "thread_load", "load", "send", "load_sent";
    VALUES = "thread_values", "places", "send", "values";
    PAGE = "thread_page", "below", "send", "page";
    ALL_WRITES = "thread_all_writes", "all_writes";
    REMOVE = "thread_remove", "change", "send", "remove";
    SWEEP = "thread_sweep", "change", "sweep";
    LOOK = "thread_look", "look";
    DELETE = "thread_delete", "change", "delete";
    STAGE = "thread_stage", "stage";
    SHOW = "thread_show", "change", "show";
    TOUCH = "thread_touch", "change", "touch";
}

pub(super) static APPEND_KNOWN: Script =
    Script::new("thread_append_known", include_str!("../scripts/thread_append_known.lua"));
pub(super) static CONTENT: Script = Script::new(
    "thread_content",
    concat!(
        include_str!("../scripts/thread.lua"),
        include_str!("../scripts/hash_step.lua"),
        include_str!("../scripts/thread_content.lua")
    ),
);
pub(super) static INDEX_WRITE: Script =
    Script::new("index_write", include_str!("../scripts/index_write.lua"));
pub(super) static INDEX_REMOVE: Script =
    Script::new("index_remove", include_str!("../scripts/index_remove.lua"));
pub(super) static INDEX_PAGE: Script =
    Script::new("index_page", include_str!("../scripts/index_page.lua"));
pub(super) static INDEX_PICK: Script =
    Script::new("index_pick", include_str!("../scripts/index_pick.lua"));
pub(super) static RUN_WRITE: Script =
    Script::new("run_write", include_str!("../scripts/run_write.lua"));

/// How a script went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Ok,
    Same,
    Existed,
    Stale,
    Absent,
    Again,
    Unindexed,
}

/// What a script replied.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) word: Word,
    /// Whether an earlier try may have been applied as well.
    pub(super) unsettled: bool,
    items: std::vec::IntoIter<Value>,
}

impl Answer {
    /// Reads a reply; what a script refuses for good becomes an error here.
    pub(super) fn read(reply: Value) -> Result<Self> {
        let items = match reply {
            Value::Array(items) => items,
            // A short script has short words.
            Value::Int(1) => return Ok(Self::of(Word::Ok)),
            Value::Int(0) => return Ok(Self::of(Word::Again)),
            _ => return Err(unlike()),
        };
        let mut items = items.into_iter();
        let word = bytes(items.next().ok_or_else(unlike)?)?;
        let word = match word.as_ref() {
            b"ok" => Word::Ok,
            b"same" => Word::Same,
            b"existed" => Word::Existed,
            b"stale" => Word::Stale,
            b"absent" => Word::Absent,
            b"again" => Word::Again,
            b"unindexed" => Word::Unindexed,
            b"conflict" => return Err(conflict(&bytes(items.next().ok_or_else(unlike)?)?)),
            b"fenced" => {
                let message = "another holder of the lease has written to the thread";
                return Err(Error::new(ErrorKind::Fenced, message));
            }
            b"full" => return Err(full(&bytes(items.next().ok_or_else(unlike)?)?)),
            b"corrupt" => return Err(damaged()),
            b"later" => {
                let message = "a later version has written the thread";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            _ => return Err(unlike()),
        };
        Ok(Self { word, unsettled: false, items })
    }

    fn of(word: Word) -> Self {
        Self { word, unsettled: false, items: Vec::new().into_iter() }
    }

    /// The next item, the head of a thread.
    pub(super) fn head(&mut self) -> Result<Head> {
        Head::read(&self.item()?).ok_or_else(unlike)
    }

    /// The next item.
    pub(super) fn item(&mut self) -> Result<Bytes> {
        bytes(self.items.next().ok_or_else(unlike)?)
    }

    /// The next item, a text.
    pub(super) fn text(&mut self) -> Result<String> {
        Ok(text(&self.item()?)?.to_owned())
    }

    /// The next item, a number.
    pub(super) fn number<N: std::str::FromStr>(&mut self) -> Result<N> {
        number(&self.item()?)
    }

    /// The next item, a list.
    pub(super) fn list(&mut self) -> Result<Vec<Value>> {
        list(self.items.next().ok_or_else(unlike)?)
    }

    /// The next item, a list of texts.
    pub(super) fn all_bytes(&mut self) -> Result<Vec<Bytes>> {
        self.list()?.into_iter().map(bytes).collect()
    }

    /// The next item where there is one.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        self.items.next().map(bytes).transpose()
    }

    /// All items that are left.
    pub(super) fn rest(self) -> impl Iterator<Item = Value> {
        self.items
    }
}

pub(super) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(unlike()),
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| unlike())
}

/// A thread is not as it was written.
pub(super) fn damaged() -> Error {
    Error::corrupt(
        "a key of the thread is missing or of another life: restore the keys of the thread, or delete it",
    )
}

fn conflict(reason: &[u8]) -> Error {
    Error::conflict(match reason {
        b"deleted" => "the thread was deleted a short while ago",
        b"id" => "another checkpoint has this id",
        b"parent" => "the parent is not the latest checkpoint",
        b"latest" => "the checkpoint is not the latest",
        b"exists" => "the thread to copy to exists, or was deleted just now",
        _ => "the thread is not as it was expected to be",
    })
}

fn full(what: &[u8]) -> Error {
    let message = match what {
        b"leases" => "the thread remembers the tokens of 64 leases, which is the most",
        b"versions" => "the thread has had 2^31 versions of channels: go on with a copy of it",
        _ => "the content of the thread has had 2^32 segments: go on with a copy of it",
    };
    Error::new(ErrorKind::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use state_checkpoint::TAIL_BYTES_MAX;

    use crate::checkpoint::known::RECENT_BYTES_MAX;
    use crate::checkpoint::sweep::BLOCK_ITEMS;

    #[test]
    fn scripts_and_crates_agree_on_sizes() {
        let shared = include_str!("../scripts/thread.lua");
        assert!(shared.contains(&format!("\nlocal BLOCK = {BLOCK_ITEMS}\n")));
        let content = include_str!("../scripts/thread_change.lua");
        assert!(content.contains(&format!("\nlocal TAIL_BYTES_MAX = {TAIL_BYTES_MAX}\n")));
        assert!(content.contains(&format!("\nlocal RECENT_BYTES_MAX = {RECENT_BYTES_MAX}\n")));
    }
}
