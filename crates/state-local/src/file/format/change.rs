//! Events of the change log as stored bytes.

use bytes::Bytes;
use state_core::{Change, Error, ErrorKind, Result, Scope, Version};

use super::{Input, Kind, Output, seal, unseal};

const PUT: u8 = 0;
const TOUCHED: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;
const EVICTED: u8 = 4;
const HASH_CHANGED: u8 = 5;
const CLEARED: u8 = 6;
const GAP: u8 = 7;

const ALL: u8 = 0;
const UNPARTITIONED: u8 = 1;
const PARTITION: u8 = 2;

/// A stored event: what happened, and in which session of the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::file) struct Event {
    pub(in crate::file) session: u64,
    pub(in crate::file) change: Change,
}

/// The record of an event.
///
/// # Errors
/// `Internal` for a kind of change that this format has no number for.
pub(in crate::file) fn of_event(key: &[u8], session: u64, change: &Change) -> Result<Vec<u8>> {
    let mut body = Output::default();
    body.number(session);
    match change {
        Change::Put { key, version, deadline } => {
            body.byte(PUT).key(key).bytes(version.as_bytes()).deadline(*deadline);
        }
        Change::Touched { key, deadline } => {
            body.byte(TOUCHED).key(key).deadline(*deadline);
        }
        Change::Deleted { key } => {
            body.byte(DELETED).key(key);
        }
        Change::Expired { key } => {
            body.byte(EXPIRED).key(key);
        }
        Change::Evicted { key } => {
            body.byte(EVICTED).key(key);
        }
        Change::HashChanged { key } => {
            body.byte(HASH_CHANGED).key(key);
        }
        Change::Cleared { prefix, scope } => {
            body.byte(CLEARED).counted(prefix);
            write_scope(&mut body, scope)?;
        }
        Change::Gap => {
            body.byte(GAP);
        }
        _ => return Err(unknown()),
    }
    Ok(seal(Kind::Event, key, &body.0))
}

pub(in crate::file) fn event(key: &[u8], record: &[u8]) -> Option<Event> {
    let mut input = Input(unseal(Kind::Event, key, record)?);
    let session = input.number()?;
    let change = match input.byte()? {
        PUT => Change::Put {
            key: input.key()?,
            version: Version::from_bytes(input.array()?),
            deadline: input.deadline()?,
        },
        TOUCHED => Change::Touched { key: input.key()?, deadline: input.deadline()? },
        DELETED => Change::Deleted { key: input.key()? },
        EXPIRED => Change::Expired { key: input.key()? },
        EVICTED => Change::Evicted { key: input.key()? },
        HASH_CHANGED => Change::HashChanged { key: input.key()? },
        CLEARED => Change::Cleared {
            prefix: Bytes::copy_from_slice(input.counted()?),
            scope: read_scope(&mut input)?,
        },
        GAP => Change::Gap,
        _ => return None,
    };
    input.end(Event { session, change })
}

fn write_scope(body: &mut Output, scope: &Scope) -> Result<()> {
    match scope {
        Scope::All => body.byte(ALL),
        Scope::Unpartitioned => body.byte(UNPARTITIONED),
        Scope::Partition(partition) => body.byte(PARTITION).counted(partition),
        _ => return Err(unknown()),
    };
    Ok(())
}

fn read_scope(input: &mut Input<'_>) -> Option<Scope> {
    Some(match input.byte()? {
        ALL => Scope::All,
        UNPARTITIONED => Scope::Unpartitioned,
        PARTITION => Scope::Partition(Bytes::copy_from_slice(input.counted()?)),
        _ => return None,
    })
}

fn unknown() -> Error {
    Error::new(ErrorKind::Internal, "the file format does not know this kind of change")
}
