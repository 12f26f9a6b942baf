//! Looking at keys that have changed.

use bytes::Bytes;
use redis::Value;
use state_core::{Error, Result, Timestamp, Version};

use super::announcement::Announcement;
use crate::client::{Body, Client, NodeId, Repeat, Reply, Request, ScriptCall, Target};
use crate::frame;
use crate::scripts::{self, Answer, number, unlike};

/// The last byte of a frame's header.
const HEAD: &str = "17";

/// What is at a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Absent,
    Entry { version: Version, deadline: Option<Timestamp>, remaining_ms: Option<u64> },
    Hash,
    Announcement(Announcement),
}

/// What a key is for, as far as looking at it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    Entry,
    Hash,
    Announcement,
}

/// Looks at keys of one node, in one pipeline. Each answer may be an error of its own.
pub(super) async fn look(
    client: Client,
    node: NodeId,
    keys: Vec<(Bytes, Expected)>,
) -> Result<Vec<Result<Seen>>> {
    let expected: Vec<_> = keys.iter().map(|(_, expected)| *expected).collect();
    let calls = keys.into_iter().map(|(stored, expected)| {
        let last = if expected == Expected::Announcement { "-1" } else { HEAD };
        let args = vec![Bytes::from_static(last.as_bytes())];
        ScriptCall { script: &scripts::LOOK, keys: vec![stored], args }
    });
    let body = Body::Scripts(calls.collect());
    let request = Request::new("watch", Target::Node(node), body).with_repeat(Repeat::Safe);
    let Reply::Many(answers) = client.send(request).await? else { return Err(unlike()) };
    if answers.len() != expected.len() {
        return Err(unlike());
    }
    let seen = answers.into_iter().zip(expected);
    Ok(seen.map(|(answer, expected)| read(answer?, expected)).collect())
}

fn read(answer: Value, expected: Expected) -> Result<Seen> {
    let answer = Answer::read(answer)?;
    let kind = answer.item(0)?;
    match (kind.as_ref(), expected) {
        (b"none", _) => Ok(Seen::Absent),
        (b"hash", Expected::Hash) => Ok(Seen::Hash),
        (b"string", Expected::Entry) => {
            let (version, _) = frame::open(answer.item(1)?.clone())?;
            let deadline = u64::try_from(number::<i64>(answer.item(2)?)?).ok();
            let remaining_ms = u64::try_from(number::<i64>(answer.item(3)?)?).ok();
            let deadline = deadline.map(Timestamp::from_unix_ms);
            Ok(Seen::Entry { version, deadline, remaining_ms })
        }
        (b"string", Expected::Announcement) => {
            let found = Announcement::decode(answer.item(1)?.clone());
            found.map(Seen::Announcement).ok_or_else(frame::foreign)
        }
        _ => Err(Error::corrupt("what is stored at the key was not written by this driver")),
    }
}
